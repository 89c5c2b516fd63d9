//! The requests of a run, as bytes.

pub(crate) use ackd_bench_driver::payload;

use crate::wire::{Answer, Wire, fields, request};
use std::io;

/// An envelope on `queue`, with an idempotency key if one is given.
pub(crate) fn envelope(queue: &str, key: Option<u128>) -> String {
    let payload = payload();
    match key {
        Some(key) => format!(r#"{{"queue":"{queue}","idempotency_key":"{key:032x}","payload":{payload}}}"#),
        None => format!(r#"{{"queue":"{queue}","payload":{payload}}}"#),
    }
}

/// A submission of one job.
pub(crate) fn submit_one(queue: &str, key: Option<u128>) -> Vec<u8> {
    request("POST", "/v1/jobs", "application/json", envelope(queue, key).as_bytes())
}

/// A submission of `many` jobs, a line each; each under a key that `keys` gives, if it does.
pub(crate) fn submit_many(queue: &str, many: usize, mut keys: impl FnMut() -> Option<u128>) -> Vec<u8> {
    let lines: Vec<String> = (0..many).map(|_| envelope(queue, keys())).collect();
    request("POST", "/v1/jobs", "application/x-ndjson", lines.join("\n").as_bytes())
}

/// A request for up to `max` leases.
pub(crate) fn lease(queue: &str, max: usize, wait: &str) -> Vec<u8> {
    let body = format!(r#"{{"queues":["{queue}"],"max":{max},"wait":"{wait}","worker":"bench"}}"#);
    request("POST", "/v1/leases", "application/json", body.as_bytes())
}

/// A result of 128 bytes.
pub(crate) fn result() -> String {
    format!(r#"{{"file":"{}"}}"#, "r".repeat(117))
}

/// Completes one lease.
pub(crate) fn complete(lease: &str) -> Vec<u8> {
    let body = format!(r#"{{"result":{}}}"#, result());
    request("POST", &format!("/v1/leases/{lease}/complete"), "application/json", body.as_bytes())
}

/// Completes many leases, a line each.
pub(crate) fn settle<'a>(leases: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let result = result();
    let lines: Vec<String> =
        leases.map(|lease| format!(r#"{{"lease":"{lease}","complete":{{"result":{result}}}}}"#)).collect();
    request("POST", "/v1/leases/settle", "application/x-ndjson", lines.join("\n").as_bytes())
}

/// Fails unless the answer is one of `wanted`.
pub(crate) fn expect(answer: &Answer<'_>, wanted: &[u16]) -> io::Result<()> {
    if wanted.contains(&answer.status) {
        return Ok(());
    }
    let head = String::from_utf8_lossy(answer.head);
    let body = String::from_utf8_lossy(answer.body);
    Err(io::Error::other(format!("the server answered {head}{body}")))
}

/// Leases up to `max` jobs and completes them in one settling; says how many they were.
pub(crate) async fn work_batch(wire: &mut Wire, lease: &[u8]) -> io::Result<u64> {
    let answer = wire.send(lease).await?;
    expect(&answer, &[200, 204])?;
    let tokens: Vec<String> = fields(answer.body, "lease").map(str::to_owned).collect();
    if tokens.is_empty() {
        return Ok(0);
    }
    let answer = wire.send(&settle(tokens.iter().map(String::as_str))).await?;
    expect(&answer, &[200])?;
    let done = fields(answer.body, "status").count() as u64;
    // Each line has a numeric status of its own and, in words, that of the job.
    if done == 0 && !tokens.is_empty() {
        return Err(io::Error::other("nothing was settled"));
    }
    Ok(tokens.len() as u64)
}

/// Keys of 32 hexadecimal digits, as good as random: splitmix64, which costs the client nearly nothing.
pub(crate) struct FreshKeys(u64);

impl FreshKeys {
    /// Keys that no other run draws.
    pub(crate) fn new() -> FreshKeys {
        use std::hash::{BuildHasher, Hasher};
        FreshKeys(std::hash::RandomState::new().build_hasher().finish())
    }

    /// The next key.
    pub(crate) fn next(&mut self) -> [u8; 32] {
        let mut key = [0; 32];
        for half in key.chunks_exact_mut(16) {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = self.0;
            word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^= word >> 31;
            for (digit, byte) in half.iter_mut().enumerate() {
                *byte = b"0123456789abcdef"[(word >> (digit * 4) & 15) as usize];
            }
        }
        key
    }
}
