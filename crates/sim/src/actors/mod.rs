//! Who uses the server.

mod client;
mod subscriber;
mod target;
mod worker;

pub(crate) use client::Client;
pub(crate) use subscriber::Subscriber;
pub(crate) use target::{Target, URL};
pub(crate) use worker::Worker;

use ackd_domain::Name;
use ackd_engine::Unavailable;

/// The queues that there are.
pub(crate) const QUEUES: [&str; 2] = ["video", "audio"];

/// The queue of this number.
pub(crate) fn queue(at: u64) -> Name {
    let at = usize::try_from(at).unwrap_or(0) % QUEUES.len();
    // The names above are names.
    Name::new(QUEUES[at]).unwrap_or_else(|_| Name::webhooks().clone())
}

/// Whether what was asked has not happened and will not: the others say that the server is going, and whatever was under way may have.
pub(crate) const fn refused(unavailable: &Unavailable) -> bool {
    matches!(unavailable, Unavailable::Overloaded | Unavailable::Full)
}
