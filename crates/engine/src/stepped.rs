//! An engine without threads, for simulations: whoever drives it says when each part has its turn, so that a seed decides
//! in which order things happen.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::time::Duration;

use crate::core::{Core, Input};
use crate::engine::{Engine, Parts, StartError, turn};
use crate::mailbox::Weight;
use crate::pager::{self, PagerRequest};

thread_local! {
    static DRIVEN: Cell<bool> = const { Cell::new(false) };
}

/// Whether engines of this thread are stepped ones: then their reads are made here and not on a thread of their own.
pub(crate) fn drives_this_thread() -> bool {
    DRIVEN.get()
}

/// What has its turn: the core, the pager and the tail of the feed. Dropped, it is as if the process were killed: nobody who
/// waits for an answer gets one, and nothing further happens.
pub struct Stepped {
    engine: Engine,
    core: Core,
    /// What the pager is to read.
    reads: VecDeque<PagerRequest>,
}

impl Stepped {
    /// An engine over `parts`, none of which starts a thread. All engines of this thread are to be stepped from now on.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub fn start(parts: Parts) -> Result<(Engine, Stepped), StartError> {
        DRIVEN.set(true);
        let (engine, core) = Engine::assemble(parts)?;
        Ok((engine.clone(), Stepped { engine, core, reads: VecDeque::new() }))
    }

    /// Waits until the core has something to do.
    pub async fn ready(&mut self) {
        let patience = self.core.patience(self.engine.clock().moment());
        let mailbox = self.engine.mailbox();
        // Nothing is wrong with having waited in vain: then it is time that gives it something to do.
        let _ = tokio::time::timeout(patience, poll_fn(|context| mailbox.poll_arrived(context))).await;
    }

    /// The core takes up what was asked, as it does in one turn.
    pub fn turn(&mut self) {
        let (inputs, _) = self.engine.mailbox().take(Some(Duration::ZERO));
        let reads = &mut self.reads;
        turn(&mut self.core, inputs, self.engine.clock(), self.engine.status(), |request| reads.push_back(request));
    }

    /// Whether the pager has something to read.
    #[must_use]
    pub fn has_reads(&self) -> bool {
        !self.reads.is_empty()
    }

    /// The pager makes one read for the core.
    pub fn read(&mut self) {
        if let Some(request) = self.reads.pop_front() {
            let read = pager::read(&**self.engine.reader(), &request);
            // A mailbox that is closed needs nothing read any more.
            let _ = self.engine.mailbox().push(Input::Read(request, read), Weight::default());
        }
    }

    /// The tail tells those who follow the feed of what was committed.
    pub fn tell(&self) {
        self.engine.tail().run_once();
    }
}

impl fmt::Debug for Stepped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stepped").field("reads", &self.reads).finish_non_exhaustive()
    }
}

impl Drop for Stepped {
    fn drop(&mut self) {
        self.engine.mailbox().close();
        // Whoever waits for an answer learns by the loss of its sender that none will come.
        while !self.engine.mailbox().take(Some(Duration::ZERO)).1 {}
        self.engine.hub().close();
        self.engine.tail().close();
    }
}
