//! Webhooks and what was delivered to them.

use ackd_api::{Code, DeliveryDocument, DeliveryList, WebhookDocument, WebhookList, WebhookRequest};
use http::Method;

use super::parts::{OF_JOB, READING, WRITING, answer, json, parameter, schema};
use super::{Answer, Content, Operation};
use crate::{deliveries, webhooks};

const WEBHOOK: &[Content] = &[json(schema::<WebhookDocument<'static>>)];

pub(super) const LIST_DELIVERIES: Operation = Operation {
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
};

pub(super) const REPLAY_DELIVERY: Operation = Operation {
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
};

pub(super) const LIST_WEBHOOKS: Operation = Operation {
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
};

pub(super) const GET_WEBHOOK: Operation = Operation {
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
};

pub(super) const PUT_WEBHOOK: Operation = Operation {
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
};

pub(super) const DELETE_WEBHOOK: Operation = Operation {
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
};
