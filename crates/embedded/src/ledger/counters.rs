use ackd_domain::Position;
use ackd_ports::Entropy;

/// What was drawn last, committed or not, and where chance comes from.
///
/// What a failed batch drew is not drawn again. After a crash the counters start from what is stored:
/// what was drawn and not committed has never left the process.
pub(super) struct Counters {
    pub(super) number: u64,
    pub(super) position: Position,
    pub(super) entropy: Box<dyn Entropy>,
}
