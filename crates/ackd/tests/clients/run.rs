//! Programs that tests run, and folders and ports of their own.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with};
use rustix::process::{Pid, Signal, kill_process_group};

/// What `cargo xtask test` has installed.
#[derive(Clone)]
pub(crate) struct Installed {
    /// A folder with `venv` and `node_modules`.
    pub(crate) folder: PathBuf,
    pub(crate) nginx: PathBuf,
    pub(crate) chromium: PathBuf,
}

impl Installed {
    /// `None` where nothing is installed for the tests. What is named has to be there.
    pub(crate) fn found() -> Option<Installed> {
        let path = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let folder = path("TEST_CLIENTS")?;
        let program = |name: &str| path(name).unwrap_or_else(|| panic!("{name} does not say where the program is"));
        Some(Installed { folder, nginx: program("TEST_NGINX"), chromium: program("TEST_CHROMIUM") })
    }
}

/// A program with all that it has started; they are killed when this goes out of scope. What it says on stderr goes into
/// a file.
pub(crate) struct Running {
    pub(crate) child: Child,
    /// The file with what it says.
    pub(crate) said: PathBuf,
}

impl Running {
    pub(crate) fn start(command: &mut Command, said: &Path) -> Running {
        let stderr = File::create(said).unwrap();
        command.stdin(Stdio::null()).stderr(stderr).process_group(0);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        Running { child, said: said.to_owned() }
    }

    /// The end of what it said on stderr.
    pub(crate) fn said(&self) -> String {
        tail(&self.said)
    }
}

/// The end of a file.
pub(crate) fn tail(path: &Path) -> String {
    let content = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&content[content.len().saturating_sub(2000)..]).into_owned()
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; its children may not have.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

/// A port that stays ours while nobody listens on it.
pub(crate) struct Port {
    pub(crate) address: SocketAddr,
    /// It is bound, and not listened on.
    _held: OwnedFd,
}

impl Port {
    pub(crate) fn free() -> Port {
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
        // Those who listen say the same, so that both can be bound.
        set_socket_reuseaddr(&socket, true).unwrap();
        bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        Port { address: getsockname(&socket).unwrap().try_into().unwrap(), _held: socket }
    }
}
