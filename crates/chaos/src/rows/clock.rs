//! The wall clock jumps by up to an hour in both directions, under load and while the server is down; in the end it is an hour
//! behind, and nothing waits for it.

use std::time::{Duration, Instant};

use crate::disk::Disk;
use crate::error::Done;
use crate::fake_clock::FakeClock;
use crate::figures::Figures;
use crate::plan::Plan;
use crate::world::{Load, World};

/// How far it jumps, in seconds.
const HOUR: i64 = 3_600;

pub(super) async fn run(plan: &Plan) -> Done<Figures> {
    let disk = Disk::machine(&plan.dir)?;
    let clock = FakeClock::new(disk.beside("clock"))?;
    let mut world = World::new(plan, "clock", disk).await?;
    world.launch = clock.launch(&plan.launch)?;
    world.start().await?;
    world.configure().await?;
    world.load(&Load::default());
    let until = plan.until();
    while Instant::now() < until {
        world.pass(1_500, Duration::from_secs(2)).await;
        let restarts = world.chance.permille(200);
        if restarts {
            world.kill().await?;
            world.figures.count("kills");
        }
        let ahead = [-HOUR, 0, HOUR][usize::try_from(world.chance.below(3)).unwrap_or(0)];
        clock.set(ahead)?;
        world.figures.count("jumps");
        if restarts {
            world.start().await?;
        }
    }
    // What was due, or to be tried again in a moment, by a clock that was ahead does not wait until this one comes there.
    clock.set(-HOUR)?;
    world.finish().await
}
