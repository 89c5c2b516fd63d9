use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::server::Launch;

/// What a row is to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The server under test.
    pub launch: Launch,
    /// The folder under which its data lives.
    pub dir: PathBuf,
    /// What decides all that is left to chance.
    pub seed: u64,
    /// For how long things fail; bringing all to its end comes on top.
    pub time: Duration,
    /// Whether a part of all there is to try is enough.
    pub slice: bool,
}

impl Plan {
    /// Until when things fail, if they begin now.
    pub(crate) fn until(&self) -> Instant {
        Instant::now() + self.time
    }
}
