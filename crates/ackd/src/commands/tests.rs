//! What tests of several commands share.

use ackd_client::Document;
use serde_json::{Value, json};

/// A job with some fields replaced.
pub(crate) fn job(fields: Value) -> Document {
    let mut job = json!({
        "id": "a", "queue": "q", "type": null, "status": "INIT", "version": 1, "run": 1, "attempt": 1,
        "max_attempts": 20, "priority": 5, "progress": null, "payload": null, "payload_info": null, "result": null,
        "result_info": null, "error": null, "waiting": null, "cancel_requested_at": null, "checkpoint": null,
        "worker": null, "tags": [], "idempotency_key": null, "ordering_key": null, "group": null, "after": [],
        "flow": null, "inputs": {}, "reply_to": null, "traceparent": null, "timeout": null,
        "created_at": "2026-11-20T10:00:00.000Z", "run_at": "2026-11-20T10:00:00.000Z", "started_at": null,
        "finished_at": null, "expires_at": null, "position": "1",
        "links": {"self": "/", "result": "/", "events": "/"},
    });
    for (name, value) in fields.as_object().unwrap() {
        job[name] = value.clone();
    }
    serde_json::from_str(&job.to_string()).unwrap()
}
