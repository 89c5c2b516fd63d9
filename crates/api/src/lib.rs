//! The JSON of ackd's HTTP API as serde types.
