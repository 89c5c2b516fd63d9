//! `cargo xtask bench`: builds the server and the load generator as they are shipped, and runs the latter.

use std::process::Command;

use crate::peers;
use crate::process::{self, Done, cargo, release_binary};

/// Runs the command.
pub(crate) fn run(args: &[String]) -> Done {
    let build = || process::run(cargo().args(["build", "--release", "--locked", "-p", "ackd", "-p", "ackd-bench"]));
    let mut bench = Command::new(release_binary("ackd-bench"));
    bench.args(args);
    match args.split_first() {
        Some((first, rest)) if first == "peers" => {
            let installed = peers::install(rest)?;
            build()?;
            bench.arg("--installed").arg(installed.folder).env("PATH", installed.path);
            // All of them make the page; some are looked at.
            if installed.are_all && !rest.iter().any(|arg| arg == "--out" || arg.starts_with("--out=")) {
                bench.arg("--out").arg(process::root().join("docs/benchmarks"));
            }
        }
        _ => build()?,
    }
    process::run(&mut bench)
}
