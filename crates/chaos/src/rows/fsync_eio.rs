//! An fsync that fails. Nobody knows what is on the disk then: the server must say so and take nothing more, and must not
//! try the fsync again, which would succeed. Started again, it has all that it acknowledged.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::disk::Disk;
use crate::error::{ChaosError, Doing, Done, broken};
use crate::figures::Figures;
use crate::http::JSON;
use crate::plan::Plan;
use crate::workload::{AGAIN, QUEUE};
use crate::world::{Load, World};

/// Up to which sync of a thread one fails.
const SYNCS: u64 = 40;

/// How long it may take until it was reached.
const PATIENCE: Duration = Duration::from_secs(6);

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
    let calls = world.disk.beside("calls");
    let args = ["-y", "-o", &calls.to_string_lossy(), "-e", "trace=fsync,fdatasync", "-e", &inject];
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
            let said = std::fs::read_to_string(&calls).doing("the calls")?;
            if let Some(failed) = unnoticed(&said, &world.disk.data()) {
                return broken(format!("a sync failed, and the server goes on as if it had not: {failed}"));
            }
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

/// The sync that failed, of strace's lines. SQLite says nothing of one of the folder; that does no harm where the server has synced
/// that before.
fn unnoticed<'a>(said: &'a str, data: &Path) -> Option<&'a str> {
    let folder = format!("<{}>)", data.display());
    let mut synced = false;
    said.lines().find(|line| {
        let is_failed = line.contains("(INJECTED)");
        let is_folder = line.contains(&folder);
        synced |= is_folder && line.trim_end().ends_with("= 0");
        is_failed && !(is_folder && synced)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_sync_of_the_folder_does_no_harm_once_it_was_synced() {
        let data = Path::new("/d/data");
        let (synced, failed) = ("7 fsync(9</d/data>) = 0\n", "8 fdatasync(9</d/data>) = -1 EIO (error) (INJECTED)\n");
        assert_eq!(unnoticed(&format!("{synced}{failed}"), data), None);
        assert_eq!(unnoticed(&format!("{failed}{synced}"), data), Some(failed.trim_end()));
        let file = failed.replace("data>", "data/ackd.db-wal>");
        assert_eq!(unnoticed(&format!("{synced}{file}"), data), Some(file.trim_end()));
    }
}
