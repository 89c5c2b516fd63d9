//! The API over a real listener: every route, every refusal.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod browser;
mod bulk;
mod cloud_events;
mod common;
mod connections;
mod contract;
mod dead;
mod events;
mod files;
mod internal;
mod jobs;
mod leases;
mod lists;
mod openapi;
mod order;
mod push;
mod queues;
mod schedules;
mod search;
mod socket;
mod spine;
mod submit;
mod trouble;
mod unique;
mod webhooks;
