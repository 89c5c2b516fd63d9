//! Followers by server-sent events and WebSocket that stop to read while the load goes on, beside some that go on. Memory stays
//! bounded, nobody else notices, and when they read again they have missed nothing.

use std::time::{Duration, Instant};

use crate::disk::Disk;
use crate::error::{Done, broken};
use crate::figures::Figures;
use crate::http::JSON;
use crate::plan::Plan;
use crate::workload::{Face, QUEUE, Shape};
use crate::world::{Load, World};

/// How many do not read, of each kind. The checker keeps what each has seen of each job.
const STALLED: u64 = 20;

/// The bytes of memory that the server may need: what an idle one needs, its caches, and little for each stream.
const MEMORY: u64 = 192 << 20;

/// What a submission may take at most while they do not read.
const PROMPT: Duration = Duration::from_secs(2);

pub(super) async fn run(plan: &Plan) -> Done<Figures> {
    let mut world = World::new(plan, "stalled-readers", Disk::machine(&plan.dir)?).await?;
    world.start().await?;
    world.configure().await?;
    for _ in 0..STALLED {
        world.follow(Face::Events);
        world.follow(Face::Socket);
    }
    let shape = Shape { size: 2_000, pause: 100, ..Shape::default() };
    world.load(&Load { shape, followers: 0, submitters: 2, ..Load::default() });
    world.pass(2_000, Duration::from_secs(3)).await;
    world.set_reading(false);
    let (until, mut http) = (plan.until(), world.http());
    let mut slowest = Duration::ZERO;
    while Instant::now() < until {
        let asked = Instant::now();
        let envelope = format!(r#"{{"queue":"{QUEUE}-beside"}}"#);
        match http.post("/v1/jobs", JSON, &envelope).await {
            Ok(answer) if answer.status == 202 => slowest = slowest.max(asked.elapsed()),
            other => return broken(format!("beside readers that stall a submission is answered {other:?}")),
        }
        world.pass(50, Duration::from_millis(200)).await;
    }
    let peak = world.peak()?;
    world.figures.add("readers stalled", 2 * STALLED);
    world.figures.add("MiB at most", peak >> 20);
    world.figures.add("ms the slowest submission took", u64::try_from(slowest.as_millis()).unwrap_or(u64::MAX));
    if peak > MEMORY {
        return broken(format!("the server takes {} MiB where {} are enough", peak >> 20, MEMORY >> 20));
    }
    if slowest > PROMPT {
        return broken(format!("beside readers that stall a submission takes {slowest:?}"));
    }
    world.finish().await
}
