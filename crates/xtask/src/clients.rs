//! The clients of other projects that ackd is tested with: programs of Debian, libraries of Python and of Node.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::install::{self, found};
use crate::process::{self, Done, Failure, root, target};

/// After so many seconds a download is given up.
const PATIENCE: &str = "600";

/// Where everything is that the tests ask for.
pub(crate) struct Clients {
    /// A folder with `venv` and `node_modules`.
    pub(crate) folder: PathBuf,
    pub(crate) nginx: PathBuf,
    pub(crate) chromium: PathBuf,
}

/// Installs what is missing. It fails where something cannot be had: tests that are left out prove nothing.
pub(crate) fn install() -> Done<Clients> {
    for (program, package) in [("nginx", "nginx"), ("chromium", "chromium"), ("node", "nodejs"), ("npm", "npm")] {
        install::program(program, package)?;
    }
    let asked = root().join("crates/ackd/tests/clients/scripts");
    let folder = target().join("test-clients");
    std::fs::create_dir_all(&folder)?;
    python(&asked.join("requirements.txt"), &folder)?;
    node(&asked.join("package.json"), &folder)?;
    let path = |program: &str| found(program).ok_or_else(|| Failure::Failed(format!("{program} is gone")));
    Ok(Clients { folder, nginx: path("nginx")?, chromium: path("chromium")? })
}

pub(crate) fn python(requirements: &Path, folder: &Path) -> Done {
    let asked = folder.join("requirements.txt");
    if is_same(requirements, &asked) {
        return Ok(());
    }
    println!("installing what is asked for in {} …", requirements.display());
    let venv = folder.join("venv");
    let make = |clear: &[&str]| process::run(bounded("python3").args(["-m", "venv"]).args(clear).arg(&venv));
    // Debian keeps what makes these folders in a package of its own.
    if install::program("python3", "python3").and_then(|()| make(&[])).is_err() {
        install::package("python3-venv")?;
        make(&["--clear"])?;
    }
    let pip = venv.join("bin/pip");
    process::run(bounded(pip).args(["install", "--quiet", "--disable-pip-version-check", "-r"]).arg(requirements))?;
    std::fs::copy(requirements, asked)?;
    Ok(())
}

pub(crate) fn node(package: &Path, folder: &Path) -> Done {
    // npm writes this copy anew; so the one to compare with has another name.
    let (asked, used) = (folder.join("package.asked.json"), folder.join("package.json"));
    if is_same(package, &asked) {
        return Ok(());
    }
    println!("installing what is asked for in {} …", package.display());
    std::fs::copy(package, used)?;
    let options = ["install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"];
    process::run(bounded("npm").args(options).current_dir(folder))?;
    std::fs::copy(package, asked)?;
    Ok(())
}

/// Whether what is asked for was installed before.
fn is_same(asked: &Path, installed: &Path) -> bool {
    std::fs::read(asked).is_ok_and(|asked| std::fs::read(installed).is_ok_and(|installed| installed == asked))
}

/// A program that is ended when it takes too long.
fn bounded(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("timeout");
    command.arg(PATIENCE).arg(program).stdin(Stdio::null());
    command
}
