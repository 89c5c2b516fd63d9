//! `ackd schedule`: jobs that are made at certain times.

use ackd_client::Submission;
use ackd_client::api::{Duration, MissedRuns, ScheduleDocument, ScheduleRequest, Time};
use clap::{Args, Subcommand};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::cli::Session;
use crate::console::{Colour, Console, note};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::table::{Cell, Table};
use crate::words::shown;

/// The arguments of `ackd schedule`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: ackd schedule put nightly '30 2 * * mon-fri' reports '{\"kind\":\"daily\"}' --timezone Europe/Berlin"
)]
pub(crate) struct ScheduleArgs {
    #[command(subcommand)]
    command: ScheduleCommand,
}

/// What can be done with schedules.
#[derive(Debug, Subcommand)]
enum ScheduleCommand {
    /// Have a job made at certain times, or change when or what
    Put(Box<PutArgs>),
    /// Show a schedule
    Get {
        /// The schedule
        name: String,
    },
    /// List schedules, by name
    List,
    /// Have a schedule no longer; the jobs that it made stay
    Delete {
        /// The schedule
        name: String,
    },
}

/// The arguments of `ackd schedule put`.
#[derive(Debug, Args)]
struct PutArgs {
    /// The schedule
    name: String,

    /// When: minute, hour, day of month, month and day of week as in a crontab, or @hourly, @daily, @weekly, …
    cron: String,

    /// The job's queue
    queue: String,

    /// What the worker gets: JSON
    #[arg(allow_negative_numbers = true, value_parser = json)]
    payload: Option<Box<RawValue>>,

    /// The time zone of the cron, as Europe/Berlin [default: UTC]
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,

    /// What becomes of times that passed while the server was down: skip, one or all [default: one]
    #[arg(long, value_name = "POLICY", value_parser = policy)]
    missed: Option<MissedRuns>,

    /// Make no jobs
    #[arg(long)]
    paused: bool,

    /// What kind of job it is, for workers that take only some
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,

    /// 0 (lowest) to 9 (highest) [default: 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=9))]
    priority: Option<u8>,

    /// Whom the job is for: groups take turns, and a queue may limit each
    #[arg(long)]
    group: Option<String>,

    /// If the job is not done by then, it ends as EXPIRED [default: the queue's]
    #[arg(long, value_name = "DURATION", value_parser = super::duration)]
    expires_in: Option<Duration>,

    /// How often the job is tried [default: the queue's]
    #[arg(long, value_name = "N")]
    max_attempts: Option<u32>,

    /// The longest time of one attempt [default: the queue's]
    #[arg(long, value_name = "DURATION", value_parser = super::duration)]
    timeout: Option<Duration>,

    /// Keep the job so long after its end [default: the queue's]
    #[arg(long, value_name = "DURATION", value_parser = super::duration)]
    result_retention: Option<Duration>,

    /// A word to find the job by (may be repeated)
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
}

/// Reads JSON, and keeps it as it is written.
fn json(text: &str) -> Result<Box<RawValue>, String> {
    RawValue::from_string(text.to_owned()).map_err(|error| format!("not JSON: {error}"))
}

fn policy(text: &str) -> Result<MissedRuns, String> {
    serde_json::from_value(text.into()).map_err(|error| error.to_string())
}

impl PutArgs {
    /// The job that is made each time.
    fn job(&self) -> Submission {
        let mut job = Submission::new(&self.queue);
        if let Some(payload) = &self.payload {
            job = job.payload_json(payload.clone());
        }
        if let Some(kind) = &self.kind {
            job = job.kind(kind);
        }
        if let Some(priority) = self.priority {
            job = job.priority(priority);
        }
        if let Some(group) = &self.group {
            job = job.group(group);
        }
        if let Some(expires_in) = self.expires_in {
            job = job.expires_in(expires_in.get());
        }
        if let Some(max_attempts) = self.max_attempts {
            job = job.max_attempts(max_attempts);
        }
        if let Some(timeout) = self.timeout {
            job = job.timeout(timeout.get());
        }
        if let Some(retention) = self.result_retention {
            job = job.result_retention(retention.get());
        }
        self.tags.iter().fold(job, Submission::tag)
    }

    fn request<'a>(&'a self, job: &'a Submission) -> Result<ScheduleRequest<'a>, Failure> {
        Ok(ScheduleRequest {
            cron: (&*self.cron).into(),
            timezone: self.timezone.as_deref().map(Into::into),
            missed: self.missed,
            paused: self.paused.then_some(true),
            job: job.envelope()?,
        })
    }
}

/// Does it, and shows what came of it.
pub(crate) async fn run(args: ScheduleArgs, session: &Session) -> Result<Exit, Failure> {
    let schedule = match args.command {
        ScheduleCommand::Put(args) => session.client.put_schedule(&args.name, &args.request(&args.job())?).await?,
        ScheduleCommand::Get { name } => session.client.schedule(&name).await?,
        ScheduleCommand::List => return list(session).await,
        ScheduleCommand::Delete { name } => {
            session.client.delete_schedule(&name).await?;
            return Ok(Exit::Fine);
        }
    };
    if session.console.is_json {
        session.console.document(&schedule)?;
    } else {
        show(&schedule, session.console)?;
    }
    Ok(Exit::Fine)
}

/// Prints all schedules, page by page.
async fn list(session: &Session) -> Result<Exit, Failure> {
    let mut table = Table::new(["NAME", "CRON", "ZONE", "QUEUE", "NEXT", "LAST"]);
    let mut token = None;
    loop {
        let page = session.client.schedules(token.as_deref()).await?;
        for schedule in &page.schedules {
            if session.console.is_json {
                session.console.document(schedule)?;
                continue;
            }
            let (next, colour) = next(schedule);
            table.row([
                Cell::new(&schedule.name),
                Cell::new(&schedule.cron),
                Cell::new(&schedule.timezone),
                Cell::new(queue(schedule)),
                Cell::painted(next, colour),
                Cell::new(said(schedule.last_run_at)),
            ]);
        }
        token = page.next_page_token;
        if token.is_none() {
            break;
        }
    }
    if session.console.is_json {
        return Ok(Exit::Fine);
    }
    if table.is_empty() {
        note("there are no schedules");
    } else {
        table.print(session.console)?;
    }
    Ok(Exit::Fine)
}

/// The queue of the schedule's job.
fn queue(schedule: &ScheduleDocument<'_>) -> String {
    let job: Value = serde_json::from_str(schedule.job.get()).unwrap_or_default();
    job["queue"].as_str().unwrap_or_default().to_owned()
}

/// The next time, or why there is none, and how that looks.
fn next(schedule: &ScheduleDocument<'_>) -> (String, Option<Colour>) {
    if schedule.paused { ("paused".to_owned(), Some(Colour::Yellow)) } else { (said(schedule.next_run_at), None) }
}

fn said(time: Option<Time>) -> String {
    time.map(|time| time.to_string()).unwrap_or_default()
}

fn show(schedule: &ScheduleDocument<'_>, console: Console) -> Result<(), Failure> {
    console.line(&shown(&schedule.name))?;
    let (next, colour) = next(schedule);
    for (name, value) in [
        ("cron", &*schedule.cron),
        ("timezone", &*schedule.timezone),
        ("missed", &*schedule.missed),
        ("job", schedule.job.get()),
        ("created", &*schedule.created_at.to_string()),
        ("next", &*console.paint(colour, &shown(&next))),
        ("last", &*said(schedule.last_run_at)),
        ("last job", schedule.last_job.as_deref().unwrap_or_default()),
    ] {
        if !value.is_empty() {
            let value = if name == "next" { value.into() } else { shown(value) };
            console.line(&format!("  {name:<8}  {value}"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn put(line: &[&str]) -> Result<String, i32> {
        let line = ["ackd", "schedule", "put", "nightly", "30 2 * * *", "reports"].iter().chain(line);
        match Cli::try_parse_from(line).map_err(|error| error.exit_code())?.command {
            Command::Schedule(ScheduleArgs { command: ScheduleCommand::Put(args) }) => {
                Ok(serde_json::to_string(&args.request(&args.job()).unwrap()).unwrap())
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_become_a_request() {
        assert_eq!(put(&[]).as_deref(), Ok(r#"{"cron":"30 2 * * *","job":{"queue":"reports"}}"#));
        let when = [r#"{"n" : 1}"#, "--timezone", "Europe/Berlin", "--missed", "all", "--paused"];
        let what = ["--type", "daily", "--priority", "9", "--group", "g", "--expires-in", "1h", "--max-attempts", "3"];
        let more = ["--timeout", "10m", "--result-retention", "24h", "--tag", "a", "--tag", "b"];
        assert_eq!(
            put(&[&when[..], &what[..], &more[..]].concat()).as_deref(),
            Ok(
                r#"{"cron":"30 2 * * *","timezone":"Europe/Berlin","missed":"all","paused":true,"job":{"queue":"reports","type":"daily","payload":{"n" : 1},"expires_in":"1h","priority":9,"max_attempts":3,"timeout":"10m","result_retention":"24h","group":"g","tags":["a","b"]}}"#
            )
        );
        assert_eq!(put(&["-7"]).as_deref(), Ok(r#"{"cron":"30 2 * * *","job":{"queue":"reports","payload":-7}}"#));
        assert_eq!(put(&["no json"]), Err(2));
        assert_eq!(put(&["--missed", "some"]), Err(2));
    }
}
