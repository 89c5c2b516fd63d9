use std::sync::Arc;

use ackd_domain::{
    Command, Draws, Endpoint, IdempotencyKey, Job, Name, Needs, Position, Queue, Refusal, Schedule, Timestamp, View,
    Write, decide,
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

    /// The queue of this name, if somebody configured it.
    ///
    /// # Errors
    /// As [`Rows::job`].
    fn queue(&mut self, name: &Name) -> Result<Option<Arc<Queue>>, ReadError>;

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
    let mut changes = Vec::with_capacity(commands.len());
    let mut view = View::default();
    loop {
        let (told, known) = (answers.len(), changes.len());
        for command in commands {
            let decision = match load(rows, command.needs(), &mut view) {
                Ok(()) => decide(&view, command, now, rows),
                Err(ReadError::Damaged(what)) => Err(Refusal::Damaged(what)),
                Err(ReadError::Failed(why)) => return Err(LedgerError::Failed(why)),
            };
            answers.push(match decision {
                Ok(decision) => {
                    for write in decision.writes {
                        rows.write(write)?;
                    }
                    changes.extend(decision.changes);
                    Ok(decision.answer)
                }
                Err(refusal) => Err(refusal),
            });
        }
        commands = reactor.react(&answers[told..], &changes[known..]);
        if commands.is_empty() {
            return Ok(Applied { answers, changes: changes.into() });
        }
    }
}

/// Fills `view` with what `needs` names. It is one view for the whole batch, so that its lists are
/// allocated once.
fn load(rows: &mut impl Rows, needs: Needs<'_>, view: &mut View) -> Result<(), ReadError> {
    view.job = None;
    view.holders.clear();
    view.queues.clear();
    view.endpoint = None;
    view.position = None;
    view.schedule = None;
    if let Some(number) = needs.job {
        view.job = rows.job(number)?;
        if let Some(job) = &view.job {
            put(&mut view.queues, 0, rows.queue(&job.spec.queue)?);
        }
    }
    for (line, submission) in needs.submissions.iter().enumerate() {
        if let Some(key) = &submission.key {
            put(&mut view.holders, line, rows.holder(key)?);
        }
        put(&mut view.queues, line, rows.queue(&submission.queue)?);
    }
    if let Some(name) = needs.queue {
        put(&mut view.queues, 0, rows.queue(name)?);
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
    Ok(())
}

/// Puts `row` at `line`. A list that ends earlier has nothing there, so nothing is not written down.
fn put<T>(list: &mut Vec<Option<T>>, line: usize, row: Option<T>) {
    if row.is_some() {
        list.resize_with(line, || None);
        list.push(row);
    }
}
