use super::table;
use crate::checksum::Checksum;

/// The checksum of a consumer's row.
pub(crate) fn consumer_sum(name: &str, position: i64, checksum: &mut Checksum) -> i64 {
    checksum.row(table::CONSUMER, position).text(Some(name)).value()
}
