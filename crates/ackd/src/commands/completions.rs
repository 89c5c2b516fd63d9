//! `ackd completions`: a shell that knows the commands.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::console::Console;
use crate::exit::Exit;
use crate::failure::Failure;

/// The arguments of `ackd completions`.
#[derive(Debug, Args)]
#[command(after_help = "Example: ackd completions bash > ~/.local/share/bash-completion/completions/ackd")]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Prints the script.
pub(crate) fn run(args: CompletionsArgs) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "ackd", &mut script);
    Console::new(false).line(String::from_utf8_lossy(&script).trim_end())?;
    Ok(Exit::Fine)
}
