//! Whether the write-ahead log ends where writing ended.
//!
//! After a crash SQLite takes the log up to the first frame whose checksum does not fit, and nothing behind it: so it finds the
//! end of what was written. A bit that has turned in the middle of the log looks to it like that end, and commits that
//! were acknowledged would be gone without a word. But each commit is synced before the next one is written: where two follow
//! a frame that does not fit, what that frame belongs to was durable once, and the log is damaged. In the last commit of all,
//! a bit that turned and a write that was torn look alike, and it is taken for torn.
//!
//! The format is in <https://www.sqlite.org/fileformat2.html#walformat>.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use crate::error::OpenError;
use crate::store::PAGE_SIZE;

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
const FRAME: usize = FRAME_HEADER + PAGE_SIZE as usize;

/// As SQLite names the log whose checksums are made of big-endian words; that of the others ends in a zero bit.
const BIG_ENDIAN_LOG: u32 = 0x377f_0683;

/// Refuses a log, that of no running server, from whose middle something is missing. That there is none is fine.
pub(crate) fn check(path: &Path) -> Result<(), OpenError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(OpenError::io(path, error)),
    };
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
    let salts = Salts::of(&header[16..24]);
    let is_whole = |order| Sum::default().with(&header[..24], order) == Sum::stored(&header[24..]);
    let named = if word(&header[..4]) == BIG_ENDIAN_LOG { Order::Big } else { Order::Little };
    let (mut walk, order) = if is_whole(named) {
        (Walk { before: Sum::stored(&header[24..]), salts, broken: None }, named)
    } else {
        (Walk { before: Sum::default(), salts, broken: Some(Broken { at: 0, commits: 0 }) }, Order::NATIVE)
    };
    let mut bytes = vec![0; FRAME];
    for number in 1.. {
        if !fill(&mut log, &mut bytes)? {
            break;
        }
        let frame = Frame::of(&bytes, order);
        match walk.next(number, &frame) {
            Next::On => {}
            Next::End => break,
            Next::Damaged(0) => return Ok(Some("the head".to_owned())),
            Next::Damaged(at) => return Ok(Some(format!("frame {at}"))),
        }
    }
    Ok(None)
}

/// Goes from frame to frame.
struct Walk {
    /// The checksum in the frame before, which the next one goes on from.
    before: Sum,
    salts: Salts,
    broken: Option<Broken>,
}

/// A frame, or the head (0), that does not fit to what is before it.
struct Broken {
    at: u64,
    /// The commits from there on that fit to one another.
    commits: u32,
}

enum Next {
    On,
    End,
    /// This does not fit, and more was written after it.
    Damaged(u64),
}

impl Walk {
    fn next(&mut self, number: u64, frame: &Frame<'_>) -> Next {
        let fits = frame.sum_after(self.before) == frame.sum;
        self.before = frame.sum;
        let commits = u32::from(frame.is_commit);
        let Some(broken) = &mut self.broken else {
            if !fits || frame.salts != self.salts {
                // Of an earlier time, when the log was written from its beginning, are those with other salts.
                let commits = if frame.salts == self.salts { commits } else { 0 };
                self.broken = Some(Broken { at: number, commits });
            }
            return Next::On;
        };
        if broken.at == 0 && number == 1 {
            // A head that was torn while it was written over has none of the salts of the frames behind it.
            if !frame.salts.resemble(&self.salts) {
                return Next::End;
            }
            self.salts = frame.salts;
            broken.commits = commits;
            return Next::On;
        }
        match (frame.salts == self.salts, fits) {
            (false, _) => return Next::End,
            (true, true) => broken.commits += commits,
            // It is the checksum of the frame before that has changed, or what is here is of a write that was given up: only
            // what fits from here on says anything.
            (true, false) if number == broken.at + 1 => broken.commits = commits,
            (true, false) => return Next::End,
        }
        if broken.commits >= 2 { Next::Damaged(broken.at) } else { Next::On }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
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
    fn a_bit_that_turned_anywhere_before_the_last_two_commits_is_found() {
        let (mut log, ends) = log(4);
        let sure = ends[1];
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
