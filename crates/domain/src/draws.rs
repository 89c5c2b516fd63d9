use crate::Position;

/// What a decision draws rather than computes: numbers that must not repeat, and chance.
///
/// A test or a simulation passes a seeded one and gets the same decision again.
pub trait Draws {
    /// The acceptance number of the next job; it never repeats and grows with each call.
    fn number(&mut self) -> u64;

    /// The position of the next change; it never repeats and grows with each call.
    fn position(&mut self) -> Position;

    /// 64 random bits, good enough for a secret.
    fn random(&mut self) -> u64;
}
