//! Whether the write-ahead log ends where writing ended.
//!
//! After a crash SQLite takes the log up to the first frame whose checksum does not fit, and nothing behind it: so it finds the
//! end of what was written. A bit that has turned in the middle of the log, or a block that was lost, looks to it like that
//! end, and commits that were acknowledged would be gone without a word. But each commit is synced before the next one is
//! written, and what a start finds is synced before it writes more: where two commits that follow one another stand behind what
//! does not fit, or begin with it, the first of them was durable once, and the log is damaged. In the last commit of all
//! damage and a write that was torn look alike, and it is taken for torn.
//!
//! The format is in <https://www.sqlite.org/fileformat2.html#walformat>. A sector is taken to be written as a whole.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use crate::error::OpenError;
use crate::store::PAGE_SIZE;

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
const FRAME: usize = FRAME_HEADER + PAGE_SIZE as usize;

/// How a log begins, by the order of the bytes in the words that its checksums are made of.
const NAMES: [(u32, Order); 2] = [(0x377f_0682, Order::Little), (0x377f_0683, Order::Big)];

/// Refuses a log, that of no running server, from whose middle something is missing, and makes the rest durable: of what a
/// server that was killed had not synced yet, all that is read from now on will be there. That there is no log is fine.
pub(crate) fn check(path: &Path) -> Result<(), OpenError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(OpenError::io(path, error)),
    };
    file.sync_data().map_err(|error| OpenError::io(path, error))?;
    match damage(BufReader::with_capacity(16 * FRAME, file)).map_err(|error| OpenError::io(path, error))? {
        None => Ok(()),
        Some(what) => Err(OpenError::Damaged(format!(
            "{what} of the write-ahead log is not what was written, and commits that were acknowledged follow it"
        ))),
    }
}

/// What of the log is not what was written, though more was written after it.
fn damage(mut log: impl Read) -> io::Result<Option<String>> {
    let mut header = [0; HEADER];
    if !fill(&mut log, &mut header)? {
        return Ok(None);
    }
    let named = NAMES.iter().find(|(name, _)| *name == word(&header[..4])).map(|(_, order)| *order);
    let sum = Sum::stored(&header[24..]);
    let is_whole = |order: &Order| Sum::default().with(&header[..24], *order) == sum;
    let (mut walk, order) = match named.filter(is_whole) {
        Some(order) => (Walk::behind(Salts::of(&header[16..24]), sum), order),
        None => (Walk::behind_damage(Salts::of(&header[16..24]), header == [0; HEADER]), Order::NATIVE),
    };
    let mut bytes = vec![0; FRAME];
    for number in 1.. {
        if !fill(&mut log, &mut bytes)? {
            break;
        }
        match walk.next(number, &Frame::of(&bytes, order)) {
            None => {}
            Some(0) => return Ok(Some("the head".to_owned())),
            Some(at) => return Ok(Some(format!("frame {at}"))),
        }
    }
    Ok(None)
}

/// Goes from frame to frame.
struct Walk {
    head: Head,
    salts: Salts,
    /// From which checksums the next frame may go on: the one that stands in the frame before, and the one it ought to have.
    before: [Sum; 2],
    /// The first that does not fit to what is before it: a frame, or the head (0).
    broken: Option<u64>,
    /// The commits since then that fit to one another.
    run: u32,
}

/// What is known of the salts, which all frames have that were written since the log was begun anew.
enum Head {
    /// They stand in the head.
    Whole,
    /// At most one of those in the head is wrong.
    Turned(Salts),
    /// Nothing.
    Lost,
}

impl Walk {
    fn behind(salts: Salts, sum: Sum) -> Walk {
        Walk { head: Head::Whole, salts, before: [sum; 2], broken: None, run: 0 }
    }

    fn behind_damage(salts: Salts, is_lost: bool) -> Walk {
        let head = if is_lost { Head::Lost } else { Head::Turned(salts) };
        Walk { head, salts: Salts::default(), before: [Sum::default(); 2], broken: Some(0), run: 0 }
    }

    /// Takes the next frame. What does not fit, once it is certain that more was written after it.
    fn next(&mut self, number: u64, frame: &Frame<'_>) -> Option<u64> {
        let [stored, due] = self.before;
        let computed = frame.sum_after(stored);
        let fits = computed == frame.sum || (due != stored && frame.sum_after(due) == frame.sum);
        self.before = [frame.sum, computed];
        let goes_on = frame.salts == self.salts;
        let commits = u32::from(frame.is_commit);
        let Some(broken) = self.broken else {
            if !fits || !goes_on {
                self.broken = Some(number);
                // Salts are no part of the checksum: those of a frame that fits have turned.
                self.run = if fits || goes_on { commits } else { 0 };
            }
            return None;
        };
        self.run = match (goes_on, fits) {
            (true, true) => self.run + commits,
            // What follows says more of it, or nothing.
            (true, false) => commits,
            // Of an earlier time, when the log was written from its beginning, or lost.
            (false, _) if self.begins_anew(frame.salts) => commits,
            (false, _) => 0,
        };
        (self.run >= 2).then_some(broken)
    }

    /// Whether a frame with other salts than the one before may be of the log's time.
    fn begins_anew(&mut self, salts: Salts) -> bool {
        let may_be = match &self.head {
            Head::Whole => false,
            // A head that was torn while it was written over has none of the salts of the frames behind it.
            Head::Turned(turned) => salts.resemble(turned),
            Head::Lost => salts != Salts::default(),
        };
        if may_be {
            self.salts = salts;
        }
        may_be
    }
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Salts(u32, u32);

impl Salts {
    fn of(bytes: &[u8]) -> Salts {
        Salts(word(&bytes[..4]), word(&bytes[4..8]))
    }

    /// Whether these are the same but for one that has changed. Those of two times have nothing in common.
    fn resemble(self, other: &Salts) -> bool {
        self.0 == other.0 || self.1 == other.1
    }
}

struct Frame<'a> {
    is_commit: bool,
    salts: Salts,
    sum: Sum,
    bytes: &'a [u8],
    order: Order,
}

impl Frame<'_> {
    fn of(bytes: &[u8], order: Order) -> Frame<'_> {
        let is_commit = word(&bytes[4..8]) != 0;
        Frame { is_commit, salts: Salts::of(&bytes[8..16]), sum: Sum::stored(&bytes[16..24]), bytes, order }
    }

    fn sum_after(&self, before: Sum) -> Sum {
        before.with(&self.bytes[..8], self.order).with(&self.bytes[FRAME_HEADER..], self.order)
    }
}

/// In which order the bytes of a word of the checksum stand.
#[derive(Clone, Copy)]
enum Order {
    Big,
    Little,
}

impl Order {
    const NATIVE: Order = if cfg!(target_endian = "big") { Order::Big } else { Order::Little };
}

/// The checksum of all frames up to one.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Sum(u32, u32);

impl Sum {
    fn stored(bytes: &[u8]) -> Sum {
        Sum(word(&bytes[..4]), word(&bytes[4..8]))
    }

    /// Goes on with these bytes, a multiple of eight.
    fn with(self, bytes: &[u8], order: Order) -> Sum {
        let word = |bytes: [u8; 4]| match order {
            Order::Big => u32::from_be_bytes(bytes),
            Order::Little => u32::from_le_bytes(bytes),
        };
        bytes.as_chunks::<8>().0.iter().fold(self, |Sum(a, b), &[b0, b1, b2, b3, b4, b5, b6, b7]| {
            let a = a.wrapping_add(word([b0, b1, b2, b3])).wrapping_add(b);
            Sum(a, b.wrapping_add(word([b4, b5, b6, b7])).wrapping_add(a))
        })
    }
}

fn word(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |word, byte| word << 8 | u32::from(*byte))
}

/// Whether there was enough to fill `bytes`.
fn fill(log: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    match log.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rusqlite::Connection;

    use super::*;

    /// The log of a database in which so many commits of two pages or more were made, and where each of them ends.
    fn log(commits: u32) -> (Vec<u8>, Vec<usize>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("PRAGMA journal_mode = wal; PRAGMA wal_autocheckpoint = 0").unwrap();
        connection
            .execute_batch("CREATE TABLE x (a); CREATE INDEX y ON x (a); PRAGMA wal_checkpoint(truncate)")
            .unwrap();
        let mut ends = Vec::new();
        for number in 0..commits {
            connection.execute("INSERT INTO x VALUES (?1)", [number]).unwrap();
            ends.push(fs::read(directory.path().join("x.db-wal")).unwrap().len());
        }
        (fs::read(directory.path().join("x.db-wal")).unwrap(), ends)
    }

    fn found(log: &[u8]) -> Option<String> {
        damage(log).unwrap()
    }

    #[test]
    fn a_log_that_is_whole_or_cut_off_anywhere_is_not_damaged() {
        let (log, _) = log(4);
        assert_eq!(found(&log), None);
        for length in 0..log.len() {
            // Each end near a boundary, and some others.
            if length % FRAME < 64 || length % 97 == 0 {
                assert_eq!(found(&log[..length]), None, "{length}");
            }
        }
    }

    #[test]
    fn a_bit_that_turned_anywhere_before_the_last_commit_is_found() {
        let (mut log, ends) = log(4);
        let sure = ends[2];
        for at in (0..HEADER).chain((HEADER..sure).filter(|at| (at - HEADER) % FRAME < FRAME_HEADER || at % 61 == 0)) {
            for bit in [0, 7] {
                log[at] ^= 1 << bit;
                let frame =
                    if at < HEADER { "the head".to_owned() } else { format!("frame {}", (at - HEADER) / FRAME + 1) };
                assert_eq!(found(&log), Some(frame), "byte {at}, bit {bit}");
                log[at] ^= 1 << bit;
            }
        }
    }

    #[test]
    fn a_block_that_was_lost_before_the_last_two_commits_is_found() {
        const BLOCK: usize = 4096;
        let (whole, ends) = log(8);
        for at in (0..ends[5] - BLOCK).step_by(BLOCK) {
            for lost in [0, 0xa5] {
                let mut log = whole.clone();
                log[at..at + BLOCK].fill(lost);
                let found = found(&log);
                // Of a head of which nothing is left but bytes that nobody wrote nothing can be said.
                assert_eq!(found.is_some(), at > 0 || lost == 0, "the block at {at} is {lost}: {found:?}");
            }
        }
    }

    #[test]
    fn a_last_commit_of_which_any_part_is_missing_is_torn() {
        let (whole, ends) = log(4);
        let frames: Vec<usize> = (ends[2]..ends[3]).step_by(FRAME).collect();
        assert!(frames.len() >= 2, "{ends:?}");
        for missing in frames {
            let mut log = whole.clone();
            log[missing..missing + FRAME].fill(0);
            assert_eq!(found(&log), None, "the frame at {missing}");
            // Behind it, what is left of longer writes that were torn before.
            log.extend_from_slice(&whole[ends[0]..ends[1]]);
            log.extend_from_slice(&whole[ends[0]..ends[1]]);
            assert_eq!(found(&log), None, "the frame at {missing}, and older ones");
        }
    }

    #[test]
    fn what_was_written_before_the_log_began_anew_says_nothing() {
        let (old, ends) = log(4);
        let (new, _) = log(1);
        let log = [&new[..], &old[new.len()..]].concat();
        assert!(new.len() < ends[0] + 1 && log.len() == old.len());
        assert_eq!(found(&log), None);
        // Nor where the head was torn as it was written.
        let torn = [&new[..HEADER - 4], &old[HEADER - 4..]].concat();
        assert_eq!(found(&torn), None);
    }
}
