//! What a command finds in its environment.

use std::process::Command;

use ackd_client::{Body, Context, Job};

/// The variables of one job. Those that it has no value for are taken out, should the worker have them from its own.
#[derive(Debug)]
pub(crate) struct Environment(Vec<(&'static str, Option<String>)>);

impl Environment {
    /// The variables of a job.
    pub(crate) fn of(job: &Job<Option<Body>>, context: &Context, url: &str) -> Environment {
        let text = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().map(str::to_owned);
        Environment(vec![
            ("ACKD_URL", Some(url.to_owned())),
            ("ACKD_JOB_ID", Some(job.id.to_string())),
            ("ACKD_QUEUE", Some(job.queue.to_string())),
            ("ACKD_TYPE", text(&job.kind)),
            ("ACKD_ATTEMPT", Some(job.attempt.to_string())),
            ("ACKD_MAX_ATTEMPTS", Some(job.max_attempts.to_string())),
            ("ACKD_CHECKPOINT", job.checkpoint.as_ref().map(|json| json.get().to_owned())),
            ("ACKD_CONTENT_TYPE", job.payload_info.as_ref().map(|info| info.content_type.to_string())),
            ("ACKD_LEASE", Some(context.lease().to_owned())),
            ("TRACEPARENT", text(&job.traceparent)),
        ])
    }

    /// Puts them into the environment of a command.
    pub(crate) fn apply(&self, command: &mut Command) {
        for (name, value) in &self.0 {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
    }
}
