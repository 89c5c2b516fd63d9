use std::sync::Arc;

use ackd_domain::{Change, ChangeKind, Position, Status, Timestamp};
use rusqlite::Statement;

use super::job::read_spec;
use super::state::State;
use super::{Columns, Refs, StateBinder, Unreadable, table};
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
}

/// The statement up to its conditions from which [`ChangeRow::read`] makes a change.
macro_rules! select_change {
    () => {
        concat!(
            "SELECT change.seq, change.job, change.previous, change.at, change.kind, change.crc, ",
            $crate::rows::state_columns!("change."),
            ", submission.lane, ",
            $crate::rows::spec_columns!(),
            " FROM change LEFT JOIN submission ON submission.id = change.job",
            $crate::rows::spec_joins!("change"),
            " "
        )
    };
}
pub(crate) use select_change;

impl<'a> ChangeRow<'a> {
    /// Binds the row of `change` to ?1 to ?21: position, job, the change before, time, kind, checksum, state.
    pub(crate) fn bind(
        statement: &mut Statement<'_>,
        binder: &mut StateBinder,
        change: &Change,
        refs: Refs,
        checksum: &mut Checksum,
    ) -> rusqlite::Result<()> {
        let row = ChangeRow::of(change, refs);
        statement.raw_bind_parameter(1, row.seq)?;
        statement.raw_bind_parameter(2, row.job)?;
        statement.raw_bind_parameter(3, row.previous)?;
        statement.raw_bind_parameter(4, row.at)?;
        statement.raw_bind_parameter(5, row.kind)?;
        statement.raw_bind_parameter(6, row.sum(checksum))?;
        binder.bind(statement, 7, &row.state)
    }

    /// A time that follows from the change is left out: that takes a third off most rows.
    fn of(change: &'a Change, refs: Refs) -> ChangeRow<'a> {
        let at = change.at.millis();
        let mut state = State::of(&change.job, refs);
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
        }
    }

    fn sum(&self, checksum: &mut Checksum) -> i64 {
        checksum.row(table::CHANGE, self.seq).int(self.job).int(self.previous).int(self.at).int(self.kind);
        self.state.sum(checksum).value()
    }

    /// Reads the columns of [`select_change`]; `lane` finds a lane by its number.
    pub(crate) fn read<E: From<Unreadable>>(
        columns: &mut Columns<'a>,
        checksum: &mut Checksum,
        lane: impl FnOnce(i64) -> Result<Arc<LaneRow>, E>,
    ) -> Result<Change, E> {
        let (seq, job, previous) = (columns.int()?, columns.int()?, columns.int()?);
        let (at, kind, sum) = (columns.int()?, columns.int()?, columns.int()?);
        let mut row = ChangeRow { seq, job, previous, at, kind, state: State::read(columns)? };
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
        })
    }
}
