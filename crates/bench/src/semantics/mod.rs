//! What the semantics cost, and what one kind of job costs the others.

mod delayed;
mod kinds;
mod retention;
mod tenants;

use std::io;

use std::time::Duration;

use crate::Bench;
use crate::measured::Measured;
use crate::server::Server;

/// What is not measured against plain jobs, by name.
const OTHERS: [(&str, Scenario); 3] =
    [("delayed", delayed::run), ("tenants", tenants::run), ("retention", retention::run)];

/// Jobs of many groups in batches, against one server.
pub(crate) fn groups(server: &Server, time: Duration) -> io::Result<Measured> {
    kinds::of(server, &kinds::GROUPS, time)
}

/// Flows in batches, against one server.
pub(crate) fn flows(server: &Server, time: Duration) -> io::Result<Measured> {
    kinds::of(server, &kinds::FLOWS, time)
}

type Scenario = fn(&Bench) -> io::Result<()>;

pub(crate) fn run(bench: &Bench) -> io::Result<()> {
    kinds::run(bench)?;
    for (name, run) in OTHERS {
        if bench.only.as_ref().is_none_or(|only| name.contains(&**only)) {
            run(bench)?;
        }
    }
    Ok(())
}
