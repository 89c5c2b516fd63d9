/// A point of the change feed: the place of one change in the order in which the ledger committed them.
///
/// Positions grow and are never given out twice, not even after a crash, so that the position of a
/// lease's own change fences that lease. 0 is the point before the first change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(pub u64);

impl Position {
    /// The point before the first change.
    pub const START: Position = Position(0);

    /// The position after this one.
    #[must_use]
    pub const fn next(self) -> Position {
        Position(self.0 + 1)
    }
}
