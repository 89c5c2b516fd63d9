use std::sync::{Arc, Mutex};

use ackd_domain::{Answer, Change, Command, LapseReason, Refusal, Timestamp};
use ackd_memory::MemoryLedger;
use ackd_ports::{Applied, Filter, Idle, Ledger, LedgerError, LedgerReader, Reactor};

use super::Bug;

/// A ledger with a bug.
pub(crate) struct PlantedLedger {
    ledger: Arc<Mutex<MemoryLedger>>,
    bug: Bug,
}

impl PlantedLedger {
    pub(crate) fn open(ledger: Arc<Mutex<MemoryLedger>>, bug: Bug) -> PlantedLedger {
        if bug == Bug::LeasesLapseOnOpen {
            let mut ledger = ledger.lock().unwrap();
            let leased = ledger.reader().leased().unwrap();
            let lapse = leased.iter().filter_map(|job| job.lease.as_ref().map(|lease| lease.token(job.id.number())));
            let lapse = lapse.map(|lease| Command::Lapse { lease, reason: LapseReason::Silence }).collect();
            ledger.apply(lapse, Timestamp::default(), &mut Idle).unwrap();
        }
        PlantedLedger { ledger, bug }
    }
}

impl Ledger for PlantedLedger {
    fn apply(
        &mut self,
        commands: Vec<Command>,
        now: Timestamp,
        reactor: &mut dyn Reactor,
    ) -> Result<Applied, LedgerError> {
        let mut ledger = self.ledger.lock().unwrap();
        match self.bug {
            Bug::FailedBatchIsCommitted => ledger.apply(commands.clone(), now, reactor).inspect_err(|_| {
                drop(ledger.apply(commands, now, reactor));
            }),
            Bug::LostBatchIsAcknowledged => ledger.apply(commands, now, reactor).or(Ok(Applied::default())),
            Bug::ReactorAskedOnce => ledger.apply(commands, now, &mut Once { reactor, asked: false }),
            Bug::ReactorWithoutRefusals => ledger.apply(commands, now, &mut Blind { reactor }),
            Bug::ReactorAfterCommit => after_commit(&mut ledger, commands, now, reactor),
            Bug::ChangesOutOfOrder => ledger.apply(commands, now, reactor).map(|applied| {
                let changes = applied.changes.iter().rev().cloned().collect();
                Applied { changes, ..applied }
            }),
            Bug::PurgedWhileKept => {
                // By its id, which is asked for no time.
                let jobs = ledger.reader().list(&Filter::default(), None, usize::MAX).unwrap().jobs;
                let id = |number: u64| jobs.iter().find(|job| job.id.number() == number).map(|job| job.id);
                let commands = commands.into_iter().map(|command| match command {
                    Command::Purge { number } => id(number).map_or(command, |id| Command::Delete { id }),
                    other => other,
                });
                ledger.apply(commands.collect(), now, reactor)
            }
            Bug::ChangesDoNotWait => {
                let commands = commands.into_iter().map(|command| match command {
                    Command::PurgeChanges { old, .. } => Command::PurgeChanges { old, ancient: old },
                    other => other,
                });
                ledger.apply(commands.collect(), now, reactor)
            }
            _ => ledger.apply(commands, now, reactor),
        }
    }
}

fn after_commit(
    ledger: &mut MemoryLedger,
    mut commands: Vec<Command>,
    now: Timestamp,
    reactor: &mut dyn Reactor,
) -> Result<Applied, LedgerError> {
    let (mut answers, mut changes, mut follow_ups) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        let applied = ledger.apply(commands, now, &mut Idle)?;
        commands = reactor.react(&applied.answers, &applied.changes);
        answers.extend(applied.answers);
        changes.extend_from_slice(&applied.changes);
        follow_ups.extend(applied.follow_ups);
        if commands.is_empty() {
            return Ok(Applied { answers, changes: changes.into(), follow_ups });
        }
    }
}

/// Asks its reactor once.
struct Once<'a> {
    reactor: &'a mut dyn Reactor,
    asked: bool,
}

impl Reactor for Once<'_> {
    fn react(&mut self, answers: &[Result<Answer, Refusal>], changes: &[Change]) -> Vec<Command> {
        if self.asked {
            return Vec::new();
        }
        self.asked = true;
        self.reactor.react(answers, changes)
    }
}

/// Tells its reactor of no refusal.
struct Blind<'a> {
    reactor: &'a mut dyn Reactor,
}

impl Reactor for Blind<'_> {
    fn react(&mut self, answers: &[Result<Answer, Refusal>], changes: &[Change]) -> Vec<Command> {
        let told: Vec<_> = answers.iter().filter(|answer| answer.is_ok()).cloned().collect();
        self.reactor.react(&told, changes)
    }
}
