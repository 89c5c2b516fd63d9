//! All clients follow the same jobs at once, while the server goes and comes back.

use std::sync::Arc;

use serde_json::json;

use crate::client::{ALL, LAST};
use crate::pages::Pages;
use crate::proxy::Proxy;
use crate::run::{Installed, Running};
use crate::seen::Seen;
use crate::server::Server;

/// A browser has six connections to a server, and one is left for what comes without a job.
const JOBS: usize = 5;

/// How often the server goes and comes back: stopped and killed in turn.
const RESTARTS: u64 = 4;

#[test]
fn every_client_sees_every_event_once_and_in_order() {
    // `cargo xtask test` installs the clients; without it there are none.
    let Some(installed) = Installed::found() else { return };
    let folder = tempfile::tempdir().unwrap();
    let seen = Arc::new(Seen::default());
    let pages = Pages::serve(&seen);
    let mut server = Server::start(folder.path().to_owned(), pages.origin());
    let proxy = Proxy::start(&installed, folder.path(), &server.url());
    let jobs = server.submit(JOBS, "work");

    let routes = [("direct", server.url()), ("nginx", proxy.url())];
    let mut running: Vec<Running> = Vec::new();
    for client in ALL {
        for (route, url) in &routes {
            let place = (&installed, folder.path());
            running.extend(client.start((route, url), &jobs, place, &pages, &seen));
        }
    }
    let browser = pages.open(&installed, folder.path());
    let all_at = |version: u64| {
        let jobs = jobs.clone();
        move |told: &crate::seen::Told| {
            jobs.iter().all(|job| told.versions.get(job).is_some_and(|versions| versions.contains(&version)))
        }
    };
    seen.wait("the first event of every job", all_at(1));

    let mut version = 1;
    for restart in 0..RESTARTS {
        // Some of this is on its way when the server goes.
        server.work(JOBS, &json!({"release": {}}));
        if restart % 2 == 0 {
            server.kill()
        } else {
            server.stop()
        }
        server.start_again();
        // And this nobody is there to see.
        server.work(JOBS, &json!({"release": {}}));
        version += 4;
        // So that the next restart meets all of them again.
        seen.wait("the last event of every job", all_at(version));
    }
    server.work(JOBS, &json!({"complete": {"result": "done"}}));
    version += 2;
    let last = server.submit(1, LAST);
    server.work(1, &json!({"complete": {}}));
    seen.wait("the end", |told| told.has_ended);

    seen.each(|client, told| {
        assert_eq!(told.broken, Vec::<String>::new(), "{client}");
        for (job, versions) in &told.versions {
            let of_it = if last.contains(job) { 3 } else { version };
            assert_eq!(*versions, (1..=of_it).collect::<Vec<_>>(), "{client} of job {job}");
        }
        assert!(jobs.iter().all(|job| told.versions.contains_key(job)), "{client}");
    });
    drop((browser, running));
}
