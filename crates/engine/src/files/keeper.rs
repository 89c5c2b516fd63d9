use std::time::Duration;

use ackd_domain::{Answer, Command, FileId, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{Files, FilesError};

/// The most files that go in one commit.
const AT_ONCE: usize = 100;

/// How often files are looked for that nobody needs.
const INTERVAL: Duration = Duration::from_secs(1);

/// How soon they are after a full list of them, all of which went.
const PAUSE: Duration = Duration::from_millis(25);

/// How long it rests when the ledger does not do its part, and how long what could not be deleted is left alone.
const REST: Duration = Duration::from_secs(10);

/// How often the store is looked through for what the ledger does not know of.
const SWEEP: Duration = Duration::from_hours(1);

/// How soon it is where that failed.
const SWEEP_AGAIN: Duration = Duration::from_mins(1);

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
    // Neither waits for the other: a store may delete what it is told to and not be able to list what it has.
    let kept = async { tokio::join!(sweep(&files), delete(&files)) };
    tokio::select! {
        _ = kept => {}
        _ = stopped.changed() => {}
    }
}

async fn sweep(files: &Files) {
    loop {
        let pause = match files.sweep().await {
            Ok(()) => SWEEP,
            Err(error) => {
                tracing::warn!(%error, "what is stored cannot be looked through; it is tried again");
                SWEEP_AGAIN
            }
        };
        tokio::time::sleep(pause).await;
    }
}

async fn delete(files: &Files) {
    let mut walk = Walk::default();
    loop {
        let pause = match files.delete_unused(walk.after).await {
            Ok(part) => walk.went(&part, Instant::now()),
            Err(error) => {
                tracing::warn!(%error, "files that nobody needs cannot be found; it is tried again");
                REST
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Where among the files that nobody needs to go on.
///
/// What cannot be deleted stays the first of them, and there may be any number of such: so it goes on behind those that it
/// has tried, and comes back to them only now and then.
#[derive(Debug, Default)]
struct Walk {
    /// Behind this one; all before it went or were tried.
    after: Option<Place>,
    /// Not all went, and they are tried again from this time on.
    again_at: Option<Instant>,
}

/// The place of a file among those that nobody needs.
type Place = (Timestamp, FileId);

/// What was tried at once.
#[derive(Debug, Default)]
struct Part {
    tried: usize,
    /// How many of them are left.
    left: usize,
    last: Option<Place>,
}

impl Walk {
    /// This part, which began where it said, was tried by `now`. Says when to go on.
    fn went(&mut self, part: &Part, now: Instant) -> Duration {
        self.after = part.last.or(self.after);
        if part.left > 0 {
            self.again_at = Some(now + REST);
        }
        // Not in the midst of it: those at the front may take so long to fail that the others would never be tried.
        let is_over = part.tried < AT_ONCE;
        if is_over && self.again_at.is_none_or(|at| at <= now) {
            *self = Walk::default();
        }
        if is_over || part.left > 0 { INTERVAL } else { PAUSE }
    }
}

impl Files {
    /// Deletes some of the files that nobody needs, of those behind `after`. What the store does not delete stays condemned.
    ///
    /// # Errors
    /// [`FilesError`], if they cannot be read.
    async fn delete_unused(&self, after: Option<Place>) -> Result<Part, FilesError> {
        let now = self.engine().clock().now();
        let unused = self.engine().read(move |reader| reader.unused_files(now, after, AT_ONCE)).await?;
        let condemn = unused.iter().map(|file| Command::CondemnFile { id: file.id }).collect();
        let mut deleted = Vec::new();
        let mut failed = Vec::new();
        for id in self.commit(condemn).await {
            match self.store().delete(id).await {
                Ok(()) => {
                    self.engine().file_trouble().forget(id);
                    deleted.push(Command::ForgetFile { id });
                }
                Err(error) => failed.push((id, error)),
            }
        }
        if let Some((id, error)) = failed.first() {
            // One line for all: a store that is away fails for each.
            let count = failed.len();
            tracing::warn!(%id, %error, count, "files that nobody needs could not be deleted; it is tried again");
        }
        let left = unused.len().saturating_sub(self.commit(deleted).await.len());
        let last = unused.last().map(|file| (file.expires_at, file.id));
        Ok(Part { tried: unused.len(), left, last })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn part(tried: usize, left: usize, last: u128) -> Part {
        Part { tried, left, last: Some((Timestamp::from_millis(7), FileId::new(last))) }
    }

    #[test]
    fn it_goes_on_behind_what_it_has_tried() {
        let (mut walk, now) = (Walk::default(), Instant::now());
        let place = |id| Some((Timestamp::from_millis(7), FileId::new(id)));
        assert_eq!((walk.went(&part(AT_ONCE, 0, 1), now), walk.after), (PAUSE, place(1)));
        assert_eq!((walk.went(&part(3, 0, 2), now), walk.after), (INTERVAL, None), "all went, and it begins anew");
        // More than are tried at once cannot be deleted, and each takes its time.
        let mut now = now;
        for at in 1..=3 {
            assert_eq!((walk.went(&part(AT_ONCE, AT_ONCE, at), now), walk.after), (INTERVAL, place(at)));
            now += REST;
        }
        assert_eq!((walk.went(&part(1, 1, 4), now), walk.after), (INTERVAL, place(4)));
        assert_eq!(
            (walk.went(&Part::default(), now), walk.after),
            (INTERVAL, place(4)),
            "they are left alone for a while"
        );
        now += REST;
        assert_eq!((walk.went(&Part::default(), now), walk.after), (INTERVAL, None));
        assert_eq!((walk.went(&Part::default(), now), walk.after), (INTERVAL, None));
    }
}
