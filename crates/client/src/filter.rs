//! Which jobs a list or a feed is about.

use ackd_api::{Status, Time};

use crate::address::Path;

/// Which jobs to list, newest first; an empty filter means all. Several values of a field are alternatives.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    /// In one of these queues.
    pub queues: Vec<String>,
    /// In one of these statuses.
    pub statuses: Vec<Status>,
    /// Of one of these types.
    pub kinds: Vec<String>,
    /// With one of these tags.
    pub tags: Vec<String>,
    /// Of this flow.
    pub flow: Option<String>,
    /// With this idempotency key.
    pub idempotency_key: Option<String>,
    /// Accepted after this time.
    pub created_after: Option<Time>,
    /// Accepted before this time.
    pub created_before: Option<Time>,
    /// With these fields in a JSON payload: each a path, as `order.items.0.sku`, and the string, or the text of the number,
    /// `true`, `false` or `null` that is there. All of them have to hold; a page may well be empty while more follow.
    pub payload: Vec<(String, String)>,
    /// At most so many on a page; the server has a limit of its own.
    pub page_size: Option<u32>,
    /// The `next_page_token` of the page before.
    pub page_token: Option<String>,
}

/// Which jobs a feed of events is about; an empty filter means all. Several values of a field are alternatives.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// These jobs, by their ids.
    pub jobs: Vec<String>,
    /// In one of these queues.
    pub queues: Vec<String>,
    /// Events that lead to one of these statuses.
    pub statuses: Vec<Status>,
    /// Of one of these types.
    pub kinds: Vec<String>,
    /// With one of these tags.
    pub tags: Vec<String>,
    /// Begin after this position; absent: now. `earliest` is the oldest that is kept.
    pub after: Option<String>,
}

/// Alternatives, separated by commas.
fn alternatives(path: Path, name: &str, values: &[String]) -> Path {
    if values.is_empty() { path } else { path.query(name, &values.join(",")) }
}

fn statuses(path: Path, statuses: &[Status]) -> Path {
    let texts: Vec<String> = statuses.iter().map(|status| status.as_str().to_owned()).collect();
    alternatives(path, "status", &texts)
}

impl JobFilter {
    pub(crate) fn path(&self) -> Path {
        let path = alternatives(Path::new("/v1/jobs"), "queue", &self.queues);
        let path = statuses(path, &self.statuses);
        let path = alternatives(path, "type", &self.kinds);
        let path = alternatives(path, "tag", &self.tags);
        let field = |path: Path, (name, text): &(String, String)| path.query(&format!("payload.{name}"), text);
        (self.payload.iter().fold(path, field))
            .query_option("flow", self.flow.as_deref())
            .query_option("idempotency_key", self.idempotency_key.as_deref())
            .query_option("created_after", self.created_after.map(|time| time.to_string()).as_deref())
            .query_option("created_before", self.created_before.map(|time| time.to_string()).as_deref())
            .query_option("page_size", self.page_size.map(|size| size.to_string()).as_deref())
            .query_option("page_token", self.page_token.as_deref())
    }
}

impl EventFilter {
    /// The path of the feed, without `after`: that is sent as `Last-Event-ID`, except for `earliest`.
    pub(crate) fn path(&self) -> Path {
        let path = alternatives(Path::new("/v1/events"), "queue", &self.queues);
        let path = statuses(path, &self.statuses);
        let path = alternatives(path, "tag", &self.tags);
        let path = alternatives(path, "type", &self.kinds);
        self.jobs.iter().fold(path, |path, job| path.query("job", job))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_query_parameters() {
        assert_eq!(JobFilter::default().path().into_string(), "/v1/jobs");
        let filter = JobFilter {
            queues: vec!["a".into(), "b".into()],
            statuses: vec![Status::Init, Status::Failed],
            kinds: vec!["t".into()],
            tags: vec!["x y".into()],
            flow: Some("f".into()),
            idempotency_key: Some("k".into()),
            created_after: Some(Time(0)),
            created_before: Some(Time(1)),
            payload: vec![("a.0".into(), "x,y".into()), ("b c".into(), "7".into())],
            page_size: Some(10),
            page_token: Some("n".into()),
        };
        assert_eq!(
            filter.path().into_string(),
            "/v1/jobs?queue=a%2Cb&status=INIT%2CFAILED&type=t&tag=x%20y&payload.a.0=x%2Cy&payload.b%20c=7&flow=f&idempotency_key=k\
             &created_after=1970-01-01T00%3A00%3A00.000Z&created_before=1970-01-01T00%3A00%3A00.001Z&page_size=10\
             &page_token=n"
        );
        let filter = EventFilter {
            jobs: vec!["a".into(), "b".into()],
            queues: vec!["q".into()],
            statuses: vec![Status::Done],
            kinds: vec!["t".into()],
            tags: vec!["x".into()],
            after: Some("7".into()),
        };
        assert_eq!(filter.path().into_string(), "/v1/events?queue=q&status=DONE&tag=x&type=t&job=a&job=b");
    }
}
