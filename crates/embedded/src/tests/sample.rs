use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{Answer, Body, Command, Job, LeaseToken, Name, Refusal, Submission, Timestamp};
use ackd_ports::{Applied, Idle, Ledger, LedgerError, SeededEntropy};
use bytes::Bytes;

use crate::{EmbeddedStore, OpenError, Options};

/// When the tests take place.
pub(super) const NOW: Timestamp = Timestamp::from_millis(1_735_689_600_000);

/// Bounds under which a store opens quickly.
pub(super) fn small() -> Options {
    Options { readers: 1, reserve: 0, scrub_rate: 0, ..Options::default() }
}

pub(super) fn try_open(directory: &Path, options: &Options) -> Result<EmbeddedStore, OpenError> {
    EmbeddedStore::open(directory, options, Box::new(SeededEntropy::new(7)))
}

pub(super) fn open(directory: &Path) -> EmbeddedStore {
    try_open(directory, &small()).unwrap()
}

pub(super) fn json(text: &'static str) -> Body {
    Body { content_type: ackd_domain::JSON.into(), bytes: Bytes::from_static(text.as_bytes()) }
}

pub(super) fn submission(queue: &str) -> Submission {
    Submission::new(Name::new(queue).unwrap(), json(r#"{"n":1}"#))
}

pub(super) fn try_apply(store: &mut EmbeddedStore, commands: Vec<Command>) -> Result<Applied, LedgerError> {
    store.ledger.apply(commands, NOW, &mut Idle)
}

pub(super) fn one(store: &mut EmbeddedStore, command: Command) -> Result<Answer, Refusal> {
    try_apply(store, vec![command]).unwrap().answers.remove(0)
}

pub(super) fn submit(store: &mut EmbeddedStore, submission: Submission) -> Arc<Job> {
    match one(store, Command::Submit(vec![submission])) {
        Ok(Answer::Accepted(accepted)) => Arc::clone(&accepted[0].job),
        other => panic!("a submission is answered with {other:?}"),
    }
}

pub(super) fn job(answer: Result<Answer, Refusal>) -> Arc<Job> {
    match answer {
        Ok(Answer::Job(job)) => job,
        other => panic!("the answer is {other:?}"),
    }
}

pub(super) fn lease_command(number: u64) -> Command {
    Command::Lease { number, worker: Some("host-1".into()), ttl: Some(Duration::from_secs(30)) }
}

pub(super) fn lease(store: &mut EmbeddedStore, number: u64) -> LeaseToken {
    let job = job(one(store, lease_command(number)));
    job.lease.as_ref().unwrap().token(number)
}
