//! The project's own commands: `cargo xtask demo`, `cargo xtask test`, `cargo xtask chaos`, `cargo xtask bench`.
//!
//! This crate depends on next to nothing, so that it is there at once; what is heavy is built by the
//! command that needs it.

mod api;
mod bench;
mod chaos;
mod clients;
mod demo;
mod fuzz;
mod hostile;
mod install;
mod peers;
mod process;
mod test;

use std::process::ExitCode;

use process::Failure;

const HELP: &str = "\
The project's own commands:

  cargo xtask demo [--file VIDEO] [--keep]
      builds ackd, starts it, and transcodes a video with workers that are killed half-way
  cargo xtask test [FILTER]
      installs and starts what the tests need, runs all of them, stops what it started
  cargo xtask chaos sim [--seeds N] [--from SEED] | --seed SEED | --planted
      simulates the engine under seeds, each twice, and checks what its clients see
  cargo xtask chaos [ROW…] [--time SECONDS] [--seed N] [--slice]
      makes everything under the real server fail, and checks what its clients see; --help lists the rows
  cargo xtask chaos power-cut --peer nats|redis|postgres [--cuts N]
      the same power cut on other systems: what they have lost of what they acknowledged
  cargo xtask chaos fuzz [TARGET…] [--time SECONDS] [--jobs N] [--seed N] [--runs N] [--corpus FOLDER] [--keep]
      gives every parser of what others send inputs that nobody thought of, each target for 60 s
  cargo xtask chaos api [--max-examples N] [OPTIONS OF SCHEMATHESIS]
      holds every answer of a running server against its own OpenAPI document
  cargo xtask chaos hostile [ATTACK…] [--short] [--time SECONDS]
      attacks a server as slow and hostile clients would, and measures what the others feel
  cargo xtask bench [accept|lifecycle|latency|backlog] [--runs N] [--time SECONDS] [--keys N] [--backlog N]
      measures ackd beside what bounds it
  cargo xtask bench peers [NAME…] [--runs N] [--time SECONDS] [--jobs N] [--large [N]] [--out FOLDER]
      installs and starts other job systems and brokers, and measures the same work on them and on ackd";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next();
    let rest: Vec<String> = args.collect();
    let done = match command.as_deref() {
        Some("demo") => demo::run(&rest),
        // What the demo's workers run for each job.
        Some("demo-job") => demo::job::run(),
        Some("test") => test::run(&rest),
        Some("bench") => bench::run(&rest),
        Some("chaos") => chaos::run(&rest),
        Some("help" | "--help" | "-h") | None => {
            println!("{HELP}");
            Ok(())
        }
        Some(other) => Err(Failure::WrongUse(format!("there is no command {other:?}\n\n{HELP}"))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::from(failure.code())
        }
    }
}
