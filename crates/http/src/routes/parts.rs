//! What the operations of several resources have in common.

use ackd_api::{Code, JobDocument, Problem};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{Answer, Content, Parameter, SchemaOf};
use crate::headers;
use crate::query::Values;

pub(super) const READING: &[Code] = &[Code::Damaged, Code::StoreFailed];
pub(super) const WRITING: &[Code] =
    &[Code::Damaged, Code::StoreFailed, Code::Overloaded, Code::Draining, Code::StorageFull];
pub(super) const OF_JOB: &[Code] = &[Code::NotFound];

pub(super) const fn json(schema: SchemaOf) -> Content {
    Content { media_type: ackd_domain::JSON, schema: Some(schema) }
}

pub(super) const fn ndjson(schema: SchemaOf) -> Content {
    Content { media_type: headers::NDJSON, schema: Some(schema) }
}

pub(super) fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// A duration in a query, where a bare number is seconds.
pub(super) fn span(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "anyOf": [
            {"type": "integer", "minimum": 0, "maximum": 315_360_000},
            {"type": "string", "pattern": "^([0-9]+|([0-9]+(ms|s|m|h|d))+)$"},
        ],
        "examples": ["30s", "1m30s", 30],
    })
}

pub(super) const fn parameter(name: &'static str, what: &'static str, schema: SchemaOf) -> Parameter {
    Parameter { name, what, schema, values: Values::One }
}

/// A query parameter of several values.
pub(super) const fn several(name: &'static str, what: &'static str, values: Values) -> Parameter {
    Parameter { name, what, schema: schema::<String>, values }
}

pub(super) const fn answer(status: u16, what: &'static str, content: &'static [Content]) -> Answer {
    Answer { status, what, content, headers: &[] }
}

pub(super) const fn event(schema: SchemaOf) -> Content {
    Content { media_type: ackd_api::cloud_event::MEDIA_TYPE, schema: Some(schema) }
}

pub(super) const JOB: &[Content] = &[json(schema::<JobDocument<'static>>)];

pub(super) const ANY: &[Content] = &[Content { media_type: "*/*", schema: None }];

pub(super) const PREFER: Parameter =
    parameter("Prefer", "`wait=N`: hold the answer for up to N seconds, at most 55 (RFC 7240).", schema::<String>);

pub(super) const IDEMPOTENCY_KEY: Parameter = parameter(
    "Idempotency-Key",
    "The field `idempotency_key` of the envelope, quoted or bare. Both may be given where they are the same.",
    schema::<String>,
);

pub(super) const RANGE: Parameter =
    parameter("Range", "`bytes=FIRST-LAST`: only this part (RFC 9110, section 14).", schema::<String>);

pub(super) const IF_RANGE: Parameter =
    parameter("If-Range", "The entity tag of the file of which a part is there already.", schema::<String>);

pub(super) const FILE_TAG: Parameter =
    parameter("If-None-Match", "The entity tag that is known already: the answer is 304.", schema::<String>);

pub(super) const LINKS: Parameter =
    parameter("Ackd-Links", "`no`: the bytes themselves, never the address in their store (307).", schema::<String>);

pub(super) const FILE_HEADERS: &[&str] = &[
    "ETag",
    "Accept-Ranges",
    "Cache-Control",
    "Content-Disposition",
    "Content-Security-Policy",
    "X-Content-Type-Options",
];

pub(super) const PART: Answer = Answer {
    status: 206,
    what: "The part of the file that was asked for.",
    content: ANY,
    headers: &[
        "Content-Range",
        "ETag",
        "Accept-Ranges",
        "Cache-Control",
        "Content-Disposition",
        "Content-Security-Policy",
        "X-Content-Type-Options",
    ],
};

pub(super) const ELSEWHERE: Answer = Answer {
    status: 307,
    what: "The file is at this address of its store for a while; only where the server was told to say so.",
    content: &[],
    headers: &["Location", "Cache-Control"],
};

pub(super) const SAME_FILE: Answer =
    Answer { status: 304, what: "It is as it was.", content: &[], headers: FILE_HEADERS };

pub(super) const OUTSIDE: Answer = Answer {
    status: 416,
    what: "`invalid-request`: the file has no such part.",
    content: &[Content { media_type: ackd_api::problem::MEDIA_TYPE, schema: Some(schema::<Problem>) }],
    headers: &["Content-Range"],
};
