//! The command line against a real server, with real workers: what a user would do, and what happens when a worker or
//! the server is killed meanwhile.
//!
//! Nothing sleeps here. A command says that it runs, and waits for its turn, by pipes with names; that a process is
//! dead is told by the end of a pipe which it held open.

#![allow(clippy::unwrap_used, reason = "this is a test, all of it")]

mod ackd;
mod files;
mod jobs;
mod killed;
mod pipes;
mod pushes;
mod queues;
mod receiver;
mod schedules;
mod stopped;
mod submitted;
mod webhooks;
mod worked;
