use std::sync::Arc;

use ackd_domain::{Command, Status, Submission};

use ackd_ports::Filter;

use super::Case;
use super::samples::{SECOND, START, json, name, submission};
use super::world::World;

pub(super) const CASES: &[Case] = &[
    ("a list is narrowed by each field", narrowed_by_each_field),
    ("a list is narrowed by fields together", narrowed_together),
    ("the server's own jobs are in no list", own_jobs_are_in_no_list),
    ("a list goes on from where it was while jobs come in", a_list_goes_on),
];

/// 60 jobs of many kinds, one a second.
fn populate(world: &mut World) {
    let known = world.jobs.len();
    for n in 0u8..60 {
        let mut tags: Vec<Arc<str>> = vec![];
        tags.extend((n % 2 == 0).then(|| "even".into()));
        tags.extend((n % 3 == 0).then(|| "three".into()));
        let submission = Submission {
            kind: [None, Some("clip".into()), Some("Clip".into())][usize::from(n % 3)].clone(),
            tags,
            ..submission(["video", "audio", "Video", "ackd.own"][usize::from(n % 4)])
        };
        let submission =
            if n % 5 == 0 { submission.keyed(format!("key-{}", known + usize::from(n)).into()) } else { submission };
        let job = world.submit(submission);
        match n % 7 {
            0 => drop(world.lease(&job)),
            1 => drop(world.job(Command::Cancel { id: job.id })),
            2 => {
                let (_, lease) = world.lease(&job);
                world.job(Command::Complete { lease, result: Some(json("1")) });
            }
            _ => {}
        }
        world.pass(SECOND);
    }
}

/// Checks the list by small and large pages; `some` says whether it has jobs at all.
fn check(world: &World, filter: &Filter, some: bool) {
    assert_eq!(world.jobs.values().any(|job| filter.matches(job)), some, "a case that shows nothing: {filter:?}");
    for size in [1, 4, 100] {
        world.check_list(filter, size);
    }
}

fn narrowed_by_each_field(world: &mut World) {
    populate(world);
    for queues in [vec!["video"], vec!["video", "audio"], vec!["Video", "none"]] {
        check(world, &Filter { queues: queues.into_iter().map(name).collect(), ..Filter::default() }, true);
    }
    for status in [Status::Init, Status::Processing, Status::Done, Status::Cancelled] {
        check(world, &Filter { statuses: vec![status], ..Filter::default() }, true);
    }
    check(world, &Filter { statuses: vec![Status::Done, Status::Init], ..Filter::default() }, true);
    for kinds in [vec!["clip"], vec!["Clip"], vec!["clip", "Clip", "none"]] {
        check(world, &Filter { kinds: kinds.into_iter().map(Into::into).collect(), ..Filter::default() }, true);
    }
    for tags in [vec!["even"], vec!["three", "none"], vec!["even", "three"]] {
        check(world, &Filter { tags: tags.into_iter().map(Into::into).collect(), ..Filter::default() }, true);
    }
    check(world, &Filter { key: Some("key-10".into()), ..Filter::default() }, true);
    for seconds in [0, 1, 30, 58] {
        let edge = Some(START.after(seconds * SECOND));
        check(world, &Filter { created_after: edge, ..Filter::default() }, true);
        check(world, &Filter { created_before: edge, ..Filter::default() }, seconds > 0);
        let next = Some(START.after((seconds + 1) * SECOND));
        let one = Filter { created_after: edge, created_before: next, ..Filter::default() };
        check(world, &one, seconds % 4 != 3);
    }
    for nothing in [
        Filter { queues: vec![name("none")], ..Filter::default() },
        Filter { statuses: vec![Status::Expired], ..Filter::default() },
        Filter { kinds: vec!["CLIP".into()], ..Filter::default() },
        Filter { kinds: vec!["".into()], ..Filter::default() },
        Filter { tags: vec!["eve".into()], ..Filter::default() },
        Filter { key: Some("key-1".into()), ..Filter::default() },
        Filter { created_after: Some(START.after(60 * SECOND)), ..Filter::default() },
        Filter { created_before: Some(START), ..Filter::default() },
    ] {
        check(world, &nothing, false);
    }
}

fn narrowed_together(world: &mut World) {
    populate(world);
    let filter = Filter {
        flow: None,
        queues: vec![name("video"), name("Video")],
        statuses: vec![Status::Init, Status::Processing],
        kinds: vec!["clip".into(), "Clip".into()],
        tags: vec!["even".into()],
        key: None,
        created_after: Some(START.after(5 * SECOND)),
        created_before: Some(START.after(55 * SECOND)),
    };
    check(world, &filter, true);
    check(world, &Filter { key: Some("key-10".into()), ..filter.clone() }, true);
    check(world, &Filter { key: Some("key-10".into()), queues: vec![name("audio")], ..filter }, false);
}

fn own_jobs_are_in_no_list(world: &mut World) {
    let own = world.submit(submission("ackd.deliveries").keyed("own".into()));
    check(world, &Filter::default(), false);
    check(world, &Filter { queues: vec![name("ackd.deliveries")], ..Filter::default() }, false);
    check(world, &Filter { key: Some("own".into()), ..Filter::default() }, false);
    assert_eq!(world.reader().job(own.id), Ok(Some(own)), "the server does not see its own job");
}

fn a_list_goes_on(world: &mut World) {
    populate(world);
    let page = world.reader().list(&Filter::default(), None, 10).expect("a list can be read");
    let next = page.next.expect("there is another page");
    let last = page.jobs.last().map(|job| job.id).expect("the first page has jobs");
    populate(world);
    let page = world.reader().list(&Filter::default(), Some(next), 1000).expect("a list can be read");
    let expected: Vec<_> =
        world.jobs.values().rev().filter(|job| !job.spec.queue.is_reserved() && job.id < last).collect();
    assert!(page.jobs.iter().eq(expected), "a list skips or repeats jobs while others come in");
    assert_eq!(page.next, None);
}
