use std::sync::Arc;

use crate::{Job, Queue};

/// What a decision sees of the ledger: the rows that [`crate::Command::needs`] names, as they are
/// after the command before it.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The named job, if there is one.
    pub job: Option<Arc<Job>>,
    /// The job that holds the named idempotency key, if one does.
    pub holder: Option<Arc<Job>>,
    /// The named queue, or the queue of the named job. `None` where nobody has configured it.
    pub queue: Option<Arc<Queue>>,
}
