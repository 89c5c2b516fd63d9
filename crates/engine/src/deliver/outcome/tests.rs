use std::sync::Arc;

use super::*;

use ackd_domain::{
    Callback, JobId, Position, Secret, Spec, Status, Target, Timestamp, WebhookEvent, WebhookEvents, WebhookFormat,
};
use bytes::Bytes;

const SECOND: Duration = Duration::from_secs(1);

/// A delivery in its `attempt`-th attempt.
fn delivery(attempt: u32) -> Job {
    let submission = ackd_domain::Submission::new(
        ackd_domain::Name::webhooks().clone(),
        Body { content_type: JSON.into(), bytes: Bytes::new() },
    );
    let callback = Callback {
        url: "https://example.com/".into(),
        events: WebhookEvents::ALL,
        format: WebhookFormat::Standard,
        secret: Secret::new("whsec_x"),
    };
    let delivery = Delivery {
        source: JobId::new(Timestamp::default(), 1, 1),
        webhook_id: "msg_1".into(),
        event: WebhookEvent::Done,
        target: Target::Callback(callback.into()),
    };
    Job {
        id: JobId::new(Timestamp::default(), 2, 1),
        spec: Arc::new(Spec {
            queue: submission.queue,
            kind: None,
            priority: 5,
            group: None,
            max_attempts: 10,
            timeout: None,
            backoff: None,
            expires_in: SECOND,
            result_retention: None,
            key: None,
            tags: Vec::new(),
            traceparent: None,
            callback: None,
            ordering_key: None,
            unique: None,
            after: Vec::new(),
            on_failure: ackd_domain::OnFailure::Cancel,
            flow: None,
            delivery: Some(delivery.into()),
            dead_letter_of: None,
            payload_file: None,
            payload: submission.payload.info(),
        }),
        status: Status::Processing,
        version: 2,
        run: 1,
        attempt,
        run_at: Timestamp::default(),
        held: ackd_domain::Held::default(),
        expires_at: Timestamp::MAX,
        started_at: None,
        finished_at: None,
        cancel_requested_at: None,
        worker: None,
        lease: None,
        progress: None,
        error: None,
        checkpoint: None,
        result: None,
        result_file: None,
        changed: Position(1),
    }
}

fn lease() -> LeaseToken {
    LeaseToken { number: 2, fence: Position(1), secret: 3 }
}

fn answered(status: u16, retry_after: Option<Duration>) -> Result<Reply, OutboundError> {
    let body = Bytes::from_static(b"say \"no\"\xff");
    Ok(Reply { retry_after, took: Duration::from_micros(1500), body, ..Reply::empty(status) })
}

/// Whether it is tried again, after what wait where it is not the schedule's, and what is logged.
fn failed(outcome: &Outcome) -> (bool, Option<Duration>, &str) {
    match &outcome.settle {
        Command::Fail { error, retryable, retry_after, .. } => (*retryable, *retry_after, &error.problem),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_taken_is_done() {
    for status in [200, 204, 299] {
        let outcome = posted(&delivery(1), lease(), answered(status, None), SECOND);
        let logged = format!(r#"{{"status_code":{status},"took_us":1500}}"#);
        let result = Some(Body { content_type: JSON.into(), bytes: logged.into() });
        let settle = Command::Complete { lease: lease(), result };
        assert_eq!(outcome, Outcome { settle, post: PostOutcome::Taken });
    }
}

#[test]
fn what_is_not_taken_is_tried_again_and_a_redirect_is_not_taken() {
    for status in [199, 302, 307, 400, 404, 429, 500, 503] {
        let outcome = posted(&delivery(1), lease(), answered(status, None), SECOND);
        let (retryable, retry_after, logged) = failed(&outcome);
        assert_eq!((retryable, retry_after, outcome.post), (true, None, PostOutcome::Failed), "{status}");
        let logged: serde_json::Value = serde_json::from_str(logged).unwrap();
        assert_eq!(logged["title"], format!("the receiver answered {status}"));
        assert_eq!((&logged["status_code"], &logged["took_us"]), (&status.into(), &1500.into()));
        assert_eq!(logged["answer"], "say \"no\"\u{fffd}");
    }
}

#[test]
fn gone_is_gone() {
    let outcome = posted(&delivery(1), lease(), answered(410, Some(SECOND)), SECOND);
    let (retryable, ..) = failed(&outcome);
    assert_eq!((retryable, outcome.post), (false, PostOutcome::Gone));
}

#[test]
fn retry_after_is_obeyed_where_it_asks_for_more_than_the_schedule_and_for_a_day_at_most() {
    let day = 86_400 * SECOND;
    for (attempt, asked, obeyed) in [
        (1, 4 * SECOND, None),
        (1, 5 * SECOND, None),
        (1, 6 * SECOND, Some(6 * SECOND)),
        (2, 60 * SECOND, None),
        (2, 301 * SECOND, Some(301 * SECOND)),
        (1, day, Some(day)),
        (1, day + SECOND, Some(day)),
        (9, Duration::MAX, None),
    ] {
        let outcome = posted(&delivery(attempt), lease(), answered(503, Some(asked)), SECOND);
        let (_, retry_after, _) = failed(&outcome);
        assert_eq!(retry_after, obeyed, "attempt {attempt}, {asked:?}");
    }
}

#[test]
fn where_there_is_no_answer_it_depends_on_whether_there_could_ever_be_one() {
    let closed = OutboundError::Closed("reset".into());
    let outcome = posted(&delivery(1), lease(), Err(closed), SECOND);
    let (retryable, _, logged) = failed(&outcome);
    assert_eq!((retryable, outcome.post), (true, PostOutcome::Failed));
    let logged: serde_json::Value = serde_json::from_str(logged).unwrap();
    assert_eq!(logged["title"], "the connection was lost before the answer: reset");
    assert_eq!((&logged["took_us"], logged.get("status_code")), (&1_000_000.into(), None));
    let outcome = posted(&delivery(1), lease(), Err(OutboundError::Key), SECOND);
    assert!(!failed(&outcome).0);
}

#[test]
fn what_cannot_be_posted_fails_for_good_and_says_why() {
    let disabled = Disabled { at: Timestamp::default(), reason: ackd_domain::DisabledReason::Gone };
    for (why, words) in [
        (Void::Deleted, "no longer"),
        (Void::Disabled(disabled), "410"),
        (Void::Unsigned, "secret"),
        (Void::Unreadable, "read"),
    ] {
        let Command::Fail { error, retryable: false, .. } = void(lease(), why) else {
            panic!("{why:?} is tried again")
        };
        assert!(error.problem.contains(words), "{}", error.problem);
    }
}
