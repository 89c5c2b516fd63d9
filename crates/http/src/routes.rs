//! Every operation of the API, in one table: it leads requests to their operations.

use http::Method;

use crate::call::{Call, Handling};
use crate::{cancel, events, health, job, leases, settle, submit};

/// A path and a method, and what they do.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    /// The query parameters that it takes.
    pub(crate) query: &'static [&'static str],
    pub(crate) handle: fn(Call) -> Handling,
}

impl Operation {
    /// Whether `name` is a query parameter of it.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.query.contains(&name)
    }
}

macro_rules! operation {
    ($method:ident, $path:literal, [$($query:literal),*], $handle:path) => {
        Operation {
            method: Method::$method,
            path: $path,
            query: &[$($query),*],
            handle: |call| Box::pin($handle(call)),
        }
    };
}

/// The table. What is asked most stands first; the operations of a path stand together.
pub(crate) static OPERATIONS: &[Operation] = &[
    operation!(POST, "/v1/jobs", ["partial"], submit::jobs),
    operation!(POST, "/v1/leases", [], leases::lease),
    operation!(POST, "/v1/leases/{lease}/complete", [], settle::complete),
    operation!(POST, "/v1/leases/{lease}/heartbeat", [], settle::heartbeat),
    operation!(POST, "/v1/leases/settle", [], settle::many),
    operation!(GET, "/v1/jobs/{id}", ["wait"], job::get),
    operation!(GET, "/v1/jobs/{id}/result", ["wait"], job::result),
    operation!(GET, "/v1/jobs/{id}/events", ["after"], events::of_job),
    operation!(POST, "/v1/leases/{lease}/result", [], settle::result),
    operation!(POST, "/v1/leases/{lease}/fail", [], settle::fail),
    operation!(POST, "/v1/leases/{lease}/release", [], settle::release),
    operation!(
        POST,
        "/v1/queues/{queue}/jobs",
        [
            "type",
            "delay",
            "run_at",
            "expires_in",
            "priority",
            "max_attempts",
            "timeout",
            "result_retention",
            "idempotency_key",
            "ordering_key",
            "group",
            "unique",
            "tags",
            "reply_to",
            "after",
            "on_failure",
            "traceparent"
        ],
        submit::raw
    ),
    operation!(POST, "/v1/queues/{queue}/lease", ["wait", "ttl", "worker"], leases::raw),
    operation!(GET, "/v1/jobs/{id}/payload", [], job::payload),
    operation!(GET, "/v1/jobs/{id}/timeline", [], job::timeline),
    operation!(POST, "/v1/jobs/{id}/cancel", [], cancel::cancel),
    operation!(POST, "/v1/jobs/{id}/retry", [], cancel::retry),
    operation!(POST, "/v1/workers/{worker}/release", [], settle::worker),
    operation!(GET, "/healthz", [], health::alive),
    operation!(GET, "/readyz", [], health::ready),
];
