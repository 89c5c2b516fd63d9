use std::sync::Arc;
use std::time::Duration;

use crate::limits;

/// Where the server takes the jobs of a queue to by itself, each by a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// An `http` or `https` URL, at most [`limits::URL_BYTES`].
    pub url: Arc<str>,
    /// How many posts are under way at once, 1 to [`limits::PUSH_CONCURRENCY`]; the default where it is `None`.
    pub concurrency: Option<u32>,
    /// How long a post may take, and a lease that the target settles later lasts, [`limits::PUSH_TIMEOUT_MIN`] to
    /// [`limits::PUSH_TIMEOUT_MAX`]; the default where it is `None`.
    pub timeout: Option<Duration>,
    /// Whether a 202 means that the target settles the lease later.
    pub is_async: bool,
    /// The statuses that fail a job for good; [`Push::FAIL_ON`] where it is `None`.
    pub fail_on: Option<Arc<[u16]>>,
}

impl Push {
    /// The statuses that fail a job for good where a queue names none: those that say that the job itself is wrong.
    pub const FAIL_ON: [u16; 5] = [400, 410, 413, 415, 422];

    /// How many posts are under way at once.
    #[must_use]
    pub fn concurrency(&self) -> u32 {
        self.concurrency.unwrap_or(limits::DEFAULT_PUSH_CONCURRENCY)
    }

    /// How long a post may take, and a lease that the target settles later lasts.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(limits::DEFAULT_PUSH_TIMEOUT)
    }

    /// The statuses that fail a job for good.
    #[must_use]
    pub fn fail_on(&self) -> &[u16] {
        self.fail_on.as_deref().unwrap_or(&Push::FAIL_ON)
    }
}
