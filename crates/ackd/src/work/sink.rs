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

    /// Waits until there is room for a line. Nothing is lost if the future is dropped.
    pub(crate) async fn place(&self) -> Place<'_> {
        Place(self.0.reserve().await.ok())
    }

    /// Writes a line of the worker's own.
    pub(crate) async fn say(&self, text: String) {
        self.place().await.put(format!("ackd: {text}\n").into_bytes());
    }
}

/// Room for a line.
pub(crate) struct Place<'a>(Option<mpsc::Permit<'a, Vec<u8>>>);

impl Place<'_> {
    /// Writes a line, with its end.
    pub(crate) fn put(self, line: Vec<u8>) {
        if let Some(permit) = self.0 {
            permit.send(line);
        }
    }
}
