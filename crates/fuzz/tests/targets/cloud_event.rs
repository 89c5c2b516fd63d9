//! A CloudEvent in a document of JSON that asks for a job.

use ackd_api::cloud_event::{CloudEvent, Data};
use ackd_api::{checked, limits};
use serde_json::Value;

use crate::oracle::is_name;
use crate::{oracle, refusal};

pub(crate) fn check(input: &[u8]) {
    let event = match CloudEvent::parse(input) {
        Err(problem) => return refusal::is_fair(&problem),
        Ok(event) => event,
    };
    asks_for_a_job(&event);
    // Whatever else reads it sees the same in it.
    let Some(value) = oracle::json(input) else { return };
    assert_eq!(value["specversion"], "1.0");
    for (name, attribute) in [("id", &event.id), ("source", &event.source), ("type", &event.kind)] {
        assert_eq!(value[name], **attribute, "{name}");
    }
    assert_eq!(value.get("ackdqueue").and_then(Value::as_str), event.queue.as_deref());
    assert_eq!(value.get("datacontenttype").and_then(Value::as_str), event.content_type.as_deref());
    match &event.data {
        None => assert!(value.get("data").is_none() && value.get("data_base64").is_none_or(Value::is_null)),
        Some(Data::Json(json)) => assert_eq!(value["data"], serde_json::from_str::<Value>(json.get()).unwrap()),
        Some(Data::Text(text)) => assert_eq!(value["data"], **text),
        Some(Data::Base64(text)) => assert_eq!(value["data_base64"], **text),
    }
}

/// An event that is taken is a job that may be asked for, but perhaps for the name of its queue's owner.
pub(crate) fn asks_for_a_job(event: &CloudEvent<'_>) {
    assert!(is_name(event.queue().0));
    assert!(!event.id.is_empty() && !event.source.contains(' '));
    let envelope = checked(event.envelope()).expect("an envelope within its limits");
    let key = envelope.idempotency_key.expect("the key of its source and id");
    assert!(key.len() <= limits::KEY_BYTES);
    assert_eq!(key.split_once(' '), Some((&*event.source, &*event.id)));
}
