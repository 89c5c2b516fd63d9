use rusqlite::types::Value;

use super::table;
use crate::checksum::Checksum;

/// The checksum of a row of `meta`. A value is an integer or a blob; another type is not ours.
pub(crate) fn meta_sum(name: &str, value: &Value, checksum: &mut Checksum) -> i64 {
    let (number, bytes) = match value {
        Value::Integer(number) => (Some(*number), None),
        Value::Blob(bytes) => (None, Some(bytes.as_slice())),
        _ => (None, None),
    };
    checksum.row(table::META, 0).text(Some(name)).maybe(number).bytes(bytes).value()
}
