//! Histories as files, and the program that reads them.

#![allow(clippy::unwrap_used, reason = "this is a test, all of it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ackd_checker::{Event, Line, Names, Record, Snapshot, Status, read_line, write_line};

const SUBMITTED: &str =
    r#"{"at":1,"is":{"submit":{"request":"r1","by":"c1","lines":[{"queue":"q","payload":"p1","key":"k\u00e9\n1"}]}}}"#;
const ACCEPTED: &str = r#"{"at":3,"is":{"accepted":{"request":"r1","jobs":["j1"]}}}"#;
const MISSING: &str = r#"{"at":9,"is":{"missing":{"by":"c1","since":8,"job":"j1"}}}"#;
const CRASHED: &str = r#"{"at":2,"is":"crashed"}"#;

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn check(name: &str, files: &[&[&str]]) -> (Option<i32>, String) {
    let folder = folder(name);
    let paths = files.iter().enumerate().map(|(at, lines)| {
        let path = folder.join(format!("{at}.jsonl"));
        std::fs::write(&path, lines.join("\n")).unwrap();
        path
    });
    let paths: Vec<PathBuf> = paths.collect();
    let Output { status, stdout, stderr } =
        Command::new(env!("CARGO_BIN_EXE_ackd-checker")).args(&paths).output().unwrap();
    let text = String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap();
    (status.code(), text.replace(folder.to_str().unwrap(), ""))
}

#[test]
fn a_history_that_keeps_the_promises_ends_with_0() {
    assert_eq!(
        check("fine", &[&[SUBMITTED, CRASHED, "", ACCEPTED]]),
        (Some(0), "3 records, 0 violations\n".to_owned())
    );
}

#[test]
fn files_are_read_in_the_order_of_their_times_and_violations_shown_with_their_lines() {
    let (code, text) = check("broken", &[&[SUBMITTED, ACCEPTED], &[CRASHED, MISSING]]);
    assert_eq!(code, Some(1));
    let expected = format!(
        "4 records, 1 violations\n\n(1) what was acknowledged is present and ends at last, j1: \
         a job is gone that was acknowledged or told before\n    /0.jsonl:2: {ACCEPTED}\n    /1.jsonl:2: {MISSING}\n"
    );
    assert_eq!(text, expected);
}

#[test]
fn what_is_no_history_ends_with_2_and_names_the_line() {
    let (code, text) = check("nonsense", &[&[SUBMITTED, "{}"]]);
    assert_eq!((code, text.contains("0.jsonl:2: not a record: missing field `at`")), (Some(2), true), "{text}");
    let (code, text) = check("unasked", &[&[ACCEPTED]]);
    assert_eq!((code, text.contains("0.jsonl:1: record 0 answers what was not asked")), (Some(2), true), "{text}");
    let (code, _) = check("none", &[]);
    assert_eq!(code, Some(2));
}

#[test]
fn a_record_survives_its_line() {
    let mut names = Names::default();
    let record = read_line(SUBMITTED, &mut names).unwrap();
    let line = Line { key: Some(names.number("ké\n1")), ..Line::new(names.number("q"), names.number("p1")) };
    let submit = Event::Submit { request: names.number("r1"), by: names.number("c1"), lines: vec![line] };
    assert_eq!(record, Record { at: 1, is: submit });
    let job = Snapshot {
        job: 1,
        status: Status::Processing,
        version: 2,
        run: 1,
        attempt: 1,
        payload: None,
        result: Some(names.number("r1")),
    };
    for is in [record.is, Event::Crashed, Event::Granted { worker: 1, lease: 0, since: 0, holds: 5, job }] {
        let record = Record { at: 4, is };
        let line = write_line(&record, |id| names.texts()[usize::try_from(id).unwrap()].to_owned());
        assert_eq!(read_line(&line, &mut names).unwrap(), record);
    }
}
