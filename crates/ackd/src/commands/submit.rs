//! `ackd submit`: a job, acknowledged once it is on disk.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use ackd_client::Submission;
use ackd_client::api::{Duration, OnFailure, Status, Time};
use ackd_domain::limits::BODY_BYTES;
use clap::Args;
use serde_json::value::RawValue;

use super::{batches, waiting};
use crate::cli::Session;
use crate::commands::job_args::JobArgs;
use crate::console::note;
use crate::exit::Exit;
use crate::failure::Failure;

/// The arguments of `ackd submit`.
#[derive(Debug, Args)]
#[command(after_help = "Durations are written as 30s, 1m30s or 14d; a bare number means seconds.\n\n\
                  Examples:\n  \
                  ackd submit video '{\"file\":\"cat.mp4\"}' --key cat-720p\n  \
                  ackd submit thumbnails --file cat.png --content-type image/png --wait > thumbnail.png\n  \
                  ackd submit email --ndjson --file letters.ndjson > ids")]
pub(crate) struct SubmitArgs {
    /// The queue; it needs no creation
    queue: String,

    /// What the worker gets: JSON, or else a text
    #[arg(allow_negative_numbers = true)]
    payload: Option<String>,

    /// Take the payload from this file, `-` for stdin
    #[arg(long, short, conflicts_with = "payload")]
    file: Option<PathBuf>,

    /// Take an uploaded file of this name as the payload
    #[arg(long, value_name = "NAME", conflicts_with_all = ["payload", "file", "content_type"])]
    payload_file: Option<String>,

    /// The payload's media type [default: JSON if it is, else text, else bytes]
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,

    #[command(flatten)]
    options: JobArgs,

    /// Begin so long from now
    #[arg(long, value_name = "DURATION", value_parser = super::duration)]
    delay: Option<Duration>,

    /// Begin at this time (RFC 3339)
    #[arg(long, value_name = "TIME", conflicts_with = "delay")]
    run_at: Option<Time>,

    /// Begin when this job is DONE (may be repeated)
    #[arg(long, value_name = "ID")]
    after: Vec<String>,

    /// What becomes of it when one of those ends otherwise: cancel, continue or wait [default: cancel]
    #[arg(long, value_name = "POLICY", requires = "after", value_parser = super::word::<OnFailure>)]
    on_failure: Option<OnFailure>,

    /// An idempotency key: the same submission with the same key is the same job
    #[arg(long)]
    key: Option<String>,

    /// W3C Trace Context's traceparent, handed to the worker
    #[arg(long)]
    traceparent: Option<String>,

    /// Submit a job for each line of --file, which is its payload as JSON
    #[arg(long, requires = "file", conflicts_with_all = ["content_type", "key", "wait"])]
    ndjson: bool,

    /// Wait for its end, at most so long, and print its result
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "3650d", value_parser = super::duration)]
    wait: Option<Duration>,
}

/// Submits the job, and waits for it if that is asked for.
pub(crate) async fn run(mut args: SubmitArgs, session: &Session) -> Result<Exit, Failure> {
    if args.ndjson
        && let Some(file) = args.file.take()
    {
        return batches::submit(open(&file)?, &args.submission(None)?, session).await;
    }
    let payload = match (args.payload.take(), args.file.take()) {
        (Some(text), _) => Some(text.into_bytes()),
        (None, Some(file)) => Some(read(&file)?),
        (None, None) => None,
    };
    let wait = args.wait;
    let submitted = session.client.submit(args.submission(payload)?).await?;
    if submitted.replayed {
        note("this key was used before: the job of the first submission follows");
    }
    if submitted.kept {
        note("a job with this unique key has not ended: it follows, as it was");
    }
    if submitted.replaced {
        note("a job with this unique key waits: it took this payload and time, and follows");
    }
    let console = session.console;
    let Some(most) = wait else {
        match console.is_json {
            true => console.document(&submitted.job)?,
            false => console.line(&submitted.job.id)?,
        }
        return Ok(Exit::Fine);
    };
    let job = waiting::until_end(session, submitted.job, most).await?;
    if console.is_json {
        console.document(&job)?;
        return Ok(if job.status == Status::Done { Exit::Fine } else { Exit::Failed });
    }
    waiting::print_end(session, &job).await
}

impl SubmitArgs {
    /// The job as it is sent.
    fn submission(self, payload: Option<Vec<u8>>) -> Result<Submission, Failure> {
        let mut submission = Submission::new(self.queue);
        submission = match (payload, self.content_type) {
            (None, None) => submission,
            (None, Some(_)) => {
                return Err(Failure::Usage("--content-type says what a payload is; there is none".into()));
            }
            (Some(bytes), Some(content_type)) => submission.payload_bytes(content_type, bytes),
            (Some(bytes), None) => match String::from_utf8(bytes) {
                Ok(text) => match serde_json::from_str::<&RawValue>(text.trim()) {
                    Ok(json) => submission.payload_json(json.to_owned()),
                    Err(_) => submission.payload_bytes("text/plain; charset=utf-8", text),
                },
                Err(error) => submission.payload_bytes("application/octet-stream", error.into_bytes()),
            },
        };
        if let Some(file) = self.payload_file {
            submission = submission.payload_file(file);
        }
        if let Some(delay) = self.delay {
            submission = submission.delay(delay.into());
        }
        if let Some(run_at) = self.run_at {
            submission = submission.run_at(run_at);
        }
        submission = self.after.into_iter().fold(submission, Submission::after);
        if let Some(on_failure) = self.on_failure {
            submission = submission.on_failure(on_failure);
        }
        if let Some(key) = self.key {
            submission = submission.idempotency_key(key);
        }
        if let Some(traceparent) = self.traceparent {
            submission = submission.traceparent(traceparent);
        }
        Ok(self.options.tell(submission))
    }
}

/// A file, or stdin.
fn open(file: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if file == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = File::open(file).map_err(|error| unreadable(file, &error))?;
    Ok(Box::new(BufReader::new(file)))
}

fn unreadable(file: &Path, error: &io::Error) -> Failure {
    Failure::Other(format!("cannot read {}: {error}", file.display()))
}

/// The whole of it.
fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    // One byte more than any server takes tells that there is too much, without reading the rest.
    let read = open(file)?.take(BODY_BYTES as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| unreadable(file, &error))?;
    if bytes.len() > BODY_BYTES {
        return Err(Failure::Other(format!("{} has more than the {BODY_BYTES} bytes a job can have", file.display())));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn args(line: &[&str]) -> SubmitArgs {
        match Cli::try_parse_from(["ackd", "submit"].iter().chain(line)).unwrap().command {
            Command::Submit(args) => *args,
            other => panic!("{other:?}"),
        }
    }

    fn debug(line: &[&str], payload: &[u8]) -> String {
        format!("{:?}", args(line).submission(Some(payload.to_vec())).unwrap())
    }

    #[test]
    fn a_payload_is_what_it_looks_like_unless_a_type_is_given() {
        assert!(debug(&["q"], b" {\"a\": 1}\n").contains(r#"Json(RawValue({"a": 1}))"#));
        assert!(debug(&["q"], b"-5").contains("Json(RawValue(-5))"));
        assert!(debug(&["q"], b"{a}").contains(r#"content_type: "text/plain; charset=utf-8", bytes: b"{a}""#));
        assert!(debug(&["q"], b"\xff").contains(r#"content_type: "application/octet-stream""#));
        assert!(debug(&["q", "--content-type", "a/b"], b"1").contains(r#"content_type: "a/b", bytes: b"1""#));
        let none = args(&["q", "--content-type", "a/b"]).submission(None).unwrap_err();
        assert_eq!(none.exit(), Exit::WrongUse);
    }

    #[test]
    fn every_option_reaches_the_submission() {
        let line = [
            "q",
            "-5",
            "--type",
            "t",
            "--priority",
            "9",
            "--delay",
            "30",
            "--expires-in",
            "1h",
            "--max-attempts",
            "3",
            "--timeout",
            "1m30s",
            "--result-retention",
            "1d",
            "--key",
            "k",
            "--tag",
            "a",
            "--tag",
            "b",
            "--traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "--wait",
            "5m",
        ];
        let args = args(&line);
        assert_eq!(args.payload.as_deref(), Some("-5"));
        assert_eq!(args.wait, "5m".parse().ok());
        let text = format!("{:?}", args.submission(None).unwrap());
        for part in [
            r#"kind: Some("t")"#,
            "priority: Some(9)",
            "delay: Some(Duration(30s))",
            "expires_in: Some(Duration(3600s))",
            "max_attempts: Some(3)",
            "timeout: Some(Duration(90s))",
            "result_retention: Some(Duration(86400s))",
            r#"idempotency_key: Some("k")"#,
            r#"tags: ["a", "b"]"#,
            "traceparent: Some(",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for line in [
            &["ackd", "submit", "q", "1", "--file", "-"][..],
            &["ackd", "submit", "q", "--delay", "1s", "--run-at", "2026-11-20T10:00:00Z"],
            &["ackd", "submit", "q", "--priority", "10"],
            &["ackd", "submit", "q", "--delay", "soon"],
            &["ackd", "submit", "q", "--ndjson"],
            &["ackd", "submit", "q", "--ndjson", "--file", "-", "--wait"],
            &["ackd", "submit", "--wait", "q", "1"],
            &["ackd", "submit"],
        ] {
            assert_eq!(Cli::try_parse_from(line).unwrap_err().exit_code(), 2, "{line:?}");
        }
    }
}
