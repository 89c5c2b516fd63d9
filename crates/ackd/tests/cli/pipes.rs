//! Pipes with names, by which a test and the commands of its jobs meet.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;

use tempfile::TempDir;

/// A pipe with a name.
struct Pipe {
    _folder: TempDir,
    path: PathBuf,
}

impl Pipe {
    fn make() -> Pipe {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        Pipe { _folder: folder, path }
    }

    /// Both of its ends, so that it stays open whoever comes and goes.
    fn open(&self) -> File {
        OpenOptions::new().read(true).write(true).open(&self.path).unwrap()
    }

    fn name(&self) -> &str {
        self.path.to_str().unwrap()
    }
}

/// Commands ring it: each `echo word > BELL` is a line.
pub(crate) struct Bell {
    pipe: Pipe,
    lines: BufReader<File>,
}

impl Bell {
    pub(crate) fn make() -> Bell {
        let pipe = Pipe::make();
        let lines = BufReader::new(pipe.open());
        Bell { pipe, lines }
    }

    pub(crate) fn name(&self) -> &str {
        self.pipe.name()
    }

    /// Waits for the next line.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

/// Commands wait at it: `read word < GATE`.
pub(crate) struct Gate {
    pipe: Pipe,
    file: File,
}

impl Gate {
    pub(crate) fn make() -> Gate {
        let pipe = Pipe::make();
        let file = pipe.open();
        Gate { pipe, file }
    }

    pub(crate) fn name(&self) -> &str {
        self.pipe.name()
    }

    /// Lets one command through, now or when it comes.
    pub(crate) fn open(&mut self) {
        self.file.write_all(b"go\n").unwrap();
    }
}

/// Commands hold it open as long as they live: `exec 9> LIFELINE`.
pub(crate) struct Lifeline(Pipe);

/// The lives of those that hold a [`Lifeline`].
pub(crate) struct Lives(BufReader<File>);

impl Lifeline {
    pub(crate) fn make() -> Lifeline {
        Lifeline(Pipe::make())
    }

    pub(crate) fn name(&self) -> &str {
        self.0.name()
    }

    /// Waits until somebody holds it.
    pub(crate) fn held(&self) -> Lives {
        Lives(BufReader::new(File::open(&self.0.path).unwrap()))
    }
}

impl Lives {
    /// Waits for a line that one of them writes.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Waits until none of them is left, and gives what they wrote until then.
    pub(crate) fn end(mut self) -> String {
        let mut text = String::new();
        self.0.read_to_string(&mut text).unwrap();
        text
    }
}
