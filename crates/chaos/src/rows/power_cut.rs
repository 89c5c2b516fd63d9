//! The power of the disk is cut while it is written: what was not synced is gone. Then the journal is replayed, and the
//! server started over what is left.

use std::time::{Duration, Instant};

use crate::disk::Disk;
use crate::error::{ChaosError, Done, broken};
use crate::figures::Figures;
use crate::plan::Plan;
use crate::verdict::forget;
use crate::world::{Load, World};

/// The bytes of the disk.
const SIZE: u64 = 1 << 30;

/// The name of the run with a server whose syncs do nothing.
const PLANTED_NAME: &str = "power-cut-planted";

/// For how long a server is tried whose syncs do nothing.
const PLANTED: Duration = Duration::from_secs(3);

pub(super) async fn run(plan: &Plan) -> Done<Figures> {
    // What cannot find such a server proves nothing of one in which nothing is found.
    let args = ["-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:retval=0"];
    let planted = Plan { launch: plan.launch.traced(&args), time: PLANTED.min(plan.time), ..plan.clone() };
    match cut(&planted, PLANTED_NAME).await {
        // Nobody needs its history.
        Err(ChaosError::Broken(_)) => forget(PLANTED_NAME, plan.seed),
        Err(other) => return Err(other),
        Ok(figures) => return broken(format!("a server whose syncs do nothing loses nothing: {figures}")),
    }
    let mut figures = cut(plan, "power-cut").await?;
    figures.count("server without syncs found");
    Ok(figures)
}

async fn cut(plan: &Plan, name: &str) -> Done<Figures> {
    let mut world = World::new(plan, name, Disk::image(&plan.dir, SIZE)?).await?;
    world.start().await?;
    world.configure().await?;
    world.load(&Load::default());
    let until = plan.until();
    while Instant::now() < until {
        world.pass(400, Duration::from_secs(3)).await;
        world.cut().await?;
        world.disk.restore()?;
        world.start().await?;
        world.figures.count("cuts");
    }
    world.finish().await
}
