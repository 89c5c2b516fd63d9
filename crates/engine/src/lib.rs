//! The use cases of ackd: accept, dispatch, work, follow, rescue.
