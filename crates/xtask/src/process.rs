//! Other programs: running them to their end, and ending those that would outlive us.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};

/// Why a command of ours did not do what it should.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was called wrongly.
    WrongUse(String),
    /// Something else failed; the text says what.
    Failed(String),
    /// A program that the user asked for ended by this code, and has said why itself.
    Ended(i32),
}

impl Failure {
    /// The exit code: 2 for wrong use, else 1, or that of the program.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Failure::WrongUse(_) => 2,
            Failure::Failed(_) => 1,
            Failure::Ended(code) => u8::try_from(*code).unwrap_or(1).max(1),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::WrongUse(text) | Failure::Failed(text) => f.write_str(text),
            Failure::Ended(code) => write!(f, "ended with exit code {code}"),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Failed(error.to_string())
    }
}

/// What every command of ours comes to.
pub(crate) type Done<T = ()> = Result<T, Failure>;

/// Runs `command` to its end; it must succeed.
pub(crate) fn run(command: &mut Command) -> Done {
    let status = command.status().map_err(|error| not_started(command, &error))?;
    succeeded(command, status)
}

/// Runs `command` to its end and gives what it wrote to stdout; it must succeed.
pub(crate) fn output(command: &mut Command) -> Done<String> {
    let output = command.output().map_err(|error| not_started(command, &error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Failure::Failed(format!("{} ended with {}: {}", name(command), output.status, said.trim())))
}

/// The error of a program that did not start.
pub(crate) fn not_started(command: &Command, error: &io::Error) -> Failure {
    Failure::Failed(format!("{} does not start: {error}", name(command)))
}

fn succeeded(command: &Command, status: ExitStatus) -> Done {
    match status.code() {
        Some(0) => Ok(()),
        Some(code) => Err(Failure::Ended(code)),
        None => Err(Failure::Failed(format!("{} ended with {status}", name(command)))),
    }
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

/// The cargo that runs us.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// The folder of what is built.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The program `name` as `cargo build --release` made it.
pub(crate) fn release_binary(name: &str) -> PathBuf {
    target().join("release").join(name)
}

/// A program that is killed when this goes out of scope.
pub(crate) struct Killed(pub(crate) Child);

impl Killed {
    /// Kills it with SIGKILL, at once.
    pub(crate) fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        self.kill();
    }
}
