use std::sync::Arc;

use super::entry::Entry;
use super::error::KeyIndexError;
use super::page::Page;
use super::run::Run;

/// Reads a run from its first entry to its last.
pub(super) struct RunReader {
    run: Arc<Run>,
    page: Box<Page>,
    next_page: usize,
    next_entry: usize,
}

impl RunReader {
    pub(super) fn new(run: Arc<Run>) -> RunReader {
        RunReader { run, page: Box::new(Page::EMPTY), next_page: 0, next_entry: 0 }
    }

    /// The next entry; none at the end.
    pub(super) fn read(&mut self) -> Result<Option<Entry>, KeyIndexError> {
        while self.next_entry == self.page.len() {
            if self.next_page == self.run.header.entry_pages {
                return Ok(None);
            }
            self.run.read_entries(self.next_page, &mut self.page)?;
            self.next_page += 1;
            self.next_entry = 0;
        }
        self.next_entry += 1;
        Ok(Some(self.page.entry(self.next_entry - 1)))
    }
}
