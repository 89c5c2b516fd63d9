//! What is an event, and what is refused as none.

use std::borrow::Cow;

use super::{CloudEvent, Data};
use crate::{Problem, limits};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A good event with further members.
fn event(more: &str) -> String {
    let comma = if more.is_empty() { "" } else { "," };
    format!(r#"{{"specversion":"1.0","id":"A234","source":"/mycontext","type":"com.example.some"{comma}{more}}}"#)
}

fn pointers(problem: &Problem) -> Vec<String> {
    assert_eq!(problem.status, 400, "{problem}");
    problem.errors.iter().map(|fault| fault.pointer.clone()).collect()
}

fn refused(body: &str) -> Vec<String> {
    pointers(&CloudEvent::parse(body.as_bytes()).map(|event| panic!("{body}: {event:?}")).unwrap_err())
}

fn key(body: &str) -> String {
    CloudEvent::parse(body.as_bytes()).unwrap().envelope().idempotency_key.unwrap().into_owned()
}

#[test]
fn an_event_is_an_envelope() {
    let body = event(&format!(
        r#""ackdqueue":"video","traceparent":"{TRACE}","time":"2018-04-05T17:31:00Z","subject":"s","dataschema":"urn:x",
        "comexampleextension1":"value","comexampleothervalue":5,"flag":true,"unset":null,"data":{{"a" : 1}}"#
    ));
    let event = CloudEvent::parse(body.as_bytes()).unwrap();
    let envelope = event.envelope();
    assert_eq!(
        serde_json::to_string(&envelope).unwrap(),
        format!(
            r#"{{"queue":"video","type":"com.example.some","idempotency_key":"/mycontext A234","traceparent":"{TRACE}"}}"#
        )
    );
    assert!(matches!(&event.data, Some(Data::Json(json)) if json.get() == r#"{"a" : 1}"#));
    assert!(matches!(event.id, Cow::Borrowed(_)));
    assert_eq!(CloudEvent::parse(self::event("").as_bytes()).unwrap().queue(), ("com.example.some", "/type".into()));
}

#[test]
fn the_data_is_what_its_type_says() {
    let data = |more: &str| match CloudEvent::parse(event(more).as_bytes()).unwrap().data {
        None => "none".to_owned(),
        Some(Data::Json(json)) => format!("json {}", json.get()),
        Some(Data::Text(text)) => format!("text {text}"),
        Some(Data::Base64(text)) => format!("base64 {text}"),
    };
    for (more, expected) in [
        ("", "none"),
        (r#""data":null"#, "json null"),
        (r#""data":"{}""#, r#"json "{}""#),
        (r#""data":[1 ],"datacontenttype":"text/json; charset=utf-8""#, "json [1 ]"),
        (r#""datacontenttype":"application/vnd.x+JSON","data":1"#, "json 1"),
        (r#""datacontenttype":null,"data":1"#, "json 1"),
        (r#""datacontenttype":"application/xml","data":"<a b=\"c\"/>""#, "text <a b=\"c\"/>"),
        (r#""datacontenttype":"text/plain","data":"""#, "text "),
        (r#""datacontenttype":"image/png","data_base64":"AAE=""#, "base64 AAE="),
        (r#""data_base64":"AAE=""#, "base64 AAE="),
        (r#""data_base64":null"#, "none"),
        (r#""data_base64":null,"data":1"#, "json 1"),
    ] {
        assert_eq!(data(more), expected, "{more}");
    }
    for (more, pointer) in [
        (r#""data":1,"data_base64":"AAE=""#, "/data_base64"),
        (r#""data":null,"data_base64":"AAE=""#, "/data_base64"),
        (r#""data":1,"data":1"#, "/data"),
        (r#""data_base64":"","data_base64":"""#, "/data_base64"),
        (r#""data_base64":7"#, "/data_base64"),
        (r#""datacontenttype":"text/plain","data":{}"#, "/data"),
        (r#""datacontenttype":"text/plain","data":null"#, "/data"),
    ] {
        assert_eq!(refused(&event(more)), [pointer], "{more}");
    }
}

#[test]
fn what_every_event_has_is_asked_for() {
    assert_eq!(refused("{}"), ["/specversion", "/id", "/source", "/type"]);
    let nulls = r#"{"specversion":null,"id":null,"source":null,"type":null}"#;
    assert_eq!(refused(nulls), ["/specversion", "/id", "/source", "/type"]);
    for name in ["id", "source", "type", "specversion"] {
        let body = event("");
        let value = body.split(&format!(r#""{name}":"#)).nth(1).unwrap().split([',', '}']).next().unwrap();
        for bad in [r#""""#, "7", "true", "[]", "{}", "1.5", r#""\u0007""#, r#""\ud800""#] {
            let body = body.replace(&format!(r#""{name}":{value}"#), &format!(r#""{name}":{bad}"#));
            assert_eq!(refused(&body), [format!("/{name}")], "{body}");
        }
        assert_eq!(refused(&event(&format!(r#""{name}":{value}"#))), [format!("/{name}")]);
    }
    for version in ["0.3", "1.0.2", "2.0", "1"] {
        assert_eq!(refused(&event("").replace("\"1.0\"", &format!("{version:?}"))), ["/specversion"]);
    }
    for body in ["", "[]", "7", "null", "{", "{\"id\":1", "[{}]"] {
        assert!(CloudEvent::parse(body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn attributes_are_what_they_should_be() {
    for (more, pointer) in [
        (r#""time":"yesterday""#, "/time"),
        (r#""time":"""#, "/time"),
        (r#""time":1700000000"#, "/time"),
        (r#""subject":"""#, "/subject"),
        (r#""subject":{}"#, "/subject"),
        (r#""dataschema":"/schema""#, "/dataschema"),
        (r#""dataschema":"""#, "/dataschema"),
        (r#""datacontenttype":"json""#, "/datacontenttype"),
        (r#""datacontenttype":"""#, "/datacontenttype"),
        (r#""datacontenttype":7"#, "/datacontenttype"),
        (r#""ackdqueue":"a b""#, "/ackdqueue"),
        (r#""ackdqueue":"""#, "/ackdqueue"),
        (r#""ackdqueue":7"#, "/ackdqueue"),
        (r#""ackdqueue":"a","ackdqueue":"a""#, "/ackdqueue"),
        (r#""ackdqueue":"a","ackdqueue":null"#, "/ackdqueue"),
        (r#""ackdqueue":null,"ackdqueue":"a""#, "/ackdqueue"),
        (r#""id":null"#, "/id"),
        (r#""data":1,"data":null"#, "/data"),
        (r#""data_base64":"AA==","data_base64":null"#, "/data_base64"),
        (r#""data_base64":null,"data_base64":"AA==""#, "/data_base64"),
        (r#""number":1,"number":1"#, "/number"),
        (r#""traceparent":"x""#, "/traceparent"),
        (r#""CamelCase":"x""#, "/CamelCase"),
        (r#""snake_case":1"#, "/snake_case"),
        (r#""data_base65":null"#, "/data_base65"),
        (r#""a/b":true"#, "/a~1b"),
        (r#""":"x""#, "/"),
        (r#""number":1.5"#, "/number"),
        (r#""number":1e3"#, "/number"),
        (r#""number":2147483648"#, "/number"),
        (r#""list":[]"#, "/list"),
        (r#""text":"\u0000""#, "/text"),
    ] {
        assert_eq!(refused(&event(more)), [pointer], "{more}");
    }
    for good in [r#""number":2147483647"#, r#""number":-2147483648"#, r#""subject":null"#, r#""empty":"""#] {
        assert!(CloudEvent::parse(event(good).as_bytes()).is_ok(), "{good}");
    }
    assert_eq!(refused(&event("").replace("/mycontext", "my context")), ["/source"]);
    // A type that is no name of a queue wants another queue.
    let body = event("").replace("com.example.some", "com/example");
    assert_eq!(refused(&body), ["/type"]);
    assert!(CloudEvent::parse(body.replace('}', r#","ackdqueue":"q"}"#).as_bytes()).is_ok());
}

#[test]
fn each_limit_holds_at_its_edge_and_breaks_one_beyond() {
    let id = |bytes: usize| event("").replace("A234", &"x".repeat(bytes));
    let most = limits::KEY_BYTES - 1 - "/mycontext".len();
    assert_eq!(key(&id(most)).len(), limits::KEY_BYTES);
    assert_eq!(refused(&id(most + 1)), ["/id"]);
    let kind = |bytes: usize| event(r#""ackdqueue":"q""#).replace("com.example.some", &"x".repeat(bytes));
    assert!(CloudEvent::parse(kind(limits::TYPE_BYTES).as_bytes()).is_ok());
    assert_eq!(refused(&kind(limits::TYPE_BYTES + 1)), ["/type"]);
    let media = |bytes: usize| event(&format!(r#""datacontenttype":"a/{}""#, "x".repeat(bytes - 2)));
    assert!(CloudEvent::parse(media(limits::CONTENT_TYPE_BYTES).as_bytes()).is_ok());
    assert_eq!(refused(&media(limits::CONTENT_TYPE_BYTES + 1)), ["/datacontenttype"]);
    let nested = |depth: usize| event(&format!(r#""data":{}{}"#, "[".repeat(depth), "]".repeat(depth)));
    assert!(CloudEvent::parse(nested(limits::DEPTH).as_bytes()).is_ok());
    assert_eq!(refused(&nested(limits::DEPTH + 1)), ["/data"]);
    assert_eq!(refused(&nested(1).replace("[]", r#""\ud800""#)), ["/data"]);
    let extensions = |count: usize| {
        let all: Vec<String> = (0..count).map(|at| format!(r#""x{at}":{at}"#)).collect();
        event(&all.join(","))
    };
    assert!(CloudEvent::parse(extensions(limits::EVENT_MEMBERS - 4).as_bytes()).is_ok());
    let problem = CloudEvent::parse(extensions(limits::EVENT_MEMBERS - 3).as_bytes()).unwrap_err();
    assert!(problem.detail.contains("more than 100 members"), "{problem}");
}

#[test]
fn no_two_events_have_one_key() {
    assert_eq!(key(&event("")), "/mycontext A234");
    let other = event("").replace("/mycontext", "/my").replace("A234", "context A234");
    assert_eq!(key(&other), "/my context A234");
}

#[test]
fn headers_are_pointed_at_by_their_names() {
    let headers = |more: &[(&'static str, Option<&'static str>)], content_type: Option<&'static str>| {
        let all = [("specversion", Some("1.0")), ("id", Some("1")), ("source", Some("/s")), ("type", Some("t"))];
        let all = all.into_iter().chain(more.iter().copied()).map(|(name, value)| (name, value.map(Cow::Borrowed)));
        CloudEvent::from_headers(all.collect::<Vec<_>>(), content_type)
    };
    let event = headers(&[("time", Some("2018-04-05T03:56:24Z")), ("ext", Some(""))], Some("image/png")).unwrap();
    assert_eq!((event.kind.as_ref(), event.content_type.as_deref()), ("t", Some("image/png")));
    assert_eq!(event.queue(), ("t", "/ce-type".into()));
    for (more, pointer) in [
        (("datacontenttype", Some("text/plain")), "/ce-datacontenttype"),
        (("data", Some("x")), "/ce-data"),
        (("subject", None), "/ce-subject"),
        (("time", Some("now")), "/ce-time"),
        (("id", Some("2")), "/ce-id"),
        (("my-ext", Some("x")), "/ce-my-ext"),
        (("", Some("x")), "/ce-"),
        (("ackdqueue", Some("a b")), "/ce-ackdqueue"),
    ] {
        assert_eq!(pointers(&headers(&[more], None).unwrap_err()), [pointer]);
    }
    // What cannot be decoded is not missing too.
    let all = [("specversion", Some("1.0")), ("id", None), ("source", Some("/s")), ("type", Some("t"))];
    let all = all.map(|(name, value)| (name, value.map(Cow::Borrowed)));
    assert_eq!(pointers(&CloudEvent::from_headers(all, None).unwrap_err()), ["/ce-id"]);
    assert_eq!(pointers(&headers(&[], Some("png")).unwrap_err()), ["/content-type"]);
    let none = CloudEvent::from_headers([], None).unwrap_err();
    assert_eq!(pointers(&none), ["/ce-specversion", "/ce-id", "/ce-source", "/ce-type"]);
}
