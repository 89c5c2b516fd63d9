//! How many submissions each lane has.
//!
//! They are counted as they come, and written down now and then: a batch of many lanes would change as many rows
//! otherwise. Which are in the rows is told by the number of the last job that is, so that the others are counted anew
//! when the store is opened.

use rusqlite::Connection;

use crate::meta;

/// The most submissions that wait to be written down, and are counted when the store is opened.
const MOST: i64 = 16 << 10;

/// A lane, and how many submissions came into it in a row.
type Share = (i64, i64);

/// The submissions that are not in the rows of their lanes yet.
#[derive(Debug, Default)]
pub(crate) struct Entered {
    waiting: Vec<Share>,
    /// How many they are.
    total: i64,
    /// Those of the batch at hand.
    fresh: Vec<Share>,
    /// The number of the last job that was accepted.
    last: u64,
    /// Whether the batch at hand has written all of them down.
    written: bool,
}

impl Entered {
    /// Counts those that are not in the rows.
    pub(crate) fn open(connection: &Connection) -> rusqlite::Result<Entered> {
        const UNCOUNTED: &str = "SELECT lane, count(*) FROM submission WHERE id > ?1 GROUP BY lane";
        const LAST: &str = "SELECT max(id) FROM submission";
        let counted = meta::lanes_counted(connection)?.cast_signed();
        let mut statement = connection.prepare(UNCOUNTED)?;
        let waiting: Vec<Share> =
            statement.query_map([counted], |row| row.try_into())?.collect::<rusqlite::Result<_>>()?;
        let total = waiting.iter().map(|(_, submissions)| submissions).sum();
        let last: Option<i64> = connection.query_row(LAST, [], |row| row.get(0))?;
        let last = last.unwrap_or(0).max(counted).cast_unsigned();
        Ok(Entered { waiting, total, last, ..Entered::default() })
    }

    /// Counts the submissions of new jobs, by the lane of each; `last` is the number of the last job.
    pub(crate) fn enter(
        &mut self,
        connection: &Connection,
        lanes: impl Iterator<Item = i64>,
        last: u64,
    ) -> rusqlite::Result<()> {
        self.last = last;
        let mut total = self.total;
        for lane in lanes {
            add(&mut self.fresh, (lane, 1));
            total += 1;
        }
        if total > MOST { self.write(connection) } else { Ok(()) }
    }

    /// Writes down what is not written yet, so that the rows of all lanes are right.
    pub(crate) fn write(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        const MORE: &str = "UPDATE lane SET submissions = submissions + ?2 WHERE id = ?1";
        if self.written || self.waiting.is_empty() && self.fresh.is_empty() {
            return Ok(());
        }
        let mut shares = [&*self.waiting, &*self.fresh].concat();
        shares.sort_unstable();
        let mut statement = connection.prepare_cached(MORE)?;
        for shares in shares.chunk_by(|one, other| one.0 == other.0) {
            let submissions: i64 = shares.iter().map(|(_, submissions)| submissions).sum();
            statement.execute([shares[0].0, submissions])?;
        }
        meta::set_lanes_counted(connection, self.last)?;
        self.written = true;
        Ok(())
    }

    /// The batch is durable.
    pub(crate) fn keep(&mut self) {
        if std::mem::take(&mut self.written) {
            self.waiting.clear();
            self.fresh.clear();
            self.total = 0;
        }
        for share in self.fresh.drain(..) {
            self.total += share.1;
            add(&mut self.waiting, share);
        }
    }

    /// The batch is gone.
    pub(crate) fn forget(&mut self) {
        self.fresh.clear();
        self.written = false;
    }
}

/// Adds a share, to the last one where that is of the same lane: most batches are of one lane only.
fn add(shares: &mut Vec<Share>, (lane, submissions): Share) {
    match shares.last_mut() {
        Some((last, count)) if *last == lane => *count += submissions,
        _ => shares.push((lane, submissions)),
    }
}
