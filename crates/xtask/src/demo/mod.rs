//! `cargo xtask demo`: a real video, workers that transcode it in parallel, and what happens when a
//! worker and then the server itself are killed half-way. It uses ackd as a user would: by its command line.

mod clip;
pub(crate) mod job;
mod screen;
mod table;
mod watch;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::install;
use crate::process::{self, Done, Failure, Killed, cargo, release_binary};
use screen::Screen;
use watch::Told;

/// After this much of the work is done a worker is killed, and after that much the server.
const KILL_WORKER_AT: f64 = 20.0;
const KILL_SERVER_AT: f64 = 55.0;

/// How long the demo may take before it gives up.
const PATIENCE: Duration = Duration::from_secs(600);

/// Runs the command.
pub(crate) fn run(args: &[String]) -> Done {
    let options = Options::parse(args)?;
    install::program("ffmpeg", "ffmpeg")?;
    println!("building ackd …");
    process::run(cargo().args(["build", "--release", "--locked", "-p", "ackd"]))?;
    let folder = Folder::make(options.keep)?;
    let clip = match options.file {
        Some(file) => std::fs::canonicalize(&file)
            .map_err(|error| Failure::WrongUse(format!("{} cannot be read: {error}", file.display())))?,
        None => clip::make(&folder.0)?,
    };
    let mut demo = Demo::start(&folder.0)?;
    demo.submit(&clip)?;
    demo.watch()?;
    demo.finish()
}

struct Options {
    file: Option<PathBuf>,
    keep: bool,
}

impl Options {
    fn parse(args: &[String]) -> Done<Options> {
        let mut options = Options { file: None, keep: false };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--keep" => options.keep = true,
                "--file" => {
                    let file = args.next().ok_or_else(|| Failure::WrongUse("--file takes a video".to_owned()))?;
                    options.file = Some(file.into());
                }
                other => return Err(Failure::WrongUse(format!("demo does not know {other:?}"))),
            }
        }
        Ok(options)
    }
}

/// The demo's folder. It is deleted at the end, unless it is to be kept.
struct Folder(PathBuf, bool);

impl Folder {
    fn make(keep: bool) -> Done<Folder> {
        let path = std::env::temp_dir().join(format!("ackd-demo-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Folder(path, keep))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.1 {
            println!("kept in {}", self.0.display());
        } else {
            // Nothing depends on it.
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// What is running, and what was submitted.
struct Demo {
    folder: PathBuf,
    ackd: PathBuf,
    url: String,
    server: Killed,
    workers: Vec<Killed>,
    jobs: Vec<Submitted>,
    watchers: Vec<Killed>,
    screen: Screen,
}

/// A job of the demo.
pub(crate) struct Submitted {
    /// What it makes, as "720p".
    pub(crate) title: String,
    /// The file it makes.
    pub(crate) output: PathBuf,
    /// Its id.
    pub(crate) id: String,
    /// Milliseconds since the epoch when it was submitted.
    pub(crate) submitted_at: i64,
    /// How long it took until the server had acknowledged it, as the client saw it.
    pub(crate) accepted_in: Duration,
    /// 0 to 100.
    pub(crate) percent: f64,
    /// Its status, as the server told last.
    pub(crate) status: String,
    /// What its worker says, or why it waits.
    pub(crate) note: String,
    /// Attempts so far.
    pub(crate) attempt: u64,
}

impl Demo {
    fn start(folder: &Path) -> Done<Demo> {
        let ackd = release_binary("ackd");
        // A port that is free now; it is kept over the restart, as a service's port is.
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let server = serve(&ackd, folder, port)?;
        let url = format!("http://127.0.0.1:{port}");
        let mut demo = Demo {
            folder: folder.to_owned(),
            ackd,
            url,
            server,
            workers: Vec::new(),
            jobs: Vec::new(),
            watchers: Vec::new(),
            screen: Screen::default(),
        };
        // A worker that is killed says nothing: its job is taken up by another once its lease has run out.
        demo.ackd(&["queue", "set", "video", "--lease-ttl", "3s"])?;
        for _ in 0..2 {
            demo.start_worker()?;
        }
        println!("the server listens on {}; two workers wait for video jobs", demo.url);
        Ok(demo)
    }

    /// Runs the command line to its end and gives what it prints.
    fn ackd(&self, args: &[&str]) -> Done<String> {
        process::output(Command::new(&self.ackd).args(args).env("ACKD_URL", &self.url))
    }

    fn start_worker(&mut self) -> Done {
        let name = format!("worker-{}", self.workers.len() + 1);
        let mut command = Command::new(&self.ackd);
        command
            .args(["work", "video", "-j", "2", "--name", &name, "--"])
            .arg(std::env::current_exe()?)
            .arg("demo-job")
            .env("ACKD_URL", &self.url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(self.folder.join(format!("{name}.log")))?);
        let child = command.spawn().map_err(|error| process::not_started(&command, &error))?;
        self.workers.push(Killed(child));
        Ok(())
    }

    fn submit(&mut self, clip: &Path) -> Done {
        let stem = clip.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let mut wanted: Vec<(String, PathBuf, Value)> = Vec::new();
        for height in [720, 480, 360] {
            let output = self.folder.join(format!("{stem}-{height}p.mp4"));
            wanted.push((format!("{height}p"), output, json!({"height": height})));
        }
        wanted.push(("thumbnail".to_owned(), self.folder.join(format!("{stem}.jpg")), json!({"thumbnail": true})));
        for (title, output, mut payload) in wanted {
            payload["input"] = json!(clip);
            payload["output"] = json!(output);
            let before = Instant::now();
            let submitted_at = millis_now();
            let answer = self.ackd(&["submit", "video", &payload.to_string(), "--json"])?;
            let accepted_in = before.elapsed();
            let job: Value = serde_json::from_str(&answer).map_err(|error| Failure::Failed(error.to_string()))?;
            self.jobs.push(Submitted {
                title,
                output,
                id: text(&job, "id"),
                submitted_at,
                accepted_in,
                percent: 0.0,
                status: text(&job, "status"),
                note: String::new(),
                attempt: 0,
            });
        }
        println!("submitted {} jobs; each was acknowledged with 202 and is on disk\n", self.jobs.len());
        Ok(())
    }

    /// Follows the jobs to their end, and kills a worker and the server on the way.
    fn watch(&mut self) -> Done {
        let (tell, told) = channel();
        for (at, job) in self.jobs.iter().enumerate() {
            self.watchers.push(watch::follow(&self.ackd, &self.url, &job.id, at, tell.clone())?);
        }
        drop(tell);
        let started = Instant::now();
        let (mut worker_killed, mut server_killed) = (false, false);
        while self.jobs.iter().any(|job| !is_terminal(&job.status)) {
            if started.elapsed() > PATIENCE {
                return Err(Failure::Failed("the jobs are not done after ten minutes".to_owned()));
            }
            self.take(&told)?;
            let done = self.jobs.iter().take(3).map(|job| job.percent).sum::<f64>() / 3.0;
            if !worker_killed && done >= KILL_WORKER_AT {
                worker_killed = true;
                self.kill_worker()?;
            }
            if !server_killed && done >= KILL_SERVER_AT {
                server_killed = true;
                self.kill_server()?;
            }
            self.screen.show(&self.jobs);
        }
        self.screen.show(&self.jobs);
        Ok(())
    }

    fn take(&mut self, told: &Receiver<Told>) -> Done {
        match told.recv_timeout(Duration::from_millis(200)) {
            Ok(told) => {
                let job = &mut self.jobs[told.job];
                let document = &told.document;
                job.status = text(document, "status");
                job.attempt = document["attempt"].as_u64().unwrap_or(0);
                let progress = &document["progress"];
                job.percent = match job.status.as_str() {
                    "DONE" => 100.0,
                    _ => progress["percent"].as_f64().unwrap_or(if job.status == "INIT" { 0.0 } else { job.percent }),
                };
                job.note = match job.status.as_str() {
                    "PROCESSING" => format!("{} {}", text(document, "worker"), text(progress, "message")),
                    "INIT" if job.attempt > 0 => "its lease ran out; waits for the next worker".to_owned(),
                    _ => document["error"]["title"].as_str().unwrap_or_default().to_owned(),
                };
                Ok(())
            }
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => {
                Err(Failure::Failed("nobody follows the jobs any more; see the messages above".to_owned()))
            }
        }
    }

    fn kill_worker(&mut self) -> Done {
        self.screen.say("worker-1 is killed (SIGKILL): its jobs go on on another worker when their leases run out");
        self.workers[0].kill();
        self.start_worker()
    }

    fn kill_server(&mut self) -> Done {
        self.screen.say("the server is killed (SIGKILL): workers go on working, watchers wait for it to come back");
        self.server.kill();
        std::thread::sleep(Duration::from_secs(1));
        let port = self.url.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or_default();
        let before = Instant::now();
        self.server = serve(&self.ackd, &self.folder, port)?;
        self.screen.say(&format!("the server is back after {} ms: nothing is lost", before.elapsed().as_millis()));
        Ok(())
    }

    /// Prints what came out, and fails if anything did not.
    fn finish(&mut self) -> Done {
        println!();
        let mut rows = Vec::new();
        let mut failed = Vec::new();
        for job in &self.jobs {
            let document: Value = serde_json::from_str(&self.ackd(&["get", &job.id, "--json"])?)
                .map_err(|error| Failure::Failed(error.to_string()))?;
            if text(&document, "status") != "DONE" {
                failed.push(job.title.clone());
            }
            rows.push(table::row(job, &document)?);
        }
        table::print(&rows);
        if failed.is_empty() {
            println!("\nA worker and the server were killed half-way; every job was done, and its result is kept.");
            Ok(())
        } else {
            Err(Failure::Failed(format!("not done: {}", failed.join(", "))))
        }
    }
}

/// Starts the server and waits until it listens.
fn serve(ackd: &Path, folder: &Path, port: u16) -> Done<Killed> {
    let log = std::fs::File::options().create(true).append(true).open(folder.join("server.log"))?;
    let mut command = Command::new(ackd);
    command
        .args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--data"])
        .arg(folder.join("data"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log);
    let mut child = command.spawn().map_err(|error| process::not_started(&command, &error))?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line)?;
    }
    let server = Killed(child);
    if line.starts_with("listening on ") {
        return Ok(server);
    }
    let said = std::fs::read_to_string(folder.join("server.log")).unwrap_or_default();
    Err(Failure::Failed(format!("the server does not start: {said}")))
}

fn is_terminal(status: &str) -> bool {
    matches!(status, "DONE" | "FAILED" | "CANCELLED" | "EXPIRED")
}

/// The string field `name`, or nothing.
fn text(document: &Value, name: &str) -> String {
    document[name].as_str().unwrap_or_default().to_owned()
}

fn millis_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
