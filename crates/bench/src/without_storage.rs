//! The bound of HTTP: the same server, parse, decisions and documents, and a ledger that forgets
//! everything at once.

use std::io;
use std::sync::Arc;

use ackd_domain::{
    Command, Draws, Endpoint, IdempotencyKey, Job, Name, Position, Queue, Schedule, Started, Timestamp, Write,
};
use ackd_ports::{Applied, Entropy, Ledger, LedgerError, Reactor, ReadError, Rows, SystemEntropy, decide_batch};

/// Decides and forgets.
pub(crate) struct ForgetfulLedger {
    entropy: SystemEntropy,
    number: u64,
    position: Position,
}

impl ForgetfulLedger {
    /// A ledger that holds nothing and never will.
    pub(crate) fn new() -> io::Result<ForgetfulLedger> {
        Ok(ForgetfulLedger { entropy: SystemEntropy::new()?, number: 0, position: Position::START })
    }
}

impl Draws for ForgetfulLedger {
    fn number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    fn position(&mut self) -> Position {
        self.position = self.position.next();
        self.position
    }

    fn random(&mut self) -> u64 {
        self.entropy.random()
    }
}

impl Rows for ForgetfulLedger {
    fn job(&mut self, _: u64) -> Result<Option<Arc<Job>>, ReadError> {
        Ok(None)
    }

    fn holder(&mut self, _: &IdempotencyKey) -> Result<Option<Arc<Job>>, ReadError> {
        Ok(None)
    }

    fn rival(&mut self, _: &Name, _: &Arc<str>) -> Result<Option<Arc<Job>>, ReadError> {
        Ok(None)
    }

    fn queue(&mut self, _: &Name) -> Result<Option<Arc<Queue>>, ReadError> {
        Ok(None)
    }

    fn started(&mut self, _: &Name) -> Result<Option<Started>, ReadError> {
        Ok(None)
    }

    fn endpoint(&mut self, _: &Name) -> Result<Option<Arc<Endpoint>>, ReadError> {
        Ok(None)
    }

    fn endpoints(&mut self) -> Result<usize, ReadError> {
        Ok(0)
    }

    fn position_of(&mut self, _: &Name) -> Result<Option<Position>, ReadError> {
        Ok(None)
    }

    fn schedule(&mut self, _: &Name) -> Result<Option<Arc<Schedule>>, ReadError> {
        Ok(None)
    }

    fn schedules(&mut self) -> Result<usize, ReadError> {
        Ok(0)
    }

    fn first_in_line(&mut self, _: &Name, _: &str, _: &[u64]) -> Result<Option<u64>, ReadError> {
        Ok(None)
    }

    fn followers(&mut self, _: u64, _: u64, _: usize) -> Result<Vec<u64>, ReadError> {
        Ok(Vec::new())
    }

    fn waits_for_another(&mut self, _: &Job, _: u64) -> Result<bool, ReadError> {
        Ok(false)
    }

    fn file(&mut self, _: ackd_domain::FileId) -> Result<Option<Arc<ackd_domain::File>>, ReadError> {
        Ok(None)
    }

    fn file_named(&mut self, _: &Name) -> Result<Option<Arc<ackd_domain::File>>, ReadError> {
        Ok(None)
    }

    fn slowest(&mut self) -> Result<Option<Position>, ReadError> {
        Ok(None)
    }

    fn write(&mut self, _: Write) -> Result<(), LedgerError> {
        Ok(())
    }
}

impl Ledger for ForgetfulLedger {
    fn apply(&mut self, commands: Vec<Command>, now: Timestamp, _: &mut dyn Reactor) -> Result<Applied, LedgerError> {
        // The dispatcher is not asked: it would keep in memory what no ledger holds.
        decide_batch(self, commands, now, &mut ackd_ports::Idle)
    }
}
