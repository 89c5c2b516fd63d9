use std::time::Duration;

use crate::{Position, Timestamp};

/// A worker's right to work on a job, and what became of it. A job remembers its latest lease only.
#[derive(Debug, Clone, PartialEq)]
pub struct Lease {
    /// The position of the change that granted it. Positions never repeat, so neither does this.
    pub fence: Position,
    /// 128 random bits, so that a lease cannot be guessed.
    pub secret: u128,
    /// How long it lasts without a heartbeat.
    pub ttl: Duration,
    /// The longest the attempt may take, heartbeats or not.
    pub timeout: Option<Duration>,
    /// When it was granted.
    pub granted_at: Timestamp,
    /// Whether it still holds.
    pub state: LeaseState,
}

/// Whether a lease still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseState {
    /// The worker may work.
    Live,
    /// The worker settled it. The same verb again gets the same answer.
    Settled(Verb),
    /// Nobody heard from the worker in time, the attempt took too long, or the job expired.
    Lapsed,
}

/// How a worker settles a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// The work is done.
    Complete,
    /// The attempt failed.
    Fail,
    /// The worker gives the job back untouched.
    Release,
}

impl Lease {
    /// The token of this lease on job `number`.
    #[must_use]
    pub fn token(&self, number: u64) -> LeaseToken {
        LeaseToken { number, fence: self.fence, secret: self.secret }
    }

    /// Whether `token` is of this very lease. The comparison of the secret takes the same time
    /// wherever the first difference lies.
    #[must_use]
    pub fn is_named_by(&self, token: &LeaseToken) -> bool {
        self.fence == token.fence && self.secret ^ token.secret == 0
    }
}

/// What a worker shows to prove its lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LeaseToken {
    /// The job's acceptance number.
    pub number: u64,
    /// The position of the change that granted the lease.
    pub fence: Position,
    /// The lease's random bits.
    pub secret: u128,
}

impl LeaseToken {
    /// The length of [`LeaseToken::to_bytes`].
    pub const BYTES: usize = 32;

    /// Number, fence and secret, big-endian, in this order.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; LeaseToken::BYTES] {
        let mut bytes = [0; LeaseToken::BYTES];
        bytes[..8].copy_from_slice(&self.number.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.fence.0.to_be_bytes());
        bytes[16..].copy_from_slice(&self.secret.to_be_bytes());
        bytes
    }

    /// The token of these bytes. Any bytes are some token; whether it is of a lease, the ledger knows.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; LeaseToken::BYTES]) -> LeaseToken {
        let number = |at: usize| bytes[at..at + 8].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        LeaseToken {
            number: number(0),
            fence: Position(number(8)),
            secret: u128::from(number(16)) << 64 | u128::from(number(24)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_token_survives_its_bytes(number: u64, fence: u64, secret: u128) {
            let token = LeaseToken { number, fence: Position(fence), secret };
            prop_assert_eq!(LeaseToken::from_bytes(&token.to_bytes()), token);
        }
    }
}
