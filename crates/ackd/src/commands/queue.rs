//! `ackd queue`: what queues there are, how they are set, and whether they stand still.

use std::str::FromStr;

use ackd_client::api::queue_patch::{BackoffPatch, PushPatch, RatePatch};
use ackd_client::api::{Duration, Patch, QueueDocument, QueuePatch, Status};
use clap::{Args, Subcommand};

use crate::cli::Session;
use crate::commands::listing::Listing;
use crate::console::{Colour, Console};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::table::Cell;

/// The arguments of `ackd queue`.
#[derive(Debug, Args)]
#[command(after_help = "Example: ackd queue pause video")]
pub(crate) struct QueueArgs {
    #[command(subcommand)]
    command: QueueCommand,
}

/// What can be done with queues.
#[derive(Debug, Subcommand)]
enum QueueCommand {
    /// List the queues that have jobs or settings
    List,
    /// Show a queue: its settings, and its jobs by status
    Show {
        /// The queue
        queue: String,
    },
    /// Change settings of a queue; `default` as a value takes one back to the server's
    Set(Box<SetArgs>),
    /// Grant no more leases: what runs goes on, what waits stays
    Pause {
        /// The queue
        queue: String,
    },
    /// Take no new jobs: those that are there are worked off
    Drain {
        /// The queue
        queue: String,
    },
    /// Grant leases and take jobs again
    Resume {
        /// The queue
        queue: String,
    },
    /// Cancel all jobs that wait; what runs goes on
    Purge {
        /// The queue
        queue: String,
        /// The queue once more
        #[arg(long, value_name = "QUEUE")]
        confirm: String,
    },
}

/// The arguments of `ackd queue set`.
#[derive(Debug, Args)]
#[command(
    override_usage = "ackd queue set [OPTIONS] <QUEUE>",
    after_help = "Example: ackd queue set video --lease-ttl 10s --max-attempts 5 --backoff-max default"
)]
struct SetArgs {
    /// The queue
    queue: String,

    #[command(flatten)]
    settings: Settings,
}

/// The settings that change, one at least.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Settings {
    /// How long a lease lasts without a heartbeat, 1s to 1h [server's default: 30s]
    #[arg(long, value_name = "DURATION")]
    lease_ttl: Option<Setting<Duration>>,

    /// How often a job is tried [server's default: 20]
    #[arg(long, value_name = "N")]
    max_attempts: Option<Setting<u32>>,

    /// The longest time of one attempt [server's default: none]
    #[arg(long, value_name = "DURATION")]
    timeout: Option<Setting<Duration>>,

    /// How many jobs run at once, 1 to 1000000 [server's default: no limit]
    #[arg(long, value_name = "N")]
    concurrency: Option<Setting<u32>>,

    /// How many jobs begin in a period, as 100/1m [server's default: no limit]
    #[arg(long, value_name = "N/DURATION")]
    rate: Option<Setting<Rate>>,

    /// How many jobs of one group run at once, 1 to 1000000 [server's default: no limit]
    #[arg(long, value_name = "N")]
    group_concurrency: Option<Setting<u32>>,

    /// The wait after the first attempt [server's default: 1s]
    #[arg(long, value_name = "DURATION")]
    backoff_base: Option<Setting<Duration>>,

    /// What each further attempt multiplies the wait with [server's default: 2]
    #[arg(long, value_name = "X")]
    backoff_factor: Option<Setting<f64>>,

    /// The longest wait between attempts [server's default: 1h]
    #[arg(long, value_name = "DURATION")]
    backoff_max: Option<Setting<Duration>>,

    /// The share of the wait that is left to chance, 0 to 1 [server's default: 1]
    #[arg(long, value_name = "X")]
    backoff_jitter: Option<Setting<f64>>,

    /// When a job that is not done ends as EXPIRED [server's default: 14d]
    #[arg(long, value_name = "DURATION")]
    expires_in: Option<Setting<Duration>>,

    /// How long a job is kept after its end [server's default: 7d]
    #[arg(long, value_name = "DURATION")]
    result_retention: Option<Setting<Duration>>,

    /// Make a job in this queue of each one that fails for good or expires [server's default: none]
    #[arg(long, value_name = "QUEUE")]
    dead_letter: Option<Setting<String>>,

    /// POST each job to this URL; the answer is its result
    #[arg(long, value_name = "URL")]
    push: Option<String>,

    /// Push the jobs nowhere any more
    #[arg(long, conflicts_with_all = ["push", "push_concurrency", "push_timeout", "push_async", "push_fail_on"])]
    no_push: bool,

    /// How many posts are under way at once, 1 to 1000 [server's default: 10]
    #[arg(long, value_name = "N")]
    push_concurrency: Option<Setting<u32>>,

    /// How long a post may take, 1s to 1h [server's default: 30s]
    #[arg(long, value_name = "DURATION")]
    push_timeout: Option<Setting<Duration>>,

    /// Whether a 202 means that the target settles the lease later [server's default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    push_async: Option<Setting<bool>>,

    /// The statuses, with commas between, that fail a job for good [server's default: 400,410,413,415,422]
    #[arg(long, value_name = "STATUS")]
    push_fail_on: Option<Setting<Statuses>>,
}

/// A value, or the server's default.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Setting<T> {
    Default,
    Value(T),
}

impl<T: FromStr> FromStr for Setting<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Setting<T>, T::Err> {
        if text == "default" { Ok(Setting::Default) } else { text.parse().map(Setting::Value) }
    }
}

/// Some statuses of HTTP.
#[derive(Debug, Clone, PartialEq)]
struct Statuses(Vec<u16>);

impl FromStr for Statuses {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Statuses, Self::Err> {
        text.split(',').map(str::parse).collect::<Result<_, _>>().map(Statuses)
    }
}

/// So many in so long.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Rate(u32, Duration);

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Rate, String> {
        let (limit, per) = text.split_once('/').ok_or("not a number, a slash and a duration, as 100/1m")?;
        Ok(Rate(
            limit.parse().map_err(|_| format!("{limit:?} is not a number"))?,
            super::duration(per).map_err(|error| error.to_string())?,
        ))
    }
}

fn patch<T>(setting: Option<Setting<T>>) -> Patch<T> {
    match setting {
        None => Patch::Absent,
        Some(Setting::Default) => Patch::Null,
        Some(Setting::Value(value)) => Patch::Value(value),
    }
}

impl Settings {
    /// The settings that change.
    fn patch(self) -> QueuePatch {
        let backoff = BackoffPatch {
            base: patch(self.backoff_base),
            factor: patch(self.backoff_factor),
            max: patch(self.backoff_max),
            jitter: patch(self.backoff_jitter),
        };
        let push = PushPatch {
            url: self.push.map_or(Patch::Absent, Patch::Value),
            concurrency: patch(self.push_concurrency),
            timeout: patch(self.push_timeout),
            is_async: patch(self.push_async),
            fail_on: match patch(self.push_fail_on) {
                Patch::Value(Statuses(statuses)) => Patch::Value(statuses),
                Patch::Null => Patch::Null,
                Patch::Absent => Patch::Absent,
            },
        };
        let push = if push == PushPatch::default() { Patch::Absent } else { Patch::Value(push) };
        QueuePatch {
            push: if self.no_push { Patch::Null } else { push },
            lease_ttl: patch(self.lease_ttl),
            max_attempts: patch(self.max_attempts),
            backoff: if backoff == BackoffPatch::default() { Patch::Absent } else { Patch::Value(backoff) },
            timeout: patch(self.timeout),
            concurrency: patch(self.concurrency),
            rate: patch(self.rate.map(|rate| match rate {
                Setting::Default => Setting::Default,
                Setting::Value(Rate(limit, per)) => Setting::Value(RatePatch { limit: limit.into(), per: per.into() }),
            })),
            group_concurrency: patch(self.group_concurrency),
            expires_in: patch(self.expires_in),
            result_retention: patch(self.result_retention),
            dead_letter: patch(self.dead_letter),
        }
    }
}

/// Does it, and shows the queue as it is then.
pub(crate) async fn run(args: QueueArgs, session: &Session) -> Result<Exit, Failure> {
    let client = &session.client;
    let (name, queue) = match args.command {
        QueueCommand::List => return list(session).await,
        QueueCommand::Show { queue } => {
            let document = client.queue(&queue).await?;
            (queue, document)
        }
        QueueCommand::Set(args) => {
            let queue = args.queue.clone();
            let document = client.patch_queue(&queue, &args.settings.patch()).await?;
            (queue, document)
        }
        QueueCommand::Pause { queue } => {
            client.pause_queue(&queue).await?;
            let document = client.queue(&queue).await?;
            (queue, document)
        }
        QueueCommand::Purge { queue, confirm } if queue != confirm => {
            return Err(Failure::Usage(format!("--confirm must be {queue}, the queue that is to be purged")));
        }
        QueueCommand::Purge { queue, .. } => return purge(&queue, session).await,
        QueueCommand::Drain { queue } => {
            client.drain_queue(&queue).await?;
            let document = client.queue(&queue).await?;
            (queue, document)
        }
        QueueCommand::Resume { queue } => {
            client.resume_queue(&queue).await?;
            let document = client.queue(&queue).await?;
            (queue, document)
        }
    };
    session.console.show(&queue, |console| show(&name, &queue, console))
}

/// Cancels what waits, and says how much that was.
async fn purge(queue: &str, session: &Session) -> Result<Exit, Failure> {
    let purged = session.client.purge_queue(queue).await?;
    session.console.show(&purged, |console| Ok(console.line(&format!("{} cancelled", purged.purged))?))
}

/// Prints all queues, page by page.
async fn list(session: &Session) -> Result<Exit, Failure> {
    let heads = ["QUEUE", "INIT", "PROCESSING", "DONE", "FAILED", "CANCELLED", "EXPIRED", "PAUSED"];
    let mut listing = Listing::new(session.console, heads);
    let mut token = None;
    loop {
        let page = session.client.queues(token.as_deref()).await?;
        for queue in &page.queues {
            listing.add(queue, || row(queue))?;
        }
        token = page.next_page_token;
        if token.is_none() {
            return Ok(listing.finish("there are no queues yet; the first job of a queue makes it")?);
        }
    }
}

fn row(queue: &QueueDocument) -> [Cell; 8] {
    let count = |status: Status| {
        let count = queue.counts.get(status);
        Cell::painted(count.to_string(), Colour::of(status).filter(|_| count > 0))
    };
    let [init, processing, done, failed, cancelled, expired] = Status::ALL.map(count);
    let name = Cell::new(queue.name.as_deref().unwrap_or_default());
    let paused = Cell::painted(state(queue), Some(Colour::Yellow));
    [name, init, processing, done, failed, cancelled, expired, paused]
}

/// Whether the queue stands still, or takes nothing new.
fn state(queue: &QueueDocument) -> &'static str {
    match (queue.paused, queue.draining) {
        (true, true) => "paused, draining",
        (true, false) => "paused",
        (false, true) => "draining",
        (false, false) => "",
    }
}

fn show(name: &str, queue: &QueueDocument, console: Console) -> Result<(), Failure> {
    let paused = match state(queue) {
        "" => String::new(),
        state => console.paint(Some(Colour::Yellow), &format!("  {state}")),
    };
    console.line(&format!("{name}{paused}"))?;
    for status in Status::ALL {
        let count = queue.counts.get(status);
        let status = console.paint(Colour::of(status).filter(|_| count > 0), &format!("{:<16}", status.as_str()));
        console.line(&format!("  {status}  {count}"))?;
    }
    // Whatever settings the server knows, in its order and by its names.
    let settings = serde_json::to_value(&queue.settings).unwrap_or_default();
    let mut lines = Vec::new();
    flatten("", &settings, &mut lines);
    for (name, value) in lines {
        console.line(&format!("  {name:<16}  {value}"))?;
    }
    Ok(())
}

/// The settings that are set, those of an object by `object.name`.
fn flatten(prefix: &str, value: &serde_json::Value, lines: &mut Vec<(String, String)>) {
    match value {
        serde_json::Value::Null => {}
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                flatten(&name, value, lines);
            }
        }
        serde_json::Value::String(text) => lines.push((prefix.to_owned(), text.clone())),
        other => lines.push((prefix.to_owned(), other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn set(line: &[&str]) -> Result<String, i32> {
        let line = ["ackd", "queue", "set", "q"].iter().chain(line);
        match Cli::try_parse_from(line).map_err(|error| error.exit_code())?.command {
            Command::Queue(QueueArgs { command: QueueCommand::Set(args) }) => {
                Ok(serde_json::to_string(&args.settings.patch()).unwrap())
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn settings_become_a_merge_patch() {
        assert_eq!(set(&["--lease-ttl", "3s"]).as_deref(), Ok(r#"{"lease_ttl":"3s"}"#));
        assert_eq!(
            set(&["--rate", "100/1m", "--concurrency", "4"]).as_deref(),
            Ok(r#"{"concurrency":4,"rate":{"limit":100,"per":"1m"}}"#)
        );
        assert_eq!(set(&["--rate", "default"]).as_deref(), Ok(r#"{"rate":null}"#));
        assert_eq!(
            (set(&["--rate", "100"]), set(&["--rate", "x/1s"]), set(&["--rate", "1/x"])),
            (Err(2), Err(2), Err(2))
        );
        assert_eq!(set(&["--dead-letter", "graveyard"]).as_deref(), Ok(r#"{"dead_letter":"graveyard"}"#));
        assert_eq!(set(&["--dead-letter", "default"]).as_deref(), Ok(r#"{"dead_letter":null}"#));
        assert_eq!(set(&["--group-concurrency", "2"]).as_deref(), Ok(r#"{"group_concurrency":2}"#));
        assert_eq!(set(&["--group-concurrency", "default"]).as_deref(), Ok(r#"{"group_concurrency":null}"#));
        assert_eq!(
            set(&["--backoff-base", "1m", "--backoff-max", "default", "--max-attempts", "3", "--timeout", "default"])
                .as_deref(),
            Ok(r#"{"max_attempts":3,"backoff":{"base":"1m","max":null},"timeout":null}"#)
        );
        assert_eq!(
            set(&[
                "--backoff-factor",
                "1.5",
                "--backoff-jitter",
                "0",
                "--expires-in",
                "1d",
                "--result-retention",
                "1h"
            ])
            .as_deref(),
            Ok(r#"{"backoff":{"factor":1.5,"jitter":0.0},"expires_in":"24h","result_retention":"1h"}"#)
        );
        assert_eq!(
            set(&["--push", "http://x", "--push-timeout", "1m", "--push-async", "--push-fail-on", "404,422"])
                .as_deref(),
            Ok(r#"{"push":{"url":"http://x","timeout":"1m","async":true,"fail_on":[404,422]}}"#)
        );
        assert_eq!(
            set(&["--push-concurrency", "3", "--push-async", "false", "--push-fail-on", "default"]).as_deref(),
            Ok(r#"{"push":{"concurrency":3,"async":false,"fail_on":null}}"#)
        );
        assert_eq!(set(&["--no-push"]).as_deref(), Ok(r#"{"push":null}"#));
    }

    #[test]
    fn what_sets_nothing_or_nonsense_is_wrong_use() {
        assert_eq!(set(&[]), Err(2));
        assert_eq!(set(&["--lease-ttl", "soon"]), Err(2));
        assert_eq!(set(&["--max-attempts", "-1"]), Err(2));
        assert_eq!(set(&["--push-fail-on", "4xx"]), Err(2));
        assert_eq!(set(&["--no-push", "--push", "http://x"]), Err(2));
    }

    #[test]
    fn settings_are_shown_by_their_names() {
        let settings =
            serde_json::json!({"lease_ttl": "30s", "timeout": null, "backoff": {"base": "1s", "factor": 2.0}});
        let mut lines = Vec::new();
        flatten("", &settings, &mut lines);
        let lines: Vec<String> = lines.into_iter().map(|(name, value)| format!("{name} {value}")).collect();
        assert_eq!(lines, ["backoff.base 1s", "backoff.factor 2.0", "lease_ttl 30s"]);
    }
}
