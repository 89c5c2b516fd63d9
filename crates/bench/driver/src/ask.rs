//! `ask`: one job after another on an idle system, each submitted when the result of the one before is known.

use std::time::{Duration, Instant};

use crate::{Caller, Fault, Peer, Quantiles, Scenario};

/// What is between two jobs: the worker waits again before the next one comes, and the machine is idle.
const PAUSE: Duration = Duration::from_millis(2);

pub(crate) async fn run<P: Peer>(scenario: &Scenario) -> Result<(), Fault> {
    let jobs = scenario.jobs.unwrap_or(1);
    let mut caller = P::caller(scenario).await?;
    let mut took = Vec::new();
    // A tenth more, which nobody counts, until the worker is there and caches are warm.
    let warm_up = jobs.div_ceil(10);
    let until = scenario.seconds.map(|seconds| Instant::now() + Duration::from_secs_f64(seconds));
    for nth in 0..warm_up + jobs {
        if nth > warm_up && until.is_some_and(|until| Instant::now() > until) {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        let before = Instant::now();
        caller.ask().await?;
        if nth >= warm_up {
            took.push(before.elapsed());
        }
    }
    let jobs = took.len();
    let (p50, p99) = Quantiles::of(took).millis();
    println!("{}", serde_json::json!({ "jobs": jobs, "p50_ms": p50, "p99_ms": p99 }));
    Ok(())
}
