//! Queues: their settings, and what is done to all of their jobs.

use ackd_api::{DeadList, Purged, QueueDocument, QueueList, QueuePatch, QueueSettings, RedriveRequest, Redriven};
use http::Method;

use super::parts::{READING, WRITING, answer, json, parameter, schema};
use super::{Answer, Content, Operation};
use crate::{bulk, dead, queues};

const QUEUE: &[Content] = &[json(schema::<QueueDocument>)];

pub(super) const LIST_QUEUES: Operation = Operation {
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
};

pub(super) const GET_QUEUE: Operation = Operation {
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
};

pub(super) const REPLACE_QUEUE: Operation = Operation {
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
};

pub(super) const MERGE_QUEUE: Operation = Operation {
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
};

pub(super) const PAUSE_QUEUE: Operation = Operation {
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
};

pub(super) const RESUME_QUEUE: Operation = Operation {
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
};

pub(super) const DRAIN_QUEUE: Operation = Operation {
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
};

pub(super) const PURGE_QUEUE: Operation = Operation {
    method: Method::POST,
    path: "/v1/queues/{queue}/purge",
    id: "purge_queue",
    summary: "Cancel all jobs of a queue that wait; those that run go on.",
    query: &[parameter("confirm", "The name of the queue once more.", schema::<String>)],
    headers: &[],
    bodies: &[],
    answers: &[
        Answer { status: 200, what: "They are cancelled.", content: &[json(schema::<Purged>)], headers: &["Location"] },
        Answer {
            status: 202,
            what: "It is durable, and takes longer than the 5 s that the answer was held for.",
            content: &[json(schema::<Purged>)],
            headers: &["Location"],
        },
    ],
    problems: &[READING, WRITING],
    handle: |call| Box::pin(bulk::purge(call)),
};

pub(super) const LIST_DEAD: Operation = Operation {
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
};

pub(super) const REDRIVE_QUEUE: Operation = Operation {
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
};
