use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::Disk;
use super::error::KeyIndexError;
use super::run::Run;

/// How the files of runs are named, and those that are still being written.
const RUN: &str = ".keys";
const UNFINISHED: &str = ".keys.new";

/// The folder of the runs.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    /// Of the secret that hashes are made with.
    pub(super) fingerprint: u64,
    pub(super) disk: Arc<dyn Disk>,
}

/// What the folder holds that can be trusted.
pub(super) struct Recovered {
    /// Oldest first, each beginning where the one before it ends.
    pub(super) runs: Vec<Run>,
    /// Every key of a job below is in the runs.
    pub(super) covered: u64,
    /// A serial that no file has.
    pub(super) next_serial: u64,
}

impl Folder {
    pub(super) fn run_path(&self, from: u64, to: u64, serial: u64) -> PathBuf {
        self.path.join(format!("{from:012x}-{to:012x}-{serial:08x}{RUN}"))
    }

    pub(super) fn unfinished(run: &Path) -> PathBuf {
        run.with_extension(UNFINISHED.trim_start_matches('.'))
    }

    /// Opens the runs that cover the job numbers `jobs` from the first on without a gap, and removes
    /// every other file of the index.
    pub(super) fn recover(&self, jobs: &Range<u64>) -> Result<Recovered, KeyIndexError> {
        std::fs::create_dir_all(&self.path).map_err(KeyIndexError::io("create", &self.path))?;
        let (mut runs, mut useless) = self.list()?;

        let mut recovered = Recovered { runs: Vec::new(), covered: jobs.start, next_serial: 1 };
        // A merge that was interrupted leaves its inputs beside its output; of those that begin at
        // one number the widest says all that the others say.
        while let Some(next) = runs
            .iter()
            .enumerate()
            .filter(|(_, run)| {
                let begins = run.header.from..=if recovered.runs.is_empty() { u64::MAX } else { run.header.from };
                begins.contains(&recovered.covered) && (recovered.covered + 1..=jobs.end).contains(&run.header.to)
            })
            .max_by_key(|(_, run)| (run.header.to, run.header.serial))
            .map(|(at, _)| at)
        {
            let run = runs.swap_remove(next);
            recovered.covered = run.header.to;
            recovered.next_serial = recovered.next_serial.max(run.header.serial + 1);
            recovered.runs.push(run);
        }

        useless.extend(runs.into_iter().map(|run| run.path));
        for path in &useless {
            tracing::info!(path = %path.display(), "removing a file of the key index that is of no use");
            self.disk.remove(path).map_err(KeyIndexError::io("remove", path))?;
        }
        if !useless.is_empty() {
            // A run of another history that came back after a power cut could cover numbers which
            // this history has given to other jobs by then.
            self.disk.sync_folder(&self.path).map_err(KeyIndexError::io("sync", &self.path))?;
        }
        Ok(recovered)
    }

    /// The runs whose headers are whole, and the files of the index that are no such run.
    fn list(&self) -> Result<(Vec<Run>, Vec<PathBuf>), KeyIndexError> {
        let (mut runs, mut useless) = (Vec::new(), Vec::new());
        for file in std::fs::read_dir(&self.path).map_err(KeyIndexError::io("list", &self.path))? {
            let path = file.map_err(KeyIndexError::io("list", &self.path))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.ends_with(UNFINISHED) {
                useless.push(path);
            } else if name.ends_with(RUN) {
                match Run::open(&path, self.fingerprint)? {
                    Some(run) => runs.push(run),
                    None => useless.push(path),
                }
            }
        }
        Ok((runs, useless))
    }
}
