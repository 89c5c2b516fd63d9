//! The open files that a process may have.

use std::io;

use rustix::process::{Resource, getrlimit, setrlimit};

/// Lets this process, and the server that it starts, have as many as the system allows.
pub(crate) fn raise_limit() -> io::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)?;
    Ok(())
}
