//! What a command tells on stderr, taken to where it belongs: reports to the server, the rest to the worker's stderr,
//! and the end of that into the job's error.

use std::collections::VecDeque;

use ackd_client::{CheckpointError, Context};
use serde_json::value::RawValue;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::lines::{Line, Lines};
use super::sink::Sink;
use super::tail::Tail;

/// Takes what one command writes to stderr.
pub(crate) struct Reports {
    lines: Lines,
    desk: Desk,
    sink: Sink,
    recording: JoinHandle<()>,
}

/// Where lines are looked at.
struct Desk {
    job: String,
    context: Context,
    tail: Tail,
    /// What people are still to be shown.
    shown: VecDeque<Vec<u8>>,
    /// The latest checkpoint. The server may be away for a while, which must not hold up the command.
    checkpoint: watch::Sender<Option<Box<RawValue>>>,
}

impl Reports {
    /// For a job.
    pub(crate) fn start(job: String, context: Context, sink: Sink) -> Reports {
        let (checkpoint, latest) = watch::channel(None);
        let recording = tokio::spawn(record(job.clone(), context.clone(), sink.clone(), latest));
        let desk = Desk { job, context, tail: Tail::default(), shown: VecDeque::new(), checkpoint };
        Reports { lines: Lines::default(), desk, sink, recording }
    }

    /// Takes some bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.lines.feed(bytes, |line| self.desk.take(line));
    }

    /// Shows what is to be shown. Nothing is lost if the future is dropped.
    pub(crate) async fn shown(&mut self) {
        while !self.desk.shown.is_empty() {
            let place = self.sink.place().await;
            if let Some(line) = self.desk.shown.pop_front() {
                place.put(line);
            }
        }
    }

    /// Takes the last line, if it was not ended.
    pub(crate) fn end(&mut self) {
        self.lines.finish(|line| self.desk.take(line));
    }

    /// Waits until the last checkpoint is recorded, and gives the end of what was said.
    pub(crate) async fn finish(self) -> String {
        let Desk { tail, checkpoint, .. } = self.desk;
        drop(checkpoint);
        // It ends at the latest when the lease does.
        let _ = self.recording.await;
        tail.text()
    }
}

impl Desk {
    /// Takes a line to where it belongs.
    fn take(&mut self, line: &[u8]) {
        match Line::read(line) {
            Line::Progress { percent, message } => self.context.progress(percent, message),
            Line::Checkpoint(json) => {
                self.checkpoint.send_replace(Some(json));
            }
            Line::Malformed(why) => {
                self.show(line);
                self.shown.push_back(format!("ackd: {}: the line above is no report: {why}\n", self.job).into_bytes());
            }
            Line::Other(line) => self.show(line),
        }
    }

    fn show(&mut self, line: &[u8]) {
        self.tail.line(line);
        self.shown.push_back([self.job.as_bytes(), b": ", line, b"\n"].concat());
    }
}

/// Records each checkpoint that is the latest when the one before it is recorded.
async fn record(job: String, context: Context, sink: Sink, mut latest: watch::Receiver<Option<Box<RawValue>>>) {
    while latest.changed().await.is_ok() {
        let Some(json) = latest.borrow_and_update().clone() else { continue };
        match context.checkpoint(&json).await {
            Ok(()) => {}
            Err(CheckpointError::LeaseLost) => return,
            Err(error) => sink.say(format!("a checkpoint of {job} was not recorded: {error}")).await,
        }
    }
}
