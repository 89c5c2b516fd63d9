use std::time::Duration;

use ackd_domain::{Lease, LeaseState, Position, Timestamp, Verb};

use super::Unreadable;

/// The bytes of a lease in its column: fence, secret, time to live, timeout (all ones: none), when it was
/// granted, state. It is one column and no text, for nobody but ackd has a use for it.
pub(super) const BYTES: usize = 8 + 16 + 8 + 8 + 8 + 1;

const NONE: u64 = u64::MAX;

pub(super) fn to_bytes(lease: &Lease) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    let (fence, rest) = bytes.split_at_mut(8);
    fence.copy_from_slice(&lease.fence.0.to_be_bytes());
    let (secret, rest) = rest.split_at_mut(16);
    secret.copy_from_slice(&lease.secret.to_be_bytes());
    let (ttl, rest) = rest.split_at_mut(8);
    ttl.copy_from_slice(&millis(lease.ttl).to_be_bytes());
    let (timeout, rest) = rest.split_at_mut(8);
    timeout.copy_from_slice(&lease.timeout.map_or(NONE, millis).to_be_bytes());
    let (granted_at, rest) = rest.split_at_mut(8);
    granted_at.copy_from_slice(&lease.granted_at.millis().to_be_bytes());
    rest[0] = match lease.state {
        LeaseState::Live => 0,
        LeaseState::Settled(Verb::Complete) => 1,
        LeaseState::Settled(Verb::Fail) => 2,
        LeaseState::Settled(Verb::Release) => 3,
        LeaseState::Lapsed => 4,
    };
    bytes
}

pub(super) fn from_bytes(bytes: &[u8]) -> Result<Lease, Unreadable> {
    let bytes: &[u8; BYTES] = bytes.try_into().map_err(|_| Unreadable)?;
    let (fence, rest) = bytes.split_first_chunk().ok_or(Unreadable)?;
    let (secret, rest) = rest.split_first_chunk().ok_or(Unreadable)?;
    let (ttl, rest) = rest.split_first_chunk().ok_or(Unreadable)?;
    let (timeout, rest) = rest.split_first_chunk().ok_or(Unreadable)?;
    let (granted_at, rest) = rest.split_first_chunk().ok_or(Unreadable)?;
    let timeout = u64::from_be_bytes(*timeout);
    Ok(Lease {
        fence: Position(u64::from_be_bytes(*fence)),
        secret: u128::from_be_bytes(*secret),
        ttl: Duration::from_millis(u64::from_be_bytes(*ttl)),
        timeout: (timeout != NONE).then(|| Duration::from_millis(timeout)),
        granted_at: Timestamp::from_millis(i64::from_be_bytes(*granted_at)),
        state: match rest {
            [0] => LeaseState::Live,
            [1] => LeaseState::Settled(Verb::Complete),
            [2] => LeaseState::Settled(Verb::Fail),
            [3] => LeaseState::Settled(Verb::Release),
            [4] => LeaseState::Lapsed,
            _ => return Err(Unreadable),
        },
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(NONE - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_reads_back_as_it_was() {
        for state in [
            LeaseState::Live,
            LeaseState::Settled(Verb::Complete),
            LeaseState::Settled(Verb::Fail),
            LeaseState::Settled(Verb::Release),
            LeaseState::Lapsed,
        ] {
            for timeout in [None, Some(Duration::ZERO), Some(Duration::from_hours(10))] {
                let lease = Lease {
                    fence: Position(u64::MAX - 1),
                    secret: 0x0123_4567_89ab_cdef_0011_2233_4455_6677,
                    ttl: Duration::from_secs(30),
                    timeout,
                    granted_at: Timestamp::from_millis(1_700_000_000_123),
                    state,
                };
                assert_eq!(from_bytes(&to_bytes(&lease)), Ok(lease));
            }
        }
        assert_eq!(from_bytes(&[0; BYTES - 1]), Err(Unreadable));
        assert_eq!(from_bytes(&[9; BYTES]), Err(Unreadable));
    }
}
