use std::time::Duration;

use ackd_domain::{
    Command, JobId, LapseReason, LeaseToken, Position, Progress, QueuePatch, Start, Submission, Timestamp,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::samples::{failure, json, name, submission};

/// A step of a plan. Jobs and leases are named by their place, counted back from the newest.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    Pass(Duration),
    Submit(Vec<Line>),
    Lease(usize, Option<Duration>),
    Beat { lease: usize, ttl: Option<Duration>, percent: Option<u8>, checkpoint: bool },
    Complete(usize, Option<u8>),
    Fail { lease: usize, retryable: bool, retry_after: Option<Duration>, cancelled: bool },
    Release(usize, Option<Duration>),
    Lapse(usize, bool),
    Cancel(usize),
    Expire(usize),
    Retry(usize),
    Attempts(Option<u32>),
    Pause(bool),
}

/// A submission of a plan.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    key: Option<u8>,
    payload: u8,
    max_attempts: Option<u32>,
    expires_in: Option<Duration>,
    delay: Option<Duration>,
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    // Few jobs with a long life each; now and then one that there is not.
    let place = || prop_oneof![30 => 0usize..3, 1 => Just(1000)];
    let wait = || option::of(seconds(0..6));
    prop_oneof![
        4 => seconds(0..8).prop_map(Op::Pass),
        2 => vec(line(), 0..4).prop_map(Op::Submit),
        8 => (place(), wait()).prop_map(|(job, ttl)| Op::Lease(job, ttl)),
        2 => (place(), wait(), option::of(0..100u8), any::<bool>())
            .prop_map(|(lease, ttl, percent, checkpoint)| Op::Beat { lease, ttl, percent, checkpoint }),
        2 => (place(), option::of(any::<u8>())).prop_map(|(lease, result)| Op::Complete(lease, result)),
        3 => (place(), any::<bool>(), wait(), prop_oneof![3 => Just(false), 1 => Just(true)]).prop_map(
            |(lease, retryable, retry_after, cancelled)| Op::Fail { lease, retryable, retry_after, cancelled }
        ),
        2 => (place(), wait()).prop_map(|(lease, delay)| Op::Release(lease, delay)),
        2 => (place(), any::<bool>()).prop_map(|(lease, timeout)| Op::Lapse(lease, timeout)),
        1 => place().prop_map(Op::Cancel),
        1 => place().prop_map(Op::Expire),
        4 => place().prop_map(Op::Retry),
        1 => option::of(1..4u32).prop_map(Op::Attempts),
        1 => prop_oneof![2 => Just(false), 1 => Just(true)].prop_map(Op::Pause),
    ]
}

fn line() -> impl Strategy<Value = Line> {
    let key = option::of(0..3u8);
    let payload = prop_oneof![5 => Just(0u8), 1 => Just(1)];
    let parts = (key, payload, option::of(1..4u32), option::of(seconds(0..40)), option::of(seconds(0..4)));
    parts.prop_map(|(key, payload, max_attempts, expires_in, delay)| match key {
        // What comes under a key is mostly the same request.
        Some(_) => Line { key, payload, max_attempts: Some(2), expires_in: None, delay: None },
        None => Line { key, payload, max_attempts, expires_in, delay },
    })
}

fn seconds(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_secs)
}

impl Line {
    fn submission(&self) -> Submission {
        let submission = Submission {
            payload: json(&self.payload.to_string()),
            max_attempts: self.max_attempts,
            expires_in: self.expires_in,
            start: self.delay.map_or(Start::Now, Start::After),
            ..submission()
        };
        match self.key {
            Some(key) => submission.keyed(format!("key-{key}").into()),
            None => submission,
        }
    }
}

impl Op {
    /// The command, where `ids` and `leases` are all that there were.
    pub(crate) fn command(&self, ids: &[JobId], leases: &[LeaseToken], now: Timestamp) -> Command {
        let id = |place: &usize| ids.iter().rev().nth(*place).copied().unwrap_or(JobId::new(now, 1 << 40, 0));
        let lease = |place: &usize| {
            let never = LeaseToken { number: 1, fence: Position(1), secret: 1 };
            leases.iter().rev().nth(*place).copied().unwrap_or(never)
        };
        let configure = |patch| Command::Configure { queue: name("video"), patch: Box::new(patch) };
        match self {
            Op::Pass(_) => unreachable!("time passes without a command"),
            Op::Submit(lines) => Command::Submit(lines.iter().map(Line::submission).collect()),
            Op::Lease(job, ttl) => Command::Lease { number: id(job).number(), worker: None, ttl: *ttl },
            Op::Beat { lease: place, ttl, percent, checkpoint } => Command::Heartbeat {
                lease: lease(place),
                ttl: *ttl,
                progress: percent.map(|it| Progress { percent: Some(it.into()), message: None, at: Timestamp::MAX }),
                checkpoint: checkpoint.then(|| "{}".into()),
            },
            Op::Complete(place, result) => {
                Command::Complete { lease: lease(place), result: result.map(|result| json(&result.to_string())) }
            }
            Op::Fail { lease: place, retryable, retry_after, cancelled } => Command::Fail {
                lease: lease(place),
                error: failure(),
                retryable: *retryable,
                retry_after: *retry_after,
                cancelled: *cancelled,
            },
            Op::Release(place, delay) => Command::Release { lease: lease(place), delay: *delay, checkpoint: None },
            Op::Lapse(place, timeout) => {
                let reason = if *timeout { LapseReason::Timeout } else { LapseReason::Silence };
                Command::Lapse { lease: lease(place), reason }
            }
            Op::Cancel(job) => Command::Cancel { id: id(job) },
            Op::Expire(job) => Command::Expire { number: id(job).number() },
            Op::Retry(job) => Command::Retry { id: id(job) },
            Op::Attempts(attempts) => configure(QueuePatch { max_attempts: Some(*attempts), ..QueuePatch::default() }),
            Op::Pause(paused) => configure(QueuePatch::pause(*paused)),
        }
    }
}
