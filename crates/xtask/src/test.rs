//! `cargo xtask test`: everything, against real processes, a real small disk and real clients.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{self, Done, cargo};
use crate::{chaos, clients, install, process::Failure};

/// How often the server is killed under load.
const KILLS: &str = "200";

/// Runs the command.
pub(crate) fn run(args: &[String]) -> Done {
    install::program("strace", "strace")?;
    let clients = clients::install()?;
    let disk = SmallDisk::mount()?;
    process::run(
        cargo()
            .args(["test", "--locked", "--workspace", "--all-features", "--no-fail-fast"])
            .args(args)
            .env("TEST_KILLS", KILLS)
            .env("TEST_STRACE", "strace")
            .env("TEST_SMALL_DISK", disk.path())
            .env("TEST_CLIENTS", clients.folder)
            .env("TEST_NGINX", clients.nginx)
            .env("TEST_CHROMIUM", clients.chromium),
    )?;
    // Who asks for certain tests wants only those.
    if args.is_empty() { chaos::slice() } else { Ok(()) }
}

/// A disk of a few megabytes that tests can fill. It is unmounted when this goes out of scope.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount() -> Done<SmallDisk> {
        let path = std::env::temp_dir().join(format!("ackd-small-disk-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        let disk = SmallDisk(path);
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64m,mode=1777", "ackd-test"]).arg(&disk.0);
        process::run(&mut mount).map_err(|failure| {
            Failure::Failed(format!(
                "the tests fill a small disk, and it cannot be mounted (run them as root): {failure}"
            ))
        })?;
        Ok(disk)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Nothing can be done about a disk that will not go; the next start of the machine takes it away.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        let _ = std::fs::remove_dir(&self.0);
    }
}
