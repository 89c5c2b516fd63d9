//! `ackd schedule`: jobs that are made at certain times.

use ackd_client::Submission;
use ackd_client::api::{MissedRuns, ScheduleDocument, ScheduleRequest, Time};
use clap::{Args, Subcommand};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::cli::Session;
use crate::commands::job_args::JobArgs;
use crate::commands::listing::Listing;
use crate::console::{Colour, Console};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::table::Cell;
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
    #[arg(long, value_name = "POLICY", value_parser = super::word::<MissedRuns>)]
    missed: Option<MissedRuns>,

    /// Make no jobs
    #[arg(long)]
    paused: bool,

    #[command(flatten)]
    options: JobArgs,
}

/// Reads JSON, and keeps it as it is written.
fn json(text: &str) -> Result<Box<RawValue>, String> {
    RawValue::from_string(text.to_owned()).map_err(|error| format!("not JSON: {error}"))
}

impl PutArgs {
    /// The job that is made each time.
    fn job(&self) -> Submission {
        let job = Submission::new(&self.queue);
        let job = match &self.payload {
            Some(payload) => job.payload_json(payload.clone()),
            None => job,
        };
        self.options.tell(job)
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
    session.console.show(&schedule, |console| show(&schedule, console))
}

/// Prints all schedules, page by page.
async fn list(session: &Session) -> Result<Exit, Failure> {
    let mut listing = Listing::new(session.console, ["NAME", "CRON", "ZONE", "QUEUE", "NEXT", "LAST"]);
    let mut token = None;
    loop {
        let page = session.client.schedules(token.as_deref()).await?;
        for schedule in &page.schedules {
            listing.add(schedule, || row(schedule))?;
        }
        token = page.next_page_token;
        if token.is_none() {
            return Ok(listing.finish("there are no schedules")?);
        }
    }
}

fn row(schedule: &ScheduleDocument<'_>) -> [Cell; 6] {
    let (next, colour) = next(schedule);
    [
        Cell::new(&schedule.name),
        Cell::new(&schedule.cron),
        Cell::new(&schedule.timezone),
        Cell::new(queue(schedule)),
        Cell::painted(next, colour),
        Cell::new(said(schedule.last_run_at)),
    ]
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
