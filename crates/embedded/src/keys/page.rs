use super::entry::Entry;

/// Bytes of a page, the unit of files.
pub(super) const PAGE: usize = 4096;
/// Entries in a page at most.
pub(super) const ENTRIES_PER_PAGE: usize = 292;

/// Where the checksum stands.
const CHECKSUM: usize = PAGE - 4;
/// Where the entries of a page begin, behind how many there are.
const ENTRIES: usize = 4;

const _: () = assert!(ENTRIES + ENTRIES_PER_PAGE * Entry::BYTES <= CHECKSUM);

/// 4 KiB of a run's header or entries, the last four bytes of which are a CRC-32C of the rest, of the page's
/// number and of the run, so that a page in the wrong place is as damaged as one with a wrong bit.
pub(super) struct Page(pub(super) [u8; PAGE]);

impl Page {
    pub(super) const EMPTY: Page = Page([0; PAGE]);

    pub(super) fn seal(&mut self, run: u32, number: u64) {
        let checksum = self.checksum(run, number);
        self.0[CHECKSUM..].copy_from_slice(&checksum.to_le_bytes());
    }

    pub(super) fn is_whole(&self, run: u32, number: u64) -> bool {
        self.0[CHECKSUM..] == self.checksum(run, number).to_le_bytes()
    }

    fn checksum(&self, run: u32, number: u64) -> u32 {
        crc32c::crc32c_append(crc32c::crc32c_append(run, &number.to_le_bytes()), &self.0[..CHECKSUM])
    }

    /// Adds an entry to a page of entries that has room.
    pub(super) fn push(&mut self, entry: Entry) {
        let at = self.len();
        self.0[ENTRIES + at * Entry::BYTES..][..Entry::BYTES].copy_from_slice(&entry.to_bytes());
        #[expect(clippy::cast_possible_truncation, reason = "at most 292")]
        self.0[..2].copy_from_slice(&(at as u16 + 1).to_le_bytes());
    }

    /// How many entries the page holds.
    pub(super) fn len(&self) -> usize {
        usize::from(u16::from_le_bytes([self.0[0], self.0[1]])).min(ENTRIES_PER_PAGE)
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() == ENTRIES_PER_PAGE
    }

    /// The entry `at` of the page, of those that it holds.
    pub(super) fn entry(&self, at: usize) -> Entry {
        Entry::from_bytes(&self.packed()[at])
    }

    /// The last entry of the page.
    pub(super) fn last(&self) -> Option<Entry> {
        self.packed().last().map(Entry::from_bytes)
    }

    /// The entries from the first whose hash is not below `hash` on.
    pub(super) fn entries_from(&self, hash: u64) -> impl Iterator<Item = Entry> {
        let packed = self.packed();
        let first = packed.partition_point(|bytes| Entry::from_bytes(bytes).hash() < hash);
        packed[first..].iter().map(Entry::from_bytes)
    }

    fn packed(&self) -> &[[u8; Entry::BYTES]] {
        &self.0[ENTRIES..CHECKSUM].as_chunks().0[..self.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::{ENTRIES_PER_PAGE, PAGE, Page};
    use crate::keys::entry::Entry;

    #[test]
    fn any_flipped_bit_another_place_and_zeros_are_noticed() {
        let mut page = Page::EMPTY;
        page.push(Entry::new(1, 2));
        page.seal(77, 3);
        assert!(page.is_whole(77, 3));
        assert!(!page.is_whole(77, 4));
        assert!(!page.is_whole(78, 3));
        for bit in 0..PAGE * 8 {
            page.0[bit / 8] ^= 1 << (bit % 8);
            assert!(!page.is_whole(77, 3), "bit {bit}");
            page.0[bit / 8] ^= 1 << (bit % 8);
        }
        assert!(!Page::EMPTY.is_whole(77, 3));
        assert!(!Page::EMPTY.is_whole(0, 0));
    }

    #[test]
    fn entries_come_back_in_order_and_from_a_hash_on() {
        let mut page = Page::EMPTY;
        for number in 0..ENTRIES_PER_PAGE as u64 {
            assert!(!page.is_full());
            page.push(Entry::new(number / 2 * 10, number));
        }
        assert!(page.is_full());
        assert!(page.entries_from(0).map(Entry::number).eq(0..ENTRIES_PER_PAGE as u64));
        assert_eq!(page.last(), Some(page.entry(ENTRIES_PER_PAGE - 1)));
        assert_eq!(page.entries_from(10).next(), Some(Entry::new(10, 2)));
        assert_eq!(page.entries_from(11).next(), Some(Entry::new(20, 4)));
        assert_eq!(page.entries_from(1_460).next(), None);
        assert_eq!(Page::EMPTY.entries_from(0).next(), None);
    }
}
