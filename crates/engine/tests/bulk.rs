//! Bulk jobs of a running engine over the in-memory ledger.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{
    Answer, Body, BulkAction, ChangeKind, Command, Failure, JSON, Job, JobId, Name, Status, Submission, Timestamp,
};
use ackd_engine::{
    BulkOf, BulkOrder, BulkWorker, Engine, EventsStart, Field, Filter, Pace, Record, Search, WorkRequest,
};
use ackd_memory::Faults;
use ackd_ports::{LedgerError, SystemClock};
use bytes::Bytes;

struct World {
    engine: Engine,
    faults: Faults,
}

impl World {
    fn new() -> World {
        let (engine, faults) = common::engine(Arc::new(SystemClock::start()));
        World { engine, faults }
    }

    fn work(&self) -> BulkWorker {
        BulkWorker::start(self.engine.clone())
    }

    async fn submit(&self, jobs: usize) -> Vec<JobId> {
        let body = Body { content_type: JSON.into(), bytes: Bytes::from_static(b"{}") };
        let submission = Submission::new(name("video"), body);
        match self.engine.run(vec![Command::Submit(vec![submission; jobs])]).await.unwrap().pop() {
            Some(Ok(Answer::Accepted(accepted))) => accepted.iter().map(|accepted| accepted.job.id).collect(),
            other => panic!("{other:?}"),
        }
    }

    /// Fails as many waiting jobs as there are up to 1000.
    async fn fail(&self, title: &str) -> usize {
        let request = WorkRequest {
            queues: vec![name("video")],
            kinds: Vec::new(),
            max: 1000,
            wait: Duration::from_millis(1),
            worker: None,
            ttl: None,
            inline: 0,
        };
        let mut grants = self.engine.lease(request).await.unwrap();
        grants.delivered();
        let error = Failure { problem: format!(r#"{{"title":"{title}"}}"#).into() };
        let fail = |lease| Command::Fail {
            lease,
            error: error.clone(),
            retryable: false,
            retry_after: None,
            cancelled: false,
        };
        let commands: Vec<Command> = grants.leases().iter().map(|granted| fail(granted.token)).collect();
        let failed = commands.len();
        if failed > 0 {
            assert!(self.engine.run(commands).await.unwrap().iter().all(Result::is_ok));
        }
        failed
    }

    async fn begin(&self, action: BulkAction, of: BulkOf, pace: Option<Pace>) -> Record {
        self.engine.bulk(&BulkOrder { action, of, pace }).await.unwrap().unwrap()
    }

    /// The bulk job, and what came of it, once it has ended. It sets no time: that of some tests flies.
    async fn ended(&self, record: Record) -> (Arc<Job>, String) {
        let EventsStart::Events(mut events) = self.engine.events(record.job.id, None).await.unwrap() else {
            panic!("there is no such job");
        };
        while events.next().await.unwrap().is_some() {}
        let job = self.job(record.job.id).await;
        assert!(job.status.is_terminal(), "{job:?}");
        let result = self.engine.result(job.id.number()).await.unwrap();
        (job, result.map(|body| String::from_utf8_lossy(&body.bytes).into_owned()).unwrap_or_default())
    }

    async fn job(&self, id: JobId) -> Arc<Job> {
        self.engine.job(id).await.unwrap().unwrap()
    }

    async fn runs(&self, ids: &[JobId]) -> Vec<u32> {
        let mut runs = Vec::new();
        for id in ids {
            runs.push(self.job(*id).await.run);
        }
        runs
    }

    /// Waits until the bulk job has written down more of its way.
    async fn under_way(&self, record: &Record) {
        let started = self.job(record.job.id).await.checkpoint.clone();
        self.beyond(record, started).await;
    }

    /// Waits until the bulk job has written down another checkpoint than this.
    async fn beyond(&self, record: &Record, checkpoint: Option<Arc<str>>) {
        let EventsStart::Events(mut events) = self.engine.events(record.job.id, None).await.unwrap() else {
            panic!("there is no such job");
        };
        while self.job(record.job.id).await.checkpoint == checkpoint {
            assert!(events.next().await.unwrap().is_some(), "it has ended");
        }
    }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn dead() -> BulkOf {
    BulkOf::Dead { queue: name("video"), cause: None }
}

fn slow(limit: u32) -> Option<Pace> {
    Some(Pace { limit, per: Duration::from_secs(1) })
}

fn hourly() -> Option<Pace> {
    Some(Pace { limit: 1, per: Duration::from_hours(1) })
}

#[tokio::test]
async fn a_redrive_takes_what_is_dead_in_parts_and_says_what_came_of_it() {
    let world = World::new();
    let ids = world.submit(600).await;
    assert_eq!(world.fail("no").await, 600);
    let _worker = world.work();
    let record = world.begin(BulkAction::Redrive, dead(), None).await;
    let (job, result) = world.ended(record).await;
    assert_eq!((job.status, &*result), (Status::Done, r#"{"matched":600,"changed":600,"refused":0}"#));
    assert_eq!(BulkOrder::changed_by(&job), Some(600));
    assert_eq!(job.progress.as_ref().and_then(|progress| progress.percent), Some(100.0));
    assert_eq!(world.runs(&ids).await, vec![2; 600]);
    let timeline = world.engine.timeline(ids[7]).await.unwrap().unwrap();
    assert_eq!(timeline.changes.last().map(|change| change.kind), Some(ChangeKind::Redriven));
    let timeline = world.engine.timeline(job.id).await.unwrap().unwrap();
    let parts = timeline.changes.iter().filter(|change| change.kind == ChangeKind::Progressed).count();
    assert_eq!(parts, 2, "600 are three parts, the last of which ends it");
}

#[tokio::test]
async fn only_the_cause_or_the_jobs_that_were_named_run_again() {
    let world = World::new();
    let quota = world.submit(3).await;
    world.fail("quota").await;
    let broken = world.submit(3).await;
    world.fail("broken").await;
    let _worker = world.work();
    let of = BulkOf::Dead { queue: name("video"), cause: Some("quota".into()) };
    assert_eq!(world.engine.count_dead(of.clone()).await, Ok(3));
    let record = world.begin(BulkAction::Redrive, of, None).await;
    assert_eq!(world.ended(record).await.1, r#"{"matched":3,"changed":3,"refused":0}"#);
    assert_eq!((world.runs(&quota).await, world.runs(&broken).await), (vec![2; 3], vec![1; 3]));
    // One that waits already, one that is not there, and one that is dead.
    let nobodys = JobId::new(Timestamp::default(), 1 << 40, 0);
    let of = BulkOf::Ids { queue: name("video"), ids: vec![quota[0], nobodys, broken[1]] };
    assert_eq!(world.engine.count_dead(of.clone()).await, Ok(1));
    let record = world.begin(BulkAction::Redrive, of, None).await;
    assert_eq!(world.ended(record).await.1, r#"{"matched":2,"changed":1,"refused":1}"#);
    assert_eq!((world.runs(&quota).await, world.runs(&broken).await), (vec![2; 3], vec![1, 2, 1]));
    let elsewhere = BulkOf::Ids { queue: name("audio"), ids: vec![broken[0]] };
    let record = world.begin(BulkAction::Redrive, elsewhere, None).await;
    assert_eq!(world.ended(record).await.1, r#"{"matched":0,"changed":0,"refused":0}"#);
}

#[tokio::test(start_paused = true)]
async fn a_redrive_keeps_its_rate() {
    let world = World::new();
    world.submit(40).await;
    world.fail("no").await;
    let _worker = world.work();
    let started = tokio::time::Instant::now();
    let record = world.begin(BulkAction::Redrive, dead(), slow(20)).await;
    assert_eq!(world.ended(record).await.1, r#"{"matched":40,"changed":40,"refused":0}"#);
    // Two at once, and then as many every tenth of a second.
    assert!(started.elapsed() >= Duration::from_millis(1900), "40 at 20 a second took {:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_follows_another_goes_on_where_that_was() {
    let world = World::new();
    let ids = world.submit(60).await;
    world.fail("no").await;
    let mut worker = world.work();
    let record = world.begin(BulkAction::Redrive, dead(), slow(20)).await;
    for _ in 0..3 {
        world.under_way(&record).await;
        worker.stop().await;
        let left = world.job(record.job.id).await;
        assert!(!left.status.is_terminal(), "it was over before it was stopped");
        worker = world.work();
    }
    assert_eq!(world.ended(record).await.1, r#"{"matched":60,"changed":60,"refused":0}"#);
    assert_eq!(world.runs(&ids).await, vec![2; 60]);
}

#[tokio::test(start_paused = true)]
async fn a_redrive_during_a_redrive_runs_nothing_twice() {
    let world = World::new();
    let ids = world.submit(50).await;
    world.fail("no").await;
    let _worker = world.work();
    let slow = world.begin(BulkAction::Redrive, dead(), slow(20)).await;
    world.under_way(&slow).await;
    let fast = world.begin(BulkAction::Redrive, dead(), None).await;
    let (fast, _) = world.ended(fast).await;
    let (slow, _) = world.ended(slow).await;
    let changed = |job: &Job| BulkOrder::changed_by(job).unwrap();
    assert_eq!(changed(&fast) + changed(&slow), 50);
    assert_eq!(world.runs(&ids).await, vec![2; 50]);
    // What dies once more while a redrive is under way is for the next one.
    assert_eq!(world.fail("again").await, 50);
    let third = world.begin(BulkAction::Redrive, dead(), Some(Pace { limit: 10, per: Duration::from_secs(1) })).await;
    world.under_way(&third).await;
    while world.fail("once more").await > 0 {}
    let (third, _) = world.ended(third).await;
    assert_eq!(changed(&third), 50);
    assert_eq!(world.runs(&ids).await, vec![3; 50]);
}

#[tokio::test(start_paused = true)]
async fn a_bulk_job_can_be_stopped_and_goes_on_when_it_is_retried() {
    let world = World::new();
    let ids = world.submit(60).await;
    world.fail("no").await;
    let _worker = world.work();
    let record = world.begin(BulkAction::Redrive, dead(), slow(20)).await;
    let id = record.job.id;
    world.under_way(&record).await;
    world.engine.run(vec![Command::Cancel { id }]).await.unwrap();
    let (stopped, _) = world.ended(record.clone()).await;
    assert_eq!(stopped.status, Status::Cancelled);
    let runs: u32 = world.runs(&ids).await.iter().sum();
    assert!(runs > 60 && runs < 120, "{runs}");
    let retried = world.engine.run(vec![Command::Retry { id }]).await.unwrap().pop().unwrap();
    let Ok(Answer::Job(job)) = retried else { panic!("{retried:?}") };
    assert_eq!(world.ended(Record { job, ..record }).await.1, r#"{"matched":60,"changed":60,"refused":0}"#);
    assert_eq!(world.runs(&ids).await, vec![2; 60]);
}

#[tokio::test(start_paused = true)]
async fn a_full_store_holds_it_up_and_loses_nothing() {
    let world = World::new();
    let ids = world.submit(3).await;
    let cancel = BulkOf::Search(Filter { queues: vec![name("video")], ..Filter::default() }.into());
    let record = world.begin(BulkAction::Cancel, cancel, None).await;
    world.faults.fail_next(LedgerError::Full("no room".into()));
    let _worker = world.work();
    assert_eq!(world.ended(record).await.1, r#"{"matched":3,"changed":3,"refused":0}"#);
    for id in ids {
        assert_eq!(world.job(id).await.status, Status::Cancelled);
    }
}

/// A server that starts on a full disk works them off once there is room.
#[tokio::test(start_paused = true)]
async fn a_worker_that_cannot_take_over_at_once_does_so_later() {
    let world = World::new();
    let ids = world.submit(3).await;
    world.fail("no").await;
    let worker = world.work();
    let record = world.begin(BulkAction::Redrive, dead(), hourly()).await;
    world.under_way(&record).await;
    // It goes without a word: its lease is there still.
    world.faults.fail_next(LedgerError::Full("no room".into()));
    worker.stop().await;
    assert_eq!(world.job(record.job.id).await.status, Status::Processing);
    world.faults.fail_next(LedgerError::Full("no room".into()));
    let _worker = world.work();
    assert_eq!(world.ended(record).await.1, r#"{"matched":3,"changed":3,"refused":0}"#);
    assert_eq!(world.runs(&ids).await, vec![2; 3]);
}

#[tokio::test]
async fn many_slow_ones_hold_up_no_other() {
    let world = World::new();
    world.submit(200).await;
    world.fail("no").await;
    let _worker = world.work();
    let mut slow = Vec::new();
    for _ in 0..100 {
        slow.push(world.begin(BulkAction::Redrive, dead(), hourly()).await);
    }
    for record in &slow {
        world.beyond(record, None).await;
    }
    let purge = world.begin(BulkAction::Purge, dead(), None).await;
    let purged = tokio::time::timeout(Duration::from_secs(60), world.ended(purge)).await.expect("it is held up");
    assert_eq!(purged.0.status, Status::Done);
    assert_eq!(world.job(slow[99].job.id).await.status, Status::Processing);
}

#[tokio::test]
async fn a_filter_is_about_what_was_accepted_before() {
    let world = World::new();
    let before = world.submit(2).await;
    world.fail("no").await;
    world.submit(2).await;
    let waiting = Filter { queues: vec![name("video")], statuses: vec![Status::Init], ..Filter::default() };
    let waiting = BulkOf::Search(waiting.into());
    let record = world.begin(BulkAction::Purge, waiting.clone(), None).await;
    let after = world.submit(1).await;
    let _worker = world.work();
    assert_eq!(world.ended(record).await.1, r#"{"matched":2,"changed":2,"refused":0}"#);
    assert_eq!(world.job(after[0]).await.status, Status::Init);
    let all = BulkOf::Search(Filter { queues: vec![name("video")], ..Filter::default() }.into());
    let record = world.begin(BulkAction::Retry, all, None).await;
    // The one that waits cannot run again; those that failed and were purged do.
    assert_eq!(world.ended(record).await.1, r#"{"matched":5,"changed":4,"refused":1}"#);
    assert_eq!(world.runs(&before).await, [2, 2]);
}

#[tokio::test]
async fn a_search_of_payloads_goes_on_behind_what_a_part_looks_at() {
    let world = World::new();
    let with = |payload: &'static str| {
        Submission::new(
            name("video"),
            Body { content_type: JSON.into(), bytes: Bytes::from_static(payload.as_bytes()) },
        )
    };
    let mut submissions = vec![with(r#"{"order":"a"}"#); 2];
    submissions.extend(vec![with("{}"); 1100]);
    submissions.push(with(r#"{"order":"a"}"#));
    world.engine.run(vec![Command::Submit(submissions)]).await.unwrap().pop().unwrap().unwrap();
    let search = Search { fields: vec![Field::new("order", "a").unwrap()], ..Search::default() };
    let record = world.begin(BulkAction::Cancel, BulkOf::Search(search.clone()), None).await;
    let _worker = world.work();
    assert_eq!(world.ended(record).await.1, r#"{"matched":3,"changed":3,"refused":0}"#);
    let cancelled = Filter { statuses: vec![Status::Cancelled], ..Filter::default() };
    let found = world.engine.list(cancelled.into(), None, 10).await.unwrap();
    assert_eq!(found.jobs.iter().map(|job| job.id.number()).collect::<Vec<_>>(), [1103, 2, 1]);
}
