use std::sync::Arc;

use crate::{
    Acceptance, Accepted, Advance, Answer, Decision, Draws, Held, Name, NewDelivery, Refusal, Start, Submission,
    Timestamp, View, Write, limits,
};

use super::submit;

/// A job for each delivery, and the consumer's position in the same decision: a consumer that has been overtaken, or
/// that comes a second time after a crash, makes nothing.
pub(super) fn decide(
    view: &View,
    advance: Option<Advance>,
    deliveries: Vec<NewDelivery>,
    now: Timestamp,
    draws: &mut dyn Draws,
) -> Result<Decision, Refusal> {
    let mut decision = Decision::answer(Answer::Accepted(Vec::new()));
    if let Some(Advance { consumer, from, to }) = advance {
        if view.position != from {
            return Err(Refusal::Overtaken(view.position));
        }
        decision.writes.push(Write::Position(consumer, to));
    }
    let mut accepted = Vec::with_capacity(deliveries.len());
    for NewDelivery { delivery, body } in deliveries {
        let submission = Submission {
            group: Some(delivery.target.shown().into()),
            max_attempts: Some(limits::DELIVERY_ATTEMPTS),
            expires_in: Some(limits::DELIVERY_EXPIRY),
            ..Submission::new(Name::webhooks().clone(), body.clone())
        };
        let mut spec = submit::spec(submission, view.queue(), draws);
        spec.delivery = Some(Arc::new(delivery));
        let job = Arc::new(submit::job(spec, Held::default(), Start::Now, now, draws, |_| None));
        submit::accept(&mut decision, Arc::clone(&job), body, now);
        accepted.push(Accepted { job, how: Acceptance::Made });
    }
    decision.answer = Answer::Accepted(accepted);
    Ok(decision)
}
