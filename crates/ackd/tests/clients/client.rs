//! The clients, and how each is started.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;

use serde_json::json;

use crate::pages::Pages;
use crate::run::{Installed, Running, tail};
use crate::seen::Seen;

/// The type of the job that is the last one.
pub(crate) const LAST: &str = "last";

/// Every client, with its name, its script and what it follows.
pub(crate) const ALL: &[Client] = &[
    Client { name: "httpx-sse", script: Script::Python("sse.py"), channel: Channel::Jobs },
    Client { name: "eventsource", script: Script::Node("eventsource.mjs"), channel: Channel::Jobs },
    Client { name: "chromium-eventsource", script: Script::Page("eventsource.html"), channel: Channel::Jobs },
];

/// A client of another project.
pub(crate) struct Client {
    name: &'static str,
    script: Script,
    pub(crate) channel: Channel,
}

/// What runs a script.
enum Script {
    Python(&'static str),
    Node(&'static str),
    Page(&'static str),
}

/// What a client follows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    /// The stream of each job.
    Jobs,
}

impl Channel {
    /// The addresses to follow on the server at `url`.
    fn urls(self, url: &str, jobs: &[String]) -> Vec<String> {
        match self {
            Channel::Jobs => jobs.iter().map(|job| format!("{url}/v1/jobs/{job}/events")).collect(),
        }
    }

    /// The type of the job with whose end it is over; `None` where the server says so.
    fn until(self) -> Option<&'static str> {
        match self {
            Channel::Jobs => None,
        }
    }
}

/// The folder of the scripts.
pub(crate) fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/scripts")
}

impl Client {
    /// Has it follow `jobs` on the server that is reached at `url` by `route`. Gives the program, unless it is a page.
    pub(crate) fn start(
        &self,
        (route, url): (&str, &str),
        jobs: &[String],
        (installed, folder): (&Installed, &Path),
        pages: &Pages,
        seen: &Arc<Seen>,
    ) -> Option<Running> {
        let name = format!("{}-{route}", self.name);
        seen.expect(&name);
        let urls = self.channel.urls(url, jobs);
        let asked = json!({"client": name, "urls": urls, "until": self.channel.until()}).to_string();
        let mut command = match self.script {
            Script::Page(page) => {
                pages.show(page, &asked);
                return None;
            }
            Script::Python(script) => {
                let mut command = Command::new(installed.folder.join("venv/bin/python"));
                command.arg("-u").arg(scripts().join(script));
                command
            }
            Script::Node(script) => {
                let mut command = Command::new("node");
                command.arg(scripts().join(script));
                command
            }
        };
        command.arg(asked).env("TEST_CLIENTS", &installed.folder).stdout(Stdio::piped());
        let mut running = Running::start(&mut command, &folder.join(format!("{name}.log")));
        let lines = BufReader::new(running.child.stdout.take().unwrap()).lines();
        let seen = Arc::clone(seen);
        let said = running.said.clone();
        thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| seen.tell(&name, &line));
            seen.leave(&name, || tail(&said));
        });
        Some(running)
    }
}
