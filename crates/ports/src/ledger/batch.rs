use std::collections::VecDeque;
use std::sync::Arc;

use ackd_domain::{
    After, Answer, Change, Command, Draws, Endpoint, File, FileId, IdempotencyKey, Job, LeaseToken, LookedAt, Name,
    Needs, PayloadFile, Position, Queue, Refusal, Schedule, Started, Status, Stepped, Submission, Timestamp, View,
    Write, decide, limits,
};

use crate::{Applied, LedgerError, Reactor, ReadError};

/// The rows of a ledger as one batch sees them: what is stored, under what the batch itself has
/// written so far.
///
/// What it draws is drawn for good, whether the batch is committed or not.
pub trait Rows: Draws {
    /// The job with this acceptance number.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] refuses the command that needs the row, [`ReadError::Failed`] fails the
    /// batch; so for every row here.
    fn job(&mut self, number: u64) -> Result<Option<Arc<Job>>, ReadError>;

    /// The job that holds this idempotency key, whatever the fingerprint under which it was made.
    ///
    /// # Errors
    /// As [`Rows::job`].
    fn holder(&mut self, key: &IdempotencyKey) -> Result<Option<Arc<Job>>, ReadError>;

    /// The unfinished job of this queue that carries this unique key.
    ///
    /// # Errors
    /// As [`Rows::job`].
    fn rival(&mut self, queue: &Name, key: &Arc<str>) -> Result<Option<Arc<Job>>, ReadError>;

    /// The queue of this name, if somebody configured it.
    ///
    /// # Errors
    /// As [`Rows::job`].
    fn queue(&mut self, name: &Name) -> Result<Option<Arc<Queue>>, ReadError>;

    /// When attempts at the jobs of this queue began, as it was written last.
    ///
    /// # Errors
    /// As [`Rows::job`].
    fn started(&mut self, queue: &Name) -> Result<Option<Started>, ReadError>;

    /// The webhook endpoint of this name.
    ///
    /// # Errors
    /// As [`Rows::job`].
    fn endpoint(&mut self, name: &Name) -> Result<Option<Arc<Endpoint>>, ReadError>;

    /// How many webhook endpoints there are.
    ///
    /// # Errors
    /// As [`Rows::job`].
    fn endpoints(&mut self) -> Result<usize, ReadError>;

    /// How far the consumer of this name has come in the change feed, if it has begun.
    ///
    /// # Errors
    /// As [`Rows::job`].
    fn position_of(&mut self, consumer: &Name) -> Result<Option<Position>, ReadError>;

    /// The schedule of this name.
    ///
    /// # Errors
    /// As [`Rows::job`].
    fn schedule(&mut self, name: &Name) -> Result<Option<Arc<Schedule>>, ReadError>;

    /// How many schedules there are.
    ///
    /// # Errors
    /// As [`Rows::job`].
    fn schedules(&mut self) -> Result<usize, ReadError>;

    /// The first unfinished job with this ordering key in this queue, by number; those of `but` are passed over.
    ///
    /// # Errors
    /// As [`Rows::job`].
    fn first_in_line(&mut self, queue: &Name, key: &str, but: &[u64]) -> Result<Option<u64>, ReadError>;

    /// The jobs that come after this one and have numbers above `told`, in their order, at most `limit`.
    ///
    /// # Errors
    /// As [`Rows::job`].
    fn followers(&mut self, number: u64, told: u64, limit: usize) -> Result<Vec<u64>, ReadError>;

    /// Whether this job comes after any other than `but` that has not ended as it needs.
    ///
    /// # Errors
    /// As [`Rows::job`].
    fn waits_for_another(&mut self, follower: &Job, but: u64) -> Result<bool, ReadError>;

    /// The file that the store keeps by this id.
    ///
    /// # Errors
    /// As [`Rows::job`].
    fn file(&mut self, id: FileId) -> Result<Option<Arc<File>>, ReadError>;

    /// The file of this name.
    ///
    /// # Errors
    /// As [`Rows::job`].
    fn file_named(&mut self, name: &Name) -> Result<Option<Arc<File>>, ReadError>;

    /// The position of the consumer that has come least far, if there is any.
    ///
    /// # Errors
    /// As [`Rows::job`].
    fn slowest(&mut self) -> Result<Option<Position>, ReadError>;

    /// Writes a row, to be seen by the commands that follow.
    ///
    /// # Errors
    /// [`LedgerError`] fails the batch.
    fn write(&mut self, write: Write) -> Result<(), LedgerError>;
}

/// Decides `commands`, in order, each on the writes of the one before it, and then whatever `reactor`
/// adds: the part of [`crate::Ledger::apply`] that is the same in every ledger.
///
/// Who calls it then persists the changes and commits, or, on an error, forgets what was written.
///
/// # Errors
/// [`LedgerError`] where a row could not be read or written.
pub fn decide_batch(
    rows: &mut impl Rows,
    mut commands: Vec<Command>,
    now: Timestamp,
    reactor: &mut dyn Reactor,
) -> Result<Applied, LedgerError> {
    let mut answers = Vec::with_capacity(commands.len());
    let mut batch = Deciding {
        rows,
        now,
        changes: Vec::with_capacity(commands.len()),
        view: View::default(),
        stepped: Default::default(),
    };
    let mut follow_ups = VecDeque::new();
    let mut followed_up = 0;
    loop {
        let (told, known) = (answers.len(), batch.changes.len());
        for command in commands {
            answers.push(batch.decide(command, &mut follow_ups)?);
        }
        while followed_up < FOLLOW_UPS
            && let Some(command) = follow_ups.pop_front()
        {
            let changed = batch.changes.len();
            // Nobody has asked for it. What is damaged stays as it is, and says so to whoever asks for it.
            let _ = batch.decide(command, &mut follow_ups)?;
            followed_up += 1 + batch.changes.len() - changed;
        }
        commands = reactor.react(&answers[told..], &batch.changes[known..]);
        if commands.is_empty() {
            return Ok(Applied { answers, changes: batch.changes.into(), follow_ups: follow_ups.into() });
        }
    }
}

/// The most follow-ups of one commit and changes by them, so that a job that ten thousand come after stalls nobody.
const FOLLOW_UPS: usize = 512;

/// A batch on its way.
struct Deciding<'a, R> {
    rows: &'a mut R,
    now: Timestamp,
    changes: Vec<Change>,
    /// One for the whole batch, so that its lists are allocated once.
    view: View,
    /// What came of the bulk steps since the last part, and whose they are.
    stepped: (Option<LeaseToken>, Stepped),
}

impl<R: Rows> Deciding<'_, R> {
    fn decide(
        &mut self,
        command: Command,
        follow_ups: &mut VecDeque<Command>,
    ) -> Result<Result<Answer, Refusal>, LedgerError> {
        let (step, part) = match &command {
            Command::BulkStep { bulk, .. } => (Some(*bulk), None),
            Command::BulkPart { bulk, .. } => (None, Some(*bulk)),
            _ => (None, None),
        };
        if let Some(bulk) = part {
            let (of, stepped) = std::mem::take(&mut self.stepped);
            self.view.stepped = if of == Some(bulk) { stepped } else { Stepped::default() };
        }
        let decided = self.decide_one(command, follow_ups)?;
        if let Some(bulk) = step {
            self.count_step(bulk, decided.is_ok());
        }
        Ok(decided)
    }

    fn count_step(&mut self, bulk: LeaseToken, changed: bool) {
        let (of, stepped) = &mut self.stepped;
        if *of != Some(bulk) {
            (*of, *stepped) = (Some(bulk), Stepped::default());
        }
        *(if changed { &mut stepped.changed } else { &mut stepped.refused }) += 1;
    }

    fn decide_one(
        &mut self,
        command: Command,
        follow_ups: &mut VecDeque<Command>,
    ) -> Result<Result<Answer, Refusal>, LedgerError> {
        let decision = match load(self.rows, command.needs(), &mut self.view) {
            Ok(()) => decide(&self.view, command, self.now, self.rows),
            Err(ReadError::Damaged(what)) => Err(Refusal::Damaged(what)),
            Err(ReadError::Failed(why)) => return Err(LedgerError::Failed(why)),
        };
        match decision {
            Ok(decision) => {
                for write in decision.writes {
                    self.rows.write(write)?;
                }
                self.changes.extend(decision.changes);
                follow_ups.extend(decision.follow_ups);
                Ok(Ok(decision.answer))
            }
            Err(refusal) => Ok(Err(refusal)),
        }
    }
}

/// Fills `view` with what `needs` names.
fn load(rows: &mut impl Rows, needs: Needs<'_>, view: &mut View) -> Result<(), ReadError> {
    view.job = None;
    view.holders.clear();
    view.rivals.clear();
    view.queues.clear();
    view.started = None;
    view.endpoint = None;
    view.position = None;
    view.schedule = None;
    view.predecessors.clear();
    view.later_queues.clear();
    view.behind.clear();
    view.next_in_line = None;
    view.followed = false;
    view.followers.clear();
    view.looked_at = None;
    view.awaited = false;
    view.bulk = None;
    view.files.clear();
    view.named_files.clear();
    if let Some(number) = needs.job {
        view.job = rows.job(number)?;
        if let Some(job) = &view.job {
            let queue = rows.queue(&job.spec.queue)?;
            if needs.starts && queue.as_ref().is_some_and(|queue| queue.settings.rate.is_some()) {
                view.started = rows.started(&job.spec.queue)?;
            }
            put(&mut view.queues, 0, queue);
        }
    }
    if let (Some(job), true) = (&view.job, needs.ends) {
        let number = job.id.number();
        if let Some(key) = &job.spec.ordering_key {
            view.next_in_line = next_in_line(rows, &job.spec.queue, key, number)?;
        }
        view.followed = !rows.followers(number, 0, 1)?.is_empty();
        let dead_letter = view.queue().and_then(|queue| queue.settings.dead_letter.clone());
        if let Some(dead_letter) = dead_letter {
            // What is made of it if it dies has the same file.
            if let Some(id) = job.spec.payload_file
                && let Some(file) = unless_damaged(rows.file(id))?
            {
                view.files.insert(id, file);
            }
            if let Some(queue) = rows.queue(&dead_letter)? {
                view.later_queues.insert(dead_letter, queue);
            }
        }
    }
    if let (Some(job), true) = (&view.job, needs.rival)
        && let Some(key) = &job.spec.unique
    {
        let rival = rows.rival(&job.spec.queue, key)?;
        put(&mut view.rivals, 0, rival.filter(|rival| rival.id != job.id));
    }
    if let (Some(number), Some(told)) = (needs.job, needs.followers) {
        load_followers(rows, (number, told), view)?;
    }
    if let (Some(number), true) = (needs.job, needs.awaited) {
        view.awaited = is_awaited(rows, number)?;
    }
    let of_job = view.job.as_ref().filter(|_| needs.files).map(Arc::clone);
    for id in of_job.iter().flat_map(|job| job.files()) {
        // The job goes all the same; of one that stayed, the search for what may go would not get past it.
        if let Some(file) = unless_damaged(rows.file(id))? {
            view.files.insert(id, file);
        }
    }
    if let Some(id) = needs.file
        && let Some(file) = rows.file(id)?
    {
        view.files.insert(id, file);
    }
    if let Some(name) = needs.file_name {
        load_named(rows, name, view)?;
    }
    for (line, submission) in needs.submissions.iter().enumerate() {
        if let Some(key) = &submission.key {
            put(&mut view.holders, line, rows.holder(key)?);
        }
        if let Some(unique) = &submission.unique {
            let rival = rows.rival(&submission.queue, &unique.key)?;
            // Whose file goes where its payload is replaced.
            if let Some(id) = rival.as_ref().and_then(|rival| rival.spec.payload_file)
                && let Some(file) = rows.file(id)?
            {
                view.files.insert(id, file);
            }
            put(&mut view.rivals, line, rival);
        }
        put(&mut view.queues, line, rows.queue(&submission.queue)?);
        for submission in submission.with_all_after() {
            order(rows, submission, view)?;
            if let Some(PayloadFile::Named(name)) = submission.payload_file.as_deref() {
                load_named(rows, name, view)?;
            }
        }
        for later in submission.with_all_after().skip(1) {
            if let Some(queue) = rows.queue(&later.queue)? {
                view.later_queues.insert(later.queue.clone(), queue);
            }
        }
    }
    if let Some(name) = needs.queue {
        put(&mut view.queues, 0, rows.queue(name)?);
    }
    let mut dead_letter = needs.dead_letter.cloned();
    for _ in 0..limits::DEAD_LETTER_HOPS {
        let Some(name) = dead_letter.take() else { break };
        if let Some(queue) = rows.queue(&name)? {
            dead_letter.clone_from(&queue.settings.dead_letter);
            view.later_queues.insert(name, queue);
        }
    }
    if let Some(name) = needs.endpoint {
        view.endpoint = rows.endpoint(name)?;
        view.endpoints = rows.endpoints()?;
    }
    if let Some(consumer) = needs.consumer {
        view.position = rows.position_of(consumer)?;
    }
    if let Some(name) = needs.schedule {
        view.schedule = rows.schedule(name)?;
        view.schedules = rows.schedules()?;
    }
    if let Some(number) = needs.bulk {
        view.bulk = rows.job(number)?;
    }
    if needs.slowest {
        view.position = rows.slowest()?;
    }
    Ok(())
}

/// What was read, and nothing where it is damaged: what is wrong with one row is no reason to refuse what others ask for.
fn unless_damaged<T>(read: Result<Option<T>, ReadError>) -> Result<Option<T>, ReadError> {
    match read {
        Err(ReadError::Damaged(_)) => Ok(None),
        read => read,
    }
}

/// The first unfinished job with this ordering key but for the one of this number. One that cannot be read is passed over, for it
/// never runs.
fn next_in_line(rows: &mut impl Rows, queue: &Name, key: &str, number: u64) -> Result<Option<Arc<Job>>, ReadError> {
    let mut passed = vec![number];
    while let Some(next) = rows.first_in_line(queue, key, &passed)? {
        if let Some(job) = unless_damaged(rows.job(next))? {
            return Ok(Some(job));
        }
        passed.push(next);
    }
    Ok(None)
}

/// Loads the jobs that come after this one and have numbers above `told`.
fn load_followers(rows: &mut impl Rows, (number, told): (u64, u64), view: &mut View) -> Result<(), ReadError> {
    let followers = rows.followers(number, told, limits::RESOLVED_AT_ONCE)?;
    let is_all = followers.len() < limits::RESOLVED_AT_ONCE;
    view.looked_at = followers.last().map(|last| LookedAt { last: *last, is_all });
    for follower in followers {
        let Some(follower) = unless_damaged(rows.job(follower))? else { continue };
        let is_last = !rows.waits_for_another(&follower, number)?;
        view.followers.push((follower, is_last));
    }
    Ok(())
}

/// Whether a job waits for the end of this one.
fn is_awaited(rows: &mut impl Rows, number: u64) -> Result<bool, ReadError> {
    let mut told = 0;
    loop {
        let followers = rows.followers(number, told, limits::RESOLVED_AT_ONCE)?;
        for follower in &followers {
            if unless_damaged(rows.job(*follower))?.is_some_and(|it| it.status == Status::Init && it.held.after) {
                return Ok(true);
            }
        }
        match followers.last() {
            Some(last) if followers.len() == limits::RESOLVED_AT_ONCE => told = *last,
            _ => return Ok(false),
        }
    }
}

/// Loads the file of this name.
fn load_named(rows: &mut impl Rows, name: &Name, view: &mut View) -> Result<(), ReadError> {
    if let Some(file) = rows.file_named(name)? {
        view.named_files.insert(name.clone(), file);
    }
    Ok(())
}

/// Loads what `submission` is to wait for.
fn order(rows: &mut impl Rows, submission: &Submission, view: &mut View) -> Result<(), ReadError> {
    if let Some(key) = &submission.ordering_key
        && next_in_line(rows, &submission.queue, key, 0)?.is_some()
    {
        view.behind.insert((submission.queue.clone(), Arc::clone(key)));
    }
    for after in &submission.after {
        if let After::Job(id) = after
            && let Some(job) = rows.job(id.number())?
        {
            view.predecessors.insert(id.number(), job);
        }
    }
    Ok(())
}

/// Puts `row` at `line`. A list that ends earlier has nothing there, so nothing is not written down.
fn put<T>(list: &mut Vec<Option<T>>, line: usize, row: Option<T>) {
    if row.is_some() {
        list.resize_with(line, || None);
        list.push(row);
    }
}
