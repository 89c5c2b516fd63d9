use super::block::Block;
use super::entry::NUMBERS;
use super::filter::blocks_for;
use super::page::{PAGE, Page};

const MAGIC: [u8; 8] = *b"ackdkeys";
const VERSION: u64 = 1;
/// Entries a page is made for. The rest of its 292 places takes up chance, so that hardly any page
/// overflows into the next.
const ENTRIES_PLANNED: usize = 245;

/// The first page of a run: which job numbers it covers and where its parts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Of the secret that its hashes were made with.
    pub(super) fingerprint: u64,
    /// The first job number covered.
    pub(super) from: u64,
    /// The job number after the last covered.
    pub(super) to: u64,
    /// Which file of the index this is, counted from 1, so that no name comes twice.
    pub(super) serial: u64,
    pub(super) entries: usize,
    /// Blocks of the filter.
    pub(super) blocks: usize,
    /// Pages among which hashes are divided.
    pub(super) home_pages: usize,
    /// Pages of entries: those and what overflows from the last.
    pub(super) entry_pages: usize,
}

impl Header {
    /// Lays out a run of at most `entries` entries.
    pub(super) fn plan(fingerprint: u64, from: u64, to: u64, serial: u64, entries: usize) -> Header {
        let home_pages = entries.div_ceil(ENTRIES_PLANNED);
        let blocks = blocks_for(entries);
        Header { fingerprint, from, to, serial, entries: 0, blocks, home_pages, entry_pages: home_pages }
    }

    /// What the checksums of the run's pages begin with.
    pub(super) fn seed(&self) -> u32 {
        [self.fingerprint, self.from, self.to, self.serial]
            .iter()
            .fold(0, |seed, field| crc32c::crc32c_append(seed, &field.to_le_bytes()))
    }

    /// Where in the file the block `at` of the filter stands.
    pub(super) const fn block_offset(at: usize) -> u64 {
        (PAGE + at * Block::BYTES) as u64
    }

    /// The page in the file that is the page `at` of the entries.
    pub(super) const fn entry_page(&self, at: usize) -> u64 {
        Header::block_offset(self.blocks).div_ceil(PAGE as u64) + at as u64
    }

    /// The length of the whole file.
    pub(super) const fn file_bytes(&self) -> u64 {
        self.entry_page(self.entry_pages) * PAGE as u64
    }

    pub(super) fn to_page(self) -> Page {
        let mut page = Page::EMPTY;
        page.0[..8].copy_from_slice(&MAGIC);
        let fields = [
            VERSION,
            self.fingerprint,
            self.from,
            self.to,
            self.serial,
            self.entries as u64,
            self.blocks as u64,
            self.home_pages as u64,
            self.entry_pages as u64,
        ];
        for (field, into) in fields.iter().zip(page.0[8..].as_chunks_mut::<8>().0) {
            *into = field.to_le_bytes();
        }
        page.seal(0, 0);
        page
    }

    /// None if the page is damaged, of another version or no header at all.
    pub(super) fn from_page(page: &Page) -> Option<Header> {
        if !page.is_whole(0, 0) || page.0[..8] != MAGIC {
            return None;
        }
        let mut fields = page.0[8..].as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes));
        let mut next = || fields.next();
        if next()? != VERSION {
            return None;
        }
        let header = Header {
            fingerprint: next()?,
            from: next()?,
            to: next()?,
            serial: next()?,
            entries: usize::try_from(next()?).ok()?,
            blocks: usize::try_from(next()?).ok()?,
            home_pages: usize::try_from(next()?).ok()?,
            entry_pages: usize::try_from(next()?).ok()?,
        };
        (header.from < header.to && header.to <= NUMBERS).then_some(header)
    }
}

#[cfg(test)]
mod tests {
    use super::Header;
    use crate::keys::entry::NUMBERS;

    #[test]
    fn a_page_gives_the_header_back() {
        let header = Header::plan(1, 2, NUMBERS, 4, 1_000);
        assert_eq!(Header::from_page(&header.to_page()), Some(header));
        assert_eq!((header.blocks, header.home_pages), (24, 5));
        assert_eq!(header.file_bytes(), 7 * 4096);
        assert_eq!(Header::plan(1, 2, 3, 4, 0).file_bytes(), 4096);
    }

    #[test]
    fn what_covers_nothing_or_too_much_is_none() {
        for (from, to) in [(5, 5), (6, 5), (0, NUMBERS + 1)] {
            assert_eq!(Header::from_page(&Header::plan(1, from, to, 4, 1).to_page()), None);
        }
    }

    #[test]
    fn another_version_is_none() {
        let mut page = Header::plan(1, 2, 3, 4, 5).to_page();
        page.0[8] = 2;
        page.seal(0, 0);
        assert_eq!(Header::from_page(&page), None);
    }
}
