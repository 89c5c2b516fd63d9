use ackd_domain::{Change, Position};
use ackd_ports::{ChangeFeed, FeedError, ReadError};
use rusqlite::Connection;

use crate::checksum::Checksum;
use crate::fault::Fault;
use crate::integer::{limited, saturated};
use crate::lane::Lanes;
use crate::meta;
use crate::pool::Reading;
use crate::reader::EmbeddedReader;
use crate::rows::{ChangeRow, Columns, select_change};

/// The most changes that are read at once, so that no read holds the write-ahead log for long.
const AT_ONCE: usize = 8192;

impl ChangeFeed for EmbeddedReader {
    fn changes(&self, after: Position, limit: usize) -> Result<Vec<Change>, FeedError> {
        self.read(|reading, lanes| {
            // One snapshot for both: nothing is purged between the look and the read.
            let Reading { connection, checksum } = reading;
            let snapshot = connection.unchecked_transaction()?;
            let purged = Position(meta::purged(connection)?);
            if after < purged {
                return Ok(Err(FeedError::Purged(purged)));
            }
            let changes = changes(connection, checksum, lanes, after, limit.min(AT_ONCE))?;
            if changes.is_empty() {
                let head = Position(meta::head(connection)?);
                if after > head {
                    return Ok(Err(FeedError::Beyond(head)));
                }
            }
            snapshot.finish()?;
            Ok(Ok(changes))
        })
        .map_err(FeedError::Read)?
    }

    fn head(&self) -> Result<Position, ReadError> {
        self.read(|reading, _| Ok(Position(meta::head(&reading.connection)?)))
    }

    fn earliest(&self) -> Result<Position, ReadError> {
        self.read(|reading, _| Ok(Position(meta::purged(&reading.connection)?)))
    }
}

fn changes(
    connection: &Connection,
    checksum: &mut Checksum,
    lanes: &Lanes,
    after: Position,
    limit: usize,
) -> Result<Vec<Change>, Fault> {
    const AFTER: &str = concat!(select_change!(), "WHERE change.seq > ?1 ORDER BY change.seq LIMIT ?2");
    let mut statement = connection.prepare_cached(AFTER)?;
    let mut rows = statement.query((saturated(after.0), limited(limit)))?;
    let mut changes = Vec::new();
    while let Some(row) = rows.next()? {
        let change = ChangeRow::read(&mut Columns::from(row, 0), checksum, |id| lanes.by_id(connection, id));
        changes.push(change.map_err(|fault: Fault| fault.of(|| format!("change {}", seq(row))))?);
    }
    Ok(changes)
}

/// The change at `position`, if it is kept.
pub(crate) fn change(reading: &mut Reading, lanes: &Lanes, position: Position) -> Result<Option<Change>, Fault> {
    const AT: &str = concat!(select_change!(), "WHERE change.seq = ?1");
    let Reading { connection, checksum } = reading;
    let mut statement = connection.prepare_cached(AT)?;
    let mut rows = statement.query([position.0.cast_signed()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let change = ChangeRow::read(&mut Columns::from(row, 0), checksum, |id| lanes.by_id(connection, id));
    change.map(Some).map_err(|fault: Fault| fault.of(|| format!("change {}", position.0)))
}

fn seq(row: &rusqlite::Row<'_>) -> i64 {
    row.get(0).unwrap_or_default()
}
