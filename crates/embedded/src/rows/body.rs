use std::sync::{Arc, LazyLock};

use ackd_domain::{Body, JSON};
use bytes::Bytes;
use rusqlite::{Row, Statement};

use super::job::{SUBMISSION_SUM, SUBMISSION_TYPE};
use super::{Columns, Unreadable, table};
use crate::checksum::Checksum;

/// The bytes of a payload or a result, and their checksum.
pub(crate) struct BodyRow<'a> {
    pub(crate) number: i64,
    pub(crate) content_type: Option<&'a str>,
    pub(crate) bytes: &'a [u8],
    table: u8,
}

impl<'a> BodyRow<'a> {
    pub(crate) fn payload(number: i64, body: &'a Body) -> BodyRow<'a> {
        BodyRow { number, content_type: written(&body.content_type), bytes: &body.bytes, table: table::PAYLOAD }
    }

    pub(crate) fn result(number: i64, body: &'a Body) -> BodyRow<'a> {
        BodyRow { number, content_type: written(&body.content_type), bytes: &body.bytes, table: table::RESULT }
    }

    /// Binds the columns of a result, in their order, to the parameters from `first` on.
    pub(crate) fn bind(
        &self,
        statement: &mut Statement<'_>,
        first: usize,
        checksum: &mut Checksum,
    ) -> rusqlite::Result<()> {
        statement.raw_bind_parameter(first, self.number)?;
        statement.raw_bind_parameter(first + 1, self.sum(checksum))?;
        statement.raw_bind_parameter(first + 2, self.content_type)?;
        statement.raw_bind_parameter(first + 3, self.bytes)
    }

    pub(super) fn sum(&self, checksum: &mut Checksum) -> i64 {
        checksum.row(self.table, self.number).text(self.content_type).with_body(self.bytes)
    }

    /// Reads the payload of job `number`; `sums` is the checksum's column of its submission.
    pub(crate) fn read_payload(
        number: i64,
        content_type: Option<&'a str>,
        bytes: &'a [u8],
        sums: i64,
        checksum: &mut Checksum,
    ) -> Result<Body, Unreadable> {
        BodyRow { number, content_type, bytes, table: table::PAYLOAD }.checked(sums >> 32, checksum)
    }

    /// Reads the payload in `bytes` of a job that was selected by `select_job`.
    pub(crate) fn read_payload_of(
        row: &'a Row<'a>,
        number: i64,
        bytes: &'a [u8],
        checksum: &mut Checksum,
    ) -> Result<Body, Unreadable> {
        let sums = Columns::from(row, SUBMISSION_SUM).int()?;
        let content_type = Columns::from(row, SUBMISSION_TYPE).text()?;
        BodyRow::read_payload(number, content_type, bytes, sums, checksum)
    }

    /// Reads the columns id, crc, content_type and body of a result's row.
    pub(crate) fn read_result(columns: &mut Columns<'a>, checksum: &mut Checksum) -> Result<Body, Unreadable> {
        let (number, sum) = (columns.int()?, columns.int()?);
        let (content_type, bytes) = (columns.text()?, columns.blob()?.ok_or(Unreadable)?);
        BodyRow { number, content_type, bytes, table: table::RESULT }.checked(sum, checksum)
    }

    fn checked(&self, sum: i64, checksum: &mut Checksum) -> Result<Body, Unreadable> {
        if self.sum(checksum) != sum {
            return Err(Unreadable);
        }
        Ok(Body { content_type: type_of(self.content_type), bytes: Bytes::copy_from_slice(self.bytes) })
    }
}

/// The text of `application/json`, shared by all who have it.
fn json() -> Arc<str> {
    static SHARED: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from(JSON));
    Arc::clone(&SHARED)
}

/// A content type as it is stored: nothing for the usual one.
pub(super) fn written(content_type: &str) -> Option<&str> {
    (content_type != JSON).then_some(content_type)
}

/// The content type that is stored so.
pub(crate) fn type_of(stored: Option<&str>) -> Arc<str> {
    stored.map_or_else(json, Arc::from)
}
