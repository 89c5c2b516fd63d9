use std::time::Duration;

use ackd_domain::{Answer, Command, FileId};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{Files, FilesError};

/// The most files that go in one commit.
const AT_ONCE: usize = 100;

/// How often files are looked for that nobody needs.
const INTERVAL: Duration = Duration::from_secs(1);

/// How soon they are after a full list of them.
const PAUSE: Duration = Duration::from_millis(25);

/// How long it rests when the store or the ledger does not do its part.
const REST: Duration = Duration::from_secs(10);

/// How often the store is looked through for what the ledger does not know of.
const SWEEP: Duration = Duration::from_hours(1);

/// Deletes the files that nobody needs, until it is stopped.
#[derive(Debug)]
pub struct FileKeeper {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl FileKeeper {
    /// Begins on the runtime of the caller, with what the process before left in the store.
    #[must_use]
    pub fn start(files: Files) -> FileKeeper {
        let (stop, stopped) = watch::channel(false);
        FileKeeper { stop, task: tokio::spawn(run(files, stopped)) }
    }

    /// Stops. What it was about to delete is found again.
    pub async fn stop(self) {
        // A task that has ended by itself need not be told.
        let _ = self.stop.send(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the keeper of the files ended by a panic");
        }
    }
}

async fn run(files: Files, mut stopped: watch::Receiver<bool>) {
    let mut next_sweep = Instant::now();
    loop {
        let kept = async {
            if next_sweep <= Instant::now() {
                files.sweep().await?;
                next_sweep = Instant::now() + SWEEP;
            }
            files.delete_unused().await
        };
        let kept = tokio::select! {
            kept = kept => kept,
            _ = stopped.changed() => return,
        };
        let pause = match kept {
            Ok(AT_ONCE) => PAUSE,
            Ok(_) => INTERVAL,
            Err(error) => {
                tracing::warn!(%error, "files that nobody needs cannot be deleted; it is tried again");
                REST
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stopped.changed() => return,
        }
    }
}

impl Files {
    /// Deletes some of the files that nobody needs. Says how many it has tried.
    ///
    /// # Errors
    /// [`FilesError`]; it goes on with the same the next time.
    pub(super) async fn delete_unused(&self) -> Result<usize, FilesError> {
        let now = self.engine().clock().now();
        let unused = self.engine().read(move |reader| reader.unused_files(now, AT_ONCE)).await?;
        if unused.is_empty() {
            return Ok(0);
        }
        let condemn = unused.iter().map(|file| Command::CondemnFile { id: file.id }).collect();
        let mut deleted = Vec::new();
        for id in self.commit(condemn).await {
            self.store().delete(id).await?;
            self.engine().file_trouble().forget(id);
            deleted.push(Command::ForgetFile { id });
        }
        self.commit(deleted).await;
        Ok(unused.len())
    }

    /// The files that these commands were done to. What is refused is needed again by now, and what is not committed is found
    /// again.
    async fn commit(&self, commands: Vec<Command>) -> Vec<FileId> {
        if commands.is_empty() {
            return Vec::new();
        }
        let answers = self.engine().run(commands).await.unwrap_or_default();
        let ids = answers.into_iter().filter_map(|answer| match answer {
            Ok(Answer::File { file, .. }) => Some(file.id),
            _ => None,
        });
        ids.collect()
    }

    /// Deletes what is in the store and unknown to the ledger.
    ///
    /// # Errors
    /// [`FilesError`].
    pub(super) async fn sweep(&self) -> Result<(), FilesError> {
        let mut listing = self.store().list();
        loop {
            let page = listing.next_page().await?;
            if page.is_empty() {
                return Ok(());
            }
            for id in page {
                // In this order: what is not under way any more is known, or to be deleted.
                if !self.under_way().contains(&id) {
                    self.delete_unknown(id).await;
                }
            }
        }
    }
}
