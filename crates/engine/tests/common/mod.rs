//! What the tests of a running engine share.

use std::sync::Arc;

use ackd_engine::dispatch::WindowLimits;
use ackd_engine::{Engine, MailboxLimits, Parts};
use ackd_memory::{Faults, MemoryLedger};
use ackd_ports::{Clock, SeededEntropy};

/// An engine over an empty ledger in memory, and what makes that fail.
pub(crate) fn engine(clock: Arc<dyn Clock>) -> (Engine, Faults) {
    let ledger = MemoryLedger::new(SeededEntropy::new(3));
    let (reader, faults) = (ledger.reader(), ledger.faults());
    let engine = Engine::start(Parts {
        ledger: Box::new(ledger),
        reader: reader.clone(),
        feed: reader,
        clock,
        mailbox: MailboxLimits::default(),
        window: WindowLimits::default(),
        feed_retention: ackd_domain::limits::DEFAULT_FEED_RETENTION,
    });
    (engine.expect("a new engine starts"), faults)
}
