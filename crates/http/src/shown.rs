//! What an event shows: the job as of it, without its payload, with a small result.

use ackd_api::EventName;
use ackd_domain::{Body, ChangeKind, Job, Position};
use ackd_engine::{Engine, Event, FeedEntry, ReadError, Waiting};
use bytes::Bytes;

use crate::document::{self, Texts};

/// The name of the event that tells of a change.
pub(crate) const fn name(kind: ChangeKind) -> EventName {
    match kind {
        ChangeKind::Progressed | ChangeKind::Checkpointed => EventName::Progress,
        _ => EventName::Status,
    }
}

/// What is shown of an entry of the feed: written once for all who follow. Of the jobs that block it, it names those that it
/// was to come after: nothing is read for it.
pub(crate) fn entry(engine: &Engine, entry: &FeedEntry) -> Result<Bytes, ReadError> {
    if let Some(document) = entry.document.get() {
        return Ok(document.clone());
    }
    let change = &entry.change;
    let result = change.body.as_ref().filter(|_| change.kind == ChangeKind::Completed);
    let document = job(&change.job, result, engine.waiting(&change.job))?;
    Ok(entry.document.get_or_init(|| document).clone())
}

/// What is shown of an event of one job.
pub(crate) struct Shown {
    /// Something is missing before it, for it is no longer kept.
    pub(crate) is_reset: bool,
    pub(crate) position: Position,
    pub(crate) name: EventName,
    pub(crate) document: Bytes,
}

/// What is shown of an event of one job. Its result is read where it is not at hand.
pub(crate) async fn event(engine: &Engine, event: &Event) -> Result<Shown, ReadError> {
    let shown = event.job();
    let at_hand = match event {
        Event::Change(change) if change.kind == ChangeKind::Completed => change.body.clone(),
        _ => None,
    };
    let result = match at_hand {
        None if shown.result.is_some() => engine.result(shown.id.number()).await?,
        at_hand => at_hand,
    };
    let name = match event {
        Event::Change(change) => name(change.kind),
        Event::Current(_) | Event::Reset(_) => EventName::Status,
    };
    let is_reset = matches!(event, Event::Reset(_));
    let document = job(shown, result.as_ref(), engine.explain(shown).await)?;
    Ok(Shown { is_reset, position: shown.changed, name, document })
}

/// What is shown of a job, on one line.
pub(crate) fn job(job: &Job, result: Option<&Body>, waiting: Option<Waiting>) -> Result<Bytes, ReadError> {
    line(&document::document(job, &Texts::of(job), None, result, waiting.as_ref()))
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
