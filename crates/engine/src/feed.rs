//! Following a part of the change feed: what happened after a position, then what happens, without a gap or a
//! repetition.

use std::collections::VecDeque;
use std::sync::Arc;

use ackd_domain::Position;
use ackd_ports::{FeedError, ReadError};

use crate::engine::Engine;
use crate::interest::Interest;
use crate::tail::{FeedEntry, Following, Next};

/// Where following begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedStart {
    /// With what happens next.
    Now,
    /// With the oldest change that is kept.
    Earliest,
    /// With what came after this position.
    After(Position),
}

/// What a follower of the feed gets.
#[derive(Debug, Clone)]
pub enum FeedItem {
    /// A change that it is interested in.
    Entry(Arc<FeedEntry>),
    /// Everything that had happened has been told; what follows is live.
    CaughtUp,
    /// It did not keep up. What it missed follows, read from the ledger, and then [`FeedItem::CaughtUp`].
    Lagging,
    /// What came after its position is no longer kept: it goes on from this one.
    Reset(Position),
}

/// A follower of the change feed.
#[derive(Debug)]
pub struct Feed {
    engine: Engine,
    following: Following,
    /// Everything of interest up to here was given out.
    at: Position,
    /// What was read and not given out yet.
    ready: VecDeque<Arc<FeedEntry>>,
    /// Up to where it was read.
    read: Position,
    /// It reads the ledger, and is not live yet.
    behind: bool,
}

impl Engine {
    /// Follows the changes that `interest` names. At most `most` of them are kept for a follower that does not
    /// take them, 64 where it is `None`; one that falls further behind reads the ledger.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub async fn feed(&self, interest: Interest, from: FeedStart, most: Option<usize>) -> Result<Feed, ReadError> {
        // Follow first, read second: what happens between the two is seen twice rather than never.
        let following = self.tail().follow(interest, most);
        let (at, behind) = match from {
            FeedStart::Now => (self.tail().head(), false),
            FeedStart::Earliest => (self.earliest().await?, true),
            FeedStart::After(position) => (position, true),
        };
        Ok(Feed { engine: self.clone(), following, at, ready: VecDeque::new(), read: at, behind })
    }
}

impl Feed {
    /// The next thing to know; `None` once the server stops. May be cancelled and called again.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub async fn next(&mut self) -> Result<Option<FeedItem>, ReadError> {
        loop {
            if let Some(item) = self.next_read() {
                return Ok(Some(item));
            }
            if self.behind {
                let head = self.engine.tail().head();
                let engine = &self.engine;
                match engine.blocks().after(self.read, head, engine.change_feed(), engine.reader()).await {
                    Ok(part) => {
                        let Some(last) = part.entries().last() else {
                            self.behind = false;
                            return Ok(Some(FeedItem::CaughtUp));
                        };
                        self.read = last.change.position;
                        let wanted = part.entries().iter();
                        self.ready
                            .extend(wanted.filter(|entry| self.following.interest().wants(&entry.change)).cloned());
                    }
                    Err(FeedError::Purged(earliest) | FeedError::Beyond(earliest)) => {
                        (self.at, self.read) = (earliest, earliest);
                        return Ok(Some(FeedItem::Reset(earliest)));
                    }
                    Err(FeedError::Read(error)) => return Err(error),
                }
                continue;
            }
            match self.following.next().await {
                Next::Entry(entry) if entry.change.position > self.at => {
                    self.at = entry.change.position;
                    self.read = self.at;
                    return Ok(Some(FeedItem::Entry(entry)));
                }
                Next::Entry(_) => {}
                Next::Lagging => {
                    self.behind = true;
                    self.read = self.at;
                    return Ok(Some(FeedItem::Lagging));
                }
                Next::Closed => return Ok(None),
            }
        }
    }

    /// What can be had at once, without waiting for anything: a change that is live or was read.
    pub fn try_next(&mut self) -> Option<FeedItem> {
        if let Some(item) = self.next_read() {
            return Some(item);
        }
        while !self.behind {
            match self.following.try_next()? {
                Next::Entry(entry) if entry.change.position > self.at => {
                    self.at = entry.change.position;
                    self.read = self.at;
                    return Some(FeedItem::Entry(entry));
                }
                Next::Entry(_) => {}
                Next::Lagging => {
                    self.behind = true;
                    self.read = self.at;
                    return Some(FeedItem::Lagging);
                }
                // Told by `next`, as often as it is asked.
                Next::Closed => return None,
            }
        }
        None
    }

    /// The position from which another follower would go on with what this one has not been given: so that one who
    /// is interested in little does not fall behind what is kept.
    pub fn position(&mut self) -> Position {
        if self.ready.is_empty() {
            self.at = self.at.max(self.read);
            if !self.behind
                && let Some(told) = self.following.told()
            {
                self.at = self.at.max(told);
                self.read = self.at;
            }
        }
        self.at
    }

    fn next_read(&mut self) -> Option<FeedItem> {
        let entry = self.ready.pop_front()?;
        self.at = entry.change.position;
        Some(FeedItem::Entry(entry))
    }
}
