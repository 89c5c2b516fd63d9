//! Jobs that come after others, over a kill.

use serde_json::{Value, json};

use crate::world::World;

/// Ends the only job that can be had of `queue` as `status`.
fn end(world: &World, queue: &str, status: &str) {
    match status {
        "FAILED" => world.settle(&world.lease(queue, 1), "fail", &json!({"error": "no", "retryable": false})),
        "CANCELLED" => world.settle(&world.lease(queue, 1), "fail", &json!({"error": "no", "cancelled": true})),
        // Its last attempt lapses.
        "lapsed" => drop(world.lease_and_vanish(queue, 1)),
        _ => {}
    }
}

#[test]
fn a_parent_whose_child_failed_does_not_stay_stuck() {
    let mut world = World::new();
    let ends = ["FAILED", "CANCELLED", "lapsed", "EXPIRED"];
    let policies = ["cancel", "continue"];
    let flow = |end: &str, policy: &str| {
        let queue = format!("{end}-{policy}");
        world.set(&queue, &json!({"max_attempts": 1}));
        let expires_in = if end == "EXPIRED" { "500ms" } else { "1h" };
        let jobs = json!([
            {"key": "grandparent", "queue": "grandparent", "after": ["parent"]},
            {"key": "parent", "queue": format!("parent-{policy}"), "after": ["child", "fine"], "on_failure": policy},
            {"key": "fine", "queue": "fine"},
            {"key": "child", "queue": queue, "expires_in": expires_in}]);
        let flow = world.post("/v1/flows", &json!({"jobs": jobs}), 202);
        ["child", "fine", "parent", "grandparent"].map(|key| flow["jobs"][key].as_str().unwrap().to_owned())
    };
    let flows: Vec<_> = ends
        .iter()
        .flat_map(|end| policies.iter().map(move |policy| (*end, *policy)))
        .map(|it| (it, flow(it.0, it.1)))
        .collect();
    world.settle(&world.lease("fine", flows.len()), "complete", &json!({"result": 1}));
    for ((how, policy), _) in &flows {
        end(&world, &format!("{how}-{policy}"), how);
    }
    world.kill();
    for ((how, policy), [child, _, parent, grandparent]) in &flows {
        let expected = if *how == "lapsed" { "FAILED" } else { how };
        assert_eq!(world.ended(child)["status"], expected, "{how}, {policy}");
        if *policy == "cancel" {
            let parent = world.ended(parent);
            assert_eq!(
                (&parent["status"], &parent["error"]["predecessor"]),
                (&json!("CANCELLED"), &json!(child)),
                "{how}"
            );
            assert_eq!(world.ended(grandparent)["status"], "CANCELLED", "{how}");
        }
    }
    // Those that go on get what there is.
    let parents = world.lease("parent-continue", ends.len());
    assert!(parents.iter().all(|it| it.job["inputs"] == json!({"child": null, "fine": 1})));
    world.settle(&parents, "complete", &json!({}));
    world.settle(&world.lease("grandparent", ends.len()), "complete", &json!({}));
    let left = world.get("/v1/jobs?status=INIT,PROCESSING");
    assert_eq!(left["jobs"], json!([]));
}

/// More come after one than are told of its end in one commit, and the kill comes behind the first.
#[test]
fn a_flow_goes_on_where_it_was_after_a_kill() {
    const WIDE: usize = 1_000;
    let mut world = World::new();
    let keys: Vec<String> = (0..WIDE).map(|n| format!("k{n}")).collect();
    let mut jobs: Vec<Value> =
        keys.iter().map(|key| json!({"key": key, "queue": "wide", "after": ["first"]})).collect();
    jobs.push(json!({"key": "first", "queue": "first"}));
    jobs.push(json!({"key": "last", "queue": "last", "after": keys}));
    world.post("/v1/flows", &json!({"jobs": jobs}), 202);
    world.settle(&world.lease("first", 1), "complete", &json!({"result": "cut"}));
    world.kill();
    let wide = world.lease("wide", WIDE);
    assert!(wide.iter().all(|it| it.job["inputs"] == json!({"first": "cut"}) && it.job["attempt"] == 1));
    world.settle(&wide, "complete", &json!({"result": 1}));
    world.kill();
    let last = world.lease("last", 1).remove(0);
    assert_eq!(last.job["inputs"].as_object().unwrap().len(), WIDE);
    assert!(last.job["inputs"].as_object().unwrap().values().all(|input| *input == 1));
    world.has_no_work("wide");
}
