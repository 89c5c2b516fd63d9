//! The JSON of ackd's HTTP API as serde types, written once: the server reads requests and writes answers with
//! them, the client does the reverse.
//!
//! - *Requests* ([`Envelope`], [`LeaseRequest`], …) borrow from the body they are read from, refuse unknown fields,
//!   and are read with [`parse`], [`parse_line`] or [`parse_or_default`], which check their limits ([`limits`]) and
//!   answer with a [`Problem`] that points at each fault.
//! - *Answers* ([`JobDocument`], [`Leases`], …) are written from borrowed parts and read back as `'static`, ignoring
//!   what they do not know, so that a newer server does not break an older client.

pub mod bulk;
pub mod cloud_event;
pub mod dead;
pub mod delivery;
pub mod duration;
pub mod envelope;
pub mod event;
pub mod fail_error;
pub mod fault;
mod file;
mod flow;
pub mod job;
pub mod lease;
pub mod limits;
mod members;
pub mod name;
pub mod ndjson;
mod number;
mod objects;
pub mod problem;
pub mod query;
pub mod queue;
pub mod queue_patch;
pub mod raw;
pub mod request;
pub mod schedule;
#[cfg(test)]
mod schema_tests;
pub mod secret;
pub mod settle;
pub mod socket;
pub mod submit;
mod text;
pub mod time;
pub mod timeline;
pub mod waiting;
pub mod webhook;

pub use bulk::{BulkAction, BulkFilter, BulkRequest, Purged, query_value};
pub use dead::{DeadCause, DeadList, RedriveRequest, Redriven};
pub use delivery::{DeliveryAttempt, DeliveryDocument, DeliveryList};
pub use duration::Duration;
pub use envelope::{Backoff, Callback, CallbackEvent, Envelope, OnFailure, Unique, UniquePolicy};
pub use event::{EventName, Reset};
pub use fail_error::FailError;
pub use fault::{Fault, Faults};
pub use file::FileDocument;
pub use flow::{FlowCancelled, FlowDocument, FlowRequest};
pub use job::{BodyInfo, JobDocument, JobList, Links, Progress, Status};
pub use lease::{Complete, Fail, Heartbeat, HeartbeatAnswer, Lease, LeaseRequest, Leases, Release};
pub use name::{NameError, check_name, is_reserved};
pub use problem::{Code, Problem};
pub use query::QueryEnvelope;
pub use queue::{Counts, Push, QueueDocument, QueueList, QueueSettings, Rate};
pub use queue_patch::{Patch, QueuePatch};
pub use request::{Request, checked, parse, parse_line, parse_or_default};
pub use schedule::{MissedRuns, ScheduleDocument, ScheduleList, ScheduleRequest};
pub use secret::Secret;
pub use settle::{Released, SettleAnswer, SettleLine, SettleVerb, Settled};
pub use submit::SubmitLine;
pub use time::Time;
pub use timeline::{Hop, Timeline, TimelineEntry, TimelineEvent};
pub use waiting::Waiting;
pub use webhook::{CallbackSecret, WebhookDisabled, WebhookDocument, WebhookFormat, WebhookList, WebhookRequest};
