//! What a command needs of the system, installed where it is missing.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::process::{Done, Failure, run};

/// Makes sure that `program` can be run; it comes with the Debian package `package`.
pub(crate) fn program(program: &str, package: &str) -> Done {
    if found(program) {
        return Ok(());
    }
    if !found("apt-get") {
        return Err(Failure::Failed(format!(
            "{program} is needed, and there is no apt-get to install it with: install {package} and try again"
        )));
    }
    println!("installing {package} for {program} …");
    // The first try works from the package lists that are there; an old or empty list wants an update.
    if apt(&["install", "-y", "-q", "--no-install-recommends", package]).is_err() {
        apt(&["update", "-q"])?;
        apt(&["install", "-y", "-q", "--no-install-recommends", package])?;
    }
    if found(program) { Ok(()) } else { Err(Failure::Failed(format!("{package} is installed, and has no {program}"))) }
}

fn apt(args: &[&str]) -> Done {
    let root = std::fs::metadata("/proc/self").is_ok_and(|it| std::os::unix::fs::MetadataExt::uid(&it) == 0);
    let mut command = if root {
        Command::new("apt-get")
    } else {
        let mut sudo = Command::new("sudo");
        sudo.arg("apt-get");
        sudo
    };
    run(command.args(args).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null()).stdout(Stdio::null()))
}

/// Whether `program` is on the path.
pub(crate) fn found(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| Path::new(&folder).join(program).is_file())
}
