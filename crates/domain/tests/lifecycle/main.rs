//! The life of a job, decided: every command in every state, what each one writes, and what holds over
//! any sequence of them.

#![allow(clippy::unwrap_used, reason = "this is a test, all of it")]

mod book;
mod bulk;
mod configure;
mod dead_letter;
mod lease;
mod properties;
mod retention;
mod retry;
mod samples;
mod schedule;
mod settle;
mod stop;
mod submit;
mod table;
mod unique;
