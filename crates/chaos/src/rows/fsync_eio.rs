//! An fsync that fails. Nobody knows what is on the disk then: the server must say so and take nothing more, and must not
//! try the fsync again, which would succeed. Started again, it has all that it acknowledged.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::disk::Disk;
use crate::error::{ChaosError, Done, broken};
use crate::figures::Figures;
use crate::http::JSON;
use crate::plan::Plan;
use crate::workload::{AGAIN, QUEUE};
use crate::world::{Load, World};

/// Up to which sync of a thread one fails.
const SYNCS: u64 = 60;

/// How long it may take until it was reached.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often the server that has failed is asked to take a job.
const ASKED: usize = 20;

pub(super) async fn run(plan: &Plan) -> Done<Figures> {
    let mut world = World::new(plan, "fsync-eio", Disk::machine(&plan.dir)?).await?;
    world.start().await?;
    world.configure().await?;
    world.load(&Load::default());
    let until = plan.until();
    while Instant::now() < until {
        world.kill().await?;
        fail(&mut world).await?;
        world.kill().await?;
        world.start().await?;
        world.pass(200, Duration::from_secs(2)).await;
    }
    world.finish().await
}

/// Starts the server with a disk that fails, and sees what it says.
async fn fail(world: &mut World) -> Done {
    let nth = 1 + world.chance.below(SYNCS);
    // Half of the times only once: whoever tried again would succeed.
    let from_then_on = if world.chance.permille(500) { "+" } else { "" };
    let inject = format!("inject=fsync,fdatasync:error=EIO:when={nth}{from_then_on}");
    let args = ["-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", &inject];
    let launch = world.launch.traced(&args);
    if let Some(said) = world.try_start(&launch).await? {
        if said.contains("ptrace") {
            return Err(ChaosError::Forbidden(format!("to trace a process: {said}")));
        }
        if !said.contains("Input/output error") && !said.contains("I/O error") {
            return broken(format!("an fsync failed at the start, and the server does not say so: {said}"));
        }
        world.figures.count("failed at the start");
        return Ok(());
    }
    let mut http = world.http();
    let started = Instant::now();
    loop {
        match http.get("/readyz").await {
            Ok(answer) if answer.status == 503 && answer.text().contains("the store has failed") => break,
            Ok(answer) if answer.status == 200 => {}
            other => return broken(format!("/readyz of a server whose fsync fails: {other:?}")),
        }
        if started.elapsed() > PATIENCE {
            world.figures.count("not reached");
            return Ok(());
        }
        sleep(AGAIN).await;
    }
    for _ in 0..ASKED {
        let envelope = format!(r#"{{"queue":"{QUEUE}-refused"}}"#);
        match http.post("/v1/jobs", JSON, &envelope).await {
            Ok(answer) if answer.status == 503 => {}
            other => return broken(format!("after a failed fsync a submission is answered {other:?}")),
        }
    }
    match http.get("/healthz").await {
        Ok(answer) if answer.status == 200 => {}
        other => return broken(format!("/healthz of a server whose fsync failed: {other:?}")),
    }
    world.figures.count("failed under load");
    Ok(())
}
