//! `submit`: many callers, each submitting as soon as what it submitted before is acknowledged.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::{Caller, Fault, Peer, Quantiles, Scenario};

/// What all callers share.
#[derive(Default)]
struct Tally {
    /// How many jobs were begun.
    begun: Cell<u64>,
    /// How many are to be.
    wanted: Cell<u64>,
    acknowledged: Cell<u64>,
    /// How long each step took that was begun after the warm-up.
    took: RefCell<Vec<Duration>>,
    warm: Cell<bool>,
}

pub(crate) async fn run<P: Peer>(scenario: &Scenario) -> Result<(), Fault> {
    if scenario.batch > 1
        && let Some(why) = P::Caller::no_batches()
    {
        println!("{}", serde_json::json!({ "unsupported": why }));
        return Ok(());
    }
    let tally = Rc::new(Tally::default());
    tally.wanted.set(scenario.jobs.unwrap_or(u64::MAX));
    let mut callers = Vec::new();
    for _ in 0..scenario.callers {
        callers.push(P::caller(scenario).await?);
    }
    let mut tasks = JoinSet::new();
    for caller in callers {
        tasks.spawn_local(submit(caller, scenario.batch, Rc::clone(&tally)));
    }
    let (jobs, time) = match scenario.seconds {
        Some(seconds) => {
            let counted = tokio::select! {
                counted = window(&tally, seconds) => counted,
                ended = tasks.join_next() => {
                    ended.transpose()?.transpose()?;
                    return Err("a caller ended by itself".into());
                }
            };
            tally.wanted.set(0);
            finish(tasks).await?;
            counted
        }
        None => {
            tally.warm.set(true);
            let started = Instant::now();
            finish(tasks).await?;
            (tally.acknowledged.get(), started.elapsed())
        }
    };
    let (p50, p99) = Quantiles::of(tally.took.take()).millis();
    let seconds = time.as_secs_f64();
    println!("{}", serde_json::json!({ "jobs": jobs, "seconds": seconds, "p50_ms": p50, "p99_ms": p99 }));
    Ok(())
}

/// How many jobs are acknowledged within `seconds`, once connections and caches are warm.
async fn window(tally: &Tally, seconds: f64) -> (u64, Duration) {
    tokio::time::sleep(Duration::from_secs_f64(seconds / 5.0)).await;
    tally.warm.set(true);
    let (before, started) = (tally.acknowledged.get(), Instant::now());
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    (tally.acknowledged.get() - before, started.elapsed())
}

async fn finish(mut tasks: JoinSet<Result<(), String>>) -> Result<(), Fault> {
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

/// One caller. Its fault is a text, so that it can leave its task.
async fn submit(mut caller: impl Caller, batch: usize, tally: Rc<Tally>) -> Result<(), String> {
    while tally.begun.get() < tally.wanted.get() {
        let left = usize::try_from(tally.wanted.get() - tally.begun.get()).unwrap_or(usize::MAX);
        let jobs = batch.min(left);
        tally.begun.set(tally.begun.get() + jobs as u64);
        let (warm, before) = (tally.warm.get(), Instant::now());
        caller.submit(jobs).await.map_err(|fault| fault.to_string())?;
        if warm {
            tally.took.borrow_mut().push(before.elapsed());
        }
        tally.acknowledged.set(tally.acknowledged.get() + jobs as u64);
    }
    Ok(())
}
