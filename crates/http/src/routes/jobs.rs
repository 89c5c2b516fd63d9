//! Jobs: what they are, what came of them, and what can be done to them.

use ackd_api::cloud_event::JobEvent;
use ackd_api::{BulkRequest, Code, JobDocument, JobList, Time, Timeline};
use http::Method;

use super::parts::{
    ANY, ELSEWHERE, FILE_TAG, IF_RANGE, JOB, LINKS, OF_JOB, OUTSIDE, PART, PREFER, RANGE, READING, SAME_FILE, WRITING,
    answer, event, json, parameter, schema, several, span,
};
use super::{Answer, Operation, Parameter, Values};
use crate::{bulk, cancel, job, list};

const IF_NONE_MATCH: Parameter = parameter(
    "If-None-Match",
    "The version that is known already. The answer is 304 while it is the current one.",
    schema::<String>,
);

const WAIT: Parameter = parameter("wait", "Hold the answer for so long, at most 55 s.", span);

/// The headers of an answer with a job's document.
const FOLLOW: &[&str] = &["ETag", "Cache-Control", "Retry-After", "Preference-Applied"];

const NEGOTIATED: &[&str] = &["ETag", "Cache-Control", "Retry-After", "Preference-Applied", "Vary"];

const STORED: &[&str] = &[
    "ETag",
    "Cache-Control",
    "Content-Disposition",
    "Content-Security-Policy",
    "X-Content-Type-Options",
    "Preference-Applied",
];

pub(super) const LIST_JOBS: Operation = Operation {
    method: Method::GET,
    path: "/v1/jobs",
    id: "list_jobs",
    summary: "List jobs, newest first.",
    query: &[
        several("queue", "Of these queues; separated by commas.", Values::List),
        several("status", "In these statuses; separated by commas.", Values::List),
        several("type", "Of these types; separated by commas.", Values::List),
        several("tag", "With one of these tags; separated by commas.", Values::List),
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
};

pub(super) const BULK: Operation = Operation {
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
};

pub(super) const GET_JOB: Operation = Operation {
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
};

pub(super) const DELETE_JOB: Operation = Operation {
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
};

pub(super) const GET_RESULT: Operation = Operation {
    method: Method::GET,
    path: "/v1/jobs/{id}/result",
    id: "get_result",
    summary: "Get a job's result as it was handed in, or wait for it.",
    query: &[WAIT],
    headers: &[PREFER, RANGE, IF_RANGE, FILE_TAG, LINKS],
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
};

pub(super) const GET_PAYLOAD: Operation = Operation {
    method: Method::GET,
    path: "/v1/jobs/{id}/payload",
    id: "get_payload",
    summary: "Get a job's payload as it was handed in.",
    query: &[],
    headers: &[RANGE, IF_RANGE, FILE_TAG, LINKS],
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
};

pub(super) const GET_TIMELINE: Operation = Operation {
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
};

pub(super) const CANCEL: Operation = Operation {
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
};

pub(super) const RETRY: Operation = Operation {
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
};
