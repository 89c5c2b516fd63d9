//! The server itself.

use ackd_api::Code;
use http::Method;

use super::parts::{READING, answer, json, schema};
use super::{Content, Operation};
use crate::{health, metrics, openapi, problems};

const TEXT: &[Content] = &[Content { media_type: "text/plain", schema: Some(schema::<String>) }];

pub(super) const ALIVE: Operation = Operation {
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
};

pub(super) const READY: Operation = Operation {
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
};

pub(super) const METRICS: Operation = Operation {
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
};

pub(super) const OPENAPI: Operation = Operation {
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
};

pub(super) const EXPLAIN_PROBLEM: Operation = Operation {
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
};
