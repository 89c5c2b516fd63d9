use ackd_domain::Position;

/// Slots, of 8 bytes each.
const SLOTS: usize = 64 << 10;

/// Up to which position jobs were written, so that one that was read elsewhere is known to be as it is.
///
/// Many jobs share a slot, which then has the latest of them: a job may seem to be written later than it
/// was, never earlier.
#[derive(Debug)]
pub(super) struct Written(Box<[Position]>);

impl Written {
    pub(super) fn new() -> Written {
        Written(vec![Position::START; SLOTS].into())
    }

    /// The job `number` was written by a batch that ended at `position`.
    pub(super) fn note(&mut self, number: u64, position: Position) {
        self.0[slot(number)] = position;
    }

    /// Whether the job `number` may have been written after `position`.
    pub(super) fn since(&self, number: u64, position: Position) -> bool {
        self.0[slot(number)] > position
    }
}

#[expect(clippy::cast_possible_truncation, reason = "less than SLOTS")]
const fn slot(number: u64) -> usize {
    (number % SLOTS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_never_taken_for_older_than_it_is() {
        let mut written = Written::new();
        assert!(!written.since(7, Position(0)));
        written.note(7, Position(10));
        assert!(written.since(7, Position(9)));
        assert!(!written.since(7, Position(10)));
        written.note(7 + SLOTS as u64, Position(20));
        assert!(written.since(7, Position(10)), "its slot is shared");
        assert!(!written.since(8, Position(0)));
    }
}
