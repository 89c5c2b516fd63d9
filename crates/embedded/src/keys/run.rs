use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::block::Block;
use super::entry::{Entry, place};
use super::error::KeyIndexError;
use super::filter::{Filter, Meter};
use super::header::Header;
use super::page::{BLOCKS_PER_PAGE, PAGE, Page};
use super::pattern::Pattern;

/// A sorted, immutable file of keys.
pub(super) struct Run {
    pub(super) header: Header,
    pub(super) path: PathBuf,
    file: File,
    seed: u32,
}

impl Run {
    /// A run whose file has just been written.
    pub(super) fn written(header: Header, path: PathBuf, file: File) -> Run {
        Run { seed: header.seed(), header, path, file }
    }

    /// Opens a run and looks at its header and length; each other page is looked at when it is read.
    /// None if the file is torn, damaged, or of another secret or version.
    pub(super) fn open(path: &Path, fingerprint: u64) -> Result<Option<Run>, KeyIndexError> {
        let file = File::open(path).map_err(KeyIndexError::io("open", path))?;
        let bytes = file.metadata().map_err(KeyIndexError::io("measure", path))?.len();
        let mut page = Page::EMPTY;
        if file.read_exact_at(&mut page.0, 0).is_err() {
            return Ok(None);
        }
        let header = Header::from_page(&page);
        Ok(header
            .filter(|header| header.fingerprint == fingerprint && header.file_bytes() == bytes)
            .map(|header| Run::written(header, path.to_owned(), file)))
    }

    pub(super) fn filter_bytes(&self) -> usize {
        self.header.blocks * Block::BYTES
    }

    /// Reads the page `number` of the file.
    fn read(&self, number: u64, page: &mut Page) -> Result<(), KeyIndexError> {
        match self.file.read_exact_at(&mut page.0, number * PAGE as u64) {
            Ok(()) if page.is_whole(self.seed, number) => Ok(()),
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
                Err(KeyIndexError::io("read", &self.path)(error))
            }
            _ => {
                let Header { from, to, .. } = self.header;
                Err(KeyIndexError::Damaged { path: self.path.clone(), from, to, page: number })
            }
        }
    }

    /// Reads the page `at` of the entries.
    pub(super) fn read_entries(&self, at: usize, page: &mut Page) -> Result<(), KeyIndexError> {
        self.read(self.header.entry_page(at), page)
    }

    /// Asks the filter on disk: false if the run has no key with this hash.
    pub(super) fn may_hold(&self, pattern: &Pattern, page: &mut Page) -> Result<bool, KeyIndexError> {
        if self.header.entries == 0 {
            return Ok(false);
        }
        let at = place(pattern.hash, self.header.blocks);
        self.read(Header::filter_page(at), page)?;
        Ok(page.block(at % BLOCKS_PER_PAGE).holds(pattern))
    }

    /// Reads the filter into memory.
    pub(super) fn load_filter(&self, meter: &Meter) -> Result<Filter, KeyIndexError> {
        let mut blocks = Vec::with_capacity(self.header.blocks);
        let mut page = Page::EMPTY;
        while blocks.len() < self.header.blocks {
            self.read(Header::filter_page(blocks.len()), &mut page)?;
            let wanted = (self.header.blocks - blocks.len()).min(BLOCKS_PER_PAGE);
            blocks.extend((0..wanted).map(|at| page.block(at)));
        }
        Ok(Filter::new(blocks, meter))
    }

    /// Appends the numbers under `hash`, newest first.
    pub(super) fn find(&self, hash: u64, page: &mut Page, numbers: &mut Vec<u64>) -> Result<(), KeyIndexError> {
        let known = numbers.len();
        // An entry stands in the page of its hash, or further on if every page up to there is full of
        // entries that come before it.
        for at in place(hash, self.header.home_pages)..self.header.entry_pages {
            self.read_entries(at, page)?;
            numbers.extend(page.entries_from(hash).take_while(|entry| entry.hash() == hash).map(Entry::number));
            let overflows = page.is_full() && page.last().is_some_and(|last| last.hash() <= hash);
            if !overflows {
                break;
            }
        }
        numbers[known..].reverse();
        Ok(())
    }
}
