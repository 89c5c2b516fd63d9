//! What the client has to say while a command waits: that the server is away, and that it is back.

use std::io::{self, Write};

use indicatif::ProgressBar;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Prints notices on stderr from now on, as lines of their own above `bar`. Called once at most.
pub(crate) fn start(bar: Option<ProgressBar>) {
    tracing_subscriber::fmt()
        .with_writer(Notices(bar))
        .with_max_level(LevelFilter::INFO)
        .with_ansi(false)
        .with_target(false)
        .with_level(false)
        .without_time()
        .init();
}

/// Puts the program's name before each line, and the bar out of its way.
struct Notices(Option<ProgressBar>);

impl<'a> MakeWriter<'a> for Notices {
    type Writer = &'a Notices;

    fn make_writer(&'a self) -> &'a Notices {
        self
    }
}

impl Write for &Notices {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let print = || eprintln!("ackd: {}", text.trim_start().trim_end_matches('\n'));
        match &self.0 {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
