//! The past of the change feed, read once for everybody who needs the same part of it.
//!
//! After a restart thousands of clients come back at once, each from where it was. Read for each of them, the
//! same rows would be read thousands of times; so they are read in blocks, one at a time, and the blocks that
//! were used last are kept for a while.

use std::collections::VecDeque;
use std::sync::Arc;

use ackd_domain::{ChangeKind, Position};
use ackd_ports::{ChangeFeed, FeedError, LedgerReader, ReadError};
use tokio::sync::Mutex;

use crate::blocking::blocking;
use crate::tail::FeedEntry;

/// The changes of one block.
const BLOCK: u64 = 256;

/// The most blocks that are kept.
const KEPT: usize = 16;

/// A result of up to so many bytes goes with its change.
pub const SMALL_RESULT: u64 = 64 << 10;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    /// The newest last. Held while one is read: whoever wants the same waits for it, and nobody reads beside it.
    kept: Mutex<VecDeque<Block>>,
}

type Entries = Arc<[Arc<FeedEntry>]>;

#[derive(Debug, Clone)]
struct Block {
    number: u64,
    entries: Entries,
}

impl Block {
    fn reaches(&self, position: Position) -> bool {
        self.entries.last().is_some_and(|entry| entry.change.position >= position)
    }
}

/// A part of the feed.
#[derive(Debug, Default)]
pub(crate) struct Part {
    entries: Entries,
    /// Where in them it begins.
    from: usize,
    /// Where it ends.
    to: usize,
}

impl Part {
    /// The changes, oldest first.
    pub(crate) fn entries(&self) -> &[Arc<FeedEntry>] {
        &self.entries[self.from..self.to]
    }
}

impl Blocks {
    /// Some of the changes after `after`; none where there are no more yet. `head` is the position of the last one that may be
    /// told: others may be committed by now, and who was given one of them would be beyond the head.
    ///
    /// # Errors
    /// As [`ChangeFeed::changes`].
    pub(crate) async fn after(
        &self,
        after: Position,
        head: Position,
        feed: &Arc<dyn ChangeFeed>,
        reader: &Arc<dyn LedgerReader>,
    ) -> Result<Part, FeedError> {
        if after >= head {
            return if after == head { Ok(Part::default()) } else { Err(FeedError::Beyond(head)) };
        }
        // Positions count from 1: the first block is 1 to BLOCK.
        let number = after.0 / BLOCK;
        let wanted = head.min(Position((number + 1) * BLOCK));
        let mut kept = self.kept.lock().await;
        if let Some(at) = kept.iter().position(|block| block.number == number)
            // What was read of the last block may be too little by now.
            && let Some(block) = kept.remove(at).filter(|block| block.reaches(wanted))
        {
            // It stays for as long as it is used.
            let part = part(&block.entries, after, head);
            kept.push_back(block);
            return Ok(part);
        }
        let (feed, reader) = (Arc::clone(feed), Arc::clone(reader));
        let read = blocking(move || read(&*feed, &*reader, Position(number * BLOCK), after));
        let read = read.await.unwrap_or_else(|stopped| Err(ReadError::Failed(stopped.to_string()).into()));
        let (entries, from_start) = read?;
        let part = part(&entries, after, head);
        if from_start {
            if kept.len() == KEPT {
                kept.pop_front();
            }
            kept.push_back(Block { number, entries });
        }
        Ok(part)
    }
}

fn part(entries: &Entries, after: Position, head: Position) -> Part {
    let behind = |position: Position| entries.partition_point(|entry| entry.change.position <= position);
    let (from, to) = (behind(after), behind(head));
    Part { entries: Arc::clone(entries), from, to: to.max(from) }
}

/// The block that begins after `start`; where its beginning is no longer kept, what is left of it after `after`.
/// Says also whether it begins where it should.
fn read(
    feed: &dyn ChangeFeed,
    reader: &dyn LedgerReader,
    start: Position,
    after: Position,
) -> Result<(Entries, bool), FeedError> {
    let end = Position(start.0 + BLOCK);
    let limit = usize::try_from(BLOCK).unwrap_or(usize::MAX);
    let (changes, from_start) = match feed.changes(start, limit) {
        Err(FeedError::Purged(_)) if after > start => (feed.changes(after, limit)?, false),
        read => (read?, true),
    };
    let mut entries = Vec::with_capacity(changes.len());
    for mut change in changes.into_iter().take_while(|change| change.position <= end) {
        let small = change.job.result.as_ref().is_some_and(|result| result.size <= SMALL_RESULT);
        if change.kind == ChangeKind::Completed && change.body.is_none() && small {
            change.body = match reader.result(change.job.id.number()) {
                // Who asks for it is told. Those who follow are not to end there, one as the other, whenever they come back.
                Err(ReadError::Damaged(_)) => None,
                read => read?,
            };
        }
        entries.push(Arc::new(FeedEntry::new(change)));
    }
    Ok((entries.into(), from_start))
}

#[cfg(test)]
mod tests {
    use ackd_domain::{Body, Command, Name, Submission, Timestamp};
    use ackd_memory::MemoryLedger;
    use ackd_ports::{Idle, Ledger, SeededEntropy};

    use super::*;

    /// The core has committed them, and has not yet come to say so.
    #[tokio::test]
    async fn what_is_committed_and_not_yet_told_is_left_out() {
        let mut ledger = MemoryLedger::new(SeededEntropy::new(1));
        let body = Body { content_type: "text/plain".into(), bytes: "x".into() };
        let submissions = vec![Submission::new(Name::new("q").unwrap(), body); 10];
        ledger.apply(vec![Command::Submit(submissions)], Timestamp::from_millis(0), &mut Idle).unwrap();
        let feed: Arc<dyn ChangeFeed> = ledger.reader();
        let reader: Arc<dyn LedgerReader> = ledger.reader();
        let blocks = Blocks::default();
        // Read, and then kept.
        for head in [5, 7, 10] {
            let part = blocks.after(Position(2), Position(head), &feed, &reader).await.unwrap();
            let positions: Vec<u64> = part.entries().iter().map(|entry| entry.change.position.0).collect();
            assert_eq!(positions, (3..=head).collect::<Vec<_>>());
        }
    }

    /// Whoever follows would otherwise end there, and come back, and end there.
    #[tokio::test]
    async fn a_damaged_result_does_not_end_who_follows() {
        let mut ledger = MemoryLedger::new(SeededEntropy::new(1));
        let body = |text: &'static str| Body { content_type: "text/plain".into(), bytes: text.into() };
        let submissions = vec![Submission::new(Name::new("q").unwrap(), body("x")); 2];
        let mut apply = |commands| ledger.apply(commands, Timestamp::from_millis(0), &mut Idle).unwrap();
        apply(vec![Command::Submit(submissions)]);
        let lease = |number| Command::Lease { number, worker: None, ttl: None };
        let leased = apply(vec![lease(1), lease(2)]);
        let complete = leased.changes.iter().map(|change| {
            let lease = change.job.lease.as_ref().unwrap().token(change.job.id.number());
            Command::Complete { lease, result: Some(body("done")) }
        });
        let head = apply(complete.collect()).changes.last().unwrap().position;
        ledger.faults().damage_result(1);
        let feed: Arc<dyn ChangeFeed> = ledger.reader();
        let reader: Arc<dyn LedgerReader> = ledger.reader();
        assert!(reader.result(1).is_err());
        let part = Blocks::default().after(Position::START, head, &feed, &reader).await.unwrap();
        let ends = part.entries().iter().filter(|entry| entry.change.kind == ChangeKind::Completed);
        let bodies: Vec<Option<Body>> = ends.map(|entry| entry.change.body.clone()).collect();
        assert_eq!(bodies, [None, Some(body("done"))]);
    }
}
