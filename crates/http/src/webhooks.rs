//! Webhooks: where the ends of jobs are told, whoever submitted them.

use std::sync::Arc;

use ackd_api::{Code, Problem, Secret, WebhookDisabled, WebhookDocument, WebhookFormat, WebhookList, WebhookRequest};
use ackd_domain::{Answer, Command, Endpoint, EndpointRequest, Name, Refusal};
use http::StatusCode;
use http::header::{self, HeaderValue};

use crate::answer;
use crate::app::time;
use crate::call::{Call, Outcome, reserved};
use crate::list::{OTHER_LIST, page_size};
use crate::problem::Rejection;
use crate::targets::{self, Targets};

/// `GET /v1/webhooks`.
pub(crate) async fn list(mut call: Call) -> Outcome {
    call.no_body().await?;
    let size = page_size(&call.query)?;
    // The token is the last name of the page before: it says itself whether it is one.
    let after = call.query.read("page_token", |text| Name::new(text).map_err(|_| OTHER_LIST.to_owned()))?;
    let endpoints = call.engine().endpoints();
    let mut shown = endpoints.iter().filter(|endpoint| after.as_ref().is_none_or(|after| endpoint.name > *after));
    let webhooks: Vec<_> = shown.by_ref().take(size).map(|endpoint| document(endpoint, false)).collect();
    let more = shown.next().is_some();
    let next_page_token = webhooks.last().filter(|_| more).map(|webhook| webhook.name.clone());
    answer::passing(&WebhookList { webhooks, next_page_token })
}

/// `GET /v1/webhooks/{name}`.
pub(crate) async fn get(mut call: Call) -> Outcome {
    call.no_body().await?;
    let endpoint = call.engine().endpoint(&call.name()?).ok_or_else(no_such_webhook)?;
    answer::passing(&document(&endpoint, false))
}

/// `PUT /v1/webhooks/{name}`.
pub(crate) async fn put(mut call: Call) -> Outcome {
    let name = call.name()?;
    let whole = call.json().await?;
    let request = Box::new(wanted(&ackd_api::parse(whole.bytes())?, &call.shared().targets)?);
    drop(whole);
    let answers = call.engine().run(vec![Command::PutEndpoint { name, request }]).await?;
    let (endpoint, created, made_secret) = match answers.into_iter().next() {
        Some(Ok(Answer::Endpoint { endpoint, created, made_secret })) => (endpoint, created, made_secret),
        Some(Err(refusal)) => return Err(refusal.into()),
        _ => return Err(Rejection::new(Code::Internal, "the webhook was kept, and the answer lost")),
    };
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = answer::json(status, &document(&endpoint, made_secret))?;
    let headers = response.headers_mut();
    if made_secret {
        answer::confidential(headers);
    } else {
        answer::may_change(headers);
    }
    if created && let Ok(location) = HeaderValue::try_from(format!("/v1/webhooks/{}", endpoint.name)) {
        headers.insert(header::LOCATION, location);
    }
    Ok(response)
}

/// `DELETE /v1/webhooks/{name}`.
pub(crate) async fn delete(mut call: Call) -> Outcome {
    call.no_body().await?;
    let name = call.name()?;
    match call.engine().run(vec![Command::DeleteEndpoint { name }]).await?.into_iter().next() {
        Some(Ok(Answer::NoEndpoint(_))) => Ok(answer::no_content()),
        Some(Err(Refusal::NotFound)) => Err(no_such_webhook().into()),
        Some(Err(refusal)) => Err(refusal.into()),
        _ => Err(Rejection::new(Code::Internal, "the webhook was deleted, and the answer lost")),
    }
}

fn wanted(request: &WebhookRequest<'_>, targets: &Targets) -> Result<EndpointRequest, Problem> {
    let mut queues = Vec::with_capacity(request.queues.len());
    for (at, queue) in request.queues.iter().enumerate() {
        let pointer = || format!("/queues/{at}");
        let name = Name::new(queue).map_err(|error| Problem::at(pointer(), error.to_string()))?;
        if name.is_reserved() {
            return Err(reserved(&pointer()));
        }
        if !queues.contains(&name) {
            queues.push(name);
        }
    }
    Ok(EndpointRequest {
        secret: targets.check("", &request.url, request.secret.as_ref())?,
        url: Arc::from(&*request.url),
        queues,
        events: targets::events(&request.events),
        format: targets::format(request.format),
    })
}

/// An endpoint as clients see it. Its secret is shown only to whom it was made for.
fn document(endpoint: &Endpoint, with_secret: bool) -> WebhookDocument<'_> {
    let format = match endpoint.format {
        ackd_domain::WebhookFormat::Standard => WebhookFormat::Standard,
        ackd_domain::WebhookFormat::CloudEvents => WebhookFormat::CloudEvents,
    };
    WebhookDocument {
        name: endpoint.name.as_str().into(),
        url: (&*endpoint.url).into(),
        queues: endpoint.queues.iter().map(|queue| queue.as_str().into()).collect(),
        events: endpoint.events.iter().map(|event| event.as_str().into()).collect(),
        format: format.as_str().into(),
        created_at: time(endpoint.created_at),
        disabled: endpoint
            .disabled
            .map(|disabled| WebhookDisabled { at: time(disabled.at), reason: disabled.reason.as_str().into() }),
        failing_since: endpoint.failing_since.map(time),
        secret: with_secret.then(|| Secret::new(endpoint.secret.expose())),
    }
}

fn no_such_webhook() -> Problem {
    Problem::new(Code::NotFound, "there is no webhook of this name")
}
