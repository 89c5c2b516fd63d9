//! What an event shows: the job as of it, without its payload, with a small result.

use ackd_api::EventName;
use ackd_domain::{Body, ChangeKind, Job};
use ackd_engine::{Engine, FeedEntry, ReadError};
use bytes::Bytes;

use crate::document::{self, Texts};

/// The name of the event that tells of a change.
pub(crate) const fn name(kind: ChangeKind) -> EventName {
    match kind {
        ChangeKind::Progressed | ChangeKind::Checkpointed => EventName::Progress,
        _ => EventName::Status,
    }
}

/// What is shown of an entry of the feed: written once for all who follow.
pub(crate) fn entry(engine: &Engine, entry: &FeedEntry) -> Result<Bytes, ReadError> {
    if let Some(document) = entry.document.get() {
        return Ok(document.clone());
    }
    let change = &entry.change;
    let result = change.body.as_ref().filter(|_| change.kind == ChangeKind::Completed);
    let document = job(engine, &change.job, result)?;
    Ok(entry.document.get_or_init(|| document).clone())
}

/// What is shown of a job, on one line.
pub(crate) fn job(engine: &Engine, job: &Job, result: Option<&Body>) -> Result<Bytes, ReadError> {
    let (texts, waiting) = (Texts::of(job), engine.waiting(job));
    line(&document::document(job, &texts, None, result, waiting.as_ref()))
}

/// `data` as JSON on one line.
pub(crate) fn line(data: &impl serde::Serialize) -> Result<Bytes, ReadError> {
    let mut bytes = Vec::with_capacity(1536);
    serde_json::to_writer(&mut bytes, data).map_err(|error| ReadError::Failed(error.to_string()))?;
    // JSON that a client handed in may stand on several lines, and a line's end would end the field of an event.
    // Between JSON's tokens it means no more than a space, and within its strings there is none.
    bytes.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
    Ok(bytes.into())
}
