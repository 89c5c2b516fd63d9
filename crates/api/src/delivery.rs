//! What was sent to whom, when, and with which answer.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Duration, Status, Time};

/// The deliveries that tell of a job, newest first: `GET /v1/jobs/{id}/deliveries`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeliveryList<'a> {
    /// The deliveries; a page may be short or empty although more follow.
    pub deliveries: Vec<DeliveryDocument<'a>>,
    /// What to ask the next page with; null at the end.
    pub next_page_token: Option<Cow<'a, str>>,
}

/// One end of a job, told to one webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeliveryDocument<'a> {
    /// Its id, a UUIDv7. It is no job's id.
    pub id: Cow<'a, str>,
    /// The webhook's name, or scheme, host and port of a callback's URL.
    pub target: Cow<'a, str>,
    /// What it tells: `job.done`, `job.failed`, `job.cancelled` or `job.expired`.
    pub event: Cow<'a, str>,
    /// Where it is: `DONE` once the receiver took it, `FAILED` once it is not tried any more.
    pub status: Status,
    /// The attempts that ended, oldest first; those of long ago may be gone.
    pub attempts: Vec<DeliveryAttempt<'a>>,
    /// When the next attempt is due; null unless it waits for one.
    pub next_attempt_at: Option<Time>,
    /// When it was made: as soon as the job had ended.
    pub created_at: Time,
}

/// One post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeliveryAttempt<'a> {
    /// When it began.
    pub at: Time,
    /// The HTTP status that came back; null where there was no answer, or it is not known any more.
    pub status_code: Option<u16>,
    /// How long it took; null where that is not known.
    pub took: Option<Duration>,
    /// Why the receiver does not have it; null where it does.
    pub error: Option<Cow<'a, str>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_written_and_read_back() {
        let text = r#"{"deliveries":[{"id":"a","target":"crm","event":"job.done","status":"INIT","attempts":[{"at":"2026-11-20T10:00:00.000Z","status_code":500,"took":"12ms","error":"the receiver answered 500"}],"next_attempt_at":"2026-11-20T10:00:05.000Z","created_at":"2026-11-20T10:00:00.000Z"}],"next_page_token":null}"#;
        let list: DeliveryList<'static> = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&list).unwrap(), text);
        let newer = text.replace(r#""target""#, r#""mood":1,"target""#).replace("job.done", "job.mood");
        assert_eq!(serde_json::from_str::<DeliveryList<'static>>(&newer).unwrap().deliveries[0].event, "job.mood");
    }
}
