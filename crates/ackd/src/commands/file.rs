//! `ackd file`: files for payloads, uploaded and downloaded in bounded memory.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ackd_client::Upload;
use ackd_client::api::Duration;
use clap::{Args, Subcommand};

use crate::cli::Session;
use crate::exit::Exit;
use crate::failure::Failure;

/// The arguments of `ackd file`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
                  ackd file put cat.mp4\n  \
                  ackd submit video --payload-file cat.mp4\n  \
                  ackd file get cat.mp4 > copy.mp4")]
pub(crate) struct FileArgs {
    #[command(subcommand)]
    command: FileCommand,
}

#[derive(Debug, Subcommand)]
enum FileCommand {
    /// Upload a file; one that had the name before gives way
    #[command(after_help = "Example: ackd file put cat.mp4 --content-type video/mp4 --expires-in 7d")]
    Put {
        /// The file, `-` for stdin
        file: PathBuf,
        /// The name that it gets [default: its own]
        name: Option<String>,
        /// The media type [default: application/octet-stream]
        #[arg(long, value_name = "TYPE")]
        content_type: Option<String>,
        /// How long it is kept while no job refers to it [default: 24h]
        #[arg(long, value_name = "DURATION", value_parser = super::duration)]
        expires_in: Option<Duration>,
    },
    /// Write a file to stdout
    #[command(after_help = "Example: ackd file get cat.mp4 > copy.mp4")]
    Get {
        /// The file's name
        name: String,
    },
    /// Delete files; jobs that refer to them keep them
    #[command(after_help = "Example: ackd file delete cat.mp4")]
    Delete {
        /// The files' names
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
}

/// Runs the command.
pub(crate) async fn run(args: FileArgs, session: &Session) -> Result<Exit, Failure> {
    match args.command {
        FileCommand::Put { file, name, content_type, expires_in } => {
            let (upload, own_name) = open(&file)?;
            let Some(name) = name.or(own_name) else {
                return Err(Failure::Usage("say under what NAME to keep it".into()));
            };
            let upload = match content_type {
                Some(content_type) => upload.content_type(content_type),
                None => upload,
            };
            let file = session.client.put_file(&name, upload, expires_in.map(Duration::get)).await?;
            session.console.show(&file, |console| Ok(console.line(&file.file)?))
        }
        FileCommand::Get { name } => get(&name, session).await,
        FileCommand::Delete { names } => {
            let delete = |name: String| async move {
                session.client.delete_file(&name).await?;
                if session.console.is_json {
                    return Ok(());
                }
                Ok(session.console.line(&format!("{name} deleted"))?)
            };
            Ok(super::each(&names, session, delete).await)
        }
    }
}

/// What is to be uploaded, and the name that it has.
fn open(path: &Path) -> Result<(Upload, Option<String>), Failure> {
    if path == Path::new("-") {
        return Ok((Upload::read(io::stdin()), None));
    }
    let unreadable = |error: io::Error| Failure::Other(format!("cannot read {}: {error}", path.display()));
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    let name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    // A pipe or a device has no length of its own.
    let upload = if metadata.is_file() { Upload::file(Arc::new(file), metadata.len()) } else { Upload::read(file) };
    Ok((upload, name))
}

async fn get(name: &str, session: &Session) -> Result<Exit, Failure> {
    if session.console.is_terminal {
        return Err(Failure::Usage("a file is not shown in a terminal; send it to a file by `> FILE`".into()));
    }
    session.console.download(session.client.file(name).await?).await?;
    Ok(Exit::Fine)
}
