use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{Answer, Command, Failure, Job, Submission};
use ackd_ports::LedgerReader;

use super::sample::{NOW, json, lease_command, open, submission, try_apply};
use crate::EmbeddedStore;

/// The jobs of a batch's answers.
fn apply(store: &mut EmbeddedStore, commands: Vec<Command>) -> Vec<Arc<Job>> {
    let answers = try_apply(store, commands).unwrap().answers;
    let jobs = answers.into_iter().flat_map(|answer| match answer.unwrap() {
        Answer::Accepted(accepted) => accepted.into_iter().map(|accepted| accepted.job).collect(),
        Answer::Job(job) => vec![job],
        other => panic!("an answer without a job: {other:?}"),
    });
    jobs.collect()
}

fn assert_stored(store: &EmbeddedStore, jobs: &[Arc<Job>]) {
    for job in jobs {
        assert_eq!(store.reader.job(job.id).unwrap().as_ref(), Some(job));
        let timeline = store.reader.timeline(job.id).unwrap().unwrap();
        assert_eq!(timeline.changes.len() as u64, job.version);
        assert!(!timeline.truncated);
    }
}

/// Rows are written in blocks of 64, of 8 and one by one, apart for each shape; here all of them occur.
#[test]
fn batches_of_every_size_and_shape_are_stored_row_by_row() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    for size in [1usize, 7, 8, 9, 63, 64, 65, 150] {
        let submissions = (0..size).map(|n| match n % 5 {
            0 => Submission { tags: vec!["t".into()], ..submission("video") },
            1 => submission("audio").keyed(format!("{size}-{n}").into()),
            2 => Submission { expires_in: Some(Duration::from_hours(1)), ..submission("video") },
            _ => submission("video"),
        });
        let waiting = apply(&mut store, vec![Command::Submit(submissions.collect())]);
        assert_stored(&store, &waiting);

        let lease = |job: &Arc<Job>| lease_command(job.id.number());
        let leased = apply(&mut store, waiting.iter().map(lease).collect());
        assert_stored(&store, &leased);

        let settle = |(n, job): (usize, &Arc<Job>)| {
            let lease = job.lease.as_ref().unwrap().token(job.id.number());
            let error = Failure { problem: format!("{{\"n\":{n}}}").into() };
            match n % 4 {
                0 => Command::Fail { lease, error, retryable: true, retry_after: None, cancelled: false },
                1 => Command::Complete { lease, result: None },
                _ => Command::Complete { lease, result: Some(json("{\"ok\":true}")) },
            }
        };
        let settled = apply(&mut store, leased.iter().enumerate().map(settle).collect());
        assert_stored(&store, &settled);
    }
    let all: u64 = store.reader.counts().unwrap().iter().flat_map(|counts| counts.by_status).sum();
    assert_eq!(all, 1 + 7 + 8 + 9 + 63 + 64 + 65 + 150);
    assert_eq!(store.reader.expired(NOW.after(Duration::from_hours(1)), 1000).unwrap().len(), 16);
    drop(store);
    assert_eq!(open(directory.path()).reader.trouble(), Vec::<String>::new());
}
