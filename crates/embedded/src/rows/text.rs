use std::sync::Arc;

use super::{Columns, Unreadable, table};
use crate::checksum::Checksum;

/// A long text that a change brought: why an attempt failed, or what a worker left for the next one.
pub(crate) struct TextRow<'a> {
    pub(crate) seq: i64,
    pub(crate) job: i64,
    pub(crate) text: &'a str,
    table: u8,
}

impl<'a> TextRow<'a> {
    pub(crate) fn failure(seq: i64, job: i64, text: &'a str) -> TextRow<'a> {
        TextRow { seq, job, text, table: table::FAILURE }
    }

    pub(crate) fn checkpoint(seq: i64, job: i64, text: &'a str) -> TextRow<'a> {
        TextRow { seq, job, text, table: table::CHECKPOINT }
    }

    pub(crate) fn sum(&self, checksum: &mut Checksum) -> i64 {
        checksum.row(self.table, self.seq).int(self.job).text(Some(self.text)).value()
    }

    /// Reads the text that `job` refers to by `seq`, from its sum and itself; there is none without a reference, and there
    /// need be none where the job is erased.
    pub(crate) fn read_failure(
        columns: &mut Columns<'a>,
        seq: Option<i64>,
        job: i64,
        erased: bool,
        checksum: &mut Checksum,
    ) -> Result<Option<Arc<str>>, Unreadable> {
        TextRow::read(columns, seq, erased, checksum, |seq, text| TextRow::failure(seq, job, text))
    }

    /// As [`TextRow::read_failure`].
    pub(crate) fn read_checkpoint(
        columns: &mut Columns<'a>,
        seq: Option<i64>,
        job: i64,
        erased: bool,
        checksum: &mut Checksum,
    ) -> Result<Option<Arc<str>>, Unreadable> {
        TextRow::read(columns, seq, erased, checksum, |seq, text| TextRow::checkpoint(seq, job, text))
    }

    fn read(
        columns: &mut Columns<'a>,
        seq: Option<i64>,
        erased: bool,
        checksum: &mut Checksum,
        row: impl FnOnce(i64, &'a str) -> TextRow<'a>,
    ) -> Result<Option<Arc<str>>, Unreadable> {
        let (sum, text) = (columns.maybe()?, columns.text()?);
        let Some(seq) = seq else { return Ok(None) };
        if erased && text.is_none() {
            return Ok(None);
        }
        let row = row(seq, text.ok_or(Unreadable)?);
        if Some(row.sum(checksum)) == sum { Ok(Some(Arc::from(row.text))) } else { Err(Unreadable) }
    }
}
