//! The real engine, and clients, workers, subscribers and webhook targets around it, in a world that a seed decides: one
//! thread, a clock that jumps from event to event, a network that delays, loses and repeats, a disk that forgets what was
//! not synced, and a server that is killed at any moment. What the clients see is a history for `ackd-checker`; the same
//! seed gives the same history.

mod actors;
mod chance;
mod clock;
mod history;
mod network;
mod planted;
mod server;
mod store;
mod world;

pub use planted::Bug;
pub use world::{Outcome, run};
