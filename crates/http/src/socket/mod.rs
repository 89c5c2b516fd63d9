//! WebSockets (RFC 6455), sub-protocol `ackd.v1`: submissions and any number of subscriptions on one connection.
//!
//! - `upgrade`: the request that opens one.
//! - `run`: one socket, from its first frame to its last. It joins:
//!   - `line`, its bytes, bounded in both directions;
//!   - `session`, a state machine: what is said, and what follows from it;
//!   - `follower`, a subscription at work, and `wanted`, what it is about;
//!   - `waits`, all of its followers at once, nobody passed over;
//!   - `pulse`, a state machine: whether the client is there and takes what it is sent.
//!
//! Nothing of a socket grows with what its client does not take: events are asked for one by one while there is room to
//! write them, and stay in the ledger until then.

mod follower;
mod line;
mod pulse;
mod run;
mod session;
mod submit;
mod upgrade;
mod waits;
mod wanted;

pub(crate) use follower::too_many;
pub(crate) use upgrade::open;
