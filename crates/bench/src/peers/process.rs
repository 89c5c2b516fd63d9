//! The processes of a run: in groups of their own, and gone when the run is over, however it ends.

use std::collections::HashMap;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// How long a process that was asked to stop is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// What has to go when the run is interrupted.
static STARTED: Mutex<Started> = Mutex::new(Started { processes: Vec::new(), folder: None });

struct Started {
    processes: Vec<(Pid, Signal)>,
    folder: Option<PathBuf>,
}

fn started() -> MutexGuard<'static, Started> {
    // What a panic leaves behind is a list that is still right.
    STARTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on SIGINT and SIGTERM end every [`Process`], delete `folder` and end this program with exit code 130.
pub(crate) fn clean_up_on_signals(folder: &Path) -> io::Result<()> {
    started().folder = Some(folder.to_owned());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let (Ok(mut interrupt), Ok(mut terminate)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return;
            };
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        // Held to the end: nothing more is started.
        let mut started = started();
        for (pid, signal) in &started.processes {
            let _ = kill_process(*pid, *signal);
        }
        // For the sake of those that clean up behind themselves.
        std::thread::sleep(Duration::from_millis(500));
        for (pid, _) in started.processes.drain(..) {
            let _ = kill_process_group(pid, Signal::KILL);
        }
        if let Some(folder) = started.folder.take() {
            let _ = std::fs::remove_dir_all(folder);
        }
        std::process::exit(130);
    });
    Ok(())
}

/// A process in a group of its own. It is stopped when dropped, and the group with it.
pub(crate) struct Process {
    pub(crate) child: Child,
    pid: Pid,
    stop: Signal,
}

impl Process {
    /// Starts `command`; `stop` is the signal that ends it, and what it has started, at once.
    pub(crate) fn start(command: &mut Command, stop: Signal) -> io::Result<Process> {
        let mut started = started();
        let child = command.process_group(0).spawn().map_err(|error| {
            io::Error::new(error.kind(), format!("{} does not start: {error}", command.get_program().display()))
        })?;
        let pid = Pid::from_child(&child);
        started.processes.push((pid, stop));
        Ok(Process { child, pid, stop })
    }

    /// The memory of the process and of all that came of it, in bytes: resident, with what several of them share
    /// counted once (proportional set size), as the servers of PostgreSQL are many over one cache.
    pub(crate) fn memory(&self) -> u64 {
        let parents = parents();
        let is_ours = |mut pid: i32| {
            while pid != self.pid.as_raw_nonzero().get() {
                match parents.get(&pid) {
                    Some(parent) => pid = *parent,
                    None => return false,
                }
            }
            true
        };
        // One that has ended meanwhile takes none.
        parents.keys().filter(|pid| is_ours(**pid)).filter_map(|pid| proportional(*pid)).sum()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = kill_process(self.pid, self.stop);
        let asked = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && asked.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut started = started();
        let _ = kill_process_group(self.pid, Signal::KILL);
        let _ = self.child.wait();
        started.processes.retain(|(pid, _)| *pid != self.pid);
    }
}

/// Every process and its parent.
fn parents() -> HashMap<i32, i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // Behind the name in parentheses, which may hold spaces, and the state.
        let parent = stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()?;
        Some((pid, parent))
    })
    .collect()
}

fn proportional(pid: i32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find(|line| line.starts_with("Pss:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib << 10)
}
