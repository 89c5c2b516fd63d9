use super::*;

fn refused(frame: &str) -> RefusedFrame {
    *ClientFrame::read(frame).unwrap_err()
}

#[test]
fn frames_are_told_apart_by_op() {
    let frame = r#"{"op":"submit","ref":"a","job":{"queue":"q","payload":[1, 2]}}"#;
    let ClientFrame::Submit(submit) = ClientFrame::read(frame).unwrap() else { panic!("{frame}") };
    assert_eq!((submit.reference, submit.job.payload.map(RawValue::get)), (Label::from("a"), Some("[1, 2]")));

    // The order of the fields does not matter.
    let frame =
        r#"{"queue":"q","status":["DONE","FAILED"],"type":"t","after":"p","credit":0,"sid":7,"op":"subscribe"}"#;
    let ClientFrame::Subscribe(subscribe) = ClientFrame::read(frame).unwrap() else { panic!("{frame}") };
    assert_eq!((&*subscribe.queue, &*subscribe.status), (&["q".into()][..], &["DONE".into(), "FAILED".into()][..]));
    assert_eq!((subscribe.sid, subscribe.credit, subscribe.after.as_deref()), (Label::from(7), Some(0), Some("p")));
    let ClientFrame::Subscribe(all) = ClientFrame::read(r#"{"op":"subscribe","sid":0}"#).unwrap() else { panic!() };
    assert!(all.job.is_none() && all.queue.is_empty() && all.credit.is_none());

    assert!(matches!(ClientFrame::read(r#"{"op":"unsubscribe","sid":"a"}"#), Ok(ClientFrame::Unsubscribe(_))));
    assert!(
        matches!(ClientFrame::read(r#"{"op":"credit","sid":"a","n":5}"#), Ok(ClientFrame::Credit(it)) if it.n == 5)
    );
}

#[test]
fn what_is_wrong_is_pointed_at_and_belongs_to_somebody() {
    let (a, seven) = (Some(Label::from("a")), Some(Label::from(7)));
    for (frame, pointer, reference, sid) in [
        (r#"{"op":"fly","sid":"a"}"#, "/op", None, a.clone()),
        (r#"{"sid":"a"}"#, "/op", None, a.clone()),
        (r#"{"op":1,"ref":7}"#, "/op", seven.clone(), None),
        (r#"{"op":"submit","ref":7,"job":{}}"#, "/job/queue", seven.clone(), None),
        (r#"{"op":"submit","ref":7}"#, "/job", seven.clone(), None),
        (r#"{"op":"submit","ref":7,"job":{"queue":"q","priority":10}}"#, "/job/priority", seven.clone(), None),
        (r#"{"op":"submit","ref":7,"job":{"queue":"q","x":1}}"#, "/job/x", seven.clone(), None),
        (r#"{"op":"submit","job":{"queue":"q"}}"#, "/ref", None, None),
        (r#"{"op":"subscribe","sid":"a","queu":"q"}"#, "/queu", None, a.clone()),
        (r#"{"op":"subscribe","sid":"a","queue":["q","-"]}"#, "/queue/1", None, a.clone()),
        (r#"{"op":"subscribe","sid":"a","queue":7}"#, "/queue", None, a.clone()),
        (r#"{"op":"subscribe","sid":"a","status":"done"}"#, "/status/0", None, a.clone()),
        (r#"{"op":"subscribe","sid":"a","job":"x","tag":"t"}"#, "/tag", None, a.clone()),
        (r#"{"op":"subscribe","sid":"a","credit":-1}"#, "/credit", None, a.clone()),
        (r#"{"op":"subscribe"}"#, "/sid", None, None),
        (r#"{"op":"subscribe","sid":-1}"#, "/sid", None, None),
        (r#"{"op":"subscribe","sid":""}"#, "/sid", None, None),
        (r#"{"op":"subscribe","sid":{"a":1}}"#, "/sid", None, None),
        (r#"{"op":"credit","sid":7,"n":0}"#, "/n", None, seven.clone()),
        (r#"{"op":"credit","sid":7,"n":1.5}"#, "/n", None, seven.clone()),
        (r#"{"op":"unsubscribe","sid":7,"n":1}"#, "/n", None, seven),
    ] {
        let refused = refused(frame);
        assert_eq!(refused.problem.errors.first().map(|fault| &*fault.pointer), Some(pointer), "{frame}");
        assert_eq!((refused.reference, refused.sid), (reference, sid), "{frame}");
        assert_eq!(refused.problem.status, 400);
    }
    for frame in ["", "{", "[]", "null", "\"submit\"", r#"{"op":"credit","sid":7,"n":1}x"#] {
        let refused = refused(frame);
        assert_eq!((refused.problem.status, refused.reference, refused.sid), (400, None, None), "{frame}");
    }
}

#[test]
fn limits_hold_at_their_edges() {
    let subscribe = |field: &str, value: serde_json::Value| {
        let mut frame = serde_json::json!({"op": "subscribe", "sid": "a"});
        frame[field] = value;
        ClientFrame::read(&frame.to_string()).map(drop).map_err(|refused| refused.problem.errors[0].pointer.clone())
    };
    let names = |count: usize| (0..count).map(|at| format!("q{at}")).collect::<Vec<_>>();
    for (field, good, bad, pointer) in [
        ("sid", "x".repeat(128).into(), "x".repeat(129).into(), "/sid"),
        ("queue", names(100).into(), names(101).into(), "/queue"),
        ("tag", "x".repeat(255).into(), "x".repeat(256).into(), "/tag/0"),
        ("credit", limits::CREDIT.into(), (limits::CREDIT + 1).into(), "/credit"),
        ("after", "x".repeat(512).into(), "x".repeat(513).into(), "/after"),
        ("job", "x".repeat(512).into(), "x".repeat(513).into(), "/job"),
    ] as [(_, serde_json::Value, serde_json::Value, _); 6]
    {
        assert_eq!(subscribe(field, good), Ok(()), "{field}");
        assert_eq!(subscribe(field, bad), Err(pointer.to_owned()), "{field}");
    }
    for field in ["queue", "status", "tag", "type", "job", "after", "credit"] {
        assert_eq!(subscribe(field, serde_json::Value::Null), Ok(()), "{field}");
    }
    // A label that is too long is not repeated.
    let frame = format!(r#"{{"op":"unsubscribe","sid":"{}"}}"#, "x".repeat(129));
    assert_eq!(refused(&frame).sid, None);
}

#[test]
fn what_a_client_writes_is_read() {
    let subscribe = Subscribe {
        op: ClientOp::Subscribe,
        sid: Label::from(1),
        job: None,
        queue: vec!["a".into(), "b".into()],
        status: Vec::new(),
        tag: vec!["x\"y".into()],
        kind: Vec::new(),
        after: Some("p".into()),
        credit: Some(9),
    };
    let text = serde_json::to_string(&subscribe).unwrap();
    assert_eq!(text, r#"{"op":"subscribe","sid":1,"queue":["a","b"],"tag":["x\"y"],"after":"p","credit":9}"#);
    let ClientFrame::Subscribe(read) = ClientFrame::read(&text).unwrap() else { panic!("{text}") };
    assert_eq!((read.queue, read.tag), (subscribe.queue, subscribe.tag));
}

#[test]
fn a_frame_of_a_newer_server_is_no_error() {
    let frame: ServerFrame<'static> = serde_json::from_str(r#"{"op":"sung","sid":1,"melody":[]}"#).unwrap();
    assert_eq!((frame.op, frame.sid), (ServerOp::Unknown, Some(Label::from(1))));
    let text = serde_json::to_string(&ServerFrame::event(Label::from("a"), "p", EventName::Progress)).unwrap();
    assert_eq!(text, r#"{"op":"event","sid":"a","id":"p","event":"progress"}"#);
}
