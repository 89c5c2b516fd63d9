use crate::JobId;

/// Of which dead job another was made in the dead-letter queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeadLetter {
    /// The dead job.
    pub of: JobId,
    /// How many dead jobs one after the other it has behind it: 1 to [`crate::limits::DEAD_LETTER_HOPS`].
    pub hops: u8,
}
