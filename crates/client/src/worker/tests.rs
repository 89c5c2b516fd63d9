use super::*;
use crate::testing::{Request, Server, job_with};
use crate::{Cancellation, CheckpointError};
use ackd_api::Code;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

const LEASES: &str = "POST /v1/leases";
const SETTLE: &str = "POST /v1/leases/settle";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What takes a handler some time, by the paused clock.
async fn pass(time: Duration) {
    tokio::time::sleep_until(Instant::now() + time).await;
}

/// A worker that runs, and what stops it.
struct Running {
    stop: Option<oneshot::Sender<()>>,
    run: JoinHandle<Result<(), WorkerError>>,
}

impl Running {
    fn start(worker: Worker) -> Running {
        let (stop, stopped) = oneshot::channel::<()>();
        let run = tokio::spawn(worker.run(async move {
            let _ = stopped.await;
        }));
        Running { stop: Some(stop), run }
    }

    fn stop(&mut self) {
        drop(self.stop.take());
    }
}

/// Answers a lease request with jobs of these ids, whose tokens are `t-` and the id, and a time to live of 30 s.
fn grant(request: Request, ids: &[&str], fields: &Value) {
    let leases: Vec<Value> = ids
        .iter()
        .map(|id| {
            let job: Value = serde_json::from_str(&job_with(id, "PROCESSING", 2, fields.clone())).unwrap();
            json!({"lease": format!("t-{id}"), "deadline": "2026-11-20T10:00:30.000Z", "expires_in": "30s", "job": job})
        })
        .collect();
    request.answer(200, &json!({ "leases": leases }).to_string());
}

fn payload(value: Value) -> Value {
    json!({"payload": value, "payload_info": {"content_type": "application/json", "size": 100}})
}

/// Answers each line with 200.
fn agree(request: Request, cancel_requested: bool) {
    let answers: String = request
        .lines()
        .iter()
        .map(|line| {
            let answer = if line["heartbeat"].is_null() {
                json!({"lease": line["lease"], "status": 200, "settled": {"id": "a", "status": "DONE", "version": 3}})
            } else {
                let heartbeat =
                    json!({"deadline": "2026-11-20T10:00:30.000Z", "expires_in": "30s", "cancel_requested": cancel_requested});
                json!({"lease": line["lease"], "status": 200, "heartbeat": heartbeat})
            };
            format!("{answer}\n")
        })
        .collect();
    request.answer(200, &answers);
}

/// Answers each line with a problem.
fn disagree(request: Request, code: Code) {
    let problem = ackd_api::Problem::new(code, "as the test says");
    let answers: String = request
        .lines()
        .iter()
        .map(|line| format!("{}\n", json!({"lease": line["lease"], "status": code.status(), "problem": problem})))
        .collect();
    request.answer(200, &answers);
}

/// The only line of the next report. Lease requests meanwhile stay open.
async fn report(server: &mut Server, open: &mut Vec<Request>) -> (Request, Value) {
    loop {
        let request = server.next().await;
        if request.line == LEASES {
            open.push(request);
            continue;
        }
        assert_eq!(request.line, SETTLE);
        let mut lines = request.lines();
        assert_eq!(lines.len(), 1, "{lines:?}");
        return (request, lines.remove(0));
    }
}

/// A worker of one slot with a handler that tells when it runs, has been granted the job `a`.
struct OneJob {
    server: Server,
    running: Running,
    open: Vec<Request>,
}

impl OneJob {
    async fn start<F, Fut>(handler: F) -> OneJob
    where
        F: Fn(Job<u64>, Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<u64, JobError>> + Send + 'static,
    {
        OneJob::start_with(|worker| worker, handler).await
    }

    async fn start_with<F, Fut>(settings: impl FnOnce(Worker) -> Worker, handler: F) -> OneJob
    where
        F: Fn(Job<u64>, Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<u64, JobError>> + Send + 'static,
    {
        let (mut server, client) = Server::memory();
        let worker = Worker::new(client).name("w").concurrency(1).grace(seconds(5)).handle("q", handler);
        let running = Running::start(settings(worker));
        grant(server.expect(LEASES).await, &["a"], &payload(json!(7)));
        OneJob { server, running, open: Vec::new() }
    }

    async fn report(&mut self) -> (Request, Value) {
        report(&mut self.server, &mut self.open).await
    }

    /// Stops the worker, which has nothing left to do.
    async fn end(mut self) {
        self.running.stop();
        self.running.run.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_is_leased_done_and_completed() {
    let (mut server, client) = Server::memory();
    let worker = Worker::new(client)
        .name("w")
        .kinds(["t"])
        .ttl(seconds(60))
        .concurrency(3)
        .handle("b", |job: Job<u64>, _| async move { Ok(job.payload * job.payload) })
        .handle("q", |job: Job<Vec<u64>>, _| async move { Ok(format!("{} {:?}", job.id, job.payload)) });
    let running = Running::start(worker);
    let request = server.expect(LEASES).await;
    assert_eq!(request.text(), r#"{"queues":["b","q"],"types":["t"],"max":3,"wait":"20s","worker":"w","ttl":"1m"}"#);
    grant(request, &["a"], &payload(json!([1, 2])));
    let mut open = Vec::new();
    let (request, line) = report(&mut server, &mut open).await;
    assert_eq!(line, json!({"lease": "t-a", "complete": {"result": "a [1, 2]"}}));
    agree(request, false);
    // While one job ran, the other slots were asked for.
    assert_eq!(open.pop().unwrap().json()["max"], 2);
    OneJob { server, running, open }.end().await;
}

#[tokio::test(start_paused = true)]
async fn leases_are_taken_up_to_the_free_slots() {
    let (mut server, client) = Server::memory();
    let (release, released) = watch::channel(false);
    let worker = Worker::new(client).concurrency(2).handle("q", move |_: Job<()>, _| {
        let mut released = released.clone();
        async move {
            let _ = released.wait_for(|is_released| *is_released).await;
            Ok(())
        }
    });
    let mut running = Running::start(worker);
    let request = server.expect(LEASES).await;
    assert_eq!(request.json()["max"], 2);
    let name = request.json()["worker"].as_str().unwrap().to_owned();
    ackd_api::check_name(&name).unwrap();
    grant(request, &["a", "b"], &json!({}));
    assert!(server.stays_quiet(seconds(1)).await);
    release.send_replace(true);
    let request = server.expect(SETTLE).await;
    assert_eq!(request.lines().len(), 2);
    agree(request, false);
    let idle = server.expect(LEASES).await;
    assert_eq!(idle.json()["max"], 2);
    running.stop();
    // A name that is its own is released at the end, should a lease have been on its way.
    server.expect(&format!("POST /v1/workers/{name}/release")).await.answer(200, r#"{"released":0}"#);
    running.run.await.unwrap().unwrap();
    idle.given_up().await;
}

#[tokio::test(start_paused = true)]
async fn heartbeats_come_after_each_third_of_the_lease() {
    let mut job = OneJob::start(|job, _| async move {
        pass(seconds(25)).await;
        Ok(job.payload)
    })
    .await;
    let start = Instant::now();
    for expected in [10, 20] {
        let (request, line) = job.report().await;
        assert_eq!(line, json!({"lease": "t-a", "heartbeat": {}}));
        assert_eq!(start.elapsed().as_secs(), expected);
        agree(request, false);
    }
    let (request, line) = job.report().await;
    assert_eq!(line, json!({"lease": "t-a", "complete": {"result": 7}}));
    agree(request, false);
    job.end().await;
}

#[tokio::test(start_paused = true)]
async fn progress_is_sent_soon_and_not_too_often() {
    let mut job = OneJob::start(|job, context| async move {
        for percent in 0..100 {
            context.progress(f64::from(percent), "encoding");
            pass(Duration::from_millis(10)).await;
        }
        Ok(job.payload)
    })
    .await;
    let mut percents = Vec::new();
    let request = loop {
        let (request, line) = job.report().await;
        if line["heartbeat"].is_null() {
            break request;
        }
        assert_eq!(line["heartbeat"]["progress"]["message"], "encoding");
        percents.push(line["heartbeat"]["progress"]["percent"].as_f64().unwrap());
        agree(request, false);
    };
    agree(request, false);
    assert!(percents.is_sorted() && percents.len() >= 3 && percents.len() <= 4, "{percents:?}");
    job.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_is_awaited_and_handed_to_the_next_attempt() {
    let (told, mut tell) = mpsc::unbounded_channel();
    let mut job = OneJob::start(move |job, context| {
        let told = told.clone();
        async move {
            told.send(job.checkpoint::<u64>().is_ok_and(|checkpoint| checkpoint.is_none()).to_string())?;
            context.progress(1.0, "");
            told.send(format!("{:?}", context.checkpoint(&json!({"at": 17})).await))?;
            told.send(matches!(context.checkpoint("x").await, Err(CheckpointError::Refused(_))).to_string())?;
            Ok(job.payload)
        }
    })
    .await;
    let start = Instant::now();
    assert_eq!(tell.recv().await.unwrap(), "true");
    let (request, line) = job.report().await;
    assert_eq!(line["heartbeat"], json!({"progress": {"percent": 1.0}, "checkpoint": {"at": 17}}));
    assert!(tell.try_recv().is_err());
    agree(request, false);
    assert_eq!(tell.recv().await.unwrap(), "Ok(())");
    let (request, line) = job.report().await;
    assert_eq!(line["heartbeat"], json!({"checkpoint": "x"}));
    disagree(request, Code::InvalidRequest);
    assert_eq!(tell.recv().await.unwrap(), "true");
    // What was refused did not keep the lease alive.
    let (request, line) = job.report().await;
    assert_eq!(line["heartbeat"], json!({}));
    agree(request, false);
    let (request, line) = job.report().await;
    assert_eq!(line["complete"]["result"], 7);
    agree(request, false);
    assert!(start.elapsed() < seconds(1));
    job.end().await;

    let document = serde_json::from_str(&job_with("a", "PROCESSING", 2, json!({"checkpoint": {"at": 17}}))).unwrap();
    let job = Job { payload: (), document };
    assert_eq!(job.checkpoint::<Value>().unwrap().unwrap()["at"], 17);
    assert!(job.checkpoint::<u64>().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_is_handed_on_and_answered() {
    let mut job = OneJob::start(|_, context| async move {
        assert_eq!(context.cancelled().await, Cancellation::Requested);
        assert_eq!(context.is_cancelled(), Some(Cancellation::Requested));
        Err(JobError::cancelled())
    })
    .await;
    let (request, _) = job.report().await;
    agree(request, true);
    let (request, line) = job.report().await;
    assert_eq!(line["fail"], json!({"error": "cancelled", "cancelled": true}));
    agree(request, false);
    job.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_does_not_stop_is_stopped_after_its_grace() {
    let mut job = OneJob::start(|_, _| std::future::pending()).await;
    let (request, _) = job.report().await;
    let told = Instant::now();
    agree(request, true);
    let (request, line) = job.report().await;
    assert_eq!(line["fail"]["cancelled"], true);
    assert_eq!(told.elapsed().as_secs(), 5);
    agree(request, false);
    job.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_lease_stops_the_job_and_is_not_settled() {
    let (told, mut tell) = mpsc::unbounded_channel();
    let mut job = OneJob::start(move |job, context| {
        let told = told.clone();
        async move {
            told.send(context.cancelled().await)?;
            assert!(matches!(context.checkpoint(&1).await, Err(CheckpointError::LeaseLost)));
            Ok(job.payload)
        }
    })
    .await;
    let (request, _) = job.report().await;
    disagree(request, Code::LeaseLost);
    assert_eq!(tell.recv().await, Some(Cancellation::LeaseLost));
    // The next thing the worker does is to ask for more.
    job.open.push(job.server.expect(LEASES).await);
    job.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_away_past_the_deadline_costs_the_lease() {
    let (told, mut tell) = mpsc::unbounded_channel();
    let mut job = OneJob::start(move |_, context| {
        let told = told.clone();
        async move {
            told.send(context.cancelled().await)?;
            Err(JobError::cancelled())
        }
    })
    .await;
    let start = Instant::now();
    let silent = job.server.expect(SETTLE).await;
    assert_eq!(tell.recv().await, Some(Cancellation::LeaseLost));
    assert_eq!(start.elapsed().as_secs(), 30);
    silent.given_up().await;
    job.open.push(job.server.expect(LEASES).await);
    job.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_of_the_server_costs_nothing() {
    let mut job = OneJob::start(|job, _| async move {
        pass(seconds(25)).await;
        Ok(job.payload)
    })
    .await;
    // A heartbeat finds it away, and so does the end; both come again.
    job.server.expect(SETTLE).await.hang_up();
    let (request, line) = job.report().await;
    assert!(line["heartbeat"].is_object());
    agree(request, false);
    let (request, _) = job.report().await;
    agree(request, false);
    job.server.expect(SETTLE).await.hang_up();
    job.server.expect(SETTLE).await.refuse(Code::Draining);
    let (request, line) = job.report().await;
    assert_eq!(line["complete"]["result"], 7);
    agree(request, false);
    // Leasing goes on in the same way.
    job.server.expect(LEASES).await.hang_up();
    job.server.expect(LEASES).await.refuse(Code::Draining);
    grant(job.server.expect(LEASES).await, &["b"], &payload(json!(8)));
    let (request, line) = loop {
        let (request, line) = job.report().await;
        if line["heartbeat"].is_null() {
            break (request, line);
        }
        agree(request, false);
    };
    assert_eq!(line, json!({"lease": "t-b", "complete": {"result": 8}}));
    agree(request, false);
    job.end().await;
}

#[tokio::test(start_paused = true)]
async fn failures_are_told_as_what_they_are() {
    let (server, client) = Server::memory();
    let worker = Worker::new(client).name("w").concurrency(1).handle("q", |job: Job<String>, _| async move {
        match job.payload.as_str() {
            "retryable" => Err(JobError::retryable("boom").after(seconds(9))),
            "permanent" => Err(JobError::permanent("boom")),
            "error" => Err("x".parse::<u64>().unwrap_err().into()),
            "released" => Err(JobError::released()),
            "panic" => panic!("out of {}", "luck"),
            _ => Ok(()),
        }
    });
    let running = Running::start(worker);
    let mut job = OneJob { server, running, open: Vec::new() };
    for (value, expected) in [
        (json!("retryable"), json!({"fail": {"error": "boom", "retry_after": "9s"}})),
        (json!("permanent"), json!({"fail": {"error": "boom", "retryable": false}})),
        (json!("error"), json!({"fail": {"error": "invalid digit found in string"}})),
        (json!("released"), json!({"release": {}})),
        (json!("panic"), json!({"fail": {"error": "the handler panicked: out of luck"}})),
        (json!("fine"), json!({"complete": {"result": null}})),
        (
            json!(7),
            json!({"fail": {
                "error": "the payload is not what the worker expects\ninvalid type: integer `7`, expected a string at line 1 column 1",
                "retryable": false,
            }}),
        ),
    ] {
        grant(job.server.expect(LEASES).await, &["a"], &payload(value.clone()));
        let (request, mut line) = job.report().await;
        line.as_object_mut().unwrap().remove("lease");
        assert_eq!(line, expected, "{value}");
        agree(request, false);
    }
    job.open.push(job.server.expect(LEASES).await);
    job.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_result_that_is_refused_fails_the_job_for_good() {
    let mut job = OneJob::start(|job, _| async move { Ok(job.payload) }).await;
    let (request, _) = job.report().await;
    disagree(request, Code::TooLarge);
    let (request, line) = job.report().await;
    assert_eq!((&line["fail"]["retryable"], &line["fail"]["error"]["code"]), (&json!(false), &json!("too-large")));
    agree(request, false);
    job.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_large_result_is_sent_by_itself() {
    let (mut server, client) = Server::memory();
    let worker = Worker::new(client)
        .name("w")
        .concurrency(1)
        .handle("q", |job: Job<usize>, _| async move { Ok("x".repeat(job.payload)) });
    let mut running = Running::start(worker);
    grant(server.expect(LEASES).await, &["a"], &payload(json!((256 << 10) - 2)));
    agree(server.expect(SETTLE).await, false);
    grant(server.expect(LEASES).await, &["a"], &payload(json!((256 << 10) - 1)));
    let request = server.expect("POST /v1/leases/t-a/result").await;
    assert_eq!((request.header("content-type"), request.body.len()), (Some("application/json"), (256 << 10) + 1));
    request.answer(200, r#"{"id":"a","status":"DONE","version":3}"#);
    let _open = server.expect(LEASES).await;
    running.stop();
    running.run.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_wait_is_not_asked_without_end() {
    let (mut server, client) = Server::memory();
    let mut running = Running::start(Worker::new(client).name("w").handle("q", |_: Job<()>, _| async { Ok(()) }));
    let start = Instant::now();
    for _ in 0..20 {
        server.expect(LEASES).await.answer(204, "");
    }
    assert!(start.elapsed() > seconds(20), "{:?}", start.elapsed());
    running.stop();
    running.run.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn bytes_are_handed_over_as_they_are() {
    let (mut server, client) = Server::memory();
    let worker = Worker::new(client).name("w").concurrency(1).handle_bytes("q", |job: Job<Body>, _| async move {
        assert_eq!((job.payload.content_type.as_str(), &job.payload.bytes[..]), ("video/mp4", &b"cat"[..]));
        Ok(Body { content_type: "image/png".into(), bytes: "png".into() })
    });
    let mut running = Running::start(worker);
    let info = json!({"payload_info": {"content_type": "video/mp4", "size": 3}});
    grant(server.expect(LEASES).await, &["a"], &info);
    server.expect("GET /v1/jobs/a/payload").await.answer_with(200, &[("content-type", "video/mp4")], "cat");
    server.expect("POST /v1/leases/t-a/result").await.hang_up();
    let request = server.expect("POST /v1/leases/t-a/result").await;
    assert_eq!((request.header("content-type"), request.text()), (Some("image/png"), "png"));
    request.answer(200, r#"{"id":"a","status":"DONE","version":3}"#);
    let _open = server.expect(LEASES).await;
    running.stop();
    running.run.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_what_runs_and_releases_the_rest() {
    let (server, client) = Server::memory();
    let worker = Worker::new(client).name("w").concurrency(4).grace(seconds(5)).handle(
        "q",
        |job: Job<u64>, context| async move {
            match job.payload {
                // Ends within the grace.
                0 => {
                    pass(seconds(3)).await;
                    Ok(0)
                }
                // Stops when it is told, having done nothing that counts.
                1 => {
                    assert_eq!(context.cancelled().await, Cancellation::Shutdown);
                    Err(JobError::cancelled())
                }
                _ => std::future::pending().await,
            }
        },
    );
    let running = Running::start(worker);
    let mut job = OneJob { server, running, open: Vec::new() };
    for (id, value) in [("a", 0), ("b", 1), ("c", 2)] {
        grant(job.server.expect(LEASES).await, &[id], &payload(json!(value)));
    }
    let idle = job.server.expect(LEASES).await;
    job.running.stop();
    let stopped = Instant::now();
    for (lease, verb, after) in [("t-b", "release", 0), ("t-a", "complete", 3), ("t-c", "release", 5)] {
        let (request, line) = job.report().await;
        assert_eq!((&line["lease"], line[verb].is_object(), stopped.elapsed().as_secs()), (&json!(lease), true, after));
        agree(request, false);
    }
    job.running.run.await.unwrap().unwrap();
    idle.given_up().await;
    assert!(job.open.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_refused_says_why() {
    let (mut server, client) = Server::memory();
    assert!(matches!(Worker::new(client.clone()).run(std::future::pending()).await, Err(WorkerError::NoQueue)));
    let worker = Worker::new(client).name("w").handle("q", |_: Job<()>, _| async { Ok(()) });
    let running = Running::start(worker);
    server.expect(LEASES).await.refuse(Code::Forbidden);
    assert!(matches!(running.run.await.unwrap(), Err(WorkerError::Lease(error)) if error.is(Code::Forbidden)));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_dropped_drops_its_jobs() {
    let (dropped, is_dropped) = oneshot::channel::<()>();
    let dropped = std::sync::Mutex::new(Some(dropped));
    let mut job = OneJob::start(move |_, _| {
        let dropped = dropped.lock().unwrap().take();
        async move {
            let _dropped = dropped;
            std::future::pending().await
        }
    })
    .await;
    assert!(job.server.stays_quiet(seconds(1)).await);
    job.running.run.abort();
    assert!(is_dropped.await.is_err());
}

#[test]
fn an_own_name_is_a_name() {
    let name = own_name();
    ackd_api::check_name(&name).unwrap();
    assert_ne!(name, own_name());
}
