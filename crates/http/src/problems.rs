//! What the codes of problems mean, for people who follow a problem's `type`.

use ackd_api::Code;
use http::{HeaderValue, StatusCode};

use crate::answer;
use crate::call::{Call, Outcome};
use crate::problem::Rejection;

/// `GET /problems/{code}`.
pub(crate) async fn explain(mut call: Call) -> Outcome {
    call.no_body().await?;
    let name = call.parameter()?;
    let Some(code) = Code::from_text(&name) else {
        return Err(Rejection::new(Code::NotFound, "this version knows no problem with this code"));
    };
    let text = format!(
        "{code} (HTTP status {})\n\n{}.\n\nThe `detail` of each such problem says what was wrong, where, and what to do; \
         `errors` lists the fields at fault where fields are. A request that was refused has changed nothing.\n",
        code.status(),
        code.title(),
    );
    Ok(answer::whole(StatusCode::OK, HeaderValue::from_static("text/plain; charset=utf-8"), text.into()))
}
