//! Webhooks: where jobs' ends are told, and what was sent there.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::envelope::{CallbackEvent, check_url};
use crate::{Faults, Request, Secret, Time, limits, text};

/// The body of `PUT /v1/webhooks/{name}`: where to tell of jobs' ends. Only `url` is required.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookRequest<'a> {
    /// An `http` or `https` URL, at most 2048 bytes.
    #[serde(borrow)]
    #[schemars(url, length(max = 2048))]
    pub url: Cow<'a, str>,
    /// The queues whose jobs are told of, at most 100; absent or empty: all.
    #[serde(borrow, default, deserialize_with = "text::list_or_null", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<String>>", length(max = 100))]
    pub queues: Vec<Cow<'a, str>>,
    /// Which ends to tell of; absent or empty: all.
    #[serde(default, deserialize_with = "text::any_or_null", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<CallbackEvent>>")]
    pub events: Vec<CallbackEvent>,
    /// What the deliveries are signed with (Standard Webhooks 1.0.0): `whsec_…`, an HMAC secret, or `whsk_…`, a private
    /// ed25519 key; write-only. Where absent a webhook that is known keeps its own, and for a new one an HMAC secret is
    /// made and shown once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub secret: Option<Secret<'a>>,
    /// The form of what is sent; default `standard`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<WebhookFormat>,
}

impl<'a> Request<'a> for WebhookRequest<'a> {
    fn check(&self, faults: &mut Faults) {
        check_url("/url", &self.url, faults);
        faults.count("/queues", self.queues.len(), limits::WEBHOOK_QUEUES);
        for (index, queue) in self.queues.iter().enumerate().take(limits::WEBHOOK_QUEUES) {
            faults.within(|| format!("/queues/{index}"), |faults| faults.name("", queue));
        }
        check_secret(self.secret.as_ref(), faults);
    }
}

/// A secret is no longer than a key can be; whether it is one is the server's to say.
pub(crate) fn check_secret(secret: Option<&Secret<'_>>, faults: &mut Faults) {
    if let Some(secret) = secret {
        faults.text("/secret", secret.expose(), limits::SECRET_BYTES);
    }
}

/// The form of what a webhook sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WebhookFormat {
    /// `{"type","timestamp","data"}`, as Standard Webhooks 1.0.0 recommends; `data` is the job without payload.
    #[default]
    Standard,
    /// A structured CloudEvent 1.0 in JSON.
    CloudEvents,
}

impl WebhookFormat {
    /// The format as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            WebhookFormat::Standard => "standard",
            WebhookFormat::CloudEvents => "cloudevents",
        }
    }
}

/// A webhook as it is: `GET /v1/webhooks/{name}`, and an entry of [`WebhookList`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WebhookDocument<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// Where the posts go.
    pub url: Cow<'a, str>,
    /// The queues whose jobs are told of; empty: all.
    pub queues: Vec<Cow<'a, str>>,
    /// Which ends are told: of `job.done`, `job.failed`, `job.cancelled` and `job.expired`.
    pub events: Vec<Cow<'a, str>>,
    /// The form of what is sent: `standard` or `cloudevents`.
    pub format: Cow<'a, str>,
    /// When it was first asked for.
    pub created_at: Time,
    /// Since when and why nothing is sent there any more; null while it is. To put it anew ends that.
    pub disabled: Option<WebhookDisabled<'a>>,
    /// The first failure since the last success.
    pub failing_since: Option<Time>,
    /// What its deliveries are signed with, only in the answer to the request for which it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret<'a>>,
}

/// That nothing is sent to a webhook any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WebhookDisabled<'a> {
    /// Since when.
    pub at: Time,
    /// Why, in words.
    pub reason: Cow<'a, str>,
}

/// The webhooks, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WebhookList<'a> {
    /// The webhooks.
    pub webhooks: Vec<WebhookDocument<'a>>,
    /// What to ask the next page with; null at the end.
    pub next_page_token: Option<Cow<'a, str>>,
}

/// A job's callback, in the answer to the submission for which the server made its secret, and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CallbackSecret<'a> {
    /// Where the job's end will be told.
    pub url: Cow<'a, str>,
    /// What the deliveries will be signed with.
    pub secret: Secret<'a>,
}

impl CallbackSecret<'_> {
    /// The same, with texts of its own.
    #[must_use]
    pub fn into_owned(self) -> CallbackSecret<'static> {
        let secret = Secret::new(self.secret.expose().to_owned());
        CallbackSecret { url: Cow::Owned(self.url.into_owned()), secret }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    const ALL: &str = r#"{"url":"https://example.com/hook","queues":["a","b"],"events":["job.done"],"secret":"whsec_x","format":"cloudevents"}"#;

    fn pointer(body: &str) -> Option<String> {
        parse::<WebhookRequest<'_>>(body.as_bytes()).err().map(|problem| problem.errors[0].pointer.clone())
    }

    #[test]
    fn every_field_is_read_and_written_back() {
        let request: WebhookRequest<'_> = parse(ALL.as_bytes()).unwrap();
        assert_eq!(serde_json::to_string(&request).unwrap(), ALL);
        assert!(!format!("{request:?}").contains("whsec_x"));
        let least: WebhookRequest<'_> = parse(br#"{"url":"http://x"}"#).unwrap();
        assert_eq!(serde_json::to_string(&least).unwrap(), r#"{"url":"http://x"}"#);
        for format in [WebhookFormat::Standard, WebhookFormat::CloudEvents] {
            assert_eq!(serde_json::to_value(format).unwrap(), format.as_str());
        }
    }

    #[test]
    fn each_limit_holds_at_its_edge_and_breaks_one_beyond() {
        let with = |field: &str| format!(r#"{{"url":"http://x",{field}}}"#);
        let url = |bytes: usize| format!(r#"{{"url":"http://{}"}}"#, "x".repeat(bytes - 7));
        let queues = |count: usize| with(&format!(r#""queues":[{}]"#, vec![r#""q""#; count].join(",")));
        let secret = |bytes: usize| with(&format!(r#""secret":"{}""#, "x".repeat(bytes)));
        for (good, bad, at) in [
            (url(2048), url(2049), "/url"),
            (url(8), r#"{"url":"ftp://x"}"#.to_owned(), "/url"),
            (url(8), "{}".to_owned(), "/url"),
            (queues(100), queues(101), "/queues"),
            (with(r#""queues":["a"]"#), with(r#""queues":["a","b c"]"#), "/queues/1"),
            (with(r#""events":[]"#), with(r#""events":["job.started"]"#), "/events/0"),
            (secret(512), secret(513), "/secret"),
            (secret(1), secret(0), "/secret"),
            (with(r#""format":"standard""#), with(r#""format":"xml""#), "/format"),
            (with(r#""format":null"#), with(r#""queue":"q""#), "/queue"),
        ] {
            assert_eq!(pointer(&good), None, "{good}");
            assert_eq!(pointer(&bad).as_deref(), Some(at), "{bad}");
        }
    }

    #[test]
    fn documents_ignore_what_a_newer_server_says() {
        let text = r#"{"name":"n","url":"http://x","queues":[],"events":["job.done","job.mood"],"format":"xml","created_at":"2026-11-20T10:00:00.000Z","disabled":{"at":"2026-11-20T10:00:00.000Z","reason":"mood"},"failing_since":null}"#;
        let newer = text.replacen('{', r#"{"mood":1,"#, 1);
        let document: WebhookDocument<'static> = serde_json::from_str(&newer).unwrap();
        assert_eq!(serde_json::to_string(&document).unwrap(), text);
    }
}
