//! ackd's native HTTP API.
