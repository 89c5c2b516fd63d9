//! What users of other systems suffer from, and what must not happen here: each of the troubles that `docs/troubles.md` lists, and
//! that no other test shows, against the real binary.
//!
//! Nothing sleeps here: what takes its time is waited for in a request that ends with it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod bad_input;
mod crashes;
mod dead;
mod flows;
#[path = "../crash/http.rs"]
mod http;
mod page;
mod schedules;
#[path = "../crash/server.rs"]
#[allow(dead_code, reason = "it is another suite's, which needs more of it")]
mod server;
mod world;
