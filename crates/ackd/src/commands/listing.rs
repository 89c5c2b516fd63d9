use std::io;

use serde::Serialize;

use crate::console::{Console, note};
use crate::exit::Exit;
use crate::table::{Cell, Table};

/// A list as it is shown: each entry as JSON as it comes, or all of them in a table at the end.
pub(crate) struct Listing<const N: usize> {
    console: Console,
    table: Table<N>,
}

impl<const N: usize> Listing<N> {
    /// An empty list whose table has these heads.
    pub(crate) fn new(console: Console, heads: [&'static str; N]) -> Listing<N> {
        Listing { console, table: Table::new(heads) }
    }

    /// Adds an entry.
    pub(crate) fn add(&mut self, document: &impl Serialize, row: impl FnOnce() -> [Cell; N]) -> io::Result<()> {
        if self.console.is_json {
            return self.console.document(document);
        }
        self.table.row(row());
        Ok(())
    }

    /// Shows what remains to be shown; `nothing` says what an empty list means.
    pub(crate) fn finish(self, nothing: &str) -> io::Result<Exit> {
        if self.console.is_json {
            return Ok(Exit::Fine);
        }
        if self.table.is_empty() {
            note(nothing);
        } else {
            self.table.print(self.console)?;
        }
        Ok(Exit::Fine)
    }
}
