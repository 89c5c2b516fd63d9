use std::time::Duration;

use ackd_checker::{After, Event, Line};
use ackd_domain::{
    Answer, CallbackRequest, Command, JobId, OnFailure, Start, Submission, WebhookEvents, WebhookFormat,
};
use ackd_engine::Until;
use tokio::time::sleep;

use super::{URL, queue, refused};
use crate::chance::Chance;
use crate::history::{History, snapshot};
use crate::network::{Heard, Network};

/// How long a job with a retention is kept for certain, although the wall clock jumps.
const KEPT: Duration = Duration::from_secs(20);

/// The retention that it asks for.
const RETENTION: Duration = Duration::from_secs(300);

/// Submits jobs, asks what became of them, cancels, retries and erases some.
pub(crate) struct Client {
    pub(crate) number: u64,
    pub(crate) network: Network,
    pub(crate) history: History,
    /// Its jobs.
    pub(crate) jobs: Vec<JobId>,
}

impl Client {
    /// Does so many things, with pauses of up to `pause` milliseconds.
    pub(crate) async fn run(mut self, steps: u64, pause: u64) {
        for _ in 0..steps {
            sleep(self.network.chance.millis(pause)).await;
            let at = self.network.chance.below(self.jobs.len().max(1) as u64);
            let job = usize::try_from(at).ok().and_then(|at| self.jobs.get(at)).copied();
            match (self.network.chance.below(20), job) {
                (0..=8, _) | (_, None) => self.submit().await,
                (9..=13, Some(job)) => self.read(job).await,
                (14 | 15, Some(job)) => self.wait(job).await,
                (16 | 17, Some(job)) => self.change(job, |id| Command::Cancel { id }, cancel).await,
                (18, Some(job)) => self.retry(job).await,
                (_, Some(job)) => self.change(job, |id| Command::Delete { id }, delete).await,
            }
        }
    }

    async fn submit(&mut self) {
        let chance = &mut self.network.chance;
        let (mut lines, mut submissions) = (Vec::new(), Vec::new());
        let count = if chance.permille(200) { 3 } else { 1 };
        let keyed = chance.permille(500);
        for _ in 0..count {
            let (payload, body) = self.history.bytes();
            let queue_number = chance.below(2);
            let mut line = Line::new(queue_number, payload);
            let mut submission = Submission::new(queue(queue_number), body);
            if chance.permille(200) {
                let order = chance.below(2);
                line.order = Some(order);
                submission.ordering_key = Some(order.to_string().into());
            }
            if chance.permille(200) {
                line.group = Some(chance.below(2));
                submission.group = line.group.map(|group| group.to_string().into());
            }
            if chance.permille(150) {
                submission.start = Start::After(chance.millis(4_000));
            }
            if chance.permille(100) {
                submission.expires_in = Some(Duration::from_secs(2) + chance.millis(8_000));
            }
            if chance.permille(100) && !keyed {
                line.kept = u64::try_from(KEPT.as_micros()).ok();
                submission.result_retention = Some(RETENTION);
            }
            if chance.permille(200) {
                line.callback = true;
                let (events, format) = (WebhookEvents::ALL, WebhookFormat::Standard);
                submission.callback = Some(Box::new(CallbackRequest { url: URL.into(), events, format, secret: None }));
            }
            if chance.permille(250) {
                come_after(&mut line, &mut submission, lines.len(), &self.jobs, chance);
            }
            submission.max_attempts = Some(if chance.permille(100) { 2 } else { 40 });
            if keyed {
                line.key = Some(payload);
                submission = submission.keyed(payload.to_string().into());
            }
            lines.push(line);
            submissions.push(submission);
        }
        for submission in submissions.iter().filter(|it| it.on_failure == OnFailure::Wait) {
            for after in &submission.after {
                if let ackd_domain::After::Job(id) = after {
                    self.history.wait_for(*id);
                }
            }
        }
        // Where nobody knows, it asks again: under a key for the same job, without one for another.
        let tries = if keyed { 4 } else { 1 + u64::from(chance.permille(300)) };
        for _ in 0..tries {
            if self.submit_once(&lines, &submissions, keyed).await {
                return;
            }
            sleep(self.network.chance.millis(2_000)).await;
        }
    }

    /// Whether that is known to have happened, or not to.
    async fn submit_once(&mut self, lines: &[Line<u64>], submissions: &[Submission], keyed: bool) -> bool {
        let request = self.history.request();
        self.history.add(Event::Submit { request, by: self.number, lines: lines.to_vec() });
        let command = Command::Submit(submissions.to_vec());
        let heard = self.network.ask(keyed, move |engine| {
            let command = command.clone();
            async move { engine.run(vec![command]).await.map(|mut answers| answers.pop()) }
        });
        match heard.await {
            Heard::Answer(Ok(Some(Ok(Answer::Accepted(accepted))))) => {
                let jobs = accepted.iter().map(|it| it.job.id.number()).collect();
                self.history.add(Event::Accepted { request, jobs });
                for (accepted, line) in accepted.into_iter().zip(lines) {
                    if line.callback {
                        self.history.call_back(accepted.job.id);
                    }
                    self.history.know(&accepted.job);
                    self.jobs.push(accepted.job.id);
                }
                true
            }
            Heard::Answer(Err(unavailable)) if !refused(&unavailable) => {
                self.history.add(Event::Unknown { request });
                false
            }
            Heard::Nothing => {
                self.history.add(Event::Unknown { request });
                false
            }
            // A refusal, and also where nobody was there.
            Heard::Answer(_) | Heard::Nobody => {
                let refused = self.network.refused(request);
                self.history.add(refused);
                false
            }
        }
    }

    /// Reads a job, whoever it is of.
    pub(crate) async fn read(&mut self, id: JobId) {
        let since = self.history.now();
        let heard = self.network.ask(false, move |engine| async move { engine.record(id).await });
        match heard.await {
            Heard::Answer(Ok(Some(record))) => {
                let job = snapshot(&record.job, record.payload.as_ref(), record.result.as_ref());
                self.history.know(&record.job);
                self.history.add(Event::Read { by: self.number, since, job });
            }
            Heard::Answer(Ok(None)) => {
                self.history.gone(id);
                self.history.add(Event::Missing { by: self.number, since, job: id.number() });
            }
            _ => {}
        }
    }

    /// Polls long.
    async fn wait(&mut self, id: JobId) {
        let since = self.history.now();
        let patience = self.network.chance.millis(10_000);
        let heard = self.network.ask(false, move |engine| async move {
            let Some(record) = engine.record(id).await? else { return Ok(None) };
            engine.wait(record, Until::Terminal, patience).await.map(Some)
        });
        if let Heard::Answer(Ok(Some(record))) = heard.await {
            let job = snapshot(&record.job, record.payload.as_ref(), record.result.as_ref());
            self.history.know(&record.job);
            self.history.add(Event::Read { by: self.number, since, job });
        }
    }

    /// Asks for the next run of a job.
    pub(crate) async fn retry(&mut self, id: JobId) {
        self.change(id, |id| Command::Retry { id }, retry).await;
    }

    async fn change(&mut self, id: JobId, command: fn(JobId) -> Command, event: fn(u64, u64) -> Event<u64>) {
        let request = self.history.request();
        self.history.add(event(request, id.number()));
        let heard = self.network.ask(true, move |engine| async move {
            engine.run(vec![command(id)]).await.map(|mut answers| answers.pop())
        });
        let answer = match heard.await {
            Heard::Answer(Ok(Some(Ok(answer)))) => {
                if let Answer::Job(job) = answer {
                    self.history.know(&job);
                }
                Event::Done { request }
            }
            Heard::Answer(Err(unavailable)) if !refused(&unavailable) => Event::Unknown { request },
            Heard::Nothing => Event::Unknown { request },
            Heard::Answer(_) | Heard::Nobody => self.network.refused(request),
        };
        self.history.add(answer);
    }
}

/// Has `submission`, which is to be line `at`, come after one of `jobs` or of the lines before it.
fn come_after(line: &mut Line<u64>, submission: &mut Submission, at: usize, jobs: &[JobId], chance: &mut Chance) {
    let pick = |most: usize, chance: &mut Chance| usize::try_from(chance.below(most as u64)).unwrap_or_default();
    let policy = chance.below(3);
    if at > 0 && chance.permille(500) {
        let before = pick(at, chance);
        line.after.push(After::Line(before));
        submission.after.push(ackd_domain::After::Line(before));
    } else if !jobs.is_empty() {
        let id = jobs[pick(jobs.len(), chance)];
        line.after.push(After::Job(id.number()));
        submission.after.push(ackd_domain::After::Job(id));
    }
    submission.on_failure = match policy {
        0 => OnFailure::Cancel,
        // Of those that came with it nobody may know whom to try again.
        1 if !matches!(line.after[..], [After::Line(_)]) => OnFailure::Wait,
        _ => OnFailure::Continue,
    };
    line.anyway = submission.on_failure == OnFailure::Continue;
}

const fn cancel(request: u64, job: u64) -> Event<u64> {
    Event::Cancel { request, job }
}

const fn retry(request: u64, job: u64) -> Event<u64> {
    Event::Retry { request, job }
}

const fn delete(request: u64, job: u64) -> Event<u64> {
    Event::Delete { request, job }
}
