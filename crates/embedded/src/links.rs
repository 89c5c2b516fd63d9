//! Which unfinished job comes after which.

use std::collections::BTreeMap;
use std::ops::Bound;

use ackd_domain::{Job, limits};
use rusqlite::{Connection, OptionalExtension};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::block::Block;

/// What a batch knows of the links between jobs: what it has read of those that are committed, and what it has changed.
#[derive(Debug, Default)]
pub(crate) struct Links {
    links: BTreeMap<(u64, u64), Link>,
    /// The jobs of whose followers all with numbers above this one are known.
    known: FxHashMap<u64, u64>,
    /// The jobs whose followers remain to be told (true) and those that have none to tell any more.
    unresolved: BTreeMap<u64, bool>,
}

#[derive(Debug, Clone, Copy)]
struct Link {
    /// Whether it may be committed.
    stored: bool,
    /// Whether there is one now.
    made: bool,
}

/// How many are read at once: whoever asks whether there is any asks for those that there are next.
const READ: usize = limits::RESOLVED_AT_ONCE;

impl Links {
    /// Whether nothing of it is to be written; `unresolved` are the jobs of which it is written that they have followers to
    /// tell.
    pub(crate) fn is_empty(&self, unresolved: &FxHashSet<u64>) -> bool {
        self.resolved(unresolved).next().is_none() && self.links.values().all(|link| link.stored == link.made)
    }

    /// Links a job to a follower that is new, so that this is not committed yet, or undoes that.
    pub(crate) fn link(&mut self, job: u64, follower: u64, made: bool) {
        // What was not read may be committed, if it is not made here.
        self.links.entry((job, follower)).or_insert(Link { stored: !made, made }).made = made;
    }

    pub(crate) fn resolve(&mut self, job: u64, open: bool) {
        self.unresolved.insert(job, open);
    }

    /// Whether a link was made.
    pub(crate) fn has_made(&self) -> bool {
        self.links.values().any(|link| link.made && !link.stored)
    }

    /// The followers of `job` with numbers above `told`, at most `limit`. Where no link is stored (`stored`), none is
    /// looked for.
    pub(crate) fn followers(
        &mut self,
        connection: &Connection,
        stored: bool,
        (job, told): (u64, u64),
        limit: usize,
    ) -> rusqlite::Result<Vec<u64>> {
        if stored && self.known.get(&job).is_none_or(|known| *known > told) {
            self.read_followers(connection, (job, told), limit)?;
        }
        let range = (Bound::Excluded((job, told)), Bound::Included((job, u64::MAX)));
        let made = self.links.range(range).filter(|(_, link)| link.made);
        Ok(made.map(|((_, follower), _)| *follower).take(limit).collect())
    }

    /// Reads so many that there are at least `limit` of those that there are, if there are.
    fn read_followers(
        &mut self,
        connection: &Connection,
        (job, told): (u64, u64),
        limit: usize,
    ) -> rusqlite::Result<()> {
        let mut statement = connection
            .prepare_cached("SELECT follower FROM link WHERE job = ?1 AND follower > ?2 ORDER BY follower")?;
        let mut rows = statement.query([job.cast_signed(), told.cast_signed()])?;
        let mut found = 0;
        while found < limit.max(READ) {
            let Some(row) = rows.next()? else {
                self.known.insert(job, told);
                break;
            };
            found += usize::from(self.take_up(job, row.get::<_, i64>(0)?.cast_unsigned()));
        }
        Ok(())
    }

    /// Whether `follower` waits for any other job than `but`. Where no link is stored (`stored`), none is looked for.
    /// `waiting` remembers where such a one was found.
    pub(crate) fn waits_for_another(
        &mut self,
        connection: &Connection,
        stored: bool,
        (follower, but): (&Job, u64),
        waiting: &mut Awaited,
    ) -> rusqlite::Result<bool> {
        let (number, after) = (follower.id.number(), &follower.spec.after);
        for at in waiting.order(number, after.len()) {
            let predecessor = after[at].id.number();
            if predecessor != but && self.is_linked(connection, stored, (predecessor, number))? {
                waiting.found(number, at, after.len());
                return Ok(true);
            }
        }
        waiting.none(number);
        Ok(false)
    }

    fn is_linked(&mut self, connection: &Connection, stored: bool, link: (u64, u64)) -> rusqlite::Result<bool> {
        if let Some(known) = self.links.get(&link) {
            return Ok(known.made);
        }
        let (job, follower) = link;
        let is_known = self.known.get(&job).is_some_and(|known| *known < follower);
        if !stored || is_known || !is_linked(connection, link)? {
            return Ok(false);
        }
        Ok(self.take_up(job, follower))
    }

    /// Takes up a link that is committed. Whether there is one still.
    fn take_up(&mut self, job: u64, follower: u64) -> bool {
        self.links.entry((job, follower)).or_insert(Link { stored: true, made: true }).made
    }

    /// The jobs that nobody comes after any more though somebody did, in order: all their links are known, and undone.
    fn emptied(&self) -> Vec<u64> {
        let of_a_job = |job| self.links.range((job, 0)..=(job, u64::MAX)).map(|(_, link)| link);
        let is_emptied = |job: &u64| of_a_job(*job).any(|link| link.stored) && of_a_job(*job).all(|link| !link.made);
        let known = self.known.iter().filter(|(_, told)| **told == 0).map(|(job, _)| *job);
        let mut emptied: Vec<u64> = known.filter(is_emptied).collect();
        emptied.sort_unstable();
        emptied
    }

    /// What is to be written of the jobs that have followers to tell (true) or no longer, where that is written of those in
    /// `stored`.
    pub(crate) fn resolved(&self, stored: &FxHashSet<u64>) -> impl Iterator<Item = (u64, bool)> {
        let changed = self.unresolved.iter().filter(|(job, open)| stored.contains(*job) != **open);
        changed.map(|(job, open)| (*job, *open))
    }

    /// Writes links by the statement `make`, and which jobs have followers to tell.
    pub(crate) fn write(
        &self,
        connection: &Connection,
        make: &Block,
        unresolved: &FxHashSet<u64>,
    ) -> rusqlite::Result<()> {
        let changed = |made| self.links.iter().filter(move |(_, link)| link.made == made && link.stored != made);
        let made: Vec<(u64, u64)> = changed(true).map(|(pair, _)| *pair).collect();
        make.write(connection, &made, |statement, first, (job, follower)| {
            statement.raw_bind_parameter(first, job.cast_signed())?;
            statement.raw_bind_parameter(first + 1, follower.cast_signed())
        })?;
        let emptied = self.emptied();
        undo_all(connection, &emptied)?;
        let others = changed(false).map(|(pair, _)| *pair).filter(|(job, _)| emptied.binary_search(job).is_err());
        undo(connection, &others.collect::<Vec<_>>())?;
        for (job, open) in self.resolved(unresolved) {
            let statement = if open {
                "INSERT OR IGNORE INTO unresolved (job) VALUES (?1)"
            } else {
                "DELETE FROM unresolved WHERE job = ?1"
            };
            connection.prepare_cached(statement)?.execute([job.cast_signed()])?;
        }
        Ok(())
    }
}

/// Where among the predecessors of a job one that it waits for was last found, so that not all of a thousand are asked for
/// whenever one of them has ended. A memory only: from there all are looked at.
#[derive(Debug, Default)]
pub(crate) struct Awaited(FxHashMap<u64, usize>);

impl Awaited {
    /// The most jobs of which it is remembered.
    const MOST: usize = 4096;

    /// In which order to look at so many. The last first, as they end in the order in which they were accepted, mostly.
    fn order(&self, follower: u64, many: usize) -> impl Iterator<Item = usize> + use<> {
        let from = self.0.get(&follower).map_or(many, |at| (at + 1).min(many));
        (0..from).rev().chain((from..many).rev())
    }

    /// Of a single one there is nothing to remember.
    fn found(&mut self, follower: u64, at: usize, many: usize) {
        if many > 1 {
            if self.0.len() >= Awaited::MOST {
                self.0.clear();
            }
            self.0.insert(follower, at);
        }
    }

    fn none(&mut self, follower: u64) {
        self.0.remove(&follower);
    }
}

/// Deletes all links of these jobs, which are in order: of those that follow one another by one statement. Between two
/// numbers that follow one another there is no other job.
fn undo_all(connection: &Connection, jobs: &[u64]) -> rusqlite::Result<()> {
    const ALL: &str = "DELETE FROM link WHERE job BETWEEN ?1 AND ?2";
    for run in jobs.chunk_by(|a, b| a.checked_add(1) == Some(*b)) {
        if let ([first, ..], [.., last]) = (run, run) {
            connection.prepare_cached(ALL)?.execute([first, last].map(|number| number.cast_signed()))?;
        }
    }
    Ok(())
}

/// Deletes links, which are in order: those of one job to followers that follow one another by one statement.
fn undo(connection: &Connection, links: &[(u64, u64)]) -> rusqlite::Result<()> {
    const SOME: &str = "DELETE FROM link WHERE job = ?1 AND follower BETWEEN ?2 AND ?3";
    let follows = |a: &(u64, u64), b: &(u64, u64)| a.0 == b.0 && a.1.checked_add(1) == Some(b.1);
    for run in links.chunk_by(follows) {
        if let ([(job, first), ..], [.., (_, last)]) = (run, run) {
            connection.prepare_cached(SOME)?.execute([*job, *first, *last].map(u64::cast_signed))?;
        }
    }
    Ok(())
}

/// The jobs that `follower` waits for, by number, at most `limit`.
pub(crate) fn awaited(connection: &Connection, follower: &Job, limit: usize) -> rusqlite::Result<Vec<u64>> {
    let mut jobs: Vec<u64> = follower.spec.after.iter().map(|predecessor| predecessor.id.number()).collect();
    jobs.sort_unstable();
    let linked = |job: &u64| is_linked(connection, (*job, follower.id.number()));
    let found = jobs.into_iter().map(|job| linked(&job).map(|is_linked| is_linked.then_some(job)));
    found.filter_map(Result::transpose).take(limit).collect()
}

fn is_linked(connection: &Connection, (job, follower): (u64, u64)) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM link WHERE job = ?1 AND follower = ?2")?;
    statement.exists([job.cast_signed(), follower.cast_signed()])
}

/// Whether any job comes after another.
pub(crate) fn any(connection: &Connection) -> rusqlite::Result<bool> {
    let found: Option<i64> = connection.query_row("SELECT 1 FROM link LIMIT 1", [], |row| row.get(0)).optional()?;
    Ok(found.is_some())
}

/// The jobs whose followers have not all been told.
pub(crate) fn unresolved(connection: &Connection) -> rusqlite::Result<Vec<u64>> {
    let mut statement = connection.prepare_cached("SELECT job FROM unresolved ORDER BY job")?;
    let rows = statement.query_map([], |row| row.get::<_, i64>(0))?;
    rows.map(|number| number.map(i64::cast_unsigned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link from each of the jobs 1 to 7 to each with a higher number, up to 8.
    fn linked() -> (Connection, Vec<(u64, u64)>) {
        let connection = Connection::open_in_memory().unwrap();
        let table = "CREATE TABLE link (job INTEGER, follower INTEGER, PRIMARY KEY (job, follower)) WITHOUT ROWID;
                     CREATE TABLE unresolved (job INTEGER PRIMARY KEY)";
        connection.execute_batch(table).unwrap();
        let all: Vec<(u64, u64)> = (1..8).flat_map(|job| (job + 1..9).map(move |follower| (job, follower))).collect();
        for (job, follower) in &all {
            let pair = [job.cast_signed(), follower.cast_signed()];
            connection.execute("INSERT INTO link VALUES (?1, ?2)", pair).unwrap();
        }
        (connection, all)
    }

    fn left(connection: &Connection) -> Vec<(u64, u64)> {
        let mut statement = connection.prepare("SELECT job, follower FROM link ORDER BY job, follower").unwrap();
        let left = statement.query_map([], |row| <(i64, i64)>::try_from(row)).unwrap();
        left.map(|pair| pair.unwrap()).map(|(job, it)| (job.cast_unsigned(), it.cast_unsigned())).collect()
    }

    #[test]
    fn what_is_undone_is_exactly_what_was_asked_for() {
        let (_, all) = linked();
        // Runs, such that others lie beside them, and single ones.
        for gone in [
            vec![],
            vec![(2, 5)],
            vec![(1, 2), (1, 3), (1, 4)],
            vec![(1, 8), (2, 8), (3, 8), (5, 8)],
            vec![(1, 3), (1, 4), (2, 4), (3, 4), (3, 6), (4, 6), (6, 7)],
            all.clone(),
        ] {
            let (connection, all) = linked();
            undo(&connection, &gone).unwrap();
            let expected: Vec<(u64, u64)> = all.into_iter().filter(|pair| !gone.contains(pair)).collect();
            assert_eq!(left(&connection), expected, "without {gone:?}");
        }
    }

    #[test]
    fn of_a_job_all_of_whose_links_are_undone_none_is_left() {
        for gone in [vec![], vec![3], vec![1, 2, 3], vec![1, 3, 4, 7], (1..8).collect()] {
            let (connection, all) = linked();
            undo_all(&connection, &gone).unwrap();
            let expected: Vec<(u64, u64)> = all.into_iter().filter(|(job, _)| !gone.contains(job)).collect();
            assert_eq!(left(&connection), expected, "without those of {gone:?}");
        }
    }

    #[test]
    fn what_a_batch_does_not_know_of_a_job_that_it_empties_stays() {
        let (connection, all) = linked();
        let mut links = Links::default();
        // Job 2: all its links are known and undone. Job 3: known, but one goes on, and one is new.
        for job in [2, 3] {
            let followers = links.followers(&connection, true, (job, 0), 100).unwrap();
            assert_eq!(followers, (job + 1..9).collect::<Vec<_>>());
            for follower in followers.into_iter().filter(|follower| (job, *follower) != (3, 6)) {
                links.link(job, follower, false);
            }
        }
        links.link(3, 9, true);
        // Job 4: it is asked only for those above 6. Job 5: one is asked for by itself.
        for follower in links.followers(&connection, true, (4, 6), 100).unwrap() {
            links.link(4, follower, false);
        }
        links.link(5, 7, false);
        assert_eq!(links.emptied(), [2]);
        let make = Block::new("link", "job, follower");
        links.write(&connection, &make, &FxHashSet::default()).unwrap();
        let gone = |(job, follower): &(u64, u64)| match job {
            2 => true,
            3 => *follower != 6,
            4 => *follower > 6,
            5 => *follower == 7,
            _ => false,
        };
        let mut expected: Vec<(u64, u64)> = all.into_iter().filter(|pair| !gone(pair)).collect();
        expected.push((3, 9));
        expected.sort_unstable();
        assert_eq!(left(&connection), expected);
    }

    #[test]
    fn each_predecessor_is_looked_at_once_and_the_one_remembered_first() {
        let mut awaited = Awaited::default();
        assert_eq!(awaited.order(7, 4).collect::<Vec<_>>(), [3, 2, 1, 0]);
        for at in 0..4 {
            awaited.found(7, at, 4);
            let order: Vec<usize> = awaited.order(7, 4).collect();
            assert_eq!(order[0], at);
            assert_eq!((0..4).filter(|each| order.contains(each)).count(), order.len());
        }
        // A memory of a job with more predecessors than it has harms nothing.
        let mut order: Vec<usize> = awaited.order(7, 2).collect();
        order.sort_unstable();
        assert_eq!(order, [0, 1]);
        awaited.none(7);
        assert_eq!(awaited.order(7, 4).next(), Some(3));
    }
}
