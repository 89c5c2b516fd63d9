//! Where the server's data lives: in a folder, on a small disk, or on a disk whose power can be cut.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::error::{ChaosError, Doing, Done};
use crate::power;

/// How long a file system may be busy after its last process has ended.
const PATIENCE: Duration = Duration::from_secs(10);

/// A folder of its own, which is gone with this.
#[derive(Debug)]
pub(crate) struct Disk {
    folder: TempDir,
    kind: Kind,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// The disk of the machine.
    Machine,
    /// A file system in memory.
    Memory,
    /// An ext4 file system in a file.
    Image,
}

impl Disk {
    /// A folder on the machine's disk.
    pub(crate) fn machine(under: &Path) -> Done<Disk> {
        Ok(Disk { folder: folder(under)?, kind: Kind::Machine })
    }

    /// A disk of so many bytes, in memory.
    pub(crate) fn small(under: &Path, bytes: u64) -> Done<Disk> {
        let disk = Disk { folder: folder(under)?, kind: Kind::Memory };
        let size = format!("size={bytes}");
        allowed(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "ackd-chaos"]).arg(disk.make_mount()?))?;
        Ok(disk)
    }

    /// A disk of so many bytes whose power can be cut: ext4 as `mkfs.ext4` makes it, on a loop device.
    pub(crate) fn image(under: &Path, bytes: u64) -> Done<Disk> {
        let disk = Disk { folder: folder(under)?, kind: Kind::Image };
        File::create(disk.image_file()).and_then(|file| file.set_len(bytes)).doing("the disk's file")?;
        allowed(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(disk.image_file()))?;
        disk.make_mount()?;
        disk.mount()?;
        Ok(disk)
    }

    /// The server's data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.root().join("data")
    }

    /// The root of the disk.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    /// A file beside the disk, which does not fail with it.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Cuts the power: what was not synced is lost, and nothing more is written or read.
    pub(crate) fn cut(&self) -> Done {
        let root = File::open(self.root()).doing("the disk")?;
        power::cut(&root).map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => {
                ChaosError::Forbidden(format!("to cut the power of a file system: {error}"))
            }
            _ => ChaosError::Io { what: "the power cannot be cut".to_owned(), error },
        })
    }

    /// Makes all durable that was written until now.
    pub(crate) fn sync(&self) -> Done {
        let root = File::open(self.root()).doing("the disk")?;
        rustix::fs::syncfs(&root).map_err(io::Error::from).doing("the disk cannot be synced")
    }

    /// Gives the power back once every process that used the disk is gone: the journal is replayed.
    pub(crate) fn restore(&self) -> Done {
        unmount(&self.root())?;
        self.mount()
    }

    fn mount(&self) -> Done {
        allowed(Command::new("mount").args(["-o", "loop"]).arg(self.image_file()).arg(self.root()))
    }

    fn make_mount(&self) -> Done<PathBuf> {
        std::fs::create_dir_all(self.root()).doing("where the disk is mounted")?;
        Ok(self.root())
    }

    fn image_file(&self) -> PathBuf {
        self.beside("image")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.kind != Kind::Machine {
            // Nothing can be done about a disk that will not go; the next start of the machine takes it away.
            let _ = Command::new("umount").arg("-l").arg(self.root()).stderr(Stdio::null()).status();
        }
    }
}

fn folder(under: &Path) -> Done<TempDir> {
    let folder = tempfile::Builder::new().prefix("ackd-chaos-").tempdir_in(under).doing("a folder for the data")?;
    std::fs::create_dir(folder.path().join("disk")).doing("a folder for the data")?;
    Ok(folder)
}

/// Runs a command for which one must be root, and which the machine may refuse all the same.
fn allowed(command: &mut Command) -> Done {
    run(command).map_err(ChaosError::Forbidden)
}

fn unmount(root: &Path) -> Done {
    let started = Instant::now();
    loop {
        match run(Command::new("umount").arg(root)) {
            Ok(()) => return Ok(()),
            Err(error) if started.elapsed() > PATIENCE => {
                return Err(ChaosError::Io { what: "the disk stays busy".to_owned(), error: io::Error::other(error) });
            }
            // A process that was killed may let go of its files a moment later.
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
