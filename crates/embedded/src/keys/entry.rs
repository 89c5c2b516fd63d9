/// The number after the largest that a job can have.
pub(super) const NUMBERS: u64 = 1 << 44;

/// One key of one job: its hash and the job's number, in the order of hash, then number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry(u128);

impl Entry {
    /// Bytes of an entry in a file: 8 of the hash, 6 of the number.
    pub(super) const BYTES: usize = 14;

    pub(super) const fn new(hash: u64, number: u64) -> Entry {
        Entry((hash as u128) << 64 | number as u128)
    }

    pub(super) const fn hash(self) -> u64 {
        (self.0 >> 64) as u64
    }

    #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
    pub(super) const fn number(self) -> u64 {
        self.0 as u64
    }

    pub(super) fn to_bytes(self) -> [u8; Entry::BYTES] {
        let mut bytes = [0; Entry::BYTES];
        bytes[..8].copy_from_slice(&self.hash().to_le_bytes());
        bytes[8..].copy_from_slice(&self.number().to_le_bytes()[..6]);
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8; Entry::BYTES]) -> Entry {
        let (mut hash, mut number) = ([0; 8], [0; 8]);
        hash.copy_from_slice(&bytes[..8]);
        number[..6].copy_from_slice(&bytes[8..]);
        Entry::new(u64::from_le_bytes(hash), u64::from_le_bytes(number))
    }
}

/// The place of a hash among `places` of equal width, in the order of the hashes.
pub(super) const fn place(hash: u64, places: usize) -> usize {
    #[expect(clippy::cast_possible_truncation, reason = "less than places")]
    {
        ((hash as u128 * places as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::{Entry, NUMBERS, place};

    #[test]
    fn bytes_give_the_entry_back_and_order_is_by_hash_then_number() {
        for (hash, number) in [(0, 0), (u64::MAX, NUMBERS - 1), (0x0123_4567_89ab_cdef, 0x0fed_cba9_8765)] {
            let entry = Entry::new(hash, number);
            assert_eq!(Entry::from_bytes(&entry.to_bytes()), entry);
            assert_eq!((entry.hash(), entry.number()), (hash, number));
        }
        assert!(Entry::new(1, 9) < Entry::new(2, 0));
        assert!(Entry::new(2, 0) < Entry::new(2, 1));
    }

    #[test]
    fn places_are_in_range_and_in_order() {
        assert_eq!(place(0, 7), 0);
        assert_eq!(place(u64::MAX, 7), 6);
        assert_eq!(place(u64::MAX, 1), 0);
        assert!((0..1000).map(|i| place(i * (u64::MAX / 1000), 13)).is_sorted());
    }
}
