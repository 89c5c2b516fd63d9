/// How much of a row there is to say. Each column costs, and what a statement does not name has the value
/// that the schema gives it: so most rows are written by a statement that names few.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Of a job that was accepted and nothing more.
    First,
    /// Of a job that has been worked on, as most are.
    Plain,
    /// Of a job with something of its own; every column is named.
    Rare,
}
