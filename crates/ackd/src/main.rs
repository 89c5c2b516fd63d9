//! The `ackd` binary: the server, and the command line that talks to it.

mod config;
mod exit;
mod logging;
mod serve;
mod wiring;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use exit::Exit;

/// Makes slow work asynchronous: accepts a request, acknowledges it, does it later and tells the client.
#[derive(Debug, Parser)]
#[command(name = "ackd", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve(Box<config::ServeArgs>),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command {
        Command::Serve(args) => match serve::serve(*args) {
            Ok(()) => Exit::Fine.into(),
            Err(error) => {
                eprintln!("ackd: {error}");
                error.exit().into()
            }
        },
    }
}
