use std::sync::Arc;

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// A problem document (RFC 9457) as JSON, either the worker's own or one made of its text.
    pub problem: Arc<str>,
}
