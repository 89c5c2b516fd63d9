//! A bound of a server's memory, what the system keeps of its files included.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// A control group of the kernel's that processes are put into. It is to be dropped after they have ended.
#[derive(Debug)]
pub(crate) struct MemoryLimit(PathBuf);

/// Where a machine has its groups, with the file that a group's bound is written to: version 2 of them, and version 1
/// (<https://docs.kernel.org/admin-guide/cgroup-v2.html>, cgroup-v1/memory.html).
const PLACES: [(&str, &str); 2] =
    [("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")];

impl MemoryLimit {
    /// A group of so many bytes.
    ///
    /// # Errors
    /// The machine has none, or lets nobody but others make them.
    pub(crate) fn new(name: &str, bytes: u64) -> io::Result<MemoryLimit> {
        let mut failed = io::Error::from(io::ErrorKind::Unsupported);
        for (place, bound) in PLACES {
            let folder = Path::new(place).join(format!("{name}-{}", std::process::id()));
            if fs::create_dir(&folder).is_err() {
                continue;
            }
            let limit = MemoryLimit(folder);
            match put(&limit.0.join(bound), &bytes.to_string()) {
                Ok(()) => return Ok(limit),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// Puts a process into it, with what it takes from now on.
    pub(crate) fn hold(&self, process: u32) -> io::Result<()> {
        put(&self.0.join("cgroup.procs"), &process.to_string())
    }
}

/// Writes to a file that is there: where there are no groups, it is not to be made.
fn put(file: &Path, text: &str) -> io::Result<()> {
    fs::File::options().write(true).open(file)?.write_all(text.as_bytes())
}

impl Drop for MemoryLimit {
    fn drop(&mut self) {
        // One with a process in it cannot go; what is left of it takes nothing.
        let _ = fs::remove_dir(&self.0);
    }
}
