//! What the dispatcher makes of a batch that is about to be committed.

use std::collections::BTreeMap;

use ackd_domain::{Answer, Change, Command, Name, Refusal, Timestamp};
use ackd_ports::Reactor;

use super::batch::{Origin, Parked};
use super::rules;
use crate::dispatch::{self, AskId, Dispatcher};
use crate::pager::PagerRequest;

/// Lets the dispatcher see a batch before it is committed, so that a parked worker gets its lease in the
/// commit that accepts the job.
pub(super) struct Reaction<'a> {
    pub(super) dispatcher: &'a mut Dispatcher,
    pub(super) outputs: &'a mut Vec<dispatch::Output>,
    pub(super) asks: &'a BTreeMap<AskId, Parked>,
    pub(super) reads: &'a mut Vec<PagerRequest>,
    pub(super) origins: Vec<Origin>,
    /// How many answers were seen.
    pub(super) seen: usize,
    /// Whether the ledger has told anything.
    pub(super) told: bool,
    /// The queues that the batch configures.
    pub(super) configured: Vec<Name>,
    pub(super) now: Timestamp,
}

impl Reactor for Reaction<'_> {
    fn react(&mut self, answers: &[Result<Answer, Refusal>], changes: &[Change]) -> Vec<Command> {
        for (answer, origin) in answers.iter().zip(&self.origins[self.seen..]) {
            if let Ok(Answer::Queue(queue)) = answer {
                self.configured.push(queue.name.clone());
                let input = dispatch::Input::Configured(&queue.name, rules(queue));
                self.dispatcher.step(input, self.now, self.outputs);
            }
            if let Origin::Ask { ask, number, .. } = origin {
                let input = match answer {
                    Ok(_) => dispatch::Input::Granted(*ask),
                    Err(_) => dispatch::Input::Refused(*ask, *number),
                };
                self.dispatcher.step(input, self.now, self.outputs);
            }
        }
        self.seen += answers.len();
        self.told = true;
        self.dispatcher.step(dispatch::Input::Changes(changes), self.now, self.outputs);
        let mut commands = Vec::new();
        let origins = &mut self.origins;
        make_commands(self.outputs, self.asks, self.reads, |command, origin| {
            commands.push(command);
            origins.push(origin);
        });
        commands
    }
}

/// The commands of what the dispatcher wants, and whose they are.
pub(super) fn make_commands(
    outputs: &mut Vec<dispatch::Output>,
    asks: &BTreeMap<AskId, Parked>,
    reads: &mut Vec<PagerRequest>,
    mut add: impl FnMut(Command, Origin),
) {
    for output in outputs.drain(..) {
        match output {
            dispatch::Output::Lease { ask, number, payload, version } => {
                let parked = asks.get(&ask);
                let worker = parked.and_then(|parked| parked.worker.clone());
                let ttl = parked.and_then(|parked| parked.ttl);
                add(Command::Lease { number, worker, ttl }, Origin::Ask { ask, number, payload, version });
            }
            dispatch::Output::Expire { number } => add(Command::Expire { number }, Origin::Own),
            dispatch::Output::Read(request) => reads.push(PagerRequest::Backlog(request)),
        }
    }
}
