use ackd_domain::{File, Name, Timestamp};
use rusqlite::Row;

use super::{Columns, Unreadable, table};
use crate::checksum::Checksum;

/// The columns of a file's row, its checksum apart.
pub(crate) const FILE_COLUMNS: &str = "id, name, content_type, size, sum, created_at, expires_at, refs, condemned";

/// The checksum of a file's row.
pub(crate) fn file_sum(file: &File, checksum: &mut Checksum) -> i64 {
    checksum
        .row(table::FILE, 0)
        .text(Some(&file.id.to_string()))
        .text(file.name.as_ref().map(Name::as_str))
        .text(Some(&file.content_type))
        .int(file.size.cast_signed())
        .int(file.sum.into())
        .int(file.created_at.millis())
        .int(file.expires_at.millis())
        .int(file.references.cast_signed())
        .int(file.condemned.into())
        .value()
}

/// Reads [`FILE_COLUMNS`] and the checksum.
pub(crate) fn read_file(row: &Row<'_>, checksum: &mut Checksum) -> Result<File, Unreadable> {
    let mut columns = Columns::from(row, 0);
    let file = File {
        id: columns.text()?.ok_or(Unreadable)?.parse().map_err(|_| Unreadable)?,
        name: columns.text()?.map(Name::new).transpose().map_err(|_| Unreadable)?,
        content_type: columns.text()?.ok_or(Unreadable)?.into(),
        size: columns.int()?.cast_unsigned(),
        sum: u32::try_from(columns.int()?).map_err(|_| Unreadable)?,
        created_at: Timestamp::from_millis(columns.int()?),
        expires_at: Timestamp::from_millis(columns.int()?),
        references: columns.int()?.cast_unsigned(),
        condemned: columns.int()? != 0,
    };
    if file_sum(&file, checksum) == columns.int()? { Ok(file) } else { Err(Unreadable) }
}
