//! One job: a command from its start to its end.

use std::future::pending;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use ackd_client::{Body, Cancellation, Context, Job, JobError, Reply};
use rustix::process::Signal;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::time::Instant;

use super::environment::Environment;
use super::group::{Group, Pipes};
use super::input::Input;
use super::outcome::Outcome;
use super::output::{Output, OutputError};
use super::reports::Reports;
use super::sink::Sink;
use super::{Crew, LAST_GRACE};

/// The exit code of a command for a job that cannot be done, by sysexits.h: EX_DATAERR.
const FAILED_FOR_GOOD: i32 = 65;

/// How much is read from a pipe at once: as much as a pipe holds by default.
const CHUNK: usize = 64 << 10;

/// How much a pipe holds at most, unless root says otherwise (pipe(7)).
const PIPE_MOST: usize = 1 << 20;

/// Why a command had to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// Somebody wants it so.
    Told(Cancellation),
    /// The attempt took longer than the job allows.
    OutOfTime(Duration),
    /// It wrote more than a result may have.
    TooLarge(u64),
    /// What it reads or writes cannot be kept here.
    Local(io::ErrorKind),
}

impl From<OutputError> for Stop {
    fn from(error: OutputError) -> Stop {
        match error {
            OutputError::TooLarge(most) => Stop::TooLarge(most),
            OutputError::Local(error) => Stop::Local(error.kind()),
        }
    }
}

/// Runs the command for a job.
pub(crate) async fn run(
    crew: Arc<Crew>,
    sink: Sink,
    job: Job<Option<Body>>,
    context: Context,
) -> Result<Reply, JobError> {
    let id = job.id.to_string();
    let started = Instant::now();
    sink.say(format!("{id} starts: {}, attempt {} of {}", job.queue, job.attempt, job.max_attempts)).await;
    let result = ended(&crew, &sink, job, context).await;
    let took = ackd_client::api::Duration::new(started.elapsed());
    let end = match &result {
        Ok(_) => "done".to_owned(),
        Err((Some(Stop::Told(Cancellation::Requested)), _)) => "cancelled".to_owned(),
        Err((Some(Stop::Told(Cancellation::LeaseLost)), _)) => "stopped, for its lease is lost".to_owned(),
        Err((Some(Stop::Told(Cancellation::Shutdown)), _)) => "stopped, and given back".to_owned(),
        Err((_, error)) => format!("failed: {}", error.to_string().lines().next().unwrap_or_default()),
    };
    sink.say(format!("{id} ends after {took}: {end}")).await;
    result.map_err(|(_, error)| error)
}

/// Runs the command to its end, and says what came out.
async fn ended(
    crew: &Crew,
    sink: &Sink,
    mut job: Job<Option<Body>>,
    context: Context,
) -> Result<Reply, (Option<Stop>, JobError)> {
    let input = match Input::of(&mut job, &context).await {
        Ok(input) => input,
        Err(error) => return Err((context.is_cancelled().map(Stop::Told), error)),
    };
    let environment = Environment::of(&job, &context, &crew.url);
    let (mut group, Pipes { stdin, mut stdout, mut stderr }) = Group::start(&crew.command, &environment)
        .map_err(|error| (None, JobError::retryable(Outcome::NotStarted(error.to_string()))))?;
    let mut output = Output::new(crew.max_result);
    let mut reports = Reports::start(job.id.to_string(), context.clone(), sink.clone());
    let (outcome, mut stop) = {
        let told = told(&context, job.timeout.map(Into::into), crew.grace);
        let feeding = input.feed(stdin);
        let collecting = collect(&mut stdout, &mut output);
        let reporting = report(&mut stderr, &mut reports);
        attend(&mut group, feeding, collecting, reporting, told, crew.grace).await
    };
    // What the command left behind ends with it; only then everything that was written is in the pipes.
    drop(group);
    if let Err(error) = rest(&stdout).try_for_each(|chunk| output.feed(&chunk)) {
        stop.get_or_insert(error.into());
    }
    for chunk in rest(&stderr) {
        reports.feed(&chunk);
    }
    reports.end();
    reports.shown().await;
    if stop.is_none() && outcome == Outcome::Exited(0) {
        // No checkpoint matters any more.
        return output.into_reply().map_err(|error| (None, error.into()));
    }
    let tail = reports.finish().await;
    Err((stop, verdict(&outcome, stop, &tail)))
}

/// What to tell the server of a command that did not do its job.
fn verdict(outcome: &Outcome, stop: Option<Stop>, tail: &str) -> JobError {
    let text = |what: &str| if tail.is_empty() { what.to_owned() } else { format!("{what}\n{tail}") };
    match (stop, outcome) {
        (Some(Stop::Told(_)), _) => JobError::cancelled(),
        (Some(Stop::OutOfTime(most)), _) => {
            let most = ackd_client::api::Duration::new(most);
            JobError::retryable(text(&format!("not done within its timeout of {most}")))
        }
        (Some(Stop::TooLarge(most)), _) => JobError::permanent(text(&OutputError::TooLarge(most).to_string())),
        (Some(Stop::Local(kind)), _) => {
            JobError::retryable(text(&format!("the worker cannot keep payload or result: {kind}")))
        }
        (None, Outcome::Exited(FAILED_FOR_GOOD)) => JobError::permanent(text(&outcome.to_string())),
        (None, _) => JobError::retryable(text(&outcome.to_string())),
    }
}

/// Waits until the command has to stop: it was told to, or its time is over. When the worker stops it goes on, for its
/// grace.
async fn told(context: &Context, timeout: Option<Duration>, grace: Duration) -> Stop {
    let out_of_time = async {
        match timeout {
            Some(timeout) => {
                tokio::time::sleep(timeout).await;
                Stop::OutOfTime(timeout)
            }
            None => pending().await,
        }
    };
    let told = async {
        let reason = context.cancelled().await;
        if reason != Cancellation::Shutdown {
            return Stop::Told(reason);
        }
        tokio::select! {
            () = context.lease_lost() => Stop::Told(Cancellation::LeaseLost),
            () = tokio::time::sleep(grace) => Stop::Told(reason),
        }
    };
    tokio::select! {
        stop = told => stop,
        stop = out_of_time => stop,
    }
}

/// Feeds the command, takes what it writes, and stops it when it has to, until it has ended. One that is stopped has its
/// grace as a whole: a shell ends at once, and what it started may still have to tidy up.
async fn attend(
    group: &mut Group,
    feeding: impl Future<Output = io::Result<()>>,
    collecting: impl Future<Output = Result<(), OutputError>>,
    reporting: impl Future<Output = ()>,
    told: impl Future<Output = Stop>,
    grace: Duration,
) -> (Outcome, Option<Stop>) {
    // Each goes at its own pace: a command that does not read, or says much, holds up nothing else.
    let mut feeding = pin!(feeding);
    let mut collecting = pin!(collecting);
    let mut reporting = pin!(reporting);
    let mut told = pin!(told);
    let (mut is_fed, mut is_collected, mut is_reported) = (false, false, false);
    let (mut ended, mut stop) = (None, None);
    let mut kill_at: Option<Instant> = None;
    loop {
        // Those who hold none of its streams any more have nothing left to do.
        let is_over = stop.is_none() || kill_at.is_none() || (is_collected && is_reported);
        if let Some(outcome) = ended.take_if(|_| is_over) {
            return (outcome, stop);
        }
        let stopping = tokio::select! {
            outcome = group.ended(), if ended.is_none() => {
                ended = Some(outcome);
                continue;
            }
            fed = &mut feeding, if !is_fed => {
                is_fed = true;
                match fed {
                    Ok(()) => continue,
                    Err(error) => Stop::Local(error.kind()),
                }
            }
            () = &mut reporting, if !is_reported => {
                is_reported = true;
                continue;
            }
            collected = &mut collecting, if !is_collected => {
                is_collected = true;
                match collected {
                    Ok(()) => continue,
                    Err(error) => error.into(),
                }
            }
            stop = &mut told, if stop.is_none() => stop,
            () = until(kill_at) => {
                // Its supervisor goes with it, and whoever waits for that one is told, if it was not told before.
                group.signal(Signal::KILL);
                kill_at = None;
                continue;
            }
        };
        if stop.is_none() {
            stop = Some(stopping);
            group.signal(Signal::TERM);
            let grace = if stopping == Stop::Told(Cancellation::Shutdown) { grace.min(LAST_GRACE) } else { grace };
            kill_at = Some(Instant::now() + grace);
        }
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => pending().await,
    }
}

/// Reads the result, to its end.
async fn collect(stdout: &mut pipe::Receiver, output: &mut Output) -> Result<(), OutputError> {
    let mut chunk = vec![0; CHUNK];
    while let Ok(count @ 1..) = stdout.read(&mut chunk).await {
        output.feed(&chunk[..count])?;
    }
    Ok(())
}

/// Reads what the command has to say, to its end.
async fn report(stderr: &mut pipe::Receiver, reports: &mut Reports) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(count @ 1..) = stderr.read(&mut chunk).await {
        reports.feed(&chunk[..count]);
        reports.shown().await;
    }
}

/// What a pipe still holds. A process that has left the group may keep it open, and full, for ever: its end is not
/// waited for, and no more is read than the largest of pipes holds.
fn rest(pipe: &pipe::Receiver) -> impl Iterator<Item = Vec<u8>> {
    std::iter::from_fn(move || {
        let mut chunk = vec![0; CHUNK];
        // Not by way of tokio, which may not have heard yet that there is something to read.
        let read = rustix::io::retry_on_intr(|| rustix::io::read(pipe, &mut chunk[..]));
        let count = read.ok().filter(|count| *count > 0)?;
        chunk.truncate(count);
        Some(chunk)
    })
    .take(PIPE_MOST / CHUNK)
}
