//! `cargo xtask chaos`: everything that can fail is made to, and what clients see of it is checked.

use std::process::Command;

use crate::process::{self, Done, cargo, release_binary};
use crate::{api, fuzz, hostile, install, peers};

/// The seeds that `cargo xtask test` simulates.
const SEEDS: &str = "20000";

/// The seeds in which each planted bug must be found.
const PLANTED: &str = "500";

/// How many inputs a target of the fuzzing gets at most, in a minute at most: more than a minute's, for all but a much faster
/// machine.
const INPUTS: &str = "7000000";

/// How many requests of each kind are made up for each operation of the API.
const API_EXAMPLES: &str = "20";

/// What faults are made with: programs, and the Debian packages that they come with.
const FAULTS: [(&str, &str); 3] = [("strace", "strace"), ("mkfs.ext4", "e2fsprogs"), ("faketime", "faketime")];

/// The other systems whose power is cut.
const PEERS: [(&str, &str); 4] = [
    ("nats-server", "nats-server"),
    ("redis-server", "redis-server"),
    ("postgres", "postgresql"),
    ("psql", "postgresql-client"),
];

/// Runs the command.
pub(crate) fn run(args: &[String]) -> Done {
    match args {
        [what, rest @ ..] if what == "sim" => simulate(rest),
        [what, rest @ ..] if what == "fuzz" => fuzz::run(rest),
        [what, rest @ ..] if what == "api" => api::run(rest),
        [what, rest @ ..] if what == "hostile" => hostile::run(rest),
        _ => server(args),
    }
}

/// The part of it that `cargo xtask test` runs.
pub(crate) fn slice() -> Done {
    simulate(&["--seeds".to_owned(), SEEDS.to_owned()])?;
    simulate(&["--planted".to_owned(), "--seeds".to_owned(), PLANTED.to_owned()])?;
    // The same inputs each time, as far as it comes: a change is not to fail by chance for what is found in another. To find
    // new things is for longer runs.
    fuzz::run(&["--seed", "1", "--runs", INPUTS].map(str::to_owned))?;
    server(&["--slice".to_owned()])?;
    api::run(&["--max-examples", API_EXAMPLES, "--seed", "1"].map(str::to_owned))?;
    hostile::run(&["--short".to_owned()])
}

/// The real server.
fn server(args: &[String]) -> Done {
    for (program, package) in FAULTS {
        install::program(program, package)?;
    }
    let mut chaos = Command::new(release_binary("ackd-chaos"));
    if args.iter().any(|arg| arg == "--peer" || arg.starts_with("--peer=")) {
        chaos.env("PATH", peers::servers(&PEERS)?);
    }
    process::run(cargo().args(["build", "--release", "--locked", "-p", "ackd", "-p", "ackd-chaos"]))?;
    process::run(chaos.args(args))
}

fn simulate(args: &[String]) -> Done {
    process::run(cargo().args(["build", "--release", "--locked", "-p", "ackd-sim"]))?;
    process::run(Command::new(release_binary("ackd-sim")).args(args))
}
