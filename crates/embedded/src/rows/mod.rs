//! How jobs, bodies and changes become rows and rows become them again, the checksum of each included.
//!
//! A row's struct is made in one place and read in another, and both take the checksum from the struct:
//! so what is summed when it is written is what is summed when it is read.
//!
//! Times are milliseconds since 1970, durations are whole milliseconds, as the API reads them.

mod body;
mod change;
mod columns;
mod consumer;
mod endpoint;
mod file;
mod flow;
mod job;
mod key;
mod lease;
mod meta;
mod progress;
mod queue;
mod schedule;
mod shape;
mod state;
mod submission;
mod text;
mod webhook;

pub(crate) use body::{BodyRow, type_of};
pub(crate) use change::{ChangeRefs, ChangeRow, change_columns, select_change};
pub(crate) use columns::{Columns, Unreadable};
pub(crate) use consumer::consumer_sum;
pub(crate) use endpoint::{endpoint_sum, read_endpoint, write_endpoint};
pub(crate) use file::{FILE_COLUMNS, file_sum, read_file};
pub(crate) use job::{JOB_COLUMNS, JobRow, Loaded, job_columns, select_job, spec_columns, spec_joins};
pub(crate) use key::{KeyRow, once};
pub(crate) use meta::meta_sum;
pub(crate) use queue::{Settings, queue_sum, started_sum};
pub(crate) use schedule::{read_schedule, schedule_sum, write_schedule};
pub(crate) use shape::Shape;
pub(crate) use state::{Refs, USUAL_RETENTION, expiry, leaving, state_columns};
pub(crate) use submission::{
    ERASED_COLUMNS, SubmissionRow, USUAL_EXPIRY, bind_erased, copy_submission, replace_payload, submission_columns,
};
pub(crate) use text::TextRow;

/// The number that leads the checksum of each table's rows.
mod table {
    pub(super) const SUBMISSION: u8 = 1;
    pub(super) const PAYLOAD: u8 = 2;
    pub(super) const JOB: u8 = 3;
    pub(super) const RESULT: u8 = 4;
    pub(super) const CHANGE: u8 = 5;
    pub(super) const FAILURE: u8 = 6;
    pub(super) const CHECKPOINT: u8 = 7;
    pub(super) const KEY: u8 = 8;
    pub(crate) const LANE: u8 = 9;
    pub(super) const QUEUE: u8 = 10;
    pub(super) const ENDPOINT: u8 = 11;
    pub(super) const CONSUMER: u8 = 12;
    pub(super) const SCHEDULE: u8 = 13;
    pub(super) const FILE: u8 = 14;
    pub(super) const STARTED: u8 = 15;
    pub(super) const META: u8 = 16;
}
pub(crate) use table::LANE;
