//! The frames of the WebSocket sub-protocol `ackd.v1`: JSON texts that are told apart by `op`.
//!
//! A frame of a client is read as strictly as a body is; one of the server is read leniently, for a newer server may say
//! more.

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::{Envelope, EventName, Faults, JobDocument, Problem, Request, Status, limits, parse, text};

/// The sub-protocol, as `Sec-WebSocket-Protocol` names it.
pub const PROTOCOL: &str = "ackd.v1";

/// What a client calls a request (`ref`) or a subscription (`sid`): a number, or a text of 1 to 128 bytes. The server
/// repeats it as it came.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a text, or a number that is whole and not negative")]
pub enum Label {
    /// A number.
    Number(u64),
    /// A text.
    Text(Box<str>),
}

impl Label {
    fn check(&self, pointer: &str, faults: &mut Faults) {
        if let Label::Text(text) = self {
            faults.text(pointer, text, limits::LABEL_BYTES);
        }
    }
}

impl From<u64> for Label {
    fn from(number: u64) -> Label {
        Label::Number(number)
    }
}

impl From<&str> for Label {
    fn from(text: &str) -> Label {
        Label::Text(text.into())
    }
}

/// What a client can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientOp {
    /// [`Submit`].
    Submit,
    /// [`Subscribe`].
    Subscribe,
    /// [`Unsubscribe`].
    Unsubscribe,
    /// [`Credit`].
    Credit,
}

impl ClientOp {
    fn from_text(text: &str) -> Option<ClientOp> {
        match text {
            "submit" => Some(ClientOp::Submit),
            "subscribe" => Some(ClientOp::Subscribe),
            "unsubscribe" => Some(ClientOp::Unsubscribe),
            "credit" => Some(ClientOp::Credit),
            _ => None,
        }
    }
}

/// A frame of a client.
#[derive(Debug, Clone)]
pub enum ClientFrame<'a> {
    /// A job to be accepted.
    Submit(Box<Submit<'a>>),
    /// Events to be told.
    Subscribe(Subscribe<'a>),
    /// Events not to be told any more.
    Unsubscribe(Unsubscribe),
    /// More events may be told.
    Credit(Credit),
}

/// Accept a job: answered by `accepted` or `error` with the same `ref`. Answers may overtake each other.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Submit<'a> {
    /// `submit`.
    pub op: ClientOp,
    /// What the answer is to be called.
    #[serde(rename = "ref")]
    pub reference: Label,
    /// The job.
    #[serde(borrow)]
    pub job: Envelope<'a>,
}

/// Tell what happens to one job, or to all that match a filter. Nothing but `sid`: to all jobs.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subscribe<'a> {
    /// `subscribe`.
    pub op: ClientOp,
    /// What the subscription is to be called; another than those that are open on the socket.
    pub sid: Label,
    /// The id of the one job. Not together with a filter.
    #[serde(borrow, default, deserialize_with = "text::option", skip_serializing_if = "Option::is_none")]
    pub job: Option<Cow<'a, str>>,
    /// Only jobs of these queues: a name or a list of them, at most 100. So for the filter's other fields.
    #[serde(borrow, default, deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub queue: Vec<Cow<'a, str>>,
    /// Only events after which the job is in one of these statuses.
    #[serde(borrow, default, deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<Cow<'a, str>>,
    /// Only jobs with one of these tags.
    #[serde(borrow, default, deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub tag: Vec<Cow<'a, str>>,
    /// Only jobs of these types.
    #[serde(rename = "type", borrow, default, deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub kind: Vec<Cow<'a, str>>,
    /// The position after which to begin, or `earliest`. Absent: one job with its current state, a filter with what
    /// happens from now on.
    #[serde(borrow, default, deserialize_with = "text::option", skip_serializing_if = "Option::is_none")]
    pub after: Option<Cow<'a, str>>,
    /// How many events may be told before more are granted, at most 1 000 000 000. Absent: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_000_000_000))]
    pub credit: Option<u64>,
}

/// End a subscription. Its last frame is `ended`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unsubscribe {
    /// `unsubscribe`.
    pub op: ClientOp,
    /// The subscription.
    pub sid: Label,
}

/// Let a subscription that was opened with `credit` tell so many events more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Credit {
    /// `credit`.
    pub op: ClientOp,
    /// The subscription.
    pub sid: Label,
    /// How many, at least 1. Together with what is left at most 1 000 000 000.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub n: u64,
}

impl<'a> Request<'a> for Submit<'a> {
    fn check(&self, faults: &mut Faults) {
        self.reference.check("/ref", faults);
        faults.within(|| "/job".to_owned(), |faults| self.job.check(faults));
    }
}

impl<'a> Request<'a> for Subscribe<'a> {
    fn check(&self, faults: &mut Faults) {
        self.sid.check("/sid", faults);
        if let Some(job) = &self.job {
            faults.text("/job", job, limits::TOKEN_BYTES);
        }
        each("/queue", &self.queue, faults, |faults, queue| faults.name("", queue));
        each("/status", &self.status, faults, |faults, status| {
            if Status::from_text(status).is_none() {
                faults.add("", "must be INIT, PROCESSING, DONE, FAILED, CANCELLED or EXPIRED");
            }
        });
        each("/tag", &self.tag, faults, |faults, tag| faults.text("", tag, limits::TAG_BYTES));
        each("/type", &self.kind, faults, |faults, kind| faults.text("", kind, limits::TYPE_BYTES));
        for (pointer, values) in
            [("/queue", &self.queue), ("/status", &self.status), ("/tag", &self.tag), ("/type", &self.kind)]
        {
            faults.not_both(pointer, !values.is_empty(), "job", self.job.is_some());
        }
        if let Some(after) = &self.after {
            faults.text("/after", after, limits::TOKEN_BYTES);
        }
        faults.range("/credit", self.credit, 0, limits::CREDIT);
    }
}

impl Request<'_> for Unsubscribe {
    fn check(&self, faults: &mut Faults) {
        self.sid.check("/sid", faults);
    }
}

impl Request<'_> for Credit {
    fn check(&self, faults: &mut Faults) {
        self.sid.check("/sid", faults);
        faults.range("/n", Some(self.n), 1, limits::CREDIT);
    }
}

fn each(pointer: &str, values: &[Cow<'_, str>], faults: &mut Faults, check: impl Fn(&mut Faults, &str)) {
    faults.count(pointer, values.len(), limits::FILTER_VALUES);
    for (at, value) in values.iter().enumerate().take(limits::FILTER_VALUES) {
        faults.within(|| format!("{pointer}/{at}"), |faults| check(faults, value));
    }
}

/// A text, or a list of texts; null is none.
fn one_or_many<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Cow<'a, str>>, D::Error> {
    struct OneOrMany;
    impl<'de> Visitor<'de> for OneOrMany {
        type Value = Vec<Cow<'de, str>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text or a list of texts")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Vec::new())
        }

        fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
            Ok(vec![Cow::Borrowed(text)])
        }

        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            Ok(vec![Cow::Owned(text.to_owned())])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut texts = Vec::new();
            while let Some(text) = list.next_element::<Cow<'de, str>>()? {
                texts.push(text);
            }
            Ok(texts)
        }
    }
    deserializer.deserialize_any(OneOrMany)
}

/// A frame of a client that is not one, and whom it belongs to as far as that can be made out.
#[derive(Debug, Clone, PartialEq)]
pub struct RefusedFrame {
    /// Its `ref`.
    pub reference: Option<Label>,
    /// Its `sid`.
    pub sid: Option<Label>,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What every frame has.
#[derive(Deserialize)]
struct AnyOp<'a> {
    #[serde(borrow)]
    op: Cow<'a, str>,
}

impl<'a> Request<'a> for AnyOp<'a> {
    fn check(&self, _: &mut Faults) {}
}

#[derive(Deserialize)]
struct Labels<'a> {
    #[serde(rename = "ref", borrow, default)]
    reference: Option<&'a RawValue>,
    #[serde(borrow, default)]
    sid: Option<&'a RawValue>,
}

impl<'a> ClientFrame<'a> {
    /// Reads and checks a frame.
    ///
    /// # Errors
    /// An `invalid-request` that points at the fields at fault, with the frame's labels where it has any.
    pub fn read(frame: &'a str) -> Result<ClientFrame<'a>, Box<RefusedFrame>> {
        let bytes = frame.as_bytes();
        let read = parse::<AnyOp<'_>>(bytes).and_then(|any| match ClientOp::from_text(&any.op) {
            None => Err(Problem::at("/op", "must be submit, subscribe, unsubscribe or credit")),
            Some(ClientOp::Submit) => parse(bytes).map(|frame| ClientFrame::Submit(Box::new(frame))),
            Some(ClientOp::Subscribe) => parse(bytes).map(ClientFrame::Subscribe),
            Some(ClientOp::Unsubscribe) => parse(bytes).map(ClientFrame::Unsubscribe),
            Some(ClientOp::Credit) => parse(bytes).map(ClientFrame::Credit),
        });
        read.map_err(|problem| {
            let labels = serde_json::from_str::<Labels<'_>>(frame).ok();
            let label = |text: Option<&RawValue>| {
                let label: Label = serde_json::from_str(text?.get()).ok()?;
                // One that is too long is not repeated.
                let mut faults = Faults::new();
                label.check("", &mut faults);
                faults.into_result().ok().map(|()| label)
            };
            let (reference, sid) = labels.map_or((None, None), |it| (label(it.reference), label(it.sid)));
            Box::new(RefusedFrame { reference, sid, problem })
        })
    }
}

/// What the server says. A client ignores what it does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServerOp {
    /// `ref`, `job`: the job is accepted, and on disk.
    Accepted,
    /// `sid`, `id`, `event`, `job`: something happened.
    Event,
    /// `sid`: what had happened before is told; what follows is live.
    CaughtUp,
    /// `sid`: the client did not keep up; what it missed follows, and then `caught_up`.
    Lagging,
    /// `sid`, `id`: some events are no longer kept. It goes on from `id`; of one job, with its current state.
    Reset,
    /// `sid`: the subscription's last frame.
    Ended,
    /// `ref` or `sid`, `problem`: what was asked for is refused, or a subscription that was open cannot go on.
    Error,
    /// One of a newer server.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// A frame of the server. Which fields are there, [`ServerOp`] says.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ServerFrame<'a> {
    /// What it says.
    pub op: ServerOp,
    /// The request that it answers.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Label>,
    /// The subscription that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<Label>,
    /// A position, after which the subscription can be taken up again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Cow<'a, str>>,
    /// The event's name; see [`EventName`]. One of a newer server may be unknown here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Cow<'a, str>>,
    /// Whether the idempotency key was known, so that `job` is that of an earlier request.
    #[serde(default, skip_serializing_if = "is_false")]
    pub replayed: bool,
    /// Whether a job with the same unique key was there and stays as it is, so that `job` is that one.
    #[serde(default, skip_serializing_if = "is_false")]
    pub kept: bool,
    /// Whether a job with the same unique key was there, waited, and took payload and time of this submission.
    #[serde(default, skip_serializing_if = "is_false")]
    pub replaced: bool,
    /// The job: as it was accepted, or as of the event, then without payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<Box<JobDocument<'a>>>,
    /// What is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl<'a> ServerFrame<'a> {
    /// A frame with nothing but its kind.
    #[must_use]
    pub const fn new(op: ServerOp) -> ServerFrame<'a> {
        ServerFrame {
            op,
            reference: None,
            sid: None,
            id: None,
            event: None,
            replayed: false,
            kept: false,
            replaced: false,
            job: None,
            problem: None,
        }
    }

    /// A frame of a subscription.
    #[must_use]
    pub fn of(op: ServerOp, sid: Label) -> ServerFrame<'a> {
        ServerFrame { sid: Some(sid), ..ServerFrame::new(op) }
    }

    /// The head of an event's frame, to which its `job` is to be added.
    #[must_use]
    pub fn event(sid: Label, id: &'a str, name: EventName) -> ServerFrame<'a> {
        ServerFrame { id: Some(id.into()), event: Some(name.as_str().into()), ..ServerFrame::of(ServerOp::Event, sid) }
    }
}

#[cfg(test)]
mod tests;
