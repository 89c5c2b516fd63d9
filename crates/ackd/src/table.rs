//! Tables for people.

use crate::console::{Colour, Console};

/// The most characters of a cell; the rest of a longer text is cut.
const WIDTH: usize = 60;

/// What stands in one place of a table.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    colour: Option<Colour>,
}

impl Cell {
    /// A text. Control characters are taken out of it, and what is too long is cut.
    pub(crate) fn new(text: impl AsRef<str>) -> Cell {
        Cell { text: crate::words::cut(text.as_ref(), WIDTH), colour: None }
    }

    /// The same in a colour.
    pub(crate) fn painted(text: impl AsRef<str>, colour: Option<Colour>) -> Cell {
        Cell { colour, ..Cell::new(text) }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

/// Rows under heads. Columns in which nothing stands are left out.
#[derive(Debug)]
pub(crate) struct Table<const N: usize> {
    heads: [&'static str; N],
    rows: Vec<[Cell; N]>,
}

impl<const N: usize> Table<N> {
    /// An empty table.
    pub(crate) fn new(heads: [&'static str; N]) -> Table<N> {
        Table { heads, rows: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, row: [Cell; N]) {
        self.rows.push(row);
    }

    /// Whether it has no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The lines of the table.
    pub(crate) fn lines(&self, console: Console) -> Vec<String> {
        let heads = self.heads.map(|head| Cell::painted(head, Some(Colour::Bold)));
        let columns: Vec<(usize, usize)> = (0..N)
            .filter_map(|column| {
                let widest = self.rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
                (widest > 0).then_some((column, widest.max(heads[column].width())))
            })
            .collect();
        std::iter::once(&heads)
            .chain(&self.rows)
            .map(|row| {
                let mut line = String::new();
                for (place, (column, width)) in columns.iter().enumerate() {
                    let cell = &row[*column];
                    line.push_str(&console.paint(cell.colour, &cell.text));
                    if place + 1 < columns.len() {
                        line.extend(std::iter::repeat_n(' ', width - cell.width() + 2));
                    }
                }
                line.trim_end().to_owned()
            })
            .collect()
    }

    /// Prints it.
    pub(crate) fn print(&self, console: Console) -> std::io::Result<()> {
        self.lines(console).iter().try_for_each(|line| console.line(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Console = Console { is_json: false, is_terminal: true, is_coloured: false };

    fn table() -> Table<3> {
        let mut table = Table::new(["NAME", "EMPTY", "N"]);
        table.row([Cell::new("a"), Cell::new(""), Cell::painted("1", Some(Colour::Red))]);
        table.row([Cell::new("long é\x1b name"), Cell::new(""), Cell::new("")]);
        table
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_empty_ones_are_left_out() {
        assert_eq!(table().lines(PLAIN), ["NAME          N", "a             1", "long é\u{fffd} name"]);
    }

    #[test]
    fn colours_do_not_count_as_width() {
        let lines = table().lines(Console { is_coloured: true, ..PLAIN });
        assert_eq!(lines[1], "a             \x1b[31m1\x1b[0m");
    }

    #[test]
    fn long_texts_are_cut() {
        let mut table = Table::new(["A"]);
        table.row([Cell::new("x".repeat(WIDTH + 1))]);
        assert_eq!(table.lines(PLAIN)[1], "x".repeat(WIDTH - 1) + "…");
    }
}
