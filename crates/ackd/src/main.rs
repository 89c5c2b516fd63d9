//! The `ackd` binary: the server, and the command line that talks to it.

mod cli;
mod commands;
mod config;
mod console;
mod exit;
mod failure;
mod file_store;
mod json;
mod logging;
mod notices;
mod serve;
mod table;
mod wiring;
mod words;
mod work;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use exit::Exit;

fn main() -> ExitCode {
    ackd_allocator::give_back_early();
    // No command for people: it stands in no help and is completed by no shell.
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|first| first == work::SUPERVISE) {
        return work::supervise(args.collect()).into();
    }
    let Cli { globals, command } = Cli::parse();
    match command {
        Command::Serve(args) => match serve::serve(*args) {
            Ok(()) => Exit::Fine.into(),
            Err(error) => {
                eprintln!("ackd: {error}");
                error.exit().into()
            }
        },
        command => {
            let url = globals.url.clone();
            match commands::run(command, globals) {
                Ok(exit) => exit.into(),
                Err(failure) => {
                    failure.tell(&url);
                    failure.exit().into()
                }
            }
        }
    }
}
