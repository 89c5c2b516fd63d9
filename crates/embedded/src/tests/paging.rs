use ackd_domain::{Answer, Command, Refusal, Status};
use ackd_ports::{Filter, Lane, LedgerReader, Page};

use super::sample::{json, lease, lease_command, one, open, small, submission, submit, try_open};
use crate::{EmbeddedStore, Options};

/// A store that remembers one job only, so that others come from a page or from their rows.
fn forgetful(directory: &std::path::Path) -> EmbeddedStore {
    try_open(directory, &Options { job_cache: 1, ..small() }).unwrap()
}

#[test]
fn a_job_that_was_paged_in_is_leased_as_it_is_now() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = forgetful(directory.path());
    let [first, second, third] = [0; 3].map(|_| submit(&mut store, submission("video")));
    let page = |store: &EmbeddedStore| store.reader.eligible(&Lane::of(&first), None, 10).unwrap();
    assert_eq!(page(&store).len(), 3);

    // As it was paged in.
    let token = lease(&mut store, first.id.number());
    // The writer had it in memory when it was cancelled, and has forgotten it since.
    one(&mut store, Command::Cancel { id: third.id }).unwrap();
    submit(&mut store, submission("audio"));
    assert_eq!(one(&mut store, lease_command(third.id.number())), Err(Refusal::NotWaiting));

    // A page that was read before a job went and came back is of no use either.
    page(&store);
    let held = store.reader.shared.paged.take(second.id.number()).unwrap();
    let early = lease(&mut store, second.id.number());
    one(&mut store, Command::Release { lease: early, delay: None, checkpoint: Some("{}".into()) }).unwrap();
    store.reader.shared.paged.put([held.loaded].into_iter(), held.as_of);
    submit(&mut store, submission("audio"));
    let Ok(Answer::Job(again)) = one(&mut store, lease_command(second.id.number())) else { panic!("it waits") };
    assert_eq!((again.version, again.checkpoint.as_deref()), (4, Some("{}")));

    let done = one(&mut store, Command::Complete { lease: token, result: Some(json("1")) });
    assert!(matches!(done, Ok(Answer::Job(job)) if job.status == Status::Done));
}

#[test]
fn pages_follow_each_other_without_gap_and_a_large_payload_stays_behind() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    let mut large = submission("video");
    large.payload.bytes = vec![b'1'; (64 << 10) + 1].into();
    let lane = Lane::of(&submit(&mut store, large.clone()));
    for _ in 0..25 {
        submit(&mut store, submission("video"));
    }
    let (mut after, mut numbers) = (None, Vec::new());
    loop {
        let page = store.reader.eligible(&lane, after, 4).unwrap();
        let Some(last) = page.last() else { break };
        after = Some((last.job.run_at, last.job.id.number()));
        for ready in page {
            numbers.push(ready.job.id.number());
            assert_eq!(ready.payload.is_none(), ready.job.id.number() == 1);
        }
    }
    assert_eq!(numbers, (1..=26).collect::<Vec<u64>>());
    assert_eq!(store.reader.payloads(&[1, 99]), Ok(vec![Some(large.payload), None]));
}

/// Were numbers without a row walked over, a list would be pages without a job for as long as they go on.
#[test]
fn a_list_steps_over_numbers_without_a_row() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path());
    let old = submit(&mut store, submission("video").keyed("old".into()));
    for filter in [Filter::default(), Filter { key: Some("old".into()), ..Filter::default() }] {
        let page = store.reader.list(&filter, Some(1_000_000), 10).unwrap();
        assert_eq!((page.jobs, page.next), (vec![old.clone()], None), "{filter:?}");
    }
    let none = Filter { key: Some("new".into()), ..Filter::default() };
    assert_eq!(store.reader.list(&none, Some(1_000_000), 10), Ok(Page::default()));
    assert_eq!(store.reader.list(&Filter::default(), Some(old.id.number()), 10), Ok(Page::default()));
}
