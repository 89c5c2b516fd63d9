use std::fmt;
use std::sync::Arc;

use ackd_ports::{ChangeFeed, Ledger, LedgerError, LedgerReader};

/// An opened ledger with what reads it.
pub struct Opened {
    /// The one writer.
    pub ledger: Box<dyn Ledger>,
    /// What reads beside it.
    pub reader: Arc<dyn LedgerReader>,
    /// Its change feed.
    pub feed: Arc<dyn ChangeFeed>,
}

/// A ledger that starts empty, and what can be done to it in a test.
pub struct Fixture {
    opened: Option<Opened>,
    reopen: Option<Box<dyn FnMut() -> Opened>>,
    fail_next: Option<Box<dyn FnMut(LedgerError)>>,
}

impl Fixture {
    /// A ledger that is gone once it is closed.
    #[must_use]
    pub fn volatile(opened: Opened) -> Fixture {
        Fixture { opened: Some(opened), reopen: None, fail_next: None }
    }

    /// A ledger that keeps what it has: `open` opens the same one each time. Everything of the time
    /// before is dropped first.
    #[must_use]
    pub fn durable(mut open: impl FnMut() -> Opened + 'static) -> Fixture {
        let fixture = Fixture::volatile(open());
        Fixture { reopen: Some(Box::new(open)), ..fixture }
    }

    /// With a way to fail the next batch, at its commit, so.
    #[must_use]
    pub fn failing(self, fail_next: impl FnMut(LedgerError) + 'static) -> Fixture {
        Fixture { fail_next: Some(Box::new(fail_next)), ..self }
    }

    pub(super) fn ledger(&mut self) -> &mut dyn Ledger {
        &mut *self.opened.as_mut().expect("the ledger is open").ledger
    }

    pub(super) fn reader(&self) -> &Arc<dyn LedgerReader> {
        &self.opened.as_ref().expect("the ledger is open").reader
    }

    pub(super) fn feed(&self) -> &Arc<dyn ChangeFeed> {
        &self.opened.as_ref().expect("the ledger is open").feed
    }

    /// Closes the ledger and opens it again, where it is durable.
    pub(super) fn reopen(&mut self) -> bool {
        let Some(reopen) = &mut self.reopen else { return false };
        self.opened = None;
        self.opened = Some(reopen());
        true
    }

    /// Fails the next batch, where that can be done.
    pub(super) fn fail_next(&mut self, error: LedgerError) -> bool {
        self.fail_next.as_mut().map(|fail_next| fail_next(error)).is_some()
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").finish_non_exhaustive()
    }
}

impl fmt::Debug for Fixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fixture").field("durable", &self.reopen.is_some()).finish_non_exhaustive()
    }
}
