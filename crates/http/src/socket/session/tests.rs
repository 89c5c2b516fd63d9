use ackd_domain::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::submission::{Terms, payload_apart, submission};
use crate::targets::{Outbounds, Targets};

#[derive(Debug)]
struct Plain;

impl Host for Plain {
    fn accept(&self, envelope: &Envelope<'_>) -> Result<Submission, Problem> {
        let targets = Targets::new(Outbounds::nowhere());
        let terms = Terms { targets: &targets, payload: 10, wall: &Timestamp::default };
        submission(envelope, payload_apart(envelope.payload, 10)?, &terms)
    }

    fn addressed(&self, problem: Problem) -> Problem {
        problem.with_base("https://ackd.example")
    }
}

/// A session, and what it wants done, in words.
struct Table(Session<Plain>);

impl Table {
    fn new() -> Table {
        Table(Session::new(Plain))
    }

    fn step(&mut self, input: Input<'_>) -> Vec<String> {
        let mut outputs = Vec::new();
        self.0.step(input, &mut outputs);
        outputs.into_iter().map(word).collect()
    }

    fn say(&mut self, frame: Value) -> Vec<String> {
        self.step(Input::Message(&frame.to_string()))
    }

    fn told(&mut self, key: Key, told: Told) -> Vec<String> {
        self.step(Input::Told(key, told))
    }

    fn event(&mut self, key: Key) -> Vec<String> {
        self.told(key, Told::Event { frame: br#"{"op":"event"}"#.to_vec(), is_last: false })
    }

    /// Nothing is left of any subscription.
    fn is_empty(&self) -> bool {
        let Session { by_sid, subscriptions, weight, opening, .. } = &self.0;
        by_sid.is_empty() && subscriptions.is_empty() && (*weight, *opening) == (0, 0)
    }
}

fn word(output: Output) -> String {
    match output {
        Output::Send(frame) => {
            let frame: Value = serde_json::from_slice(&frame).unwrap();
            let named = ["ref", "sid"].into_iter().filter_map(|name| frame.get(name));
            let code = frame.pointer("/problem/code").and_then(Value::as_str);
            let pointer = frame.pointer("/problem/errors/0/pointer").and_then(Value::as_str);
            let mut words = vec![frame["op"].as_str().unwrap().to_owned()];
            words.extend(named.map(Value::to_string));
            words.extend(code.into_iter().chain(pointer).map(str::to_owned));
            words.join(" ")
        }
        Output::Submit(reference, submission) => format!("submit {reference:?} {}", submission.queue),
        Output::Open(key, _) => format!("open {key}"),
        Output::Pull(key) => format!("pull {key}"),
        Output::Forget(key) => format!("forget {key}"),
        Output::Close(close) => format!("close {:?}", close.map(|close| close.code.0)),
    }
}

fn subscribe(sid: &str) -> Value {
    json!({"op": "subscribe", "sid": sid, "queue": "q"})
}

#[test]
fn a_subscription_is_opened_pulled_and_ended() {
    let mut table = Table::new();
    assert_eq!(table.say(subscribe("a")), ["open 1"]);
    assert_eq!(table.told(1, Told::Open), ["pull 1"]);
    assert_eq!(table.event(1), ["event", "pull 1"]);
    assert_eq!(table.told(1, Told::CaughtUp("p".into())), [r#"caught_up "a""#, "pull 1"]);
    assert_eq!(table.told(1, Told::Lagging), [r#"lagging "a""#, "pull 1"]);
    assert_eq!(table.told(1, Told::Reset("p".into())), [r#"reset "a""#, "pull 1"]);
    let last = Told::Event { frame: br#"{"op":"event"}"#.to_vec(), is_last: true };
    assert_eq!(table.told(1, last), ["event", r#"ended "a""#]);
    assert!(table.is_empty());
    // Its name may be used again, and what it would still tell is for nobody.
    assert_eq!(table.say(subscribe("a")), ["open 2"]);
    assert_eq!(table.event(1), [""; 0]);
    assert_eq!(table.told(2, Told::Over), [r#"ended "a""#]);
    assert!(table.is_empty());
}

#[test]
fn nothing_is_pulled_beyond_the_credit() {
    let mut table = Table::new();
    let mut frame = subscribe("a");
    frame["credit"] = 0.into();
    assert_eq!(table.say(frame), ["open 1"]);
    // Where it begins is no event.
    assert_eq!(table.told(1, Told::CaughtUp("p".into())), [r#"caught_up "a""#]);
    let credit = |n: u64| json!({"op": "credit", "sid": "a", "n": n});
    assert_eq!(table.say(credit(2)), ["pull 1"]);
    assert_eq!(table.say(credit(1)), [""; 0]);
    assert_eq!(table.event(1), ["event", "pull 1"]);
    assert_eq!(table.told(1, Told::Lagging), [r#"lagging "a""#, "pull 1"]);
    assert_eq!(table.event(1), ["event", "pull 1"]);
    assert_eq!(table.event(1), ["event"]);
    assert_eq!(table.say(credit(limits::CREDIT)), ["pull 1"]);
    assert_eq!(table.say(credit(1)), [r#"error "a" invalid-request /n"#]);
    assert_eq!(table.event(1), ["event", "pull 1"]);
    assert_eq!(table.say(credit(1)), [""; 0]);

    assert_eq!(table.say(subscribe("b")), ["open 2"]);
    assert_eq!(
        table.say(json!({"op": "credit", "sid": "b", "n": 1})),
        [r#"error "b" invalid-request /sid"#],
        "it tells everything anyway"
    );
    // One that ends while a credit for it is on its way.
    assert_eq!(table.told(2, Told::Over), [r#"ended "b""#]);
    assert_eq!(table.say(json!({"op": "credit", "sid": "b", "n": 1})), [""; 0]);
}

#[test]
fn who_unsubscribes_hears_no_more() {
    let mut table = Table::new();
    let unsubscribe = |sid: &str| json!({"op": "unsubscribe", "sid": sid});
    table.say(subscribe("a"));
    table.told(1, Told::Open);
    assert_eq!(table.say(subscribe("a")), [r#"error "a" invalid-request /sid"#]);
    assert_eq!(table.say(unsubscribe("a")), ["forget 1", r#"ended "a""#]);
    assert!(table.is_empty());
    // It had ended while this was on its way.
    assert_eq!(table.say(unsubscribe("a")), [""; 0]);
    // One that is being opened is opened to its end, and counts until then.
    assert_eq!(table.say(subscribe("a")), ["open 2"]);
    assert_eq!(table.say(unsubscribe("a")), [r#"ended "a""#]);
    assert!(!table.is_empty());
    assert_eq!(table.say(subscribe("a")), ["open 3"]);
    assert_eq!(table.told(2, Told::Open), ["forget 2"]);
    assert_eq!(table.told(3, Told::Open), ["pull 3"]);
}

#[test]
fn a_subscription_that_fails_says_why_and_ends() {
    let mut table = Table::new();
    table.say(subscribe("a"));
    let gone = Told::Failed(Problem::new(Code::NotFound, "there is no such job"));
    assert_eq!(table.told(1, gone), [r#"error "a" not-found"#, r#"ended "a""#]);
    assert!(table.is_empty());
    for (field, value, pointer) in [("after", "7", "/after"), ("queue", "ackd.x", "/queue")] {
        let mut frame = subscribe("a");
        frame[field] = value.into();
        assert!(table.say(frame)[0].ends_with(pointer), "{field}");
    }
    let frame = json!({"op": "subscribe", "sid": "a", "job": "x"});
    assert_eq!(table.say(frame), [r#"error "a" invalid-request /job"#]);
    assert!(table.is_empty());
}

#[test]
fn a_few_are_opened_at_once_and_the_rest_in_turn() {
    let mut table = Table::new();
    for at in 1..=OPENING {
        assert_eq!(table.say(subscribe(&at.to_string())), [format!("open {at}")]);
    }
    let (next, after_it) = (OPENING + 1, OPENING + 2);
    assert_eq!(table.say(subscribe("waits")), [""; 0]);
    assert_eq!(table.say(subscribe("waits too")), [""; 0]);
    assert_eq!(
        table.say(json!({"op": "unsubscribe", "sid": "waits"})),
        [format!("forget {next}"), r#"ended "waits""#.into()]
    );
    assert_eq!(table.told(1, Told::Open), ["pull 1".to_owned(), format!("open {after_it}")]);
}

#[test]
fn subscriptions_are_bounded() {
    let mut table = Table::new();
    for at in 0..SUBSCRIPTIONS {
        assert!(!table.say(subscribe(&at.to_string())).iter().any(|word| word.starts_with("error")));
    }
    assert_eq!(table.say(subscribe("a")), [r#"error "a" rate-limited"#]);
    assert_eq!(table.say(json!({"op": "unsubscribe", "sid": "9999"})).len(), 2);
    // A large one counts more than once.
    let mut large = subscribe("a");
    large["tag"] = vec!["x".repeat(255); 5].into();
    assert_eq!(table.say(large), [r#"error "a" rate-limited"#]);
    assert_eq!(table.say(subscribe("a")), [""; 0]);
    // Whoever comes and goes leaves nothing behind.
    for _ in 0..3 * SUBSCRIPTIONS {
        table.say(json!({"op": "unsubscribe", "sid": "a"}));
        table.say(subscribe("a"));
    }
    assert!(table.0.waiting.len() <= 2 * SUBSCRIPTIONS && table.0.weight == SUBSCRIPTIONS);
}

#[test]
fn submissions_are_answered_and_bounded() {
    let mut table = Table::new();
    let submit = |reference: usize| json!({"op": "submit", "ref": reference, "job": {"queue": "q"}});
    for at in 0..SUBMITS {
        assert!(table.0.listens());
        assert_eq!(table.say(submit(at)), [format!("submit Number({at}) q")]);
    }
    assert!(!table.0.listens());
    assert_eq!(table.step(Input::Answered(br#"{"op":"accepted","ref":0}"#.to_vec())), ["accepted 0"]);
    assert!(table.0.listens());
    for (job, pointer) in [
        (json!({"queue": "ackd.x"}), "forbidden /job/queue"),
        (json!({"queue": "q", "payload": "123456789"}), "too-large /job/payload"),
        (json!({"queue": "q", "nonsense": 1}), "invalid-request /job/nonsense"),
    ] {
        assert_eq!(table.say(json!({"op": "submit", "ref": 7, "job": job})), [format!("error 7 {pointer}")]);
    }
    assert_eq!(table.say(json!({"op": "submit", "ref": 7, "job": {"queue": "q", "payload": "12345678"}})).len(), 1);
}

#[test]
fn what_is_no_frame_is_an_error_and_no_end() {
    let mut table = Table::new();
    assert_eq!(table.step(Input::Message("{")), ["error invalid-request"]);
    assert_eq!(table.say(json!({"op": "fly", "sid": 3})), ["error 3 invalid-request /op"]);
    assert!(table.0.listens());
}

#[test]
fn the_end_comes_once_what_was_submitted_is_answered() {
    let mut table = Table::new();
    table.say(subscribe("a"));
    table.say(json!({"op": "submit", "ref": 1, "job": {"queue": "q"}}));
    assert_eq!(table.step(Input::Stopping), [""; 0]);
    assert!(!table.0.listens());
    assert_eq!(table.told(1, Told::Stopping), [""; 0]);
    assert_eq!(table.step(Input::Answered(br#"{"op":"accepted"}"#.to_vec())), ["accepted", "close Some(1001)"]);
    assert_eq!(table.event(1), [""; 0]);

    assert_eq!(Table::new().step(Input::Stopping), ["close Some(1001)"]);
    assert_eq!(Table::new().step(Input::Violation(Violation::NotUtf8)), ["close Some(1007)"]);
    assert_eq!(Table::new().step(Input::Closed(None)), ["close None"]);
    let why = Close { code: CloseCode(3000), reason: "mine".to_owned() };
    assert_eq!(Table::new().step(Input::Closed(Some(why))), ["close Some(3000)"]);
}
