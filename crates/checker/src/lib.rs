//! Decides from the clients' histories whether ackd kept its promises.
//!
//! A history is what clients asked, were answered and saw, one [`Record`] after the other. A [`Checker`] takes them in one
//! pass, keeps what it must of each job, and names every [`Violation`] of the ten [`Invariant`]s with the records that
//! prove it. It shares no code with the server: the same mistake in both would go unseen.

mod checker;
mod fact;
mod invariants;
mod jobs;
mod known;
mod lines;
mod record;
mod violation;

pub use checker::{Checker, HistoryError, Report};
pub use lines::{LineError, Names, read_line, write_line};
pub use record::{After, Event, Line, Record, Snapshot, Status, Verb};
pub use violation::{Invariant, Violation};
