//! Real clients, in other languages and in a browser, follow jobs while the server is stopped, killed and started again
//! under them, directly and through nginx. Each must see every event once, and those of a job in order.
//!
//! The clients are scripts in `scripts/`. `cargo xtask test` installs what they need and says where in the environment:
//! `TEST_CLIENTS` (a folder with `venv` and `node_modules`), `TEST_NGINX` and `TEST_CHROMIUM` (programs). Without it
//! there is nothing to test with.
//!
//! Receivers of webhooks verify what they get by the libraries of Standard Webhooks, directly and behind nginx ([`webhooks`]).
//!
//! A further client is a script that tells each event as a line of JSON, `{"event","id","data"}`, and its end as
//! `{"event":"end"}`, and a line in [`client::ALL`].

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod client;
mod follow;
#[path = "../crash/http.rs"]
#[allow(dead_code, reason = "the other tests need more of it")]
mod http;
mod pages;
mod proxy;
mod run;
mod seen;
mod server;
mod webhooks;
