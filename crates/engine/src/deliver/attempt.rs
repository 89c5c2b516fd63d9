use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{Command, Endpoint, Secret, Target};
use ackd_ports::{Outbound, Post, Signed, SigningKey, Wanted};

use super::outcome::{self, Outcome, Void};
use crate::clock::{Moment, ServerClock};
use crate::seen::Seen;
use crate::work::Granted;

/// How long a receiver may take for its answer, as Standard Webhooks 1.0.0 recommends ("Delivery", 15 to 30 seconds).
pub(super) const TIMEOUT: Duration = Duration::from_secs(15);

/// Makes one attempt of a delivery. Gives the commands that write down what came of it.
pub(super) async fn attempt(
    granted: Granted,
    endpoints: &Seen<Endpoint>,
    outbound: &dyn Outbound,
    clock: &ServerClock,
) -> Vec<Command> {
    let lease = granted.token;
    let (post, endpoint) = match prepare(&granted, endpoints, clock.moment()) {
        Ok(prepared) => prepared,
        Err(why) => return vec![outcome::void(lease, why)],
    };
    let began = clock.monotonic();
    let reply = outbound.post(post).await;
    let took = clock.monotonic().saturating_sub(began);
    let Outcome { settle, post } = outcome::posted(&granted.job, lease, reply, took);
    let note = endpoint.and_then(|endpoint| {
        // Asked of the endpoint as it is now; and the ledger is asked only where it would change something.
        let (name, revision) = (endpoint.name.clone(), endpoint.revision);
        endpoints.of(&name)?.noted(revision, post, clock.now())?;
        Some(Command::NotePost { name, revision, outcome: post })
    });
    std::iter::once(settle).chain(note).collect()
}

/// What is posted, and to which endpoint, if to one.
fn prepare(
    granted: &Granted,
    endpoints: &Seen<Endpoint>,
    moment: Moment,
) -> Result<(Post, Option<Arc<Endpoint>>), Void> {
    let delivery = granted.job.spec.delivery.as_ref().ok_or(Void::Unreadable)?;
    let payload = granted.payload.as_ref().ok_or(Void::Unreadable)?;
    let key = |secret: &Secret| secret.expose().parse::<SigningKey>().map_err(|_| Void::Unsigned);
    let (url, keys, endpoint) = match &delivery.target {
        Target::Callback(callback) => (Arc::clone(&callback.url), vec![key(&callback.secret)?], None),
        Target::Endpoint(name) => {
            let endpoint = endpoints.of(name).ok_or(Void::Deleted)?;
            if let Some(disabled) = endpoint.disabled {
                return Err(Void::Disabled(disabled));
            }
            let keys = endpoint.secrets(moment.now).map(key).collect::<Result<Vec<_>, _>>()?;
            (Arc::clone(&endpoint.url), keys, Some(endpoint))
        }
    };
    let post = Post {
        url,
        // The receiver compares it with its own clock.
        at: moment.wall,
        content_type: Arc::clone(&payload.content_type),
        body: payload.bytes.clone().into(),
        signed: Some(Signed { id: Arc::clone(&delivery.webhook_id), keys }),
        headers: Vec::new(),
        wanted: Wanted::Beginning,
        timeout: TIMEOUT,
    };
    Ok((post, endpoint))
}
