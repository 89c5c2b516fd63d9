//! The command line: which commands there are, and what is common to them.

use ackd_client::{Client, DEFAULT_URL};
use clap::{Args, Parser, Subcommand};

use crate::commands::bulk::BulkArgs;
use crate::commands::cancel::CancelArgs;
use crate::commands::completions::CompletionsArgs;
use crate::commands::dead::DeadArgs;
use crate::commands::delete::DeleteArgs;
use crate::commands::file::FileArgs;
use crate::commands::get::GetArgs;
use crate::commands::list::ListArgs;
use crate::commands::payload::PayloadArgs;
use crate::commands::queue::QueueArgs;
use crate::commands::redrive::RedriveArgs;
use crate::commands::result::ResultArgs;
use crate::commands::retry::RetryArgs;
use crate::commands::schedule::ScheduleArgs;
use crate::commands::submit::SubmitArgs;
use crate::commands::timeline::TimelineArgs;
use crate::commands::watch::WatchArgs;
use crate::commands::webhook::WebhookArgs;
use crate::commands::work::WorkArgs;
use crate::config::ServeArgs;
use crate::console::Console;
use crate::failure::Failure;

/// How long a command that waits goes on while the server is away.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(600);

/// Makes slow work asynchronous: accepts a request, acknowledges it, does it later and tells the client.
#[derive(Debug, Parser)]
#[command(
    name = "ackd",
    version,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 fine · 1 failed (also a job that did not end as DONE, with --wait) · 2 wrong use"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command that talks to a server takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Globals {
    /// The server to talk to
    #[arg(long, global = true, env = "ACKD_URL", default_value = DEFAULT_URL, hide_env_values = true)]
    pub(crate) url: String,

    /// Print the API's documents as JSON, one a line
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// What `ackd` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server
    Serve(Box<ServeArgs>),
    /// Submit a job
    Submit(Box<SubmitArgs>),
    /// Show a job
    Get(GetArgs),
    /// Print a job's result
    Result(ResultArgs),
    /// Print a job's payload
    Payload(PayloadArgs),
    /// Show everything that happened to a job
    Timeline(TimelineArgs),
    /// List jobs, newest first
    List(ListArgs),
    /// Follow a job live, to its end
    Watch(WatchArgs),
    /// Cancel jobs
    Cancel(CancelArgs),
    /// Run jobs again that failed, expired or were cancelled
    Retry(RetryArgs),
    /// Cancel or retry all jobs that match
    Bulk(BulkArgs),
    /// See of what the jobs of a queue died
    Dead(DeadArgs),
    /// Run dead jobs of a queue again
    Redrive(RedriveArgs),
    /// Erase jobs that have ended
    Delete(DeleteArgs),
    /// Upload, download and delete files, for payloads of any size
    File(FileArgs),
    /// Show and set queues
    Queue(QueueArgs),
    /// Have jobs made at certain times
    Schedule(ScheduleArgs),
    /// Have the ends of jobs told to URLs
    Webhook(WebhookArgs),
    /// Work on jobs: run a program for each
    Work(WorkArgs),
    /// Print a script that completes commands in a shell
    Completions(CompletionsArgs),
}

/// What a command that talks to a server works with.
pub(crate) struct Session {
    /// The server.
    pub(crate) client: Client,
    /// Where it is.
    pub(crate) url: String,
    /// Where to print.
    pub(crate) console: Console,
}

impl Session {
    /// A session as the command line wants it. Nothing is sent yet.
    pub(crate) fn open(globals: Globals) -> Result<Session, Failure> {
        let client = Client::builder().url(&globals.url).patience(PATIENCE).build();
        let client = client.map_err(|error| Failure::Usage(format!("--url {error}")))?;
        Ok(Session { client, url: globals.url, console: Console::new(globals.json) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_fits_a_screen_and_every_command_has_an_example() {
        let mut command = Cli::command();
        let help = command.render_help().to_string();
        assert!(help.lines().count() <= 36, "{help}");
        assert!(help.lines().all(|line| line.chars().count() <= 110), "{help}");
        for sub in command.get_subcommands_mut() {
            if ["serve", "help"].contains(&sub.get_name()) {
                continue;
            }
            let help = sub.render_help().to_string();
            assert!(help.contains("Example"), "{help}");
        }
    }

    #[test]
    fn global_options_stand_anywhere() {
        for line in ["ackd --json --url http://x get a", "ackd get a --json --url http://x"] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert!(cli.globals.json && cli.globals.url == "http://x", "{line}");
        }
    }
}
