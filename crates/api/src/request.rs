//! Reading a request's JSON, with a problem that says what is wrong and where.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

use crate::objects::Objects;
use crate::{Code, Faults, Problem};

/// JSON that a client sends.
pub trait Request<'a>: Deserialize<'a> {
    /// Notes what breaks a limit, or does not fit together, although each field has the right type.
    fn check(&self, faults: &mut Faults);
}

/// Reads and checks a body.
///
/// # Errors
/// An `invalid-request` that points at the fields at fault, or names line and column of what is no JSON.
pub fn parse<'a, T: Request<'a>>(body: &'a [u8]) -> Result<T, Problem> {
    // Tracking the path costs time on every field; so a body is read again with it only once it was refused.
    let request: T = read(body).map_err(|error| refusal::<T>(body, &error))?;
    checked(request)
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> serde_json::Result<T> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let request = T::deserialize(Objects(&mut json))?;
    json.end().map(|()| request)
}

/// Checks a request that was put together in another way than by [`parse`].
///
/// # Errors
/// An `invalid-request` that points at the fields at fault.
pub fn checked<'a, T: Request<'a>>(request: T) -> Result<T, Problem> {
    let mut faults = Faults::new();
    request.check(&mut faults);
    faults.into_result().map(|()| request)
}

/// Reads and checks one line of an NDJSON body; `number` is its number, counted from 1.
///
/// # Errors
/// As [`parse`]; the pointers begin with the line's number.
pub fn parse_line<'a, T: Request<'a>>(number: usize, line: &'a [u8]) -> Result<T, Problem> {
    parse(line).map_err(|problem| problem.on_line(number))
}

/// Reads and checks a body that may be left out, for requests whose fields are all optional.
///
/// # Errors
/// As [`parse`].
pub fn parse_or_default<'a, T: Request<'a> + Default>(body: &'a [u8]) -> Result<T, Problem> {
    if body.is_empty() { Ok(T::default()) } else { parse(body) }
}

/// The problem of a body that `error` refused.
fn refusal<'a, T: Deserialize<'a>>(body: &'a [u8], error: &serde_json::Error) -> Problem {
    match error.classify() {
        Category::Data => {
            let mut deserializer = serde_json::Deserializer::from_slice(body);
            let pointer = match serde_path_to_error::deserialize::<_, T>(Objects(&mut deserializer)) {
                Err(tracked) => pointer(tracked.path()),
                Ok(_) => String::new(),
            };
            fault(pointer, &without_position(error))
        }
        Category::Eof if body.trim_ascii().is_empty() => {
            Problem::new(Code::InvalidRequest, "the body is empty; JSON was expected")
        }
        Category::Syntax | Category::Eof | Category::Io => {
            Problem::new(Code::InvalidRequest, format!("the body is not JSON that can be read: {error}"))
        }
    }
}

/// A field at fault. serde knows a missing field by its parent, so its name comes from the message.
fn fault(mut pointer: String, message: &str) -> Problem {
    if let Some(rest) = message.strip_prefix("unknown field `") {
        // The last match, for the name itself may hold anything.
        let expected = rest.rfind("`, expected ").map_or("", |end| &rest[end + "`, ".len()..]);
        return Problem::at(pointer, format!("is not a field that is known here: {expected}"));
    }
    if let Some(name) = message.strip_prefix("missing field `") {
        push(&mut pointer, name.trim_end_matches('`'));
        return Problem::at(pointer, "is missing");
    }
    Problem::at(pointer, shortened(&of_json(message), MESSAGE_SHOWN))
}

/// The message in the words of JSON, where it is in those of Rust: serde names the type that was to be read.
fn of_json(message: &str) -> Cow<'_, str> {
    // The last match, for what was found may be a text that holds anything.
    let Some((found, expected)) = message.rsplit_once(", expected ") else { return Cow::Borrowed(message) };
    let Some((what, found)) = found.split_once(": ").filter(|(what, _)| what.starts_with("invalid ")) else {
        return Cow::Borrowed(message);
    };
    let found = match found {
        "sequence" => "array",
        "map" => "object",
        other => other,
    };
    let expected = match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number that is not negative",
        "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "a sequence" => "an array",
        "a map" => "an object",
        name if name.starts_with("struct ") => "an object",
        other => other,
    };
    Cow::Owned(format!("{what}: {found}, expected {expected}"))
}

/// The characters of an unknown field's name that an answer repeats.
const NAME_SHOWN: usize = 100;

/// The characters of a message that an answer repeats: it may quote the request.
const MESSAGE_SHOWN: usize = 500;

fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The message without " at line 1 column 2": the pointer says where.
fn without_position(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    message.strip_suffix(&position).unwrap_or(&message).to_owned()
}

/// The JSON pointer (RFC 6901) of a path.
fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => push(&mut pointer, &index.to_string()),
            // serde_json hands a raw value on as a map with a key of its own.
            Segment::Map { key } if !key.starts_with("$serde_json::") => push(&mut pointer, key),
            Segment::Map { .. } | Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

/// The pointer to a member of the document itself; of a long name its beginning.
pub(crate) fn pointer_to(name: &str) -> String {
    let mut pointer = String::new();
    push(&mut pointer, name);
    pointer
}

fn push(pointer: &mut String, token: &str) {
    pointer.push('/');
    pointer.push_str(&shortened(token, NAME_SHOWN).replace('~', "~0").replace('/', "~1"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Envelope, Heartbeat, LeaseRequest, QueuePatch, QueueSettings, RedriveRequest, limits};

    fn envelope(body: &str) -> Problem {
        parse::<Envelope<'_>>(body.as_bytes()).unwrap_err()
    }

    fn pointed(body: &str) -> (String, String) {
        let problem = envelope(body);
        assert_eq!(problem.code(), Some(Code::InvalidRequest));
        let fault = problem.errors.first().unwrap_or_else(|| panic!("{problem}"));
        (fault.pointer.clone(), fault.detail.clone())
    }

    #[test]
    fn faults_are_pointed_at() {
        for (body, pointer, detail) in [
            (
                r#"{"queue":"q","prioriti":1}"#,
                "/prioriti",
                "is not a field that is known here: expected one of `queue`",
            ),
            (r#"{"queue":"q","backoff":{"bas":"1s"}}"#, "/backoff/bas", "is not a field"),
            (r#"{"queue":"q","then":[{"queue":"r"},{"queue":"s","a/b~":1}]}"#, "/then/1/a~1b~0", "is not a field"),
            (r#"{"queue":"q","a`, expected b":1}"#, "/a`, expected b", "is not a field"),
            (r"{}", "/queue", "is missing"),
            (r#"{"queue":"q","then":[{}]}"#, "/then/0/queue", "is missing"),
            (r#"{"queue":7}"#, "/queue", "invalid type: integer `7`, expected a string"),
            (r#"{"queue":"q","priority":10}"#, "/priority", "must be 0 to 9"),
            (r#"{"queue":"q","priority":256}"#, "/priority", "must be 0 to 9"),
            (r#"{"queue":"q","priority":-1}"#, "/priority", "must be 0 to 9"),
            (
                r#"{"queue":"q","priority":1.5}"#,
                "/priority",
                "invalid type: floating point `1.5`, expected a whole number",
            ),
            (r#"{"queue":"q","max_attempts":-1}"#, "/max_attempts", "must be 1 to 10000"),
            (r#"{"queue":"q","max_attempts":1e12}"#, "/max_attempts", "invalid type: floating point"),
            (r#"{"queue":"q","max_attempts":5000000000}"#, "/max_attempts", "must be 1 to 10000"),
            (r#"{"queue":"q","priority":"high"}"#, "/priority", "invalid type"),
            (r#"{"queue":"q","delay":"soon"}"#, "/delay", "a duration is digits and one of"),
            (r#"{"queue":"q","delay":30}"#, "/delay", "invalid type: integer `30`, expected a duration such as"),
            (r#"{"queue":"q","run_at":"soon"}"#, "/run_at", "a time is written as RFC 3339"),
            (r#"{"queue":"q","tags":["a",1]}"#, "/tags/1", "invalid type"),
            (r#"{"queue":"q","on_failure":"x"}"#, "/on_failure", "unknown variant `x`, expected one of `cancel`"),
            (r#"{"queue":"q","queue":"r"}"#, "", "duplicate field `queue`"),
            ("[]", "", "invalid type: array, expected an object"),
            (r#"["q"]"#, "", "invalid type: array, expected an object"),
            (r#"{"queue":"q","backoff":["1s",2]}"#, "/backoff", "invalid type: array, expected an object"),
            (r#"{"queue":"q","then":[{"queue":"r"},["s"]]}"#, "/then/1", "invalid type: array, expected an object"),
            ("7", "", "invalid type: integer `7`, expected an object"),
        ] {
            let (at, what) = pointed(body);
            assert_eq!(at, pointer, "{body}: {what}");
            assert!(what.starts_with(detail), "{body}: {what}");
        }
    }

    #[test]
    fn no_message_speaks_of_rust() {
        fn said<'a, T: Request<'a> + std::fmt::Debug>(body: &'a str) -> String {
            parse::<T>(body.as_bytes()).unwrap_err().detail.clone()
        }
        for (detail, expected) in [
            (said::<Envelope<'_>>("null"), "invalid type: null, expected an object"),
            (said::<Envelope<'_>>(r#"{"queue":[]}"#), "`/queue` invalid type: array, expected a string"),
            (said::<Envelope<'_>>(r#"{"queue":{}}"#), "`/queue` invalid type: object, expected a string"),
            (
                said::<Envelope<'_>>(r#"{"queue":"q","priority":"a, expected u8"}"#),
                "`/priority` invalid type: string \"a, expected u8\", expected a whole number",
            ),
            (said::<Envelope<'_>>(r#"{"queue":"q","tags":{}}"#), "`/tags` invalid type: object, expected an array"),
            (
                said::<Envelope<'_>>(r#"{"queue":"q","on_failure":5}"#),
                "`/on_failure` invalid type: integer `5`, expected a string",
            ),
            (
                said::<Envelope<'_>>(r#"{"queue":"q","callback":"u"}"#),
                "`/callback` invalid type: string \"u\", expected an object",
            ),
            (
                said::<Envelope<'_>>(r#"{"queue":"q","backoff":{"factor":"2"}}"#),
                "`/backoff/factor` invalid type: string \"2\", expected a number",
            ),
            (said::<LeaseRequest<'_>>(r#"{"queues":["q"],"max":-1}"#), "`/max` must be 1 to 1000"),
            (said::<LeaseRequest<'_>>(r#"{"queues":["q"],"max":65536}"#), "`/max` must be 1 to 1000"),
            (said::<Heartbeat<'_>>(r#"{"progress":5}"#), "`/progress` invalid type: integer `5`, expected an object"),
            (said::<QueuePatch>("[]"), "invalid type: array, expected an object"),
            (said::<RedriveRequest>(r#"{"rate":{"limit":-1,"per":"1s"}}"#), "`/rate/limit` must be 1 to 1000000"),
            (
                QueueSettings::parse(br#"{"concurrency":-1}"#).unwrap_err().detail.clone(),
                "`/concurrency` must be 1 to 1000000",
            ),
            (said::<QueuePatch>(r#"{"push":1}"#), "`/push` invalid type: integer `1`, expected an object"),
        ] {
            assert_eq!(detail, expected);
        }
    }

    #[test]
    fn what_is_no_json_is_told_by_line_and_column() {
        for (body, detail) in [
            (&b""[..], "the body is empty"),
            (b" \n", "the body is empty"),
            (b"{\"queue\":\n x}", "the body is not JSON that can be read: expected value at line 2 column 2"),
            (b"{\"queue\":\"q\"", "the body is not JSON that can be read: EOF while parsing an object"),
            (b"{\"queue\":\"q\"}{}", "the body is not JSON that can be read: trailing characters"),
            (b"{\"queue\":\"\xff\"}", "the body is not JSON that can be read: invalid unicode code point"),
            (
                b"{\"queue\":\"q\",\"payload\":\"\xff\"}",
                "the body is not JSON that can be read: invalid unicode code point",
            ),
            (b"{\"queue\":\"q\",\"payload\":[1,]}", "the body is not JSON that can be read: "),
            (b"\xef\xbb\xbf{}", "the body is not JSON that can be read: expected value"),
        ] {
            let problem = parse::<Envelope<'_>>(body).unwrap_err();
            assert!(problem.detail.starts_with(detail), "{problem}");
            assert_eq!(problem.errors, []);
        }
    }

    #[test]
    fn depth_is_an_error_and_no_stack_overflow() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        let payload = |depth: usize| format!(r#"{{"queue":"q","payload":{}}}"#, nested(depth));
        assert!(parse::<Envelope<'_>>(payload(limits::DEPTH).as_bytes()).is_ok());
        for depth in [limits::DEPTH + 1, 100_000] {
            let (pointer, detail) = pointed(&payload(depth));
            assert_eq!((pointer.as_str(), detail.as_str()), ("/payload", "is nested deeper than 100 levels"));
        }
        for body in [nested(100_000), format!(r#"{{"queue":{}}}"#, nested(100_000)), "[".repeat(100_000)] {
            parse::<Envelope<'_>>(body.as_bytes()).unwrap_err();
        }
        let then = r#"{"queue":"q","then":["#.repeat(100_000);
        assert!(envelope(&then).detail.contains("recursion limit exceeded"));
        let unknown = format!(r#"{{"queue":"q","x":{}}}"#, nested(100_000));
        assert_eq!(pointed(&unknown).0, "/x");
    }

    #[test]
    fn an_answer_repeats_only_the_beginning_of_what_was_wrong() {
        let (pointer, _) = pointed(&format!(r#"{{"queue":"q","{}":1}}"#, "é".repeat(10_000)));
        assert_eq!(pointer.chars().count(), 1 + NAME_SHOWN + 1);
        let (_, detail) = pointed(&format!(r#"{{"queue":"q","priority":"{}"}}"#, "é".repeat(10_000)));
        assert_eq!(detail.chars().count(), MESSAGE_SHOWN + 1);
    }

    #[test]
    fn a_body_may_be_left_out_where_every_field_may() {
        assert_eq!(parse_or_default::<Heartbeat<'_>>(b"").unwrap().ttl, None);
        assert!(parse_or_default::<Heartbeat<'_>>(b" ").is_err());
        assert!(parse_or_default::<Heartbeat<'_>>(b"{}").is_ok());
    }

    #[test]
    fn a_line_says_its_number() {
        let problem = parse_line::<Envelope<'_>>(12, br#"{"queue":"q","priority":10}"#).unwrap_err();
        assert_eq!(problem.errors[0].pointer, "/12/priority");
        let problem = parse_line::<Envelope<'_>>(12, b"{").unwrap_err();
        assert_eq!(problem.errors[0].pointer, "/12");
    }
}
