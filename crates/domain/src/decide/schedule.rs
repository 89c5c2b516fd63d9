use std::sync::Arc;

use crate::{
    Answer, Decision, Draws, Firing, Name, Refusal, Schedule, ScheduleRequest, Timestamp, View, Write, limits,
};

use super::submit;

/// A new schedule, or a known one as it is to be; `next` is its first time from now on. One that is to be at the same times
/// as before keeps its next: what is due already is not forgotten because somebody put it anew.
pub(super) fn put(
    view: &View,
    name: Name,
    request: ScheduleRequest,
    next: Option<Timestamp>,
    now: Timestamp,
) -> Result<Decision, Refusal> {
    let ScheduleRequest { cron, timezone, missed, paused, job } = request;
    let known = view.schedule.as_deref();
    if known.is_none() && view.schedules >= limits::SCHEDULES {
        return Err(Refusal::TooManySchedules);
    }
    let as_before =
        known.filter(|known| (&known.cron, &known.timezone, known.paused, paused) == (&cron, &timezone, false, false));
    let last_run_at = known.and_then(|known| known.last_run_at);
    let next_run_at = match as_before {
        Some(known) => known.next_run_at,
        None if paused => None,
        // Whoever said when did not know yet for when a job was made meanwhile.
        None if next.is_some() && next <= last_run_at => return Err(Refusal::ScheduleMoved),
        None => next,
    };
    let schedule = Arc::new(Schedule {
        revision: known.map_or(1, |known| known.revision + 1),
        created_at: known.map_or(now, |known| known.created_at),
        last_job: known.and_then(|known| known.last_job),
        name,
        cron,
        timezone,
        missed,
        paused,
        job,
        next_run_at,
        last_run_at,
    });
    let answer = Answer::Schedule { schedule: Arc::clone(&schedule), created: known.is_none() };
    Ok(Decision { writes: vec![Write::Schedule(schedule)], ..Decision::answer(answer) })
}

pub(super) fn delete(view: &View, name: Name) -> Result<Decision, Refusal> {
    view.schedule.as_ref().ok_or(Refusal::NotFound)?;
    let writes = vec![Write::NoSchedule(name.clone())];
    Ok(Decision { writes, ..Decision::answer(Answer::NoSchedule(name)) })
}

/// The jobs, and the schedule's next time in the same decision: a second one who means to make them, or the same one
/// after a crash, makes none.
pub(super) fn fire(view: &View, firing: Firing, now: Timestamp, draws: &mut dyn Draws) -> Result<Decision, Refusal> {
    let Firing { name: _, revision, at, jobs, latest, next } = firing;
    let known = view.schedule.as_deref().ok_or(Refusal::NotFound)?;
    if (known.revision, known.next_run_at) != (revision, Some(at)) {
        return Err(Refusal::ScheduleMoved);
    }
    let Decision { mut writes, changes, answer, follow_ups } = submit::decide(view, jobs, now, draws)?;
    let Answer::Accepted(accepted) = answer else { return Err(Refusal::ScheduleMoved) };
    let schedule = Arc::new(Schedule {
        next_run_at: next,
        last_run_at: latest.or(known.last_run_at),
        last_job: accepted.last().map(|accepted| accepted.job.id).or(known.last_job),
        ..known.clone()
    });
    writes.push(Write::Schedule(Arc::clone(&schedule)));
    Ok(Decision { writes, changes, answer: Answer::Fired { schedule, accepted }, follow_ups })
}
