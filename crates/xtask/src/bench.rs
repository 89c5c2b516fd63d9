//! `cargo xtask bench`: builds the server and the load generator as they are shipped, and runs the latter.

use std::process::Command;

use crate::process::{self, Done, cargo, release_binary};

/// Runs the command.
pub(crate) fn run(args: &[String]) -> Done {
    process::run(cargo().args(["build", "--release", "--locked", "-p", "ackd", "-p", "ackd-bench"]))?;
    process::run(Command::new(release_binary("ackd-bench")).args(args))
}
