//! Submitting jobs.

use ackd_api::cloud_event::CloudEvent;
use ackd_api::{Code, Envelope, JobDocument, SubmitLine, Time};
use http::Method;

use super::parts::{
    ANY, IDEMPOTENCY_KEY, JOB, PREFER, WRITING, answer, event, json, ndjson, parameter, schema, several, span,
};
use super::{Answer, Operation, Parameter, Values};
use crate::submit;

const TRACEPARENT: Parameter =
    parameter("traceparent", "The field `traceparent`, where the envelope has none.", schema::<String>);

const ACCEPTED: &[&str] = &[
    "Location",
    "Content-Location",
    "ETag",
    "Cache-Control",
    "Retry-After",
    "Preference-Applied",
    "Idempotent-Replayed",
    "Unique-Kept",
    "Unique-Replaced",
];

const ACCEPTED_JOB: Answer =
    Answer { status: 202, what: "The job is accepted, and on disk.", content: JOB, headers: ACCEPTED };

const ENDED_JOB: Answer = Answer {
    status: 200,
    what: "The job, which ended while the answer was held back.",
    content: JOB,
    headers: ACCEPTED,
};

pub(super) const SUBMIT: Operation = Operation {
    method: Method::POST,
    path: "/v1/jobs",
    id: "submit",
    summary: "Submit one job, or a line each of many. With the headers `ce-specversion`, `ce-id`, `ce-source` and \
              `ce-type` any body is the data of a CloudEvent.",
    query: &[parameter(
        "partial",
        "Of lines: accept the good ones although others are not. Default false: all or none.",
        schema::<bool>,
    )],
    headers: &[PREFER, IDEMPOTENCY_KEY, TRACEPARENT],
    bodies: &[
        json(schema::<Envelope<'static>>),
        ndjson(schema::<Envelope<'static>>),
        event(schema::<CloudEvent<'static>>),
    ],
    answers: &[
        Answer {
            status: 202,
            what: "The job is accepted, and on disk; of lines: all are.",
            content: &[json(schema::<JobDocument<'static>>), ndjson(schema::<SubmitLine<'static>>)],
            headers: ACCEPTED,
        },
        ENDED_JOB,
        answer(207, "Some lines are accepted, and some are not.", &[ndjson(schema::<SubmitLine<'static>>)]),
    ],
    problems: &[WRITING, &[Code::IdempotencyMismatch]],
    handle: |call| Box::pin(submit::jobs(call)),
};

pub(super) const SUBMIT_RAW: Operation = Operation {
    method: Method::POST,
    path: "/v1/queues/{queue}/jobs",
    id: "submit_raw",
    summary: "Submit a job: the body is the payload.",
    query: &[
        parameter("type", "See the envelope.", schema::<String>),
        parameter("delay", "See the envelope.", span),
        parameter("run_at", "See the envelope.", schema::<Time>),
        parameter("expires_in", "See the envelope.", span),
        parameter("priority", "See the envelope.", schema::<u8>),
        parameter("max_attempts", "See the envelope.", schema::<u32>),
        parameter("timeout", "See the envelope.", span),
        parameter("result_retention", "See the envelope.", span),
        parameter("idempotency_key", "See the envelope.", schema::<String>),
        parameter("ordering_key", "See the envelope.", schema::<String>),
        parameter("group", "See the envelope.", schema::<String>),
        parameter("unique", "See the envelope; the policy is `keep`.", schema::<String>),
        several("tags", "See the envelope; separated by commas.", Values::List),
        parameter("reply_to", "Not supported yet.", schema::<String>),
        several("after", "See the envelope; separated by commas.", Values::List),
        parameter("on_failure", "See the envelope.", schema::<String>),
        parameter("traceparent", "See the envelope.", schema::<String>),
    ],
    headers: &[PREFER, IDEMPOTENCY_KEY, TRACEPARENT],
    bodies: ANY,
    answers: &[ACCEPTED_JOB, ENDED_JOB],
    problems: &[WRITING, &[Code::IdempotencyMismatch]],
    handle: |call| Box::pin(submit::raw(call)),
};
