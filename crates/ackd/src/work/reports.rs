//! What a command tells on stderr, taken to where it belongs: reports to the server, the rest to the worker's stderr,
//! and the end of that into the job's error.

use ackd_client::{CheckpointError, Context};
use serde_json::value::RawValue;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::lines::{Line, Lines};
use super::sink::Sink;
use super::tail::Tail;

/// Takes what one command writes to stderr.
pub(crate) struct Reports {
    job: String,
    context: Context,
    sink: Sink,
    lines: Lines,
    tail: Tail,
    /// The latest checkpoint. The server may be away for a while, which must not hold up the command.
    checkpoint: watch::Sender<Option<Box<RawValue>>>,
    recording: JoinHandle<()>,
}

impl Reports {
    /// For a job.
    pub(crate) fn start(job: String, context: Context, sink: Sink) -> Reports {
        let (checkpoint, latest) = watch::channel(None);
        let recording = tokio::spawn(record(job.clone(), context.clone(), sink.clone(), latest));
        Reports { job, context, sink, lines: Lines::default(), tail: Tail::default(), checkpoint, recording }
    }

    /// Takes some bytes.
    pub(crate) async fn feed(&mut self, bytes: &[u8]) {
        let mut shown = Vec::new();
        let Reports { lines, tail, context, checkpoint, .. } = self;
        lines.feed(bytes, |line| take(line, tail, context, checkpoint, &mut shown));
        self.show(shown).await;
    }

    /// Takes the last line, waits until the last checkpoint is recorded, and gives the end of what was said.
    pub(crate) async fn finish(mut self) -> String {
        let mut shown = Vec::new();
        let Reports { lines, tail, context, checkpoint, .. } = &mut self;
        lines.finish(|line| take(line, tail, context, checkpoint, &mut shown));
        self.show(shown).await;
        drop(self.checkpoint);
        // It ends at the latest when the lease does.
        let _ = self.recording.await;
        self.tail.text()
    }

    async fn show(&self, lines: Vec<Vec<u8>>) {
        for line in lines {
            self.sink.line(&self.job, &line).await;
        }
    }
}

/// Takes a line to where it belongs, and puts into `shown` what people are to see.
fn take(
    line: &[u8],
    tail: &mut Tail,
    context: &Context,
    checkpoint: &watch::Sender<Option<Box<RawValue>>>,
    shown: &mut Vec<Vec<u8>>,
) {
    match Line::read(line) {
        Line::Progress { percent, message } => context.progress(percent, message),
        Line::Checkpoint(json) => {
            checkpoint.send_replace(Some(json));
        }
        Line::Malformed(why) => {
            tail.line(line);
            shown.push(line.to_vec());
            shown.push(format!("(the line above is no report: {why})").into_bytes());
        }
        Line::Other(line) => {
            tail.line(line);
            shown.push(line.to_vec());
        }
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
