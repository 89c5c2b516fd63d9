//! How the news of a job reaches those who wait for it: many at once, soon, and whoever else sleeps.

mod fan_out;
mod latency;
mod receiver;
mod reconnect;
mod stalled;
mod stream;
mod webhooks;

use std::io;

use crate::Bench;

pub(crate) fn run(bench: &Bench) -> io::Result<()> {
    fan_out::run(bench)?;
    stalled::run(bench)?;
    reconnect::run(bench)?;
    latency::run(bench)?;
    webhooks::run(bench)
}
