use std::time::Duration;

use ackd_domain::BulkAction;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// One step of a plan. A plan names jobs and leases by their place among those that there are, so that
/// it means the same to every ledger, whatever numbers and secrets it draws.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Time passes.
    Pass(Duration),
    /// A batch is applied.
    Batch(Batch),
    /// A batch finds the store full, where that can be had, and is applied again.
    Full(Batch),
    /// The ledger is closed and opened again, where it is durable.
    Reopen,
}

/// Some commands, and whether a worker waits for what they accept.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    pub(super) ops: Vec<Op>,
    pub(super) grant: bool,
}

/// A command of a plan.
#[derive(Debug, Clone)]
pub(super) enum Op {
    Submit(Vec<Line>),
    Lease { job: Place, worker: bool, ttl: Option<Duration> },
    Beat { lease: Place, ttl: Option<Duration>, percent: Option<u8>, checkpoint: bool },
    Complete { lease: Place, result: Option<u8> },
    Fail { lease: Place, retryable: bool, retry_after: Option<Duration>, cancelled: bool },
    Release { lease: Place, delay: Option<Duration>, checkpoint: bool },
    Lapse { lease: Place, timeout: bool },
    Cancel { job: Place },
    Expire { job: Place },
    Retry { job: Place },
    Step { job: Place, action: BulkAction, lease: Place },
    Part { lease: Place, next: Option<u64> },
    Delete { job: Place },
    Purge { job: Place },
    Forget { change: Place },
    Configure { queue: u8, setting: Setting },
}

/// The place of a job or a lease, counted back from the newest; [`NOWHERE`] is one that there is not.
pub(super) type Place = u8;

pub(super) const NOWHERE: Place = u8::MAX;

/// A submission of a plan.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) queue: u8,
    pub(super) kind: u8,
    pub(super) priority: Option<u8>,
    pub(super) group: u8,
    pub(super) delay: Option<Duration>,
    pub(super) expires_in: Option<Duration>,
    pub(super) max_attempts: Option<u32>,
    pub(super) payload: u8,
    pub(super) key: Option<u8>,
    pub(super) order: Option<u8>,
    /// A job that it comes after, or the line before it where that is none.
    pub(super) after: Option<Option<Place>>,
    pub(super) on_failure: u8,
    /// A unique key, and the number of a policy.
    pub(super) unique: Option<(u8, u8)>,
}

/// A setting of a queue.
#[derive(Debug, Clone)]
pub(super) enum Setting {
    Ttl(Option<Duration>),
    Attempts(Option<u32>),
    Backoff(Duration),
    Timeout(Option<Duration>),
    GroupConcurrency(Option<u32>),
    Expiry(Option<Duration>),
    Retention(Option<Duration>),
    Paused(bool),
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => seconds(0..8).prop_map(Step::Pass),
        12 => batch().prop_map(Step::Batch),
        1 => batch().prop_map(Step::Full),
        1 => Just(Step::Reopen),
    ]
}

fn batch() -> impl Strategy<Value = Batch> {
    (vec(op(), 1..8), any::<bool>()).prop_map(|(ops, grant)| Batch { ops, grant })
}

fn op() -> impl Strategy<Value = Op> {
    let ttl = || option::of(seconds(1..100));
    let wait = || option::of(seconds(0..6));
    prop_oneof![
        4 => vec(line(), 1..5).prop_map(Op::Submit),
        8 => (place(), any::<bool>(), ttl()).prop_map(|(job, worker, ttl)| Op::Lease { job, worker, ttl }),
        3 => (place(), ttl(), option::of(0..100u8), any::<bool>())
            .prop_map(|(lease, ttl, percent, checkpoint)| Op::Beat { lease, ttl, percent, checkpoint }),
        3 => (place(), option::of(any::<u8>())).prop_map(|(lease, result)| Op::Complete { lease, result }),
        3 => (place(), any::<bool>(), wait(), any::<bool>()).prop_map(|(lease, retryable, retry_after, cancelled)| Op::Fail {
            lease,
            retryable,
            retry_after,
            cancelled,
        }),
        2 => (place(), wait(), any::<bool>()).prop_map(|(lease, delay, checkpoint)| Op::Release { lease, delay, checkpoint }),
        2 => (place(), any::<bool>()).prop_map(|(lease, timeout)| Op::Lapse { lease, timeout }),
        2 => place().prop_map(|job| Op::Cancel { job }),
        2 => place().prop_map(|job| Op::Expire { job }),
        6 => place().prop_map(|job| Op::Retry { job }),
        3 => (place(), action(), place()).prop_map(|(job, action, lease)| Op::Step { job, action, lease }),
        1 => (place(), option::weighted(0.8, 1..9u64)).prop_map(|(lease, next)| Op::Part { lease, next }),
        1 => place().prop_map(|job| Op::Delete { job }),
        1 => place().prop_map(|job| Op::Purge { job }),
        1 => (5..60u8).prop_map(|change| Op::Forget { change }),
        1 => (0..3u8, setting()).prop_map(|(queue, setting)| Op::Configure { queue, setting }),
    ]
}

fn action() -> impl Strategy<Value = BulkAction> {
    prop_oneof![
        1 => Just(BulkAction::Cancel),
        1 => Just(BulkAction::Purge),
        1 => Just(BulkAction::Retry),
        3 => Just(BulkAction::Redrive),
    ]
}

fn line() -> impl Strategy<Value = Line> {
    let plain = (
        0..3u8,
        0..3u8,
        option::of(prop_oneof![Just(0), Just(5), Just(9)]),
        0..3u8,
        option::of(seconds(0..6)),
        option::of(seconds(1..20)),
        option::of(1..4u32),
        any::<u8>(),
    );
    let order = (option::weighted(0.6, 0..2u8), option::weighted(0.3, option::of(place())), 0..3u8);
    let unique = option::weighted(0.3, (0..2u8, 0..3u8));
    let plain = (plain, order, unique).prop_map(
        |(
            (queue, kind, priority, group, delay, expires_in, max_attempts, payload),
            (order, after, on_failure),
            unique,
        )| Line {
            queue,
            kind,
            priority,
            group,
            delay,
            expires_in,
            max_attempts,
            payload,
            key: None,
            order,
            after,
            on_failure,
            unique,
        },
    );
    // What comes under a key comes again and again, and is now and then another request.
    let keyed = (0..6u8, prop_oneof![9 => Just(0), 1 => Just(1)]).prop_map(|(key, payload)| Line {
        queue: key % 3,
        kind: key % 2,
        priority: Some(9),
        group: key % 2,
        delay: None,
        expires_in: None,
        max_attempts: Some(2),
        payload,
        key: Some(key),
        order: None,
        after: None,
        on_failure: 0,
        unique: None,
    });
    prop_oneof![3 => plain, 1 => keyed]
}

fn setting() -> impl Strategy<Value = Setting> {
    let time = || option::of(seconds(1..100));
    prop_oneof![
        time().prop_map(Setting::Ttl),
        option::of(1..5u32).prop_map(Setting::Attempts),
        seconds(0..10).prop_map(Setting::Backoff),
        time().prop_map(Setting::Timeout),
        option::of(1..4u32).prop_map(Setting::GroupConcurrency),
        time().prop_map(Setting::Expiry),
        time().prop_map(Setting::Retention),
        any::<bool>().prop_map(Setting::Paused),
    ]
}

fn place() -> impl Strategy<Value = Place> {
    prop_oneof![20 => 0..5u8, 10 => 0..30u8, 1 => Just(NOWHERE)]
}

fn seconds(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_secs)
}
