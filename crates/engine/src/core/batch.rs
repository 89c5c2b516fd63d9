//! What one turn commits together, and who is told what came of it.

use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{Answer, Body, Command, LeaseToken, Name, Refusal};
use tokio::sync::oneshot;

use crate::dispatch::AskId;
use crate::engine::Unavailable;
use crate::work::Assigned;

/// An ask whose worker waits.
pub(super) struct Parked {
    pub(super) queues: Vec<Name>,
    pub(super) worker: Option<Arc<str>>,
    pub(super) ttl: Option<Duration>,
    pub(super) reply: oneshot::Sender<Result<Vec<Assigned>, Unavailable>>,
}

/// Who is to get the answer to a command.
pub(super) enum Origin {
    /// The request at this place of the turn's list. A heartbeat re-arms its lease.
    Request(usize, Option<LeaseToken>),
    /// The dispatcher, for this ask.
    Ask {
        ask: AskId,
        /// The job's acceptance number.
        number: u64,
        /// Its payload, if this was the version that is leased.
        payload: Option<Body>,
        version: u64,
    },
    /// The schedule of this name, which fires.
    Schedule(Name),
    /// Nobody.
    Own,
}

/// What is to be committed together.
pub(super) struct Batch {
    pub(super) commands: Vec<Command>,
    /// Who gets the answer to each command.
    pub(super) origins: Vec<Origin>,
    pub(super) requests: Vec<Request>,
    /// A copy of the core's own commands, which nobody else would ask for again.
    pub(super) own: Vec<Command>,
}

impl Batch {
    pub(super) fn of(own: Vec<Command>) -> Batch {
        let mut batch = Batch {
            commands: Vec::with_capacity(own.len()),
            origins: Vec::new(),
            requests: Vec::new(),
            own: Vec::new(),
        };
        batch.add(own);
        batch
    }

    /// Adds commands of the core's own.
    pub(super) fn add(&mut self, own: Vec<Command>) {
        self.origins.extend(own.iter().map(|_| Origin::Own));
        // What lapses or expires is found due again; what is settled for a worker, or follows from what has ended, is not.
        let lasting = own.iter().filter(|command| {
            let settles = matches!(command, Command::Release { .. } | Command::Fail { .. });
            settles || matches!(command, Command::Resolve { .. } | Command::Forgo { .. })
        });
        self.own.extend(lasting.cloned());
        self.commands.extend(own);
    }
}

/// A request of this turn, and the answers to its commands.
pub(super) struct Request {
    pub(super) reply: Reply,
    pub(super) answers: Vec<Result<Answer, Refusal>>,
}

pub(super) enum Reply {
    Answers(oneshot::Sender<Result<Vec<Result<Answer, Refusal>>, Unavailable>>),
    Count(oneshot::Sender<Result<usize, Unavailable>>),
}

impl Request {
    /// Whoever asked may be gone: what it asked for has happened all the same.
    pub(super) fn answer(self) {
        match self.reply {
            Reply::Answers(reply) => drop(reply.send(Ok(self.answers))),
            Reply::Count(reply) => drop(reply.send(Ok(self.answers.iter().filter(|it| it.is_ok()).count()))),
        }
    }

    pub(super) fn fail(self, unavailable: &Unavailable) {
        match self.reply {
            Reply::Answers(reply) => drop(reply.send(Err(unavailable.clone()))),
            Reply::Count(reply) => drop(reply.send(Err(unavailable.clone()))),
        }
    }
}
