//! Whether the server lives, and whether it can do its work.

use ackd_api::{Code, Problem, Time};
use http::StatusCode;
use serde::Serialize;

use crate::answer;
use crate::call::{Call, Outcome};

/// The server lives.
#[derive(Serialize, schemars::JsonSchema)]
pub(crate) struct Alive<'a> {
    /// Always `ok`.
    status: &'a str,
    /// The server's version.
    version: &'a str,
    /// When it was started.
    started_at: Time,
}

/// The server can do its work.
#[derive(Serialize, schemars::JsonSchema)]
pub(crate) struct Ready {
    /// Always true; an answer that says otherwise is a problem.
    ready: bool,
}

/// `GET /healthz`.
pub(crate) async fn alive(mut call: Call) -> Outcome {
    call.no_body().await?;
    let alive = Alive { status: "ok", version: &call.shared().version, started_at: call.shared().started_at };
    answer::json(StatusCode::OK, &alive)
}

/// `GET /readyz`.
pub(crate) async fn ready(mut call: Call) -> Outcome {
    call.no_body().await?;
    let health = call.engine().health();
    if health.is_ready() {
        return answer::json(StatusCode::OK, &Ready { ready: true });
    }
    let mut trouble = health.trouble;
    if health.stopping {
        trouble.push("the server is stopping".to_owned());
    }
    Err(Problem::new(Code::NotReady, trouble.join("; ")).with_extension("trouble", trouble).into())
}
