//! Every document has a schema, and every answer can be kept by a client.

use schemars::{JsonSchema, schema_for};
use serde::de::DeserializeOwned;

use crate::*;

fn schema<T: JsonSchema>() -> serde_json::Value {
    schema_for!(T).to_value()
}

#[test]
fn every_document_has_a_schema_without_what_only_a_client_knows() {
    for schema in [
        schema::<Envelope<'_>>(),
        schema::<QueryEnvelope<'_>>(),
        schema::<JobDocument<'_>>(),
        schema::<JobList<'_>>(),
        schema::<Timeline<'_>>(),
        schema::<SubmitLine<'_>>(),
        schema::<LeaseRequest<'_>>(),
        schema::<Leases<'_>>(),
        schema::<Heartbeat<'_>>(),
        schema::<HeartbeatAnswer>(),
        schema::<Complete<'_>>(),
        schema::<Fail<'_>>(),
        schema::<Release<'_>>(),
        schema::<SettleLine<'_>>(),
        schema::<SettleAnswer<'_>>(),
        schema::<Settled<'_>>(),
        schema::<Released>(),
        schema::<QueueSettings>(),
        schema::<QueuePatch>(),
        schema::<QueueDocument>(),
        schema::<QueueList>(),
        schema::<WebhookRequest<'_>>(),
        schema::<WebhookDocument<'_>>(),
        schema::<WebhookList<'_>>(),
        schema::<ScheduleRequest<'_>>(),
        schema::<ScheduleDocument<'_>>(),
        schema::<ScheduleList<'_>>(),
        schema::<DeliveryList<'_>>(),
        schema::<Problem>(),
        schema::<Reset<'_>>(),
        schema::<cloud_event::CloudEvent<'_>>(),
        schema::<cloud_event::JobEvent<'_>>(),
        schema::<socket::Submit<'_>>(),
        schema::<socket::Subscribe<'_>>(),
        schema::<socket::Unsubscribe>(),
        schema::<socket::Credit>(),
        schema::<socket::ServerFrame<'_>>(),
    ] {
        let text = schema.to_string();
        assert!(!text.contains("\"const\":\"unknown\""), "{text}");
        let object = schema.pointer("/properties").or(schema.get("$ref")).or(schema.get("additionalProperties"));
        assert!(object.is_some(), "{text}");
    }
}

#[test]
fn schemas_say_what_is_required_and_what_may_not_be_there() {
    let envelope = schema::<Envelope<'_>>();
    assert_eq!(envelope["required"], serde_json::json!(["queue"]));
    assert_eq!(envelope["additionalProperties"], false);
    assert_eq!(envelope["properties"]["priority"]["maximum"], 9);
    assert_eq!(envelope["properties"]["type"]["maxLength"], limits::TYPE_BYTES);
    assert_eq!(schema::<JobDocument<'_>>()["additionalProperties"], serde_json::Value::Null);
}

/// Which many clients write for what they have not set.
#[test]
fn null_may_stand_for_whatever_may_be_left_out_of_a_request() {
    for schema in [
        schema::<Envelope<'_>>(),
        schema::<LeaseRequest<'_>>(),
        schema::<Heartbeat<'_>>(),
        schema::<Complete<'_>>(),
        schema::<Fail<'_>>(),
        schema::<Release<'_>>(),
        schema::<SettleLine<'_>>(),
        schema::<WebhookRequest<'_>>(),
        schema::<ScheduleRequest<'_>>(),
        schema::<RedriveRequest>(),
    ] {
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let definitions = schema["$defs"].as_object();
        let callback = definitions.and_then(|it| it.get("Callback"));
        for object in [Some(&schema), callback].into_iter().flatten() {
            for (name, field) in object["properties"].as_object().unwrap() {
                let is_named = |types: &serde_json::Value| types.to_string().contains("\"null\"");
                let is_nullable = is_named(&field["type"]) || is_named(&field["anyOf"]);
                // JSON of any kind has no type.
                let is_any = field.get("type").or(field.get("anyOf")).or(field.get("$ref")).is_none();
                let is_required = required.contains(&name.as_str().into()) || name == "url";
                assert!(is_nullable || is_any || is_required, "{name} of {}: {field}", schema["title"]);
            }
        }
    }
    let envelope = schema::<Envelope<'_>>();
    assert_eq!(envelope["properties"]["tags"]["maxItems"], limits::TAGS);
    assert_eq!(envelope["properties"]["then"]["maxItems"], limits::THEN);
}

#[test]
fn answers_outlive_the_bytes_they_were_read_from() {
    fn is_owned<T: DeserializeOwned>() {}
    is_owned::<JobDocument<'static>>();
    is_owned::<JobList<'static>>();
    is_owned::<socket::ServerFrame<'static>>();
    is_owned::<Timeline<'static>>();
    is_owned::<SubmitLine<'static>>();
    is_owned::<Leases<'static>>();
    is_owned::<HeartbeatAnswer>();
    is_owned::<SettleAnswer<'static>>();
    is_owned::<Settled<'static>>();
    is_owned::<QueueDocument>();
    is_owned::<QueueList>();
    is_owned::<WebhookDocument<'static>>();
    is_owned::<WebhookList<'static>>();
    is_owned::<ScheduleDocument<'static>>();
    is_owned::<ScheduleList<'static>>();
    is_owned::<DeliveryList<'static>>();
    is_owned::<Problem>();
    is_owned::<Reset<'static>>();
}
