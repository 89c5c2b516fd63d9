//! Queues: how many jobs stand where, and the settings.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ackd_api::{Backoff, Code, Counts, Patch, Problem, QueueDocument, QueueList, QueueSettings};
use ackd_domain::{Answer, Command, Name, Push, Queue, QueuePatch, Rate, limits};
use ackd_engine::Engine;

use crate::answer;
use crate::call::{Call, Outcome, reserved, unsupported};
use crate::headers::Media;
use crate::intake::Whole;
use crate::list::{OTHER_LIST, page_size};
use crate::problem::{DEAD_LETTER, Rejection};
use crate::submission::{backoff, misfit};

/// `GET /v1/queues`.
pub(crate) async fn list(mut call: Call) -> Outcome {
    call.no_body().await?;
    let size = page_size(&call.query)?;
    // The token is the last name of the page before: it says itself whether it is one.
    let after = call.query.read("page_token", |text| Name::new(text).map_err(|_| OTHER_LIST.to_owned()))?;
    let mut known = BTreeMap::new();
    for queue in call.engine().queues().await? {
        known.insert(queue.name.clone(), (Some(queue), Counts::default()));
    }
    for counts in call.engine().counts().await? {
        known.entry(counts.queue.clone()).or_default().1 = self::counts(&counts);
    }
    let mut shown = known
        .into_iter()
        .filter(|(name, _)| !name.is_reserved() && after.as_ref().is_none_or(|after| name > after))
        .map(|(name, (queue, counts))| document(queue.as_deref().unwrap_or(&Queue::new(name)), counts));
    let queues: Vec<QueueDocument> = shown.by_ref().take(size).collect();
    let more = shown.next().is_some();
    let next_page_token = queues.last().filter(|_| more).and_then(|queue| queue.name.clone());
    answer::passing(&QueueList { queues, next_page_token })
}

/// `GET /v1/queues/{queue}`.
pub(crate) async fn get(mut call: Call) -> Outcome {
    call.no_body().await?;
    let queue = call.engine().queue(call.name()?).await?;
    let counts = counts_of(call.engine(), &queue.name).await?;
    answer::passing(&document(&queue, counts))
}

/// `PUT /v1/queues/{queue}`.
pub(crate) async fn replace(mut call: Call) -> Outcome {
    let name = call.name()?;
    let settings = QueueSettings::parse(body(&mut call).await?.bytes())?;
    let push = pushed(&call, &name, settings.push.as_ref())?;
    let patch = QueuePatch::replace(&ackd_domain::QueueSettings { push, ..set(&settings)? });
    configured(&call, name, patch).await
}

/// `PATCH /v1/queues/{queue}`.
pub(crate) async fn merge(mut call: Call) -> Outcome {
    let name = call.name()?;
    let patch: ackd_api::QueuePatch = ackd_api::parse(body(&mut call).await?.bytes())?;
    let now = call.engine().queue(name.clone()).await?;
    // Only what the patch names is written, so that two patches of different settings do not undo each other.
    let touched = patch.clone();
    let merged = patch.apply(&given(&now))?;
    // One that is there already may lead where nothing is sent any more: that is no fault of this patch.
    let push = if touched.push.is_absent() { None } else { Some(pushed(&call, &name, merged.push.as_ref())?) };
    let merged = set(&merged)?;
    let patch = QueuePatch {
        lease_ttl: touched_by(&touched.lease_ttl, merged.lease_ttl),
        max_attempts: touched_by(&touched.max_attempts, merged.max_attempts),
        backoff: touched_by(&touched.backoff, merged.backoff),
        timeout: touched_by(&touched.timeout, merged.timeout),
        concurrency: touched_by(&touched.concurrency, merged.concurrency),
        rate: touched_by(&touched.rate, merged.rate),
        group_concurrency: touched_by(&touched.group_concurrency, merged.group_concurrency),
        expires_in: touched_by(&touched.expires_in, merged.expires_in),
        result_retention: touched_by(&touched.result_retention, merged.result_retention),
        dead_letter: touched_by(&touched.dead_letter, merged.dead_letter),
        push,
        paused: None,
        draining: None,
    };
    configured(&call, name, patch).await
}

#[allow(clippy::option_option, reason = "a merge patch tells absent, null and value apart")]
fn touched_by<T, U>(patch: &Patch<T>, merged: Option<U>) -> Option<Option<U>> {
    (!patch.is_absent()).then_some(merged)
}

/// The push that is asked for, if one is.
fn pushed(call: &Call, queue: &Name, push: Option<&ackd_api::Push>) -> Result<Option<Arc<Push>>, Problem> {
    let Some(push) = push else { return Ok(None) };
    let push = call.shared().targets.push(push)?;
    // What another request asks for at the same moment is not counted: the bound is for memory and open files, which have
    // some to spare.
    let left = limits::PUSH_CONCURRENCY_IN_ALL.saturating_sub(call.engine().push_concurrency_beside(queue));
    if push.concurrency() > left {
        let most = limits::PUSH_CONCURRENCY_IN_ALL;
        let detail =
            format!("is {}; all pushes together may have {most}, of which {left} are left", push.concurrency());
        return Err(Problem::at("/push/concurrency", detail));
    }
    Ok(Some(Arc::new(push)))
}

/// `POST /v1/queues/{queue}/pause`.
pub(crate) async fn pause(call: Call) -> Outcome {
    changed(call, QueuePatch::pause(true)).await
}

/// `POST /v1/queues/{queue}/resume`.
pub(crate) async fn resume(call: Call) -> Outcome {
    changed(call, QueuePatch::resume()).await
}

/// `POST /v1/queues/{queue}/drain`.
pub(crate) async fn drain(call: Call) -> Outcome {
    changed(call, QueuePatch::drain()).await
}

async fn changed(mut call: Call, patch: QueuePatch) -> Outcome {
    call.no_body().await?;
    let name = call.name()?;
    configured(&call, name, patch).await
}

async fn body(call: &mut Call) -> Result<Whole, Rejection> {
    match call.media()? {
        Media::Unnamed | Media::Json | Media::MergePatch => call.body(crate::Limits::ENVELOPE).await,
        other => Err(unsupported(other, "application/json")),
    }
}

async fn configured(call: &Call, queue: Name, patch: QueuePatch) -> Outcome {
    // Before the change, so that nothing can fail after it.
    let counts = counts_of(call.engine(), &queue).await?;
    let command = Command::Configure { queue, patch: Box::new(patch) };
    match call.engine().run(vec![command]).await?.into_iter().next() {
        Some(Ok(Answer::Queue(queue))) => answer::passing(&document(&queue, counts)),
        Some(Err(refusal)) => Err(refusal.into()),
        _ => Err(Rejection::new(Code::Internal, "the queue was configured, and the answer lost")),
    }
}

pub(crate) async fn counts_of(engine: &Engine, name: &Name) -> Result<Counts, Rejection> {
    let all = engine.counts().await?;
    Ok(all.iter().find(|counts| counts.queue == *name).map(counts).unwrap_or_default())
}

fn counts(counts: &ackd_engine::Counts) -> Counts {
    use ackd_domain::Status;
    Counts {
        init: counts.of(Status::Init),
        processing: counts.of(Status::Processing),
        done: counts.of(Status::Done),
        failed: counts.of(Status::Failed),
        cancelled: counts.of(Status::Cancelled),
        expired: counts.of(Status::Expired),
    }
}

/// The queue with the settings that are in force.
fn document(queue: &Queue, counts: Counts) -> QueueDocument {
    let span = |span: Duration| Some(span.into());
    QueueDocument {
        name: Some(queue.name.to_string()),
        settings: QueueSettings {
            lease_ttl: span(queue.lease_ttl()),
            max_attempts: Some(queue.max_attempts()),
            backoff: Some(shown_backoff(queue.backoff())),
            expires_in: span(queue.expires_in()),
            result_retention: span(queue.settings.result_retention.unwrap_or(limits::DEFAULT_RETENTION)),
            push: queue.settings.push.as_deref().map(|push| ackd_api::Push {
                concurrency: Some(push.concurrency()),
                timeout: span(push.timeout()),
                fail_on: Some(push.fail_on().to_vec()),
                ..shown_push(push)
            }),
            ..given(queue)
        },
        counts,
        paused: queue.paused,
        draining: queue.draining,
    }
}

/// The settings that somebody gave.
fn given(queue: &Queue) -> QueueSettings {
    let settings = &queue.settings;
    QueueSettings {
        lease_ttl: settings.lease_ttl.map(Into::into),
        max_attempts: settings.max_attempts,
        backoff: settings.backoff.map(shown_backoff),
        timeout: settings.timeout.map(Into::into),
        concurrency: settings.concurrency,
        group_concurrency: settings.group_concurrency,
        rate: settings.rate.map(|rate| ackd_api::Rate { limit: rate.limit, per: rate.per.into() }),
        expires_in: settings.expires_in.map(Into::into),
        result_retention: settings.result_retention.map(Into::into),
        dead_letter: settings.dead_letter.as_ref().map(Name::to_string),
        push: settings.push.as_deref().map(shown_push),
    }
}

fn shown_push(push: &Push) -> ackd_api::Push {
    ackd_api::Push {
        url: push.url.to_string(),
        concurrency: push.concurrency,
        timeout: push.timeout.map(Into::into),
        is_async: push.is_async,
        fail_on: push.fail_on.as_deref().map(Vec::from),
    }
}

pub(crate) fn shown_backoff(backoff: ackd_domain::Backoff) -> Backoff {
    Backoff {
        base: Some(backoff.base().into()),
        factor: Some(backoff.factor()),
        max: Some(backoff.max().into()),
        jitter: Some(backoff.jitter()),
    }
}

/// The settings as the domain understands them, but for `push`, which is judged apart.
fn set(settings: &QueueSettings) -> Result<ackd_domain::QueueSettings, Problem> {
    let dead_letter = match &settings.dead_letter {
        Some(name) => Some(Name::new(name.as_str()).map_err(|error| Problem::at(DEAD_LETTER, error.to_string()))?),
        None => None,
    };
    if dead_letter.as_ref().is_some_and(Name::is_reserved) {
        return Err(reserved(DEAD_LETTER));
    }
    let backoff = match &settings.backoff {
        Some(given) => Some(backoff(given).map_err(|error| misfit("/backoff", error))?),
        None => None,
    };
    Ok(ackd_domain::QueueSettings {
        lease_ttl: settings.lease_ttl.map(Duration::from),
        max_attempts: settings.max_attempts,
        backoff,
        timeout: settings.timeout.map(Duration::from),
        concurrency: settings.concurrency,
        group_concurrency: settings.group_concurrency,
        rate: settings.rate.map(|rate| Rate { limit: rate.limit, per: rate.per.into() }),
        expires_in: settings.expires_in.map(Duration::from),
        result_retention: settings.result_retention.map(Duration::from),
        dead_letter,
        push: None,
    })
}
