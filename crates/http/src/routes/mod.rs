//! Every operation of the API, in one table: it leads requests to their operations, and the OpenAPI document is made of
//! it.

mod events;
mod files;
mod flows;
mod jobs;
mod leases;
mod parts;
mod queues;
mod schedules;
mod server;
mod submissions;
mod webhooks;

use ackd_api::Code;
use http::Method;
use schemars::{Schema, SchemaGenerator};

use crate::call::{Call, Handling};
use crate::query::Values;

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
    /// How the query parameter `name` takes its values, if it is one of this operation's.
    pub(crate) fn values(&self, name: &str) -> Option<Values> {
        let mut named = self.query.iter().filter(|parameter| match parameter.name.strip_suffix("<path>") {
            Some(prefix) => name.starts_with(prefix),
            None => parameter.name == name,
        });
        named.next().map(|parameter| parameter.values)
    }
}

/// A query parameter or a header.
pub(crate) struct Parameter {
    /// One that ends with `<path>` stands for all that begin so.
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) schema: SchemaOf,
    /// How many values it has, of a query parameter.
    pub(crate) values: Values,
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
    Code::RateLimited,
    Code::Internal,
    Code::Overloaded,
];

/// What whatever has a body may be refused with.
pub(crate) const WITH_BODY: &[Code] = &[Code::UnsupportedMediaType];

/// The table. What is asked most stands first; the operations of a path stand together.
pub(crate) static OPERATIONS: &[Operation] = &[
    submissions::SUBMIT,
    jobs::LIST_JOBS,
    jobs::BULK,
    leases::LEASE,
    leases::COMPLETE,
    leases::HEARTBEAT,
    leases::SETTLE,
    jobs::GET_JOB,
    jobs::DELETE_JOB,
    jobs::GET_RESULT,
    events::FOLLOW_JOB,
    events::FOLLOW_FEED,
    events::SOCKET,
    leases::COMPLETE_RAW,
    leases::FAIL,
    leases::RELEASE,
    submissions::SUBMIT_RAW,
    leases::LEASE_RAW,
    jobs::GET_PAYLOAD,
    jobs::GET_TIMELINE,
    webhooks::LIST_DELIVERIES,
    webhooks::REPLAY_DELIVERY,
    jobs::CANCEL,
    jobs::RETRY,
    leases::RELEASE_WORKER,
    queues::LIST_QUEUES,
    queues::GET_QUEUE,
    queues::REPLACE_QUEUE,
    queues::MERGE_QUEUE,
    queues::PAUSE_QUEUE,
    queues::RESUME_QUEUE,
    queues::DRAIN_QUEUE,
    queues::PURGE_QUEUE,
    queues::LIST_DEAD,
    queues::REDRIVE_QUEUE,
    flows::SUBMIT_FLOW,
    flows::CANCEL_FLOW,
    webhooks::LIST_WEBHOOKS,
    webhooks::GET_WEBHOOK,
    webhooks::PUT_WEBHOOK,
    webhooks::DELETE_WEBHOOK,
    schedules::LIST_SCHEDULES,
    schedules::GET_SCHEDULE,
    schedules::PUT_SCHEDULE,
    schedules::DELETE_SCHEDULE,
    files::POST_FILE,
    files::PUT_FILE,
    files::GET_FILE,
    files::DELETE_FILE,
    server::ALIVE,
    server::READY,
    server::METRICS,
    server::OPENAPI,
    server::EXPLAIN_PROBLEM,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{leases, settle, submit};

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
