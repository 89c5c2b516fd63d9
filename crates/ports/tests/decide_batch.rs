//! What a batch comes to where rows cannot be read or written.

#![allow(clippy::unwrap_used, reason = "this is a test, all of it")]

use std::sync::Arc;

use ackd_domain::{
    Body, Command, Draws, Endpoint, IdempotencyKey, JSON, Job, Name, Position, Queue, Refusal, Schedule, Started,
    Submission, Timestamp, Write,
};
use ackd_ports::{Applied, Idle, LedgerError, ReadError, Rows, decide_batch};
use bytes::Bytes;

/// Rows of which some are bad.
#[derive(Default)]
struct Bad {
    drawn: u64,
    written: usize,
    full: bool,
}

impl Draws for Bad {
    fn number(&mut self) -> u64 {
        self.drawn += 1;
        self.drawn
    }

    fn position(&mut self) -> Position {
        self.drawn += 1;
        Position(self.drawn)
    }

    fn random(&mut self) -> u64 {
        0
    }
}

impl Rows for Bad {
    fn job(&mut self, number: u64) -> Result<Option<Arc<Job>>, ReadError> {
        match number {
            1 => Err(ReadError::Damaged("job 1".into())),
            2 => Err(ReadError::Failed("no such disk".into())),
            _ => Ok(None),
        }
    }

    fn holder(&mut self, key: &IdempotencyKey) -> Result<Option<Arc<Job>>, ReadError> {
        Err(ReadError::Damaged(format!("key {}", key.text)))
    }

    fn rival(&mut self, queue: &Name, key: &Arc<str>) -> Result<Option<Arc<Job>>, ReadError> {
        Err(ReadError::Damaged(format!("unique key {key} of {queue}")))
    }

    fn queue(&mut self, _: &Name) -> Result<Option<Arc<Queue>>, ReadError> {
        Ok(None)
    }

    fn started(&mut self, queue: &Name) -> Result<Option<Started>, ReadError> {
        Err(ReadError::Damaged(format!("what began in {queue}")))
    }

    fn endpoint(&mut self, name: &Name) -> Result<Option<Arc<Endpoint>>, ReadError> {
        Err(ReadError::Damaged(format!("endpoint {name}")))
    }

    fn endpoints(&mut self) -> Result<usize, ReadError> {
        Ok(0)
    }

    fn position_of(&mut self, consumer: &Name) -> Result<Option<Position>, ReadError> {
        Err(ReadError::Damaged(format!("the position of {consumer}")))
    }

    fn schedule(&mut self, name: &Name) -> Result<Option<Arc<Schedule>>, ReadError> {
        Err(ReadError::Damaged(format!("schedule {name}")))
    }

    fn schedules(&mut self) -> Result<usize, ReadError> {
        Ok(0)
    }

    fn first_in_line(&mut self, _: &Name, _: &str, _: &[u64]) -> Result<Option<u64>, ReadError> {
        Ok(None)
    }

    fn followers(&mut self, _: u64, _: u64, _: usize) -> Result<Vec<u64>, ReadError> {
        Ok(Vec::new())
    }

    fn waits_for_another(&mut self, _: &Job, _: u64) -> Result<bool, ReadError> {
        Ok(false)
    }

    fn file(&mut self, _: ackd_domain::FileId) -> Result<Option<Arc<ackd_domain::File>>, ReadError> {
        Ok(None)
    }

    fn file_named(&mut self, _: &Name) -> Result<Option<Arc<ackd_domain::File>>, ReadError> {
        Ok(None)
    }

    fn slowest(&mut self) -> Result<Option<Position>, ReadError> {
        Err(ReadError::Damaged("the slowest consumer".into()))
    }

    fn write(&mut self, _: Write) -> Result<(), LedgerError> {
        if self.full {
            return Err(LedgerError::Full("no room".into()));
        }
        self.written += 1;
        Ok(())
    }
}

fn submission() -> Submission {
    Submission::new(Name::new("video").unwrap(), Body { content_type: JSON.into(), bytes: Bytes::new() })
}

fn apply(rows: &mut Bad, commands: Vec<Command>) -> Result<Applied, LedgerError> {
    decide_batch(rows, commands, Timestamp::default(), &mut Idle)
}

#[test]
fn a_damaged_row_refuses_the_command_that_needs_it_and_no_other() {
    let mut rows = Bad::default();
    let applied = apply(
        &mut rows,
        vec![
            Command::Submit(vec![submission()]),
            Command::Expire { number: 1 },
            Command::Submit(vec![submission(), submission().keyed("k".into())]),
            Command::Expire { number: 3 },
            Command::Submit(vec![submission()]),
        ],
    );
    let answers: Vec<Option<Refusal>> = applied.unwrap().answers.into_iter().map(Result::err).collect();
    let damaged = |what: &str| Some(Refusal::Damaged(what.into()));
    assert_eq!(answers, [None, damaged("job 1"), damaged("key k"), Some(Refusal::NotFound), None]);
    assert_eq!(rows.written, 2);
}

#[test]
fn a_store_that_cannot_be_read_fails_the_batch() {
    let failed = apply(&mut Bad::default(), vec![Command::Expire { number: 3 }, Command::Expire { number: 2 }]);
    assert_eq!(failed, Err(LedgerError::Failed("no such disk".into())));
}

#[test]
fn a_store_that_cannot_be_written_fails_the_batch() {
    let mut rows = Bad { full: true, ..Bad::default() };
    let failed = apply(&mut rows, vec![Command::Submit(vec![submission()])]);
    assert_eq!(failed, Err(LedgerError::Full("no room".into())));
}
