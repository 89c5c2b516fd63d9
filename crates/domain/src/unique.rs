use std::sync::Arc;

/// A promise that of the unfinished jobs of a queue at most one carries this key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unique {
    /// The key, 1 to [`crate::limits::UNIQUE_KEY_BYTES`] bytes.
    pub key: Arc<str>,
    /// What a submission does to the job that is there.
    pub policy: UniquePolicy,
}

/// What a submission does to the waiting job that carries its key. One that runs is always kept as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum UniquePolicy {
    /// Nothing.
    #[default]
    Keep = 0,
    /// It takes the payload, the time and the expiry of the submission.
    Replace = 1,
    /// As `Replace`, but its time is never brought forward.
    Debounce = 2,
}

impl UniquePolicy {
    /// The policy of this number, as a ledger stores it.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<UniquePolicy> {
        match number {
            0 => Some(UniquePolicy::Keep),
            1 => Some(UniquePolicy::Replace),
            2 => Some(UniquePolicy::Debounce),
            _ => None,
        }
    }
}
