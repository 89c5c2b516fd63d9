//! Schedules.

use ackd_api::{Code, ScheduleDocument, ScheduleList, ScheduleRequest};
use http::Method;

use super::parts::{WRITING, answer, json, parameter, schema};
use super::{Answer, Content, Operation};
use crate::schedules;

const SCHEDULE: &[Content] = &[json(schema::<ScheduleDocument<'static>>)];

pub(super) const LIST_SCHEDULES: Operation = Operation {
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
};

pub(super) const GET_SCHEDULE: Operation = Operation {
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
};

pub(super) const PUT_SCHEDULE: Operation = Operation {
    method: Method::PUT,
    path: "/v1/schedules/{name}",
    id: "put_schedule",
    summary: "Have a job made at certain times, or change when or what. Where the times stay, what is due is not forgotten.",
    query: &[],
    headers: &[],
    bodies: &[json(schema::<ScheduleRequest<'static>>)],
    answers: &[
        answer(200, "A schedule of this name was there, and is so from now on.", SCHEDULE),
        Answer { status: 201, what: "There is a new one.", content: SCHEDULE, headers: &["Location", "Cache-Control"] },
    ],
    problems: &[WRITING],
    handle: |call| Box::pin(schedules::put(call)),
};

pub(super) const DELETE_SCHEDULE: Operation = Operation {
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
};
