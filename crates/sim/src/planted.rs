//! Bugs that are planted around the engine, to see that a simulation finds them. None needs a hook in what is shipped: each
//! stands in a port, where it makes the whole behave as a server with that bug would.

use std::sync::{Arc, Mutex, PoisonError};

use ackd_domain::{Answer, Change, Command, LapseReason, LeaseToken, Position, Refusal, Timestamp};
use ackd_memory::{Faults, MemoryDisk, MemoryLedger, MemoryReader};
use ackd_ports::{Applied, ChangeFeed, Entropy, FeedError, Ledger, LedgerError, LedgerReader, Reactor, ReadError};

use crate::chance::Chance;

/// Something that the server does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// Commits are answered before they are synced.
    AcknowledgedBeforeCommit,
    /// Changes are told before their commit, which then fails.
    PublishedBeforeCommit,
    /// Whoever had a lease of a job settles it.
    NoFencing,
    /// The secret of a lease is a number that begins anew with the server, and all that is looked at.
    TokenRepeats,
    /// A lease is taken away although its worker is alive.
    LiveLeaseRescued,
    /// The position of the deliverer is written before what it makes of the changes up to there.
    PositionSavedFirst,
    /// A sync that failed is tried again, and said to have worked.
    SyncRetried,
    /// A job that becomes ready is not told to whoever waits for it.
    WakeUpLost,
    /// Whoever reads the feed is not told the last change that is there.
    OffByOne,
}

impl Bug {
    /// Every bug.
    pub const ALL: [Bug; 9] = [
        Bug::AcknowledgedBeforeCommit,
        Bug::PublishedBeforeCommit,
        Bug::NoFencing,
        Bug::TokenRepeats,
        Bug::LiveLeaseRescued,
        Bug::PositionSavedFirst,
        Bug::SyncRetried,
        Bug::WakeUpLost,
        Bug::OffByOne,
    ];

    /// The bug of this name, as `Debug` writes it.
    #[must_use]
    pub fn named(name: &str) -> Option<Bug> {
        Bug::ALL.into_iter().find(|bug| format!("{bug:?}") == name)
    }
}

/// What a server with a bug does a little later, if it still runs.
pub(crate) type Later = Arc<Mutex<Vec<Command>>>;

/// How a ledger with a bug, or with none, does its work.
pub(crate) struct Planted {
    bug: Option<Bug>,
    reader: Arc<MemoryReader>,
    later: Later,
}

impl Planted {
    pub(crate) fn new(bug: Option<Bug>, reader: Arc<MemoryReader>, later: Later) -> Planted {
        Planted { bug, reader, later }
    }

    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// Applies what the core asks for.
    pub(crate) fn apply(
        &mut self,
        ledger: &mut MemoryLedger,
        mut commands: Vec<Command>,
        now: Timestamp,
        reactor: &mut dyn Reactor,
        chance: &mut Chance,
    ) -> Result<Applied, LedgerError> {
        match self.bug {
            Some(Bug::NoFencing) => commands.iter_mut().for_each(|command| self.renew(command, |_, _| true)),
            Some(Bug::TokenRepeats) => {
                let same = |live: &LeaseToken, shown: &LeaseToken| live.secret == shown.secret;
                commands.iter_mut().for_each(|command| self.renew(command, same));
            }
            Some(Bug::PositionSavedFirst) => {
                for command in &mut commands {
                    if let Command::Deliver { advance: Some(_), deliveries } = command
                        && !deliveries.is_empty()
                    {
                        let deliveries = std::mem::take(deliveries);
                        self.later
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push(Command::Deliver { advance: None, deliveries });
                    }
                }
            }
            Some(Bug::WakeUpLost) if chance.permille(100) => return ledger.apply(commands, now, &mut Deaf(reactor)),
            Some(Bug::LiveLeaseRescued) if chance.permille(50) => {
                let leased = self.reader.leased().unwrap_or_default();
                let first = leased.first().and_then(|job| Some(job.lease.as_ref()?.token(job.id.number())));
                let rescue = first.map(|lease| Command::Lapse { lease, reason: LapseReason::Silence });
                self.later.lock().unwrap_or_else(PoisonError::into_inner).extend(rescue);
            }
            _ => {}
        }
        ledger.apply(commands, now, reactor)
    }

    /// Applies to a full disk.
    pub(crate) fn fill(
        &mut self,
        ledger: &mut MemoryLedger,
        faults: &Faults,
        commands: Vec<Command>,
        now: Timestamp,
        reactor: &mut dyn Reactor,
    ) -> Result<Applied, LedgerError> {
        let mut told = Told { reactor, changes: Vec::new(), answers: 0 };
        faults.fail_next(LedgerError::Full("no room".to_owned()));
        let failed = ledger.apply(commands, now, &mut told);
        if self.has(Bug::PublishedBeforeCommit) && failed.is_err() {
            let answers = (0..told.answers).map(|_| Err(Refusal::HeldBack)).collect();
            return Ok(Applied { answers, changes: told.changes.into(), follow_ups: Vec::new() });
        }
        failed
    }

    /// Applies to a disk that does not sync.
    pub(crate) fn fail_sync(
        &mut self,
        ledger: &mut MemoryLedger,
        faults: &Faults,
        disk: &MemoryDisk,
        commands: Vec<Command>,
        now: Timestamp,
        reactor: &mut dyn Reactor,
    ) -> Result<Applied, LedgerError> {
        if self.has(Bug::SyncRetried) {
            let applied = ledger.apply(commands, now, reactor)?;
            // The pages are marked clean: there is nothing left to sync, and the next sync works.
            disk.lose_last();
            return Ok(applied);
        }
        faults.fail_next(LedgerError::Failed("fsync: input/output error".to_owned()));
        ledger.apply(commands, now, reactor)
    }

    pub(crate) fn sync(&self, disk: &MemoryDisk, chance: &mut Chance) {
        if !self.has(Bug::AcknowledgedBeforeCommit) || chance.permille(300) {
            disk.sync();
        }
    }

    /// Lets a command show the token of the job's live lease, where `same` holds of it and the one that it shows.
    fn renew(&self, command: &mut Command, same: impl Fn(&LeaseToken, &LeaseToken) -> bool) {
        let (Command::Complete { lease, .. } | Command::Fail { lease, .. } | Command::Release { lease, .. }) = command
        else {
            return;
        };
        let leased = self.reader.leased().unwrap_or_default();
        let live = leased.iter().find(|job| job.id.number() == lease.number);
        let live = live.and_then(|job| Some(job.lease.as_ref()?.token(job.id.number())));
        if let Some(live) = live.filter(|live| same(live, lease)) {
            *lease = live;
        }
    }
}

/// Does not tell its reactor of the changes by which jobs become ready.
struct Deaf<'a>(&'a mut dyn Reactor);

impl Reactor for Deaf<'_> {
    fn react(&mut self, answers: &[Result<Answer, Refusal>], changes: &[Change]) -> Vec<Command> {
        let told: Vec<Change> = changes.iter().filter(|change| !change.job.is_ready()).cloned().collect();
        self.0.react(answers, &told)
    }
}

/// Remembers what a reactor was told.
struct Told<'a> {
    reactor: &'a mut dyn Reactor,
    changes: Vec<Change>,
    answers: usize,
}

impl Reactor for Told<'_> {
    fn react(&mut self, answers: &[Result<Answer, Refusal>], changes: &[Change]) -> Vec<Command> {
        self.changes.extend_from_slice(changes);
        self.answers += answers.len();
        self.reactor.react(answers, changes)
    }
}

/// The chance of a ledger: a number that begins anew with it, where that is the bug.
pub(crate) struct Secrets {
    chance: Chance,
    counted: Option<u64>,
}

impl Secrets {
    pub(crate) fn new(bug: Option<Bug>, chance: Chance) -> Secrets {
        Secrets { chance, counted: (bug == Some(Bug::TokenRepeats)).then_some(0) }
    }
}

impl Entropy for Secrets {
    fn random(&mut self) -> u64 {
        match &mut self.counted {
            // Few, so that two leases of one job soon have the same.
            Some(counted) => {
                *counted = (*counted + 1) % 4;
                *counted
            }
            None => self.chance.random(),
        }
    }
}

/// The feed, and one that is off by one.
pub(crate) struct PlantedFeed {
    pub(crate) feed: Arc<MemoryReader>,
    pub(crate) bug: Option<Bug>,
}

impl ChangeFeed for PlantedFeed {
    fn changes(&self, after: Position, limit: usize) -> Result<Vec<Change>, FeedError> {
        let mut changes = self.feed.changes(after, limit)?;
        if self.bug == Some(Bug::OffByOne) {
            changes.pop();
        }
        Ok(changes)
    }

    fn head(&self) -> Result<Position, ReadError> {
        self.feed.head()
    }

    fn earliest(&self) -> Result<Position, ReadError> {
        self.feed.earliest()
    }
}
