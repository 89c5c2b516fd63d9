use std::sync::Arc;
use std::time::Duration;

use xxhash_rust::xxh3::Xxh3;

use crate::{
    After, Backoff, Body, CallbackRequest, IdempotencyKey, Name, OnFailure, PayloadFile, Place, Timestamp, Unique,
};

/// A request to do work, as a client made it; what it left out is decided when it is accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    /// The queue whose workers take it.
    pub queue: Name,
    /// The client's own name for this kind of work.
    pub kind: Option<Arc<str>>,
    /// What the worker gets.
    pub payload: Body,
    /// The file that it gets instead; the payload is empty then.
    pub payload_file: Option<Box<PayloadFile>>,
    /// When it is due.
    pub start: Start,
    /// How long it may take in all, waiting included. Where it says nothing, the queue's time counts from when it is due.
    pub expires_in: Option<Duration>,
    /// 0 (lowest) to [`crate::limits::PRIORITY`].
    pub priority: Option<u8>,
    /// See [`crate::Spec::group`].
    pub group: Option<Arc<str>>,
    /// The attempts of a run.
    pub max_attempts: Option<u32>,
    /// The longest time of one attempt.
    pub timeout: Option<Duration>,
    /// The wait between attempts.
    pub backoff: Option<Backoff>,
    /// How long it is kept once it ended.
    pub result_retention: Option<Duration>,
    /// The same key again is the same request again; [`Submission::keyed`] sets it.
    pub key: Option<IdempotencyKey>,
    /// Labels for lists and feeds.
    pub tags: Vec<Arc<str>>,
    /// The W3C trace context that is handed to the worker.
    pub traceparent: Option<Arc<str>>,
    /// Where to tell of the job's end.
    pub callback: Option<Box<CallbackRequest>>,
    /// See [`crate::Spec::ordering_key`].
    pub ordering_key: Option<Arc<str>>,
    /// At most one unfinished job of the queue is to carry this key; not of what comes after a job, nor of a flow.
    pub unique: Option<Unique>,
    /// The jobs that it comes after, at most [`crate::limits::PREDECESSORS`].
    pub after: Vec<After>,
    /// What becomes of it when one of those ends otherwise than `DONE`.
    pub on_failure: OnFailure,
    /// Its name in the flow that the submissions of this command with a name are. Where the first of them was accepted
    /// before, so were the others.
    pub flow_key: Option<Arc<str>>,
    /// What comes after it, accepted with it.
    pub then: Vec<Submission>,
}

/// When a submitted job is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At once.
    Now,
    /// So long after it is accepted.
    After(Duration),
    /// At this time; one in the past means at once.
    At(Timestamp),
}

impl Start {
    /// When what is accepted at `now` is due.
    #[must_use]
    pub fn due(self, now: Timestamp) -> Timestamp {
        match self {
            Start::Now => now,
            Start::After(delay) => now.after(delay),
            Start::At(at) => at.max(now),
        }
    }
}

impl Submission {
    /// A submission of `payload` to `queue` that names nothing else.
    #[must_use]
    pub fn new(queue: Name, payload: Body) -> Submission {
        Submission {
            queue,
            kind: None,
            payload,
            payload_file: None,
            start: Start::Now,
            expires_in: None,
            priority: None,
            group: None,
            max_attempts: None,
            timeout: None,
            backoff: None,
            result_retention: None,
            key: None,
            tags: Vec::new(),
            traceparent: None,
            callback: None,
            ordering_key: None,
            unique: None,
            after: Vec::new(),
            on_failure: OnFailure::default(),
            flow_key: None,
            then: Vec::new(),
        }
    }

    /// This submission under the idempotency key `text`. Set every other field first: the key carries
    /// their fingerprint.
    #[must_use]
    pub fn keyed(mut self, text: Arc<str>) -> Submission {
        self.key = Some(IdempotencyKey { text, fingerprint: self.fingerprint() });
        self
    }

    /// A fingerprint of all that makes this request the same request: every field but key and
    /// `traceparent`, as the client wrote it (a delay of a second is the same a minute later).
    ///
    /// Ledgers store it: a change of how it is made is a change of format.
    #[must_use]
    pub fn fingerprint(&self) -> u128 {
        let mut hash = Xxh3::new();
        // Each field is led by its tag and its length, so that no two requests share their bytes.
        let mut field = |tag: u8, bytes: &[u8]| {
            hash.update(&[tag]);
            hash.update(&(bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        let millis = |duration: &Duration| duration.as_millis().to_le_bytes();
        field(1, self.queue.as_str().as_bytes());
        if let Some(kind) = &self.kind {
            field(2, kind.as_bytes());
        }
        field(3, self.payload.content_type.as_bytes());
        field(4, &self.payload.bytes);
        match &self.start {
            Start::Now => {}
            Start::After(delay) => field(5, &millis(delay)),
            Start::At(at) => field(6, &at.millis().to_le_bytes()),
        }
        if let Some(expires_in) = &self.expires_in {
            field(7, &millis(expires_in));
        }
        if let Some(priority) = self.priority {
            field(8, &[priority]);
        }
        if let Some(max_attempts) = self.max_attempts {
            field(9, &max_attempts.to_le_bytes());
        }
        if let Some(timeout) = &self.timeout {
            field(10, &millis(timeout));
        }
        if let Some(backoff) = &self.backoff {
            field(11, &millis(&backoff.base()));
            field(11, &backoff.factor().to_bits().to_le_bytes());
            field(11, &millis(&backoff.max()));
            field(11, &backoff.jitter().to_bits().to_le_bytes());
        }
        if let Some(retention) = &self.result_retention {
            field(12, &millis(retention));
        }
        for tag in &self.tags {
            field(13, tag.as_bytes());
        }
        if let Some(group) = &self.group {
            field(14, group.as_bytes());
        }
        if let Some(callback) = &self.callback {
            field(15, callback.url.as_bytes());
            field(15, &[callback.events.bits(), callback.format as u8]);
            if let Some(secret) = &callback.secret {
                field(16, secret.expose().as_bytes());
            }
        }
        if let Some(ordering_key) = &self.ordering_key {
            field(17, ordering_key.as_bytes());
        }
        for after in &self.after {
            match after {
                After::Job(id) => field(18, &id.as_u128().to_le_bytes()),
                After::Line(line) => field(19, &(*line as u64).to_le_bytes()),
            }
        }
        if self.on_failure != OnFailure::default() {
            field(20, &[self.on_failure as u8]);
        }
        if let Some(flow_key) = &self.flow_key {
            field(21, flow_key.as_bytes());
        }
        if let Some(unique) = &self.unique {
            field(23, unique.key.as_bytes());
            field(23, &[unique.policy as u8]);
        }
        for next in &self.then {
            field(22, &next.fingerprint().to_le_bytes());
        }
        match self.payload_file.as_deref() {
            None => {}
            Some(PayloadFile::Named(name)) => field(40, name.as_str().as_bytes()),
            Some(PayloadFile::New(file)) => {
                field(41, file.content_type.as_bytes());
                field(41, &file.size.to_le_bytes());
                field(41, &file.digest.to_le_bytes());
            }
        }
        hash.digest128()
    }

    /// This submission, and all that comes after it in turn.
    pub fn with_all_after(&self) -> impl Iterator<Item = &Submission> {
        // Most have nothing after them, and allocate nothing here.
        let (mut first, mut rest) = (Some(self), Vec::new());
        std::iter::from_fn(move || {
            let next = first.take().or_else(|| rest.pop())?;
            rest.extend(&next.then);
            Some(next)
        })
    }

    /// See [`crate::Command::put_off_starts`].
    pub(crate) fn put_off_starts(&mut self, ahead: Duration) {
        if let Start::At(at) = &mut self.start {
            *at = at.after(ahead);
        }
        self.then.iter_mut().for_each(|next| next.put_off_starts(ahead));
    }

    /// Shows `each` the same with their places, this being `line`, in the order in which they were written.
    pub(crate) fn with_places<'s>(&'s self, line: usize, each: &mut dyn FnMut(&Place, &'s Submission)) {
        fn walk<'s>(this: &'s Submission, place: &mut Place, each: &mut dyn FnMut(&Place, &'s Submission)) {
            each(place, this);
            for (at, next) in this.then.iter().enumerate() {
                place.then.push(at);
                walk(next, place, each);
                place.then.pop();
            }
        }
        walk(self, &mut line.into(), each);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FileId, NewFile, Secret, UniquePolicy, WebhookEvent, WebhookEvents, WebhookFormat};
    use bytes::Bytes;

    fn submission() -> Submission {
        let body = Body { content_type: Arc::from(crate::JSON), bytes: Bytes::from_static(b"{}") };
        Submission::new(Name::new("video").unwrap(), body)
    }

    fn called(change: impl FnOnce(&mut CallbackRequest)) -> Submission {
        let (events, format) = (WebhookEvents::ALL, WebhookFormat::Standard);
        let mut callback = CallbackRequest { url: "https://example.com/a".into(), events, format, secret: None };
        change(&mut callback);
        Submission { callback: Some(Box::new(callback)), ..submission() }
    }

    fn unique(key: &str, policy: UniquePolicy) -> Submission {
        Submission { unique: Some(Unique { key: key.into(), policy }), ..submission() }
    }

    fn new_file(id: u128, content_type: &str, digest: u128) -> NewFile {
        NewFile { id: FileId::new(id), content_type: content_type.into(), size: 5, sum: 6, digest }
    }

    fn filed(file: PayloadFile) -> Submission {
        Submission { payload_file: Some(Box::new(file)), ..submission() }
    }

    #[test]
    fn the_same_bytes_uploaded_again_are_the_same_request() {
        let of = |id| filed(PayloadFile::New(new_file(id, "text/plain", 2))).fingerprint();
        assert_eq!(of(1), of(2));
    }

    #[test]
    fn only_key_and_traceparent_leave_the_fingerprint_as_it_is() {
        let plain = submission().fingerprint();
        let same = Submission { traceparent: Some("00-…".into()), ..submission() }.keyed("k".into());
        assert_eq!(same.fingerprint(), plain);

        let minute = Duration::from_secs(60);
        let body =
            |kind: &str, bytes: &'static [u8]| Body { content_type: kind.into(), bytes: Bytes::from_static(bytes) };
        let others = [
            Submission { queue: Name::new("audio").unwrap(), ..submission() },
            Submission { kind: Some("clip".into()), ..submission() },
            Submission { payload: body(crate::JSON, b"{ }"), ..submission() },
            Submission { payload: body("text/plain", b"{}"), ..submission() },
            Submission { start: Start::After(minute), ..submission() },
            Submission { start: Start::At(Timestamp::from_millis(60_000)), ..submission() },
            Submission { expires_in: Some(minute), ..submission() },
            Submission { priority: Some(5), ..submission() },
            Submission { group: Some("a".into()), ..submission() },
            Submission { group: Some("".into()), ..submission() },
            Submission { max_attempts: Some(20), ..submission() },
            Submission { timeout: Some(minute), ..submission() },
            Submission { backoff: Some(Backoff::default()), ..submission() },
            Submission { result_retention: Some(minute), ..submission() },
            Submission { tags: vec!["a".into(), "b".into()], ..submission() },
            Submission { tags: vec!["ab".into()], ..submission() },
            unique("a", UniquePolicy::Keep),
            unique("b", UniquePolicy::Keep),
            unique("a", UniquePolicy::Replace),
            filed(PayloadFile::Named(Name::new("a").unwrap())),
            filed(PayloadFile::Named(Name::new("b").unwrap())),
            filed(PayloadFile::New(new_file(1, "text/plain", 2))),
            filed(PayloadFile::New(new_file(1, "text/plain", 3))),
            filed(PayloadFile::New(new_file(1, "text/html", 2))),
            called(|_| {}),
            called(|callback| callback.url = "https://example.com/b".into()),
            called(|callback| callback.events = WebhookEvents::of([WebhookEvent::Done])),
            called(|callback| callback.format = WebhookFormat::CloudEvents),
            called(|callback| callback.secret = Some(Secret::new("whsec_x"))),
        ];
        let mut seen = vec![plain];
        for other in others {
            let fingerprint = other.fingerprint();
            assert!(!seen.contains(&fingerprint), "{other:?}");
            seen.push(fingerprint);
        }
    }

    #[test]
    fn the_fingerprint_is_part_of_the_stored_format() {
        let keyed = Submission { priority: Some(7), tags: vec!["demo".into()], ..submission() };
        assert_eq!(format!("{:032x}", keyed.fingerprint()), "8892298025483855d1b881a81c5d5c1f");
    }
}
