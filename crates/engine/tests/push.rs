//! Queues that are pushed, of a running engine over the in-memory ledger, with a way out that sends nothing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use ackd_domain::{
    Answer, Backoff, Body, ChangeKind, Command, JSON, Job, JobId, LeaseToken, Name, PayloadFile, Push, QueuePatch,
    Status, Submission, Timestamp,
};
use ackd_engine::{
    Engine, Feed, FeedItem, FeedStart, Files, Filter, Interest, NO_WORKER_AFTER, PushOptions, Pusher, Waiting,
    WorkRequest,
};
use ackd_memory::{FakeOutbound, Faults, MemoryFiles, Script};
use ackd_ports::{
    Clock, FileStoreError, LedgerError, Outbound, OutboundError, Post, Posted, Reply, SigningKey, Wanted,
};
use bytes::Bytes;
use tokio::sync::Notify;

const URL: &str = "https://slow.example/work";
const SECOND: Duration = Duration::from_secs(1);

/// A clock that stands still until it is moved.
#[derive(Debug, Default)]
struct StoppedClock(AtomicI64);

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000 + self.0.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst).unsigned_abs())
    }
}

struct World {
    engine: Engine,
    clock: Arc<StoppedClock>,
    outbound: FakeOutbound,
    pusher: Option<Pusher>,
    files: Files,
    store: MemoryFiles,
    faults: Faults,
    /// Tells of every change of every job.
    changes: Feed,
}

/// A lease as its number and fence, which is enough for a test to name it.
fn lease_text(lease: &LeaseToken) -> String {
    lease.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn lease_of(post: &Post) -> LeaseToken {
    let text = header(post, "ackd-lease").unwrap();
    let bytes: Vec<u8> =
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect();
    LeaseToken::from_bytes(&bytes.try_into().unwrap())
}

fn header<'a>(post: &'a Post, name: &str) -> Option<&'a str> {
    post.headers.iter().find(|(given, _)| *given == name).map(|(_, value)| &**value)
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn to(url: &str) -> Push {
    Push { url: url.into(), concurrency: None, timeout: None, is_async: false, fail_on: None }
}

fn submission(queue: &str) -> Submission {
    Submission::new(name(queue), Body { content_type: "text/x".into(), bytes: "work".into() })
}

fn result(text: &'static str) -> Script {
    Script::Reply(Reply {
        content_type: Some("text/y".into()),
        body: Bytes::from_static(text.as_bytes()),
        ..Reply::empty(200)
    })
}

impl World {
    async fn new() -> World {
        let clock = Arc::<StoppedClock>::default();
        let (engine, faults) = common::engine(clock.clone());
        let interest = Interest::new(Filter::default(), Vec::new());
        let changes = engine.feed(interest, FeedStart::Earliest, Some(10_000)).await.unwrap();
        let outbound = FakeOutbound::new();
        let store = MemoryFiles::default();
        let files = Files::new(engine.clone(), Arc::new(store.clone()), 1);
        let mut world = World { engine, clock, outbound, pusher: None, files, store, faults, changes };
        world.start();
        world
    }

    fn start(&mut self) {
        self.start_with(Arc::new(self.outbound.clone()));
    }

    fn start_with(&mut self, outbound: Arc<dyn Outbound>) {
        let options = PushOptions { lease: lease_text, result: 100 };
        self.pusher = Some(Pusher::start(self.engine.clone(), self.files.clone(), outbound, options));
    }

    async fn stop(&mut self) {
        self.pusher.take().unwrap().stop().await;
    }

    async fn run(&self, command: Command) -> Answer {
        self.engine.run(vec![command]).await.unwrap().pop().unwrap().unwrap()
    }

    async fn configure(&self, queue: &str, patch: QueuePatch) {
        self.run(Command::Configure { queue: name(queue), patch: Box::new(patch) }).await;
    }

    /// Has the jobs of `queue` pushed so; one that fails is tried again after a second.
    async fn push(&self, queue: &str, push: Push) {
        let backoff = Backoff::new(SECOND, 1.0, SECOND, 0.0).unwrap();
        let push = Some(Some(Arc::new(push)));
        self.configure(queue, QueuePatch { push, backoff: Some(Some(backoff)), ..QueuePatch::default() }).await;
    }

    async fn submit(&self, queue: &str) -> Arc<Job> {
        match self.run(Command::Submit(vec![submission(queue)])).await {
            Answer::Accepted(mut accepted) => accepted.pop().unwrap().job,
            other => panic!("{other:?}"),
        }
    }

    /// A job whose payload is a file of these bytes.
    async fn submit_file(&self, queue: &str, bytes: &[u8]) {
        let mut receiving = self.files.receive("video/mp4".into());
        receiving.write(Bytes::copy_from_slice(bytes)).await.unwrap();
        let received = receiving.finish().await.unwrap();
        let file = PayloadFile::New(received.file().clone());
        let empty = Body { content_type: "".into(), bytes: Bytes::new() };
        let submission = Submission { payload_file: Some(Box::new(file)), ..Submission::new(name(queue), empty) };
        received.commit(Command::Submit(vec![submission])).await.unwrap().pop().unwrap().unwrap();
    }

    /// The next change by which a job comes to `status`.
    async fn until(&mut self, status: Status) -> Arc<Job> {
        self.until_change(|_, job| job.status == status).await
    }

    /// The next change that is one of these.
    async fn until_change(&mut self, holds: impl Fn(ChangeKind, &Job) -> bool) -> Arc<Job> {
        let until = async {
            loop {
                match self.changes.next().await.unwrap() {
                    Some(FeedItem::Entry(entry)) if holds(entry.change.kind, &entry.change.job) => {
                        return Arc::clone(&entry.change.job);
                    }
                    Some(_) => {}
                    None => panic!("the engine has stopped"),
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), until).await.unwrap()
    }

    /// The first `count` posts, once there are so many.
    async fn posts(&self, count: usize) -> Vec<Post> {
        let outbound = self.outbound.clone();
        let waited = tokio::task::spawn_blocking(move || outbound.wait_for(count, Duration::from_secs(20)));
        let posts = waited.await.unwrap();
        assert_eq!(posts.len(), count, "so many posts");
        posts
    }

    /// Lets time pass, and the engine look at it.
    async fn pass(&self, time: Duration) {
        self.clock.0.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
        // Whatever is asked makes it look; there is no such job.
        let nobodys = JobId::new(self.clock.now(), 1 << 40, 0);
        for _ in 0..2 {
            assert!(self.engine.run(vec![Command::Cancel { id: nobodys }]).await.unwrap()[0].is_err());
        }
    }

    /// Lets a third of a lease pass for the pusher, and then so much time for the engine. In between time is the
    /// machine's: one that stands still would go on by itself whenever the engine is awaited.
    async fn pass_for_all(&self, time: Duration) {
        tokio::time::pause();
        tokio::time::advance(21 * SECOND).await;
        // Is over once every task waits, and so has asked the engine for what it may ask for.
        tokio::time::sleep(Duration::from_millis(1)).await;
        tokio::time::resume();
        self.pass(Duration::ZERO).await;
        self.pass(Duration::ZERO).await;
        self.pass(time).await;
    }

    /// Lets the pusher do all that it can do now: by then it has asked for whatever it may ask for.
    async fn settle(&self) {
        tokio::time::pause();
        // Time goes on by itself only once every task waits; and what they asked of the core comes before this.
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
            self.pass(Duration::ZERO).await;
        }
        tokio::time::resume();
    }

    async fn lease(&self, queue: &str, worker: Option<&str>) -> Option<LeaseToken> {
        let request = WorkRequest {
            queues: vec![name(queue)],
            kinds: Vec::new(),
            max: 1,
            wait: Duration::ZERO,
            worker: worker.map(Arc::from),
            ttl: None,
            inline: 0,
        };
        let mut grants = self.engine.lease(request).await.unwrap();
        grants.delivered();
        grants.leases().first().map(|granted| granted.token)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.engine.stop();
    }
}

#[tokio::test]
async fn a_job_is_posted_as_it_is_and_the_answer_is_its_result() {
    let mut world = World::new().await;
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    world.push("q", Push { timeout: Some(7 * SECOND), ..to(URL) }).await;
    world.outbound.script(URL, [result("answer")]);
    let traced = Submission { traceparent: Some(traceparent.into()), ..submission("q") };
    world.run(Command::Submit(vec![traced])).await;
    let leased = world.until(Status::Processing).await;
    assert_eq!(leased.worker.as_deref(), Some("ackd.push"));
    let done = world.until(Status::Done).await;
    let post = &world.posts(1).await[0];
    assert_eq!((&*post.url, &*post.content_type, post.body.as_bytes()), (URL, "text/x", &b"work"[..]));
    assert_eq!((post.timeout, post.wanted, post.at), (7 * SECOND, Wanted::Whole(100), world.clock.now()));
    assert!(post.signed.is_none());
    let id = done.id.to_string();
    for (header, value) in
        [("idempotency-key", &*id), ("ackd-job", &*id), ("ackd-attempt", "1"), ("traceparent", traceparent)]
    {
        assert_eq!(self::header(post, header), Some(value), "{header}");
    }
    assert!(leased.live_lease(&lease_of(post)).is_some());
    let kept = world.engine.record(done.id).await.unwrap().unwrap().result.unwrap();
    assert_eq!((&*kept.content_type, &*kept.bytes), ("text/y", &b"answer"[..]));
}

#[tokio::test]
async fn a_payload_that_is_a_file_is_posted_as_any_other() {
    let mut world = World::new().await;
    world.push("q", to(URL)).await;
    // Of several pieces, and of none.
    for (posts, bytes) in [(1, vec![7; 200 << 10]), (2, Vec::new())] {
        world.outbound.script(URL, [result("seen")]);
        world.submit_file("q", &bytes).await;
        let done = world.until(Status::Done).await;
        assert_eq!((done.attempt, done.result.as_ref().map(|result| result.size)), (1, Some(4)));
        let post = &world.posts(posts).await[posts - 1];
        assert_eq!((&*post.content_type, post.body.as_bytes()), ("video/mp4", &*bytes));
        assert_eq!(header(post, "ackd-job"), Some(&*done.id.to_string()));
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_posted_once_it_can() {
    let mut world = World::new().await;
    world.submit_file("q", b"miaow").await;
    world.store.fail_next(FileStoreError::Failed("the disk is away".into()));
    world.push("q", to(URL)).await;
    let waits = |kind, job: &Job| kind == ChangeKind::Failed && job.status == Status::Init;
    let failed = world.until_change(waits).await;
    let problem: serde_json::Value = serde_json::from_str(&failed.error.as_ref().unwrap().problem).unwrap();
    assert_eq!(problem["type"], "/problems/push-unsendable");
    assert!(problem["title"].as_str().unwrap().contains("the disk is away"), "{problem}");
    assert!(world.outbound.posts().is_empty());
    // What is damaged is never taken for the file.
    world.store.damage();
    world.pass(SECOND).await;
    let failed = world.until_change(waits).await;
    assert!(failed.error.as_ref().unwrap().problem.contains("damaged"), "{failed:?}");
    assert!(world.outbound.posts().is_empty());
    world.store.damage();
    world.pass(SECOND).await;
    assert_eq!(world.until(Status::Done).await.attempt, 3);
    assert_eq!(world.posts(1).await[0].body.as_bytes(), b"miaow");
}

#[tokio::test]
async fn what_fails_is_tried_again_by_the_back_off_or_when_the_target_says() {
    let mut world = World::new().await;
    world.push("q", to(URL)).await;
    let busy = Reply { retry_after: Some(90 * SECOND), ..Reply::empty(503) };
    world.outbound.script(URL, [Script::status(500), Script::Reply(busy), Script::status(422)]);
    world.submit("q").await;
    let waits = |kind, job: &Job| kind == ChangeKind::Failed && job.status == Status::Init;
    let waiting = world.until_change(waits).await;
    assert_eq!((waiting.run_at, waiting.attempt), (world.clock.now().after(SECOND), 1));
    world.pass(SECOND).await;
    let waiting = world.until_change(waits).await;
    assert_eq!((waiting.run_at, waiting.attempt), (world.clock.now().after(90 * SECOND), 2));
    world.pass(90 * SECOND).await;
    let failed = world.until(Status::Failed).await;
    assert!(failed.error.as_ref().unwrap().problem.contains("the target answered 422"));
    let posts = world.posts(3).await;
    let keys: Vec<_> = posts.iter().map(|post| header(post, "idempotency-key").unwrap().to_owned()).collect();
    assert_eq!(keys, vec![failed.id.to_string(); 3]);
    assert_eq!(posts.iter().map(|post| header(post, "ackd-attempt").unwrap()).collect::<Vec<_>>(), ["1", "2", "3"]);
}

#[tokio::test]
async fn settings_take_effect_at_once() {
    let mut world = World::new().await;
    world.submit("q").await;
    world.settle().await;
    assert_eq!(world.outbound.posts().len(), 0, "nobody pushes it yet");
    world.push("q", to(URL)).await;
    world.until(Status::Done).await;
    world.push("q", to("https://other.example/")).await;
    world.submit("q").await;
    world.until(Status::Done).await;
    assert_eq!(&*world.posts(2).await[1].url, "https://other.example/");
    // A paused queue pushes nothing.
    world.configure("q", QueuePatch::pause(true)).await;
    world.submit("q").await;
    world.settle().await;
    assert_eq!(world.outbound.posts().len(), 2);
    world.configure("q", QueuePatch::pause(false)).await;
    world.until(Status::Done).await;
    // Nor does one that is pushed no longer, whose jobs a worker may have; and then it is pushed again.
    world.configure("q", QueuePatch { push: Some(None), ..QueuePatch::default() }).await;
    world.submit("q").await;
    world.settle().await;
    assert_eq!(world.outbound.posts().len(), 3);
    world.push("q", to(URL)).await;
    world.until(Status::Done).await;
    assert_eq!(world.posts(4).await.len(), 4);
}

#[tokio::test]
async fn no_more_posts_are_under_way_than_the_queue_says_then() {
    let mut world = World::new().await;
    world.outbound.script(URL, vec![Script::Hang; 20]);
    let mut jobs = Vec::new();
    for _ in 0..20 {
        jobs.push(world.submit("q").await.id);
    }
    world.push("q", to(URL)).await;
    world.posts(10).await;
    world.settle().await;
    assert_eq!(world.outbound.posts().len(), 10, "the default");
    world.push("q", Push { concurrency: Some(12), ..to(URL) }).await;
    world.posts(12).await;
    // As many as there may be when one of two too many has ended; one fewer when the next has.
    world.push("q", Push { concurrency: Some(11), ..to(URL) }).await;
    for (cancelled, posted) in [(0, 12), (1, 13)] {
        world.run(Command::Cancel { id: jobs[cancelled] }).await;
        world.until(Status::Cancelled).await;
        world.settle().await;
        assert_eq!(world.outbound.posts().len(), posted);
    }
}

#[tokio::test]
async fn a_queue_that_is_pushed_anew_while_posts_are_under_way_counts_them() {
    let mut world = World::new().await;
    world.outbound.script(URL, [Script::Hang]);
    world.push("q", Push { concurrency: Some(1), ..to(URL) }).await;
    let hangs = world.submit("q").await;
    world.submit("q").await;
    world.posts(1).await;
    world.configure("q", QueuePatch { push: Some(None), ..QueuePatch::default() }).await;
    world.settle().await;
    world.push("q", Push { concurrency: Some(1), ..to(URL) }).await;
    world.settle().await;
    assert_eq!(world.outbound.posts().len(), 1);
    world.run(Command::Cancel { id: hangs.id }).await;
    world.until(Status::Done).await;
    // Once nothing was under way any more nobody works on it; and then somebody does again.
    world.configure("q", QueuePatch { push: Some(None), ..QueuePatch::default() }).await;
    world.settle().await;
    world.push("q", Push { concurrency: Some(1), ..to(URL) }).await;
    world.submit("q").await;
    world.until(Status::Done).await;
}

#[tokio::test]
async fn a_job_behind_those_that_are_posted_is_not_without_a_worker() {
    let world = World::new().await;
    world.outbound.script(URL, [Script::Hang]);
    world.push("q", Push { concurrency: Some(1), timeout: Some(3600 * SECOND), ..to(URL) }).await;
    world.submit("q").await;
    world.posts(1).await;
    let waits = world.submit("q").await;
    for _ in 0..4 {
        world.pass_for_all(30 * SECOND).await;
        assert_eq!(world.engine.waiting(&waits), Some(Waiting::Queued));
    }
    world.configure("q", QueuePatch { push: Some(None), ..QueuePatch::default() }).await;
    world.pass(NO_WORKER_AFTER).await;
    assert_eq!(world.engine.waiting(&waits), Some(Waiting::NoWorker));
}

#[tokio::test]
async fn a_target_that_hangs_delays_no_other_queue() {
    let mut world = World::new().await;
    world.outbound.script(URL, vec![Script::Hang; 50]);
    world.push("dead", Push { concurrency: Some(20), ..to(URL) }).await;
    world.push("works", Push { concurrency: Some(1), ..to("https://works.example/") }).await;
    for _ in 0..50 {
        world.submit("dead").await;
        world.submit("works").await;
    }
    for _ in 0..50 {
        assert_eq!(world.until(Status::Done).await.spec.queue, name("works"));
    }
    let hanging = world.outbound.posts().iter().filter(|post| &*post.url == URL).count();
    assert_eq!(hanging, 20);
}

#[tokio::test]
async fn a_cancel_drops_the_post_and_ends_the_job() {
    let mut world = World::new().await;
    world.push("q", Push { concurrency: Some(1), ..to(URL) }).await;
    world.outbound.script(URL, [Script::Hang]);
    let job = world.submit("q").await;
    world.posts(1).await;
    world.run(Command::Cancel { id: job.id }).await;
    let cancelled = world.until(Status::Cancelled).await;
    assert_eq!((cancelled.id, cancelled.attempt), (job.id, 1));
    assert!(cancelled.error.as_ref().unwrap().problem.contains("cancel"));
    // Its place is free.
    world.submit("q").await;
    world.until(Status::Done).await;
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_drops_the_post() {
    let mut world = World::new().await;
    world.push("q", Push { concurrency: Some(1), ..to(URL) }).await;
    world.configure("q", QueuePatch { timeout: Some(Some(5 * SECOND)), ..QueuePatch::default() }).await;
    world.outbound.script(URL, [Script::Hang]);
    world.submit("q").await;
    world.posts(1).await;
    world.pass(5 * SECOND).await;
    world.until_change(|kind, _| kind == ChangeKind::Lapsed).await;
    world.pass(SECOND).await;
    let done = world.until(Status::Done).await;
    assert_eq!(done.attempt, 2);
}

#[tokio::test]
async fn a_lease_is_kept_for_as_long_as_its_post_takes() {
    let mut world = World::new().await;
    world.push("q", Push { timeout: Some(3600 * SECOND), ..to(URL) }).await;
    world.outbound.script(URL, [Script::Hang]);
    let job = world.submit("q").await;
    world.posts(1).await;
    for _ in 0..6 {
        world.pass_for_all(30 * SECOND).await;
    }
    let now = world.engine.job(job.id).await.unwrap().unwrap();
    assert_eq!((now.status, now.attempt), (Status::Processing, 1));
    // Without the pusher it lapses.
    tokio::time::pause();
    world.stop().await;
    tokio::time::resume();
    assert_eq!(world.until_change(|kind, _| kind == ChangeKind::Released).await.attempt, 0);
}

#[tokio::test]
async fn a_target_may_settle_later_and_has_its_time_for_it() {
    let mut world = World::new().await;
    let push = Push { is_async: true, concurrency: Some(1), timeout: Some(100 * SECOND), ..to(URL) };
    world.push("q", push).await;
    world.outbound.script(URL, [Script::status(202), Script::status(202), Script::status(202)]);
    let first = world.submit("q").await;
    world.submit("q").await;
    // The second is posted although the first has not been settled: it is not under way any more.
    let posts = world.posts(2).await;
    world.settle().await;
    // The lease of a post would have lapsed by then.
    world.pass(99 * SECOND).await;
    let body = Some(Body { content_type: JSON.into(), bytes: "7".into() });
    world.run(Command::Complete { lease: lease_of(&posts[0]), result: body }).await;
    assert_eq!(world.until(Status::Done).await.id, first.id);
    world.pass(SECOND).await;
    let lapsed = world.until_change(|kind, _| kind == ChangeKind::Lapsed).await;
    world.pass(SECOND).await;
    let again = &world.posts(3).await[2];
    assert_eq!(header(again, "idempotency-key"), Some(&*lapsed.id.to_string()));
    assert_eq!(header(again, "ackd-attempt"), Some("2"));
    // The first attempt's lease is worth nothing any more.
    let late = Command::Complete { lease: lease_of(&posts[1]), result: None };
    assert!(world.engine.run(vec![late]).await.unwrap()[0].is_err());
    // And an answer at once is a result here too.
    world.outbound.script(URL, [result("at once")]);
    world.run(Command::Release { lease: lease_of(again), delay: None, checkpoint: None }).await;
    assert_eq!(world.until(Status::Done).await.id, lapsed.id);
}

#[tokio::test]
async fn posts_under_way_at_a_stop_are_made_again_and_have_not_counted() {
    let mut world = World::new().await;
    for (queue, is_async) in [("sync", false), ("async", true)] {
        world.push(queue, Push { is_async, ..to(URL) }).await;
        world.outbound.script(URL, [Script::Hang]);
        world.submit(queue).await;
    }
    world.posts(2).await;
    tokio::time::pause();
    world.stop().await;
    tokio::time::resume();
    for _ in 0..2 {
        let released = world.until_change(|kind, _| kind == ChangeKind::Released).await;
        assert_eq!((released.status, released.attempt), (Status::Init, 0));
    }
    world.start();
    for _ in 0..2 {
        assert_eq!(world.until(Status::Done).await.attempt, 1);
    }
}

#[tokio::test]
async fn a_target_that_settles_later_may_do_so_after_a_restart() {
    let mut world = World::new().await;
    world.push("q", Push { is_async: true, ..to(URL) }).await;
    world.outbound.script(URL, [Script::status(202)]);
    let job = world.submit("q").await;
    let posts = world.posts(1).await;
    world.settle().await;
    world.stop().await;
    world.start();
    world.settle().await;
    world.run(Command::Complete { lease: lease_of(&posts[0]), result: None }).await;
    let done = world.until(Status::Done).await;
    assert_eq!((done.id, done.attempt), (job.id, 1));
    assert_eq!(world.outbound.posts().len(), 1);
}

#[tokio::test]
async fn what_a_crash_left_under_way_is_posted_again_at_once() {
    let mut world = World::new().await;
    world.stop().await;
    world.submit("q").await;
    world.submit("q").await;
    let lost = world.lease("q", Some("ackd.push")).await.unwrap();
    let others = world.lease("q", Some("somebody")).await.unwrap();
    world.push("q", to(URL)).await;
    world.start();
    let done = world.until(Status::Done).await;
    assert_eq!((done.id.number(), done.attempt), (lost.number, 1));
    world.settle().await;
    assert_eq!(world.outbound.posts().len(), 1, "what a worker holds is not posted");
    world.run(Command::Complete { lease: others, result: None }).await;
}

#[tokio::test]
async fn a_result_that_is_too_large_fails_for_good() {
    let mut world = World::new().await;
    world.push("q", to(URL)).await;
    let answer = |bytes| Script::Reply(Reply { body: vec![b'x'; bytes].into(), ..Reply::empty(200) });
    world.outbound.script(URL, [answer(100), answer(101)]);
    world.submit("q").await;
    assert_eq!(world.until(Status::Done).await.result.as_ref().map(|result| result.size), Some(100));
    world.submit("q").await;
    let failed = world.until(Status::Failed).await;
    assert_eq!(failed.attempt, 1);
    assert!(failed.error.as_ref().unwrap().problem.contains("100 bytes"));
}

/// Posts nothing until its gate is opened.
struct Gated(FakeOutbound, Arc<Notify>);

impl Outbound for Gated {
    fn check(&self, url: &str) -> Result<(), OutboundError> {
        self.0.check(url)
    }

    fn check_key(&self, key: &SigningKey) -> Result<(), OutboundError> {
        self.0.check_key(key)
    }

    fn post(&self, post: Post) -> Posted {
        let (fake, gate) = (self.0.clone(), Arc::clone(&self.1));
        Box::pin(async move {
            gate.notified().await;
            fake.post(post).await
        })
    }
}

#[tokio::test]
async fn what_the_target_settled_during_the_post_stands() {
    let mut world = World::new().await;
    world.stop().await;
    let gate = Arc::<Notify>::default();
    world.start_with(Arc::new(Gated(world.outbound.clone(), Arc::clone(&gate))));
    world.push("q", Push { concurrency: Some(1), ..to(URL) }).await;
    world.outbound.script(URL, [result("too late"), result("next")]);
    let first = world.submit("q").await;
    let lease = world.until(Status::Processing).await.lease.as_ref().unwrap().token(first.id.number());
    let body = Some(Body { content_type: JSON.into(), bytes: "1".into() });
    world.run(Command::Complete { lease, result: body }).await;
    world.submit("q").await;
    gate.notify_one();
    // Its place is free only once its post has ended.
    world.until(Status::Processing).await;
    assert_eq!(world.outbound.posts().len(), 1, "the post was dropped");
    gate.notify_one();
    assert_eq!(world.until_change(|_, job| job.status == Status::Done && job.id != first.id).await.attempt, 1);
    let kept = world.engine.record(first.id).await.unwrap().unwrap().result.unwrap();
    assert_eq!(&*kept.bytes, b"1");
}

#[tokio::test]
async fn what_came_of_a_post_is_written_down_once_there_is_room() {
    let mut world = World::new().await;
    world.stop().await;
    let gate = Arc::<Notify>::default();
    world.start_with(Arc::new(Gated(world.outbound.clone(), Arc::clone(&gate))));
    world.push("q", to(URL)).await;
    world.outbound.script(URL, [result("kept")]);
    world.submit("q").await;
    world.until(Status::Processing).await;
    world.faults.fail_next(LedgerError::Full("no room".into()));
    gate.notify_one();
    let done = world.until(Status::Done).await;
    assert_eq!((done.attempt, done.result.as_ref().map(|result| result.size)), (1, Some(4)));
    assert_eq!(world.engine.stats().failed_commits.load(Ordering::SeqCst), 1);
    assert_eq!(world.outbound.posts().len(), 1);
}
