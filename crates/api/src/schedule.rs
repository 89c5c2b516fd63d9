//! Schedules: jobs that are made at certain times.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::raw::Json;
use crate::{Envelope, Faults, Request, Time, limits};

/// The body of `PUT /v1/schedules/{name}`: when to make which job. `cron` and `job` are required.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleRequest<'a> {
    /// Minute, hour, day of month, month and day of week, as in a crontab, or one of `@hourly`, `@daily`, `@weekly`,
    /// `@monthly` and `@yearly`; at most 255 bytes.
    #[serde(borrow)]
    #[schemars(length(min = 1, max = 255))]
    pub cron: Cow<'a, str>,
    /// The time zone that they are read in, an IANA name; default `UTC`.
    #[serde(borrow, default, deserialize_with = "crate::text::option", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub timezone: Option<Cow<'a, str>>,
    /// What becomes of times that passed while the server was down; default `one`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed: Option<MissedRuns>,
    /// Make no jobs; default false. What passes meanwhile is not made up for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
    /// The job that is made each time: an envelope without `delay`, `run_at`, `idempotency_key`, `after`, `on_failure`,
    /// `then` and `payload_file`, with a payload of at most 64 KiB. A callback names its secret.
    #[serde(borrow)]
    pub job: Envelope<'a>,
}

impl<'a> Request<'a> for ScheduleRequest<'a> {
    fn check(&self, faults: &mut Faults) {
        faults.text("/cron", &self.cron, limits::CRON_BYTES);
        if let Some(timezone) = &self.timezone {
            faults.text("/timezone", timezone, limits::TIMEZONE_BYTES);
        }
        faults.within(|| "/job".into(), |faults| self.check_job(faults));
    }
}

impl ScheduleRequest<'_> {
    fn check_job(&self, faults: &mut Faults) {
        let job = &self.job;
        job.check(faults);
        for (pointer, given, why) in [
            ("/delay", job.delay.is_some(), "cannot be given: the schedule says when"),
            ("/run_at", job.run_at.is_some(), "cannot be given: the schedule says when"),
            ("/idempotency_key", job.idempotency_key.is_some(), "cannot be given: each time has a job of its own"),
            ("/after", !job.after.is_empty(), "cannot be given: a job that comes again comes after none"),
            ("/on_failure", job.on_failure.is_some(), "cannot be given: a job that comes again comes after none"),
        ] {
            if given {
                faults.add(pointer, why);
            }
        }
        if job.callback.as_ref().is_some_and(|callback| callback.secret.is_none()) {
            faults.add("/callback/secret", "must be given: one that was made for each job could be shown to nobody");
        }
    }
}

/// What becomes of times that passed while the server was down, or that its clock jumped over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MissedRuns {
    /// Nothing, but for what is less than a minute late.
    Skip,
    /// One job for all of them.
    #[default]
    One,
    /// A job for each, at most 100: of more, the latest.
    All,
}

impl MissedRuns {
    /// The policy as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            MissedRuns::Skip => "skip",
            MissedRuns::One => "one",
            MissedRuns::All => "all",
        }
    }
}

/// A schedule as it is: `GET /v1/schedules/{name}`, and an entry of [`ScheduleList`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ScheduleDocument<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// When, as it was put.
    pub cron: Cow<'a, str>,
    /// The time zone, an IANA name.
    pub timezone: Cow<'a, str>,
    /// What becomes of times that were missed: `skip`, `one` or `all`.
    pub missed: Cow<'a, str>,
    /// No jobs are made.
    pub paused: bool,
    /// The job that is made each time, an envelope: without its callback's secret, and in a list without its payload.
    #[schemars(with = "Envelope<'static>")]
    pub job: Json<'a>,
    /// When it was first put.
    pub created_at: Time,
    /// The next time; null while it is paused.
    pub next_run_at: Option<Time>,
    /// The latest time for which a job was made: when it was to be.
    pub last_run_at: Option<Time>,
    /// The id of that job, which may be gone by now.
    pub last_job: Option<Cow<'a, str>>,
}

/// The schedules, by name.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ScheduleList<'a> {
    /// The schedules.
    pub schedules: Vec<ScheduleDocument<'a>>,
    /// What to ask the next page with; null at the end.
    pub next_page_token: Option<Cow<'a, str>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    const ALL: &str = r#"{"cron":"0 3 * * mon-fri","timezone":"Europe/Berlin","missed":"all","paused":true,"job":{"queue":"reports","payload":{"kind" : "daily"},"callback":{"url":"https://example.com/hook","secret":"whsec_x"}}}"#;

    fn pointer(body: &str) -> Option<String> {
        parse::<ScheduleRequest<'_>>(body.as_bytes()).err().map(|problem| problem.errors[0].pointer.clone())
    }

    #[test]
    fn every_field_is_read_and_written_back() {
        let request: ScheduleRequest<'_> = parse(ALL.as_bytes()).unwrap();
        assert_eq!(serde_json::to_string(&request).unwrap(), ALL);
        assert!(!format!("{request:?}").contains("whsec_x"));
        let least = r#"{"cron":"@daily","job":{"queue":"q"}}"#;
        let request: ScheduleRequest<'_> = parse(least.as_bytes()).unwrap();
        assert_eq!(serde_json::to_string(&request).unwrap(), least);
        for missed in [MissedRuns::Skip, MissedRuns::One, MissedRuns::All] {
            assert_eq!(serde_json::to_value(missed).unwrap(), missed.as_str());
        }
    }

    #[test]
    fn each_limit_holds_at_its_edge_and_breaks_one_beyond() {
        let cron = |bytes: usize| format!(r#"{{"cron":"{}","job":{{"queue":"q"}}}}"#, "*".repeat(bytes));
        let with = |field: &str| format!(r#"{{"cron":"@daily","job":{{"queue":"q"}},{field}}}"#);
        let zone = |bytes: usize| with(&format!(r#""timezone":"{}""#, "x".repeat(bytes)));
        let job = |field: &str| format!(r#"{{"cron":"@daily","job":{{"queue":"q",{field}}}}}"#);
        let callback = |rest: &str| job(&format!(r#""callback":{{"url":"http://x"{rest}}}"#));
        for (good, bad, at) in [
            (cron(255), cron(256), "/cron"),
            (cron(1), cron(0), "/cron"),
            (cron(1), r#"{"job":{"queue":"q"}}"#.to_owned(), "/cron"),
            (cron(1), r#"{"cron":"@daily"}"#.to_owned(), "/job"),
            (zone(64), zone(65), "/timezone"),
            (zone(1), zone(0), "/timezone"),
            (with(r#""missed":"skip""#), with(r#""missed":"some""#), "/missed"),
            (with(r#""paused":false"#), with(r#""paused":"no""#), "/paused"),
            (with(r#""paused":null"#), with(r#""until":1"#), "/until"),
            (job(r#""priority":9"#), job(r#""priority":10"#), "/job/priority"),
            (job(r#""priority":9"#), job(r#""color":1"#), "/job/color"),
            (job(r#""tags":[]"#), job(r#""delay":"0s""#), "/job/delay"),
            (job(r#""tags":[]"#), job(r#""run_at":"2026-11-20T10:00:00Z""#), "/job/run_at"),
            (job(r#""ordering_key":"k""#), job(r#""idempotency_key":"k""#), "/job/idempotency_key"),
            (job(r#""after":[]"#), job(r#""after":["x"]"#), "/job/after"),
            (job(r#""after":[]"#), job(r#""on_failure":"wait""#), "/job/on_failure"),
            (callback(r#","secret":"whsec_x""#), callback(""), "/job/callback/secret"),
        ] {
            assert_eq!(pointer(&good), None, "{good}");
            assert_eq!(pointer(&bad).as_deref(), Some(at), "{bad}");
        }
    }

    #[test]
    fn documents_ignore_what_a_newer_server_says() {
        let text = r#"{"name":"n","cron":"@daily","timezone":"UTC","missed":"some","paused":false,"job":{"queue":"q","mood":1},"created_at":"2026-11-20T10:00:00.000Z","next_run_at":"2026-11-21T00:00:00.000Z","last_run_at":null,"last_job":null}"#;
        let newer = text.replacen('{', r#"{"mood":1,"#, 1);
        let document: ScheduleDocument<'static> = serde_json::from_str(&newer).unwrap();
        assert_eq!(serde_json::to_string(&document).unwrap(), text);
    }
}
