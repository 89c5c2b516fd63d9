//! Following a job by `ackd watch`, which resumes by itself when the server comes back.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::Sender;

use serde_json::Value;

use crate::process::{Done, Killed, not_started};

/// A job as of an event.
pub(crate) struct Told {
    /// Which of the demo's jobs.
    pub(crate) job: usize,
    /// Its document.
    pub(crate) document: Value,
}

/// Starts to follow the job `id`; each event goes to `tell`.
pub(crate) fn follow(ackd: &Path, url: &str, id: &str, job: usize, tell: Sender<Told>) -> Done<Killed> {
    let mut command = Command::new(ackd);
    command
        .args(["watch", id, "--json"])
        .env("ACKD_URL", url)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| not_started(&command, &error))?;
    if let Some(stdout) = child.stdout.take() {
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let Ok(document) = serde_json::from_str(&line) else { continue };
                if tell.send(Told { job, document }).is_err() {
                    return;
                }
            }
        });
    }
    Ok(Killed(child))
}
