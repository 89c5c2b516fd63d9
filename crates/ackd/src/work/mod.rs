//! Programs as workers: `ackd work`.
//!
//! ```text
//! ackd work ──spawns, for each job──▶ ackd supervise ──spawns──▶ COMMAND ──▶ whatever it starts
//!     ▲                                    │ leads a process group of its own, which all of these belong to
//!     └───── how the command ended ────────┘ and kills it when the worker is gone
//! ```
//!
//! [`Group`] is the worker's side of that, [`supervisor`] the other; [`job`] does one job with it.

mod environment;
mod group;
mod handover;
mod input;
mod job;
mod lines;
mod outcome;
mod output;
mod reports;
mod sink;
mod spool;
mod supervisor;
mod tail;

pub(crate) use supervisor::{SUPERVISE, supervise};

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ackd_client::{Client, Worker};

use crate::console::note;
use crate::failure::Failure;
use crate::serve::stop_signal;
use sink::Sink;

/// How long a command has to end after SIGTERM when the worker is stopping: it had its grace before.
const LAST_GRACE: Duration = Duration::from_secs(5);

/// What is to be worked on, and how.
#[derive(Debug)]
pub(crate) struct Crew {
    /// The server.
    pub(crate) url: String,
    /// The queues to take jobs from.
    pub(crate) queues: Vec<String>,
    /// How many jobs at once.
    pub(crate) jobs: usize,
    /// The worker's name.
    pub(crate) name: Option<String>,
    /// Only jobs of these types; empty: any.
    pub(crate) kinds: Vec<String>,
    /// How long a lease lasts without a heartbeat.
    pub(crate) ttl: Option<Duration>,
    /// The most bytes of a result.
    pub(crate) max_result: u64,
    /// How long a job may take to finish or to stop when it has to.
    pub(crate) grace: Duration,
    /// The program and its arguments.
    pub(crate) command: Vec<OsString>,
}

/// Works until a signal says to stop.
pub(crate) async fn run(crew: Crew, client: Client) -> Result<(), Failure> {
    let stop = stop_signal().map_err(|error| Failure::Other(format!("cannot listen to signals: {error}")))?;
    // Before the client has anything to say about the server.
    note(&format!("waiting for jobs of {}, {} at a time", crew.queues.join(", "), crew.jobs));
    let (sink, written) = Sink::start();
    let mut worker = Worker::new(client)
        .concurrency(crew.jobs)
        .kinds(crew.kinds.iter().cloned())
        // The jobs keep to the grace by themselves; this is for one that does not.
        .grace(2 * crew.grace + 2 * LAST_GRACE);
    if let Some(name) = &crew.name {
        worker = worker.name(name);
    }
    if let Some(ttl) = crew.ttl {
        worker = worker.ttl(ttl);
    }
    let queues = crew.queues.clone();
    let crew = Arc::new(crew);
    for queue in queues {
        let (crew, sink) = (Arc::clone(&crew), sink.clone());
        worker =
            worker.handle_streamed(queue, move |job, context| job::run(Arc::clone(&crew), sink.clone(), job, context));
    }
    drop(sink);
    let ended = worker.run(stop).await;
    // The last lines of the last jobs.
    let _ = tokio::task::spawn_blocking(move || written.join()).await;
    Ok(ended?)
}

/// Whether a program can be run: the file, or one of that name on the search path.
pub(crate) fn is_there(program: &OsStr) -> bool {
    let runs = |path: &Path| path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok();
    if program.as_encoded_bytes().contains(&b'/') {
        return runs(Path::new(program));
    }
    // Without a search path the system has one of its own.
    std::env::var_os("PATH").is_none_or(|path| std::env::split_paths(&path).any(|folder| runs(&folder.join(program))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_looked_for_before_any_job_is_taken() {
        assert!(is_there(OsStr::new("sh")) && is_there(OsStr::new("/bin/sh")));
        for nothing in ["no-such-program", "/no/such/program", "/", "/etc/passwd", "./sh", ""] {
            assert!(!is_there(OsStr::new(nothing)), "{nothing}");
        }
    }
}
