use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::process::{self, Done, Failure, cargo, root, target};

/// What LLVM is told so that libFuzzer sees each edge that is taken and each comparison that is made (the flags of
/// rust-fuzz and of cargo-bolero, without a sanitizer: there is no unsafe code, and those need a nightly rustc).
const FLAGS: [&str; 9] = [
    "--cfg=fuzzing",
    "--cfg=fuzzing_libfuzzer",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cdebug-assertions",
    "-Coverflow-checks",
];

/// The targets in one program, with libFuzzer in it.
pub(super) struct Built(PathBuf);

impl Built {
    /// Builds them, apart from all else that is built: every crate is made anew with these flags.
    pub(super) fn make() -> Done<Built> {
        println!("building the targets …");
        let mut build = cargo();
        build.args(["test", "--no-run", "--profile=fuzz", "--locked", "-p", "ackd-fuzz", "--test", "targets"]);
        build.args(["--message-format=json-render-diagnostics", "--target", &host()?]);
        build.arg("--target-dir").arg(target().join("fuzz/build"));
        // They are for the targets and not for what builds them, which `--target` tells apart.
        build.env("RUSTFLAGS", FLAGS.join(" ")).env_remove("CARGO_ENCODED_RUSTFLAGS");
        let messages = process::output(build.stderr(Stdio::inherit()))?;
        let built = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut programs = built.filter_map(|message| Some(PathBuf::from(message.get("executable")?.as_str()?)));
        programs
            .next()
            .map(Built)
            .ok_or_else(|| Failure::Failed("cargo says of no program that it was built".to_owned()))
    }

    /// The names of all targets.
    pub(super) fn targets(&self) -> Done<Vec<String>> {
        let listed = process::output(Command::new(&self.0).args(["--list", "--format=terse"]))?;
        // What stands in a module is a test of something that is looked at, and no target.
        let names = listed.lines().filter_map(|line| line.strip_suffix(": test")).filter(|name| !name.contains("::"));
        Ok(names.map(str::to_owned).collect())
    }

    /// Runs a target with these arguments of libFuzzer's.
    pub(super) fn command(&self, target: &str, args: &[String]) -> Command {
        let mut command = Command::new(&self.0);
        command.args([target, "--exact", "--nocapture", "--test-threads=1"]);
        command.env("BOLERO_LIBFUZZER_ARGS", args.join(" ")).current_dir(root());
        command
    }
}

/// The machine that is compiled for, which is this one.
fn host() -> Done<String> {
    let said = process::output(Command::new("rustc").arg("-vV"))?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned);
    host.ok_or_else(|| Failure::Failed("rustc does not say what it compiles for".to_owned()))
}
