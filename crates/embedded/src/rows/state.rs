use std::borrow::Cow;
use std::time::Duration;

use ackd_domain::{BodyInfo, Failure, Held, Job, Status, Timestamp};
use rusqlite::Statement;

use super::body::{type_of, written};
use super::submission::USUAL_EXPIRY;
use super::{Columns, Shape, Unreadable, progress};
use crate::checksum::Checksum;

/// What may change of a job, its lease apart, as `job` and `change` store it in their last columns.
#[derive(Debug, Clone, Default)]
pub(crate) struct State<'a> {
    pub(super) status: i64,
    pub(super) version: i64,
    pub(super) run: i64,
    pub(super) attempt: i64,
    pub(super) run_at: Option<i64>,
    pub(super) started_at: Option<i64>,
    pub(super) finished_at: Option<i64>,
    pub(super) worker: Option<&'a str>,
    pub(super) result_size: Option<i64>,
    pub(super) result_type: Option<&'a str>,
    pub(super) expires_at: Option<i64>,
    pub(super) cancel_requested_at: Option<i64>,
    pub(super) progress: Option<Cow<'a, str>>,
    pub(super) refs: Refs,
    pub(super) held: Option<i64>,
    pub(super) result_file: Option<Cow<'a, str>>,
}

/// Under which positions the long texts stand that a job has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Refs {
    pub(crate) error: Option<i64>,
    pub(crate) checkpoint: Option<i64>,
}

/// The columns of a [`State`], in the order in which it is read.
macro_rules! state_columns {
    ($table:literal) => {
        concat!(
            $table,
            "status, ",
            $table,
            "version, ",
            $table,
            "run, ",
            $table,
            "attempt, ",
            $table,
            "run_at, ",
            $table,
            "started_at, ",
            $table,
            "finished_at, ",
            $table,
            "worker, ",
            $table,
            "result_size, ",
            $table,
            "result_type, ",
            $table,
            "expires_at, ",
            $table,
            "cancel_requested_at, ",
            $table,
            "progress, ",
            $table,
            "error, ",
            $table,
            "checkpoint, ",
            $table,
            "held, ",
            $table,
            "result_file"
        )
    };
}
pub(crate) use state_columns;

/// How many columns [`state_columns`] are.
pub(super) const STATE_COLUMNS: usize = 17;

/// What every job that was leased has in these columns.
macro_rules! plain {
    () => {
        "status, version, attempt, started_at, finished_at, worker, result_size"
    };
}

/// What only few have in these; the others have what the schema says.
macro_rules! rare {
    () => {
        "run, result_type, cancel_requested_at, progress, error, checkpoint, held, result_file"
    };
}
pub(super) use {plain, rare};

const PLAIN_COLUMNS: usize = 7;
const RARE_COLUMNS: usize = 8;

impl<'a> State<'a> {
    pub(super) fn of(job: &'a Job, refs: Refs) -> State<'a> {
        State {
            status: job.status as i64,
            version: job.version.cast_signed(),
            run: job.run.into(),
            attempt: job.attempt.into(),
            run_at: Some(job.run_at.millis()),
            started_at: job.started_at.map(Timestamp::millis),
            finished_at: job.finished_at.map(Timestamp::millis),
            worker: job.worker.as_deref(),
            result_size: job.result.as_ref().map(|result| result.size.cast_signed()),
            result_type: job.result.as_ref().and_then(|result| written(&result.content_type)),
            expires_at: (!has_usual_expiry(job)).then(|| job.expires_at.millis()),
            cancel_requested_at: job.cancel_requested_at.map(Timestamp::millis),
            progress: job.progress.as_ref().and_then(progress::to_json).map(Cow::Owned),
            refs,
            held: stored_held(job.held),
            result_file: job.result_file.map(|id| Cow::Owned(id.to_string())),
        }
    }

    pub(super) fn sum<'c>(&self, checksum: &'c mut Checksum) -> &'c mut Checksum {
        checksum
            .int(self.status)
            .int(self.version)
            .int(self.run)
            .int(self.attempt)
            .maybe(self.run_at)
            .maybe(self.started_at)
            .maybe(self.finished_at)
            .text(self.worker)
            .maybe(self.result_size)
            .text(self.result_type)
            .maybe(self.expires_at)
            .maybe(self.cancel_requested_at)
            .text(self.progress.as_deref())
            .maybe(self.refs.error)
            .maybe(self.refs.checkpoint)
            .maybe(self.held)
            .text(self.result_file.as_deref())
    }

    pub(super) fn read(columns: &mut Columns<'a>) -> Result<State<'a>, Unreadable> {
        Ok(State {
            status: columns.int()?,
            version: columns.int()?,
            run: columns.int()?,
            attempt: columns.int()?,
            run_at: columns.maybe()?,
            started_at: columns.maybe()?,
            finished_at: columns.maybe()?,
            worker: columns.text()?,
            result_size: columns.maybe()?,
            result_type: columns.text()?,
            expires_at: columns.maybe()?,
            cancel_requested_at: columns.maybe()?,
            progress: columns.text()?.map(Cow::Borrowed),
            refs: Refs { error: columns.maybe()?, checkpoint: columns.maybe()? },
            held: columns.maybe()?,
            result_file: columns.text()?.map(Cow::Borrowed),
        })
    }

    /// The bytes that SQLite stores of what changes in a usual life.
    pub(super) fn stored_size(&self) -> usize {
        let time = |time: Option<i64>| time.map_or(0, stored_size);
        stored_size(self.status)
            + stored_size(self.version)
            + stored_size(self.attempt)
            + time(self.started_at)
            + time(self.finished_at)
            + self.worker.map_or(0, str::len)
            + self.result_size.map_or(0, stored_size)
    }

    /// Binds what `shape` names of [`plain`], the expiry and [`rare`] to the parameters from `first` on. Gives the one
    /// behind them.
    pub(super) fn bind(&self, statement: &mut Statement<'_>, first: usize, shape: Shape) -> rusqlite::Result<usize> {
        let mut next = first;
        if shape.has_plain() {
            self.bind_plain(statement, next)?;
            next += PLAIN_COLUMNS;
        }
        if shape.has_expiry() {
            statement.raw_bind_parameter(next, self.expires_at)?;
            next += 1;
        }
        if shape == Shape::Rare {
            self.bind_rare(statement, next)?;
            next += RARE_COLUMNS;
        }
        Ok(next)
    }

    /// Binds the columns of [`plain`] to the parameters from `first` on.
    fn bind_plain(&self, statement: &mut Statement<'_>, first: usize) -> rusqlite::Result<()> {
        statement.raw_bind_parameter(first, self.status)?;
        statement.raw_bind_parameter(first + 1, self.version)?;
        statement.raw_bind_parameter(first + 2, self.attempt)?;
        statement.raw_bind_parameter(first + 3, self.started_at)?;
        statement.raw_bind_parameter(first + 4, self.finished_at)?;
        statement.raw_bind_parameter(first + 5, self.worker)?;
        statement.raw_bind_parameter(first + 6, self.result_size)
    }

    /// Binds the columns of [`rare`] to the parameters from `first` on.
    fn bind_rare(&self, statement: &mut Statement<'_>, first: usize) -> rusqlite::Result<()> {
        statement.raw_bind_parameter(first, self.run)?;
        statement.raw_bind_parameter(first + 1, self.result_type)?;
        statement.raw_bind_parameter(first + 2, self.cancel_requested_at)?;
        statement.raw_bind_parameter(first + 3, self.progress.as_deref())?;
        statement.raw_bind_parameter(first + 4, self.refs.error)?;
        statement.raw_bind_parameter(first + 5, self.refs.checkpoint)?;
        statement.raw_bind_parameter(first + 6, self.held)?;
        statement.raw_bind_parameter(first + 7, self.result_file.as_deref())
    }

    /// Puts this state into `job`, all but the long texts that it refers to.
    pub(super) fn fill(&self, job: &mut Job) -> Result<(), Unreadable> {
        let small = |value: i64| u32::try_from(value).map_err(|_| Unreadable);
        job.status = u8::try_from(self.status).ok().and_then(Status::from_number).ok_or(Unreadable)?;
        job.version = self.version.cast_unsigned();
        job.run = small(self.run)?;
        job.attempt = small(self.attempt)?;
        job.run_at = self.run_at.map(Timestamp::from_millis).ok_or(Unreadable)?;
        job.started_at = self.started_at.map(Timestamp::from_millis);
        job.finished_at = self.finished_at.map(Timestamp::from_millis);
        job.worker = self.worker.map(Into::into);
        job.result = self
            .result_size
            .map(|size| BodyInfo { content_type: type_of(self.result_type), size: size.cast_unsigned() });
        job.expires_at = match self.expires_at {
            Some(at) => Timestamp::from_millis(at),
            None => usual_expiry(job),
        };
        job.cancel_requested_at = self.cancel_requested_at.map(Timestamp::from_millis);
        job.progress = self.progress.as_deref().map(progress::from_json).transpose()?;
        job.held = self.held.map_or(Ok(Held::default()), read_held)?;
        job.result_file = self.result_file.as_deref().map(|id| id.parse().map_err(|_| Unreadable)).transpose()?;
        Ok(())
    }
}

fn stored_held(held: Held) -> Option<i64> {
    (!held.is_free()).then(|| i64::from(held.after) << 1 | i64::from(held.behind))
}

fn read_held(stored: i64) -> Result<Held, Unreadable> {
    if !(1..=3).contains(&stored) {
        return Err(Unreadable);
    }
    Ok(Held { after: stored & 2 != 0, behind: stored & 1 != 0 })
}

/// The failure in `problem`.
pub(super) fn failure(problem: Option<std::sync::Arc<str>>) -> Option<Failure> {
    problem.map(|problem| Failure { problem })
}

/// The shape of the row of a job of which there is to say that it was accepted (`first`), or what was made of it since.
pub(super) fn shape(job: &Job, refs: Refs, first: bool) -> Shape {
    let is_rare = job.run != 1
        || job.result.as_ref().is_some_and(|result| written(&result.content_type).is_some())
        || job.cancel_requested_at.is_some()
        || job.progress.is_some()
        || job.result_file.is_some()
        || !job.held.is_free()
        || refs != Refs::default();
    Shape::of(!first, !has_usual_expiry(job), is_rare)
}

/// The bytes in which SQLite stores an integer (<https://sqlite.org/fileformat2.html#record_format>).
pub(super) fn stored_size(value: i64) -> usize {
    match value {
        0 | 1 => 0,
        -0x80..=0x7f => 1,
        -0x8000..=0x7fff => 2,
        -0x80_0000..=0x7f_ffff => 3,
        -0x8000_0000..=0x7fff_ffff => 4,
        -0x8000_0000_0000..=0x7fff_ffff_ffff => 6,
        _ => 8,
    }
}

/// When the job expires, if it is unfinished and that is not the usual time.
pub(crate) fn expiry(job: &Job) -> Option<i64> {
    (!job.status.is_terminal() && !has_usual_expiry(job)).then(|| job.expires_at.millis())
}

/// How long most ended jobs are kept. Part of the stored format, whatever the server's default.
pub(crate) const USUAL_RETENTION: Duration = Duration::from_hours(7 * 24);

/// When the job goes, if it has ended and that is not the usual time after its end.
pub(crate) fn leaving(job: &Job) -> Option<i64> {
    let usual = job.finished_at?.after(USUAL_RETENTION);
    job.kept_until().filter(|until| *until != usual).map(Timestamp::millis)
}

/// When a job expires whose row does not say.
fn usual_expiry(job: &Job) -> Timestamp {
    job.created_at().after(USUAL_EXPIRY)
}

/// The row of a later run always says: the search for expired jobs passes those that do not say once.
fn has_usual_expiry(job: &Job) -> bool {
    job.run == 1 && job.expires_at == usual_expiry(job)
}
