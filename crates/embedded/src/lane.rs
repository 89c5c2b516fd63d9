use std::hash::BuildHasher;
use std::mem;
use std::sync::{Arc, PoisonError, RwLock};

use ackd_domain::{Name, Spec};
use ackd_ports::Lane;
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use rusqlite::{Connection, OptionalExtension};
use rustc_hash::FxHashMap;

use crate::checksum::Checksum;
use crate::entered::Entered;
use crate::fault::Fault;
use crate::meta;
use crate::rows::{Columns, LANE, Unreadable};

/// The most lanes that are remembered. A client that gives every job a type or a group of its own makes
/// one for each; what is forgotten is read again.
const REMEMBERED: usize = 16 << 10;

/// The numbers that stand for a lane and its queue in other rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LaneNumbers {
    pub(crate) id: i64,
    pub(crate) queue: i64,
}

/// A lane and its numbers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LaneRow {
    pub(crate) numbers: LaneNumbers,
    pub(crate) lane: Lane,
}

/// What a lane is named by, as its row has it.
struct Names<'a> {
    queue: &'a str,
    kind: Option<&'a str>,
    priority: i64,
    group: Option<&'a str>,
}

impl<'a> Names<'a> {
    fn of(lane: &'a Lane) -> Names<'a> {
        Names {
            queue: lane.queue.as_str(),
            kind: lane.kind.as_deref(),
            priority: lane.priority.into(),
            group: lane.group.as_deref(),
        }
    }
}

impl LaneRow {
    fn sum(id: i64, queue: i64, names: &Names<'_>, checksum: &mut Checksum) -> i64 {
        let row = checksum.row(LANE, id).int(queue).text(Some(names.queue)).text(names.kind);
        row.int(names.priority).text(names.group).value()
    }

    fn read(columns: &mut Columns<'_>) -> Result<LaneRow, Unreadable> {
        let (id, queue) = (columns.int()?, columns.int()?);
        let names = Names {
            queue: columns.text()?.ok_or(Unreadable)?,
            kind: columns.text()?,
            priority: columns.int()?,
            group: columns.text()?,
        };
        if LaneRow::sum(id, queue, &names, &mut Checksum::default()) != columns.int()? {
            return Err(Unreadable);
        }
        let lane = Lane {
            queue: Name::new(names.queue).map_err(|_| Unreadable)?,
            kind: names.kind.map(Arc::from),
            priority: u8::try_from(names.priority).map_err(|_| Unreadable)?,
            group: names.group.map(Arc::from),
        };
        Ok(LaneRow { numbers: LaneNumbers { id, queue }, lane })
    }
}

/// The lanes by their number, as everybody reads them. It holds committed ones only.
#[derive(Debug, Default)]
pub(crate) struct Lanes(RwLock<FxHashMap<i64, Arc<LaneRow>>>);

impl Lanes {
    /// The lane of this number, read over `connection` where it is not remembered.
    pub(crate) fn by_id(&self, connection: &Connection, id: i64) -> Result<Arc<LaneRow>, Fault> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        if let Some(lane) = known {
            return Ok(lane);
        }
        let lane = Arc::new(select(connection, id)?);
        self.remember(&lane);
        Ok(lane)
    }

    fn remember(&self, lane: &Arc<LaneRow>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(lane.numbers.id, Arc::clone(lane));
    }
}

fn select(connection: &Connection, id: i64) -> Result<LaneRow, Fault> {
    const BY_ID: &str = "SELECT lane.id, lane.queue, queue.name, lane.kind, lane.priority, lane.\"group\", lane.crc \
                         FROM lane JOIN queue ON queue.id = lane.queue WHERE lane.id = ?1";
    let mut statement = connection.prepare_cached(BY_ID)?;
    let row = statement.query_row([id], |row| Ok(LaneRow::read(&mut Columns::from(row, 0)))).optional()?;
    row.unwrap_or(Err(Unreadable)).map_err(|_| Fault::Damaged(format!("lane {id}")))
}

/// The number of a lane, as the reader finds it.
pub(crate) fn find(connection: &Connection, lane: &Lane) -> Result<Option<i64>, Fault> {
    const BY_NAMES: &str = "SELECT lane.id FROM lane JOIN queue ON queue.id = lane.queue \
                            WHERE queue.name = ?1 AND lane.kind IS ?2 AND lane.priority = ?3 \
                            AND lane.\"group\" IS ?4";
    let mut statement = connection.prepare_cached(BY_NAMES)?;
    let Names { queue, kind, priority, group } = Names::of(lane);
    let id = statement.query_row((queue, kind, priority, group), |row| row.get(0));
    Ok(id.optional()?)
}

/// The lanes by their names, as the writer numbers them.
#[derive(Debug, Default)]
pub(crate) struct LaneNames {
    known: HashTable<Arc<LaneRow>>,
    /// Clients choose the names, so that nobody must be able to foresee their hashes.
    hasher: RandomState,
    /// Those of the batch at hand, to be forgotten with it.
    fresh: Vec<i64>,
    /// Those that the batch at hand has deleted, to be forgotten once it is durable.
    deleted: Vec<i64>,
    /// The one asked for last: most batches need one only.
    last: Option<Arc<LaneRow>>,
    /// How many jobs came into each lane, where its row does not say so yet.
    pub(crate) entered: Entered,
}

/// Whether jobs of this kind are of the lane.
fn is_of(lane: &Lane, spec: &Spec) -> bool {
    lane.priority == spec.priority && lane.queue == spec.queue && lane.kind == spec.kind && lane.group == spec.group
}

impl LaneNames {
    /// Those of a store.
    pub(crate) fn open(connection: &Connection) -> rusqlite::Result<LaneNames> {
        Ok(LaneNames { entered: Entered::open(connection)?, ..LaneNames::default() })
    }

    /// The lane of a job, which is written where it is new.
    pub(crate) fn of(&mut self, connection: &Connection, spec: &Spec) -> Result<LaneNumbers, Fault> {
        if let Some(last) = self.last.as_ref().filter(|last| is_of(&last.lane, spec)) {
            return Ok(last.numbers);
        }
        let hash = self.hasher.hash_one((&spec.queue, &spec.kind, spec.priority, &spec.group));
        let row = match self.known.find(hash, |row| is_of(&row.lane, spec)) {
            Some(row) => Arc::clone(row),
            None => self.find_or_insert(connection, spec, hash)?,
        };
        let numbers = row.numbers;
        self.last = Some(row);
        Ok(numbers)
    }

    fn find_or_insert(&mut self, connection: &Connection, spec: &Spec, hash: u64) -> Result<Arc<LaneRow>, Fault> {
        let lane = Lane {
            queue: spec.queue.clone(),
            kind: spec.kind.clone(),
            priority: spec.priority,
            group: spec.group.clone(),
        };
        let row = match find(connection, &lane)? {
            Some(id) => select(connection, id)?,
            None => {
                let row = insert(connection, lane)?;
                self.fresh.push(row.numbers.id);
                row
            }
        };
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        let row = Arc::new(row);
        let LaneNames { known, hasher, .. } = self;
        let hash_of = |row: &Arc<LaneRow>| {
            let Lane { queue, kind, priority, group } = &row.lane;
            hasher.hash_one((queue, kind, *priority, group))
        };
        known.insert_unique(hash, Arc::clone(&row), hash_of);
        Ok(row)
    }

    /// Counts submissions that are no longer, by the lane of each. A lane without any goes, and the name of a queue of
    /// which nothing else is left.
    pub(crate) fn leave(&mut self, connection: &Connection, lanes: impl Iterator<Item = i64>) -> rusqlite::Result<()> {
        const LESS: &str = "UPDATE lane SET submissions = submissions - ?2 WHERE id = ?1 RETURNING submissions, queue";
        const QUEUE: &str = "DELETE FROM queue WHERE id = ?1 AND settings IS NULL \
                             AND NOT EXISTS (SELECT 1 FROM lane WHERE queue = ?1) \
                             AND NOT EXISTS (SELECT 1 FROM count WHERE queue = ?1)";
        let leaving = counted(lanes);
        if !leaving.is_empty() {
            self.entered.write(connection)?;
        }
        for (lane, submissions) in leaving {
            let left: Option<(i64, i64)> = connection
                .prepare_cached(LESS)?
                .query_row([lane, submissions], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            if let Some((0, queue)) = left {
                meta::set_deleted_lane(connection, lane)?;
                connection.prepare_cached("DELETE FROM lane WHERE id = ?1")?.execute([lane])?;
                connection.prepare_cached(QUEUE)?.execute([queue])?;
                self.deleted.push(lane);
            }
        }
        Ok(())
    }

    /// The batch is durable, and so are its lanes.
    pub(crate) fn keep(&mut self) {
        self.entered.keep();
        self.fresh.clear();
        let deleted = mem::take(&mut self.deleted);
        self.forget_lanes(deleted);
    }

    /// The batch is gone, and so are its lanes.
    pub(crate) fn forget(&mut self) {
        self.entered.forget();
        self.deleted.clear();
        let fresh = mem::take(&mut self.fresh);
        self.forget_lanes(fresh);
    }

    fn forget_lanes(&mut self, mut lanes: Vec<i64>) {
        if lanes.is_empty() {
            return;
        }
        lanes.sort_unstable();
        let is_gone = |row: &Arc<LaneRow>| lanes.binary_search(&row.numbers.id).is_ok();
        self.known.retain(|row| !is_gone(row));
        self.last.take_if(|last| is_gone(last));
    }
}

/// How often each lane is among `lanes`.
fn counted(lanes: impl Iterator<Item = i64>) -> FxHashMap<i64, i64> {
    let mut counts = FxHashMap::default();
    lanes.for_each(|lane| *counts.entry(lane).or_default() += 1);
    counts
}

fn insert(connection: &Connection, lane: Lane) -> Result<LaneRow, Fault> {
    let queue = queue_id(connection, &lane.queue)?;
    let id = meta::last_lane(connection)? + 1;
    const INSERT: &str = "INSERT INTO lane (id, queue, kind, priority, \"group\", crc) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let names = Names::of(&lane);
    let sum = LaneRow::sum(id, queue, &names, &mut Checksum::default());
    let Names { kind, priority, group, .. } = names;
    connection.prepare_cached(INSERT)?.execute((id, queue, kind, priority, group, sum))?;
    Ok(LaneRow { numbers: LaneNumbers { id, queue }, lane })
}

/// The number of the queue `name`, which gets a row where it has none.
pub(crate) fn queue_id(connection: &Connection, name: &Name) -> Result<i64, Fault> {
    let mut select = connection.prepare_cached("SELECT id FROM queue WHERE name = ?1")?;
    if let Some(id) = select.query_row([name.as_str()], |row| row.get(0)).optional()? {
        return Ok(id);
    }
    connection.prepare_cached("INSERT INTO queue (name) VALUES (?1)")?.execute([name.as_str()])?;
    Ok(connection.last_insert_rowid())
}
