use std::sync::Arc;

use crate::Timestamp;

/// How far a worker says it has come.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// 0 to 100, where the worker knows it.
    pub percent: Option<f64>,
    /// A line for people, at most [`crate::limits::MESSAGE_BYTES`].
    pub message: Option<Arc<str>>,
    /// When the ledger recorded it.
    pub at: Timestamp,
}
