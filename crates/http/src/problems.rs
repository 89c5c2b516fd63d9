//! What the codes of problems and the types of jobs' errors mean, for people who follow a problem's `type`.

use ackd_api::Code;
use http::{HeaderValue, StatusCode};

use crate::answer;
use crate::call::{Call, Outcome};
use crate::problem::Rejection;

/// `GET /problems/{code}`.
pub(crate) async fn explain(mut call: Call) -> Outcome {
    call.no_body().await?;
    let name = call.parameter()?;
    let Some(text) = text(&name) else {
        return Err(Rejection::new(Code::NotFound, "this version knows no problem with this code"));
    };
    Ok(answer::whole(StatusCode::OK, HeaderValue::from_static("text/plain; charset=utf-8"), text.into()))
}

/// What the name of a problem means: of one that is answered, of one that is a job's `error`, or of both.
fn text(name: &str) -> Option<String> {
    let answered = Code::from_text(name).map(|code| {
        format!(
            "{code} (HTTP status {})\n\n{}.\n\nThe `detail` of each such problem says what was wrong, where, and what to do; \
             `errors` lists the fields at fault where fields are. A request that was refused has changed nothing.\n",
            code.status(),
            code.title(),
        )
    });
    let of_job =
        OF_JOBS.iter().find(|(known, _)| *known == name).map(|(_, what)| format!("the `error` of a job: {what}\n"));
    match (answered, of_job) {
        (Some(answered), Some(of_job)) => Some(format!("{answered}\nAs {of_job}")),
        (None, Some(of_job)) => Some(format!("{name}\n\nAs {of_job}")),
        (answered, None) => answered,
    }
}

/// The problems that stand as `error` in jobs, and as `error` in what was tried to deliver of webhooks.
const OF_JOBS: &[(&str, &str)] = &[
    (
        "damaged",
        "what is stored of its payload, or of the result of a job that it comes after, does not match its checksum, or the \
         file of its payload is missing. It cannot be run.",
    ),
    (
        "delivery-failed",
        "a webhook's receiver did not answer, or not with 2xx; the title says which. It is tried again for three days.",
    ),
    ("delivery-void", "a webhook could not be sent any more, and is not tried again; the title says why."),
    ("expired", "it was not done by its `expires_at`. What its last attempt failed of stands in `last_error`."),
    (
        "lease-lapsed",
        "its worker sent no heartbeat until its lease ended: it was killed, cut off, or held up. The attempt counts, and \
         another one follows if any is left.",
    ),
    (
        "predecessor-ended",
        "a job that it comes `after` ended otherwise than `DONE`, and so it was cancelled. `predecessor` is the id of that \
         job; `on_failure` says what else may become of it.",
    ),
    ("push-cancelled", "the POST to its queue's `push` target was dropped, for a cancel of the job was asked for."),
    (
        "push-too-large",
        "its queue's `push` target answered with more than a result may have. It is not tried again: the work is done, and \
         would be done twice.",
    ),
    (
        "push-unanswered",
        "its queue's `push` target could not be reached, or its answer broke off or took longer than `timeout`; the title \
         says which.",
    ),
    (
        "push-unsendable",
        "its payload could not be read, or not to its end, and so was not sent to its queue's `push` target.",
    ),
    (
        "timeout",
        "its attempt took longer than its `timeout`, heartbeats or not. The attempt counts, and another one follows if any \
         is left.",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// What follows `/problems/` in the sources beneath `folder`.
    fn named_in(folder: &Path, names: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                named_in(&path, names);
            } else if path.extension().is_some_and(|it| it == "rs") {
                for rest in fs::read_to_string(&path).unwrap().split("/problems/").skip(1) {
                    let end = rest.find(|letter: char| !letter.is_ascii_lowercase() && letter != '-');
                    names.insert(rest[..end.unwrap_or(rest.len())].to_owned());
                }
            }
        }
    }

    #[test]
    fn each_type_that_the_server_writes_has_its_page() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut names = BTreeSet::new();
        for name in ["domain", "ports", "engine", "http", "ackd"] {
            named_in(&crates.join(name).join("src"), &mut names);
        }
        // Those are whole only where a code or a name is put in.
        names.retain(|name| !name.is_empty());
        assert!(names.contains("predecessor-ended") && names.contains("push-too-large"), "{names:?}");
        for name in names {
            assert!(text(&name).is_some(), "/problems/{name}");
        }
        for (name, _) in OF_JOBS {
            assert!(text(name).unwrap().starts_with(name));
        }
    }
}
