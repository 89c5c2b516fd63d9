//! ackd's native HTTP API.
//!
//! [`serve`] accepts connections; each is a task that reads requests one after another. A request is checked where
//! browsers could do harm, finds its operation in one table, and the operation asks the engine and writes the answer.
//! The same table makes the OpenAPI document, so that the two cannot differ.
//!
//! - Connections: `serve`, `addresses`, `connection`, `wire` (deadlines, and whether an answer was written).
//! - A request: `call`, `browser`, `routes` and `router`, `query`, `headers`, `intake` (its body).
//! - An operation: a file for each noun of the API.
//! - An answer: `answer`, `outlet` (its body), `visible` (which jobs there are for clients), `document` (a job), `problem`,
//!   `token`.
//! - A stream: `takeover` (the connection is no longer HTTP's), `stream` (server-sent events), `events`, `shown`;
//!   `socket` (WebSockets).
//!
//! A lease counts as delivered once its answer was written to the socket: the body hands it to its connection
//! (`outlet`), and the connection says so when its bytes are flushed, or releases it.

mod accept;
mod addresses;
mod answer;
mod app;
mod browser;
mod bulk;
mod call;
mod cancel;
mod cloud_event;
mod connection;
mod dead;
mod deliveries;
mod document;
mod events;
mod files;
mod flows;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod headers;
mod health;
mod intake;
mod job;
mod leases;
mod limits;
mod list;
mod metrics;
mod openapi;
mod outlet;
mod problem;
mod problems;
mod query;
mod queues;
mod range;
mod renderer;
mod router;
mod routes;
mod schedules;
mod serve;
mod settle;
mod shown;
mod socket;
mod stream;
mod submission;
mod submit;
mod takeover;
mod targets;
mod token;
mod visible;
mod webhooks;
mod wire;

pub use app::{App, Config, ConfigError};
pub use limits::Limits;
pub use renderer::WebhookRenderer;
pub use serve::serve;
pub use targets::Outbounds;
pub use token::lease_text;
