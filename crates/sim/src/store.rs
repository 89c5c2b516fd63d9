use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ackd_domain::{Command, Timestamp};
use ackd_memory::{Faults, MemoryDisk, MemoryLedger};
use ackd_ports::{Applied, Ledger, LedgerError, Reactor};

use crate::chance::Chance;
use crate::planted::{Bug, Later, Planted};

/// What goes wrong with the machine that the server runs on, shared by whoever makes it and whoever suffers it.
#[derive(Debug, Default)]
pub(crate) struct Machine {
    /// How many commits of a thousand end in a power cut, a full disk or a failed sync.
    pub(crate) cuts: AtomicU64,
    pub(crate) full: AtomicU64,
    pub(crate) unsynced: AtomicU64,
}

impl Machine {
    /// Nothing goes wrong any more.
    pub(crate) fn heal(&self) {
        [&self.cuts, &self.full, &self.unsynced].into_iter().for_each(|fault| fault.store(0, Ordering::Relaxed));
    }
}

/// A ledger on a disk that fails. What [`Ledger::apply`] has returned is synced.
pub(crate) struct Store {
    ledger: MemoryLedger,
    faults: Faults,
    disk: MemoryDisk,
    machine: Arc<Machine>,
    /// Set where the power is cut: what the server says from here on nobody hears.
    cut: Arc<AtomicBool>,
    chance: Arc<Mutex<Chance>>,
    planted: Planted,
}

/// What a store is on.
pub(crate) struct StoreParts {
    pub(crate) disk: MemoryDisk,
    pub(crate) machine: Arc<Machine>,
    pub(crate) cut: Arc<AtomicBool>,
    /// One for all stores of a simulation.
    pub(crate) chance: Arc<Mutex<Chance>>,
    pub(crate) bug: Option<Bug>,
    pub(crate) later: Later,
}

impl Store {
    pub(crate) fn new(ledger: MemoryLedger, parts: StoreParts) -> Store {
        let StoreParts { disk, machine, cut, chance, bug, later } = parts;
        let planted = Planted::new(bug, ledger.reader(), later);
        Store { faults: ledger.faults(), ledger, disk, machine, cut, chance, planted }
    }
}

impl Ledger for Store {
    fn apply(
        &mut self,
        commands: Vec<Command>,
        now: Timestamp,
        reactor: &mut dyn Reactor,
    ) -> Result<Applied, LedgerError> {
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let of = |fault: &AtomicU64| fault.load(Ordering::Relaxed);
        let machine = &self.machine;
        let (cuts, full, unsynced) = (of(&machine.cuts), of(&machine.full), of(&machine.unsynced));
        let (cut, full, unsynced) = (chance.permille(cuts), chance.permille(full), chance.permille(unsynced));
        let early = chance.permille(500);
        let applied = if cut && early {
            self.cut.store(true, Ordering::Relaxed);
            self.faults.fail_next(LedgerError::Failed("the power is cut".to_owned()));
            self.ledger.apply(commands, now, reactor)
        } else if unsynced {
            self.planted.fail_sync(&mut self.ledger, &self.faults, &self.disk, commands, now, reactor)
        } else if full {
            self.planted.fill(&mut self.ledger, &self.faults, commands, now, reactor)
        } else {
            let applied = self.planted.apply(&mut self.ledger, commands, now, reactor, &mut chance);
            self.planted.sync(&self.disk, &mut chance);
            applied
        };
        if cut {
            self.cut.store(true, Ordering::Relaxed);
        }
        *self.chance.lock().unwrap_or_else(PoisonError::into_inner) = chance;
        applied
    }
}
