//! Files: uploads, downloads, and the payloads and results that are files.

use std::sync::Arc;

use ackd_api::{Code, FileDocument, Problem};
use ackd_domain::limits::{DEFAULT_FILE_EXPIRY, DURATION, FILE_EXPIRY_MIN};
use ackd_domain::{Answer, Command, File, FileId, Name, Refusal};
use ackd_engine::{FileStoreError, Files, FilesError, Grants, Received};
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Response, StatusCode};

use crate::answer;
use crate::app::time;
use crate::call::{Call, Outcome};
use crate::headers;
use crate::intake::{Flow, too_large};
use crate::outlet::Outlet;
use crate::problem::{Rejection, no_such_file};
use crate::range::{self, Wanted};

/// `PUT /v1/files/{name}`.
pub(crate) async fn put(mut call: Call) -> Outcome {
    let name = call.name()?;
    let replace = !headers::is_star(call.headers(), &header::IF_NONE_MATCH);
    if !replace && call.files().named(name.clone()).await?.is_some() {
        // Before a body of gigabytes is sent for nothing.
        return Err(Rejection::from(Refusal::FileExists).closing());
    }
    let expires_in = expires_in(&call)?;
    let received = upload(&mut call).await?;
    keep(received, |file| Command::PutFile { name, file, expires_in, replace }).await
}

/// `POST /v1/files`.
pub(crate) async fn post(mut call: Call) -> Outcome {
    let expires_in = expires_in(&call)?;
    let received = upload(&mut call).await?;
    let name = Name::new(&received.file().id.to_string());
    let name = name.map_err(|error| Rejection::new(Code::Internal, error.to_string()))?;
    keep(received, |file| Command::PutFile { name, file, expires_in, replace: false }).await
}

/// How long the file is kept while no job refers to it.
fn expires_in(call: &Call) -> Result<std::time::Duration, Problem> {
    let Some(expires_in) = call.query.duration("expires_in")? else { return Ok(DEFAULT_FILE_EXPIRY) };
    if (FILE_EXPIRY_MIN..=DURATION).contains(&expires_in.get()) {
        return Ok(expires_in.get());
    }
    Err(Problem::at("/expires_in", "must be 1s to 3650d"))
}

/// Receives the body as a file.
async fn upload(call: &mut Call) -> Result<Received, Rejection> {
    let content_type: Arc<str> = headers::content_type(call.headers())?.into();
    let flow = call.flow()?;
    receive(call, flow, content_type).await
}

/// Receives what comes of a body, and what has come of it, as a file.
pub(crate) async fn receive(call: &Call, mut flow: Flow, content_type: Arc<str>) -> Result<Received, Rejection> {
    let received = async {
        let (shared, most) = (call.shared(), call.shared().limits.file);
        if flow.announced().is_some_and(|bytes| bytes > most) {
            return Err(too_large(most));
        }
        let _room = shared.room(call.files().receiving_bytes())?;
        let mut receiving = call.files().receive(content_type);
        while let Some(bytes) = flow.next(shared).await? {
            if receiving.size() + bytes.len() as u64 > most {
                return Err(too_large(most));
            }
            receiving.write(bytes).await?;
        }
        Ok(receiving.finish().await?)
    };
    let received = received.await;
    if received.is_err() {
        call.link.left_unread();
    }
    received.map_err(Rejection::closing)
}

async fn keep(received: Received, command: impl FnOnce(ackd_domain::NewFile) -> Command) -> Outcome {
    let command = command(received.file().clone());
    let (file, created) = match received.commit(command).await?.into_iter().next() {
        Some(Ok(Answer::File { file, created })) => (file, created),
        Some(Err(refusal)) => return Err(refusal.into()),
        _ => return Err(Rejection::new(Code::Internal, "the file was kept, and the answer lost")),
    };
    let name = file.name.as_ref().map(Name::as_str).unwrap_or_default();
    let document = FileDocument {
        file: name.into(),
        size: file.size,
        content_type: (&*file.content_type).into(),
        expires_at: time(file.expires_at),
    };
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = answer::json(status, &document)?;
    let headers = response.headers_mut();
    if let Ok(location) = HeaderValue::try_from(format!("/v1/files/{name}")) {
        headers.insert(header::LOCATION, location);
    }
    Ok(response)
}

/// `DELETE /v1/files/{name}`.
pub(crate) async fn delete(mut call: Call) -> Outcome {
    call.no_body().await?;
    let name = call.name()?;
    match call.engine().run(vec![Command::DeleteFile { name }]).await?.into_iter().next() {
        Some(Ok(Answer::File { .. })) => Ok(answer::no_content()),
        Some(Err(Refusal::NotFound)) => Err(no_such_file().into()),
        Some(Err(refusal)) => Err(refusal.into()),
        _ => Err(Rejection::new(Code::Internal, "the file was deleted, and the answer lost")),
    }
}

/// `GET /v1/files/{name}`.
pub(crate) async fn get(mut call: Call) -> Outcome {
    call.no_body().await?;
    let file = call.files().named(call.name()?).await?.ok_or_else(no_such_file)?;
    show(&call, &file).await
}

/// The payload or the result of a job, which is this file.
pub(crate) async fn of_job(call: &Call, id: FileId) -> Outcome {
    show(call, &*known(call.files(), id).await.map_err(unreadable)?).await
}

/// The answer that carries a lease and, for the payload, this file. `None` where the file is lost: then the attempt has
/// failed, and the worker may have another job.
pub(crate) async fn with_lease(call: &Call, id: FileId, grants: Grants) -> Result<Option<Response<Outlet>>, Rejection> {
    let read = async {
        let file = known(call.files(), id).await?;
        call.files().read(&file, 0..file.size).await
    };
    match read.await {
        Ok(download) => Ok(Some(Response::new(Outlet::file(download, Some(grants))))),
        Err(error) => {
            grants.unreadable(&error);
            if error.is_damage() { Ok(None) } else { Err(unreadable(error)) }
        }
    }
}

async fn known(files: &Files, id: FileId) -> Result<Arc<File>, FilesError> {
    files.file(id).await?.ok_or(FilesError::Damaged(id))
}

/// What there is to say of a file that cannot be read. The ledger knows of it: that it is missing is no 404, but damage.
fn unreadable(error: FilesError) -> Rejection {
    match error {
        FilesError::Store(FileStoreError::Missing(id)) => {
            Rejection::new(Code::Damaged, format!("file {id} is missing where files are stored"))
        }
        error => error.into(),
    }
}

/// The answer to a request for `file`, or for a part of it (RFC 9110, section 14).
async fn show(call: &Call, file: &File) -> Outcome {
    // A name may be given to another file; an id is not given twice.
    let etag = format!("\"{}\"", file.id);
    let mut response = Response::new(Outlet::empty());
    describe(response.headers_mut(), file, &etag);
    if headers::names_tag(call.headers(), &header::IF_NONE_MATCH, &etag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    if let Some(valid_for) = call.shared().file_links
        && call.headers().get(headers::LINKS).is_none_or(|links| links != "no")
        && let Some(url) = call.files().link(file, valid_for).await?
        && let Ok(location) = HeaderValue::try_from(url)
    {
        let mut response = Response::new(Outlet::empty());
        *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
        response.headers_mut().insert(header::LOCATION, location);
        // Who has the link has the file.
        answer::confidential(response.headers_mut());
        return Ok(response);
    }
    if *call.method() == Method::HEAD {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(file.size));
        return Ok(response);
    }
    let range = match range::wanted(call.headers(), file.size, &etag) {
        Wanted::Whole => 0..file.size,
        Wanted::Part(range) => {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let of = format!("bytes {}-{}/{}", range.start, range.end.saturating_sub(1), file.size);
            if let Ok(of) = HeaderValue::try_from(of) {
                response.headers_mut().insert(header::CONTENT_RANGE, of);
            }
            range
        }
        Wanted::Nothing => return Err(not_within(file.size)),
    };
    let download = call.files().read(file, range).await.map_err(unreadable)?;
    *response.body_mut() = Outlet::file(download, None);
    Ok(response)
}

fn describe(headers: &mut HeaderMap, file: &File, etag: &str) {
    answer::harmless(headers, &file.content_type);
    answer::may_change(headers);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Ok(etag) = HeaderValue::from_str(etag) {
        headers.insert(header::ETAG, etag);
    }
}

fn not_within(size: u64) -> Rejection {
    let detail = format!("`Range` asks for bytes that the file does not have: it has {size}");
    let mut problem = Problem::new(Code::InvalidRequest, detail);
    // RFC 9110, section 15.5.17.
    problem.status = StatusCode::RANGE_NOT_SATISFIABLE.as_u16();
    let range = HeaderValue::try_from(format!("bytes */{size}"));
    let rejection = Rejection::from(problem);
    match range {
        Ok(range) => rejection.with(header::CONTENT_RANGE, range),
        Err(_) => rejection,
    }
}
