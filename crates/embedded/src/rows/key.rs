use std::sync::Arc;

use ackd_domain::IdempotencyKey;
use rusqlite::Statement;

use super::{Columns, Unreadable, table};
use crate::checksum::Checksum;

/// The idempotency key of a job.
pub(crate) struct KeyRow<'a> {
    pub(crate) number: i64,
    pub(crate) text: &'a str,
    pub(crate) fingerprint: [u8; 16],
}

impl<'a> KeyRow<'a> {
    pub(crate) fn of(number: i64, key: &'a IdempotencyKey) -> KeyRow<'a> {
        KeyRow { number, text: &key.text, fingerprint: key.fingerprint.to_be_bytes() }
    }

    /// Binds the columns, in their order, to the parameters from `first` on.
    pub(crate) fn bind(
        &self,
        statement: &mut Statement<'_>,
        first: usize,
        checksum: &mut Checksum,
    ) -> rusqlite::Result<()> {
        statement.raw_bind_parameter(first, self.number)?;
        statement.raw_bind_parameter(first + 1, self.text)?;
        statement.raw_bind_parameter(first + 2, self.fingerprint)?;
        statement.raw_bind_parameter(first + 3, self.sum(checksum))
    }

    fn sum(&self, checksum: &mut Checksum) -> i64 {
        checksum.row(table::KEY, self.number).text(Some(self.text)).bytes(Some(&self.fingerprint)).value()
    }

    /// Reads text, fingerprint and checksum of the key of job `number`, which has one where `keyed`.
    pub(crate) fn read(
        columns: &mut Columns<'a>,
        number: i64,
        keyed: bool,
        checksum: &mut Checksum,
    ) -> Result<Option<IdempotencyKey>, Unreadable> {
        let (text, fingerprint, sum) = (columns.text()?, columns.blob()?, columns.maybe()?);
        if !keyed {
            return Ok(None);
        }
        let fingerprint = fingerprint.and_then(|bytes| bytes.try_into().ok()).ok_or(Unreadable)?;
        let row = KeyRow { number, text: text.ok_or(Unreadable)?, fingerprint };
        if Some(row.sum(checksum)) != sum {
            return Err(Unreadable);
        }
        Ok(Some(IdempotencyKey { text: Arc::from(row.text), fingerprint: u128::from_be_bytes(fingerprint) }))
    }
}
