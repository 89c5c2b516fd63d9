use std::fmt;

/// Where a job stands. The set is closed within version 1 of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Status {
    /// Accepted, or waiting for its next attempt.
    Init = 0,
    /// A worker holds the lease.
    Processing = 1,
    /// A worker completed it. Terminal, for good.
    Done = 2,
    /// Its attempts are used up, or an error was not worth another. Terminal for this run.
    Failed = 3,
    /// Somebody cancelled it. Terminal for this run.
    Cancelled = 4,
    /// It was not done in time. Terminal for this run.
    Expired = 5,
}

impl Status {
    /// Every status, in the order of their numbers.
    pub const ALL: [Status; 6] =
        [Status::Init, Status::Processing, Status::Done, Status::Failed, Status::Cancelled, Status::Expired];

    /// Whether the run has ended.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Status::Init | Status::Processing)
    }

    /// The status of this number, as a ledger stores it.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Status> {
        Status::ALL.get(usize::from(number)).copied()
    }

    /// The word of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Status::Init => "INIT",
            Status::Processing => "PROCESSING",
            Status::Done => "DONE",
            Status::Failed => "FAILED",
            Status::Cancelled => "CANCELLED",
            Status::Expired => "EXPIRED",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_statuses_are_the_same_set() {
        for status in Status::ALL {
            assert_eq!(Status::from_number(status as u8), Some(status));
        }
        assert_eq!(Status::from_number(6), None);
    }
}
