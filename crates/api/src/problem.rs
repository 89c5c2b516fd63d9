//! Errors as `application/problem+json` (RFC 9457).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Deref, DerefMut};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::Fault;

/// The media type of a problem (RFC 9457, section 3).
pub const MEDIA_TYPE: &str = "application/problem+json";

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $status:literal, $title:literal;)+) => {
        /// What went wrong, in a word that programs can tell apart. Its text, HTTP status and title stand in one table.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $(
                $(#[$doc])*
                #[doc = concat!("\n\n`", $code, "`, HTTP status ", stringify!($status), ".")]
                $variant,
            )+
        }

        impl Code {
            /// Every code of this version.
            pub const ALL: &[Code] = &[$(Code::$variant),+];

            /// The code as it stands in a problem, kebab-case.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $code,)+ }
            }

            /// The path of the problem's `type`: `/problems/` and the code.
            #[must_use]
            pub const fn path(self) -> &'static str {
                match self { $(Code::$variant => concat!("/problems/", $code),)+ }
            }

            /// The HTTP status that answers with it (RFC 9110, section 15).
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Code::$variant => $status,)+ }
            }

            /// The problem's `title`: the same words for every occurrence.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Code::$variant => $title,)+ }
            }

            /// The code with this text, where this version knows it.
            #[must_use]
            pub fn from_text(text: &str) -> Option<Code> {
                match text { $($code => Some(Code::$variant),)+ _ => None }
            }
        }
    };
}

codes! {
    /// The request cannot be read, names something unknown, or breaks a limit.
    InvalidRequest = "invalid-request", 400, "The request is not valid";
    /// Credentials are missing or wrong (reserved for later).
    Unauthorized = "unauthorized", 401, "Credentials are missing or wrong";
    /// The caller may not do this: a reserved name, or a foreign `Origin`.
    Forbidden = "forbidden", 403, "This is not allowed";
    /// There is nothing at this address, or no longer.
    NotFound = "not-found", 404, "There is nothing here";
    /// The address exists; the method does not fit it.
    MethodNotAllowed = "method-not-allowed", 405, "The method does not fit this address";
    /// The request came too slowly.
    Timeout = "timeout", 408, "The request took too long to arrive";
    /// The lease lapsed, was superseded or settled, or never was.
    LeaseLost = "lease-lost", 409, "The lease is not held any more";
    /// The job has ended already.
    AlreadyFinished = "already-finished", 409, "The job has already finished";
    /// The job has not ended yet.
    NotFinished = "not-finished", 409, "The job has not finished yet";
    /// Another job with the same unique key has not ended.
    NotUnique = "not-unique", 409, "Another job has the same unique key";
    /// There is no result, for the job failed.
    JobFailed = "job-failed", 409, "The job failed";
    /// There is no result, for the job was cancelled.
    JobCancelled = "job-cancelled", 409, "The job was cancelled";
    /// There is no result, for the job was not done in time.
    Expired = "expired", 410, "The job expired before it was done";
    /// A condition of the request (`If-Match`) does not hold.
    PreconditionFailed = "precondition-failed", 412, "A condition of the request does not hold";
    /// The body, or a batch, is over its limit.
    TooLarge = "too-large", 413, "The request is too large";
    /// The body's media type is not one that is read here.
    UnsupportedMediaType = "unsupported-media-type", 415, "The media type is not supported here";
    /// `Host` names another server.
    MisdirectedRequest = "misdirected-request", 421, "This server does not answer for that host";
    /// The idempotency key was used for another request.
    IdempotencyMismatch = "idempotency-mismatch", 422, "The idempotency key belongs to another request";
    /// Too many requests; `Retry-After` says when to come again.
    RateLimited = "rate-limited", 429, "Too many requests";
    /// Something went wrong inside of the server that is not the request's fault.
    Internal = "internal", 500, "The server failed";
    /// Stored data does not match its checksum.
    Damaged = "damaged", 500, "Stored data is damaged";
    /// The server is stopping, or the queue is being drained; `Retry-After` says when to come again.
    Draining = "draining", 503, "Nothing new is taken";
    /// The server is at a limit; `Retry-After` says when to come again.
    Overloaded = "overloaded", 503, "The server is overloaded";
    /// The store has failed for good: nothing is accepted until the server is started again.
    StoreFailed = "store-failed", 503, "The store has failed";
    /// `/readyz`: something is amiss, and `trouble` lists it.
    NotReady = "not-ready", 503, "The server is not ready";
    /// The disk is full; reading goes on.
    StorageFull = "storage-full", 507, "The storage is full";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A problem document (RFC 9457): the body of every answer that is an error. The request that it answers has changed
/// nothing.
///
/// Its fields are those of [`Fields`]; they stand in a box, for an error should not make each `Result` large.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(transparent)]
#[error("{} ({}): {}", fields.title, fields.status, fields.detail)]
pub struct Problem {
    fields: Box<Fields>,
}

/// The fields of a [`Problem`].
///
/// A member whose value has not its type is read as if it were absent (RFC 9457, section 3.1).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename = "Problem", description = "A problem document (RFC 9457).")]
pub struct Fields {
    /// A URI reference that names the kind of problem: `/problems/` and the code, absolute where the server knows its
    /// public URL. Empty where the answer came from elsewhere and had none.
    #[serde(rename = "type", deserialize_with = "or_absent")]
    pub kind: Cow<'static, str>,
    /// The code as text; [`Problem::code`] gives it as a [`Code`]. A newer server may use one unknown here.
    #[serde(deserialize_with = "or_absent")]
    pub code: Cow<'static, str>,
    /// The kind of problem in words, the same for each occurrence.
    #[serde(deserialize_with = "or_absent")]
    pub title: Cow<'static, str>,
    /// The HTTP status.
    #[serde(deserialize_with = "or_absent")]
    pub status: u16,
    /// What was wrong this time, where, and what to do.
    #[serde(deserialize_with = "or_absent")]
    pub detail: String,
    /// The fields at fault, if fields are.
    #[serde(deserialize_with = "or_absent", skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Fault>,
    /// Further members (RFC 9457, section 3.2).
    #[serde(flatten)]
    pub extensions: BTreeMap<String, Value>,
}

/// What is said of these faults in one line: the first of them. What is wrong with a body as a whole has no pointer.
fn told(errors: &[Fault]) -> String {
    let Some((first, rest)) = errors.split_first() else { return String::new() };
    let place = if first.pointer.is_empty() { String::new() } else { format!("`{}` ", first.pointer) };
    let more = if rest.is_empty() { String::new() } else { format!(" (and {} more)", rest.len()) };
    format!("{place}{}{more}", first.detail)
}

fn or_absent<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(deserializer)?).unwrap_or_default())
}

impl Problem {
    /// The problem with this code, and `detail` for what was wrong this time.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Problem {
        Problem {
            fields: Box::new(Fields {
                kind: code.path().into(),
                code: code.as_str().into(),
                title: code.title().into(),
                status: code.status(),
                detail: detail.into(),
                errors: Vec::new(),
                extensions: BTreeMap::new(),
            }),
        }
    }

    /// An `invalid-request` with one field at fault; see [`Fault::pointer`].
    #[must_use]
    pub fn at(pointer: impl Into<String>, detail: impl Into<String>) -> Problem {
        Problem::invalid(vec![Fault { pointer: pointer.into(), detail: detail.into() }])
    }

    /// An `invalid-request` with these fields at fault.
    #[must_use]
    pub fn invalid(errors: Vec<Fault>) -> Problem {
        let mut problem = Problem::new(Code::InvalidRequest, told(&errors));
        problem.errors = errors;
        problem
    }

    /// Adds a field at fault.
    #[must_use]
    pub fn with_error(mut self, pointer: impl Into<String>, detail: impl Into<String>) -> Problem {
        self.errors.push(Fault { pointer: pointer.into(), detail: detail.into() });
        self
    }

    /// Adds a further member.
    #[must_use]
    pub fn with_extension(mut self, name: impl Into<String>, value: impl Into<Value>) -> Problem {
        self.extensions.insert(name.into(), value.into());
        self
    }

    /// Makes `type` absolute, for a server that knows its public URL (without a trailing slash).
    #[must_use]
    pub fn with_base(mut self, public_url: &str) -> Problem {
        if self.kind.starts_with('/') {
            self.kind = format!("{}{}", public_url.trim_end_matches('/'), self.kind).into();
        }
        self
    }

    /// Puts where a part of the request stands in front of where its faults are.
    #[must_use]
    pub fn within(mut self, at: &str) -> Problem {
        let is_told = self.detail == told(&self.errors);
        for fault in &mut self.errors {
            fault.pointer.insert_str(0, at);
        }
        if is_told {
            self.detail = told(&self.errors);
        }
        self
    }

    /// Puts the line of an NDJSON body, counted from 1, in front of where the faults are.
    #[must_use]
    pub fn on_line(mut self, line: usize) -> Problem {
        self.detail = format!("line {line}: {}", self.detail);
        if self.errors.is_empty() {
            let detail = self.detail.clone();
            self.errors.push(Fault { pointer: String::new(), detail });
        }
        for fault in &mut self.errors {
            fault.pointer.insert_str(0, &format!("/{line}"));
        }
        self
    }

    /// The code, where this version knows it.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        Code::from_text(&self.code)
    }

    /// Whether the code is `code`.
    #[must_use]
    pub fn is(&self, code: Code) -> bool {
        self.code == code.as_str()
    }
}

impl JsonSchema for Problem {
    fn schema_name() -> Cow<'static, str> {
        Fields::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Fields::json_schema(generator)
    }
}

impl Deref for Problem {
    type Target = Fields;

    fn deref(&self) -> &Fields {
        &self.fields
    }
}

impl DerefMut for Problem {
    fn deref_mut(&mut self) -> &mut Fields {
        &mut self.fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_what_the_contract_says() {
        let problem = Problem::new(Code::LeaseLost, "the lease lapsed at …");
        assert_eq!(
            serde_json::to_string(&problem).unwrap(),
            r#"{"type":"/problems/lease-lost","code":"lease-lost","title":"The lease is not held any more","status":409,"detail":"the lease lapsed at …"}"#
        );
        let problem = Problem::at("/priority", "must be 0 to 9").with_base("https://ackd.example/");
        assert_eq!(problem.kind, "https://ackd.example/problems/invalid-request");
        assert_eq!(problem.detail, "`/priority` must be 0 to 9");
        assert_eq!(problem.errors[0].pointer, "/priority");
    }

    #[test]
    fn every_code_is_told_apart_and_read_back() {
        for code in Code::ALL {
            assert_eq!(Code::from_text(code.as_str()), Some(*code));
            assert_eq!(code.path().strip_prefix("/problems/"), Some(code.as_str()));
            assert!((400..600).contains(&code.status()));
        }
        assert_eq!(Code::from_text("later"), None);
    }

    #[test]
    fn what_a_newer_server_or_a_proxy_says_is_kept_whole() {
        let text = r#"{"type":"about:blank","code":"later","title":"T","status":418,"detail":"D","balance":30}"#;
        let problem: Problem = serde_json::from_str(text).unwrap();
        assert_eq!(problem.code(), None);
        assert_eq!(problem.extensions["balance"], 30);
        assert_eq!(serde_json::to_string(&problem).unwrap(), text);
        assert_eq!(serde_json::from_str::<Problem>("{}").unwrap().status, 0);
    }

    #[test]
    fn a_member_of_a_wrong_type_is_none() {
        let text = r#"{"type":7,"code":{},"title":"T","status":"500","detail":null,"errors":[1],"x":[1]}"#;
        let problem: Problem = serde_json::from_str(text).unwrap();
        assert_eq!((&*problem.title, problem.status, problem.errors.len()), ("T", 0, 0));
        assert_eq!(problem.extensions["x"][0], 1);
    }

    #[test]
    fn an_error_is_small_to_hand_on() {
        assert_eq!(size_of::<Problem>(), size_of::<usize>());
    }

    #[test]
    fn a_part_stands_in_front_of_the_pointer() {
        let problem = Problem::at("/priority", "must be 0 to 9").within("/job");
        assert_eq!(problem.errors[0].pointer, "/job/priority");
        assert_eq!(problem.detail, "`/job/priority` must be 0 to 9");
        assert_eq!(Problem::new(Code::NotFound, "is gone").within("/job").errors, []);
        // Of one that is told in other words the words stay.
        let other = Problem::new(Code::NotFound, "there is no such job").with_error("/after", "there is no such job");
        let other = other.within("/jobs/0");
        assert_eq!((&*other.detail, &*other.errors[0].pointer), ("there is no such job", "/jobs/0/after"));
        let several = vec![
            Fault { pointer: "/a".into(), detail: "is bad".into() },
            Fault { pointer: "/b".into(), detail: "is worse".into() },
        ];
        assert_eq!(Problem::invalid(several).within("/x").detail, "`/x/a` is bad (and 1 more)");
    }

    #[test]
    fn a_whole_body_has_no_pointer_to_show() {
        let problem = Problem::at("", "is no object");
        assert_eq!((&*problem.detail, &*problem.errors[0].pointer), ("is no object", ""));
        assert_eq!(problem.clone().on_line(6).detail, "line 6: is no object");
        assert_eq!(problem.within("/job").detail, "`/job` is no object");
    }

    #[test]
    fn a_line_stands_in_front_of_the_pointer() {
        let problem = Problem::at("/priority", "must be 0 to 9").on_line(3);
        assert_eq!(problem.errors[0].pointer, "/3/priority");
        assert_eq!(problem.detail, "line 3: `/priority` must be 0 to 9");
        let problem = Problem::new(Code::InvalidRequest, "is no JSON").on_line(1);
        assert_eq!(problem.errors, [Fault { pointer: "/1".into(), detail: "line 1: is no JSON".into() }]);
    }
}
