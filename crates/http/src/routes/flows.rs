//! Flows of jobs.

use ackd_api::{Code, FlowCancelled, FlowDocument, FlowRequest};
use http::Method;

use super::parts::{IDEMPOTENCY_KEY, WRITING, answer, json, schema};
use super::{Answer, Operation};
use crate::flows;

pub(super) const SUBMIT_FLOW: Operation = Operation {
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
};

pub(super) const CANCEL_FLOW: Operation = Operation {
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
};
