//! The tables in which jobs stand by something of theirs: when they expire or go, their ordering key, their unique key.

use rusqlite::Connection;

use crate::block::Block;

/// What writes such a table.
#[derive(Debug)]
pub(super) struct Places {
    insert: Block,
    delete: String,
}

/// Where a job stood before a batch, and is to stand now, if anywhere.
pub(super) type Moved = (Option<i64>, Option<i64>);

impl Places {
    /// Those of a table of jobs by this column.
    pub(super) fn new(table: &str, column: &str) -> Places {
        Places {
            insert: Block::new(table, &format!("{column}, job")),
            delete: format!("DELETE FROM {table} WHERE {column} = ?1 AND job BETWEEN ?2 AND ?3"),
        }
    }

    /// Moves those jobs that stand elsewhere now. They come with their numbers, and in the order of these.
    pub(super) fn write(
        &self,
        connection: &Connection,
        jobs: impl Iterator<Item = (i64, Moved)>,
    ) -> rusqlite::Result<()> {
        let (mut before, mut now) = (Vec::new(), Vec::new());
        for (job, (was, is)) in jobs.filter(|(_, (was, is))| was != is) {
            before.extend(was.map(|at| (at, job)));
            now.extend(is.map(|at| (at, job)));
        }
        if !before.is_empty() {
            let mut statement = connection.prepare_cached(&self.delete)?;
            // Jobs of one place whose numbers follow one another are one range, in which no other stands.
            for run in before.chunk_by(|job, next| next.0 == job.0 && next.1 == job.1 + 1) {
                let (Some((at, first)), Some((_, last))) = (run.first(), run.last()) else { continue };
                statement.execute([at, first, last])?;
            }
        }
        self.insert.write(connection, &now, |statement, first, (at, job)| {
            statement.raw_bind_parameter(first, at)?;
            statement.raw_bind_parameter(first + 1, job)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_goes_and_nothing_beside_it() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE expiry (at, job, PRIMARY KEY (at, job)) WITHOUT ROWID").unwrap();
        let expiries = Places::new("expiry", "at");
        let all = || {
            let mut statement = connection.prepare("SELECT at, job FROM expiry").unwrap();
            let rows = statement.query_map([], |row| row.try_into()).unwrap();
            rows.collect::<rusqlite::Result<Vec<(i64, i64)>>>().unwrap()
        };
        let entered = [(1, 10), (2, 10), (3, 10), (4, 20), (5, 10), (6, 10), (7, 10), (8, 30)];
        expiries.write(&connection, entered.into_iter().map(|(job, at)| (job, (None, Some(at))))).unwrap();
        assert_eq!(all(), [(10, 1), (10, 2), (10, 3), (10, 5), (10, 6), (10, 7), (20, 4), (30, 8)]);
        let moved = [
            (2, (Some(10), None)),
            (3, (Some(10), None)),
            (4, (Some(20), Some(20))),
            (5, (Some(10), Some(20))),
            (7, (Some(10), None)),
            (8, (Some(30), Some(10))),
            (9, (None, None)),
        ];
        expiries.write(&connection, moved.into_iter()).unwrap();
        assert_eq!(all(), [(10, 1), (10, 6), (10, 8), (20, 4), (20, 5)]);
    }
}
