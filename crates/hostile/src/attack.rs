//! An attack under way, on a thread of its own.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::LocalSet;

use crate::Kind;
use crate::attacks;

/// What attackers see of the server.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Connections that are open now.
    pub(crate) open: AtomicUsize,
    /// Connections that were made.
    pub(crate) made: AtomicUsize,
    /// Connections that the server has ended without an answer.
    pub(crate) cut: AtomicUsize,
    /// How many answers there were of each status.
    pub(crate) answers: Mutex<BTreeMap<u16, usize>>,
    stage: Mutex<Stage>,
    changed: Condvar,
}

/// How far an attack is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    #[default]
    Begun,
    /// It is as strong as it becomes.
    Ready,
    /// All that is to be done once is done.
    Done,
}

impl Tally {
    /// The attack is as strong as it becomes.
    pub(crate) fn is_ready(&self) {
        self.reach(Stage::Ready);
    }

    /// Nothing more is going to be done.
    pub(crate) fn is_done(&self) {
        self.reach(Stage::Done);
    }

    fn reach(&self, stage: Stage) {
        *lock(&self.stage) = stage;
        self.changed.notify_all();
    }

    /// Waits until `stage` is reached, for `most` at most: what there is of the attack then is what is measured.
    fn wait(&self, stage: Stage, most: Duration) {
        drop(self.changed.wait_timeout_while(lock(&self.stage), most, |reached| *reached < stage));
    }

    /// An answer has come.
    pub(crate) fn answered(&self, status: u16) {
        *lock(&self.answers).entry(status).or_default() += 1;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// See the module.
pub(crate) struct Attack {
    tally: Arc<Tally>,
    end: watch::Sender<bool>,
    thread: JoinHandle<io::Result<()>>,
}

impl Attack {
    /// Begins to attack the server at `addr`.
    pub(crate) fn begin(kind: Kind, count: usize, addr: &str) -> io::Result<Attack> {
        let tally = Arc::new(Tally::default());
        let (end, mut ended) = watch::channel(false);
        let addr: std::net::SocketAddr = addr.parse().map_err(io::Error::other)?;
        let of_thread = Arc::clone(&tally);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let all = LocalSet::new();
            all.block_on(&runtime, async {
                tokio::select! {
                    () = attacks::run(kind, count, addr, of_thread) => {}
                    _ = ended.changed() => {}
                }
            });
            Ok(())
        });
        Ok(Attack { tally, end, thread })
    }

    /// Waits until it is as strong as it becomes, or for half a minute.
    pub(crate) fn wait_until_ready(&self) {
        self.tally.wait(Stage::Ready, Duration::from_secs(30));
    }

    /// Waits until all that is to be done once is done; at most for `most`.
    pub(crate) fn wait_until_done(&self, most: Duration) {
        self.tally.wait(Stage::Done, most);
    }

    /// Ends it: all its connections are closed.
    pub(crate) fn end(self) -> Arc<Tally> {
        // Its thread may have ended by itself.
        let _ = self.end.send(true);
        let _ = self.thread.join();
        self.tally
    }
}
