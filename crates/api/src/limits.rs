//! The limits of what a client may ask for. Each is checked where the request is read, and tested at its edge and
//! one beyond.

use std::time::Duration;

/// The largest payload or result in bytes that a job document shows inline, 64 KiB; larger ones are fetched from
/// `…/payload` and `…/result`.
pub const INLINE_BYTES: usize = 64 << 10;

/// The most lines of an NDJSON batch.
pub const BATCH_LINES: usize = 10_000;

/// The most bytes of an NDJSON batch, 16 MiB.
pub const BATCH_BYTES: usize = 16 << 20;

/// The deepest nesting of a JSON value that a client hands in (payload, result, checkpoint, error). It leaves room
/// for the documents around it below the 127 levels that common parsers, serde_json among them, accept.
pub const DEPTH: usize = 100;

/// The deepest nesting of `then` in `then`.
pub const THEN_DEPTH: usize = 8;

/// The most envelopes of one `then`.
pub const THEN: usize = 100;

/// The most job ids of `after`.
pub const AFTER: usize = 1000;

/// The most bytes of an idempotency key, an ordering key, a group or a unique key.
pub const KEY_BYTES: usize = 512;

/// The most bytes of a job's `type`.
pub const TYPE_BYTES: usize = 255;

/// The most members of a CloudEvent's document: attributes, extensions and data.
pub const EVENT_MEMBERS: usize = 100;

/// The most bytes of the media type that an event names for its data.
pub const CONTENT_TYPE_BYTES: usize = 255;

/// The most tags of a job.
pub const TAGS: usize = 32;

/// The most bytes of one tag.
pub const TAG_BYTES: usize = 255;

/// The most bytes of `traceparent` (W3C Trace Context allows later versions to be longer than the 55 of version 00).
pub const TRACEPARENT_BYTES: usize = 255;

/// The most bytes of a URL.
pub const URL_BYTES: usize = 2048;

/// The most queues that one webhook names.
pub const WEBHOOK_QUEUES: usize = 100;

/// The most bytes of a webhook's secret.
pub const SECRET_BYTES: usize = 512;

/// The most bytes of an id, a lease token or a page token; every real one is shorter.
pub const TOKEN_BYTES: usize = 512;

/// The most bytes of a schedule's cron.
pub const CRON_BYTES: usize = 255;

/// The most bytes of a schedule's time zone.
pub const TIMEZONE_BYTES: usize = 64;

/// The most bytes of a progress message.
pub const MESSAGE_BYTES: usize = 1024;

/// The most bytes of a checkpoint, JSON, 64 KiB.
pub const CHECKPOINT_BYTES: usize = 64 << 10;

/// The most bytes of the text or problem that says why an attempt failed, JSON, 16 KiB.
pub const FAILURE_BYTES: usize = 16 << 10;

/// The highest priority; 0 is the lowest.
pub const PRIORITY: u8 = 9;

/// The priority of a job that names none.
pub const DEFAULT_PRIORITY: u8 = 5;

/// The most attempts of a run.
pub const ATTEMPTS: u32 = 10_000;

/// The attempts of a run where neither job nor queue names a number.
pub const DEFAULT_ATTEMPTS: u32 = 20;

/// The shortest lease.
pub const LEASE_TTL_MIN: Duration = Duration::from_secs(1);

/// The longest lease.
pub const LEASE_TTL_MAX: Duration = Duration::from_hours(1);

/// The lease where neither worker nor queue names one.
pub const DEFAULT_LEASE_TTL: Duration = Duration::from_secs(30);

/// The longest duration that a client may name, 10 years of 365 days.
pub const DURATION: Duration = Duration::from_hours(10 * 365 * 24);

/// The longest wait between two attempts that a back-off may name, 30 days.
pub const BACKOFF_MAX: Duration = Duration::from_hours(30 * 24);

/// The longest that an answer is held back (`Prefer: wait`, `?wait=`, a lease request's `wait`); more is clamped.
pub const WAIT: Duration = Duration::from_secs(55);

/// The most leases of one request.
pub const LEASES: usize = 1000;

/// The most queues, and the most types, that one lease request names.
pub const LEASE_QUEUES: usize = 100;

/// The most jobs of a queue that may run at once, where its settings name a number.
pub const CONCURRENCY: u32 = 1_000_000;

/// The most posts of a queue's `push` that are under way at once, where its settings name a number.
pub const PUSH_CONCURRENCY: u32 = 1000;

/// The shortest time that a post of a `push` may be given.
pub const PUSH_TIMEOUT_MIN: Duration = Duration::from_secs(1);

/// The longest time that a post of a `push` may be given.
pub const PUSH_TIMEOUT_MAX: Duration = Duration::from_hours(1);

/// The most jobs per period of a queue's `rate`.
pub const RATE: u32 = 1_000_000;

/// The most bytes of what a client of a WebSocket calls a request or a subscription.
pub const LABEL_BYTES: usize = 128;

/// The most values of one field of a feed's filter.
pub const FILTER_VALUES: usize = 100;

/// The most events that a subscription may be granted ahead.
pub const CREDIT: u64 = 1_000_000_000;

/// The most jobs of a flow.
pub const FLOW_JOBS: usize = 10_000;

/// The most bytes of a job's name in a flow.
pub const FLOW_KEY_BYTES: usize = 255;
