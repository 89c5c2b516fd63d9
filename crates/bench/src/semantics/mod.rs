//! What the semantics cost, and what one kind of job costs the others.

mod delayed;
mod kinds;
mod retention;
mod tenants;

use std::io;

use crate::Bench;

pub(crate) fn run(bench: &Bench) -> io::Result<()> {
    kinds::run(bench)?;
    delayed::run(bench)?;
    tenants::run(bench)?;
    retention::run(bench)
}
