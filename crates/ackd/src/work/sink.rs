//! The worker's stderr, which its jobs share line by line.

use std::io::{self, Write};
use std::thread::JoinHandle;

use tokio::sync::mpsc;

/// The lines that may wait to be written.
const LINES: usize = 256;

/// Where lines go. A terminal that stands still holds up those who write, and not the heartbeats beside them.
#[derive(Debug, Clone)]
pub(crate) struct Sink(mpsc::Sender<Vec<u8>>);

impl Sink {
    /// Starts the thread that writes. It ends when all sinks are dropped.
    pub(crate) fn start() -> (Sink, JoinHandle<()>) {
        let (sender, mut lines) = mpsc::channel::<Vec<u8>>(LINES);
        let thread = std::thread::spawn(move || {
            while let Some(line) = lines.blocking_recv() {
                // Whole lines, so that those of others do not come between. If nobody reads them, that is no reason
                // not to work.
                let _ = io::stderr().lock().write_all(&line);
            }
        });
        (Sink(sender), thread)
    }

    /// Writes a line that a job's command wrote.
    pub(crate) async fn line(&self, job: &str, line: &[u8]) {
        let mut text = Vec::with_capacity(job.len() + line.len() + 3);
        text.extend_from_slice(job.as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(line);
        text.push(b'\n');
        let _ = self.0.send(text).await;
    }

    /// Writes a line of the worker's own.
    pub(crate) async fn say(&self, text: String) {
        let _ = self.0.send(format!("ackd: {text}\n").into_bytes()).await;
    }
}
