//! Bodies of lines (NDJSON): of envelopes, and of leases that are settled.

use ackd_api::{Envelope, Problem, SettleLine, limits, ndjson, parse_line};

use crate::{envelope, refusal};

pub(crate) fn check(input: &[u8]) {
    let lines: Vec<(usize, &[u8])> = ndjson::lines(input).collect();
    // The plainest way to say it.
    let split = input.split(|byte| *byte == b'\n').enumerate().map(|(at, line)| (at + 1, line));
    let expected: Vec<_> = split.filter(|(_, line)| line.iter().any(|byte| !byte.is_ascii_whitespace())).collect();
    assert_eq!(lines, expected);
    for (number, line) in lines {
        match parse_line::<Envelope<'_>>(number, line) {
            Ok(envelope) => {
                envelope::within_limits(&envelope, 0);
                envelope::is_read_back(&envelope);
            }
            Err(problem) => is_of_line(&problem, number),
        }
        match parse_line::<SettleLine<'_>>(number, line) {
            Ok(settled) => {
                assert!((1..=limits::TOKEN_BYTES).contains(&settled.lease.expose().len()));
                let written = serde_json::to_vec(&settled).expect("a line can be written");
                let read: SettleLine<'_> = parse_line(number, &written).expect("and read");
                assert_eq!(serde_json::to_vec(&read).unwrap(), written);
            }
            Err(problem) => is_of_line(&problem, number),
        }
    }
}

/// A problem says which line it is of.
fn is_of_line(problem: &Problem, number: usize) {
    refusal::is_fair(problem);
    let line = format!("/{number}");
    let is_of_line =
        |pointer: &str| pointer.strip_prefix(&line).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    assert!(!problem.errors.is_empty() && problem.errors.iter().all(|fault| is_of_line(&fault.pointer)), "{problem}");
}
