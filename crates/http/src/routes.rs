//! Every operation of the API, in one table: it leads requests to their operations, and the OpenAPI document is made of
//! it.

use ackd_api::cloud_event::{CloudEvent, JobEvent};
use ackd_api::{
    BulkRequest, Code, Complete, DeadList, DeliveryDocument, DeliveryList, Duration, Envelope, Fail, FileDocument,
    FlowCancelled, FlowDocument, FlowRequest, Heartbeat, HeartbeatAnswer, JobDocument, JobList, LeaseRequest, Leases,
    Problem, Purged, QueueDocument, QueueList, QueuePatch, QueueSettings, RedriveRequest, Redriven, Release, Released,
    ScheduleDocument, ScheduleList, ScheduleRequest, SettleAnswer, SettleLine, Settled, SubmitLine, Time, Timeline,
    WebhookDocument, WebhookList, WebhookRequest,
};
use http::Method;
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::call::{Call, Handling};
use crate::{
    bulk, cancel, dead, deliveries, events, files, flows, headers, health, job, leases, list, metrics, openapi,
    problems, queues, schedules, settle, socket, submit, webhooks,
};

/// A path and a method, what they do, and what can be asked and answered.
pub(crate) struct Operation {
    pub(crate) method: Method,
    /// With at most one parameter, in braces.
    pub(crate) path: &'static str,
    /// Its name, for programs that are generated from the document.
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    /// The query parameters that it takes; every other one is refused.
    pub(crate) query: &'static [Parameter],
    /// The headers that mean something to it.
    pub(crate) headers: &'static [Parameter],
    /// The bodies that it takes; it takes none where there are none.
    pub(crate) bodies: &'static [Content],
    pub(crate) answers: &'static [Answer],
    /// What it may be refused with, beside what everything may.
    pub(crate) problems: &'static [&'static [Code]],
    pub(crate) handle: fn(Call) -> Handling,
}

impl Operation {
    /// Whether `name` is a query parameter of it.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.query.iter().any(|parameter| match parameter.name.strip_suffix("<path>") {
            Some(prefix) => name.starts_with(prefix),
            None => parameter.name == name,
        })
    }
}

/// A query parameter or a header.
pub(crate) struct Parameter {
    /// One that ends with `<path>` stands for all that begin so.
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) schema: SchemaOf,
}

/// What a schema is made by.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// A form of a body.
pub(crate) struct Content {
    pub(crate) media_type: &'static str,
    /// Of the document, or of each line; `None` for bytes of any kind.
    pub(crate) schema: Option<SchemaOf>,
}

/// An answer that is no problem.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) what: &'static str,
    pub(crate) content: &'static [Content],
    pub(crate) headers: &'static [&'static str],
}

/// What everything may be refused with.
pub(crate) const ALWAYS: &[Code] = &[
    Code::InvalidRequest,
    Code::Forbidden,
    Code::Timeout,
    Code::TooLarge,
    Code::MisdirectedRequest,
    Code::Internal,
    Code::Overloaded,
];
/// What whatever has a body may be refused with.
pub(crate) const WITH_BODY: &[Code] = &[Code::UnsupportedMediaType];
const READING: &[Code] = &[Code::Damaged, Code::StoreFailed];
const WRITING: &[Code] = &[Code::Damaged, Code::StoreFailed, Code::Overloaded, Code::Draining, Code::StorageFull];
const OF_JOB: &[Code] = &[Code::NotFound];
const OF_LEASE: &[Code] = &[Code::LeaseLost];

const fn json(schema: SchemaOf) -> Content {
    Content { media_type: ackd_domain::JSON, schema: Some(schema) }
}

const fn ndjson(schema: SchemaOf) -> Content {
    Content { media_type: headers::NDJSON, schema: Some(schema) }
}

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

const fn parameter(name: &'static str, what: &'static str, schema: SchemaOf) -> Parameter {
    Parameter { name, what, schema }
}

const fn answer(status: u16, what: &'static str, content: &'static [Content]) -> Answer {
    Answer { status, what, content, headers: &[] }
}

const fn event(schema: SchemaOf) -> Content {
    Content { media_type: ackd_api::cloud_event::MEDIA_TYPE, schema: Some(schema) }
}

const JOB: &[Content] = &[json(schema::<JobDocument<'static>>)];
const SETTLED: &[Content] = &[json(schema::<Settled<'static>>)];
const QUEUE: &[Content] = &[json(schema::<QueueDocument>)];
const WEBHOOK: &[Content] = &[json(schema::<WebhookDocument<'static>>)];
const SCHEDULE: &[Content] = &[json(schema::<ScheduleDocument<'static>>)];
const FILE: &[Content] = &[json(schema::<FileDocument<'static>>)];
const ANY: &[Content] = &[Content { media_type: "*/*", schema: None }];
const TEXT: &[Content] = &[Content { media_type: "text/plain", schema: Some(schema::<String>) }];

const PREFER: Parameter =
    parameter("Prefer", "`wait=N`: hold the answer for up to N seconds, at most 55 (RFC 7240).", schema::<String>);
const IDEMPOTENCY_KEY: Parameter = parameter(
    "Idempotency-Key",
    "The field `idempotency_key` of the envelope, quoted or bare. Both may be given where they are the same.",
    schema::<String>,
);
const TRACEPARENT: Parameter =
    parameter("traceparent", "The field `traceparent`, where the envelope has none.", schema::<String>);
const IF_NONE_MATCH: Parameter = parameter(
    "If-None-Match",
    "The version that is known already. The answer is 304 while it is the current one.",
    schema::<String>,
);
const RANGE: Parameter =
    parameter("Range", "`bytes=FIRST-LAST`: only this part (RFC 9110, section 14).", schema::<String>);
const IF_RANGE: Parameter =
    parameter("If-Range", "The entity tag of the file of which a part is there already.", schema::<String>);
const FILE_TAG: Parameter =
    parameter("If-None-Match", "The entity tag that is known already: the answer is 304.", schema::<String>);
const FILE_EXPIRY: Parameter = parameter(
    "expires_in",
    "How long the file is kept while no job refers to it, 1 s to 10 years; default 24 h.",
    schema::<Duration>,
);
const WAIT: Parameter = parameter("wait", "Hold the answer for so long, at most 55 s.", schema::<Duration>);

/// The headers of an answer with a job's document.
const FOLLOW: &[&str] = &["ETag", "Cache-Control", "Retry-After", "Preference-Applied"];
const NEGOTIATED: &[&str] = &["ETag", "Cache-Control", "Retry-After", "Preference-Applied", "Vary"];
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
const STORED: &[&str] = &[
    "ETag",
    "Cache-Control",
    "Content-Disposition",
    "Content-Security-Policy",
    "X-Content-Type-Options",
    "Preference-Applied",
];
const FILE_HEADERS: &[&str] = &[
    "ETag",
    "Accept-Ranges",
    "Cache-Control",
    "Content-Disposition",
    "Content-Security-Policy",
    "X-Content-Type-Options",
];
const PART: Answer = Answer {
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
const ELSEWHERE: Answer = Answer {
    status: 307,
    what: "The file is at this address of its store for a while; only where the server was told to say so.",
    content: &[],
    headers: &["Location", "Cache-Control"],
};
const SAME_FILE: Answer = Answer { status: 304, what: "It is as it was.", content: &[], headers: FILE_HEADERS };
const OUTSIDE: Answer = Answer {
    status: 416,
    what: "`invalid-request`: the file has no such part.",
    content: &[Content { media_type: ackd_api::problem::MEDIA_TYPE, schema: Some(schema::<Problem>) }],
    headers: &["Content-Range"],
};
const ACCEPTED_JOB: Answer =
    Answer { status: 202, what: "The job is accepted, and on disk.", content: JOB, headers: ACCEPTED };
const ENDED_JOB: Answer = Answer {
    status: 200,
    what: "The job, which ended while the answer was held back.",
    content: JOB,
    headers: ACCEPTED,
};

/// The table. What is asked most stands first; the operations of a path stand together.
pub(crate) static OPERATIONS: &[Operation] = &[
    Operation {
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
    },
    Operation {
        method: Method::GET,
        path: "/v1/jobs",
        id: "list_jobs",
        summary: "List jobs, newest first.",
        query: &[
            parameter("queue", "Of these queues; separated by commas.", schema::<String>),
            parameter("status", "In these statuses; separated by commas.", schema::<String>),
            parameter("type", "Of these types; separated by commas.", schema::<String>),
            parameter("tag", "With one of these tags; separated by commas.", schema::<String>),
            parameter("idempotency_key", "With this key.", schema::<String>),
            parameter("created_after", "Accepted at this time or later.", schema::<Time>),
            parameter("created_before", "Accepted before this time.", schema::<Time>),
            parameter("flow", "Only jobs of the flow with this id.", schema::<String>),
            parameter(
                "payload.<path>",
                "With this field in a JSON payload that is no file: names of fields and indexes of arrays with dots between \
                 them, at most 16 in 256 bytes. The value is a string, or a number, `true`, `false` or `null` of equal value. \
                 At most 8 of these; all of them have to hold.",
                schema::<String>,
            ),
            parameter("page_size", "The jobs of a page, 1 to 1000; default 100.", schema::<u16>),
            parameter("page_token", "`next_page_token` of the page before.", schema::<String>),
        ],
        headers: &[],
        bodies: &[],
        answers: &[answer(200, "A page, which may be short or empty.", &[json(schema::<JobList<'static>>)])],
        problems: &[READING],
        handle: |call| Box::pin(list::jobs(call)),
    },
    Operation {
        method: Method::POST,
        path: "/v1/jobs/bulk",
        id: "bulk",
        summary: "Cancel or retry all jobs that match, as a job that reports progress.",
        query: &[],
        headers: &[],
        bodies: &[json(schema::<BulkRequest>)],
        answers: &[Answer {
            status: 202,
            what: "The job that does it; it is durable.",
            content: JOB,
            headers: &["Location", "ETag", "Cache-Control", "Retry-After"],
        }],
        problems: &[WRITING],
        handle: |call| Box::pin(bulk::submit(call)),
    },
    Operation {
        method: Method::POST,
        path: "/v1/leases",
        id: "lease",
        summary: "Ask for jobs to work on.",
        query: &[],
        headers: &[],
        bodies: &[json(schema::<LeaseRequest<'static>>)],
        answers: &[
            answer(200, "Leases.", &[json(schema::<Leases<'static>>)]),
            answer(204, "There was nothing within the wait.", &[]),
        ],
        problems: &[WRITING],
        handle: |call| Box::pin(leases::lease(call)),
    },
    Operation {
        method: Method::POST,
        path: "/v1/leases/{lease}/complete",
        id: "complete",
        summary: "Say that the work is done.",
        query: &[],
        headers: &[],
        bodies: &[json(schema::<Complete<'static>>)],
        answers: &[answer(200, "The job after it.", SETTLED)],
        problems: &[WRITING, OF_LEASE],
        handle: |call| Box::pin(settle::complete(call)),
    },
    Operation {
        method: Method::POST,
        path: "/v1/leases/{lease}/heartbeat",
        id: "heartbeat",
        summary: "Say that the worker is alive, and how far it has come.",
        query: &[],
        headers: &[],
        bodies: &[json(schema::<Heartbeat<'static>>)],
        answers: &[answer(200, "The lease goes on.", &[json(schema::<HeartbeatAnswer>)])],
        problems: &[WRITING, OF_LEASE],
        handle: |call| Box::pin(settle::heartbeat(call)),
    },
    Operation {
        method: Method::POST,
        path: "/v1/leases/settle",
        id: "settle",
        summary: "Settle many leases, a line each.",
        query: &[],
        headers: &[],
        bodies: &[ndjson(schema::<SettleLine<'static>>)],
        answers: &[answer(
            200,
            "What became of each, in the order of the lines.",
            &[ndjson(schema::<SettleAnswer<'static>>)],
        )],
        problems: &[WRITING],
        handle: |call| Box::pin(settle::many(call)),
    },
    Operation {
        method: Method::GET,
        path: "/v1/jobs/{id}",
        id: "get_job",
        summary: "Look at a job, or wait for it to change or to end.",
        query: &[WAIT],
        headers: &[PREFER, IF_NONE_MATCH],
        bodies: &[],
        answers: &[
            Answer {
                status: 200,
                what: "The job, in the form that `Accept` prefers.",
                content: &[json(schema::<JobDocument<'static>>), event(schema::<JobEvent<'static>>)],
                headers: NEGOTIATED,
            },
            Answer { status: 304, what: "It is as it was.", content: &[], headers: NEGOTIATED },
        ],
        problems: &[READING, OF_JOB],
        handle: |call| Box::pin(job::get(call)),
    },
    Operation {
        method: Method::DELETE,
        path: "/v1/jobs/{id}",
        id: "delete_job",
        summary: "Erase a job that has ended, with its payload, its result and its idempotency key.",
        query: &[],
        headers: &[],
        bodies: &[],
        answers: &[answer(204, "There is no such job any more.", &[])],
        problems: &[WRITING, OF_JOB, &[Code::NotFinished]],
        handle: |call| Box::pin(cancel::delete(call)),
    },
    Operation {
        method: Method::GET,
        path: "/v1/jobs/{id}/result",
        id: "get_result",
        summary: "Get a job's result as it was handed in, or wait for it.",
        query: &[WAIT],
        headers: &[PREFER, RANGE, IF_RANGE, FILE_TAG],
        bodies: &[],
        answers: &[
            Answer { status: 200, what: "The result.", content: ANY, headers: STORED },
            PART,
            SAME_FILE,
            ELSEWHERE,
            OUTSIDE,
            Answer { status: 204, what: "The job is done, and has no result.", content: &[], headers: FOLLOW },
        ],
        problems: &[READING, OF_JOB, &[Code::NotFinished, Code::JobFailed, Code::JobCancelled, Code::Expired]],
        handle: |call| Box::pin(job::result(call)),
    },
    Operation {
        method: Method::GET,
        path: "/v1/jobs/{id}/events",
        id: "follow_job",
        summary: "Follow a job until it has ended (server-sent events).",
        query: &[parameter(
            "after",
            "The position after which to begin, or `earliest`. Absent: with the current state.",
            schema::<String>,
        )],
        headers: &[parameter("Last-Event-ID", "The same, and goes before it.", schema::<String>)],
        bodies: &[],
        answers: &[
            Answer {
                status: 200,
                what: "Events `status`, `progress` and `reset`. `data` is the job as of it, without payload, or, of \
                       `reset`, the position from where it goes on; `id` is a position.",
                content: &[Content { media_type: "text/event-stream", schema: Some(schema::<String>) }],
                headers: &["Cache-Control", "X-Accel-Buffering"],
            },
            answer(204, "The job has ended, and nothing follows after this position.", &[]),
        ],
        problems: &[READING, OF_JOB],
        handle: |call| Box::pin(events::of_job(call)),
    },
    Operation {
        method: Method::GET,
        path: "/v1/events",
        id: "follow_feed",
        summary: "Follow all jobs, or those that a filter names (server-sent events).",
        query: &[
            parameter("queue", "Of one of these queues.", schema::<String>),
            parameter("status", "Changes to one of these statuses, or within one.", schema::<String>),
            parameter("type", "Of one of these types.", schema::<String>),
            parameter("tag", "With one of these tags.", schema::<String>),
            parameter("job", "One of these jobs; may be given several times.", schema::<String>),
            parameter(
                "after",
                "The position after which to begin, or `earliest`. Absent: with what happens next.",
                schema::<String>,
            ),
        ],
        headers: &[parameter("Last-Event-ID", "As `after`, and goes before it.", schema::<String>)],
        bodies: &[],
        answers: &[Answer {
            status: 200,
            what: "Events `status`, `progress` and `reset`, without end. `data` is the job as of it, without payload, \
                   or, of `reset`, the position from where it goes on; `id` is a position.",
            content: &[Content { media_type: "text/event-stream", schema: Some(schema::<String>) }],
            headers: &["Cache-Control", "X-Accel-Buffering"],
        }],
        problems: &[READING, OF_JOB],
        handle: |call| Box::pin(events::of_feed(call)),
    },
    Operation {
        method: Method::GET,
        path: "/v1/ws",
        id: "socket",
        summary: "Open a WebSocket (RFC 6455) with the sub-protocol `ackd.v1`: submit, and follow any number of jobs and \
                  filters.",
        query: &[],
        headers: &[
            parameter("Upgrade", "`websocket`.", schema::<String>),
            parameter("Connection", "`Upgrade`.", schema::<String>),
            parameter("Sec-WebSocket-Version", "`13`.", schema::<String>),
            parameter("Sec-WebSocket-Key", "16 random bytes in base64.", schema::<String>),
            parameter("Sec-WebSocket-Protocol", "A list with `ackd.v1`.", schema::<String>),
        ],
        bodies: &[],
        answers: &[
            Answer {
                status: 101,
                what: "The WebSocket is open. Its messages are JSON, told apart by `op`.",
                content: &[],
                headers: &["Upgrade", "Connection", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol"],
            },
            Answer {
                status: 426,
                what: "`invalid-request`: no WebSocket was asked for, or none of version 13.",
                content: &[Content { media_type: ackd_api::problem::MEDIA_TYPE, schema: Some(schema::<Problem>) }],
                headers: &["Upgrade", "Sec-WebSocket-Version"],
            },
        ],
        problems: &[],
        handle: |call| Box::pin(socket::open(call)),
    },
    Operation {
        method: Method::POST,
        path: "/v1/leases/{lease}/result",
        id: "complete_raw",
        summary: "Say that the work is done: the body is the result.",
        query: &[],
        headers: &[],
        bodies: ANY,
        answers: &[answer(200, "The job after it.", SETTLED)],
        problems: &[WRITING, OF_LEASE],
        handle: |call| Box::pin(settle::result(call)),
    },
    Operation {
        method: Method::POST,
        path: "/v1/leases/{lease}/fail",
        id: "fail",
        summary: "Say that the attempt failed.",
        query: &[],
        headers: &[],
        bodies: &[json(schema::<Fail<'static>>)],
        answers: &[answer(200, "The job after it.", SETTLED)],
        problems: &[WRITING, OF_LEASE],
        handle: |call| Box::pin(settle::fail(call)),
    },
    Operation {
        method: Method::POST,
        path: "/v1/leases/{lease}/release",
        id: "release",
        summary: "Give the job back; the attempt does not count.",
        query: &[],
        headers: &[],
        bodies: &[json(schema::<Release<'static>>)],
        answers: &[answer(200, "The job after it.", SETTLED)],
        problems: &[WRITING, OF_LEASE],
        handle: |call| Box::pin(settle::release(call)),
    },
    Operation {
        method: Method::POST,
        path: "/v1/queues/{queue}/jobs",
        id: "submit_raw",
        summary: "Submit a job: the body is the payload.",
        query: &[
            parameter("type", "See the envelope.", schema::<String>),
            parameter("delay", "See the envelope.", schema::<Duration>),
            parameter("run_at", "See the envelope.", schema::<Time>),
            parameter("expires_in", "See the envelope.", schema::<Duration>),
            parameter("priority", "See the envelope.", schema::<u8>),
            parameter("max_attempts", "See the envelope.", schema::<u32>),
            parameter("timeout", "See the envelope.", schema::<Duration>),
            parameter("result_retention", "See the envelope.", schema::<Duration>),
            parameter("idempotency_key", "See the envelope.", schema::<String>),
            parameter("ordering_key", "See the envelope.", schema::<String>),
            parameter("group", "See the envelope.", schema::<String>),
            parameter("unique", "See the envelope; the policy is `keep`.", schema::<String>),
            parameter("tags", "See the envelope; separated by commas.", schema::<String>),
            parameter("reply_to", "Not supported yet.", schema::<String>),
            parameter("after", "See the envelope; separated by commas.", schema::<String>),
            parameter("on_failure", "See the envelope.", schema::<String>),
            parameter("traceparent", "See the envelope.", schema::<String>),
        ],
        headers: &[PREFER, IDEMPOTENCY_KEY, TRACEPARENT],
        bodies: ANY,
        answers: &[ACCEPTED_JOB, ENDED_JOB],
        problems: &[WRITING, &[Code::IdempotencyMismatch]],
        handle: |call| Box::pin(submit::raw(call)),
    },
    Operation {
        method: Method::POST,
        path: "/v1/queues/{queue}/lease",
        id: "lease_raw",
        summary: "Ask for one job to work on: the answer's body is its payload.",
        query: &[
            parameter("wait", "Hold the answer for so long while there is nothing, at most 55 s.", schema::<Duration>),
            parameter("ttl", "How long the lease lasts without a heartbeat, 1 s to 1 h.", schema::<Duration>),
            parameter("worker", "The worker's name.", schema::<String>),
        ],
        headers: &[],
        bodies: &[],
        answers: &[
            Answer {
                status: 200,
                what: "The payload.",
                content: ANY,
                headers: &["Ackd-Lease", "Ackd-Job", "Ackd-Attempt", "traceparent"],
            },
            answer(204, "There was nothing within the wait.", &[]),
        ],
        problems: &[WRITING],
        handle: |call| Box::pin(leases::raw(call)),
    },
    Operation {
        method: Method::GET,
        path: "/v1/jobs/{id}/payload",
        id: "get_payload",
        summary: "Get a job's payload as it was handed in.",
        query: &[],
        headers: &[RANGE, IF_RANGE, FILE_TAG],
        bodies: &[],
        answers: &[
            Answer { status: 200, what: "The payload.", content: ANY, headers: STORED },
            PART,
            SAME_FILE,
            ELSEWHERE,
            OUTSIDE,
            answer(204, "The job has no payload.", &[]),
        ],
        problems: &[READING, OF_JOB],
        handle: |call| Box::pin(job::payload(call)),
    },
    Operation {
        method: Method::GET,
        path: "/v1/jobs/{id}/timeline",
        id: "get_timeline",
        summary: "See every change of a job.",
        query: &[],
        headers: &[],
        bodies: &[],
        answers: &[answer(200, "The changes, oldest first.", &[json(schema::<Timeline<'static>>)])],
        problems: &[READING, OF_JOB],
        handle: |call| Box::pin(job::timeline(call)),
    },
    Operation {
        method: Method::GET,
        path: "/v1/jobs/{id}/deliveries",
        id: "list_deliveries",
        summary: "See to whom a job's end was told, when, and with which answer; newest first.",
        query: &[
            parameter("page_size", "The deliveries of a page, 1 to 1000; default 100.", schema::<u16>),
            parameter("page_token", "`next_page_token` of the page before.", schema::<String>),
        ],
        headers: &[],
        bodies: &[],
        answers: &[answer(200, "A page.", &[json(schema::<DeliveryList<'static>>)])],
        problems: &[READING, OF_JOB],
        handle: |call| Box::pin(deliveries::of_job(call)),
    },
    Operation {
        method: Method::POST,
        path: "/v1/deliveries/{id}/replay",
        id: "replay_delivery",
        summary: "Make a delivery that has ended once more: the same bytes under the same `webhook-id`.",
        query: &[],
        headers: &[],
        bodies: &[],
        answers: &[answer(
            202,
            "The delivery that will be made: this one, or a new one where the receiver had it already.",
            &[json(schema::<DeliveryDocument<'static>>)],
        )],
        problems: &[WRITING, &[Code::NotFound, Code::NotFinished]],
        handle: |call| Box::pin(deliveries::replay(call)),
    },
    Operation {
        method: Method::POST,
        path: "/v1/jobs/{id}/cancel",
        id: "cancel",
        summary: "Cancel a job, or have its worker asked to stop.",
        query: &[],
        headers: &[],
        bodies: &[],
        answers: &[
            Answer { status: 200, what: "It is cancelled.", content: JOB, headers: FOLLOW },
            Answer {
                status: 202,
                what: "Its worker is told; how it ends is not known yet.",
                content: JOB,
                headers: FOLLOW,
            },
        ],
        problems: &[WRITING, OF_JOB, &[Code::AlreadyFinished]],
        handle: |call| Box::pin(cancel::cancel(call)),
    },
    Operation {
        method: Method::POST,
        path: "/v1/jobs/{id}/retry",
        id: "retry",
        summary: "Run a job once more that failed, expired or was cancelled.",
        query: &[],
        headers: &[],
        bodies: &[],
        answers: &[Answer { status: 200, what: "It waits for its next run.", content: JOB, headers: FOLLOW }],
        problems: &[WRITING, OF_JOB, &[Code::AlreadyFinished, Code::NotFinished, Code::NotUnique]],
        handle: |call| Box::pin(cancel::retry(call)),
    },
    Operation {
        method: Method::POST,
        path: "/v1/workers/{worker}/release",
        id: "release_worker",
        summary: "Give back all the leases of a worker; the attempts do not count.",
        query: &[],
        headers: &[],
        bodies: &[],
        answers: &[answer(200, "How many there were.", &[json(schema::<Released>)])],
        problems: &[WRITING],
        handle: |call| Box::pin(settle::worker(call)),
    },
    Operation {
        method: Method::GET,
        path: "/v1/queues",
        id: "list_queues",
        summary: "List the queues that have jobs or settings, by name.",
        query: &[
            parameter("page_size", "The queues of a page, 1 to 1000; default 100.", schema::<u16>),
            parameter("page_token", "`next_page_token` of the page before.", schema::<String>),
        ],
        headers: &[],
        bodies: &[],
        answers: &[answer(200, "A page.", &[json(schema::<QueueList>)])],
        problems: &[READING],
        handle: |call| Box::pin(queues::list(call)),
    },
    Operation {
        method: Method::GET,
        path: "/v1/queues/{queue}",
        id: "get_queue",
        summary: "See a queue's settings, and how many jobs stand where.",
        query: &[],
        headers: &[],
        bodies: &[],
        answers: &[answer(200, "The queue; it needs no creation.", QUEUE)],
        problems: &[READING],
        handle: |call| Box::pin(queues::get(call)),
    },
    Operation {
        method: Method::PUT,
        path: "/v1/queues/{queue}",
        id: "replace_queue",
        summary: "Replace a queue's settings.",
        query: &[],
        headers: &[],
        bodies: &[json(schema::<QueueSettings>)],
        answers: &[answer(200, "The queue after it.", QUEUE)],
        problems: &[WRITING],
        handle: |call| Box::pin(queues::replace(call)),
    },
    Operation {
        method: Method::PATCH,
        path: "/v1/queues/{queue}",
        id: "merge_queue",
        summary: "Change some of a queue's settings (RFC 7396).",
        query: &[],
        headers: &[],
        bodies: &[
            json(schema::<QueuePatch>),
            Content { media_type: "application/merge-patch+json", schema: Some(schema::<QueuePatch>) },
        ],
        answers: &[answer(200, "The queue after it.", QUEUE)],
        problems: &[WRITING],
        handle: |call| Box::pin(queues::merge(call)),
    },
    Operation {
        method: Method::POST,
        path: "/v1/queues/{queue}/pause",
        id: "pause_queue",
        summary: "Hold a queue's jobs back from workers; those that run go on.",
        query: &[],
        headers: &[],
        bodies: &[],
        answers: &[answer(200, "The queue after it.", QUEUE)],
        problems: &[WRITING],
        handle: |call| Box::pin(queues::pause(call)),
    },
    Operation {
        method: Method::POST,
        path: "/v1/queues/{queue}/resume",
        id: "resume_queue",
        summary: "Let a queue's jobs go to workers again, and take new ones.",
        query: &[],
        headers: &[],
        bodies: &[],
        answers: &[answer(200, "The queue after it.", QUEUE)],
        problems: &[WRITING],
        handle: |call| Box::pin(queues::resume(call)),
    },
    Operation {
        method: Method::POST,
        path: "/v1/queues/{queue}/drain",
        id: "drain_queue",
        summary: "Take no new jobs, and work off those that are there, until the queue is resumed.",
        query: &[],
        headers: &[],
        bodies: &[],
        answers: &[answer(200, "The queue after it.", QUEUE)],
        problems: &[WRITING],
        handle: |call| Box::pin(queues::drain(call)),
    },
    Operation {
        method: Method::POST,
        path: "/v1/queues/{queue}/purge",
        id: "purge_queue",
        summary: "Cancel all jobs of a queue that wait; those that run go on.",
        query: &[parameter("confirm", "The name of the queue once more.", schema::<String>)],
        headers: &[],
        bodies: &[],
        answers: &[
            Answer {
                status: 200,
                what: "They are cancelled.",
                content: &[json(schema::<Purged>)],
                headers: &["Location"],
            },
            Answer {
                status: 202,
                what: "It is durable, and takes longer than the 5 s that the answer was held for.",
                content: &[json(schema::<Purged>)],
                headers: &["Location"],
            },
        ],
        problems: &[READING, WRITING],
        handle: |call| Box::pin(bulk::purge(call)),
    },
    Operation {
        method: Method::GET,
        path: "/v1/queues/{queue}/dead",
        id: "list_dead",
        summary: "See of what a queue's jobs failed or expired.",
        query: &[],
        headers: &[],
        bodies: &[],
        answers: &[answer(200, "The causes of most jobs.", &[json(schema::<DeadList<'static>>)])],
        problems: &[READING],
        handle: |call| Box::pin(dead::causes(call)),
    },
    Operation {
        method: Method::POST,
        path: "/v1/queues/{queue}/redrive",
        id: "redrive_queue",
        summary: "Run jobs of a queue again that failed or expired: all, those of a cause, or those that are named.",
        query: &[parameter("dry_run", "Count them, and change nothing. Default false.", schema::<bool>)],
        headers: &[],
        bodies: &[json(schema::<RedriveRequest>)],
        answers: &[Answer {
            status: 202,
            what: "It is durable, and done where `rate` is absent and it took no more than 5 s.",
            content: &[json(schema::<Redriven<'static>>)],
            headers: &["Location"],
        }],
        problems: &[READING, WRITING],
        handle: |call| Box::pin(dead::redrive(call)),
    },
    Operation {
        method: Method::POST,
        path: "/v1/flows",
        id: "submit_flow",
        summary: "Accept a graph of jobs, all or none: each comes after those that it names.",
        query: &[],
        headers: &[IDEMPOTENCY_KEY],
        bodies: &[json(schema::<FlowRequest<'static>>)],
        answers: &[Answer {
            status: 202,
            what: "All jobs are durable.",
            content: &[json(schema::<FlowDocument<'static>>)],
            headers: &["Location", "Idempotent-Replayed"],
        }],
        problems: &[WRITING, &[Code::IdempotencyMismatch]],
        handle: |call| Box::pin(flows::submit(call)),
    },
    Operation {
        method: Method::POST,
        path: "/v1/flows/{id}/cancel",
        id: "cancel_flow",
        summary: "Cancel the jobs of a flow that have not ended; workers of those that run are asked to stop.",
        query: &[],
        headers: &[],
        bodies: &[],
        answers: &[answer(202, "What became of them.", &[json(schema::<FlowCancelled<'static>>)])],
        problems: &[WRITING, &[Code::NotFound]],
        handle: |call| Box::pin(flows::cancel(call)),
    },
    Operation {
        method: Method::GET,
        path: "/v1/webhooks",
        id: "list_webhooks",
        summary: "List the webhooks, by name.",
        query: &[
            parameter("page_size", "The webhooks of a page, 1 to 1000; default 100.", schema::<u16>),
            parameter("page_token", "`next_page_token` of the page before.", schema::<String>),
        ],
        headers: &[],
        bodies: &[],
        answers: &[answer(200, "A page.", &[json(schema::<WebhookList<'static>>)])],
        problems: &[],
        handle: |call| Box::pin(webhooks::list(call)),
    },
    Operation {
        method: Method::GET,
        path: "/v1/webhooks/{name}",
        id: "get_webhook",
        summary: "See a webhook: where it goes, what it tells, and whether it is disabled.",
        query: &[],
        headers: &[],
        bodies: &[],
        answers: &[answer(200, "The webhook, without its secret.", WEBHOOK)],
        problems: &[&[Code::NotFound]],
        handle: |call| Box::pin(webhooks::get(call)),
    },
    Operation {
        method: Method::PUT,
        path: "/v1/webhooks/{name}",
        id: "put_webhook",
        summary: "Have the ends of jobs told to a URL, or change how; one that was disabled is not any more.",
        query: &[],
        headers: &[],
        bodies: &[json(schema::<WebhookRequest<'static>>)],
        answers: &[
            answer(200, "A webhook of this name was there, and is so from now on.", WEBHOOK),
            Answer {
                status: 201,
                what: "There is a new one. Its secret is shown this once, where the server made it.",
                content: WEBHOOK,
                headers: &["Location", "Cache-Control"],
            },
        ],
        problems: &[WRITING],
        handle: |call| Box::pin(webhooks::put(call)),
    },
    Operation {
        method: Method::DELETE,
        path: "/v1/webhooks/{name}",
        id: "delete_webhook",
        summary: "Have nothing more told to a webhook.",
        query: &[],
        headers: &[],
        bodies: &[],
        answers: &[answer(204, "There is none of this name any more.", &[])],
        problems: &[WRITING, &[Code::NotFound]],
        handle: |call| Box::pin(webhooks::delete(call)),
    },
    Operation {
        method: Method::GET,
        path: "/v1/schedules",
        id: "list_schedules",
        summary: "List the schedules, by name, without the payloads of their jobs.",
        query: &[
            parameter("page_size", "The schedules of a page, 1 to 1000; default 100.", schema::<u16>),
            parameter("page_token", "`next_page_token` of the page before.", schema::<String>),
        ],
        headers: &[],
        bodies: &[],
        answers: &[answer(200, "A page.", &[json(schema::<ScheduleList<'static>>)])],
        problems: &[],
        handle: |call| Box::pin(schedules::list(call)),
    },
    Operation {
        method: Method::GET,
        path: "/v1/schedules/{name}",
        id: "get_schedule",
        summary: "See a schedule: when it makes which job, next and last.",
        query: &[],
        headers: &[],
        bodies: &[],
        answers: &[answer(200, "The schedule.", SCHEDULE)],
        problems: &[&[Code::NotFound]],
        handle: |call| Box::pin(schedules::get(call)),
    },
    Operation {
        method: Method::PUT,
        path: "/v1/schedules/{name}",
        id: "put_schedule",
        summary: "Have a job made at certain times, or change when or what. Where the times stay, what is due is not forgotten.",
        query: &[],
        headers: &[],
        bodies: &[json(schema::<ScheduleRequest<'static>>)],
        answers: &[
            answer(200, "A schedule of this name was there, and is so from now on.", SCHEDULE),
            Answer {
                status: 201,
                what: "There is a new one.",
                content: SCHEDULE,
                headers: &["Location", "Cache-Control"],
            },
        ],
        problems: &[WRITING],
        handle: |call| Box::pin(schedules::put(call)),
    },
    Operation {
        method: Method::DELETE,
        path: "/v1/schedules/{name}",
        id: "delete_schedule",
        summary: "Have a schedule make no more jobs; those that it made stay.",
        query: &[],
        headers: &[],
        bodies: &[],
        answers: &[answer(204, "There is none of this name any more.", &[])],
        problems: &[WRITING, &[Code::NotFound]],
        handle: |call| Box::pin(schedules::delete(call)),
    },
    Operation {
        method: Method::POST,
        path: "/v1/files",
        id: "post_file",
        summary: "Upload a file under a name that the server makes, for `payload_file` of a job.",
        query: &[FILE_EXPIRY],
        headers: &[],
        bodies: ANY,
        answers: &[Answer {
            status: 201,
            what: "The file is kept, and on disk.",
            content: FILE,
            headers: &["Location"],
        }],
        problems: &[WRITING],
        handle: |call| Box::pin(files::post(call)),
    },
    Operation {
        method: Method::PUT,
        path: "/v1/files/{name}",
        id: "put_file",
        summary: "Upload a file, for `payload_file` of a job. Jobs that refer to the one that had the name before keep it.",
        query: &[FILE_EXPIRY],
        headers: &[parameter("If-None-Match", "`*`: only if there is none of this name.", schema::<String>)],
        bodies: ANY,
        answers: &[
            Answer {
                status: 200,
                what: "The file is kept, and on disk; another had the name before.",
                content: FILE,
                headers: &["Location"],
            },
            Answer { status: 201, what: "The file is kept, and on disk.", content: FILE, headers: &["Location"] },
        ],
        problems: &[WRITING, &[Code::PreconditionFailed]],
        handle: |call| Box::pin(files::put(call)),
    },
    Operation {
        method: Method::GET,
        path: "/v1/files/{name}",
        id: "get_file",
        summary: "Get a file, or a part of it, as it was uploaded.",
        query: &[],
        headers: &[RANGE, IF_RANGE, FILE_TAG],
        bodies: &[],
        answers: &[
            Answer { status: 200, what: "The file.", content: ANY, headers: FILE_HEADERS },
            PART,
            SAME_FILE,
            ELSEWHERE,
            OUTSIDE,
        ],
        problems: &[READING, &[Code::NotFound]],
        handle: |call| Box::pin(files::get(call)),
    },
    Operation {
        method: Method::DELETE,
        path: "/v1/files/{name}",
        id: "delete_file",
        summary: "Have a file no longer. Jobs that refer to it keep it.",
        query: &[],
        headers: &[],
        bodies: &[],
        answers: &[answer(204, "There is none of this name any more.", &[])],
        problems: &[WRITING, &[Code::NotFound]],
        handle: |call| Box::pin(files::delete(call)),
    },
    Operation {
        method: Method::GET,
        path: "/healthz",
        id: "alive",
        summary: "Whether the server lives.",
        query: &[],
        headers: &[],
        bodies: &[],
        answers: &[answer(200, "It does.", &[json(schema::<health::Alive<'static>>)])],
        problems: &[],
        handle: |call| Box::pin(health::alive(call)),
    },
    Operation {
        method: Method::GET,
        path: "/readyz",
        id: "ready",
        summary: "Whether the server can do its work.",
        query: &[],
        headers: &[],
        bodies: &[],
        answers: &[answer(200, "It can.", &[json(schema::<health::Ready>)])],
        problems: &[&[Code::NotReady]],
        handle: |call| Box::pin(health::ready(call)),
    },
    Operation {
        method: Method::GET,
        path: "/metrics",
        id: "metrics",
        summary: "What the server counts, as Prometheus reads it.",
        query: &[],
        headers: &[],
        bodies: &[],
        answers: &[answer(200, "The metrics.", TEXT)],
        problems: &[READING],
        handle: |call| Box::pin(metrics::show(call)),
    },
    Operation {
        method: Method::GET,
        path: "/openapi.json",
        id: "openapi",
        summary: "This document.",
        query: &[],
        headers: &[],
        bodies: &[],
        answers: &[answer(200, "OpenAPI 3.1.", &[json(schema::<serde_json::Value>)])],
        problems: &[],
        handle: |call| Box::pin(openapi::show(call)),
    },
    Operation {
        method: Method::GET,
        path: "/problems/{code}",
        id: "explain_problem",
        summary: "What a problem's code means.",
        query: &[],
        headers: &[],
        bodies: &[],
        answers: &[answer(200, "A few words.", TEXT)],
        problems: &[&[Code::NotFound]],
        handle: |call| Box::pin(problems::explain(call)),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn size<F>(_: fn(Call) -> F) -> usize {
        size_of::<F>()
    }

    /// A handler is moved into a box of its own with every request.
    #[test]
    fn the_hot_operations_are_small() {
        for size in [size(submit::jobs), size(leases::lease), size(settle::complete), size(settle::heartbeat)] {
            assert!(size <= 1792, "{size} bytes");
        }
    }
}
