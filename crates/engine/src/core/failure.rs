//! What follows where a commit fails.

use std::sync::atomic::Ordering;
use std::time::Duration;

use ackd_domain::{Name, Timestamp};
use ackd_ports::LedgerError;

use super::batch::Request;
use super::{Core, Input, REST};
use crate::dispatch;
use crate::engine::Unavailable;

impl Core {
    /// What the dispatcher was told has not happened: it begins anew, after a rest.
    pub(super) fn forget_what_was_told(&mut self, configured: &[Name], now: Timestamp, tick: Duration) {
        let outputs = &mut self.dispatch_outputs;
        for name in configured {
            let rules = self.queues.rules(name);
            self.dispatcher.step(dispatch::Input::Configured(name, rules), now, outputs);
        }
        self.dispatcher.step(dispatch::Input::Reset, now, outputs);
        self.dispatcher.step(dispatch::Input::Leased(&self.leases.running()), now, outputs);
        self.read_what_began(now);
        self.dispatch_outputs.clear();
        self.resting_until.get_or_insert(tick + REST);
    }

    /// Tells the dispatcher what began where that is limited, as it is written.
    pub(super) fn read_what_began(&mut self, now: Timestamp) {
        match self.reader.started() {
            Ok(started) => self.dispatcher.step(dispatch::Input::Started(started), now, &mut self.dispatch_outputs),
            // Then what was to begin and did not counts for a period.
            Err(error) => tracing::warn!(%error, "what began in the queues with a rate cannot be read"),
        }
    }

    pub(super) fn failed_commit(&mut self, error: &LedgerError, requests: Vec<Request>) {
        self.stats.failed_commits.fetch_add(1, Ordering::Relaxed);
        let unavailable = match error {
            LedgerError::Full(detail) => {
                if !std::mem::replace(&mut self.full, true) {
                    tracing::warn!(%detail, "a commit was refused: the store is full");
                }
                Unavailable::Full
            }
            LedgerError::Failed(detail) => {
                tracing::error!(%detail, "the store has failed; nothing is accepted any more");
                self.failed = Some(detail.clone());
                self.own.clear();
                for parked in std::mem::take(&mut self.asks).into_values() {
                    // Whoever asked may be gone; there is nothing to tell it then.
                    let _ = parked.reply.send(Err(Unavailable::Failed(detail.clone())));
                }
                Unavailable::Failed(detail.clone())
            }
        };
        requests.into_iter().for_each(|request| request.fail(&unavailable));
    }

    /// Answers whoever asks anything of a ledger that has failed.
    pub(super) fn refuse(&mut self, inputs: Vec<Input>) {
        let unavailable = Unavailable::Failed(self.failed.clone().unwrap_or_default());
        for input in inputs {
            // In each case whoever asked may be gone; there is nothing to tell it then.
            match input {
                Input::Run(_, reply) => drop(reply.send(Err(unavailable.clone()))),
                Input::Ask(_, _, reply) => drop(reply.send(Err(unavailable.clone()))),
                Input::ReleaseWorker(_, reply) => drop(reply.send(Err(unavailable.clone()))),
                Input::Unasked(_) | Input::Forget(_) | Input::Read(..) | Input::Drain => {}
            }
        }
    }
}
