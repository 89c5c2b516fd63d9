//! `ackd work`: a program for each job.

use std::ffi::OsString;
use std::num::NonZeroUsize;

use ackd_client::api::{Duration, check_name};
use clap::Args;

use crate::cli::{Globals, Session};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::notices;
use crate::work::{self, Crew};

/// The most bytes of a result, unless another limit is given: as many as a server takes by default.
const DEFAULT_RESULT: u64 = 16 << 30;

/// The arguments of `ackd work`.
#[derive(Debug, Args)]
#[command(after_help = "\
The command gets the payload on stdin; what it writes to stdout is the result: JSON if it parses, else text, else
bytes. Exit code 0: done. 65: failed for good. Any other, or a signal: failed, and tried again; the end of what it
wrote to stderr says why. Payloads and results beyond 1 MiB stand in temporary files (TMPDIR) meanwhile. A line on stderr that begins so is a report, not output:
  ackd:progress 42 encoding        how far it has come, in per cent, and what it does
  ackd:checkpoint {\"at\":17}        a note for the next attempt, which finds it in ACKD_CHECKPOINT
Environment: ACKD_JOB_ID, ACKD_QUEUE, ACKD_TYPE, ACKD_ATTEMPT, ACKD_MAX_ATTEMPTS, ACKD_CHECKPOINT, ACKD_CONTENT_TYPE,
ACKD_LEASE, ACKD_URL, TRACEPARENT.
If the job is cancelled, lost or out of time, the command and all that it started get SIGTERM, and SIGKILL after
--grace. They never outlive the worker. On SIGTERM or SIGINT the worker takes no further jobs, gives those that run
--grace to finish, stops them and gives them back; on a second one it stops at once.

Example: ackd work video -j 2 -- ./transcode.sh")]
pub(crate) struct WorkArgs {
    /// The queues to take jobs from
    #[arg(required = true, value_name = "QUEUE", value_parser = name)]
    queues: Vec<String>,

    /// How many jobs at once
    #[arg(short, long, value_name = "N", default_value = "1")]
    jobs: NonZeroUsize,

    /// The name under which its jobs are shown [default: the host's and something unique]
    #[arg(long, value_parser = name)]
    name: Option<String>,

    /// Take only jobs of this type (may be repeated)
    #[arg(long = "type", value_name = "TYPE")]
    kinds: Vec<String>,

    /// How long its leases last without a heartbeat, 1s to 1h [default: the queue's]
    #[arg(long, value_name = "DURATION", value_parser = super::duration)]
    ttl: Option<Duration>,

    /// The most bytes of a result; more fails the job for good, and so does what is too large for the server
    #[arg(long, value_name = "BYTES", default_value_t = DEFAULT_RESULT)]
    max_result: u64,

    /// How long a job may take to finish or to stop when it has to
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = super::duration)]
    grace: Duration,

    /// The program and its arguments; no shell reads them
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

fn name(text: &str) -> Result<String, ackd_client::api::NameError> {
    check_name(text).map(|()| text.to_owned())
}

/// Works until it is told to stop.
pub(crate) fn run(args: WorkArgs, globals: Globals) -> Result<Exit, Failure> {
    if let Some(program) = args.command.first()
        && !work::is_there(program)
    {
        return Err(Failure::Usage(format!("there is no program {}", program.display())));
    }
    let session = Session::open(globals)?;
    notices::start(None);
    let crew = Crew {
        url: session.url,
        queues: args.queues,
        jobs: args.jobs.get(),
        name: args.name,
        kinds: args.kinds,
        ttl: args.ttl.map(Duration::get),
        max_result: args.max_result,
        grace: args.grace.get(),
        command: args.command,
    };
    // The jobs are processes of their own: two threads are plenty for what is left to do here.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Other(format!("cannot start: {error}")))?;
    runtime.block_on(work::run(crew, session.client))?;
    Ok(Exit::Fine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn parse(line: &str) -> Result<WorkArgs, i32> {
        match Cli::try_parse_from(line.split(' ')).map_err(|error| error.exit_code())?.command {
            Command::Work(args) => Ok(args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn everything_after_the_dashes_is_the_command() {
        let args =
            parse("ackd work a b -j 2 --name w --type t --type u --ttl 10 --grace 1m -- sh -c --json -j").unwrap();
        assert_eq!(
            (args.queues, args.jobs.get(), args.kinds),
            (vec!["a".into(), "b".into()], 2, vec!["t".into(), "u".into()])
        );
        assert_eq!(args.ttl, "10s".parse().ok());
        assert_eq!(args.command, ["sh", "-c", "--json", "-j"]);
        assert_eq!(parse("ackd work q -- x").unwrap().jobs.get(), 1);
    }

    #[test]
    fn what_cannot_be_meant_is_wrong_use() {
        for line in [
            "ackd work q",
            "ackd work -- sh",
            "ackd work q -j 0 -- sh",
            "ackd work q/q -- sh",
            "ackd work q --name -w -- sh",
            "ackd work q sh -c x",
        ] {
            assert!(matches!(parse(line), Err(2)), "{line}");
        }
    }
}
