use std::sync::Arc;

use ackd_domain::{BodyInfo, Held, Job, JobId, Position, Spec, Status, Timestamp};
use rusqlite::Statement;

use super::key::Keys;
use super::lease::{self, LeaseBytes};
use super::state::{self, STATE_COLUMNS, State, failure, plain, rare, stored_size};
use super::{Columns, KeyRow, Refs, Shape, SubmissionRow, TextRow, Unreadable, table, type_of};
use crate::checksum::Checksum;
use crate::lane::{LaneNumbers, LaneRow};

/// A job's row.
///
/// It has room from the first: a row that grew when the job is leased and again when it is done would
/// not fit into its page any more, and each page of waiting jobs would be split. So the lease's column
/// is as wide as it takes for the row to stay as long as it is, and a row of the same length is written
/// over in place.
pub(crate) struct JobRow<'a> {
    number: i64,
    lane: i64,
    changed: i64,
    lease: LeaseBytes,
    state: State<'a>,
}

/// The bytes of what changes in a usual life: a lease of some 25, the worker's name, two times, the
/// position and the size of the result.
const ROOM: usize = 60;

/// A job as it was read, with what its next row refers to.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    pub(crate) job: Arc<Job>,
    pub(crate) lane: LaneNumbers,
    pub(crate) refs: Refs,
}

/// The columns of a submission and of the long texts, and where those are from.
macro_rules! spec_columns {
    () => {
        "submission.created_at, submission.salt, submission.lane, submission.crc, submission.keyed, \
         submission.content_type, submission.more, \
         CASE typeof(submission.body) WHEN 'integer' THEN submission.body ELSE length(submission.body) END, key.text, key.fingerprint, key.once, key.crc, \
         failure.crc, failure.problem, checkpoint.crc, checkpoint.state"
    };
}

/// The joins after that with `submission`; `$of` is the table whose texts are meant.
macro_rules! spec_joins {
    ($of:literal) => {
        concat!(
            " LEFT JOIN key ON key.id = CASE submission.keyed WHEN 1 THEN submission.id END",
            " LEFT JOIN failure ON failure.seq = ",
            $of,
            ".error LEFT JOIN checkpoint ON checkpoint.seq = ",
            $of,
            ".checkpoint"
        )
    };
}
/// The statement up to its conditions from which [`Loaded::read`] makes a job; `$index` names the index
/// that it must use, `$more` what it reads beyond.
macro_rules! select_job {
    ($index:literal, $($more:tt)+) => {
        concat!(
            "SELECT job.id, job.lane, job.changed, job.crc, job.lease, ",
            $crate::rows::state_columns!("job."),
            ", ",
            $crate::rows::spec_columns!(),
            $($more)+,
            " FROM job ",
            $index,
            " LEFT JOIN submission ON submission.id = job.id",
            $crate::rows::spec_joins!("job"),
            " "
        )
    };
    () => {
        $crate::rows::select_job!("", "")
    };
}
pub(crate) use {select_job, spec_columns, spec_joins};

/// The columns of a job's row, by its shape.
pub(crate) const fn job_columns(shape: Shape) -> &'static str {
    match shape {
        Shape::First => "id, lane, changed, crc, run_at, lease",
        Shape::FirstExpiring => "id, lane, changed, crc, run_at, lease, expires_at",
        Shape::Plain => concat!("id, lane, changed, crc, run_at, lease, ", plain!()),
        Shape::Expiring => concat!("id, lane, changed, crc, run_at, lease, ", plain!(), ", expires_at"),
        Shape::Rare => concat!("id, lane, changed, crc, run_at, lease, ", plain!(), ", expires_at, ", rare!()),
    }
}

/// Where the checksum and the content type of the payload stand among the columns of [`select_job`].
pub(super) const SUBMISSION_SUM: usize = 5 + STATE_COLUMNS + 3;
pub(super) const SUBMISSION_TYPE: usize = 5 + STATE_COLUMNS + 5;

/// How many columns [`select_job`] has without any beyond.
pub(crate) const JOB_COLUMNS: usize = 5 + STATE_COLUMNS + 16;

impl<'a> JobRow<'a> {
    pub(crate) fn of(job: &'a Job, lane: i64, refs: Refs) -> JobRow<'a> {
        let mut row = JobRow {
            number: job.id.number().cast_signed(),
            lane,
            changed: job.changed.0.cast_signed(),
            lease: LeaseBytes::of(job.lease.as_ref(), job.started_at),
            state: State::of(job, refs),
        };
        let others = stored_size(row.changed) + row.state.stored_size();
        row.lease.widen(ROOM.saturating_sub(others));
        row
    }

    /// Which statement can insert the row of `job`.
    pub(crate) fn shape(job: &Job, refs: Refs) -> Shape {
        state::shape(job, refs, job.version == 1)
    }

    /// Which statement can write over a row that was nothing more than this.
    pub(crate) fn shape_of_update(job: &Job, refs: Refs) -> Shape {
        state::shape(job, refs, false)
    }

    /// Binds the columns of `shape` to the parameters from `first` on.
    pub(crate) fn bind(
        &self,
        statement: &mut Statement<'_>,
        first: usize,
        shape: Shape,
        checksum: &mut Checksum,
    ) -> rusqlite::Result<()> {
        statement.raw_bind_parameter(first, self.number)?;
        statement.raw_bind_parameter(first + 1, self.lane)?;
        statement.raw_bind_parameter(first + 2, self.changed)?;
        statement.raw_bind_parameter(first + 3, self.sum(checksum))?;
        statement.raw_bind_parameter(first + 4, self.state.run_at)?;
        statement.raw_bind_parameter(first + 5, self.lease.as_slice())?;
        self.state.bind(statement, first + 6, shape)?;
        Ok(())
    }

    fn sum(&self, checksum: &mut Checksum) -> i64 {
        checksum.row(table::JOB, self.number).int(self.lane).int(self.changed).bytes(Some(self.lease.as_slice()));
        self.state.sum(checksum).value()
    }

    fn read(columns: &mut Columns<'a>, checksum: &mut Checksum) -> Result<JobRow<'a>, Unreadable> {
        let (number, lane, changed, sum) = (columns.int()?, columns.int()?, columns.int()?, columns.int()?);
        let lease = LeaseBytes::stored(columns.blob()?.ok_or(Unreadable)?)?;
        let row = JobRow { number, lane, changed, lease, state: State::read(columns)? };
        if row.sum(checksum) == sum { Ok(row) } else { Err(Unreadable) }
    }
}

impl Loaded {
    /// Reads the columns of [`select_job`]; `lane` finds a lane by its number.
    pub(crate) fn read<E: From<Unreadable>>(
        columns: &mut Columns<'_>,
        checksum: &mut Checksum,
        lane: impl FnOnce(i64) -> Result<Arc<LaneRow>, E>,
    ) -> Result<Loaded, E> {
        let row = JobRow::read(columns, checksum)?;
        let lane = lane(row.lane)?;
        let mut job = read_spec(row.number, &row.state, &lane, columns, checksum)?;
        job.changed = Position(row.changed.cast_unsigned());
        job.lease = lease::read(row.lease.as_slice(), job.started_at)?;
        Ok(Loaded { job: Arc::new(job), lane: lane.numbers, refs: row.state.refs })
    }
}

/// Makes the job of `state` and of the columns of [`spec_columns`].
pub(super) fn read_spec(
    number: i64,
    state: &State<'_>,
    lane: &LaneRow,
    columns: &mut Columns<'_>,
    checksum: &mut Checksum,
) -> Result<Job, Unreadable> {
    let submission = SubmissionRow::read(number, columns, checksum)?;
    if submission.lane != lane.numbers.id {
        return Err(Unreadable);
    }
    let keys = if submission.keyed.is_some() {
        KeyRow::read(columns, number, checksum)?.keys()?
    } else {
        columns.skip(KeyRow::COLUMNS);
        Keys::default()
    };
    let mut more = submission.more()?;
    let spec = Spec {
        queue: lane.lane.queue.clone(),
        kind: lane.lane.kind.clone(),
        priority: lane.lane.priority,
        group: lane.lane.group.clone(),
        max_attempts: more.max_attempts(),
        timeout: more.timeout(),
        backoff: more.backoff()?,
        expires_in: more.expires_in(),
        result_retention: more.result_retention(),
        key: keys.key,
        unique: keys.unique,
        tags: more.tags(),
        traceparent: more.traceparent(),
        callback: more.callback()?,
        ordering_key: more.ordering_key(),
        after: more.after()?,
        on_failure: more.on_failure()?,
        flow: more.flow()?,
        delivery: more.delivery()?,
        dead_letter_of: more.dead_letter_of()?,
        payload_file: more.payload_file()?,
        payload: BodyInfo {
            content_type: type_of(submission.content_type),
            size: more.payload_file_size().unwrap_or(submission.size()),
        },
    };
    let erased = submission.is_erased();
    let mut job = Job {
        id: JobId::new(submission.created_at(), number.cast_unsigned(), submission.salt()?),
        spec: Arc::new(spec),
        status: Status::Init,
        version: 0,
        run: 0,
        attempt: 0,
        run_at: Timestamp::default(),
        held: Held::default(),
        expires_at: Timestamp::default(),
        started_at: None,
        finished_at: None,
        cancel_requested_at: None,
        worker: None,
        lease: None,
        progress: None,
        error: failure(TextRow::read_failure(columns, state.refs.error, number, erased, checksum)?),
        checkpoint: TextRow::read_checkpoint(columns, state.refs.checkpoint, number, erased, checksum)?,
        result: None,
        result_file: None,
        changed: Position::START,
    };
    state.fill(&mut job)?;
    Ok(job)
}
