use std::sync::Arc;

use ackd_domain::{Change, ChangeKind, Position, Status, Timestamp};
use rusqlite::Statement;

use super::job::read_spec;
use super::state::{self, State, plain, rare};
use super::{Columns, Refs, Shape, Unreadable, table};
use crate::checksum::Checksum;
use crate::lane::LaneRow;

/// A change's row.
pub(crate) struct ChangeRow<'a> {
    seq: i64,
    job: i64,
    previous: i64,
    at: i64,
    kind: i64,
    state: State<'a>,
    replaced: Refs,
}

/// Where the long texts of a change's job stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ChangeRefs {
    /// As of the change.
    pub(crate) now: Refs,
    /// Those that the job had until this change. When it is deleted, nobody needs them any more.
    pub(crate) replaced: Refs,
}

/// The statement up to its conditions from which [`ChangeRow::read`] makes a change.
macro_rules! select_change {
    () => {
        concat!(
            "SELECT change.seq, change.job, change.previous, change.at, change.kind, change.crc, ",
            $crate::rows::state_columns!("change."),
            ", change.old_error, change.old_checkpoint, submission.lane, ",
            $crate::rows::spec_columns!(),
            " FROM change LEFT JOIN submission ON submission.id = change.job",
            $crate::rows::spec_joins!("change"),
            " "
        )
    };
}
pub(crate) use select_change;

/// The columns of a change's row, by its shape.
pub(crate) const fn change_columns(shape: Shape) -> &'static str {
    match shape {
        Shape::First => "seq, job, at, crc, run_at",
        Shape::FirstExpiring => "seq, job, at, crc, run_at, expires_at",
        Shape::Plain => concat!("seq, job, at, crc, run_at, previous, kind, ", plain!()),
        Shape::Expiring => concat!("seq, job, at, crc, run_at, previous, kind, ", plain!(), ", expires_at"),
        Shape::Rare => concat!(
            "seq, job, at, crc, run_at, previous, kind, ",
            plain!(),
            ", expires_at, ",
            rare!(),
            ", old_error, old_checkpoint"
        ),
    }
}

impl<'a> ChangeRow<'a> {
    /// Which statement can write the row of `change`.
    pub(crate) fn shape(change: &Change, refs: ChangeRefs) -> Shape {
        if refs.replaced != Refs::default() {
            return Shape::Rare;
        }
        let is_first = change.kind == ChangeKind::Submitted && change.job.version == 1;
        state::shape(&change.job, refs.now, is_first)
    }

    /// Binds the columns of its shape to the parameters from `first` on.
    pub(crate) fn bind(
        &self,
        statement: &mut Statement<'_>,
        first: usize,
        shape: Shape,
        checksum: &mut Checksum,
    ) -> rusqlite::Result<()> {
        statement.raw_bind_parameter(first, self.seq)?;
        statement.raw_bind_parameter(first + 1, self.job)?;
        statement.raw_bind_parameter(first + 2, self.at)?;
        statement.raw_bind_parameter(first + 3, self.sum(checksum))?;
        statement.raw_bind_parameter(first + 4, self.state.run_at)?;
        let mut next = first + 5;
        if shape.has_plain() {
            statement.raw_bind_parameter(next, self.previous)?;
            statement.raw_bind_parameter(next + 1, self.kind)?;
            next += 2;
        }
        let next = self.state.bind(statement, next, shape)?;
        if shape == Shape::Rare {
            statement.raw_bind_parameter(next, self.replaced.error)?;
            statement.raw_bind_parameter(next + 1, self.replaced.checkpoint)?;
        }
        Ok(())
    }

    /// A time that follows from the change is left out: that takes a third off most rows.
    pub(crate) fn of(change: &'a Change, refs: ChangeRefs) -> ChangeRow<'a> {
        let at = change.at.millis();
        let mut state = State::of(&change.job, refs.now);
        let leave_out = |time: &mut Option<i64>, implied: bool| {
            // What is implied must be so, for NULL says it.
            debug_assert!(!implied || time.is_some());
            if implied && *time == Some(at) {
                *time = None;
            }
        };
        leave_out(&mut state.run_at, true);
        leave_out(&mut state.started_at, change.kind == ChangeKind::Leased);
        leave_out(&mut state.finished_at, change.job.status.is_terminal());
        ChangeRow {
            seq: change.position.0.cast_signed(),
            job: change.job.id.number().cast_signed(),
            previous: change.previous.0.cast_signed(),
            at,
            kind: change.kind as i64,
            state,
            replaced: refs.replaced,
        }
    }

    fn sum(&self, checksum: &mut Checksum) -> i64 {
        checksum.row(table::CHANGE, self.seq).int(self.job).int(self.previous).int(self.at).int(self.kind);
        self.state.sum(checksum).maybe(self.replaced.error).maybe(self.replaced.checkpoint).value()
    }

    /// Reads the columns of [`select_change`]; `lane` finds a lane by its number.
    pub(crate) fn read<E: From<Unreadable>>(
        columns: &mut Columns<'a>,
        checksum: &mut Checksum,
        lane: impl FnOnce(i64) -> Result<Arc<LaneRow>, E>,
    ) -> Result<Change, E> {
        let (seq, job, previous) = (columns.int()?, columns.int()?, columns.int()?);
        let (at, kind, sum) = (columns.int()?, columns.int()?, columns.int()?);
        let state = State::read(columns)?;
        let replaced = Refs { error: columns.maybe()?, checkpoint: columns.maybe()? };
        let mut row = ChangeRow { seq, job, previous, at, kind, state, replaced };
        if row.sum(checksum) != sum {
            return Err(Unreadable.into());
        }
        let kind = u8::try_from(kind).ok().and_then(ChangeKind::from_number).ok_or(Unreadable)?;
        let status = u8::try_from(row.state.status).ok().and_then(Status::from_number).ok_or(Unreadable)?;
        let put_back = |time: &mut Option<i64>, implied: bool| {
            if implied && time.is_none() {
                *time = Some(at);
            }
        };
        put_back(&mut row.state.run_at, true);
        put_back(&mut row.state.started_at, kind == ChangeKind::Leased);
        put_back(&mut row.state.finished_at, status.is_terminal());
        let lane = lane(columns.int()?)?;
        let mut job = read_spec(job, &row.state, &lane, columns, checksum)?;
        job.changed = Position(seq.cast_unsigned());
        Ok(Change {
            position: job.changed,
            previous: Position(previous.cast_unsigned()),
            at: Timestamp::from_millis(at),
            kind,
            job: Arc::new(job),
            body: None,
            was_due: None,
        })
    }
}
