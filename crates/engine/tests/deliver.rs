//! Webhooks of a running engine over the in-memory ledger, with a way out that sends nothing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use ackd_domain::{
    Answer, Body, CallbackRequest, Command, Delivery, DisabledReason, Endpoint, EndpointRequest, JSON, Job, JobId,
    Name, Secret, Status, Submission, Timestamp, WebhookEvent, WebhookEvents, WebhookFormat,
};
use ackd_engine::{
    Deliverer, DeliveryRecord, Engine, Feed, FeedItem, FeedStart, Filter, Interest, Renderer, ReplayError, Told,
    WorkRequest,
};
use ackd_memory::{FakeOutbound, Faults, Script};
use ackd_ports::{Clock, LedgerError, Post, Reply, SigningKey};
use bytes::Bytes;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMVb5sSYspob7oDC2FVsBQIh";

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

/// Writes down all it was told.
struct Words;

impl Renderer for Words {
    fn render(&self, told: &Told<'_>) -> Body {
        let result = told.change.body.as_ref().map_or(Bytes::new(), |body| body.bytes.clone());
        let result = String::from_utf8_lossy(&result).into_owned();
        let id = if told.format == WebhookFormat::CloudEvents { told.webhook_id } else { "" };
        let text = format!("{} {} {id}{result}", told.event.as_str(), told.change.job.id);
        Body { content_type: "text/plain".into(), bytes: text.into() }
    }
}

struct World {
    engine: Engine,
    clock: Arc<StoppedClock>,
    outbound: FakeOutbound,
    deliverer: Option<Deliverer>,
    faults: Faults,
    /// Tells of every change of a delivery.
    deliveries: Feed,
}

impl World {
    async fn new() -> World {
        let clock = Arc::<StoppedClock>::default();
        let (engine, faults) = common::engine(clock.clone());
        let interest = Interest::rule(|change| change.job.spec.delivery.is_some());
        let deliveries = engine.feed(interest, FeedStart::Earliest, Some(10_000)).await.unwrap();
        let outbound = FakeOutbound::new();
        let mut world = World { engine, clock, outbound, deliverer: None, faults, deliveries };
        world.start();
        world
    }

    fn start(&mut self) {
        let outbound = Arc::new(self.outbound.clone());
        self.deliverer = Some(Deliverer::start(self.engine.clone(), outbound, Arc::new(Words)));
    }

    async fn stop(&mut self) {
        self.deliverer.take().unwrap().stop().await;
    }

    async fn run(&self, command: Command) -> Answer {
        self.engine.run(vec![command]).await.unwrap().pop().unwrap().unwrap()
    }

    async fn put(&self, endpoint: &str, request: EndpointRequest) -> Arc<Endpoint> {
        match self.run(Command::PutEndpoint { name: name(endpoint), request: Box::new(request) }).await {
            Answer::Endpoint { endpoint, .. } => endpoint,
            other => panic!("{other:?}"),
        }
    }

    async fn submit(&self, submission: Submission) -> Arc<Job> {
        match self.run(Command::Submit(vec![submission])).await {
            Answer::Accepted(mut accepted) => accepted.pop().unwrap().job,
            other => panic!("{other:?}"),
        }
    }

    /// Submits a job to `queue` and completes it with a result.
    async fn done(&self, queue: &str) -> Arc<Job> {
        let job = self.submit(submission(queue)).await;
        self.complete(&job).await;
        job
    }

    /// What was posted there.
    fn posts(&self, url: &str) -> Vec<Post> {
        self.outbound.posts().into_iter().filter(|post| *post.url == *url).collect()
    }

    async fn complete(&self, job: &Job) {
        let request = WorkRequest {
            queues: vec![job.spec.queue.clone()],
            kinds: Vec::new(),
            max: 1,
            wait: Duration::from_secs(5),
            worker: None,
            ttl: None,
            inline: 0,
        };
        let mut grants = self.engine.lease(request).await.unwrap();
        grants.delivered();
        let lease = grants.leases()[0].token;
        let result = Some(Body { content_type: JSON.into(), bytes: "42".into() });
        self.run(Command::Complete { lease, result }).await;
    }

    /// The next change of any delivery by which it comes to `status`.
    async fn until(&mut self, status: Status) -> Arc<Job> {
        tokio::time::timeout(Duration::from_secs(20), self.until_ever(status)).await.unwrap()
    }

    /// As [`World::until`], for when time is not the machine's.
    async fn until_ever(&mut self, status: Status) -> Arc<Job> {
        loop {
            match self.deliveries.next().await.unwrap() {
                Some(FeedItem::Entry(entry)) if entry.change.job.status == status => {
                    return Arc::clone(&entry.change.job);
                }
                Some(_) => {}
                None => panic!("the engine has stopped"),
            }
        }
    }

    /// The next change by which a failed delivery waits for its next attempt.
    async fn until_it_waits(&mut self) -> Arc<Job> {
        loop {
            let job = self.until(Status::Init).await;
            if job.attempt > 0 {
                return job;
            }
        }
    }

    /// Lets time pass, and the engine look at it.
    async fn pass(&self, time: Duration) {
        self.clock.0.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
        // Whatever is asked makes it look; there is no such job.
        let nobodys = JobId::new(self.now(), 1 << 40, 0);
        assert!(self.engine.run(vec![Command::Cancel { id: nobodys }]).await.unwrap()[0].is_err());
    }

    async fn records(&self, job: &Job) -> Vec<DeliveryRecord> {
        self.engine.deliveries(job.id, None, 100).await.unwrap()
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.engine.stop();
    }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn submission(queue: &str) -> Submission {
    Submission::new(name(queue), Body { content_type: JSON.into(), bytes: "1".into() })
}

fn to(url: &str) -> EndpointRequest {
    EndpointRequest {
        url: url.into(),
        queues: Vec::new(),
        events: WebhookEvents::ALL,
        format: WebhookFormat::Standard,
        secret: Some(Secret::new(SECRET)),
    }
}

fn callback(url: &str, events: impl IntoIterator<Item = WebhookEvent>) -> Box<CallbackRequest> {
    let secret = Some(Secret::new(OTHER_SECRET));
    let events = WebhookEvents::of(events);
    Box::new(CallbackRequest { url: url.into(), events, format: WebhookFormat::CloudEvents, secret })
}

fn text(post: &Post) -> &str {
    std::str::from_utf8(post.body.as_bytes()).unwrap()
}

fn id(post: &Post) -> &str {
    &post.signed.as_ref().unwrap().id
}

fn keys(post: &Post) -> &[SigningKey] {
    &post.signed.as_ref().unwrap().keys
}

fn replies(status: u16, times: usize) -> Vec<Script> {
    vec![Script::status(status); times]
}

#[tokio::test]
async fn every_target_is_told_of_an_end_it_wants() {
    let mut world = World::new().await;
    world.put("all", to("https://all.example/hook")).await;
    let mail = EndpointRequest { queues: vec![name("mail")], ..to("https://mail.example/") };
    world.put("mail", mail).await;
    let failed = EndpointRequest { events: WebhookEvents::of([WebhookEvent::Failed]), ..to("https://failed.example/") };
    world.put("failed", failed).await;
    let callback = Some(callback("https://back.example/?key=1", [WebhookEvent::Done]));
    let job = world.submit(Submission { callback, ..submission("video") }).await;
    world.complete(&job).await;
    for _ in 0..2 {
        world.until(Status::Done).await;
    }
    let mut posts = world.outbound.posts();
    posts.sort_by(|a, b| a.url.cmp(&b.url));
    let told: Vec<_> = posts.iter().map(|post| (&*post.url, text(post).to_owned(), &*post.content_type)).collect();
    let (all, back) = (format!("job.done {} 42", job.id), format!("job.done {} {}42", job.id, id(&posts[1])));
    assert_eq!(
        told,
        [("https://all.example/hook", all, "text/plain"), ("https://back.example/?key=1", back, "text/plain")]
    );
    assert_eq!(keys(&posts[0]), [SECRET.parse::<SigningKey>().unwrap()]);
    assert_eq!(keys(&posts[1]), [OTHER_SECRET.parse::<SigningKey>().unwrap()]);
    assert_eq!(posts[0].at, world.now());
    assert_ne!(id(&posts[0]), id(&posts[1]));

    let records = world.records(&job).await;
    let targets: Vec<_> =
        records.iter().map(|record| record.job.spec.delivery.as_ref().unwrap().target.shown().to_owned()).collect();
    assert_eq!(targets, ["all", "https://back.example"]);
    for record in &records {
        let attempts: Vec<_> = record.attempts.iter().map(|it| (it.status_code, it.error.as_deref())).collect();
        assert_eq!(attempts, [(Some(204), None)]);
    }
    assert_eq!(world.engine.delivery(records[0].job.id).await.unwrap().as_ref(), Some(&records[0]));
    assert_eq!(world.engine.delivery(job.id).await, Ok(None), "a client's job is no delivery");
}

#[tokio::test]
async fn a_failed_delivery_is_tried_by_the_schedule_until_it_is_failed_for_good() {
    let mut world = World::new().await;
    let url = "https://down.example/";
    world.put("down", to(url)).await;
    world.outbound.script(url, replies(500, 10));
    let job = world.done("video").await;
    for (tried, pause) in Delivery::PAUSES.into_iter().enumerate() {
        let waits = world.until_it_waits().await;
        assert_eq!(waits.attempt as usize, tried + 1);
        world.pass(pause).await;
    }
    let failed = world.until(Status::Failed).await;
    assert_eq!(failed.attempt, 10);
    let posts = world.outbound.posts();
    assert_eq!(posts.len(), 10);
    assert!(posts.iter().all(|post| id(post) == id(&posts[0]) && post.body.as_bytes() == posts[0].body.as_bytes()));
    assert!(posts.windows(2).all(|pair| pair[0].at < pair[1].at), "each attempt has its own time");
    let records = world.records(&job).await;
    assert_eq!(records[0].attempts.len(), 10);
    assert!(records[0].attempts.iter().all(|attempt| attempt.status_code == Some(500) && attempt.error.is_some()));
}

#[tokio::test]
async fn a_receiver_may_ask_for_more_time() {
    let mut world = World::new().await;
    let url = "https://busy.example/";
    world.put("busy", to(url)).await;
    let busy = Reply { retry_after: Some(Duration::from_secs(90)), ..Reply::empty(503) };
    world.outbound.script(url, [Script::Reply(busy)]);
    world.done("video").await;
    let waits = world.until_it_waits().await;
    assert_eq!(waits.run_at, world.now().after(Duration::from_secs(90)));
    world.pass(Duration::from_secs(90)).await;
    world.until(Status::Done).await;
}

#[tokio::test]
async fn one_that_is_gone_is_told_nothing_more_until_it_is_put_again() {
    let mut world = World::new().await;
    let url = "https://gone.example/";
    world.put("gone", to(url)).await;
    world.outbound.script(url, replies(500, 1));
    let first = world.done("video").await;
    world.until_it_waits().await;
    world.outbound.script(url, replies(410, 1));
    world.done("video").await;
    world.until(Status::Failed).await;
    let endpoint = world.engine.endpoint(&name("gone")).unwrap();
    assert_eq!(endpoint.disabled.map(|it| it.reason), Some(DisabledReason::Gone));
    // What was to be tried again is not; what ends now makes no delivery.
    world.pass(Delivery::PAUSES[0]).await;
    let void = world.until(Status::Failed).await;
    assert!(void.error.as_ref().unwrap().problem.contains("disabled"));
    let unheard = world.done("video").await;
    // Once somebody is told of a later end, that one has been looked at.
    let callback = Some(callback("https://later.example/", [WebhookEvent::Done]));
    let later = world.submit(Submission { callback, ..submission("video") }).await;
    world.complete(&later).await;
    world.until(Status::Done).await;
    world.put("gone", to(url)).await;
    world.done("video").await;
    world.until(Status::Done).await;
    assert_eq!(world.posts(url).len(), 3);
    assert_eq!(world.records(&unheard).await, []);
    // What failed meanwhile can be had.
    let failed = world.records(&first).await;
    world.engine.replay(failed[0].job.id).await.unwrap();
    world.until(Status::Done).await;
    assert_eq!(text(&world.posts(url)[3]), format!("job.done {} 42", first.id));
}

#[tokio::test]
async fn one_that_fails_for_days_is_disabled() {
    let mut world = World::new().await;
    let url = "https://dead.example/";
    world.put("dead", to(url)).await;
    world.outbound.script(url, replies(500, 3));
    world.done("video").await;
    world.until_it_waits().await;
    let endpoint = world.engine.endpoint(&name("dead")).unwrap();
    assert_eq!((endpoint.failing_since, endpoint.disabled), (Some(world.now()), None));
    world.pass(Endpoint::PATIENCE - Duration::from_millis(1)).await;
    world.until_it_waits().await;
    assert_eq!(world.engine.endpoint(&name("dead")).unwrap().disabled, None);
    world.pass(Duration::from_millis(1)).await;
    world.done("video").await;
    world.until_it_waits().await;
    let disabled = world.engine.endpoint(&name("dead")).unwrap().disabled;
    assert_eq!(disabled.map(|it| (it.at, it.reason)), Some((world.now(), DisabledReason::Failing)));
}

#[tokio::test]
async fn one_that_hangs_delays_no_other() {
    let mut world = World::new().await;
    world.put("hangs", to("https://hangs.example/")).await;
    world.put("works", to("https://works.example/")).await;
    world.outbound.script("https://hangs.example/", vec![Script::Hang; 500]);
    for _ in 0..100 {
        world.done("video").await;
    }
    for _ in 0..100 {
        world.until(Status::Done).await;
    }
    let hanging = world.outbound.posts().iter().filter(|post| &*post.url == "https://hangs.example/").count();
    assert_eq!(hanging, 32, "no more at a time than one target may have");
}

#[tokio::test]
async fn what_was_not_told_before_a_restart_is_told_after_it_and_nothing_is_made_twice() {
    let mut world = World::new().await;
    world.put("all", to("https://all.example/")).await;
    let before = world.done("video").await;
    world.until(Status::Done).await;
    world.stop().await;
    let meanwhile = world.done("video").await;
    assert_eq!(world.outbound.posts().len(), 1);
    world.start();
    world.until(Status::Done).await;
    assert_eq!(world.outbound.posts().len(), 2);
    for job in [before, meanwhile] {
        assert_eq!(world.records(&job).await.len(), 1);
    }
}

#[tokio::test]
async fn posts_that_are_under_way_at_a_stop_are_made_again_and_have_not_counted() {
    let mut world = World::new().await;
    let url = "https://hangs.example/";
    world.put("hangs", to(url)).await;
    world.outbound.script(url, [Script::Hang]);
    world.done("video").await;
    let leased = world.until(Status::Processing).await;
    assert_eq!(leased.attempt, 1);
    tokio::task::spawn_blocking({
        let outbound = world.outbound.clone();
        move || assert_eq!(outbound.wait_for(1, Duration::from_secs(20)).len(), 1)
    })
    .await
    .unwrap();
    tokio::time::pause();
    world.stop().await;
    tokio::time::resume();
    assert_eq!(world.until(Status::Init).await.attempt, 0);
    world.start();
    assert_eq!(world.until(Status::Done).await.attempt, 1);
}

#[tokio::test]
async fn a_full_store_makes_deliveries_once_there_is_room() {
    let mut world = World::new().await;
    world.put("all", to("https://all.example/")).await;
    world.done("video").await;
    world.until(Status::Done).await;
    world.stop().await;
    let job = world.done("video").await;
    world.faults.fail_next(LedgerError::Full("no room".into()));
    world.start();
    tokio::time::pause();
    world.until_ever(Status::Done).await;
    tokio::time::resume();
    assert_eq!(world.engine.stats().failed_commits.load(Ordering::SeqCst), 1);
    assert_eq!(world.records(&job).await.len(), 1);
}

#[tokio::test]
async fn a_delivery_is_replayed_with_the_same_bytes() {
    let mut world = World::new().await;
    world.put("all", to("https://all.example/")).await;
    let job = world.done("video").await;
    let done = world.until(Status::Done).await;
    let again = world.engine.replay(done.id).await.unwrap();
    assert_ne!(again.id, done.id);
    world.until(Status::Done).await;
    let posts = world.outbound.posts();
    assert_eq!((id(&posts[0]), posts[0].body.as_bytes()), (id(&posts[1]), posts[1].body.as_bytes()));
    assert_eq!(world.records(&job).await.len(), 2);
    assert_eq!(world.engine.replay(job.id).await, Err(ReplayError::NotFound));
    let unknown = JobId::new(world.now(), 99, 9);
    assert_eq!(world.engine.replay(unknown).await, Err(ReplayError::NotFound));
    world.outbound.script("https://all.example/", replies(500, 1));
    world.done("video").await;
    let waits = world.until_it_waits().await;
    assert_eq!(world.engine.replay(waits.id).await, Err(ReplayError::UnderWay));
}

#[tokio::test]
async fn a_secret_that_was_replaced_signs_on_for_a_day() {
    let mut world = World::new().await;
    world.put("all", to("https://all.example/")).await;
    let other = EndpointRequest { secret: Some(Secret::new(OTHER_SECRET)), ..to("https://all.example/") };
    world.put("all", other).await;
    world.done("video").await;
    world.until(Status::Done).await;
    world.pass(Endpoint::CHANGE_OVER).await;
    world.done("video").await;
    world.until(Status::Done).await;
    let keys: Vec<usize> = world.outbound.posts().iter().map(|post| keys(post).len()).collect();
    assert_eq!(keys, [2, 1]);
}

#[tokio::test]
async fn nobody_is_told_of_the_servers_own_jobs_and_nobody_sees_them() {
    let mut world = World::new().await;
    world.put("all", to("https://all.example/")).await;
    let mut seen = world.engine.feed(Interest::new(Filter::default(), Vec::new()), FeedStart::Now, None).await.unwrap();
    world.done("video").await;
    world.until(Status::Done).await;
    world.done("video").await;
    world.until(Status::Done).await;
    assert_eq!(world.outbound.posts().len(), 2);
    let mut queues = Vec::new();
    while queues.len() < 6 {
        if let Some(FeedItem::Entry(entry)) = seen.next().await.unwrap() {
            queues.push(entry.change.job.spec.queue.to_string());
        }
    }
    assert_eq!(queues, ["video"; 6]);
}
