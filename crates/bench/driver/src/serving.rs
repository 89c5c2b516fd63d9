use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A process that serves HTTP and says where, as `ackd serve` does. It is killed when dropped.
#[derive(Debug)]
pub struct Serving {
    child: Child,
    addr: String,
}

impl Serving {
    /// Starts it and waits until it listens.
    ///
    /// # Errors
    ///
    /// It cannot be started, or the first line that it says is not "listening on http://" and an address.
    pub fn start(mut command: Command) -> io::Result<Serving> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        // From here on it is killed, whatever comes.
        let mut serving = Serving { child, addr: String::new() };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        match line.trim().strip_prefix("listening on http://") {
            Some(addr) => addr.clone_into(&mut serving.addr),
            None => return Err(io::Error::other(format!("the server does not start: it says {line:?}"))),
        }
        Ok(serving)
    }

    /// Where it listens, as "127.0.0.1:8202".
    #[must_use]
    pub fn addr(&self) -> &str {
        &self.addr
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, and waits for its end.
    ///
    /// # Errors
    ///
    /// The system says so.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(|_| ())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.kill();
    }
}
