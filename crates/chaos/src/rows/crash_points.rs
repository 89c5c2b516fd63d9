//! SIGKILL just before every call of one short scenario that changes a file.
//!
//! strace counts calls by themselves, and by thread: the crash points are, for each call, the first, second, … that a
//! thread makes, up to the most that any thread made of it in a run without a fault. The call at which the server is killed
//! does not happen; the next crash point of the same thread is after it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::disk::Disk;
use crate::error::{ChaosError, Doing, Done, broken};
use crate::figures::Figures;
use crate::http::{Http, PATIENCE};
use crate::plan::Plan;
use crate::workload::{AGAIN, Face, Shape, Submitter, Worker};
use crate::world::World;

/// The calls by which a file is changed, or made durable.
const CALLS: [&str; 14] = [
    "write",
    "pwrite64",
    "pwritev",
    "writev",
    "fsync",
    "fdatasync",
    "sync_file_range",
    "ftruncate",
    "fallocate",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
];

/// How many crash points a slice tries.
const SLICE: usize = 48;

pub(super) async fn run(plan: &Plan) -> Done<Figures> {
    let points = points(plan).await?;
    let all = points.len();
    let chosen: Vec<_> = if plan.slice && all > SLICE {
        let first = usize::try_from(plan.seed).unwrap_or(0) % (all / SLICE);
        points.into_iter().skip(first).step_by(all / SLICE).collect()
    } else {
        points
    };
    let mut figures = Figures::default();
    figures.add("crash points there are", all as u64);
    let started = Instant::now();
    for (call, nth) in chosen {
        figures.merge(crash(plan, &call, nth).await?);
    }
    figures.took = started.elapsed();
    Ok(figures)
}

/// Every crash point: the scenario is run and its calls are counted.
async fn points(plan: &Plan) -> Done<Vec<(String, u64)>> {
    let mut world = World::new(plan, "crash-points", Disk::machine(&plan.dir)?).await?;
    let calls = world.disk.beside("calls");
    let trace = format!("trace={}", CALLS.join(","));
    let mut launch = plan.launch.traced(&["-e", &trace, "-o"]);
    launch.wrapper.push(OsString::from(&calls));
    if let Some(said) = world.try_start(&launch).await? {
        return Err(ChaosError::Forbidden(format!("to trace a process: {said}")));
    }
    Script::new(&mut world).run().await?;
    world.stop().await?;
    let text = std::fs::read_to_string(&calls).doing("the calls that were counted")?;
    let counted = count(&text);
    if counted.is_empty() {
        return broken(format!("strace counts no calls: {text:?}"));
    }
    Ok(counted.into_iter().flat_map(|(call, most)| (1..=most).map(move |nth| (call.clone(), nth))).collect())
}

/// How often each call is made by the thread that makes it most, of strace's lines.
fn count(text: &str) -> BTreeMap<String, u64> {
    let mut threads: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for line in text.lines() {
        // `1234 fsync(7) = 0`; the second half of a call that was interrupted is `1234 <... fsync resumed>) = 0`.
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let Some((call, _)) = rest.trim_start().split_once('(') else { continue };
        if CALLS.contains(&call) {
            *threads.entry((thread, call)).or_default() += 1;
        }
    }
    let mut most = BTreeMap::new();
    for ((_, call), count) in threads {
        let it = most.entry(call.to_owned()).or_default();
        *it = count.max(*it);
    }
    most
}

/// Kills the server at the `nth` of a call, and starts it again.
async fn crash(plan: &Plan, call: &str, nth: u64) -> Done<Figures> {
    let name = format!("crash-points-{call}-{nth}");
    let mut world = World::new(plan, &name, Disk::machine(&plan.dir)?).await?;
    let inject = format!("inject={call}:signal=SIGKILL:when={nth}");
    let launch = plan.launch.traced(&["-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject]);
    if world.try_start(&launch).await?.is_some() {
        // It died before it listened.
        world.start().await?;
        world.figures.count("kills at the start");
        Script::new(&mut world).run().await?;
    } else {
        let mut script = pin!(Script::new(&mut world).run());
        let done = tokio::select! {
            done = &mut script => { done?; true }
            ended = world.ended() => { ended?; false }
        };
        if done {
            // To end takes calls too.
            let stopped = world.stop().await;
            world.figures.count(if stopped.is_err() { "kills at the end" } else { "runs without a kill" });
            world.start().await?;
        } else {
            world.figures.count("kills under way");
            world.start().await?;
            script.await?;
        }
    }
    let worker = world.worker(0, world.address());
    world.work(worker);
    world.follow(Face::Events);
    world.finish().await
}

/// Who does the same things one after the other, each until it is answered.
struct Script {
    http: Http,
    submitter: Submitter,
    worker: Worker,
}

impl Script {
    fn new(world: &mut World) -> Script {
        let shape = Shape { size: 1_000, ..Shape::default() };
        Script { http: world.http(), submitter: world.submitter(&shape), worker: world.worker(0, world.address()) }
    }

    async fn run(mut self) -> Done {
        let settings = r#"{"backoff":{"base":"50ms","factor":1.5,"max":"500ms","jitter":0.5}}"#;
        self.until_answered("PATCH", "/v1/queues/chaos", "application/merge-patch+json", settings).await?;
        self.until_answered("PUT", "/v1/files/some", "text/plain", &"some text ".repeat(2_000)).await?;
        for _ in 0..4 {
            for _ in 0..3 {
                self.submit().await?;
            }
            self.work().await?;
        }
        // Another of the same name: the first one goes.
        self.until_answered("PUT", "/v1/files/some", "text/plain", "other text").await?;
        self.work().await
    }

    async fn submit(&mut self) -> Done {
        let patience = Instant::now() + PATIENCE;
        let batch = self.submitter.batch();
        let mut answered = self.submitter.submit(batch).await;
        while !answered && !self.submitter.open.is_empty() {
            in_time(patience, "a submission")?;
            sleep(AGAIN).await;
            self.submitter.http.address.up().await;
            answered = self.submitter.step().await;
        }
        Ok(())
    }

    async fn work(&mut self) -> Done {
        let patience = Instant::now() + PATIENCE;
        loop {
            if let Some(leases) = self.worker.lease(Duration::ZERO).await {
                self.worker.work(leases, 0).await;
                return Ok(());
            }
            in_time(patience, "who asks for jobs")?;
            sleep(AGAIN).await;
            self.worker.http.address.up().await;
        }
    }

    async fn until_answered(&mut self, method: &str, path: &str, kind: &str, body: &str) -> Done {
        let patience = Instant::now() + PATIENCE;
        loop {
            match self.http.ask(method, path, kind, body).await {
                Ok(answer) if answer.status < 300 => return Ok(()),
                Ok(answer) => return broken(format!("{method} {path} is answered {}", answer.text())),
                Err(_) => in_time(patience, path)?,
            }
            sleep(AGAIN).await;
            self.http.address.up().await;
        }
    }
}

fn in_time(patience: Instant, what: &str) -> Done {
    if Instant::now() < patience { Ok(()) } else { broken(format!("{what} has no answer for {PATIENCE:?}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_thread() {
        let text = "10 fsync(7) = 0\n11 fsync(7 <unfinished ...>\n10 pwrite64(3, \"a(b\", 1, 0) = 1\n\
                    11 <... fsync resumed>) = 0\n10 fsync(8) = 0\n12 futex(0x1) = 0\n10 +++ exited with 0 +++\n";
        let counted = count(text);
        assert_eq!(counted.into_iter().collect::<Vec<_>>(), [("fsync".to_owned(), 2), ("pwrite64".to_owned(), 1)]);
    }
}
