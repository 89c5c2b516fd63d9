use std::sync::Arc;

use ackd_domain::{Body, Change, Delivery, Endpoint, NewDelivery, Target, WebhookEvent, WebhookFormat};

use super::{Renderer, Told};
use crate::seen::Seen;

/// Whether anybody is to be told of `change`. Asked of every change that is committed.
pub(super) fn concerns(change: &Change, endpoints: &Seen<Endpoint>) -> bool {
    let Some(event) = WebhookEvent::of(change.job.status) else { return false };
    let spec = &change.job.spec;
    !spec.queue.is_reserved()
        && (spec.callback.as_ref().is_some_and(|callback| callback.events.contains(event))
            || endpoints.has(|endpoint| endpoint.wants(&spec.queue, event)))
}

/// The deliveries that `change` asks for, one for each target.
pub(super) fn deliveries(change: &Change, endpoints: &Seen<Endpoint>, renderer: &dyn Renderer) -> Vec<NewDelivery> {
    let job = &change.job;
    let Some(event) = WebhookEvent::of(job.status).filter(|_| !job.spec.queue.is_reserved()) else {
        return Vec::new();
    };
    let mut standard: Option<Body> = None;
    let mut new = |target: Target, format: WebhookFormat| {
        let webhook_id = Delivery::webhook_id(job.id, job.version, &target);
        let told = Told { change, event, format, webhook_id: &webhook_id };
        let body = match format {
            WebhookFormat::Standard => standard.get_or_insert_with(|| renderer.render(&told)).clone(),
            WebhookFormat::CloudEvents => renderer.render(&told),
        };
        NewDelivery { delivery: Delivery { source: job.id, webhook_id, event, target }, body }
    };
    let callback = job.spec.callback.as_ref().filter(|callback| callback.events.contains(event));
    let mut made: Vec<_> =
        callback.into_iter().map(|callback| new(Target::Callback(Arc::clone(callback)), callback.format)).collect();
    let wanting = endpoints.of_which(|endpoint| endpoint.wants(&job.spec.queue, event));
    made.extend(wanting.into_iter().map(|it| new(Target::Endpoint(it.name.clone()), it.format)));
    made
}
