use std::sync::Arc;
use std::time::Duration;

use crate::{Answer, ChangeKind, Decision, Draws, Job, LeaseToken, Progress, Refusal, Timestamp, View, Write};

use super::{job_of_lease, step};

/// What a heartbeat tells beside being one.
pub(super) struct Told {
    pub(super) ttl: Option<Duration>,
    pub(super) progress: Option<Progress>,
    pub(super) checkpoint: Option<Arc<str>>,
}

/// A bare heartbeat writes nothing: who watches the leases re-arms them after a restart, each with
/// its whole time to live.
pub(super) fn decide(
    view: &View,
    lease: &LeaseToken,
    told: Told,
    now: Timestamp,
    draws: &mut dyn Draws,
) -> Result<Decision, Refusal> {
    let job = job_of_lease(view, lease)?;
    let Told { ttl, progress, checkpoint } = told;
    let old = job.lease.as_ref().map_or(Duration::ZERO, |lease| lease.ttl);
    let ttl = ttl.unwrap_or(old);
    let answer = Answer::Beat { ttl, cancel_requested: job.cancel_requested_at.is_some() };
    let renew = |next: &mut Job| {
        if let Some(lease) = &mut next.lease {
            lease.ttl = ttl;
        }
    };
    let kind = match (&progress, &checkpoint) {
        (Some(_), _) => ChangeKind::Progressed,
        (None, Some(_)) => ChangeKind::Checkpointed,
        (None, None) if ttl == old => return Ok(Decision::answer(answer)),
        (None, None) => {
            // How long a lease lasts is between the worker and the server: no change of the job.
            let mut next = Job::clone(job);
            renew(&mut next);
            return Ok(Decision { writes: vec![Write::Update(Arc::new(next))], ..Decision::answer(answer) });
        }
    };
    let (job, change) = step(job, kind, now, draws, |_, next| {
        renew(next);
        if let Some(progress) = progress {
            next.progress = Some(Progress { at: now, ..progress });
        }
        if checkpoint.is_some() {
            next.checkpoint = checkpoint;
        }
    });
    Ok(Decision { writes: vec![Write::Update(job)], changes: vec![change], ..Decision::answer(answer) })
}
