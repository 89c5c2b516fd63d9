//! Searches of payloads, over the in-memory ledger.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::sync::Arc;

use ackd_domain::{Answer, Body, Command, JSON, Name, Submission};
use ackd_engine::{Engine, Field, Filter, Page, Search};
use ackd_ports::SystemClock;

fn engine() -> Engine {
    common::engine(Arc::new(SystemClock::start())).0
}

fn job(payload: impl Into<bytes::Bytes>) -> Submission {
    typed(JSON, payload)
}

fn typed(content_type: &str, payload: impl Into<bytes::Bytes>) -> Submission {
    Submission::new(Name::new("q").unwrap(), Body { content_type: content_type.into(), bytes: payload.into() })
}

/// Submits these, whose numbers are 1 and up in a new ledger.
async fn submit(engine: &Engine, jobs: Vec<Submission>) {
    let wanted = jobs.len();
    let Some(Ok(Answer::Accepted(accepted))) = engine.run(vec![Command::Submit(jobs)]).await.unwrap().pop() else {
        panic!("nothing was accepted");
    };
    assert_eq!(accepted.len(), wanted);
}

fn with(fields: &[(&str, &str)]) -> Search {
    Search { fields: fields.iter().map(|(path, text)| Field::new(path, text).unwrap()).collect(), ..Search::default() }
}

fn numbers(page: &Page) -> Vec<u64> {
    page.jobs.iter().map(|job| job.id.number()).collect()
}

async fn page(engine: &Engine, search: &Search, before: Option<u64>, limit: usize) -> (Vec<u64>, Option<u64>) {
    let page = engine.list(search.clone(), before, limit).await.unwrap();
    (numbers(&page), page.next)
}

#[tokio::test]
async fn every_field_has_to_hold_in_a_json_payload() {
    let engine = engine();
    let jobs = vec![
        job(r#"{"a":1,"b":"x"}"#),
        job(r#"{"a":1}"#),
        job(r#"{"b":"x"}"#),
        typed("text/plain", r#"{"a":1,"b":"x"}"#),
        typed("application/vnd.x+json; charset=utf-8", r#"{"a":1.0,"b":"x"}"#),
        job("no JSON"),
        typed("", ""),
    ];
    submit(&engine, jobs).await;
    assert_eq!(page(&engine, &with(&[("a", "1"), ("b", "x")]), None, 10).await, (vec![5, 1], None));
    assert_eq!(page(&engine, &with(&[("a", "1")]), None, 10).await, (vec![5, 2, 1], None));
    assert_eq!(page(&engine, &with(&[("a", "1")]), Some(5), 10).await, (vec![2, 1], None));
    let elsewhere = Filter { queues: vec![Name::new("other").unwrap()], ..Filter::default() };
    let search = Search { filter: elsewhere, ..with(&[("a", "1")]) };
    assert_eq!(page(&engine, &search, None, 10).await, (vec![], None));
}

#[tokio::test]
async fn the_pages_of_a_search_are_all_of_it_once() {
    let engine = engine();
    let payload = |number: u64| format!(r#"{{"a":{}}}"#, number * number % 7 % 3);
    submit(&engine, (1..=700).map(|number| job(payload(number))).collect()).await;
    let all: Vec<u64> = (1..=700).rev().filter(|number| number * number % 7 % 3 == 1).collect();
    assert!(all.len() > 250);
    for limit in [1, 7, 100, 250, 251, 1000] {
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let (numbers, next) = page(&engine, &with(&[("a", "1")]), before, limit).await;
            assert!(numbers.len() == limit || next.is_none(), "700 jobs are few");
            found.extend(numbers);
            before = next;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(found, all, "{limit}");
    }
}

#[tokio::test]
async fn a_page_looks_at_a_thousand_payloads() {
    let engine = engine();
    let rare = |number: u64| if number == 1 || number == 2 { r#"{"a":1}"# } else { "{}" };
    submit(&engine, (1..=1001).map(|number| job(rare(number))).collect()).await;
    let search = with(&[("a", "1")]);
    // From 1001 down to 2; 1 is one beyond.
    assert_eq!(page(&engine, &search, None, 10).await, (vec![2], Some(2)));
    assert_eq!(page(&engine, &search, Some(2), 10).await, (vec![1], None));
    assert_eq!(page(&engine, &search, Some(1001), 10).await, (vec![2, 1], None));
    submit(&engine, vec![job("{}"); 999]).await;
    assert_eq!(page(&engine, &search, None, 10).await, (vec![], Some(1001)));
}

#[tokio::test]
async fn a_page_looks_at_sixteen_megabytes_of_payloads() {
    let engine = engine();
    let large = |bytes: usize| format!(r#"{{"a":1,"b":"{}"}}"#, "x".repeat(bytes - 14));
    let search = with(&[("a", "1")]);
    assert_eq!(large(100).len(), 100);
    // One that is larger alone is looked at by itself.
    for bytes in [1, 1 << 20, (15 << 20) + 1, 17 << 20, 10] {
        submit(&engine, vec![job(large(bytes.max(20)))]).await;
    }
    // Two of other types count nothing.
    submit(&engine, vec![typed("text/plain", large(16 << 20)); 2]).await;
    assert_eq!(page(&engine, &search, None, 10).await, (vec![5], Some(5)));
    assert_eq!(page(&engine, &search, Some(5), 10).await, (vec![4], Some(4)));
    // 15 MiB and a byte leave no room for another MiB.
    assert_eq!(page(&engine, &search, Some(4), 10).await, (vec![3], Some(3)));
    assert_eq!(page(&engine, &search, Some(3), 10).await, (vec![2, 1], None));
    submit(&engine, vec![job(large(1 << 20)), job(large(15 << 20)), job(large(20))]).await;
    assert_eq!(page(&engine, &search, Some(10), 10).await, (vec![9, 8], Some(6)), "exactly so many bytes have room");
}
