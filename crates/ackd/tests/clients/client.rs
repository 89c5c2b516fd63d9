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
use crate::server::QUEUE;

/// The type of the job that is the last one.
pub(crate) const LAST: &str = "last";

/// Every client, with its name, its script and what it follows.
pub(crate) const ALL: &[Client] = &[
    Client { name: "httpx-sse", script: Script::Python("sse.py"), channel: Channel::Jobs },
    Client { name: "httpx-sse-feed", script: Script::Python("sse.py"), channel: Channel::Feed },
    Client { name: "eventsource", script: Script::Node("eventsource.mjs"), channel: Channel::Jobs },
    Client { name: "eventsource-feed", script: Script::Node("eventsource.mjs"), channel: Channel::Feed },
    Client { name: "chromium-eventsource", script: Script::Page("eventsource.html"), channel: Channel::Jobs },
    Client { name: "chromium-eventsource-feed", script: Script::Page("eventsource.html"), channel: Channel::Feed },
    Client { name: "websockets", script: Script::Python("ws.py"), channel: Channel::Socket },
    Client { name: "chromium-websocket", script: Script::Page("socket.html"), channel: Channel::Socket },
];

/// A client of another project.
pub(crate) struct Client {
    name: &'static str,
    script: Script,
    channel: Channel,
}

/// A script, and what runs it.
#[derive(Clone, Copy)]
pub(crate) enum Script {
    Python(&'static str),
    Node(&'static str),
    Page(&'static str),
}

impl Script {
    /// The command that runs it; a page is opened by a browser instead.
    pub(crate) fn command(self, installed: &Installed) -> Option<Command> {
        let (mut command, script) = match self {
            Script::Python(script) => (Command::new(installed.folder.join("venv/bin/python")), script),
            Script::Node(script) => (Command::new("node"), script),
            Script::Page(_) => return None,
        };
        command.arg(scripts().join(script)).env("TEST_CLIENTS", &installed.folder).stdout(Stdio::piped());
        Some(command)
    }
}

/// What a client follows.
#[derive(Clone, Copy)]
enum Channel {
    /// The stream of each job.
    Jobs,
    /// The feed of the queue.
    Feed,
    /// Each job, over one WebSocket.
    Socket,
}

impl Channel {
    /// The addresses to follow on the server at `url`.
    fn urls(self, url: &str, jobs: &[String]) -> Vec<String> {
        match self {
            Channel::Jobs => jobs.iter().map(|job| format!("{url}/v1/jobs/{job}/events")).collect(),
            Channel::Feed => vec![format!("{url}/v1/events?queue={QUEUE}&after=earliest")],
            Channel::Socket => vec![format!("{}/v1/ws", url.replacen("http", "ws", 1))],
        }
    }

    /// The type of the job with whose end it is over; `None` where the server says so.
    fn until(self) -> Option<&'static str> {
        match self {
            Channel::Jobs | Channel::Socket => None,
            Channel::Feed => Some(LAST),
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
        let asked = json!({"client": name, "urls": urls, "jobs": jobs, "until": self.channel.until()}).to_string();
        if let Script::Page(page) = self.script {
            pages.show(page, &asked);
        }
        let mut command = self.script.command(installed)?;
        command.arg(asked);
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
