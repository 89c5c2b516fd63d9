//! Many jobs at once: `ackd submit --ndjson`.

use std::io::{self, BufRead, Read};

use ackd_client::api::{SubmitLine, limits};
use ackd_client::{Accepted, Error, Submission};
use ackd_domain::limits::BODY_BYTES;
use serde_json::value::RawValue;

use crate::cli::Session;
use crate::exit::Exit;
use crate::failure::Failure;

/// The bytes of payloads after which a batch is sent: half of what the server takes, for there is more in an envelope.
const BYTES: usize = limits::BATCH_BYTES / 2;

/// The lines after which it is: half, too, so that the other fields of each have room.
const LINES: usize = limits::BATCH_LINES / 2;

/// Submits a job like `like` for each line, batch by batch, and prints their ids in order.
pub(super) async fn submit(mut lines: Box<dyn BufRead>, like: &Submission, session: &Session) -> Result<Exit, Failure> {
    let mut taken = 0;
    loop {
        let batch = next(&mut lines, taken)?;
        if batch.is_empty() {
            return Ok(Exit::Fine);
        }
        let jobs = batch.iter().map(|json| like.clone().payload_json(json.clone()));
        let accepted = session.client.submit_many(jobs).await.map_err(|error| refused(error, taken, batch.len()))?;
        for job in accepted {
            if session.console.is_json {
                let Accepted { id, replayed, kept, replaced, .. } = job;
                let line = SubmitLine { replayed, kept, replaced, ..SubmitLine::accepted(id) };
                session.console.document(&line)?;
            } else {
                session.console.line(&job.id)?;
            }
        }
        taken += batch.len();
    }
}

/// The payloads of the next lines, without those that are blank. `taken` are before them.
fn next(lines: &mut dyn BufRead, taken: usize) -> Result<Vec<Box<RawValue>>, Failure> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while batch.len() < LINES && bytes < BYTES {
        let number = taken + batch.len() + 1;
        let failed = |error: String| Failure::Other(format!("payload {number}: {error}; {}", before(taken)));
        let mut line = Vec::new();
        // A line that no server takes is not read to its end.
        let read = lines.take(BODY_BYTES as u64 + 1).read_until(b'\n', &mut line);
        if read.map_err(|error: io::Error| failed(error.to_string()))? == 0 {
            break;
        }
        if line.len() > BODY_BYTES {
            return Err(failed(format!("it has more than the {BODY_BYTES} bytes a job can have")));
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        bytes += line.len();
        batch.push(serde_json::from_slice(&line).map_err(|error| failed(format!("it is no JSON: {error}")))?);
    }
    Ok(batch)
}

/// Why a batch was refused, and what is submitted all the same.
fn refused(error: Error, taken: usize, count: usize) -> Failure {
    if taken > 0 {
        let last = taken + count;
        crate::console::note(&format!("{}; the next ones, to payload {last}, are not:", before(taken)));
    }
    Failure::Server(error)
}

fn before(taken: usize) -> String {
    match taken {
        0 => "nothing was submitted".to_owned(),
        _ => format!("the {taken} before are submitted"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mut text: &[u8]) -> Result<Vec<Vec<String>>, String> {
        let (mut batches, mut taken) = (Vec::new(), 0);
        loop {
            let batch = next(&mut text, taken).map_err(|failure| format!("{failure:?}"))?;
            if batch.is_empty() {
                return Ok(batches);
            }
            taken += batch.len();
            batches.push(batch.iter().map(|json| json.get().to_owned()).collect());
        }
    }

    #[test]
    fn lines_are_payloads_and_blank_ones_are_none() {
        assert_eq!(read(b"{\"a\": 1}\r\n\n \n[2]"), Ok(vec![vec!["{\"a\": 1}".to_owned(), "[2]".to_owned()]]));
        assert_eq!(read(b""), Ok(vec![]));
    }

    #[test]
    fn batches_have_limits() {
        let lines = "1\n".repeat(LINES + 1);
        let sizes: Vec<usize> = read(lines.as_bytes()).unwrap().iter().map(Vec::len).collect();
        assert_eq!(sizes, [LINES, 1]);
        let long = format!("\"{}\"\n", "x".repeat(BYTES / 2)).repeat(3);
        let sizes: Vec<usize> = read(long.as_bytes()).unwrap().iter().map(Vec::len).collect();
        assert_eq!(sizes, [2, 1]);
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        assert!(read(b"1\n{x}\n").unwrap_err().contains("payload 2: it is no JSON"));
        let text = read(format!("{}x", "1\n".repeat(LINES)).as_bytes()).unwrap_err();
        assert!(text.contains("payload 5001") && text.contains("the 5000 before are submitted"), "{text}");
    }
}
