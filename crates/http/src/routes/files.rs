//! Files.

use ackd_api::{Code, FileDocument};
use http::Method;

use super::parts::{
    ANY, ELSEWHERE, FILE_HEADERS, FILE_TAG, IF_RANGE, LINKS, OUTSIDE, PART, RANGE, READING, SAME_FILE, WRITING, answer,
    json, parameter, schema, span,
};
use super::{Answer, Content, Operation, Parameter};
use crate::files;

const FILE: &[Content] = &[json(schema::<FileDocument<'static>>)];

const FILE_EXPIRY: Parameter = parameter(
    "expires_in",
    "How long the file is kept while no job refers to it, 1 s to 10 years; default 24 h.",
    span,
);

pub(super) const POST_FILE: Operation = Operation {
    method: Method::POST,
    path: "/v1/files",
    id: "post_file",
    summary: "Upload a file under a name that the server makes, for `payload_file` of a job.",
    query: &[FILE_EXPIRY],
    headers: &[],
    bodies: ANY,
    answers: &[Answer { status: 201, what: "The file is kept, and on disk.", content: FILE, headers: &["Location"] }],
    problems: &[WRITING],
    handle: |call| Box::pin(files::post(call)),
};

pub(super) const PUT_FILE: Operation = Operation {
    method: Method::PUT,
    path: "/v1/files/{name}",
    id: "put_file",
    summary: "Upload a file, for `payload_file` of a job. Jobs that refer to the one that had the name before keep it.",
    query: &[FILE_EXPIRY],
    headers: &[parameter("If-None-Match", "`*`: only if there is none of this name.", schema::<String>)],
    bodies: ANY,
    answers: &[
        Answer {
            status: 200,
            what: "The file is kept, and on disk; another had the name before.",
            content: FILE,
            headers: &["Location"],
        },
        Answer { status: 201, what: "The file is kept, and on disk.", content: FILE, headers: &["Location"] },
    ],
    problems: &[WRITING, &[Code::PreconditionFailed]],
    handle: |call| Box::pin(files::put(call)),
};

pub(super) const GET_FILE: Operation = Operation {
    method: Method::GET,
    path: "/v1/files/{name}",
    id: "get_file",
    summary: "Get a file, or a part of it, as it was uploaded.",
    query: &[],
    headers: &[RANGE, IF_RANGE, FILE_TAG, LINKS],
    bodies: &[],
    answers: &[
        Answer { status: 200, what: "The file.", content: ANY, headers: FILE_HEADERS },
        PART,
        SAME_FILE,
        ELSEWHERE,
        OUTSIDE,
    ],
    problems: &[READING, &[Code::NotFound]],
    handle: |call| Box::pin(files::get(call)),
};

pub(super) const DELETE_FILE: Operation = Operation {
    method: Method::DELETE,
    path: "/v1/files/{name}",
    id: "delete_file",
    summary: "Have a file no longer. Jobs that refer to it keep it.",
    query: &[],
    headers: &[],
    bodies: &[],
    answers: &[answer(204, "There is none of this name any more.", &[])],
    problems: &[WRITING, &[Code::NotFound]],
    handle: |call| Box::pin(files::delete(call)),
};
