//! The job systems and brokers that ackd is measured beside: their servers, and the drivers of `crates/bench/peers` with
//! the client libraries that they ask for.
//!
//! What a peer needs stands in its folder: `debian.txt` (a program and the package that has it on each line),
//! `package.json`, `requirements.txt`, `Cargo.toml`. What cannot be had is an error: a comparison with what is there
//! anyway would be none.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::process::{self, Done, Failure, cargo, root, target};
use crate::{clients, install};

/// Where the servers of Debian packages are that it puts on nobody's path.
const SERVERS: [&str; 2] = ["/usr/lib/postgresql", "/usr/lib/rabbitmq"];

/// What was installed.
pub(crate) struct Installed {
    /// The folder with a folder for each driver.
    pub(crate) folder: PathBuf,
    /// The search path with which all servers are found.
    pub(crate) path: OsString,
    /// Whether no names were given.
    pub(crate) are_all: bool,
}

/// Installs what is missing of the peers that `args` name, of all if they name none.
pub(crate) fn install(args: &[String]) -> Done<Installed> {
    let drivers = root().join("crates/bench/peers");
    let names = names(args);
    let known = known(&drivers)?;
    if let Some(stranger) = names.iter().find(|name| **name != "ackd" && !known.contains(name)) {
        return Err(Failure::WrongUse(format!("there is no peer {stranger:?}; there are {}", known.join(", "))));
    }
    let folder = target().join("peers");
    copy(&drivers.join("common"), &folder.join("common"))?;
    for name in known.iter().filter(|name| names.is_empty() || names.contains(name)) {
        one(&drivers.join(name), name, &folder)
            .map_err(|failure| Failure::Failed(format!("the peer {name} cannot be installed: {failure}")))?;
    }
    Ok(Installed { folder, path: path()?, are_all: names.is_empty() })
}

/// The names among `args`: what is neither an option nor the value of one.
fn names(args: &[String]) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_value = false;
    for arg in args {
        if arg.starts_with('-') {
            is_value = !arg.contains('=');
        } else if !std::mem::take(&mut is_value) {
            names.push(arg.clone());
        }
    }
    names
}

/// The peers there are: every folder of a driver.
fn known(drivers: &Path) -> Done<Vec<String>> {
    let mut known = Vec::new();
    for entry in std::fs::read_dir(drivers)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() && name != "common" && name != "target" {
            known.push(name);
        }
    }
    known.sort_unstable();
    Ok(known)
}

fn one(driver: &Path, name: &str, installed: &Path) -> Done {
    let folder = installed.join(name);
    copy(driver, &folder)?;
    if let Ok(list) = std::fs::read_to_string(driver.join("debian.txt")) {
        for line in list.lines() {
            let (program, package) = line
                .split_once(' ')
                .ok_or_else(|| Failure::Failed(format!("debian.txt: {line:?} is no program and package")))?;
            server(program, package)?;
        }
    }
    if driver.join("package.json").is_file() {
        install::program("npm", "npm")?;
        clients::node(&driver.join("package.json"), &folder)?;
    }
    if driver.join("requirements.txt").is_file() {
        clients::python(&driver.join("requirements.txt"), &folder)?;
    }
    if driver.join("Cargo.toml").is_file() {
        let mut build = cargo();
        // Their own workspace and target: the product's stay as they are.
        build.current_dir(driver).args(["build", "--release", "--locked", "--target-dir"]).arg(installed.join("cargo"));
        process::run(&mut build)?;
    }
    Ok(())
}

/// Installs what is missing of these programs, each with the Debian package that has it; the search path with which all are
/// found.
pub(crate) fn servers(programs: &[(&str, &str)]) -> Done<OsString> {
    programs.iter().try_for_each(|(program, package)| server(program, package))?;
    path()
}

fn server(program: &str, package: &str) -> Done {
    if is_found(program)?.is_some() {
        return Ok(());
    }
    install::package(package)?;
    match is_found(program)? {
        Some(_) => Ok(()),
        None => Err(Failure::Failed(format!("{package} is installed, and has no {program}"))),
    }
}

/// Copies the files of `from`: what npm and pip make next to them is not for the source tree.
fn copy(from: &Path, to: &Path) -> Done {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        // npm writes its own copy of this one; `clients::node` sees to it.
        if entry.file_type()?.is_file()
            && entry.file_name() != "package.json"
            && entry.file_name() != "requirements.txt"
        {
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

fn is_found(program: &str) -> Done<Option<PathBuf>> {
    Ok(std::env::split_paths(&path()?).map(|folder| folder.join(program)).find(|file| file.is_file()))
}

/// The search path, with the servers' folders first: what stands under the same name elsewhere changes the user.
fn path() -> Done<OsString> {
    let mut folders = Vec::new();
    for server in SERVERS {
        let direct = Path::new(server).join("bin");
        let mut versions: Vec<_> =
            std::fs::read_dir(server).into_iter().flatten().flatten().map(|it| it.path().join("bin")).collect();
        versions.sort_unstable();
        versions.push(direct);
        folders.extend(versions.into_iter().rev().filter(|folder| folder.is_dir()));
    }
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    folders.push(PathBuf::from("/usr/sbin"));
    std::env::join_paths(folders).map_err(|error| Failure::Failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_options_and_their_values() {
        let args = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(names(&args("bullmq --time 1 --runs=2 nats --jobs 2000")), ["bullmq", "nats"]);
        assert!(names(&args("--time 1 --large 1000")).is_empty());
    }
}
