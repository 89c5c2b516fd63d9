use std::borrow::Cow;
use std::sync::Arc;

use ackd_domain::{IdempotencyKey, Name, Spec};
use rusqlite::Statement;

use super::{Columns, Unreadable, table};
use crate::checksum::Checksum;

/// The keys of a job by which it is looked for: its idempotency key, its unique key, or both.
pub(crate) struct KeyRow<'a> {
    pub(crate) number: i64,
    /// The idempotency key, and the fingerprint of its request.
    pub(crate) idempotency: Option<(&'a str, [u8; 16])>,
    /// The unique key, behind its queue.
    pub(crate) once: Option<Cow<'a, str>>,
}

/// The keys as they were read.
#[derive(Default)]
pub(super) struct Keys {
    pub(super) key: Option<IdempotencyKey>,
    pub(super) unique: Option<Arc<str>>,
}

/// A unique key behind its queue, whose name has no slash.
pub(crate) fn once(queue: &Name, key: &str) -> String {
    [queue.as_str(), "/", key].concat()
}

impl<'a> KeyRow<'a> {
    /// How many columns [`KeyRow::read`] reads.
    pub(super) const COLUMNS: usize = 4;

    /// The row of a job that has a key at all.
    pub(crate) fn of(number: i64, spec: &'a Spec) -> Option<KeyRow<'a>> {
        let idempotency = spec.key.as_ref().map(|key| (&*key.text, key.fingerprint.to_be_bytes()));
        let once = spec.unique.as_ref().map(|key| Cow::Owned(once(&spec.queue, key)));
        (idempotency.is_some() || once.is_some()).then_some(KeyRow { number, idempotency, once })
    }

    /// Binds the columns, in their order, to the parameters from `first` on.
    pub(crate) fn bind(
        &self,
        statement: &mut Statement<'_>,
        first: usize,
        checksum: &mut Checksum,
    ) -> rusqlite::Result<()> {
        statement.raw_bind_parameter(first, self.number)?;
        statement.raw_bind_parameter(first + 1, self.text())?;
        statement.raw_bind_parameter(first + 2, self.fingerprint())?;
        statement.raw_bind_parameter(first + 3, self.once.as_deref())?;
        statement.raw_bind_parameter(first + 4, self.sum(checksum))
    }

    pub(crate) fn text(&self) -> Option<&'a str> {
        self.idempotency.map(|(text, _)| text)
    }

    fn fingerprint(&self) -> Option<[u8; 16]> {
        self.idempotency.map(|(_, fingerprint)| fingerprint)
    }

    fn sum(&self, checksum: &mut Checksum) -> i64 {
        let fingerprint = self.fingerprint();
        checksum
            .row(table::KEY, self.number)
            .text(self.text())
            .bytes(fingerprint.as_ref().map(|bytes| &bytes[..]))
            .text(self.once.as_deref())
            .value()
    }

    /// Reads the columns after the number of the keys of job `number`.
    pub(crate) fn read(
        columns: &mut Columns<'a>,
        number: i64,
        checksum: &mut Checksum,
    ) -> Result<KeyRow<'a>, Unreadable> {
        let (text, fingerprint, once, sum) = (columns.text()?, columns.blob()?, columns.text()?, columns.maybe()?);
        let fingerprint = fingerprint.map(|bytes| bytes.try_into().map_err(|_| Unreadable)).transpose()?;
        let idempotency = match (text, fingerprint) {
            (Some(text), Some(fingerprint)) => Some((text, fingerprint)),
            (None, None) => None,
            _ => return Err(Unreadable),
        };
        let row = KeyRow { number, idempotency, once: once.map(Cow::Borrowed) };
        if Some(row.sum(checksum)) == sum { Ok(row) } else { Err(Unreadable) }
    }

    pub(super) fn keys(&self) -> Result<Keys, Unreadable> {
        let key = self.idempotency.map(|(text, fingerprint)| IdempotencyKey {
            text: Arc::from(text),
            fingerprint: u128::from_be_bytes(fingerprint),
        });
        let unique = match &self.once {
            Some(once) => Some(Arc::from(once.split_once('/').ok_or(Unreadable)?.1)),
            None => None,
        };
        Ok(Keys { key, unique })
    }
}
