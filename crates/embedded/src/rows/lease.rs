use std::time::Duration;

use ackd_domain::{Lease, LeaseState, Position, Timestamp, Verb};

use super::Unreadable;

/// A lease in its column, in one piece and as short as can be: nobody but ackd has a use for it.
///
/// ```text
/// state, what follows   1 byte; 0: there is no lease
/// fence, time to live   as LEB128
/// secret                16 bytes
/// timeout               as LEB128, if there is one
/// granted_at            8 bytes, if it is not when the latest attempt started
/// zeros                 room, see `JobRow`
/// ```
#[derive(Debug, Clone, Copy)]
pub(super) struct LeaseBytes {
    bytes: [u8; LeaseBytes::CAPACITY],
    length: usize,
}

const STATE: u8 = 0b0000_0111;
const TIMEOUT: u8 = 0b0000_1000;
const GRANTED_AT: u8 = 0b0001_0000;

impl LeaseBytes {
    /// More than the 55 bytes of the longest lease, so that there is room.
    pub(super) const CAPACITY: usize = 64;

    /// The lease of a job whose latest attempt started at `started_at`.
    pub(super) fn of(lease: Option<&Lease>, started_at: Option<Timestamp>) -> LeaseBytes {
        let mut made = LeaseBytes { bytes: [0; LeaseBytes::CAPACITY], length: 0 };
        let Some(lease) = lease else { return made };
        let granted_at = (Some(lease.granted_at) != started_at).then_some(lease.granted_at);
        let mut first = state_number(lease.state);
        if lease.timeout.is_some() {
            first |= TIMEOUT;
        }
        if granted_at.is_some() {
            first |= GRANTED_AT;
        }
        made.put(&[first]);
        made.put_number(lease.fence.0);
        made.put_number(millis(lease.ttl));
        made.put(&lease.secret.to_be_bytes());
        if let Some(timeout) = lease.timeout {
            made.put_number(millis(timeout));
        }
        if let Some(granted_at) = granted_at {
            made.put(&granted_at.millis().to_be_bytes());
        }
        made
    }

    /// The bytes as they were read.
    pub(super) fn stored(stored: &[u8]) -> Result<LeaseBytes, Unreadable> {
        let mut made = LeaseBytes { bytes: [0; LeaseBytes::CAPACITY], length: 0 };
        if stored.len() > LeaseBytes::CAPACITY {
            return Err(Unreadable);
        }
        made.put(stored);
        Ok(made)
    }

    /// Makes it so long at least, as far as that is possible.
    pub(super) fn widen(&mut self, length: usize) {
        self.length = self.length.max(length.min(LeaseBytes::CAPACITY));
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.length..self.length + bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    #[expect(clippy::cast_possible_truncation, reason = "seven bits at a time")]
    fn put_number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.put(&[number as u8 | 0x80]);
            number >>= 7;
        }
        self.put(&[number as u8]);
    }
}

/// Reads a lease of a job whose latest attempt started at `started_at`.
pub(super) fn read(mut bytes: &[u8], started_at: Option<Timestamp>) -> Result<Option<Lease>, Unreadable> {
    let first = match take(&mut bytes) {
        Some([first]) => first,
        None => 0,
    };
    let state = match first & STATE {
        0 => return Ok(None),
        number => state_of(number)?,
    };
    let fence = Position(number(&mut bytes)?);
    let ttl = Duration::from_millis(number(&mut bytes)?);
    let secret = u128::from_be_bytes(take(&mut bytes).ok_or(Unreadable)?);
    let timeout = if first & TIMEOUT != 0 { Some(Duration::from_millis(number(&mut bytes)?)) } else { None };
    let granted_at = if first & GRANTED_AT != 0 {
        Timestamp::from_millis(i64::from_be_bytes(take(&mut bytes).ok_or(Unreadable)?))
    } else {
        started_at.ok_or(Unreadable)?
    };
    Ok(Some(Lease { fence, secret, ttl, timeout, granted_at, state }))
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

fn number(bytes: &mut &[u8]) -> Result<u64, Unreadable> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let [byte] = take(bytes).ok_or(Unreadable)?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(Unreadable)
}

const fn state_number(state: LeaseState) -> u8 {
    match state {
        LeaseState::Live => 1,
        LeaseState::Settled(Verb::Complete) => 2,
        LeaseState::Settled(Verb::Fail) => 3,
        LeaseState::Settled(Verb::Release) => 4,
        LeaseState::Lapsed => 5,
    }
}

const fn state_of(number: u8) -> Result<LeaseState, Unreadable> {
    match number {
        1 => Ok(LeaseState::Live),
        2 => Ok(LeaseState::Settled(Verb::Complete)),
        3 => Ok(LeaseState::Settled(Verb::Fail)),
        4 => Ok(LeaseState::Settled(Verb::Release)),
        5 => Ok(LeaseState::Lapsed),
        _ => Err(Unreadable),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_reads_back_as_it_was_however_wide() {
        let at = Timestamp::from_millis(1_700_000_000_123);
        let states = (1..=5).map(|number| state_of(number).unwrap());
        let timeouts = [None, Some(Duration::ZERO), Some(Duration::from_millis(u64::MAX))];
        for (state, timeout) in states.flat_map(|state| timeouts.map(|timeout| (state, timeout))) {
            let fences = [0, 127, 128, 1 << 35, u64::MAX].map(Position);
            for (fence, started_at) in fences.into_iter().flat_map(|fence| [(fence, None), (fence, Some(at))]) {
                let secret = 0x0123_4567_89ab_cdef_0011_2233_4455_6677;
                let lease = Lease { fence, secret, ttl: Duration::from_secs(30), timeout, granted_at: at, state };
                let mut bytes = LeaseBytes::of(Some(&lease), started_at);
                for length in [0, 50, LeaseBytes::CAPACITY, 100] {
                    bytes.widen(length);
                    assert_eq!(read(bytes.as_slice(), started_at), Ok(Some(lease.clone())));
                }
            }
        }
    }

    #[test]
    fn no_lease_reads_back_as_none_and_a_torn_one_not_at_all() {
        let mut bytes = LeaseBytes::of(None, None);
        assert_eq!(read(bytes.as_slice(), None), Ok(None));
        bytes.widen(40);
        assert_eq!(read(bytes.as_slice(), None), Ok(None));
        for torn in [&[1][..], &[1, 0x80], &[1, 5, 30, 0, 0], &[7, 0, 0], &[0xff; 40]] {
            assert_eq!(read(torn, Some(Timestamp::default())), Err(Unreadable));
        }
    }
}
