//! Working: leases, and what becomes of them.

use ackd_api::{
    Code, Complete, Fail, Heartbeat, HeartbeatAnswer, LeaseRequest, Leases, Release, Released, SettleAnswer,
    SettleLine, Settled,
};
use http::Method;

use super::parts::{ANY, WRITING, answer, json, ndjson, parameter, schema, span};
use super::{Answer, Content, Operation};
use crate::{leases, settle};

const OF_LEASE: &[Code] = &[Code::LeaseLost];

const SETTLED: &[Content] = &[json(schema::<Settled<'static>>)];

pub(super) const LEASE: Operation = Operation {
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
};

pub(super) const COMPLETE: Operation = Operation {
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
};

pub(super) const HEARTBEAT: Operation = Operation {
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
};

pub(super) const SETTLE: Operation = Operation {
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
};

pub(super) const COMPLETE_RAW: Operation = Operation {
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
};

pub(super) const FAIL: Operation = Operation {
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
};

pub(super) const RELEASE: Operation = Operation {
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
};

pub(super) const LEASE_RAW: Operation = Operation {
    method: Method::POST,
    path: "/v1/queues/{queue}/lease",
    id: "lease_raw",
    summary: "Ask for one job to work on: the answer's body is its payload.",
    query: &[
        parameter("wait", "Hold the answer for so long while there is nothing, at most 55 s.", span),
        parameter("ttl", "How long the lease lasts without a heartbeat, 1 s to 1 h.", span),
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
};

pub(super) const RELEASE_WORKER: Operation = Operation {
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
};
