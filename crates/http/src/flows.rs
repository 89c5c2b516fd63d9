//! Flows: a graph of jobs in one durable step.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ackd_api::{Code, Envelope, FlowCancelled, FlowDocument, FlowRequest, Problem, limits};
use ackd_domain::{After, Answer, Command, Job, JobId, Refusal, Status, Submission};
use ackd_engine::Filter;
use http::header::{self, HeaderValue};
use http::{Response, StatusCode};

use crate::answer;
use crate::call::{Call, Outcome};
use crate::headers::{self, IDEMPOTENT_REPLAYED};
use crate::intake::Whole;
use crate::outlet::Outlet;
use crate::problem::{Rejection, by_line, problem_of};
use crate::submission::secret_is_given;
use crate::submit::payload;

/// The jobs of a flow that are looked at in one step.
const STEP: usize = 500;

/// `POST /v1/flows`.
pub(crate) async fn submit(mut call: Call) -> Outcome {
    let key = headers::idempotency_key(call.headers())?.map(|key| Arc::from(&*key));
    let whole = call.body(limits::BATCH_BYTES).await?;
    let Wanted { keys, places, mut submissions } = wanted(&call, &whole)?;
    drop(whole);
    if let Some(key) = key {
        keyed(&mut submissions, key);
    }
    let answers = call.engine().run(vec![Command::Submit(submissions)]).await?;
    let accepted = match answers.into_iter().next() {
        Some(Ok(Answer::Accepted(accepted))) if !accepted.is_empty() => accepted,
        Some(Err(refusal)) => return Err(refused(refusal, &places).into()),
        _ => return Err(Rejection::new(Code::Internal, "the flow was accepted, and the answer lost")),
    };
    let (id, replayed) = (accepted[0].job.id, accepted[0].is_replayed());
    let jobs: BTreeMap<Cow<'_, str>, Cow<'_, str>> = if replayed {
        let jobs = jobs(&call, id).await?;
        let named = jobs.iter().filter_map(|job| Some((job.spec.flow.as_ref()?.key.to_string(), job.id.to_string())));
        named.map(|(key, id)| (Cow::Owned(key), Cow::Owned(id))).collect()
    } else {
        let named = keys.iter().zip(&accepted);
        named.map(|(key, accepted)| (Cow::Borrowed(&**key), Cow::Owned(accepted.job.id.to_string()))).collect()
    };
    let document = FlowDocument { flow: id.to_string().into(), jobs };
    let mut response = answer::json(StatusCode::ACCEPTED, &document)?;
    if let Ok(location) = HeaderValue::try_from(format!("/v1/jobs?flow={id}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    if replayed {
        response.headers_mut().insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// Why the flow is refused whose jobs stand at these places of the request.
fn refused(refusal: Refusal, places: &[usize]) -> Problem {
    // The key is that of the whole flow, and no field of a job.
    if matches!(refusal, Refusal::KeyMismatch(_)) {
        return problem_of(refusal);
    }
    let lines = match by_line(refusal) {
        Ok(lines) => lines.into_iter(),
        Err(refusal) => return problem_of(refusal),
    };
    let place = |line: usize| places.get(line).copied().unwrap_or_default();
    let mut problems = lines.map(|(line, problem)| problem.within(&format!("/jobs/{}", place(line))));
    let Some(mut first) = problems.next() else {
        return Problem::new(Code::Internal, "the flow was refused, and the reason lost");
    };
    first.errors.extend(problems.flat_map(|problem| problem.errors.clone()));
    first.errors.truncate(ackd_api::Faults::MAX);
    first
}

/// `POST /v1/flows/{id}/cancel`.
pub(crate) async fn cancel(mut call: Call) -> Outcome {
    call.no_body().await?;
    let id = call.id_of("flow")?;
    // The first of them may be gone already.
    let all = jobs(&call, id).await?;
    if all.is_empty() {
        return Err(Rejection::new(Code::NotFound, "there is no flow with this id, or no longer"));
    }
    let open: Vec<Arc<Job>> = all.into_iter().filter(|job| !job.status.is_terminal()).collect();
    let (mut cancelled, mut asked) = (0, 0);
    // What comes after others goes before them, so that the end of those does not let it begin.
    for step in open.chunks(STEP) {
        let commands = step.iter().map(|job| Command::Cancel { id: job.id }).collect();
        for answer in call.engine().run(commands).await? {
            match answer {
                Ok(Answer::Job(job)) if job.status == Status::Cancelled => cancelled += 1,
                Ok(Answer::Job(_)) => asked += 1,
                // It has ended meanwhile.
                _ => {}
            }
        }
    }
    shown(&FlowCancelled { flow: id.to_string().into(), cancelled, asked })
}

fn shown(cancelled: &FlowCancelled<'_>) -> Result<Response<Outlet>, Rejection> {
    let mut response = answer::json(StatusCode::ACCEPTED, cancelled)?;
    answer::may_change(response.headers_mut());
    Ok(response)
}

/// The jobs of a flow, newest first.
async fn jobs(call: &Call, flow: JobId) -> Result<Vec<Arc<Job>>, Rejection> {
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let filter = Filter { flow: Some(flow), ..Filter::default() };
        let page = call.engine().list(filter.into(), before, STEP).await?;
        found.extend(page.jobs);
        before = page.next;
        if before.is_none() {
            return Ok(found);
        }
    }
}

/// The jobs of a flow, each after those that it comes after.
struct Wanted {
    keys: Vec<String>,
    /// Where they stand in the request.
    places: Vec<usize>,
    submissions: Vec<Submission>,
}

fn wanted(call: &Call, whole: &Whole) -> Result<Wanted, Problem> {
    let FlowRequest { jobs } = ackd_api::parse(whole.bytes())?;
    let places = sorted(&jobs)?;
    let mut lines = HashMap::with_capacity(jobs.len());
    let mut submissions = Vec::with_capacity(jobs.len());
    let mut keys = Vec::with_capacity(jobs.len());
    for place in places.iter().copied() {
        let envelope = &jobs[place];
        let read = || {
            let body = payload(call, envelope, whole)?;
            let after =
                envelope.after.iter().filter_map(|key| lines.get(&**key)).map(|line| After::Line(*line)).collect();
            let submission = call.shared().in_flow(envelope, body, after)?;
            secret_is_given(&submission)?;
            Ok(submission)
        };
        submissions.push(read().map_err(|problem: Problem| problem.within(&format!("/jobs/{place}")))?);
        let key = envelope.key.as_deref().unwrap_or_default();
        lines.insert(key, keys.len());
        keys.push(key.to_owned());
    }
    Ok(Wanted { keys, places, submissions })
}

/// Puts the whole flow under one key: that of its first job, with a fingerprint of all.
fn keyed(submissions: &mut [Submission], key: Arc<str>) {
    let Some((first, others)) = submissions.split_first_mut() else { return };
    let whole = Submission { then: others.to_vec(), ..first.clone() };
    first.key = whole.keyed(key).key;
}

/// The places of the jobs in an order in which each comes after those that it names.
fn sorted(jobs: &[Envelope<'_>]) -> Result<Vec<usize>, Problem> {
    let key = |place: usize| jobs[place].key.as_deref().unwrap_or_default();
    let places: HashMap<&str, usize> = (0..jobs.len()).map(|place| (key(place), place)).collect();
    let mut waits = vec![0usize; jobs.len()];
    let mut followers: Vec<Vec<usize>> = vec![Vec::new(); jobs.len()];
    for (place, job) in jobs.iter().enumerate() {
        for (at, after) in job.after.iter().enumerate() {
            let Some(predecessor) = places.get(&**after) else {
                let pointer = format!("/jobs/{place}/after/{at}");
                return Err(Problem::at(pointer, "is the key of no job of this flow"));
            };
            waits[place] += 1;
            followers[*predecessor].push(place);
        }
    }
    let mut order: Vec<usize> = (0..jobs.len()).filter(|place| waits[*place] == 0).collect();
    let mut next = 0;
    while let Some(place) = order.get(next).copied() {
        next += 1;
        for follower in &followers[place] {
            waits[*follower] -= 1;
            if waits[*follower] == 0 {
                order.push(*follower);
            }
        }
    }
    if order.len() == jobs.len() { Ok(order) } else { Err(cycle(jobs, &places, &waits)) }
}

/// Names the jobs of a cycle: whoever waits still waits for another that does, and so comes to it again.
fn cycle(jobs: &[Envelope<'_>], places: &HashMap<&str, usize>, waits: &[usize]) -> Problem {
    /// The jobs of a cycle that are named.
    const NAMED: usize = 10;
    let mut seen: Vec<usize> = Vec::new();
    let mut place = waits.iter().position(|waits| *waits > 0).unwrap_or_default();
    while !seen.contains(&place) {
        seen.push(place);
        let waiting = jobs[place].after.iter().filter_map(|key| places.get(&**key)).find(|it| waits[**it] > 0);
        place = waiting.copied().unwrap_or(place);
    }
    let start = seen.iter().position(|it| *it == place).unwrap_or_default();
    let members = &seen[start..];
    let name = |place: usize| format!("{:?}", jobs[place].key.as_deref().unwrap_or_default());
    let names: Vec<String> = members.iter().take(NAMED).map(|it| name(*it)).collect();
    let more = if members.len() > NAMED { " …" } else { "" };
    let detail =
        format!("makes a cycle: {}{more}, which comes after {}", names.join(", which comes after "), name(place));
    Problem::at(format!("/jobs/{place}/after"), detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(text: &str) -> Result<Vec<usize>, Problem> {
        let request: FlowRequest<'_> = ackd_api::parse(text.as_bytes()).unwrap();
        sorted(&request.jobs)
    }

    fn job(key: &str, after: &[&str]) -> String {
        let after: Vec<String> = after.iter().map(|key| format!("{key:?}")).collect();
        format!(r#"{{"key":{key:?},"queue":"q","after":[{}]}}"#, after.join(","))
    }

    fn flow(jobs: &[String]) -> String {
        format!(r#"{{"jobs":[{}]}}"#, jobs.join(","))
    }

    #[test]
    fn each_stands_after_those_that_it_comes_after() {
        let text = flow(&[job("join", &["a", "b"]), job("a", &["start"]), job("b", &["start"]), job("start", &[])]);
        assert_eq!(order(&text), Ok(vec![3, 1, 2, 0]));
        assert_eq!(order(&flow(&[job("a", &[]), job("b", &[])])), Ok(vec![0, 1]));
        let twice = flow(&[job("a", &[]), job("b", &["a", "a"])]);
        assert_eq!(order(&twice), Ok(vec![0, 1]));
    }

    #[test]
    fn a_cycle_is_named() {
        let text =
            flow(&[job("free", &[]), job("x", &["c", "free"]), job("a", &["b"]), job("b", &["c"]), job("c", &["a"])]);
        let problem = order(&text).unwrap_err();
        assert_eq!(problem.errors[0].pointer, "/jobs/4/after");
        let words = r#"makes a cycle: "c", which comes after "a", which comes after "b", which comes after "c""#;
        assert_eq!(problem.errors[0].detail, words);
        let alone = order(&flow(&[job("a", &["a"])])).unwrap_err();
        assert_eq!(alone.errors[0].detail, r#"makes a cycle: "a", which comes after "a""#);
        let unknown = order(&flow(&[job("a", &["b"])])).unwrap_err();
        assert_eq!(unknown.errors[0].pointer, "/jobs/0/after/0");
    }
}
