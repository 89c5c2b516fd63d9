//! The server that is attacked, and what memory it takes.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ackd_bench_driver::Serving;

/// How often memory is looked at while an attack goes on.
const EVERY: Duration = Duration::from_millis(50);

/// The system's memory is counted in pages of 4 KiB.
const PAGE: u64 = 4096;

/// A running server. It is killed when dropped.
pub(crate) struct Server(Serving);

impl Server {
    /// Starts the `ackd` beside this program, as it is by default but for `flags`, over the directory `data`.
    pub(crate) fn start(data: &Path, flags: &[&str]) -> io::Result<Server> {
        let program = std::env::current_exe()?.with_file_name("ackd");
        let mut command = Command::new(program);
        command.args(["serve", "--listen", "127.0.0.1:0", "--log-level", "error", "--data"]).arg(data).args(flags);
        Serving::start(command).map(Server)
    }

    /// Where it listens, as "127.0.0.1:8202".
    pub(crate) fn addr(&self) -> &str {
        self.0.addr()
    }

    /// Its resident memory in bytes.
    pub(crate) fn memory(&self) -> io::Result<u64> {
        resident(self.0.pid())
    }

    /// Looks at its memory again and again.
    pub(crate) fn watch(&self) -> Watch {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, process) = (Arc::clone(&stop), self.0.pid());
        let thread = thread::spawn(move || {
            let (mut highest, mut buffers) = (0, 0);
            while !stopped.load(Ordering::Relaxed) {
                highest = highest.max(resident(process).unwrap_or_default());
                buffers = buffers.max(socket_buffers().unwrap_or_default());
                thread::sleep(EVERY);
            }
            (highest, buffers)
        });
        Watch { stop, thread }
    }
}

/// A look at memory that goes on.
pub(crate) struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(u64, u64)>,
}

impl Watch {
    /// The most that the server had, and the most that the system had in buffers of sockets, of everybody's, in bytes.
    pub(crate) fn stop(self) -> (u64, u64) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

fn resident(process: u32) -> io::Result<u64> {
    let statm = fs::read_to_string(format!("/proc/{process}/statm"))?;
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    Ok(pages.ok_or(io::ErrorKind::InvalidData)? * PAGE)
}

/// `TCP: inuse 7 orphan 0 tw 0 alloc 8 mem 2`, the last in pages.
fn socket_buffers() -> io::Result<u64> {
    let stat = fs::read_to_string("/proc/net/sockstat")?;
    let tcp = stat.lines().find_map(|line| line.strip_prefix("TCP: ")).unwrap_or_default();
    let pages = tcp.split_whitespace().skip_while(|word| *word != "mem").nth(1);
    Ok(pages.and_then(|pages| pages.parse::<u64>().ok()).ok_or(io::ErrorKind::InvalidData)? * PAGE)
}
