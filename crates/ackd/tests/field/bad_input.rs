//! What cannot be meant gets a clear error, and nothing has changed; what is just within a limit is taken.

use serde_json::{Value, json};

use crate::world::World;

/// An envelope with this field.
fn job(field: &str, value: impl Into<Value>) -> Value {
    json!({"queue": "q", field: value.into()})
}

fn schedule(cron: &str, timezone: &str) -> Value {
    json!({"cron": cron, "timezone": timezone, "job": {"queue": "q"}})
}

/// A flow of so many jobs, all of which come after the first.
fn flow(jobs: usize) -> Value {
    let key = |n: usize| format!("k{n}");
    let after = |n: usize| if n == 0 { json!([]) } else { json!([key(0)]) };
    let jobs: Vec<Value> = (0..jobs).map(|n| json!({"key": key(n), "queue": "flow", "after": after(n)})).collect();
    json!({"jobs": jobs})
}

/// Sends each of the requests; what was refused had to name what was wrong.
fn refuses(world: &World, requests: Vec<(&str, &str, Value, &str)>) {
    for (method, path, body, pointer) in requests {
        let answer = world.send(method, path, &body);
        let (status, problem) = (answer.status, answer.json());
        let at: Vec<&str> =
            problem["errors"].as_array().into_iter().flatten().filter_map(|error| error["pointer"].as_str()).collect();
        let shown: String = body.to_string().chars().take(200).collect();
        assert_eq!((status, problem["code"].as_str()), (400, Some("invalid-request")), "{shown}: {problem}");
        assert_eq!(at, [pointer], "{shown}: {problem}");
        assert!(problem["detail"].as_str().unwrap().len() > 20, "{shown}: {problem}");
    }
}

#[test]
fn what_cannot_be_is_refused_by_name_and_changes_nothing() {
    let world = World::new();
    let first = world.submit(&json!({"queue": "other"}));
    let long = |bytes: usize| "k".repeat(bytes);
    let ten_kilobytes = long(10 << 10);
    let cycle =
        json!({"jobs": [{"key": "a", "queue": "q", "after": ["b"]}, {"key": "b", "queue": "q", "after": ["a"]}]});
    let mut requests = vec![
        ("PUT", "/v1/schedules/s", schedule("0 0 30 2 *", "UTC"), "/cron"),
        ("PUT", "/v1/schedules/s", schedule("0 0 31 4,6,9,11 *", "UTC"), "/cron"),
        ("PUT", "/v1/schedules/s", schedule("@daily", "Mars/Olympus"), "/timezone"),
        ("POST", "/v1/flows", cycle, "/jobs/0/after"),
        ("POST", "/v1/flows", flow(10_001), "/jobs"),
        ("POST", "/v1/jobs", job("after", vec![first.as_str(); 10_000]), "/after"),
        ("POST", "/v1/jobs", job("after", vec![first.as_str(); 1_001]), "/after"),
        ("POST", "/v1/jobs", job("delay", "36500d"), "/delay"),
        ("POST", "/v1/jobs", job("delay", "3651d"), "/delay"),
        ("POST", "/v1/jobs", job("run_at", "2126-01-01T00:00:00Z"), "/run_at"),
        ("POST", "/v1/jobs", job("expires_in", "36500d"), "/expires_in"),
        ("POST", "/v1/jobs", job("expires_in", "0s"), "/expires_in"),
        ("POST", "/v1/jobs", json!({"queue": "q", "delay": "1h", "expires_in": "1h"}), "/expires_in"),
        ("POST", "/v1/jobs", job("timeout", "0s"), "/timeout"),
        ("POST", "/v1/jobs", job("max_attempts", 0), "/max_attempts"),
        ("POST", "/v1/jobs", job("max_attempts", 10_001), "/max_attempts"),
        ("POST", "/v1/leases", json!({"queues": ["q"], "max": 0}), "/max"),
        ("POST", "/v1/leases", json!({"queues": []}), "/queues"),
        ("POST", "/v1/queues/q/redrive", json!({"rate": {"limit": 0, "per": "1s"}}), "/rate/limit"),
    ];
    for field in ["idempotency_key", "unique", "ordering_key", "group"] {
        let pointer: &str = Box::leak(format!("/{field}").into_boxed_str());
        requests.push(("POST", "/v1/jobs", job(field, ten_kilobytes.as_str()), pointer));
        requests.push(("POST", "/v1/jobs", job(field, long(513)), pointer));
        requests.push(("POST", "/v1/jobs", job(field, ""), pointer));
    }
    for (settings, pointer) in [
        (json!({"concurrency": 0}), "/concurrency"),
        (json!({"group_concurrency": 0}), "/group_concurrency"),
        (json!({"rate": {"limit": 0, "per": "1s"}}), "/rate/limit"),
        (json!({"rate": {"limit": 1, "per": "0s"}}), "/rate/per"),
        (json!({"max_attempts": 0}), "/max_attempts"),
        (json!({"lease_ttl": "0s"}), "/lease_ttl"),
        (json!({"timeout": "0s"}), "/timeout"),
        (json!({"expires_in": "0s"}), "/expires_in"),
        (json!({"push": {"url": "https://x.example/", "concurrency": 0}}), "/push/concurrency"),
    ] {
        requests.push(("PATCH", "/v1/queues/q", settings.clone(), pointer));
        requests.push(("PUT", "/v1/queues/q", settings, pointer));
    }
    refuses(&world, requests);
    assert_eq!(world.get("/v1/jobs")["jobs"].as_array().unwrap().len(), 1);
    assert_eq!(world.get("/v1/schedules")["schedules"], json!([]));
    assert_eq!(world.get("/v1/queues/q")["settings"], world.get("/v1/queues/never-seen")["settings"]);
}

#[test]
fn what_is_just_within_a_limit_is_taken() {
    let mut world = World::new();
    let first = world.submit(&json!({"queue": "other"}));
    let longest = "k".repeat(512);
    world.submit(&job("after", vec![first.as_str(); 1_000]));
    world.submit(&job("delay", "3650d"));
    world.submit(&job("max_attempts", 10_000));
    for field in ["idempotency_key", "unique", "ordering_key", "group"] {
        world.submit(&job(field, longest.as_str()));
    }
    assert_eq!(world.post("/v1/flows", &flow(10_000), 202)["jobs"].as_object().unwrap().len(), 10_000);
    // The 29th of February comes, once in a while.
    let leap = world.send("PUT", "/v1/schedules/leap", &schedule("0 0 29 2 *", "Pacific/Kiritimati"));
    assert_eq!(leap.status, 201, "{leap:?}");
    world.set(
        "q",
        &json!({"concurrency": 1, "group_concurrency": 1, "rate": {"limit": 1, "per": "1ms"}, "max_attempts": 1}),
    );
    world.kill();
    assert_eq!(world.counts("flow", ["INIT"]), [10_000]);
    world.settle(&world.lease("flow", 1), "complete", &json!({}));
    let leased = world.lease("flow", 1_000);
    assert_eq!(leased.len(), 1_000);
}
