//! The envelope's scalar fields as query parameters, for a body that *is* the payload.

use std::borrow::Cow;
use std::fmt::Display;

use schemars::JsonSchema;

use crate::{Duration, Envelope, Faults, OnFailure, Problem, Time, Unique, checked};

/// What `POST /v1/queues/{queue}/jobs` takes as query parameters: the fields of [`Envelope`] but `queue`, `payload`,
/// `payload_file`, `backoff`, `callback` and `then`. Durations may be bare seconds; `tags` and `after` are separated by
/// commas; `unique` is the key, with the policy `keep`.
#[derive(Debug, Clone, Default, JsonSchema)]
pub struct QueryEnvelope<'a> {
    /// See [`Envelope::kind`].
    #[schemars(rename = "type", length(min = 1, max = 255))]
    pub kind: Option<Cow<'a, str>>,
    /// See [`Envelope::delay`].
    pub delay: Option<Duration>,
    /// See [`Envelope::run_at`].
    pub run_at: Option<Time>,
    /// See [`Envelope::expires_in`].
    pub expires_in: Option<Duration>,
    /// See [`Envelope::priority`].
    #[schemars(range(min = 0, max = 9))]
    pub priority: Option<u8>,
    /// See [`Envelope::max_attempts`].
    #[schemars(range(min = 1, max = 10_000))]
    pub max_attempts: Option<u32>,
    /// See [`Envelope::timeout`].
    pub timeout: Option<Duration>,
    /// See [`Envelope::result_retention`].
    pub result_retention: Option<Duration>,
    /// See [`Envelope::idempotency_key`].
    #[schemars(length(min = 1, max = 512))]
    pub idempotency_key: Option<Cow<'a, str>>,
    /// See [`Envelope::ordering_key`].
    #[schemars(length(min = 1, max = 512))]
    pub ordering_key: Option<Cow<'a, str>>,
    /// See [`Envelope::group`].
    #[schemars(length(min = 1, max = 512))]
    pub group: Option<Cow<'a, str>>,
    /// The key of [`Envelope::unique`].
    #[schemars(length(min = 1, max = 512))]
    pub unique: Option<Cow<'a, str>>,
    /// See [`Envelope::tags`]; separated by commas.
    pub tags: Vec<Cow<'a, str>>,
    /// See [`Envelope::reply_to`].
    pub reply_to: Option<Cow<'a, str>>,
    /// See [`Envelope::after`]; separated by commas.
    pub after: Vec<Cow<'a, str>>,
    /// See [`Envelope::on_failure`].
    pub on_failure: Option<OnFailure>,
    /// See [`Envelope::traceparent`].
    pub traceparent: Option<Cow<'a, str>>,
}

impl<'a> QueryEnvelope<'a> {
    /// Reads decoded pairs of name and value, and leaves the limits to [`QueryEnvelope::into_envelope`].
    ///
    /// # Errors
    /// An `invalid-request` that names each parameter that is unknown, given twice, or no value of its type.
    pub fn parse(pairs: impl IntoIterator<Item = (Cow<'a, str>, Cow<'a, str>)>) -> Result<QueryEnvelope<'a>, Problem> {
        let mut query = QueryEnvelope::default();
        let mut faults = Faults::new();
        for (name, value) in pairs {
            query.set(&name, value, &mut faults);
        }
        faults.into_result().map(|()| query)
    }

    /// The envelope for the queue in the path, without a payload.
    ///
    /// # Errors
    /// An `invalid-request` that names each parameter that breaks a limit.
    pub fn into_envelope(self, queue: Cow<'a, str>) -> Result<Envelope<'a>, Problem> {
        let envelope = Envelope {
            queue,
            kind: self.kind,
            delay: self.delay,
            run_at: self.run_at,
            expires_in: self.expires_in,
            priority: self.priority,
            max_attempts: self.max_attempts,
            timeout: self.timeout,
            result_retention: self.result_retention,
            idempotency_key: self.idempotency_key,
            ordering_key: self.ordering_key,
            group: self.group,
            unique: self.unique.map(|key| Unique { key, policy: None }),
            tags: self.tags,
            reply_to: self.reply_to,
            after: self.after,
            on_failure: self.on_failure,
            traceparent: self.traceparent,
            ..Envelope::default()
        };
        checked(envelope)
    }

    fn set(&mut self, name: &str, value: Cow<'a, str>, faults: &mut Faults) {
        let mut given = Given { name, faults };
        match name {
            "type" => given.once(&mut self.kind, Ok::<_, &str>(value)),
            "delay" => given.once(&mut self.delay, Duration::parse_query(&value)),
            "run_at" => given.once(&mut self.run_at, Time::parse_query(&value)),
            "expires_in" => given.once(&mut self.expires_in, Duration::parse_query(&value)),
            "priority" => given.once(&mut self.priority, value.parse().map_err(|_| "must be 0 to 9")),
            "max_attempts" => given.once(&mut self.max_attempts, value.parse().map_err(|_| "must be 1 to 10000")),
            "timeout" => given.once(&mut self.timeout, Duration::parse_query(&value)),
            "result_retention" => given.once(&mut self.result_retention, Duration::parse_query(&value)),
            "idempotency_key" => given.once(&mut self.idempotency_key, Ok::<_, &str>(value)),
            "ordering_key" => given.once(&mut self.ordering_key, Ok::<_, &str>(value)),
            "group" => given.once(&mut self.group, Ok::<_, &str>(value)),
            "unique" => given.once(&mut self.unique, Ok::<_, &str>(value)),
            "tags" => given.list(&mut self.tags, value),
            "reply_to" => given.once(&mut self.reply_to, Ok::<_, &str>(value)),
            "after" => given.list(&mut self.after, value),
            "on_failure" => {
                let on_failure = OnFailure::from_text(&value).ok_or("must be cancel, continue or wait");
                given.once(&mut self.on_failure, on_failure);
            }
            "traceparent" => given.once(&mut self.traceparent, Ok::<_, &str>(value)),
            _ => given.refuse("is not a query parameter that is known here"),
        }
    }
}

/// The parameter that is being read.
struct Given<'g> {
    name: &'g str,
    faults: &'g mut Faults,
}

impl Given<'_> {
    fn refuse(&mut self, detail: impl Display) {
        // A name that is unknown may have any length.
        let name: String = self.name.chars().take(100).collect();
        self.faults.add(&format!("/{}", name.replace('~', "~0").replace('/', "~1")), detail);
    }

    fn once<T, E: Display>(&mut self, field: &mut Option<T>, value: Result<T, E>) {
        match value {
            Ok(_) if field.is_some() => self.refuse("is given twice, and has one value only"),
            Ok(value) => *field = Some(value),
            Err(error) => self.refuse(error),
        }
    }

    fn list<'a>(&mut self, field: &mut Vec<Cow<'a, str>>, value: Cow<'a, str>) {
        if !field.is_empty() {
            return self.refuse("is given twice; separate the values by commas");
        }
        match value {
            Cow::Borrowed(text) => field.extend(text.split(',').map(Cow::Borrowed)),
            Cow::Owned(text) => field.extend(text.split(',').map(|part| Cow::Owned(part.to_owned()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &'static str) -> Result<Envelope<'static>, Problem> {
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (Cow::Borrowed(name), Cow::Borrowed(value))
        });
        QueryEnvelope::parse(pairs)?.into_envelope("q".into())
    }

    #[test]
    fn every_scalar_field_is_a_parameter() {
        let envelope = read(
            "type=t&delay=5&expires_in=1h&priority=9&max_attempts=3&timeout=10m&result_retention=24h&idempotency_key=k\
             &ordering_key=o&group=g&unique=u&tags=a,b&reply_to=r&after=x,y&on_failure=wait\
             &traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )
        .unwrap();
        assert_eq!(
            serde_json::to_string(&envelope).unwrap(),
            r#"{"queue":"q","type":"t","delay":"5s","expires_in":"1h","priority":9,"max_attempts":3,"timeout":"10m","result_retention":"24h","idempotency_key":"k","ordering_key":"o","group":"g","unique":"u","tags":["a","b"],"reply_to":"r","after":["x","y"],"on_failure":"wait","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}"#
        );
        assert_eq!(read("run_at=2026-11-20T11:00:00%2B01:00").unwrap_err().errors[0].pointer, "/run_at");
        assert!(read("run_at=2026-11-20T10:00:00Z").unwrap().run_at.is_some());
        assert!(read("").is_ok());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (query, pointer) in [
            ("prioriti=1", "/prioriti"),
            ("payload=1", "/payload"),
            ("callback=x", "/callback"),
            ("then=x", "/then"),
            ("a~/b=1", "/a~0~1b"),
            ("priority=10", "/priority"),
            ("priority=256", "/priority"),
            ("priority=", "/priority"),
            ("priority=1&priority=1", "/priority"),
            ("max_attempts=0", "/max_attempts"),
            ("max_attempts=10001", "/max_attempts"),
            ("delay=soon", "/delay"),
            ("delay=", "/delay"),
            ("delay=1&run_at=2026-11-20T10:00:00Z", "/run_at"),
            ("tags=", "/tags/0"),
            ("tags=a,,b", "/tags/1"),
            ("tags=a&tags=b", "/tags"),
            ("on_failure=x", "/on_failure"),
            ("type=", "/type"),
        ] {
            let problem = read(query).unwrap_err();
            assert_eq!(problem.errors[0].pointer, pointer, "{query}");
        }
        assert_eq!(read("x=1&y=1&priority=x").unwrap_err().errors.len(), 3);
    }
}
