use rusqlite::Row;
use rusqlite::types::ValueRef;

/// A column does not hold what it must, or a checksum does not match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// The columns of a row, one after the other.
pub(crate) struct Columns<'r> {
    row: &'r Row<'r>,
    at: usize,
}

impl<'r> Columns<'r> {
    /// From column `at` on.
    pub(crate) fn from(row: &'r Row<'r>, at: usize) -> Columns<'r> {
        Columns { row, at }
    }

    fn value(&mut self) -> Result<ValueRef<'r>, Unreadable> {
        let value = self.row.get_ref(self.at).map_err(|_| Unreadable)?;
        self.at += 1;
        Ok(value)
    }

    /// Passes over so many columns.
    pub(crate) fn skip(&mut self, columns: usize) {
        self.at += columns;
    }

    pub(crate) fn maybe(&mut self) -> Result<Option<i64>, Unreadable> {
        match self.value()? {
            ValueRef::Integer(value) => Ok(Some(value)),
            ValueRef::Null => Ok(None),
            _ => Err(Unreadable),
        }
    }

    pub(crate) fn int(&mut self) -> Result<i64, Unreadable> {
        self.maybe()?.ok_or(Unreadable)
    }

    pub(crate) fn text(&mut self) -> Result<Option<&'r str>, Unreadable> {
        match self.value()? {
            ValueRef::Text(value) => std::str::from_utf8(value).map(Some).map_err(|_| Unreadable),
            ValueRef::Null => Ok(None),
            _ => Err(Unreadable),
        }
    }

    pub(crate) fn blob(&mut self) -> Result<Option<&'r [u8]>, Unreadable> {
        match self.value()? {
            ValueRef::Blob(value) => Ok(Some(value)),
            ValueRef::Null => Ok(None),
            _ => Err(Unreadable),
        }
    }
}
