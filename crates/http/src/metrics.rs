//! What the server counts, as Prometheus reads it.

use std::sync::atomic::{AtomicU64, Ordering};

use http::StatusCode;

use crate::routes::OPERATIONS;

/// The place of requests that lead to no operation.
pub(crate) const NO_OPERATION: usize = OPERATIONS.len();

/// The classes of statuses: 2xx to 5xx.
const CLASSES: usize = 4;

/// What is counted of HTTP; the engine counts the rest.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// Answers by operation and class of status.
    requests: Vec<[AtomicU64; CLASSES]>,
    /// Open connections.
    pub(crate) connections: AtomicU64,
    /// Connections that were refused because there were too many.
    pub(crate) refused_connections: AtomicU64,
}

impl Metrics {
    pub(crate) fn new() -> Metrics {
        Metrics {
            requests: (0..=NO_OPERATION).map(|_| Default::default()).collect(),
            connections: AtomicU64::new(0),
            refused_connections: AtomicU64::new(0),
        }
    }

    /// Counts an answer.
    pub(crate) fn count(&self, operation: usize, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(2, 5) - 2;
        self.requests[operation][class].fetch_add(1, Ordering::Relaxed);
    }
}
