//! Dead letters, over a kill.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::world::World;

fn dead_letters(world: &World) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    let mut page = String::new();
    loop {
        let list = world.get(&format!("/v1/jobs?queue=dead&page_size=100{page}"));
        all.extend_from_slice(list["jobs"].as_array().unwrap());
        match list["next_page_token"].as_str() {
            Some(token) => page = format!("&page_token={token}"),
            None => return all,
        }
    }
}

/// The end of a job and its dead letter are one commit, so that a kill finds both or neither.
#[test]
fn each_dead_job_has_one_dead_letter_over_a_kill() {
    const JOBS: usize = 300;
    let mut world = World::new();
    world.set("q", &json!({"dead_letter": "dead"}));
    let payload = "x".repeat(2_000);
    let ids = world.submit_many(&json!({"queue": "q", "payload": payload}), JOBS);
    let leased = world.lease("q", JOBS);
    let fail = |token: &str| json!({"lease": token, "fail": {"error": "no", "retryable": false}}).to_string();
    let lines: Vec<String> = leased.iter().map(|it| fail(&it.token)).collect();
    // The answer is not waited for: the kill comes before, in or after the commit.
    let mut connection = world.server().connect();
    let asked = std::thread::spawn(move || connection.post("/v1/leases/settle", &lines.join("\n")).is_ok());
    world.kill();
    let answered = asked.join().unwrap();
    let [failed] = world.counts("q", ["FAILED"]);
    let letters = dead_letters(&world);
    let of: BTreeSet<&str> = letters.iter().map(|it| it["dead_letter_of"].as_str().unwrap()).collect();
    assert_eq!((letters.len() as u64, of.len() as u64), (failed, failed));
    assert!(!answered || failed == JOBS as u64, "{failed} of what was answered");
    // What is not dead yet dies now, as its worker sends it again.
    let lines: Vec<String> = leased.iter().map(|it| fail(&it.token)).collect();
    world.server().post("/v1/leases/settle", &lines.join("\n"));
    let letters = dead_letters(&world);
    let of: BTreeSet<&str> = letters.iter().map(|it| it["dead_letter_of"].as_str().unwrap()).collect();
    assert_eq!((letters.len(), of), (JOBS, ids.iter().map(String::as_str).collect()));
    assert!(world.lease("dead", JOBS).iter().all(|it| it.job["payload"] == payload.as_str()));
}
