use std::sync::Arc;

use crate::{JobId, Name, Submission, Timestamp};

/// Jobs that are made at certain times, as an operator asks for them.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduleRequest {
    /// When, as five fields of cron; at most [`crate::limits::CRON_BYTES`].
    pub cron: Arc<str>,
    /// The time zone that they are read in, an IANA name; at most [`crate::limits::TIMEZONE_BYTES`].
    pub timezone: Arc<str>,
    /// What becomes of times that passed while nothing could be made.
    pub missed: Missed,
    /// No jobs are made.
    pub paused: bool,
    /// The job that is made each time: it has no key and starts at once. Its payload has at most
    /// [`crate::limits::SCHEDULE_PAYLOAD_BYTES`].
    pub job: Submission,
}

/// Jobs that are made at certain times.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Its name.
    pub name: Name,
    /// When, as five fields of cron.
    pub cron: Arc<str>,
    /// The time zone that they are read in, an IANA name.
    pub timezone: Arc<str>,
    /// What becomes of times that passed while nothing could be made.
    pub missed: Missed,
    /// No jobs are made.
    pub paused: bool,
    /// The job that is made each time.
    pub job: Submission,
    /// Grows by one each time it is asked for anew: who means to make a job must know what it is now.
    pub revision: u64,
    /// When it was first asked for.
    pub created_at: Timestamp,
    /// The next time; `None` while it is paused, and where there is none that can be written.
    pub next_run_at: Option<Timestamp>,
    /// The latest time for which a job was made: when it was to be, not when it was.
    pub last_run_at: Option<Timestamp>,
    /// The job that was made then.
    pub last_job: Option<JobId>,
}

/// What becomes of times that passed while nothing could be made: the server was down, or its clock jumped ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Missed {
    /// Nothing.
    Skip,
    /// One job for all of them.
    #[default]
    One,
    /// A job for each, at most [`crate::limits::MISSED_RUNS`]: of more, the latest.
    All,
}

impl Missed {
    /// The policy of this number, as ledgers store it.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Missed> {
        match number {
            0 => Some(Missed::Skip),
            1 => Some(Missed::One),
            2 => Some(Missed::All),
            _ => None,
        }
    }
}

/// A schedule's time has come: make its jobs, and move it on, in one commit.
#[derive(Debug, Clone, PartialEq)]
pub struct Firing {
    /// The schedule.
    pub name: Name,
    /// What it is thought to be.
    pub revision: u64,
    /// The time that is thought to be its next. Each is left once only, so that nothing is made twice for it, however
    /// many think so.
    pub at: Timestamp,
    /// A job for each time that has come and for which one is made: the schedule's own, as often as need be.
    pub jobs: Vec<Submission>,
    /// The latest time for which a job is made.
    pub latest: Option<Timestamp>,
    /// The next time from now on.
    pub next: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_keep_their_numbers() {
        for missed in [Missed::Skip, Missed::One, Missed::All] {
            assert_eq!(Missed::from_number(missed as u8), Some(missed));
        }
        assert_eq!(Missed::from_number(3), None);
    }
}
