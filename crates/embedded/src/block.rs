use rusqlite::{Connection, Statement};

/// Rows that one statement writes. A statement costs as much to begin and to end as a row or two, and
/// within one the end of a table need not be looked for again.
const LARGE: usize = 64;
const SMALL: usize = 8;

/// Writes rows of one table, many at a time.
#[derive(Debug)]
pub(crate) struct Block {
    columns: usize,
    large: String,
    small: String,
    one: String,
}

impl Block {
    /// For rows of these columns, separated by commas.
    pub(crate) fn new(table: &str, columns: &str) -> Block {
        Block::with(table, columns, "")
    }

    /// For rows that are there already, by their `id`: the other columns get these values. Though it
    /// is written as an insert, it is faster than an update for each row.
    pub(crate) fn update(table: &str, columns: &str) -> Block {
        let names = columns.split(", ").filter(|column| *column != "id");
        let set: Vec<String> = names.map(|column| format!("{column} = excluded.{column}")).collect();
        Block::with(table, columns, &format!("ON CONFLICT (id) DO UPDATE SET {}", set.join(", ")))
    }

    /// As [`Block::new`]; a row that is there already stays as it is.
    pub(crate) fn unless_there(table: &str, columns: &str) -> Block {
        Block::with(table, columns, "ON CONFLICT DO NOTHING")
    }

    fn with(table: &str, columns: &str, tail: &str) -> Block {
        let many = columns.split(',').count();
        let row = format!("({})", vec!["?"; many].join(","));
        // A statement that fails undoes the whole batch. Were it to undo itself alone, as without `OR FAIL`, SQLite
        // would copy every page that it touches first.
        let statement = |rows| {
            format!("INSERT OR FAIL INTO {table} ({columns}) VALUES {} {tail}", vec![row.as_str(); rows].join(","))
        };
        Block { columns: many, large: statement(LARGE), small: statement(SMALL), one: statement(1) }
    }

    /// Writes a row for each of `items`. `bind` is told the first parameter of its row.
    pub(crate) fn write<T>(
        &self,
        connection: &Connection,
        items: &[T],
        mut bind: impl FnMut(&mut Statement<'_>, usize, &T) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let (large, rest) = items.as_chunks::<LARGE>();
        let (small, rest) = rest.as_chunks::<SMALL>();
        let mut write = |sql: &str, blocks: &mut dyn Iterator<Item = &[T]>| -> rusqlite::Result<()> {
            let mut blocks = blocks.peekable();
            if blocks.peek().is_none() {
                return Ok(());
            }
            let mut statement = connection.prepare_cached(sql)?;
            for block in blocks {
                for (row, item) in block.iter().enumerate() {
                    bind(&mut statement, 1 + row * self.columns, item)?;
                }
                statement.raw_execute()?;
            }
            Ok(())
        };
        write(&self.large, &mut large.iter().map(<[T; LARGE]>::as_slice))?;
        write(&self.small, &mut small.iter().map(<[T; SMALL]>::as_slice))?;
        write(&self.one, &mut rest.chunks(1))
    }
}
