//! Values and pure decisions of ackd: job, lifecycle, retry, lease, change.
//!
//! Nothing here reads a clock, draws a random number or touches a disk. [`decide`] is the whole
//! lifecycle: a [`View`] of what the ledger holds and a [`Command`] go in, a [`Decision`] comes out.
//! Every ledger therefore gives the same guarantees, and one table of tests covers them all.

mod backoff;
mod body;
mod bulk;
mod change;
mod command;
mod dead_letter;
mod decide;
mod decision;
mod delivery;
mod draws;
mod endpoint;
mod failure;
mod file;
mod held;
mod id;
mod job;
mod key;
mod lease;
pub mod limits;
mod name;
mod position;
mod progress;
mod push;
mod queue;
mod rate;
mod refusal;
mod schedule;
mod secret;
mod status;
mod submission;
mod time;
mod unique;
mod view;
mod webhook;

pub use backoff::{Backoff, BackoffError};
pub use body::{Body, BodyInfo, JSON, is_json};
pub use bulk::{BulkAction, BulkCourse, Stepped};
pub use change::{Change, ChangeKind};
pub use command::{Command, LapseReason, Needs};
pub use dead_letter::DeadLetter;
pub use decide::decide;
pub use decision::{Acceptance, Accepted, Answer, Decision, Write};
pub use delivery::{Advance, Callback, CallbackRequest, Delivery, NewDelivery, Target};
pub use draws::Draws;
pub use endpoint::{Disabled, DisabledReason, Endpoint, EndpointRequest, PostOutcome};
pub use failure::Failure;
pub use file::{File, FileId, FileIdError, NewFile, PayloadFile};
pub use held::{After, FlowPart, Held, OnFailure, Predecessor};
pub use id::{JobId, JobIdError};
pub use job::{Job, Spec};
pub use key::IdempotencyKey;
pub use lease::{Lease, LeaseState, LeaseToken, Verb};
pub use name::{Name, NameError};
pub use position::Position;
pub use progress::Progress;
pub use push::Push;
pub use queue::{Queue, QueuePatch, QueueSettings};
pub use rate::{Rate, Started};
pub use refusal::{Place, Refusal};
pub use schedule::{Firing, Missed, Schedule, ScheduleRequest};
pub use secret::Secret;
pub use status::Status;
pub use submission::{Start, Submission};
pub use time::Timestamp;
pub use unique::{Unique, UniquePolicy};
pub use view::{LookedAt, View};
pub use webhook::{WebhookEvent, WebhookEvents, WebhookFormat};
