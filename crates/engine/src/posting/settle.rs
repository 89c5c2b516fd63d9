use ackd_domain::{Answer, Command, Refusal};
use tokio::sync::mpsc;

use super::REST;
use super::slots::Slot;
use crate::engine::{Engine, Unavailable, bytes_of};

/// The most outcomes of one commit.
const OUTCOMES: usize = 512;

/// The most bytes of one commit, but for those of a single outcome.
const BYTES: usize = 4 << 20;

/// What came of an attempt, and the room that it takes until that is durable.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) commands: Vec<Command>,
    pub(super) slot: Slot,
}

/// Writes down what came of attempts, as many at once as there are, until nobody makes any. `answered` is told what each
/// command came to.
pub(crate) async fn settle(
    engine: Engine,
    mut outcomes: mpsc::UnboundedReceiver<Settled>,
    answered: fn(Result<&Answer, &Refusal>),
) {
    let mut settled = Vec::with_capacity(OUTCOMES);
    while outcomes.recv_many(&mut settled, OUTCOMES).await > 0 {
        let mut rest = settled.drain(..).peekable();
        while rest.peek().is_some() {
            let (mut commands, mut slots, mut bytes) = (Vec::new(), Vec::new(), 0);
            let of = |outcome: &Settled| outcome.commands.iter().map(bytes_of).sum::<usize>();
            while let Some(next) = rest.next_if(|next| slots.is_empty() || bytes + of(next) <= BYTES) {
                bytes += of(&next);
                commands.extend(next.commands);
                slots.push(next.slot);
            }
            if !write(&engine, commands, answered).await {
                return;
            }
            drop(slots);
        }
    }
}

/// Whether it is written down; otherwise the leases lapse, and what was sent is sent again.
async fn write(engine: &Engine, commands: Vec<Command>, answered: fn(Result<&Answer, &Refusal>)) -> bool {
    while !commands.is_empty() {
        match engine.run(commands.clone()).await {
            Ok(answers) => {
                answers.iter().for_each(|answer| answered(answer.as_ref()));
                break;
            }
            Err(Unavailable::Overloaded | Unavailable::Full) => tokio::time::sleep(REST).await,
            Err(Unavailable::Stopping | Unavailable::Failed(_)) => return false,
        }
    }
    true
}
