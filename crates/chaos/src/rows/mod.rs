//! What is made to fail, one file each.

mod bit_flip;
mod clock;
mod crash_points;
mod fsync_eio;
mod full_disk;
mod kill;
mod partition;
mod power_cut;
mod receiver_away;
mod stalled_readers;
mod workers;

use clap::ValueEnum;

use crate::error::Done;
use crate::figures::Figures;
use crate::plan::Plan;

/// What is made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Row {
    /// The server is killed under load, again and again
    Kill,
    /// The server is killed at every write, sync and rename of a scenario
    CrashPoints,
    /// The power of the disk is cut under load, again and again
    PowerCut,
    /// An fsync fails
    FsyncEio,
    /// The disk is full, and then has room again
    FullDisk,
    /// Bits turn in the database while the server is stopped
    BitFlip,
    /// The wall clock jumps by an hour in both directions
    Clock,
    /// The network between workers and server stalls, swallows answers, breaks
    Partition,
    /// A thousand workers die together
    Workers,
    /// The receiver of webhooks is away for an hour
    ReceiverAway,
    /// Those who follow do not read
    StalledReaders,
}

impl Row {
    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Whether a slice has it where no rows are named. What bits it turns differs from run to run, and some have consequences
    /// that are known and not mended yet (docs/reliability.md): that says nothing of the change that is tested.
    #[must_use]
    pub fn is_sliced(self) -> bool {
        self != Row::BitFlip
    }

    /// Runs it.
    ///
    /// # Errors
    /// [`crate::ChaosError::Broken`] where the server broke a promise, [`crate::ChaosError::Forbidden`] where the machine
    /// does not allow it.
    pub async fn run(self, plan: &Plan) -> Done<Figures> {
        match self {
            Row::Kill => kill::run(plan).await,
            Row::CrashPoints => crash_points::run(plan).await,
            Row::PowerCut => power_cut::run(plan).await,
            Row::FsyncEio => fsync_eio::run(plan).await,
            Row::FullDisk => full_disk::run(plan).await,
            Row::BitFlip => bit_flip::run(plan).await,
            Row::Clock => clock::run(plan).await,
            Row::Partition => partition::run(plan).await,
            Row::Workers => workers::run(plan).await,
            Row::ReceiverAway => receiver_away::run(plan).await,
            Row::StalledReaders => stalled_readers::run(plan).await,
        }
    }
}
