//! The use cases of ackd, knowing ports only.
//!
//! Each part that decides something is a state machine without a clock of its own: [`dispatch`] (which
//! worker gets which job), [`leases`] (which lease lapses when) and
//! [`schedules`] (which schedule fires when). [`Core`] joins them to a ledger: a turn takes what was asked
//! since the last one, commits it in one batch, and tells everybody. tokio stays at the edge, in [`Engine`].

mod blocking;
mod blocks;
mod bulk;
mod calendar;
mod clock;
mod core;
mod deliver;
pub mod dispatch;
mod engine;
mod events;
mod feed;
mod files;
mod hub;
mod inputs;
mod interest;
pub mod leases;
mod mailbox;
mod pager;
mod posting;
mod push;
mod read;
mod retention;
pub mod schedules;
mod search;
mod seen;
mod sorted_queue;
mod stats;
#[cfg(feature = "simulation")]
mod stepped;
mod tail;
mod waiting;
mod work;

pub use ackd_ports::{
    Counts, DeadCause, FileStore, FileStoreError, Filter, Outbound, Page, ReadError, SigningKey, Timeline, cut_cause,
};
pub use blocks::SMALL_RESULT;
pub use bulk::{BulkOf, BulkOrder, BulkWorker, OrderError, Pace};
pub use calendar::{Calendar, CalendarError, CronError, ZoneError};
pub use clock::{Moment, ServerClock};
pub use core::{Core, CoreParts, Input};
pub use deliver::{Deliverer, DeliveryAttempt, DeliveryRecord, Renderer, ReplayError, Told};
pub use engine::{Engine, Health, Parts, StartError, Unavailable};
pub use events::{Event, Events, EventsStart, Until};
pub use feed::{Feed, FeedItem, FeedStart};
pub use files::{Download, FileKeeper, Files, FilesError, Received, Receiving};
pub use inputs::{INPUTS_BYTES, JobInput};
pub use interest::Interest;
pub use mailbox::MailboxLimits;
pub use push::{PushOptions, Pusher};
pub use read::{BLOCKERS, Record};
pub use search::{Field, FieldError, Search};
pub use stats::{Histogram, Stats};
#[cfg(feature = "simulation")]
pub use stepped::Stepped;
pub use tail::FeedEntry;
pub use waiting::{Limit, NO_WORKER_AFTER, Waiting};
pub use work::{Granted, Grants, WorkRequest};
