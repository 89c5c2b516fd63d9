//! Schedules that fire while the server is killed.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::world::World;

/// With a payload of 60 KB each they fire in two commits: 16 MiB are made at once.
const SCHEDULES: usize = 400;

/// The minute of the day of an RFC 3339 time.
fn minute(time: &Value) -> u64 {
    let time = time.as_str().unwrap();
    time[11..13].parse::<u64>().unwrap() * 60 + time[14..16].parse::<u64>().unwrap()
}

fn stored(world: &World) -> Vec<Value> {
    let all = world.get("/v1/schedules?page_size=1000")["schedules"].as_array().unwrap().clone();
    assert_eq!(all.len(), SCHEDULES);
    all
}

#[test]
fn schedules_that_are_killed_as_they_fire_make_each_job_once() {
    let mut world = World::new();
    let payload = "x".repeat(60 << 10);
    let first: Vec<Value> = (0..SCHEDULES)
        .map(|nth| {
            let job = json!({"queue": format!("q{nth}"), "payload": payload});
            let schedule = json!({"cron": "* * * * *", "missed": "all", "job": job});
            let answer = world.send("PUT", &format!("/v1/schedules/s{nth:03}"), &schedule);
            assert_eq!(answer.status, 201, "{answer:?}");
            answer.json()["next_run_at"].clone()
        })
        .collect();
    // Whoever waits for the first job is told as soon as it is made, which takes a minute at most.
    let ask = json!({"queues": ["q0"], "wait": "30s", "ttl": "1h"}).to_string();
    let patience = Instant::now() + Duration::from_secs(120);
    while world.server().post("/v1/leases", &ask).status == 204 {
        assert!(Instant::now() < patience, "none fires");
    }
    for _ in 0..3 {
        world.kill();
    }
    let mut fired = stored(&world);
    while fired.iter().any(|schedule| schedule["last_run_at"].is_null()) {
        assert!(Instant::now() < patience, "some do not fire");
        fired = stored(&world);
    }
    // Another minute may come at any time: what is looked at is to be of one.
    let count = |world: &World| -> Vec<u64> {
        (0..SCHEDULES).map(|nth| world.counts(&format!("q{nth}"), ["INIT", "PROCESSING"]).iter().sum()).collect()
    };
    let mut made = count(&world);
    loop {
        fired = stored(&world);
        let again = count(&world);
        if again == std::mem::replace(&mut made, again.clone()) && stored(&world) == fired {
            break;
        }
        assert!(Instant::now() < patience + Duration::from_secs(60), "they never rest");
    }
    for (nth, schedule) in fired.iter().enumerate() {
        assert_eq!(schedule["name"], format!("s{nth:03}"));
        let minutes = (minute(&schedule["last_run_at"]) + 1440 - minute(&first[nth])) % 1440;
        assert_eq!(made[nth], minutes + 1, "{schedule}");
    }
}
