//! What a command needs of the system, installed where it is missing.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::process::{Done, Failure, run};

/// Makes sure that `program` can be run; it comes with the Debian package `package`.
pub(crate) fn program(program: &str, package: &str) -> Done {
    if found(program).is_some() {
        return Ok(());
    }
    println!("{program} is needed");
    self::package(package)?;
    match found(program) {
        Some(_) => Ok(()),
        None => Err(Failure::Failed(format!("{package} is installed, and has no {program}"))),
    }
}

/// Installs a Debian package.
pub(crate) fn package(package: &str) -> Done {
    if found("apt-get").is_none() {
        return Err(Failure::Failed(format!(
            "{package} is needed, and there is no apt-get to install it with: install it and try again"
        )));
    }
    println!("installing {package} …");
    // The first try works from the package lists that are there; an old or empty list wants an update.
    if apt(&["install", "-y", "-q", "--no-install-recommends", package]).is_err() {
        apt(&["update", "-q"])?;
        apt(&["install", "-y", "-q", "--no-install-recommends", package])?;
    }
    Ok(())
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

/// Where `program` is: on the path, or where Debian puts servers, which is on the path of few users.
pub(crate) fn found(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}
