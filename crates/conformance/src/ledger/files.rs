use std::sync::Arc;
use std::time::Duration;

use ackd_domain::{
    Acceptance, Accepted, Answer, Command, File, FileId, Job, NewFile, PayloadFile, Place, Refusal, Status, Submission,
    Unique, UniquePolicy,
};

use ackd_ports::LedgerError;

use super::Case;
use super::samples::{FOREIGN, HOUR, SECOND, filled, json, name, submission};
use super::world::World;

pub(super) const CASES: &[Case] = &[
    ("a file keeps every field", a_file_keeps_every_field),
    ("a name is given to one file at a time", a_name_is_one_files),
    ("a job has the file that had the name when it was accepted", a_job_keeps_its_file),
    ("a file that came with a submission goes with its job", a_payload_goes_with_its_job),
    ("a file that is a result goes with its job", a_result_goes_with_its_job),
    ("a file that many jobs have goes with the last", a_file_goes_with_the_last),
    ("a file goes where its job gets another payload", a_replaced_payload_goes),
    ("a file that nobody needs is condemned, and then forgotten", an_unused_file_goes),
    ("files that nobody needs are read on from any of them", unused_files_are_read_on),
    ("what refuses submissions refers to no file", what_is_refused_refers_to_nothing),
    ("a commit that fails leaves files as they were", a_failed_commit_leaves_files),
];

pub(super) fn new_file(id: u128) -> NewFile {
    NewFile { id: FileId::new(id), content_type: "video/mp4".into(), size: 5 << 30, sum: 7, digest: id }
}

pub(super) fn put(text: &str, id: u128, expires_in: Duration) -> Command {
    Command::PutFile { name: name(text), file: new_file(id), expires_in, replace: true }
}

fn named(text: &str) -> Submission {
    let payload = super::samples::body("", "");
    let file = Some(Box::new(PayloadFile::Named(name(text))));
    Submission { payload, payload_file: file, ..submission("video") }
}

pub(super) fn with_file(id: u128) -> Submission {
    let file = Some(Box::new(PayloadFile::New(new_file(id))));
    Submission { payload: super::samples::body("", ""), payload_file: file, ..submission("video") }
}

fn file(world: &mut World, command: Command) -> Arc<File> {
    match world.one(command.clone()) {
        Ok(Answer::File { file, .. }) => file,
        other => panic!("{command:?} did not answer with a file but {other:?}"),
    }
}

pub(super) fn references(world: &World, id: u128) -> Option<u64> {
    let file = world.reader().file(FileId::new(id)).expect("a file can be read");
    file.map(|file| file.references)
}

/// The ids of what nobody needs now.
fn unused(world: &World) -> Vec<u128> {
    let files = world.reader().unused_files(world.now, None, 100).expect("unused files can be read");
    let mut ids: Vec<u128> = files.iter().map(|file| file.id.bits()).collect();
    ids.sort_unstable();
    ids
}

fn is_of(job: &Job, id: u128) {
    assert_eq!(job.spec.payload_file, Some(FileId::new(id)));
    assert_eq!((&*job.spec.payload.content_type, job.spec.payload.size), ("video/mp4", 5 << 30));
}

fn a_file_keeps_every_field(world: &mut World) {
    let content_type = filled("text/", ackd_domain::limits::CONTENT_TYPE_BYTES);
    let new = NewFile { id: FileId::new(u128::MAX), content_type, size: u64::MAX >> 1, sum: u32::MAX, digest: 1 };
    let text = "n".repeat(ackd_domain::Name::MAX_LEN);
    let expires_in = ackd_domain::limits::DURATION;
    let command = Command::PutFile { name: name(&text), file: new.clone(), expires_in, replace: false };
    let stored = file(world, command);
    let expected = File {
        id: new.id,
        name: Some(name(&text)),
        content_type: new.content_type,
        size: new.size,
        sum: new.sum,
        created_at: world.now,
        expires_at: world.now.after(expires_in),
        references: 0,
        condemned: false,
    };
    assert_eq!(*stored, expected);
    assert_eq!(world.reader().file_named(&name(&text)), Ok(Some(stored)));
    assert_eq!(world.reader().file(FileId::new(1)), Ok(None));
    assert_eq!(world.reader().file_named(&name("other")), Ok(None));
}

fn a_name_is_one_files(world: &mut World) {
    file(world, put("a", 1, HOUR));
    let other = Command::PutFile { name: name("a"), file: new_file(2), expires_in: HOUR, replace: false };
    world.refused(other.clone(), &Refusal::FileExists);
    assert_eq!(references(world, 2), None);
    // Twice in one batch, and another name beside.
    world.apply(vec![put("a", 3, HOUR), put("b", 4, HOUR), put("a", 5, HOUR)]);
    let of = |world: &World, text: &str| {
        let file = world.reader().file_named(&name(text)).expect("a file can be read");
        file.map(|file| file.id.bits())
    };
    assert_eq!((of(world, "a"), of(world, "b")), (Some(5), Some(4)));
    assert_eq!(unused(world), [1, 3], "what lost its name, and no job has, is not needed");
    let deleted = file(world, Command::DeleteFile { name: name("a") });
    assert_eq!((deleted.id.bits(), &deleted.name), (5, &None));
    world.refused(Command::DeleteFile { name: name("a") }, &Refusal::NotFound);
    assert_eq!(of(world, "a"), None);
    world.one(other).expect("the name is free again");
    // A name whose file has expired is free too.
    world.pass(HOUR);
    let free = Command::PutFile { name: name("b"), file: new_file(6), expires_in: HOUR, replace: false };
    assert!(matches!(world.one(free), Ok(Answer::File { created: true, .. })));
}

fn a_job_keeps_its_file(world: &mut World) {
    file(world, put("a", 1, HOUR));
    let first = world.submit(named("a"));
    file(world, put("a", 2, HOUR));
    let second = world.submit(named("a"));
    is_of(&first, 1);
    is_of(&second, 2);
    file(world, Command::DeleteFile { name: name("a") });
    world.pass(100 * HOUR);
    assert_eq!(unused(world), [] as [u128; 0], "a file is needed as long as a job has it");
    world.refused(Command::CondemnFile { id: FileId::new(1) }, &Refusal::FileNeeded);
    world.refused(Command::Submit(vec![named("a")]), &Refusal::NoFile(vec![(0.into(), name("a"))]));
    world.reopen();
    is_of(&world.known(&first), 1);
}

fn a_payload_goes_with_its_job(world: &mut World) {
    let job = world.submit(with_file(1).keyed("k".into()));
    is_of(&job, 1);
    assert_eq!(references(world, 1), Some(1));
    // The same again, uploaded again: nobody needs the second file, nor does the ledger know of it.
    match world.one(Command::Submit(vec![Submission { payload_file: with_file(2).payload_file, ..with_file(1) }])) {
        Ok(Answer::Accepted(accepted)) => is_of(&accepted[0].job, 2),
        other => panic!("{other:?}"),
    }
    let again = NewFile { id: FileId::new(3), ..new_file(1) };
    let again = Submission { payload_file: Some(Box::new(PayloadFile::New(again))), ..with_file(1) };
    match world.one(Command::Submit(vec![again.keyed("k".into())])) {
        Ok(Answer::Accepted(accepted)) => {
            assert!(matches!(&accepted[..], [Accepted { how: Acceptance::Replayed, .. }]))
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(references(world, 3), None);
    world.job(Command::Cancel { id: job.id });
    world.one(Command::Delete { id: job.id }).expect("an ended job is deleted");
    assert_eq!((references(world, 1), unused(world)), (Some(0), vec![1]));
}

fn a_result_goes_with_its_job(world: &mut World) {
    let (job, lease) = world.leased(submission("video"));
    world.refused(Command::CompleteByFile { lease: FOREIGN, file: new_file(1) }, &Refusal::LeaseLost);
    assert_eq!(references(world, 1), None);
    let done = world.job(Command::CompleteByFile { lease, file: new_file(1) });
    assert_eq!((done.status, done.result_file), (Status::Done, Some(FileId::new(1))));
    assert_eq!(done.result.as_ref().map(|result| result.size), Some(5 << 30));
    // The worker did not get the answer, and sends it all again.
    assert_eq!(world.job(Command::CompleteByFile { lease, file: new_file(2) }), done);
    assert_eq!((references(world, 1), references(world, 2)), (Some(1), None));
    assert_eq!(world.reader().result(job.id.number()), Ok(None), "the ledger has no bytes of it");
    world.audit();
    world.reopen();
    world.one(Command::Delete { id: job.id }).expect("an ended job is deleted");
    assert_eq!(unused(world), [1]);
}

fn a_file_goes_with_the_last(world: &mut World) {
    file(world, put("a", 1, HOUR));
    let then = Submission { then: vec![named("a")], ..named("a") };
    let jobs = world.submit_all(vec![named("a"), then, submission("video"), named("a")]);
    assert_eq!(references(world, 1), Some(4));
    world.pass(2 * HOUR);
    let all: Vec<Arc<Job>> = world.jobs.values().rev().cloned().collect();
    assert_eq!(all.len(), jobs.len() + 1);
    for job in all {
        assert_eq!(unused(world), [] as [u128; 0]);
        if !world.known(&job).status.is_terminal() {
            world.job(Command::Cancel { id: job.id });
        }
        world.one(Command::Delete { id: job.id }).expect("an ended job is deleted");
    }
    assert_eq!(unused(world), [1]);
}

fn a_replaced_payload_goes(world: &mut World) {
    let keyed =
        |policy, submission: Submission| Submission { unique: Some(Unique { key: "k".into(), policy }), ..submission };
    let replace = |submission| keyed(UniquePolicy::Replace, submission);
    let job = world.submit(replace(with_file(1)));
    file(world, put("a", 2, HOUR));
    let step = |world: &mut World, submission: Submission, references: [Option<u64>; 3]| {
        let accepted = world.submit_all(vec![submission]).remove(0);
        assert_eq!(accepted.job.id, job.id);
        for (id, expected) in (1..).zip(references) {
            assert_eq!(self::references(world, id), expected, "file {id}");
        }
        world.audit();
        accepted.job
    };
    is_of(&step(world, replace(named("a")), [Some(0), Some(1), None]), 2);
    // The same file again, and one that is not taken because the other is kept.
    is_of(&step(world, replace(named("a")), [Some(0), Some(1), None]), 2);
    is_of(&step(world, keyed(UniquePolicy::Keep, with_file(3)), [Some(0), Some(1), None]), 2);
    is_of(&step(world, replace(with_file(3)), [Some(0), Some(0), Some(1)]), 3);
    let plain = step(world, replace(submission("video")), [Some(0), Some(0), Some(0)]);
    assert_eq!((plain.spec.payload_file, plain.spec.payload.size), (None, 7));
    // Three of them in one batch: the last one counts.
    let many = vec![replace(with_file(4)), replace(named("a")), replace(with_file(5))];
    world.submit_all(many);
    assert_eq!([2, 4, 5].map(|id| references(world, id)), [Some(0), Some(0), Some(1)]);
    world.reopen();
    is_of(&world.known(&job), 5);
}

fn an_unused_file_goes(world: &mut World) {
    file(world, put("a", 1, HOUR));
    file(world, put("b", 2, 2 * HOUR));
    let id = FileId::new(1);
    world.pass(HOUR - Duration::from_millis(1));
    assert_eq!(unused(world), [] as [u128; 0]);
    world.refused(Command::CondemnFile { id }, &Refusal::FileNeeded);
    world.refused(Command::ForgetFile { id }, &Refusal::FileNeeded);
    world.pass(Duration::from_millis(1));
    assert_eq!(unused(world), [1]);
    // It cannot be had once its time is over, whether it was looked after by then or not.
    world.refused(Command::Submit(vec![named("a")]), &Refusal::NoFile(vec![(0.into(), name("a"))]));
    let condemned = file(world, Command::CondemnFile { id });
    assert!(condemned.condemned && condemned.name.is_none());
    assert_eq!(file(world, Command::CondemnFile { id }), condemned, "after a crash it is condemned again");
    assert_eq!(world.reader().file_named(&name("a")), Ok(None));
    world.audit();
    world.reopen();
    assert_eq!(unused(world), [1], "what was condemned before a restart is found after it");
    file(world, Command::ForgetFile { id });
    world.refused(Command::ForgetFile { id }, &Refusal::NotFound);
    world.refused(Command::CondemnFile { id }, &Refusal::NotFound);
    world.pass(HOUR);
    assert_eq!(unused(world), [2]);
}

fn unused_files_are_read_on(world: &mut World) {
    // By time first, and by id where that is the same: some of the higher half of ids too, whose order as text is the same.
    for (id, hours) in [(5, 2), (u128::MAX, 1), (3, 1), (9, 1), (1, 3), (7, 5)] {
        file(world, put(&format!("f{id}"), id, hours * HOUR));
    }
    world.pass(3 * HOUR);
    let expected = [3, 9, u128::MAX, 5, 1];
    for limit in 1..=expected.len() {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = world.reader().unused_files(world.now, after, limit).expect("unused files can be read");
            let Some(last) = page.last() else { break };
            after = Some((last.expires_at, last.id));
            assert!(page.len() <= limit);
            found.extend(page.iter().map(|file| file.id.bits()));
            assert!(found.len() <= expected.len(), "{found:?}: the same files again");
        }
        assert_eq!(found, expected);
    }
    // From where none is any more, or never was.
    let behind = |world: &World, hours: u32, id| {
        let at = world.now.before(3 * HOUR).after(hours * HOUR);
        let page = world.reader().unused_files(world.now, Some((at, FileId::new(id))), 1);
        page.expect("unused files can be read").first().map(|file| file.id.bits())
    };
    file(world, Command::CondemnFile { id: FileId::new(9) });
    file(world, Command::ForgetFile { id: FileId::new(9) });
    assert_eq!(behind(world, 1, 9), Some(u128::MAX));
    assert_eq!((behind(world, 0, 77), behind(world, 2, 4), behind(world, 3, 1)), (Some(3), Some(5), None));
}

fn what_is_refused_refers_to_nothing(world: &mut World) {
    file(world, put("a", 1, HOUR));
    let missing = Refusal::NoFile(vec![(1.into(), name("b")), (Place { line: 2, then: vec![0] }, name("c"))]);
    let then = Submission { then: vec![named("c")], ..submission("video") };
    world.refused(Command::Submit(vec![named("a"), named("b"), then, with_file(2)]), &missing);
    assert_eq!((references(world, 1), references(world, 2)), (Some(0), None));
    // What was accepted before needs its file no longer to be accepted again.
    let first = world.submit(named("a").keyed("k".into()));
    world.job(Command::Cancel { id: first.id });
    file(world, Command::DeleteFile { name: name("a") });
    match world.one(Command::Submit(vec![named("a").keyed("k".into())])) {
        Ok(Answer::Accepted(accepted)) => assert_eq!(accepted[0].job.id, first.id),
        other => panic!("{other:?}"),
    }
}

fn a_failed_commit_leaves_files(world: &mut World) {
    file(world, put("a", 1, HOUR));
    if !world.fixture.fail_next(LedgerError::Full("test".into())) {
        return;
    }
    let batch = vec![
        Command::Submit(vec![named("a"), with_file(2)]),
        put("a", 3, HOUR),
        Command::Submit(vec![Submission { payload: json("1"), ..submission("video") }]),
    ];
    world.try_apply(batch, &mut ackd_ports::Idle).expect_err("the commit fails");
    assert_eq!(world.reader().file(FileId::new(2)), Ok(None));
    world.audit();
    world.pass(SECOND);
    is_of(&world.submit(named("a")), 1);
}
