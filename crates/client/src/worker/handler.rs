//! A user's function for the jobs of a queue.

use std::pin::Pin;

use ackd_api::JobDocument;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::error::is_transient_status;
use crate::{Body, Client, Context, Document, Error, Job, JobError, Upload};

/// What came out of a job that is done.
#[derive(Debug)]
pub(crate) enum Output {
    Json(Box<RawValue>),
    Bytes(Body),
    Nothing,
    /// The handler's side has told the server already.
    Settled,
}

/// The most bytes of a payload that a handler is given at once, 64 MiB. A job with a larger one fails for good, unless
/// its handler is one of [`crate::Worker::handle_streamed`].
const PAYLOAD_BYTES: u64 = 64 << 20;

/// What comes out of a job of [`crate::Worker::handle_streamed`].
#[derive(Debug)]
pub enum Reply {
    /// No result.
    Nothing,
    /// A result that is in memory.
    Body(Body),
    /// A result of any size in a file, from its first byte to its last.
    File {
        /// The media type (RFC 9110, section 8.3.1).
        content_type: String,
        /// The file. It must not change any more.
        file: std::fs::File,
    },
}

pub(crate) type Outcome = Result<Output, JobError>;

/// A handler without its types.
pub(crate) type Handler = Box<dyn Fn(Document, Context) -> Pin<Box<dyn Future<Output = Outcome> + Send>> + Send + Sync>;

/// A handler of typed payloads and results.
pub(crate) fn typed<T, R, F, Fut>(handle: F) -> Handler
where
    T: DeserializeOwned + Send + 'static,
    R: Serialize + Send + 'static,
    F: Fn(Job<T>, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, JobError>> + Send + 'static,
{
    let handle = std::sync::Arc::new(handle);
    Box::new(move |document, context| {
        let handle = std::sync::Arc::clone(&handle);
        Box::pin(async move {
            let payload = read_payload(&document, context.client()).await?;
            let result = handle(Job { payload, document }, context).await?;
            let json = serde_json::value::to_raw_value(&result)
                .map_err(|error| JobError::permanent(format!("the result cannot be written as JSON\n{error}")))?;
            Ok(Output::Json(json))
        })
    })
}

/// A handler of payloads and results of any media type.
pub(crate) fn bytes<F, Fut>(handle: F) -> Handler
where
    F: Fn(Job<Body>, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Body, JobError>> + Send + 'static,
{
    let handle = std::sync::Arc::new(handle);
    Box::new(move |document, context| {
        let handle = std::sync::Arc::clone(&handle);
        Box::pin(async move {
            let payload = match at_hand(&document) {
                Some(payload) => payload,
                None => fetch_payload(&document, context.client()).await?,
            };
            let result = handle(Job { payload, document }, context).await?;
            let is_nothing = result.content_type.is_empty() && result.bytes.is_empty();
            Ok(if is_nothing { Output::Nothing } else { Output::Bytes(result) })
        })
    })
}

/// A handler that reads payloads by itself, and whose results may be files.
pub(crate) fn streamed<F, Fut>(handle: F) -> Handler
where
    F: Fn(Job<Option<Body>>, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Reply, JobError>> + Send + 'static,
{
    let handle = std::sync::Arc::new(handle);
    Box::new(move |document, context| {
        let handle = std::sync::Arc::clone(&handle);
        Box::pin(async move {
            let payload = at_hand(&document);
            match handle(Job { payload, document }, context.clone()).await? {
                Reply::Nothing => Ok(Output::Nothing),
                Reply::Body(body) => Ok(Output::Bytes(body)),
                Reply::File { content_type, file } => hand_in(&context, &content_type, file).await,
            }
        })
    })
}

/// Uploads a result. It is part of the handler's time, so that heartbeats are sent meanwhile.
async fn hand_in(context: &Context, content_type: &str, file: std::fs::File) -> Result<Output, JobError> {
    let size = file.metadata()?.len();
    let file = std::sync::Arc::new(file);
    let client = context.client();
    let mut persistence = client.persistence().endless();
    loop {
        let upload = Upload::file(std::sync::Arc::clone(&file), size).content_type(content_type);
        let error = match client.complete_upload(context.lease(), upload).await {
            Ok(_) => return Ok(Output::Settled),
            Err(Error::Refused { problem, .. }) if !is_transient_status(problem.status) => {
                // No further attempt would be better, and of a lease that is lost nothing can be told.
                return Err(JobError::permanent("the result was refused").with_problem(&problem));
            }
            Err(error) => error,
        };
        // Not while it is under way: that the lease has ended may just be its own doing.
        tokio::select! {
            waited = persistence.failed(error) => waited?,
            () = context.lease_lost() => return Err(JobError::cancelled()),
        }
    }
}

/// The payload where it is in the document, byte for byte, or where there is none.
fn at_hand(document: &Document) -> Option<Body> {
    match inline(document) {
        Some(json) => {
            Some(Body { content_type: content_type(document).to_owned(), bytes: json.get().to_owned().into() })
        }
        None if document.payload_info.is_none() => Some(Body { content_type: String::new(), bytes: Bytes::new() }),
        None => None,
    }
}

/// The payload's type; JSON where there is no payload.
fn content_type<'a>(document: &'a JobDocument<'_>) -> &'a str {
    document.payload_info.as_ref().map_or(crate::transport::JSON, |info| info.content_type.as_ref())
}

/// The payload's bytes, where they stand in the document: JSON does, byte for byte, if it is small. A text stands there
/// as a JSON string, which is not its bytes.
fn inline<'a>(document: &'a JobDocument<'_>) -> Option<&'a RawValue> {
    if !is_json(content_type(document)) {
        return None;
    }
    document.payload.as_ref().and_then(|payload| payload.as_json())
}

/// Whether a media type is JSON (RFC 6839, section 3.1, for `+json`).
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}

/// The payload's bytes from the server. A restart of it between the lease and this must not cost the job an attempt.
async fn fetch_payload(document: &Document, client: &Client) -> Result<Body, JobError> {
    if let Some(info) = &document.payload_info
        && info.size > PAYLOAD_BYTES
    {
        let text = format!("the payload is too large for this worker\n{} bytes, of {PAYLOAD_BYTES} at most", info.size);
        return Err(JobError::permanent(text));
    }
    let mut persistence = client.persistence();
    loop {
        match client.payload_bytes(&document.id).await {
            Ok(payload) => return Ok(payload),
            Err(error) => persistence.failed(error).await?,
        }
    }
}

async fn read_payload<T: DeserializeOwned>(document: &Document, client: &Client) -> Result<T, JobError> {
    // A text in the document is a JSON string, so that a handler of `String` takes texts too.
    let inline = document.payload.as_ref().and_then(|payload| payload.as_json());
    let read = match (inline, &document.payload_info) {
        (Some(json), _) => serde_json::from_str(json.get()),
        // No payload, or the payload `null`, which looks the same.
        (None, None) => serde_json::from_str("null"),
        (None, Some(info)) if is_json(&info.content_type) && info.size == 4 => serde_json::from_str("null"),
        (None, Some(_)) => serde_json::from_slice(&fetch_payload(document, client).await?.bytes),
    };
    // The payload will not change, and every attempt would fail in the same way.
    read.map_err(|error| JobError::permanent(format!("the payload is not what the worker expects\n{error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Server, job_with};
    use serde_json::json;

    fn document(fields: serde_json::Value) -> Document {
        serde_json::from_str(&job_with("a", "PROCESSING", 2, fields)).unwrap()
    }

    fn info(content_type: &str, size: u64) -> serde_json::Value {
        json!({"content_type": content_type, "size": size})
    }

    #[tokio::test(start_paused = true)]
    async fn small_payloads_are_read_from_the_document() {
        let (mut server, client) = Server::memory();
        let json = document(json!({"payload": [1, 2], "payload_info": info("application/json", 5)}));
        assert_eq!(read_payload::<Vec<u8>>(&json, &client).await.unwrap(), [1, 2]);
        let text = document(json!({"payload": "hi", "payload_info": info("text/plain", 2)}));
        assert_eq!(read_payload::<String>(&text, &client).await.unwrap(), "hi");
        for nothing in [json!({}), json!({"payload_info": info("application/json", 4)})] {
            read_payload::<()>(&document(nothing), &client).await.unwrap();
        }
        let error = read_payload::<u8>(&json, &client).await.unwrap_err();
        assert!(error.to_string().starts_with("the payload is not what the worker expects\n"), "{error}");
        assert!(server.is_quiet());
    }

    #[tokio::test(start_paused = true)]
    async fn large_payloads_are_fetched() {
        let (mut server, client) = Server::memory();
        let large = document(json!({"payload_info": info("application/json", 70_000)}));
        let reading = tokio::spawn(async move { read_payload::<Vec<u8>>(&large, &client).await.unwrap() });
        server.expect("GET /v1/jobs/a/payload").await.answer(200, "[3]");
        assert_eq!(reading.await.unwrap(), [3]);
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_are_the_payload_as_it_came() {
        let (mut server, client) = Server::memory();
        let handler = bytes(|job: Job<Body>, _| async move { Ok(job.payload) });
        let run = |document| {
            let (context, end) = Context::new(client.clone(), ackd_api::Secret::new("t"));
            let outcome = handler(document, context);
            tokio::spawn(async move {
                let _end = end;
                match outcome.await {
                    Ok(Output::Bytes(body)) => Some(body),
                    Ok(Output::Nothing) => None,
                    other => panic!("{other:?}"),
                }
            })
        };
        let body =
            run(document(json!({"payload": {"a": 1}, "payload_info": info("application/x+json; charset=utf-8", 7)})));
        assert_eq!(body.await.unwrap().unwrap().bytes, r#"{"a":1}"#);
        let body = run(document(json!({"payload": "hi", "payload_info": info("text/plain", 2)})));
        server.expect("GET /v1/jobs/a/payload").await.hang_up();
        server.expect("GET /v1/jobs/a/payload").await.answer_with(200, &[("content-type", "text/plain")], "hi");
        assert_eq!(body.await.unwrap(), Some(Body { content_type: "text/plain".into(), bytes: "hi".into() }));
        assert_eq!(run(document(json!({}))).await.unwrap(), None);
    }
}
