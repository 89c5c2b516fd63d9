//! What is under way when a server or a worker is killed.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::world::World;

#[test]
fn a_crash_leaves_no_job_running() {
    const JOBS: usize = 20;
    let mut world = World::new();
    world.submit_many(&json!({"queue": "q"}), JOBS);
    world.lease_and_vanish("q", JOBS);
    world.kill();
    // Their workers are gone too. All come again by themselves, to whoever asks.
    let again = world.lease("q", JOBS);
    assert!(again.iter().all(|leased| leased.job["attempt"] == 2));
    world.settle(&again, "complete", &json!({}));
    assert_eq!(world.counts("q", ["INIT", "PROCESSING", "DONE"]), [0, 0, JOBS as u64]);
}

/// `ackd work q`, which is killed when dropped.
struct Worker(Child);

impl Worker {
    fn start(world: &World, script: &str) -> Worker {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ackd"));
        command.args(["work", "q", "--", "sh", "-c", script]).env("ACKD_URL", world.url());
        Worker(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Reads what it says up to a line that holds `text`.
    fn says(&mut self, text: &str) {
        let mut said = BufReader::new(self.0.stderr.take().unwrap()).lines();
        assert!(said.any(|line| line.unwrap().contains(text)), "it never said {text:?}");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_poison_job_is_set_aside_however_its_workers_die() {
    let mut world = World::new();
    world.set("q", &json!({"lease_ttl": "2s", "backoff": {"base": "1ms"}}));
    let id = world.submit(&json!({"queue": "q", "max_attempts": 4}));
    // The worker is killed, and its command with it.
    let mut worker = Worker::start(&world, "echo begun >&2; exec sleep 1000");
    worker.says("begun");
    drop(worker);
    // The worker vanishes.
    assert_eq!(world.lease_and_vanish("q", 1)[0].job["attempt"], 2);
    // The machine goes down with both.
    assert_eq!(world.lease_and_vanish("q", 1)[0].job["attempt"], 3);
    world.kill();
    // The command dies, and its worker lives.
    let _worker = Worker::start(&world, "kill -9 $$");
    let job = world.ended(&id);
    assert_eq!((&job["status"], &job["attempt"]), (&json!("FAILED"), &json!(4)), "{job}");
    world.has_no_work("q");
    let dead = world.get("/v1/queues/q/dead");
    assert_eq!((&dead["causes"][0]["count"], &dead["causes"][0]["examples"]), (&json!(1), &json!([id])));
    let lapsed = world.events(&id).iter().filter(|event| *event == "lapsed").count();
    assert_eq!(lapsed, 3);
}

#[test]
fn a_worker_that_comes_back_under_its_old_name_orphans_nothing() {
    let mut world = World::new();
    let id = world.submit(&json!({"queue": "q"}));
    let ask = |ttl: &str| json!({"queues": ["q"], "worker": "host-1", "wait": "20s", "ttl": ttl});
    let first = world.post("/v1/leases", &ask("1s"), 200);
    world.kill();
    let second = world.post("/v1/leases", &ask("30s"), 200);
    let [late, current] = [first, second].map(|it| it["leases"][0].clone());
    assert_eq!((&current["job"]["id"], &current["job"]["attempt"]), (&json!(id), &json!(2)));
    let settle = |lease: &Value, status| {
        let path = format!("/v1/leases/{}/complete", lease["lease"].as_str().unwrap());
        world.post(&path, &json!({"result": status}), status);
    };
    settle(&late, 409);
    settle(&current, 200);
    assert_eq!(world.job(&id)["result"], 200);
}

#[test]
fn the_history_of_a_job_outlives_a_kill() {
    let mut world = World::new();
    let id = world.submit(&json!({"queue": "q", "payload": 7, "backoff": {"base": "1ms", "jitter": 0}}));
    let leased = world.lease("q", 1);
    world.settle(&leased, "heartbeat", &json!({"progress": {"percent": 50.0}, "checkpoint": {"at": 1}}));
    world.settle(&leased, "fail", &json!({"error": {"type": "https://x.example/quota", "title": "no quota"}}));
    let leased = world.lease("q", 1);
    world.settle(&leased, "complete", &json!({"result": 49}));
    let paths = ["", "/timeline", "/result", "/payload"].map(|part| format!("/v1/jobs/{id}{part}"));
    let told = |world: &World| -> Vec<Value> {
        paths
            .iter()
            .map(String::as_str)
            .chain(["/v1/jobs?status=DONE", "/v1/queues/q"])
            .map(|it| world.get(it))
            .collect()
    };
    let before = told(&world);
    assert_eq!(before[0]["result"], 49);
    assert_eq!(world.events(&id), ["submitted", "leased", "progress", "failed", "leased", "completed"]);
    world.kill();
    assert_eq!(told(&world), before);
}

#[test]
fn killing_many_jobs_leaves_no_retries() {
    const RUNNING: usize = 200;
    const RETRYING: usize = 200;
    const ALL: usize = 2_000;
    let mut world = World::new();
    world.set("q", &json!({"backoff": {"base": "1h", "max": "1h", "jitter": 0}}));
    let ids = world.submit_many(&json!({"queue": "q"}), ALL);
    world.settle(&world.lease("q", RETRYING), "fail", &json!({"error": "not now"}));
    let running = world.lease("q", RUNNING);
    let vanished = world.lease_and_vanish("q", RUNNING);
    let bulk = world.post("/v1/jobs/bulk", &json!({"filter": {"queue": "q"}, "action": "cancel"}), 202);
    world.kill();
    let bulk = world.ended(bulk["id"].as_str().unwrap());
    assert_eq!(bulk["result"], json!({"matched": ALL, "changed": ALL, "refused": 0}));
    // Some of those that ran fail, the others are never heard of again: neither makes another attempt.
    world.settle(&running, "fail", &json!({"error": "stopped"}));
    for leased in running.iter().chain(&vanished) {
        assert_eq!(world.ended(leased.id())["status"], "CANCELLED");
    }
    world.has_no_work("q");
    assert_eq!(world.counts("q", ["INIT", "PROCESSING", "CANCELLED"]), [0, 0, ids.len() as u64]);
}

#[test]
fn a_delayed_job_comes_once_and_in_time_over_a_kill() {
    let mut world = World::new();
    let delayed = world.submit(&json!({"queue": "q", "delay": "1500ms"}));
    let far = world.submit(&json!({"queue": "q", "delay": "3650d"}));
    world.kill();
    let leased = world.lease("q", 1).remove(0);
    assert_eq!(leased.id(), delayed);
    let [run_at, started_at] = ["run_at", "started_at"].map(|field| leased.job[field].as_str().unwrap());
    assert!(started_at >= run_at, "{}", leased.job);
    world.kill();
    world.has_no_work("q");
    world.settle(&[leased], "complete", &json!({}));
    let far = world.job(&far);
    assert_eq!((&far["status"], &far["waiting"]["reason"]), (&json!("INIT"), &json!("scheduled")));
    assert!(far["expires_at"].as_str().unwrap() > far["run_at"].as_str().unwrap(), "{far}");
}

#[test]
fn a_drained_queue_is_drained_after_a_kill() {
    let mut world = World::new();
    world.submit(&json!({"queue": "q"}));
    world.post("/v1/queues/q/drain", &json!({}), 200);
    world.kill();
    let refused = world.post("/v1/jobs", &json!({"queue": "q"}), 503);
    assert_eq!(refused["code"], "draining");
    world.settle(&world.lease("q", 1), "complete", &json!({}));
    assert_eq!(world.counts("q", ["INIT", "PROCESSING", "DONE"]), [0, 0, 1]);
    world.post("/v1/queues/q/resume", &json!({}), 200);
    world.kill();
    world.submit(&json!({"queue": "q"}));
}

/// As fast as it can be, so that the kill comes wherever it comes.
#[test]
fn a_purge_outlives_a_kill_and_leaves_what_runs() {
    const MANY: usize = 5_000;
    let mut world = World::new();
    world.submit_many(&json!({"queue": "q"}), MANY);
    let running = world.lease("q", 1);
    let mut connection = world.server().connect();
    let asked = std::thread::spawn(move || connection.post("/v1/queues/q/purge?confirm=q", "{}").is_ok());
    // It has begun, and so it is durable.
    world.until("q", "CANCELLED", |many| many > 0);
    world.kill();
    // Whether it was answered before makes no difference.
    asked.join().unwrap();
    world.until("q", "INIT", |many| many == 0);
    assert_eq!(world.counts("q", ["PROCESSING", "CANCELLED"]), [1, MANY as u64 - 1]);
    world.settle(&running, "complete", &json!({}));
    assert_eq!(world.counts("q", ["DONE", "CANCELLED"]), [1, MANY as u64 - 1]);
}
