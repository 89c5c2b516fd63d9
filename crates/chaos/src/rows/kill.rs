//! SIGKILL after so many answers, again and again.

use std::time::{Duration, Instant};

use crate::disk::Disk;
use crate::error::Done;
use crate::figures::Figures;
use crate::plan::Plan;
use crate::workload::Shape;
use crate::world::{Load, World};

pub(super) async fn run(plan: &Plan) -> Done<Figures> {
    let mut world = World::new(plan, "kill", Disk::machine(&plan.dir)?).await?;
    world.start().await?;
    world.configure().await?;
    world.receiver.turn_away(10);
    let shape = Shape { callbacks: Some((100, world.receiver.url())), ..Shape::default() };
    world.load(&Load { shape, ..Load::default() });
    let until = plan.until();
    while Instant::now() < until {
        world.pass(600, Duration::from_secs(3)).await;
        world.kill().await?;
        world.start().await?;
        world.figures.count("kills");
    }
    world.finish().await
}
