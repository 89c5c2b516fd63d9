//! The limits of what a client may ask for. Each is checked where the request is read, and tested
//! at its edge and one beyond.

use std::time::Duration;

/// The largest payload or result in bytes that an operator may allow, 64 MiB; the server's default is 1 MiB.
pub const BODY_BYTES: usize = 64 << 20;

/// The largest file in bytes that an operator may allow, 64 GiB; the server's default is 16 GiB.
pub const FILE_BYTES: u64 = 64 << 30;

/// How long a file that no job refers to is kept where the client names no time, 24 hours.
pub const DEFAULT_FILE_EXPIRY: Duration = Duration::from_hours(24);

/// The shortest time for which a client may have a file kept, 1 second; the longest is [`DURATION`].
pub const FILE_EXPIRY_MIN: Duration = Duration::from_secs(1);

/// The most bytes of an idempotency key.
pub const KEY_BYTES: usize = 512;

/// The most bytes of a unique key.
pub const UNIQUE_KEY_BYTES: usize = 512;

/// The most bytes of a job's group.
pub const GROUP_BYTES: usize = 512;

/// The most jobs of a queue that may run at once, where it names a number; the least is 1.
pub const CONCURRENCY: u32 = 1_000_000;

/// The most jobs that may begin in a period, where a queue names a number; the least is 1.
pub const RATE: u32 = 1_000_000;

/// The most jobs of a group that may run at once, where a queue names a number; the least is 1.
pub const GROUP_CONCURRENCY: u32 = 1_000_000;

/// The most bytes of a job's `type`.
pub const TYPE_BYTES: usize = 255;

/// The most tags of a job.
pub const TAGS: usize = 32;

/// The most bytes of one tag.
pub const TAG_BYTES: usize = 255;

/// The most bytes of a content type.
pub const CONTENT_TYPE_BYTES: usize = 255;

/// The most bytes of `traceparent` (W3C Trace Context allows later versions to be longer than the 55 of version 00).
pub const TRACEPARENT_BYTES: usize = 255;

/// The most bytes of a progress message.
pub const MESSAGE_BYTES: usize = 1024;

/// The most bytes of a checkpoint, JSON.
pub const CHECKPOINT_BYTES: usize = 64 << 10;

/// The most bytes of the problem that says why an attempt failed, JSON; a longer text is cut.
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

/// The longest delay, expiry, timeout or retention that a client may name, 10 years of 365 days.
pub const DURATION: Duration = Duration::from_hours(10 * 365 * 24);

/// When a job that was not done expires, where neither job nor queue says, 14 days after it was to start.
pub const DEFAULT_EXPIRY: Duration = Duration::from_hours(14 * 24);

/// How long an ended job is kept where neither job nor queue says, 7 days.
pub const DEFAULT_RETENTION: Duration = Duration::from_hours(7 * 24);

/// How long after a job was accepted its idempotency key says the same job at least, whatever its retention, 24 hours.
pub const KEY_KEPT: Duration = Duration::from_hours(24);

/// How long the change feed is kept where the operator says nothing, 21 days.
pub const DEFAULT_FEED_RETENTION: Duration = Duration::from_hours(21 * 24);

/// The shortest time that an operator may keep the change feed, 1 minute; the longest is [`DURATION`].
pub const FEED_RETENTION_MIN: Duration = Duration::from_mins(1);

/// The most leases of one request.
pub const LEASES: usize = 1000;

/// The most queues, and the most types, that one lease request names.
pub const LEASE_QUEUES: usize = 100;

/// The most bytes of a webhook's URL.
pub const URL_BYTES: usize = 2048;

/// The most webhook endpoints.
pub const ENDPOINTS: usize = 1000;

/// The most queues that one endpoint names.
pub const ENDPOINT_QUEUES: usize = 100;

/// The attempts of a delivery, those of the schedule of Standard Webhooks 1.0.0.
pub const DELIVERY_ATTEMPTS: u32 = 10;

/// How long a delivery may wait for its attempts in all, 30 days: longer than they take, so that it ends by them.
pub const DELIVERY_EXPIRY: Duration = Duration::from_hours(30 * 24);

/// The most schedules.
pub const SCHEDULES: usize = 1000;

/// The most bytes of a schedule's cron.
pub const CRON_BYTES: usize = 255;

/// The most bytes of a schedule's time zone.
pub const TIMEZONE_BYTES: usize = 64;

/// The most bytes of the payload of a schedule's job: all schedules are held in memory.
pub const SCHEDULE_PAYLOAD_BYTES: usize = 64 << 10;

/// The most jobs that a schedule makes for times that it missed.
pub const MISSED_RUNS: usize = 100;

/// The most bytes of an ordering key.
pub const ORDERING_KEY_BYTES: usize = 512;

/// The most jobs that one comes after.
pub const PREDECESSORS: usize = 1000;

/// The most jobs of a flow.
pub const FLOW_JOBS: usize = 10_000;

/// The most bytes of a job's name in a flow.
pub const FLOW_KEY_BYTES: usize = 255;

/// The most posts of one queue's push that are under way at once; the least is 1.
pub const PUSH_CONCURRENCY: u32 = 1000;

/// The posts of a push that are under way at once where the queue names no number.
pub const DEFAULT_PUSH_CONCURRENCY: u32 = 10;

/// The most posts of all pushes together that are under way at once: each holds a connection, a payload and a result.
pub const PUSH_CONCURRENCY_IN_ALL: u32 = 10_000;

/// The shortest time that a post of a push may be given, 1 second.
pub const PUSH_TIMEOUT_MIN: Duration = Duration::from_secs(1);

/// The longest time that a post of a push may be given, 1 hour.
pub const PUSH_TIMEOUT_MAX: Duration = Duration::from_hours(1);

/// How long a post of a push may take where the queue says nothing, 30 seconds.
pub const DEFAULT_PUSH_TIMEOUT: Duration = Duration::from_secs(30);

/// The most jobs that are looked at in one step when one that they come after has ended.
pub const RESOLVED_AT_ONCE: usize = 128;

/// The most dead-letter queues that a job goes through one after the other.
pub const DEAD_LETTER_HOPS: u8 = 8;
