//! Printing: for people or for machines, with colours or without.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use ackd_client::api::Status;
use ackd_client::{Body, Download};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::json;
use crate::words::shown;

/// Standard output, and what it can show.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Console {
    /// Documents are asked for, as JSON.
    pub(crate) is_json: bool,
    /// Somebody is looking at it.
    pub(crate) is_terminal: bool,
    /// Colours are welcome.
    pub(crate) is_coloured: bool,
}

/// A colour, for what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    Green,
    Red,
    Yellow,
    Cyan,
    Bold,
}

impl Colour {
    /// The colour of a status.
    pub(crate) fn of(status: Status) -> Option<Colour> {
        match status {
            Status::Init => None,
            Status::Processing => Some(Colour::Cyan),
            Status::Done => Some(Colour::Green),
            Status::Failed => Some(Colour::Red),
            Status::Cancelled | Status::Expired => Some(Colour::Yellow),
        }
    }

    /// `text` between the sequences of a terminal (ECMA-48, SGR).
    pub(crate) fn paint(self, text: &str) -> String {
        let code = match self {
            Colour::Bold => 1,
            Colour::Red => 31,
            Colour::Green => 32,
            Colour::Yellow => 33,
            Colour::Cyan => 36,
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

impl Console {
    /// The console of this process.
    pub(crate) fn new(is_json: bool) -> Console {
        let is_terminal = io::stdout().is_terminal();
        // https://no-color.org: "when present and not an empty string".
        let is_unwelcome = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Console { is_json, is_terminal, is_coloured: is_terminal && !is_unwelcome }
    }

    /// Prints a line.
    pub(crate) fn line(self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.write_all(b"\n")
    }

    /// Prints a document as JSON on one line.
    pub(crate) fn document(self, document: &impl Serialize) -> io::Result<()> {
        self.line(&json::compact(&serde_json::to_string(document)?))
    }

    /// Prints a document as JSON where documents are asked for, else as `for_people` does.
    pub(crate) fn show(
        self,
        document: &impl Serialize,
        for_people: impl FnOnce(Console) -> Result<(), Failure>,
    ) -> Result<Exit, Failure> {
        if self.is_json {
            self.document(document)?;
        } else {
            for_people(self)?;
        }
        Ok(Exit::Fine)
    }

    /// Paints `text`, if colours are welcome.
    pub(crate) fn paint(self, colour: Option<Colour>, text: &str) -> String {
        match colour {
            Some(colour) if self.is_coloured => colour.paint(text),
            _ => text.to_owned(),
        }
    }

    /// Writes what is downloaded as it comes, whatever its size.
    pub(crate) async fn download(self, mut download: Download) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        while let Some(bytes) = download.next().await? {
            out.write_all(&bytes)?;
        }
        Ok(out.flush()?)
    }

    /// Prints the bytes of a payload or a result: as they are to a file or a pipe, so that they can be read by people
    /// to a terminal.
    pub(crate) fn body(self, body: &Body) -> io::Result<()> {
        if !self.is_terminal {
            let mut out = io::stdout().lock();
            out.write_all(&body.bytes)?;
            return out.flush();
        }
        match std::str::from_utf8(&body.bytes) {
            Ok("") => Ok(()),
            Ok(text) if serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok() => {
                self.line(&json::pretty(text))
            }
            Ok(text) => {
                for line in text.lines() {
                    self.line(&shown(line))?;
                }
                Ok(())
            }
            Err(_) => {
                let (bytes, kind) = (body.bytes.len(), shown(&body.content_type));
                eprintln!("ackd: {bytes} bytes of {kind} are no text for a terminal; send them to a file by `> FILE`");
                Ok(())
            }
        }
    }
}

/// Says something on stderr that is no output.
pub(crate) fn note(text: &str) {
    eprintln!("ackd: {text}");
}
