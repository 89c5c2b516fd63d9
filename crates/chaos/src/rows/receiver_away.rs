//! The receiver of webhooks is away for an hour, and then for as long as attempts are made at some of them. The hours pass by
//! steps of the server's wall clock; what was sent while the receiver was away comes when it is back, and what it never takes
//! is to be seen as dead.

use std::time::Duration;

use tokio::time::sleep;

use crate::disk::Disk;
use crate::error::Done;
use crate::fake_clock::FakeClock;
use crate::figures::Figures;
use crate::plan::Plan;
use crate::workload::Shape;
use crate::world::{Load, World};

/// The hour, by minutes.
const AWAY: i64 = 60;

/// A step while the receiver is away, in minutes.
const STEP: i64 = 5;

/// How long a step lasts: the server looks at the clock once a second.
const LASTS: Duration = Duration::from_millis(1_300);

/// The hours to which the clock is set then: each is behind the next attempt of what failed at the one before. The last of
/// ten attempts is made at the last.
const HOURS: [i64; 6] = [3, 9, 20, 35, 56, 81];

pub(super) async fn run(plan: &Plan) -> Done<Figures> {
    let disk = Disk::machine(&plan.dir)?;
    let clock = FakeClock::new(disk.beside("clock"))?;
    let mut world = World::new(plan, "receiver-away", disk).await?;
    world.launch = clock.launch(&plan.launch)?;
    world.start().await?;
    world.configure().await?;
    world.receiver.set_away(true);
    let to = |url: String| Shape { callbacks: Some((1_000, url)), pause: 150, keyed: 1_000, ..Shape::default() };
    let (shape, refused) = (to(world.receiver.url()), to(world.receiver.refusing_url()));
    world.load(&Load { shape, submitters: 2, ..Load::default() });
    let mut refusing = world.submitter(&refused);
    for _ in 0..5 {
        refusing.step().await;
    }
    for minutes in (0..=AWAY).step_by(usize::try_from(STEP).unwrap_or(1)) {
        clock.set(minutes * 60)?;
        sleep(LASTS).await;
        world.figures.add("minutes away", STEP.unsigned_abs());
    }
    // A server that is started anew knows as well what is to be sent.
    world.kill().await?;
    world.start().await?;
    world.calm();
    for hours in HOURS {
        clock.set(hours * 3_600)?;
        sleep(2 * LASTS).await;
    }
    world.figures.add("hours until the last attempt", HOURS[HOURS.len() - 1].unsigned_abs());
    world.finish().await
}
