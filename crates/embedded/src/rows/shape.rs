/// How much of a row there is to say. Each column costs, and what a statement does not name has the value
/// that the schema gives it: so most rows are written by a statement that names few.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Of a job that was accepted and nothing more.
    First,
    /// The same with an expiry of its own, as what is put off has.
    FirstExpiring,
    /// Of a job that has been worked on, as most are.
    Plain,
    /// The same with an expiry of its own.
    Expiring,
    /// Of a job with something else of its own; every column is named.
    Rare,
}

impl Shape {
    pub(crate) const ALL: [Shape; 5] = [Shape::First, Shape::FirstExpiring, Shape::Plain, Shape::Expiring, Shape::Rare];

    /// The least shape that says so much.
    pub(super) const fn of(plain: bool, expiry: bool, rare: bool) -> Shape {
        match (plain, expiry) {
            _ if rare => Shape::Rare,
            (false, false) => Shape::First,
            (false, true) => Shape::FirstExpiring,
            (true, false) => Shape::Plain,
            (true, true) => Shape::Expiring,
        }
    }

    /// The least shape that says what either does.
    pub(crate) const fn and(self, other: Shape) -> Shape {
        let is_rare = matches!(self, Shape::Rare) || matches!(other, Shape::Rare);
        Shape::of(self.has_plain() || other.has_plain(), self.has_expiry() || other.has_expiry(), is_rare)
    }

    /// Whether it says what every job that was leased has.
    pub(super) const fn has_plain(self) -> bool {
        matches!(self, Shape::Plain | Shape::Expiring | Shape::Rare)
    }

    /// Whether it says when the job expires.
    pub(super) const fn has_expiry(self) -> bool {
        matches!(self, Shape::FirstExpiring | Shape::Expiring | Shape::Rare)
    }
}
