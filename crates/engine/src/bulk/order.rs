use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{Body, BulkAction, JSON, Job, JobId, Name, Status, Submission, Timestamp, limits};
use ackd_ports::Filter;
use serde::{Deserialize, Serialize};

use super::{Pace, part};
use crate::search::{Field, Search};

/// What is to be done to which jobs.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkOrder {
    /// What to do to each.
    pub action: BulkAction,
    /// Which jobs.
    pub of: BulkOf,
    /// How fast at most; as fast as others leave room where it is `None`.
    pub pace: Option<Pace>,
}

/// Which jobs a bulk job is about: at most those that were accepted before it.
#[derive(Debug, Clone, PartialEq)]
pub enum BulkOf {
    /// Those that match when their turn comes, newest first.
    Search(Search),
    /// The dead ones of a queue, oldest first.
    Dead {
        /// The queue.
        queue: Name,
        /// Only those that died of this, see [`ackd_ports::cause`].
        cause: Option<Arc<str>>,
    },
    /// Those of these that the queue has, in this order; at most [`BulkOrder::IDS`].
    Ids {
        /// The queue.
        queue: Name,
        /// The jobs.
        ids: Vec<JobId>,
    },
}

/// The payload of a bulk job is no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what the bulk job is to do cannot be read")]
pub struct OrderError;

impl BulkOrder {
    /// The most jobs that are named one by one.
    pub const IDS: usize = 1000;

    /// The job that carries it out.
    pub(super) fn submission(&self) -> Submission {
        let payload = Body { content_type: Arc::from(JSON), bytes: self.to_json().into() };
        Submission {
            kind: Some(Arc::from(word(self.action))),
            // However long it takes, and however often the server is killed meanwhile.
            max_attempts: Some(limits::ATTEMPTS),
            expires_in: Some(limits::DURATION),
            ..Submission::new(Name::bulk().clone(), payload)
        }
    }

    /// How many jobs the bulk job has changed, once it is done.
    #[must_use]
    pub fn changed_by(job: &Job) -> Option<u64> {
        part::done(job)
    }

    fn to_json(&self) -> Vec<u8> {
        let (mut queue, mut cause, mut ids, mut filter) = (None, None, Vec::new(), None);
        match &self.of {
            BulkOf::Search(of) => filter = Some(WrittenFilter::of(of)),
            BulkOf::Dead { queue: of, cause: died_of } => {
                (queue, cause) = (Some(of.to_string()), died_of.as_ref().map(ToString::to_string));
            }
            BulkOf::Ids { queue: of, ids: these } => {
                (queue, ids) = (Some(of.to_string()), these.iter().map(ToString::to_string).collect());
            }
        }
        let rate = self.pace.map(|Pace { limit, per }| WrittenRate { limit, per_ms: millis(per) });
        let written = Written { action: word(self.action).to_owned(), queue, cause, ids, filter, rate };
        // Texts and integers always can be written.
        serde_json::to_vec(&written).unwrap_or_default()
    }

    /// The order of a bulk job's payload.
    ///
    /// # Errors
    /// [`OrderError`] where it is none.
    pub fn read(payload: &[u8]) -> Result<BulkOrder, OrderError> {
        let Written { action, queue, cause, ids, filter, rate } =
            serde_json::from_slice(payload).map_err(|_| OrderError)?;
        let action = ACTIONS.into_iter().find(|it| word(*it) == action).ok_or(OrderError)?;
        let queue = queue.map(|queue| Name::new(&queue).map_err(|_| OrderError)).transpose()?;
        let of = match (queue, filter) {
            (None, Some(filter)) => BulkOf::Search(filter.get()?),
            (Some(queue), None) if ids.is_empty() => BulkOf::Dead { queue, cause: cause.map(Arc::from) },
            (Some(queue), None) => BulkOf::Ids {
                queue,
                ids: ids.iter().map(|id| id.parse().map_err(|_| OrderError)).collect::<Result<_, _>>()?,
            },
            _ => return Err(OrderError),
        };
        let pace = rate.map(|rate| Pace { limit: rate.limit, per: Duration::from_millis(rate.per_ms) });
        Ok(BulkOrder { action, of, pace })
    }
}

const ACTIONS: [BulkAction; 4] = [BulkAction::Cancel, BulkAction::Purge, BulkAction::Retry, BulkAction::Redrive];

const fn word(action: BulkAction) -> &'static str {
    match action {
        BulkAction::Cancel => "cancel",
        BulkAction::Purge => "purge",
        BulkAction::Retry => "retry",
        BulkAction::Redrive => "redrive",
    }
}

/// An order as the payload of its job. Durations and times are milliseconds.
#[derive(Serialize, Deserialize)]
struct Written {
    action: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    queue: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ids: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    filter: Option<WrittenFilter>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate: Option<WrittenRate>,
}

#[derive(Serialize, Deserialize)]
struct WrittenRate {
    limit: u32,
    per_ms: u64,
}

#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct WrittenFilter {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    queue: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    status: Vec<String>,
    #[serde(rename = "type", skip_serializing_if = "Vec::is_empty")]
    kind: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tag: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flow: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_after_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_before_ms: Option<i64>,
    /// What stands where.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    payload: BTreeMap<String, String>,
}

impl WrittenFilter {
    fn of(Search { filter, fields }: &Search) -> WrittenFilter {
        let texts = |texts: &[Arc<str>]| texts.iter().map(ToString::to_string).collect();
        WrittenFilter {
            queue: filter.queues.iter().map(Name::to_string).collect(),
            status: filter.statuses.iter().map(Status::to_string).collect(),
            kind: texts(&filter.kinds),
            tag: texts(&filter.tags),
            idempotency_key: filter.key.as_ref().map(ToString::to_string),
            flow: filter.flow.map(|flow| flow.to_string()),
            created_after_ms: filter.created_after.map(Timestamp::millis),
            created_before_ms: filter.created_before.map(Timestamp::millis),
            payload: fields.iter().map(|field| (field.path().to_owned(), field.text().to_owned())).collect(),
        }
    }

    fn get(self) -> Result<Search, OrderError> {
        let status = |text: &String| Status::ALL.into_iter().find(|status| status.as_str() == text).ok_or(OrderError);
        let fields = self.payload.iter().map(|(path, text)| Field::new(path, text).map_err(|_| OrderError));
        let fields = fields.collect::<Result<_, _>>()?;
        let filter = Filter {
            queues: self
                .queue
                .iter()
                .map(|queue| Name::new(queue).map_err(|_| OrderError))
                .collect::<Result<_, _>>()?,
            statuses: self.status.iter().map(status).collect::<Result<_, _>>()?,
            kinds: self.kind.into_iter().map(Arc::from).collect(),
            tags: self.tag.into_iter().map(Arc::from).collect(),
            key: self.idempotency_key.map(Arc::from),
            flow: self.flow.map(|flow| flow.parse().map_err(|_| OrderError)).transpose()?,
            created_after: self.created_after_ms.map(Timestamp::from_millis),
            created_before: self.created_before_ms.map(Timestamp::from_millis),
        };
        Ok(Search { filter, fields })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_as_it_was_written() {
        let name = |text: &str| Name::new(text).unwrap();
        let id = JobId::new(Timestamp::from_millis(1_735_689_600_000), 7, 9);
        let filter = Filter {
            queues: vec![name("video"), name("audio")],
            statuses: Status::ALL.to_vec(),
            kinds: vec!["clip".into()],
            tags: vec!["a,b".into()],
            key: Some("k".into()),
            flow: Some(id),
            created_after: Some(Timestamp::from_millis(1)),
            created_before: Some(Timestamp::from_millis(2)),
        };
        let fields = vec![Field::new("order.id", "a,b").unwrap(), Field::new("order.items.0", "7").unwrap()];
        let search = Search { filter, fields };
        let pace = Some(Pace { limit: 3, per: Duration::from_millis(1500) });
        let ids = BulkOf::Ids { queue: name("video"), ids: vec![id] };
        for order in [
            BulkOrder { action: BulkAction::Cancel, of: BulkOf::Search(search), pace },
            BulkOrder { action: BulkAction::Retry, of: BulkOf::Search(Search::default()), pace: None },
            BulkOrder { action: BulkAction::Purge, of: ids, pace: None },
            BulkOrder {
                action: BulkAction::Redrive,
                of: BulkOf::Dead { queue: name("video"), cause: Some("/problems/timeout".into()) },
                pace,
            },
        ] {
            assert_eq!(BulkOrder::read(&order.to_json()), Ok(order));
        }
        for bad in [
            "",
            "{}",
            r#"{"action":"eat","queue":"a"}"#,
            r#"{"action":"retry"}"#,
            r#"{"action":"retry","filter":{"payload":{"a.":"1"}}}"#,
        ] {
            assert_eq!(BulkOrder::read(bad.as_bytes()), Err(OrderError), "{bad}");
        }
    }
}
