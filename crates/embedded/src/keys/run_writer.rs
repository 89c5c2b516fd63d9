use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::block::Block;
use super::entry::{Entry, place};
use super::error::KeyIndexError;
use super::folder::Folder;
use super::header::Header;
use super::page::{PAGE, Page};
use super::pattern::Pattern;
use super::run::Run;

/// Bytes written between two syncs. Should all of a large run wait for the sync at its end, the
/// ledger's own syncs would stand in line behind gigabytes.
const SYNC_EVERY: usize = 4 << 20;

/// Writes a run, entry by entry in their order, in constant memory.
///
/// The file has another name until it is whole and synced, so that a torn one is never taken for a
/// run. After any error the writer is of no use any more, least of all to sync the same file again,
/// which might succeed without having written anything: dropping it removes the file.
pub(super) struct RunWriter {
    header: Header,
    seed: u32,
    file: File,
    leftover: Leftover,
    /// The block of the filter that is being filled, and which it is.
    block: Block,
    block_at: usize,
    /// The blocks before it that are not written yet.
    blocks: Vec<u8>,
    entry_page: Page,
    entry_page_at: usize,
    unsynced: usize,
}

impl RunWriter {
    /// Begins the file of the run that `plan` lays out.
    pub(super) fn create(folder: &Arc<Folder>, plan: Header) -> Result<RunWriter, KeyIndexError> {
        let path = Folder::unfinished(&folder.run_path(plan.from, plan.to, plan.serial));
        let file = folder.disk.create(&path).map_err(KeyIndexError::io("create", &path))?;
        Ok(RunWriter {
            header: plan,
            seed: plan.seed(),
            file,
            leftover: Leftover { folder: Arc::clone(folder), path: Some(path) },
            block: Block::EMPTY,
            block_at: 0,
            blocks: Vec::with_capacity(PAGE),
            entry_page: Page::EMPTY,
            entry_page_at: 0,
            unsynced: 0,
        })
    }

    /// Adds an entry that comes after all before it, of at most as many as were planned.
    pub(super) fn push(&mut self, entry: Entry) -> Result<(), KeyIndexError> {
        let hash = entry.hash();
        self.move_to_block(place(hash, self.header.blocks))?;
        self.block.set(&Pattern::of(hash));
        self.move_to_entry_page(place(hash, self.header.home_pages))?;
        if self.entry_page.is_full() {
            self.move_to_entry_page(self.entry_page_at + 1)?;
        }
        self.entry_page.push(entry);
        self.header.entries += 1;
        Ok(())
    }

    /// Writes the rest and puts the run in its place.
    pub(super) fn finish(mut self) -> Result<Run, KeyIndexError> {
        self.move_to_block(self.header.blocks)?;
        self.write_blocks()?;
        if self.header.home_pages > 0 {
            self.move_to_entry_page(self.header.home_pages.max(self.entry_page_at + 1))?;
            self.header.entry_pages = self.entry_page_at;
        }
        let RunWriter { header, file, mut leftover, .. } = self;
        let folder = Arc::clone(&leftover.folder);
        let disk = &folder.disk;
        let path = folder.run_path(header.from, header.to, header.serial);
        let unfinished = Folder::unfinished(&path);

        disk.write(&file, &unfinished, &header.to_page().0, 0).map_err(KeyIndexError::io("write", &unfinished))?;
        disk.sync(&file, &unfinished).map_err(KeyIndexError::io("sync", &unfinished))?;
        disk.rename(&unfinished, &path).map_err(KeyIndexError::io("rename", &unfinished))?;
        leftover.path = Some(path.clone());
        disk.sync_folder(&folder.path).map_err(KeyIndexError::io("sync", &folder.path))?;
        leftover.path = None;
        Ok(Run::written(header, path, file))
    }

    /// Goes on to the block `at`, and writes those before it by the page.
    fn move_to_block(&mut self, at: usize) -> Result<(), KeyIndexError> {
        while self.block_at < at {
            let block = std::mem::replace(&mut self.block, Block::EMPTY);
            self.blocks.extend(block.to_bytes(self.seed, self.block_at));
            self.block_at += 1;
            if self.block_at.is_multiple_of(Block::PER_PAGE) {
                self.write_blocks()?;
            }
        }
        Ok(())
    }

    fn write_blocks(&mut self) -> Result<(), KeyIndexError> {
        if !self.blocks.is_empty() {
            // The last page of the filter is as long as any other.
            self.blocks.resize(PAGE, 0);
            let first = (self.block_at - 1) / Block::PER_PAGE * Block::PER_PAGE;
            let mut blocks = std::mem::take(&mut self.blocks);
            self.write(&blocks, Header::block_offset(first))?;
            blocks.clear();
            self.blocks = blocks;
        }
        Ok(())
    }

    /// Writes the pages of entries before `at`.
    fn move_to_entry_page(&mut self, at: usize) -> Result<(), KeyIndexError> {
        while self.entry_page_at < at {
            let mut page = std::mem::replace(&mut self.entry_page, Page::EMPTY);
            let number = self.header.entry_page(self.entry_page_at);
            page.seal(self.seed, number);
            self.write(&page.0, number * PAGE as u64)?;
            self.entry_page_at += 1;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8], offset: u64) -> Result<(), KeyIndexError> {
        let path = self.leftover.path();
        let disk = &self.leftover.folder.disk;
        disk.write(&self.file, path, bytes, offset).map_err(KeyIndexError::io("write", path))?;
        self.unsynced += bytes.len();
        if self.unsynced >= SYNC_EVERY {
            disk.sync(&self.file, path).map_err(KeyIndexError::io("sync", path))?;
            self.unsynced = 0;
        }
        Ok(())
    }
}

/// A file that is removed unless its run comes to be.
struct Leftover {
    folder: Arc<Folder>,
    path: Option<PathBuf>,
}

impl Leftover {
    fn path(&self) -> &Path {
        self.path.as_deref().unwrap_or(&self.folder.path)
    }
}

impl Drop for Leftover {
    fn drop(&mut self) {
        if let Some(path) = &self.path
            && let Err(error) = self.folder.disk.remove(path)
        {
            // The next start removes it.
            tracing::warn!(path = %path.display(), %error, "cannot remove an unfinished file of the key index");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tempfile::TempDir;

    use super::RunWriter;
    use crate::keys::disk::FileSystem;
    use crate::keys::entry::Entry;
    use crate::keys::filter::{Filter, Meter};
    use crate::keys::folder::Folder;
    use crate::keys::header::Header;
    use crate::keys::page::Page;
    use crate::keys::pattern::Pattern;
    use crate::keys::run::Run;
    use crate::keys::tests::spread;

    /// Writes a run of these hashes, whose numbers are their ranks, and opens it anew.
    fn run(dir: &TempDir, planned: usize, hashes: &[u64]) -> Run {
        let folder = Arc::new(Folder { path: dir.path().into(), fingerprint: 9, disk: Arc::new(FileSystem) });
        let mut writer = RunWriter::create(&folder, Header::plan(9, 0, 1 << 20, 1, planned)).unwrap();
        for (number, hash) in hashes.iter().enumerate() {
            writer.push(Entry::new(*hash, number as u64)).unwrap();
        }
        let path = writer.finish().unwrap().path;
        assert!(Run::open(&path, 8).unwrap().is_none(), "another secret");
        Run::open(&path, 9).unwrap().unwrap()
    }

    /// The numbers under a hash, having asked the filter on disk and, if there is one, that in memory.
    fn look_up(run: &Run, filter: Option<&Filter>, hash: u64) -> Vec<u64> {
        let (mut page, mut numbers) = (Page::EMPTY, Vec::new());
        let pattern = Pattern::of(hash);
        let maybe = run.may_hold(&pattern).unwrap();
        if run.header.entries > 0 {
            assert_eq!(filter.map(|filter| filter.may_hold(&pattern)), Some(maybe));
        }
        run.find(hash, &mut page, &mut numbers).unwrap();
        assert!(maybe || numbers.is_empty());
        numbers
    }

    fn check(hashes: &[u64], planned: usize) {
        let dir = TempDir::new().unwrap();
        let run = run(&dir, planned, hashes);
        assert_eq!(run.header.entries, hashes.len());
        let filter = (planned > 0).then(|| run.load_filter(&Meter::default()).unwrap());
        let look_up = |hash| look_up(&run, filter.as_ref(), hash);
        for group in hashes.chunk_by(|a, b| a == b) {
            let start = group.as_ptr_range().start.addr() - hashes.as_ptr_range().start.addr();
            let first = (start / size_of::<u64>()) as u64;
            let newest_first: Vec<u64> = (first..first + group.len() as u64).rev().collect();
            assert_eq!(look_up(group[0]), newest_first);
            for neighbour in [group[0].wrapping_sub(1), group[0].wrapping_add(1)] {
                assert!(hashes.binary_search(&neighbour).is_ok() || look_up(neighbour).is_empty());
            }
        }
        assert_eq!(look_up(0).is_empty(), hashes.first() != Some(&0));
        assert_eq!(look_up(u64::MAX).is_empty(), hashes.last() != Some(&u64::MAX));
    }

    #[test]
    fn spread_hashes_are_found() {
        for count in [1, 41, 42, 43, 244, 245, 246, 292, 293, 64 * 42, 64 * 42 + 1] {
            let mut hashes: Vec<u64> = (0..count).map(spread).collect();
            hashes.sort_unstable();
            check(&hashes, hashes.len());
        }
    }

    #[test]
    fn fewer_than_planned_and_none_at_all_are_well() {
        check(&[], 0);
        check(&[], 1_000);
        check(&[spread(1)], 1_000);
    }

    #[test]
    fn hashes_that_crowd_into_one_page_overflow_and_are_found() {
        check(&(0..2_000).collect::<Vec<u64>>(), 2_000);
        check(&(u64::MAX - 1_999..=u64::MAX).collect::<Vec<u64>>(), 2_000);
        let middle = u64::MAX / 2;
        check(&(middle - 1_000..middle + 1_000).collect::<Vec<u64>>(), 2_000);
        check(&[vec![0; 292], vec![5; 292], vec![6; 1_000], vec![u64::MAX; 293]].concat(), 1_877);
    }

    #[test]
    fn nearly_every_lookup_reads_one_page() {
        let dir = TempDir::new().unwrap();
        let mut hashes: Vec<u64> = (0..100_000).map(spread).collect();
        hashes.sort_unstable();
        let run = run(&dir, hashes.len(), &hashes);
        let mut page = Page::EMPTY;
        let full = (0..run.header.entry_pages)
            .filter(|at| {
                run.read_entries(*at, &mut page).unwrap();
                page.is_full()
            })
            .count();
        assert!(full * 100 < run.header.entry_pages, "{full} of {} pages overflow", run.header.entry_pages);
    }

    #[test]
    fn an_abandoned_run_leaves_no_file() {
        let dir = TempDir::new().unwrap();
        let folder = Arc::new(Folder { path: dir.path().into(), fingerprint: 9, disk: Arc::new(FileSystem) });
        let mut writer = RunWriter::create(&folder, Header::plan(9, 0, 9, 1, 1)).unwrap();
        writer.push(Entry::new(1, 1)).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        drop(writer);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
