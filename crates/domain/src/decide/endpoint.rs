use std::sync::Arc;

use crate::{
    Answer, Decision, Draws, Endpoint, EndpointRequest, Name, PostOutcome, Refusal, Secret, Timestamp, View, Write,
    limits,
};

/// A new endpoint, or a known one as it is to be. A secret that is replaced signs on for a while.
pub(super) fn put(
    view: &View,
    name: Name,
    request: EndpointRequest,
    now: Timestamp,
    draws: &mut dyn Draws,
) -> Result<Decision, Refusal> {
    let EndpointRequest { url, queues, events, format, secret } = request;
    let known = view.endpoint.as_deref();
    if known.is_none() && view.endpoints >= limits::ENDPOINTS {
        return Err(Refusal::TooManyEndpoints);
    }
    let made_secret = known.is_none() && secret.is_none();
    let secret = secret.or_else(|| known.map(|known| known.secret.clone())).unwrap_or_else(|| Secret::make(draws));
    let endpoint = Arc::new(Endpoint {
        former: known.map(|known| former(known, &secret, now)).unwrap_or_default(),
        revision: known.map_or(1, |known| known.revision + 1),
        created_at: known.map_or(now, |known| known.created_at),
        name,
        url,
        queues,
        events,
        format,
        secret,
        failing_since: None,
        disabled: None,
    });
    let answer = Answer::Endpoint { endpoint: Arc::clone(&endpoint), created: known.is_none(), made_secret };
    Ok(Decision { writes: vec![Write::Endpoint(endpoint)], ..Decision::answer(answer) })
}

/// The secrets that sign on beside `secret`.
fn former(known: &Endpoint, secret: &Secret, now: Timestamp) -> Vec<(Secret, Timestamp)> {
    let replaced = (known.secret.clone(), now.after(Endpoint::CHANGE_OVER));
    let changed = (known.secret != *secret).then_some(replaced);
    let earlier = known.former.iter().filter(|(_, until)| *until > now).cloned();
    // One that is taken up again is no former one.
    let former = changed.into_iter().chain(earlier).filter(|(former, _)| former != secret);
    former.take(Endpoint::MAX_FORMER).collect()
}

pub(super) fn delete(view: &View, name: Name) -> Result<Decision, Refusal> {
    view.endpoint.as_ref().ok_or(Refusal::NotFound)?;
    let writes = vec![Write::NoEndpoint(name.clone())];
    Ok(Decision { writes, ..Decision::answer(Answer::NoEndpoint(name)) })
}

/// Most outcomes change nothing, and nothing is written.
pub(super) fn note(view: &View, revision: u64, outcome: PostOutcome, now: Timestamp) -> Result<Decision, Refusal> {
    let known = view.endpoint.as_ref().ok_or(Refusal::NotFound)?;
    let next = known.noted(revision, outcome, now).map(Arc::new);
    let writes = next.iter().map(|next| Write::Endpoint(Arc::clone(next))).collect();
    let endpoint = next.unwrap_or_else(|| Arc::clone(known));
    Ok(Decision { writes, ..Decision::answer(Answer::Endpoint { endpoint, created: false, made_secret: false }) })
}
