use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::block::Block;
use super::entry::{Entry, place};
use super::error::KeyIndexError;
use super::filter::{Filter, Meter};
use super::header::Header;
use super::page::{PAGE, Page};
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

    fn read(&self, bytes: &mut [u8], offset: u64) -> Result<(), KeyIndexError> {
        self.file.read_exact_at(bytes, offset).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.damaged(offset),
            _ => KeyIndexError::io("read", &self.path)(error),
        })
    }

    fn damaged(&self, offset: u64) -> KeyIndexError {
        let Header { from, to, .. } = self.header;
        KeyIndexError::Damaged { path: self.path.clone(), from, to, page: offset / PAGE as u64 }
    }

    /// Reads the page `at` of the entries.
    pub(super) fn read_entries(&self, at: usize, page: &mut Page) -> Result<(), KeyIndexError> {
        let number = self.header.entry_page(at);
        let offset = number * PAGE as u64;
        self.read(&mut page.0, offset)?;
        if page.is_whole(self.seed, number) { Ok(()) } else { Err(self.damaged(offset)) }
    }

    /// Asks the filter on disk: false if the run has no key with this hash.
    pub(super) fn may_hold(&self, pattern: &Pattern) -> Result<bool, KeyIndexError> {
        if self.header.entries == 0 {
            return Ok(false);
        }
        let at = place(pattern.hash, self.header.blocks);
        let mut bytes = [0; Block::BYTES];
        self.read(&mut bytes, Header::block_offset(at))?;
        Ok(self.block(&bytes, at)?.holds(pattern))
    }

    fn block(&self, bytes: &[u8; Block::BYTES], at: usize) -> Result<Block, KeyIndexError> {
        Block::from_bytes(bytes, self.seed, at).ok_or_else(|| self.damaged(Header::block_offset(at)))
    }

    /// Reads the filter into memory.
    pub(super) fn load_filter(&self, meter: &Meter) -> Result<Filter, KeyIndexError> {
        let mut page = [0; PAGE];
        Filter::load(self.header.blocks, meter, |at| {
            let in_page = at % Block::PER_PAGE;
            if in_page == 0 {
                self.read(&mut page, Header::block_offset(at))?;
            }
            self.block(&page.as_chunks().0[in_page], at)
        })
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
