use ackd_client::Submission;
use ackd_client::api::{Callback, Duration, Secret, UniquePolicy};
use clap::Args;

/// What a job may be told on the command line, whoever makes it.
#[derive(Debug, Args)]
pub(crate) struct JobArgs {
    /// What kind of job it is, for workers that take only some
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,

    /// 0 (lowest) to 9 (highest) [default: 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=9))]
    priority: Option<u8>,

    /// Whom the job is for: groups take turns, and a queue may limit each
    #[arg(long)]
    group: Option<String>,

    /// Jobs of the queue with the same key run one at a time, in order
    #[arg(long, value_name = "KEY")]
    ordering_key: Option<String>,

    /// Of the queue's unfinished jobs one at most has this key: while there is one, no second is made
    #[arg(long, value_name = "KEY")]
    unique: Option<String>,

    /// What becomes of one that waits: keep it, or replace or debounce it, so that it takes this payload and time [default: keep]
    #[arg(long, value_name = "keep|replace|debounce", requires = "unique", value_parser = super::word::<UniquePolicy>)]
    unique_policy: Option<UniquePolicy>,

    /// POST the job's end to this URL
    #[arg(long, value_name = "URL", requires = "callback_secret")]
    callback: Option<String>,

    /// The key that signs such posts, whsec_... (see `ackd webhook put --help`)
    #[arg(long, value_name = "SECRET", requires = "callback")]
    callback_secret: Option<String>,

    /// If the job is not done by then, it ends as EXPIRED [default: the queue's]
    #[arg(long, value_name = "DURATION", value_parser = super::duration)]
    expires_in: Option<Duration>,

    /// How often the job is tried [default: the queue's]
    #[arg(long, value_name = "N")]
    max_attempts: Option<u32>,

    /// The longest time of one attempt [default: the queue's]
    #[arg(long, value_name = "DURATION", value_parser = super::duration)]
    timeout: Option<Duration>,

    /// Keep the job so long after its end [default: the queue's]
    #[arg(long, value_name = "DURATION", value_parser = super::duration)]
    result_retention: Option<Duration>,

    /// A word to find the job by (may be repeated)
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
}

impl JobArgs {
    /// `job`, told all of it.
    pub(crate) fn tell(&self, mut job: Submission) -> Submission {
        if let Some(kind) = &self.kind {
            job = job.kind(kind);
        }
        if let Some(priority) = self.priority {
            job = job.priority(priority);
        }
        if let Some(group) = &self.group {
            job = job.group(group);
        }
        if let Some(key) = &self.ordering_key {
            job = job.ordering_key(key);
        }
        if let Some(key) = &self.unique {
            job = job.unique(key, self.unique_policy.unwrap_or_default());
        }
        if let Some(url) = &self.callback {
            let secret = self.callback_secret.clone().map(Secret::new);
            job = job.callback(Callback { url: url.clone().into(), secret, events: Vec::new(), format: None });
        }
        if let Some(expires_in) = self.expires_in {
            job = job.expires_in(expires_in.get());
        }
        if let Some(max_attempts) = self.max_attempts {
            job = job.max_attempts(max_attempts);
        }
        if let Some(timeout) = self.timeout {
            job = job.timeout(timeout.get());
        }
        if let Some(retention) = self.result_retention {
            job = job.result_retention(retention.get());
        }
        self.tags.iter().fold(job, Submission::tag)
    }
}
