use std::sync::Arc;

use ackd_domain::{Answer, Command, Name, Refusal, Schedule, ScheduleRequest};

use crate::calendar::Calendar;
use crate::engine::{Engine, Unavailable};

impl Engine {
    /// Has a schedule, new or as it is to be from now on, whose cron and time zone are those of `calendar`. Says whether it is
    /// new.
    ///
    /// # Errors
    /// [`Unavailable`], or the [`Refusal`] of the ledger; then nothing has changed.
    pub async fn put_schedule(
        &self,
        name: &Name,
        request: &ScheduleRequest,
        calendar: &Calendar,
    ) -> Result<Result<(Arc<Schedule>, bool), Refusal>, Unavailable> {
        loop {
            // After now, and after all for which a job was made, though the clock may have gone back since.
            let used = self.schedule(name).and_then(|known| known.last_run_at);
            let next = calendar.next(self.clock().wall().max(used.unwrap_or_default()));
            let (name, request) = (name.clone(), Box::new(request.clone()));
            let answers = self.run(vec![Command::PutSchedule { name, request, next }]).await?;
            match answers.into_iter().next() {
                Some(Ok(Answer::Schedule { schedule, created })) => return Ok(Ok((schedule, created))),
                // It made a job meanwhile, which it does but once a minute.
                Some(Err(Refusal::ScheduleMoved)) => {}
                Some(Err(refusal)) => return Ok(Err(refusal)),
                _ => return Err(Unavailable::Stopping),
            }
        }
    }

    /// The schedules, by name.
    #[must_use]
    pub fn schedules(&self) -> Vec<Arc<Schedule>> {
        self.schedules_seen().all()
    }

    /// The schedule of this name.
    #[must_use]
    pub fn schedule(&self, name: &Name) -> Option<Arc<Schedule>> {
        self.schedules_seen().of(name)
    }
}
