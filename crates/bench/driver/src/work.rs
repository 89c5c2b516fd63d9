//! `work`: a worker that counts what is done until nobody listens any more.

use std::cell::Cell;
use std::io::Write;
use std::rc::Rc;
use std::time::Duration;

use crate::{Fault, Peer, Scenario};

/// How often a worker says how many jobs are done.
const EVERY: Duration = Duration::from_millis(20);

/// How many jobs are done. A worker counts each once the job system knows of it.
#[derive(Default)]
pub struct Done {
    jobs: Cell<u64>,
    said: Cell<u64>,
    /// When this many are done, it is said at once.
    wanted: Option<u64>,
}

impl Done {
    /// Counts `jobs` more.
    pub fn add(&self, jobs: u64) {
        let before = self.jobs.replace(self.jobs.get() + jobs);
        if self.wanted.is_some_and(|wanted| before < wanted && before + jobs >= wanted) {
            self.say();
        }
    }

    fn say(&self) {
        if self.said.replace(self.jobs.get()) != self.jobs.get() {
            say(&serde_json::json!({ "done": self.jobs.get() }));
        }
    }
}

pub(crate) async fn run<P: Peer>(scenario: Scenario) -> Result<(), Fault> {
    let done = Rc::new(Done { wanted: scenario.jobs, ..Done::default() });
    say(&serde_json::json!({ "begins": true }));
    let work = P::work(Rc::new(scenario), Rc::clone(&done));
    let counting = async {
        loop {
            tokio::time::sleep(EVERY).await;
            done.say();
        }
    };
    tokio::select! {
        ended = work => ended.and(Err("the worker ended by itself".into())),
        () = counting => Ok(()),
        () = nobody_listens() => Ok(()),
    }
}

/// Ends with the input: a worker never outlives who started it.
async fn nobody_listens() {
    let (over, listens) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = over.send(());
    });
    let _ = listens.await;
}

fn say(line: &serde_json::Value) {
    // Where nobody reads, the input has ended as well, and so will the worker.
    let _ = writeln!(std::io::stdout(), "{line}");
}
