//! What is damaged costs what needs it, and nothing else.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{After, Answer, Body, Command, JSON, Job, Name, Status, Submission};
use ackd_engine::{Engine, WorkRequest};
use ackd_ports::SystemClock;

fn name() -> Name {
    Name::new("video").unwrap()
}

async fn submit(engine: &Engine, after: Vec<After>) -> Arc<Job> {
    let payload = Body { content_type: JSON.into(), bytes: "1".into() };
    let submission = Submission { after, ..Submission::new(name(), payload) };
    match engine.run(vec![Command::Submit(vec![submission])]).await.unwrap().pop() {
        Some(Ok(Answer::Accepted(accepted))) => Arc::clone(&accepted[0].job),
        other => panic!("{other:?}"),
    }
}

async fn lease(engine: &Engine) -> Vec<Command> {
    let request = WorkRequest {
        queues: vec![name()],
        kinds: Vec::new(),
        max: 10,
        wait: Duration::from_secs(10),
        worker: None,
        ttl: None,
        inline: 1 << 20,
    };
    let mut grants = engine.lease(request).await.unwrap();
    grants.delivered();
    let result = Body { content_type: JSON.into(), bytes: "17".into() };
    let done = |lease| Command::Complete { lease, result: Some(result.clone()) };
    grants.leases().iter().map(|granted| done(granted.token)).collect()
}

/// It would be handed out and given back every second until it expires, and nobody would hear why.
#[tokio::test]
async fn a_damaged_result_fails_the_job_that_is_handed_it() {
    let (engine, faults) = common::engine(Arc::new(SystemClock::start()));
    let first = submit(&engine, Vec::new()).await;
    let next = submit(&engine, vec![After::Job(first.id)]).await;
    let last = submit(&engine, vec![After::Job(next.id)]).await;
    let done = lease(&engine).await;
    assert_eq!(done.len(), 1);
    faults.damage_result(first.id.number());
    engine.run(done).await.unwrap();
    assert!(lease(&engine).await.is_empty(), "a worker is given a job without what it is to be handed");
    // What the engine does about it is before this in its mailbox.
    let other = submit(&engine, Vec::new()).await;
    let ended = engine.record(next.id).await.unwrap().unwrap();
    assert_eq!((ended.job.status, ended.job.attempt), (Status::Failed, 1));
    assert!(ended.job.error.as_ref().unwrap().problem.contains("damaged"));
    assert_eq!(engine.job(last.id).await.unwrap().unwrap().status, Status::Cancelled);
    assert_eq!(lease(&engine).await.len(), 1);
    assert_eq!(engine.job(other.id).await.unwrap().unwrap().status, Status::Processing);
    engine.stop();
}
