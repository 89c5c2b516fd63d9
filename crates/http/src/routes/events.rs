//! Following: events of one job, of all, and over a WebSocket.

use ackd_api::Problem;
use http::Method;

use super::parts::{OF_JOB, READING, answer, parameter, schema, several};
use super::{Answer, Content, Operation, Values};
use crate::{events, socket};

pub(super) const FOLLOW_JOB: Operation = Operation {
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
};

pub(super) const FOLLOW_FEED: Operation = Operation {
    method: Method::GET,
    path: "/v1/events",
    id: "follow_feed",
    summary: "Follow all jobs, or those that a filter names (server-sent events).",
    query: &[
        several("queue", "Of one of these queues.", Values::List),
        several("status", "Changes to one of these statuses, or within one.", Values::List),
        several("type", "Of one of these types.", Values::List),
        several("tag", "With one of these tags.", Values::List),
        several("job", "One of these jobs; may be given several times.", Values::Each),
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
};

pub(super) const SOCKET: Operation = Operation {
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
};
