//! A wall clock of the server's own, which can be set. It is libfaketime's, loaded into the real binary; the monotonic clock
//! stays as it is, as it does when somebody sets the clock of a machine.

use std::fs;
use std::path::PathBuf;

use crate::error::{ChaosError, Doing, Done};
use crate::server::Launch;

/// Where Debian has the library, below a folder named after the machine.
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// See the module.
#[derive(Debug)]
pub(crate) struct FakeClock {
    file: PathBuf,
}

impl FakeClock {
    /// A clock that is right, and is set by way of `file`.
    pub(crate) fn new(file: PathBuf) -> Done<FakeClock> {
        let clock = FakeClock { file };
        clock.set(0)?;
        Ok(clock)
    }

    /// Sets it so many seconds ahead.
    pub(crate) fn set(&self, seconds: i64) -> Done {
        let new = self.file.with_extension("new");
        // By name, so that it is never read half.
        fs::write(&new, format!("{seconds:+}\n")).and_then(|()| fs::rename(&new, &self.file)).doing("the clock")
    }

    /// `launch`, with this clock.
    pub(crate) fn launch(&self, launch: &Launch) -> Done<Launch> {
        let mut launch = launch.clone();
        let environment = [
            ("LD_PRELOAD", library()?.into_os_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.clone().into_os_string()),
            ("FAKETIME_NO_CACHE", "1".into()),
            // The name that versions before 0.9.10 know.
            ("DONT_FAKE_MONOTONIC", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
        ];
        launch.environment.extend(environment.map(|(name, value)| (name.into(), value)));
        Ok(launch)
    }
}

fn library() -> Done<PathBuf> {
    let folders = fs::read_dir("/usr/lib").doing("/usr/lib")?.flatten().map(|entry| entry.path());
    let found = folders.chain([PathBuf::from("/usr/lib")]).map(|folder| folder.join(LIBRARY)).find(|it| it.is_file());
    found.ok_or_else(|| ChaosError::Forbidden("libfaketime is not installed".to_owned()))
}
