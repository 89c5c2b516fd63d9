//! What the server says, as the history tells it.

use ackd_checker::{Snapshot, Status};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

/// The job that a document tells of.
pub(crate) fn snapshot(document: &Value) -> Option<Snapshot<String>> {
    let number = |name: &str| document[name].as_u64();
    Some(Snapshot {
        job: document["id"].as_str()?.to_owned(),
        status: status(&document["status"])?,
        version: number("version")?,
        run: u32::try_from(number("run")?).ok()?,
        attempt: u32::try_from(number("attempt")?).ok()?,
        payload: document["payload"].as_str().map(digest),
        result: document["result"].as_str().map(digest),
    })
}

pub(crate) fn status(text: &Value) -> Option<Status> {
    serde_json::from_value(text.clone()).ok()
}

/// What stands for a payload or a result, which are texts here.
pub(crate) fn digest(text: &str) -> String {
    format!("{:016x}", xxh3_64(text.as_bytes()))
}

/// The number in a position. Clients need not know it; whether positions are in order cannot be said without.
pub(crate) fn position(text: &str) -> Option<u64> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    Some(u64::from_be_bytes(bytes.get(..8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_are_read() {
        let document =
            json!({"id": "a", "status": "DONE", "version": 3, "run": 1, "attempt": 2, "payload": "p", "result": null});
        let read = snapshot(&document).unwrap();
        assert_eq!((read.job.as_str(), read.status, read.version, read.attempt), ("a", Status::Done, 3, 2));
        assert_eq!((read.payload, read.result), (Some(digest("p")), None));
        assert_eq!(snapshot(&json!({"id": "a"})), None);
        assert_ne!(digest("a"), digest("b"));
        assert_eq!(position("AAAAAAAAAAcAAAAA"), Some(7));
        assert_eq!(position("no"), None);
    }
}
