//! `cargo xtask chaos hostile`: slow and hostile clients on the server as it is shipped.

use std::process::Command;

use crate::process::{self, Done, cargo, release_binary};

/// Runs the command.
pub(crate) fn run(args: &[String]) -> Done {
    process::run(cargo().args(["build", "--release", "--locked", "-p", "ackd", "-p", "ackd-hostile"]))?;
    process::run(Command::new(release_binary("ackd-hostile")).args(args))
}
