use std::sync::Arc;

use ackd_domain::Position;
use ackd_ports::UrlError;
use bytes::Bytes;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const MOST: usize = 100;

fn push(is_async: bool, fail_on: Option<&[u16]>) -> Push {
    let fail_on = fail_on.map(Arc::from);
    Push { url: "http://x".into(), concurrency: None, timeout: Some(90 * SECOND), is_async, fail_on }
}

fn lease() -> LeaseToken {
    LeaseToken { number: 2, fence: Position(1), secret: 3 }
}

fn answer(status: u16) -> Reply {
    Reply { took: Duration::from_micros(1500), ..Reply::empty(status) }
}

fn of(push: &Push, reply: Reply) -> Command {
    posted(push, lease(), Ok(reply), SECOND, MOST)
}

/// What a command comes to, in a word.
fn word(command: &Command) -> &'static str {
    match command {
        Command::Complete { .. } => "done",
        Command::Heartbeat { .. } => "later",
        Command::Fail { retryable: true, cancelled: false, .. } => "again",
        Command::Fail { retryable: false, cancelled: false, .. } => "failed",
        other => panic!("{other:?}"),
    }
}

fn problem(command: &Command) -> serde_json::Value {
    let Command::Fail { error, .. } = command else { panic!("{command:?}") };
    serde_json::from_str(&error.problem).unwrap()
}

#[test]
fn every_status_comes_to_what_the_queue_says() {
    let some: &[u16] = &[404, 500];
    for status in 100..600 {
        for (is_async, fail_on) in
            [(false, None), (true, None), (false, Some(some)), (true, Some(some)), (false, Some(&[][..]))]
        {
            let expected = match (status, fail_on) {
                (202, _) if is_async => "later",
                (200..=299, _) => "done",
                (400 | 410 | 413 | 415 | 422, None) => "failed",
                (404 | 500, Some([404, 500])) => "failed",
                _ => "again",
            };
            let push = push(is_async, fail_on);
            assert_eq!(word(&of(&push, answer(status))), expected, "{status}, async {is_async}, {fail_on:?}");
        }
    }
}

#[test]
fn the_answer_is_the_result() {
    let body = |content_type: Option<&str>, bytes: &'static [u8]| Reply {
        content_type: content_type.map(Arc::from),
        body: Bytes::from_static(bytes),
        ..answer(200)
    };
    for (reply, result) in [
        (body(Some("image/png"), b"\x89PNG"), Some(("image/png", &b"\x89PNG"[..]))),
        (body(None, b"x"), Some(("application/octet-stream", b"x"))),
        (body(Some("text/plain"), b""), Some(("text/plain", b""))),
        (body(None, b""), None),
    ] {
        let result = result
            .map(|(content_type, bytes)| Body { content_type: content_type.into(), bytes: Bytes::from_static(bytes) });
        assert_eq!(of(&push(false, None), reply), Command::Complete { lease: lease(), result });
    }
}

#[test]
fn what_is_settled_later_has_the_time_of_a_post() {
    // Whatever it says with it.
    let reply = Reply { body: Bytes::from_static(b"later"), end: BodyEnd::Lost, ..answer(202) };
    let ttl = Some(90 * SECOND);
    let beat = Command::Heartbeat { lease: lease(), ttl, progress: None, checkpoint: None };
    assert_eq!(of(&push(true, None), reply), beat);
}

#[test]
fn an_answer_that_is_too_large_fails_for_good_and_one_that_broke_off_does_not() {
    let reply = |end| Reply { body: Bytes::from(vec![b'x'; MOST]), end, ..answer(200) };
    let cut = of(&push(false, None), reply(BodyEnd::Cut));
    assert_eq!(word(&cut), "failed");
    let problem = problem(&cut);
    assert_eq!(problem["title"], "the target's answer is larger than 100 bytes, the most that a result may be");
    assert_eq!(problem["type"], "/problems/push-too-large");
    assert_eq!(word(&of(&push(false, None), reply(BodyEnd::Lost))), "again");
}

#[test]
fn the_error_says_what_the_target_answered() {
    let said = Bytes::from_static(b"say \"no\"\xff");
    let problem = problem(&of(&push(false, None), Reply { body: said, ..answer(422) }));
    let expected = serde_json::json!({
        "title": "the target answered 422", "status_code": 422, "took_us": 1500, "answer": "say \"no\"\u{fffd}",
    });
    assert_eq!(problem, expected);
}

#[test]
fn the_type_of_a_problem_that_the_target_answers_is_that_of_the_error() {
    let cause = |content_type: &str, body: &'static str| {
        let reply = Reply { content_type: Some(content_type.into()), body: body.into(), ..answer(422) };
        problem(&of(&push(false, None), reply))["type"].as_str().map(str::to_owned)
    };
    let quota = r#"{"type":"https://x.example/quota","title":"too many","detail":"7"}"#;
    let typed = Some("https://x.example/quota".to_owned());
    assert_eq!(cause("application/problem+json", quota), typed);
    assert_eq!(cause("Application/Problem+JSON; charset=utf-8", quota), typed);
    for (content_type, body) in [
        ("application/json", quota),
        ("application/problem+json", r#"{"title":"too many"}"#),
        ("application/problem+json", r#"{"type":7}"#),
        ("application/problem+json", r#"{"type":""}"#),
        ("application/problem+json", r#"{"type":"https://x.exam"#),
        ("application/problem+json", "[]"),
        ("application/problem+json", ""),
    ] {
        assert_eq!(cause(content_type, body), None, "{content_type}: {body}");
    }
}

#[test]
fn retry_after_is_obeyed_for_a_day_at_most_and_nothing_is_no_time() {
    let day = 86_400 * SECOND;
    for (asked, obeyed) in [
        (None, None),
        (Some(Duration::ZERO), None),
        (Some(SECOND), Some(SECOND)),
        (Some(day), Some(day)),
        (Some(day + SECOND), Some(day)),
        (Some(Duration::MAX), Some(day)),
    ] {
        let Command::Fail { retry_after, .. } = of(&push(false, None), Reply { retry_after: asked, ..answer(503) })
        else {
            panic!("a 503 is done")
        };
        assert_eq!(retry_after, obeyed, "{asked:?}");
    }
}

#[test]
fn where_there_is_no_answer_it_depends_on_whether_there_could_ever_be_one() {
    let closed = posted(&push(false, None), lease(), Err(OutboundError::Closed("reset".into())), SECOND, MOST);
    assert_eq!(word(&closed), "again");
    let problem = problem(&closed);
    assert_eq!(problem["title"], "the connection was lost before the answer: reset");
    assert_eq!((&problem["took_us"], problem.get("status_code")), (&1_000_000.into(), None));
    let never = OutboundError::Url(UrlError::Scheme);
    assert_eq!(word(&posted(&push(false, None), lease(), Err(never), SECOND, MOST)), "failed");
}
