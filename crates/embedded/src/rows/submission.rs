use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{
    Body, Callback, DeadLetter, Delivery, FileId, FlowPart, Job, OnFailure, Predecessor, Spec, Timestamp,
};
use rusqlite::{Connection, Statement};
use serde::{Deserialize, Serialize};

use super::body::written;
use super::flow::{StoredFlowPart, StoredPredecessor};
use super::queue::{StoredBackoff, millis};
use super::webhook::{StoredCallback, StoredDelivery};
use super::{BodyRow, Columns, Shape, Unreadable, table};
use crate::checksum::Checksum;
use crate::fault::Fault;

/// The attempts of a job whose row names none. Part of the stored format, whatever the server's default.
const USUAL_ATTEMPTS: u32 = 20;

/// The expiry of a job whose row names none, likewise.
pub(crate) const USUAL_EXPIRY: Duration = Duration::from_hours(14 * 24);

/// What a client asked for, without the payload's bytes.
pub(crate) struct SubmissionRow<'a> {
    pub(crate) number: i64,
    pub(crate) created_at: i64,
    pub(crate) salt: i64,
    pub(crate) lane: i64,
    pub(crate) keyed: Option<i64>,
    pub(crate) content_type: Option<&'a str>,
    pub(crate) more: Option<Cow<'a, str>>,
    /// How long the payload is; -1 less than that where the job is erased, and the payload with it.
    size: i64,
}

/// The columns of a submission that change when its job is erased.
pub(crate) const ERASED_COLUMNS: &str = "id, keyed, body, crc";

/// Binds [`ERASED_COLUMNS`], which take key and payload from the submission of a job, as the parameters from `first` on.
pub(crate) fn bind_erased(
    statement: &mut Statement<'_>,
    first: usize,
    job: &Job,
    lane: i64,
    checksum: &mut Checksum,
) -> rusqlite::Result<()> {
    let mut row = SubmissionRow::of(job, lane);
    row.keyed = None;
    row.size = -1 - row.size;
    let sum = row.own_sum(checksum) & 0xffff_ffff;
    statement.raw_bind_parameter(first, row.number)?;
    statement.raw_bind_parameter(first + 1, row.keyed)?;
    statement.raw_bind_parameter(first + 2, row.size)?;
    statement.raw_bind_parameter(first + 3, sum)
}

/// Gives the submission of a waiting job another payload.
pub(crate) fn replace_payload(
    connection: &Connection,
    job: &Job,
    lane: i64,
    body: &Body,
    checksum: &mut Checksum,
) -> rusqlite::Result<()> {
    const REPLACE: &str = "UPDATE submission SET content_type = ?2, body = ?3, crc = ?4, more = ?5 WHERE id = ?1";
    let row = SubmissionRow::of(job, lane);
    let sum = row.sum(body, checksum);
    connection.prepare_cached(REPLACE)?.execute((
        row.number,
        row.content_type,
        &body.bytes[..],
        sum,
        row.more.as_deref(),
    ))?;
    Ok(())
}

/// Writes the submission of the new `job` with the payload of the job `from`, which is read for that alone. Of one
/// that is damaged only the length is copied, and that it is damaged.
pub(crate) fn copy_submission(
    connection: &Connection,
    from: i64,
    job: &Job,
    lane: i64,
    checksum: &mut Checksum,
) -> Result<(), Fault> {
    const READ: &str = "SELECT crc, content_type, body FROM submission WHERE id = ?1";
    const WRITE: &str = "INSERT INTO submission (id, created_at, salt, lane, crc, body, keyed, content_type, more) \
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let mut read = connection.prepare_cached(READ)?;
    let mut rows = read.query([from])?;
    let payload = match rows.next()? {
        Some(found) => {
            let mut columns = Columns::from(found, 0);
            let mut payload = || -> Result<Body, Unreadable> {
                let (sums, content_type) = (columns.int()?, columns.text()?);
                let bytes = columns.blob()?.ok_or(Unreadable)?;
                BodyRow::read_payload(from, content_type, bytes, sums, checksum)
            };
            payload().ok()
        }
        None => None,
    };
    let row = SubmissionRow::of(job, lane);
    let mut write = connection.prepare_cached(WRITE)?;
    match payload {
        Some(body) => row.bind(&mut write, 1, &body, Shape::Rare, checksum)?,
        None => {
            let content_type = Arc::clone(&job.spec.payload.content_type);
            let body = Body { content_type, bytes: vec![0; usize::try_from(row.size).unwrap_or_default()].into() };
            row.bind(&mut write, 1, &body, Shape::Rare, checksum)?;
            // The lowest bit of the body's sum.
            write.raw_bind_parameter(5, row.sum(&body, checksum) ^ (1 << 32))?;
        }
    }
    write.raw_execute()?;
    Ok(())
}

/// The columns of a submission's row, by its shape.
pub(crate) const fn submission_columns(shape: Shape) -> &'static str {
    match shape {
        Shape::Rare => "id, created_at, salt, lane, crc, body, keyed, content_type, more",
        _ => "id, created_at, salt, lane, crc, body",
    }
}

impl<'a> SubmissionRow<'a> {
    pub(crate) fn of(job: &'a Job, lane: i64) -> SubmissionRow<'a> {
        let spec = &job.spec;
        SubmissionRow {
            number: job.id.number().cast_signed(),
            created_at: job.created_at().millis(),
            salt: job.id.salt().into(),
            lane,
            keyed: (spec.key.is_some() || spec.unique.is_some()).then_some(1),
            content_type: written(&spec.payload.content_type),
            more: More::of(spec).map(Cow::Owned),
            // Of a payload in a file `more` says it.
            size: if spec.payload_file.is_some() { 0 } else { spec.payload.size.cast_signed() },
        }
    }

    /// Which statement can write it.
    pub(crate) fn shape(&self) -> Shape {
        if self.keyed.is_some() || self.content_type.is_some() || self.more.is_some() {
            Shape::Rare
        } else {
            Shape::First
        }
    }

    /// Binds the columns of its shape to the parameters from `first` on.
    pub(crate) fn bind(
        &self,
        statement: &mut Statement<'_>,
        first: usize,
        body: &Body,
        shape: Shape,
        checksum: &mut Checksum,
    ) -> rusqlite::Result<()> {
        let sum = self.sum(body, checksum);
        statement.raw_bind_parameter(first, self.number)?;
        statement.raw_bind_parameter(first + 1, self.created_at)?;
        statement.raw_bind_parameter(first + 2, self.salt)?;
        statement.raw_bind_parameter(first + 3, self.lane)?;
        statement.raw_bind_parameter(first + 4, sum)?;
        statement.raw_bind_parameter(first + 5, &body.bytes[..])?;
        if shape == Shape::Rare {
            statement.raw_bind_parameter(first + 6, self.keyed)?;
            statement.raw_bind_parameter(first + 7, self.content_type)?;
            statement.raw_bind_parameter(first + 8, self.more.as_deref())?;
        }
        Ok(())
    }

    /// The body's sum above, that of everything else below.
    fn sum(&self, body: &Body, checksum: &mut Checksum) -> i64 {
        BodyRow::payload(self.number, body).sum(checksum) << 32 | self.own_sum(checksum) & 0xffff_ffff
    }

    fn own_sum(&self, checksum: &mut Checksum) -> i64 {
        checksum
            .row(table::SUBMISSION, self.number)
            .int(self.created_at)
            .int(self.salt)
            .int(self.lane)
            .maybe(self.keyed)
            .text(self.content_type)
            .text(self.more.as_deref())
            .int(self.size)
            .value()
    }

    /// Reads the columns from `created_at` to the length of the body.
    pub(crate) fn read(
        number: i64,
        columns: &mut Columns<'a>,
        checksum: &mut Checksum,
    ) -> Result<SubmissionRow<'a>, Unreadable> {
        let (created_at, salt, lane, sum) = (columns.int()?, columns.int()?, columns.int()?, columns.int()?);
        let row = SubmissionRow {
            number,
            created_at,
            salt,
            lane,
            keyed: columns.maybe()?,
            content_type: columns.text()?,
            more: columns.text()?.map(Cow::Borrowed),
            size: columns.int()?,
        };
        if row.own_sum(checksum) & 0xffff_ffff == sum & 0xffff_ffff { Ok(row) } else { Err(Unreadable) }
    }

    pub(crate) fn created_at(&self) -> Timestamp {
        Timestamp::from_millis(self.created_at)
    }

    pub(crate) fn salt(&self) -> Result<u32, Unreadable> {
        u32::try_from(self.salt).map_err(|_| Unreadable)
    }

    /// How long the payload is, or was.
    pub(crate) fn size(&self) -> u64 {
        self.size.max(-1 - self.size).cast_unsigned()
    }

    /// Whether the job is erased: its texts may be gone.
    pub(crate) const fn is_erased(&self) -> bool {
        self.size < 0
    }

    pub(super) fn more(&self) -> Result<More<'_>, Unreadable> {
        self.more
            .as_deref()
            .map_or_else(|| Ok(More::default()), |text| serde_json::from_str(text).map_err(|_| Unreadable))
    }
}

/// What few jobs name, as JSON.
#[derive(Serialize, Deserialize, Default)]
pub(super) struct More<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_attempts: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timeout: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    backoff: Option<StoredBackoff>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_in: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    result_retention: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", borrow)]
    tags: Vec<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    traceparent: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    callback: Option<StoredCallback<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    delivery: Option<StoredDelivery<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    ordering_key: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", borrow)]
    after: Vec<StoredPredecessor<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on_failure: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    flow: Option<StoredFlowPart<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    payload_file: Option<StoredPayloadFile<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none", borrow)]
    dead_letter_of: Option<StoredDeadLetter<'a>>,
}

/// Of which dead job it was made.
#[derive(Serialize, Deserialize)]
struct StoredDeadLetter<'a> {
    #[serde(borrow)]
    of: Cow<'a, str>,
    hops: u8,
}

/// The file that is a job's payload.
#[derive(Serialize, Deserialize)]
struct StoredPayloadFile<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    size: u64,
}

impl More<'_> {
    fn of(spec: &Spec) -> Option<String> {
        let usual = spec.max_attempts == USUAL_ATTEMPTS
            && spec.expires_in == USUAL_EXPIRY
            && spec.timeout.is_none()
            && spec.backoff.is_none()
            && spec.result_retention.is_none()
            && spec.tags.is_empty()
            && spec.traceparent.is_none()
            && spec.callback.is_none()
            && spec.delivery.is_none()
            && spec.ordering_key.is_none()
            && spec.after.is_empty()
            && spec.on_failure == OnFailure::default()
            && spec.flow.is_none()
            && spec.payload_file.is_none()
            && spec.dead_letter_of.is_none();
        if usual {
            return None;
        }
        let more = More {
            max_attempts: (spec.max_attempts != USUAL_ATTEMPTS).then_some(spec.max_attempts),
            timeout: spec.timeout.map(millis),
            backoff: spec.backoff.map(StoredBackoff::of),
            expires_in: (spec.expires_in != USUAL_EXPIRY).then(|| millis(spec.expires_in)),
            result_retention: spec.result_retention.map(millis),
            tags: spec.tags.iter().map(|tag| Cow::Borrowed(&**tag)).collect(),
            traceparent: spec.traceparent.as_deref().map(Cow::Borrowed),
            callback: spec.callback.as_deref().map(StoredCallback::of),
            delivery: spec.delivery.as_deref().map(StoredDelivery::of),
            ordering_key: spec.ordering_key.as_deref().map(Cow::Borrowed),
            after: spec.after.iter().map(StoredPredecessor::of).collect(),
            on_failure: (spec.on_failure != OnFailure::default()).then_some(spec.on_failure as u8),
            flow: spec.flow.as_deref().map(StoredFlowPart::of),
            payload_file: spec
                .payload_file
                .map(|id| StoredPayloadFile { id: id.to_string().into(), size: spec.payload.size }),
            dead_letter_of: spec
                .dead_letter_of
                .map(|DeadLetter { of, hops }| StoredDeadLetter { of: of.to_string().into(), hops }),
        };
        // Every number in it is finite, so that it always can be written.
        serde_json::to_string(&more).ok()
    }

    pub(super) fn max_attempts(&self) -> u32 {
        self.max_attempts.unwrap_or(USUAL_ATTEMPTS)
    }

    pub(super) fn timeout(&self) -> Option<Duration> {
        self.timeout.map(Duration::from_millis)
    }

    pub(super) fn backoff(&mut self) -> Result<Option<ackd_domain::Backoff>, Unreadable> {
        self.backoff.take().map(StoredBackoff::get).transpose()
    }

    pub(super) fn expires_in(&self) -> Duration {
        self.expires_in.map_or(USUAL_EXPIRY, Duration::from_millis)
    }

    pub(super) fn result_retention(&self) -> Option<Duration> {
        self.result_retention.map(Duration::from_millis)
    }

    pub(super) fn tags(&self) -> Vec<Arc<str>> {
        self.tags.iter().map(|tag| Arc::from(&**tag)).collect()
    }

    pub(super) fn traceparent(&self) -> Option<Arc<str>> {
        self.traceparent.as_deref().map(Arc::from)
    }

    pub(super) fn ordering_key(&self) -> Option<Arc<str>> {
        self.ordering_key.as_deref().map(Arc::from)
    }

    pub(super) fn after(&self) -> Result<Vec<Predecessor>, Unreadable> {
        self.after.iter().map(StoredPredecessor::get).collect()
    }

    pub(super) fn on_failure(&self) -> Result<OnFailure, Unreadable> {
        self.on_failure.map_or(Ok(OnFailure::default()), |number| OnFailure::from_number(number).ok_or(Unreadable))
    }

    pub(super) fn flow(&self) -> Result<Option<Arc<FlowPart>>, Unreadable> {
        self.flow.as_ref().map(|flow| flow.get().map(Arc::new)).transpose()
    }

    pub(super) fn payload_file(&self) -> Result<Option<FileId>, Unreadable> {
        self.payload_file.as_ref().map(|file| file.id.parse().map_err(|_| Unreadable)).transpose()
    }

    pub(super) fn dead_letter_of(&self) -> Result<Option<DeadLetter>, Unreadable> {
        let stored = self.dead_letter_of.as_ref();
        stored.map(|it| Ok(DeadLetter { of: it.of.parse().map_err(|_| Unreadable)?, hops: it.hops })).transpose()
    }

    /// How long the payload is, where it is in a file.
    pub(super) fn payload_file_size(&self) -> Option<u64> {
        self.payload_file.as_ref().map(|file| file.size)
    }

    pub(super) fn callback(&self) -> Result<Option<Arc<Callback>>, Unreadable> {
        self.callback.as_ref().map(|callback| callback.get().map(Arc::new)).transpose()
    }

    pub(super) fn delivery(&self) -> Result<Option<Arc<Delivery>>, Unreadable> {
        self.delivery.as_ref().map(|delivery| delivery.get().map(Arc::new)).transpose()
    }
}
