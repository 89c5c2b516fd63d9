//! What is posted of a job's end.

use std::sync::Arc;

use ackd_api::cloud_event::{self, JobEvent};
use ackd_api::{JobDocument, Time};
use ackd_domain::{Body, ChangeKind, WebhookFormat};
use ackd_engine::{Renderer, Told};
use serde::Serialize;

use crate::app::time;
use crate::document::{self, Texts};

/// Writes what webhooks tell: the job as events show it, without its payload and with a small result.
#[derive(Debug, Clone, Default)]
pub struct WebhookRenderer {
    source: String,
}

/// What Standard Webhooks 1.0.0 recommends ("Payload structure").
#[derive(Serialize)]
struct Standard<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: Time,
    data: &'a JobDocument<'a>,
}

impl WebhookRenderer {
    /// One for a server of this public URL, the `source` of CloudEvents; without one that is `/`.
    #[must_use]
    pub fn new(public_url: Option<&str>) -> WebhookRenderer {
        WebhookRenderer { source: public_url.unwrap_or_default().trim_end_matches('/').to_owned() }
    }
}

impl Renderer for WebhookRenderer {
    fn render(&self, told: &Told<'_>) -> Body {
        let change = told.change;
        let texts = Texts::of(&change.job);
        let result = change.body.as_ref().filter(|_| change.kind == ChangeKind::Completed);
        // A job that has ended waits for nothing: the same change gives the same bytes whenever it is told.
        let document = document::document(&change.job, &texts, None, result, None);
        let (content_type, written) = match told.format {
            WebhookFormat::Standard => {
                let standard = Standard { kind: told.event.as_str(), timestamp: time(change.at), data: &document };
                (ackd_domain::JSON, serde_json::to_vec(&standard))
            }
            WebhookFormat::CloudEvents => {
                let event = JobEvent::of(&document, &self.source).with_id(told.webhook_id);
                (cloud_event::MEDIA_TYPE, serde_json::to_vec(&event))
            }
        };
        // Texts, numbers, and JSON that was checked when it came: there is nothing in it that could fail to be written.
        Body { content_type: Arc::from(content_type), bytes: written.unwrap_or_default().into() }
    }
}
