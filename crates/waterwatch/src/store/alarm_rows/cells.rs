//! A row, column by column. What is read is checked: a database may come from anywhere.

use rusqlite::Row;
use rusqlite::types::ValueRef;
use thiserror::Error;
use waterwatch_core::StationId;
use waterwatch_core::alarm::{
    Acknowledgement, AlarmSource, Aside, Chattering, Occurrence, OnWhileHidden, Point,
};

use super::source::{AREA, SERVER};
use crate::store::schema::{COUNT_MAX, describe};
use crate::store::{peer, station_list};

/// Why a row cannot be read.
#[derive(Debug, Error)]
pub enum RowError {
    /// A column holds what no server writes.
    #[error("{row} cannot be read: {column} is {value}")]
    Column {
        /// Which row.
        row: String,
        /// The column.
        column: String,
        /// What is there.
        value: String,
    },
    /// Its columns do not go together.
    #[error("{row} cannot be: {why}")]
    Whole {
        /// Which row.
        row: String,
        /// What always holds.
        why: &'static str,
    },
    /// SQLite cannot read it.
    #[error(transparent)]
    Unreadable(#[from] rusqlite::Error),
}

impl RowError {
    /// The same, if it is the row that is wrong and not the whole database.
    ///
    /// # Errors
    /// If SQLite cannot read it.
    pub(in crate::store) fn of_a_row(self) -> rusqlite::Result<RowError> {
        match self {
            RowError::Unreadable(error) => Err(error),
            error => Ok(error),
        }
    }
}

/// Whether it is a time in milliseconds UTC with which we can reckon.
pub(in crate::store) fn is_time(time_ms: i64) -> bool {
    Cells::is_time(time_ms)
}

/// Whose rows they are, for messages.
#[derive(Clone, Copy)]
pub(in crate::store) enum Table {
    Events,
    Alarms,
    Together,
    Contests,
}

/// The columns of a row, read one after the other.
pub(in crate::store) struct Cells<'r> {
    row: &'r Row<'r>,
    next: usize,
    is: Table,
}

impl<'r> Cells<'r> {
    pub(in crate::store) fn of(row: &'r Row<'r>, is: Table) -> Cells<'r> {
        Cells::from(row, 0, is)
    }

    /// The same from this column on.
    pub(super) fn from(row: &'r Row<'r>, next: usize, is: Table) -> Cells<'r> {
        Cells { row, next, is }
    }

    fn value(&mut self) -> Result<ValueRef<'r>, RowError> {
        self.next += 1;
        Ok(self.row.get_ref(self.next - 1)?)
    }

    /// What is read, or `None` if the next column is NULL.
    pub(in crate::store) fn optional<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, RowError>,
    ) -> Result<Option<T>, RowError> {
        if self.row.get_ref(self.next)? == ValueRef::Null {
            self.next += 1;
            return Ok(None);
        }
        read(self).map(Some)
    }

    pub(super) fn integer(&mut self) -> Result<i64, RowError> {
        self.value()?.as_i64().map_err(|_| self.unfit())
    }

    /// A sequence.
    pub(in crate::store) fn count(&mut self) -> Result<i64, RowError> {
        let count = self.integer()?;
        if Self::is_count(count) { Ok(count) } else { Err(self.unfit()) }
    }

    /// Whether a server may have given this sequence.
    pub(in crate::store) fn is_count(count: i64) -> bool {
        (1..=COUNT_MAX).contains(&count)
    }

    /// Milliseconds UTC.
    pub(in crate::store) fn time(&mut self) -> Result<i64, RowError> {
        let time_ms = self.integer()?;
        if Self::is_time(time_ms) { Ok(time_ms) } else { Err(self.unfit()) }
    }

    /// Whether it is a time with which we can reckon.
    pub(in crate::store) fn is_time(time_ms: i64) -> bool {
        (-COUNT_MAX..=COUNT_MAX).contains(&time_ms)
    }

    pub(in crate::store) fn station_id(&mut self) -> Result<StationId, RowError> {
        StationId::new(self.integer()?).ok_or_else(|| self.unfit())
    }

    pub(in crate::store) fn blob(&mut self) -> Result<&'r [u8], RowError> {
        self.value()?.as_blob().map_err(|_| self.unfit())
    }

    pub(in crate::store) fn small<T: TryFrom<i64>>(&mut self) -> Result<T, RowError> {
        T::try_from(self.integer()?).map_err(|_| self.unfit())
    }

    pub(in crate::store) fn flag(&mut self) -> Result<bool, RowError> {
        match self.integer()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.unfit()),
        }
    }

    pub(super) fn text(&mut self) -> Result<Box<str>, RowError> {
        self.value()?.as_str().map(Box::from).map_err(|_| self.unfit())
    }

    /// A word of a closed set.
    pub(super) fn word<T>(&mut self, from_name: fn(&str) -> Option<T>) -> Result<T, RowError> {
        self.value()?.as_str().ok().and_then(from_name).ok_or_else(|| self.unfit())
    }

    pub(super) fn point(&mut self) -> Result<Point, RowError> {
        self.word(Point::from_name)
    }

    pub(super) fn source(&mut self) -> Result<AlarmSource, RowError> {
        let source = match self.value()? {
            ValueRef::Integer(id) => StationId::new(id).map(AlarmSource::Station),
            ValueRef::Text(text) => match std::str::from_utf8(text).ok() {
                Some(SERVER) => Some(AlarmSource::Server),
                Some(text) => text
                    .strip_prefix(AREA)
                    .filter(|name| !name.is_empty())
                    .map(|name| AlarmSource::Area(name.into())),
                None => None,
            },
            _ => None,
        };
        source.ok_or_else(|| self.unfit())
    }

    pub(super) fn peer(&mut self) -> Result<[u8; 16], RowError> {
        self.value()?.as_blob().ok().and_then(peer::of).ok_or_else(|| self.unfit())
    }

    pub(super) fn stations(&mut self) -> Result<Box<[StationId]>, RowError> {
        self.value()?.as_blob().ok().and_then(station_list::decode).ok_or_else(|| self.unfit())
    }

    pub(super) fn times(&mut self) -> Result<Vec<i64>, RowError> {
        let (times, rest) = self.blob()?.as_chunks::<8>();
        let times: Vec<i64> = times.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect();
        let fit = rest.is_empty() && times.iter().all(|time| Self::is_time(*time));
        if fit { Ok(times) } else { Err(self.unfit()) }
    }

    pub(super) fn was_on(&mut self) -> Result<Option<OnWhileHidden>, RowError> {
        let (from_ms, to_ms) = (self.optional(Self::time)?, self.optional(Self::time)?);
        self.ensure(from_ms.is_some() || to_ms.is_none(), "what was on until then was on from some time on")?;
        Ok(from_ms.map(|from_ms| OnWhileHidden { from_ms, to_ms }))
    }

    pub(super) fn occurrence(&mut self) -> Result<Option<Occurrence>, RowError> {
        let sequence = self.optional(Self::count)?;
        let raised_at_ms = self.optional(Self::time)?;
        let returned_at_ms = self.optional(Self::time)?;
        let by = self.optional(Self::text)?;
        let at_ms = self.optional(Self::time)?;
        let realarm_due_ms = self.optional(Self::time)?;
        let hand_over_due_ms = self.optional(Self::time)?;
        let raises = self.optional(Self::small)?;
        let acknowledged = match (by, at_ms) {
            (Some(by), Some(at_ms)) => Some(Acknowledgement { by, at_ms }),
            (None, None) => None,
            _ => return Err(self.cannot_be("an acknowledgement has a name and a time")),
        };
        match (sequence, raised_at_ms, raises) {
            (Some(sequence), Some(raised_at_ms), Some(raises)) => Ok(Some(Occurrence {
                sequence,
                raised_at_ms,
                returned_at_ms,
                acknowledged,
                realarm_due_ms,
                hand_over_due_ms,
                raises,
            })),
            (None, None, None)
                if returned_at_ms.is_none()
                    && acknowledged.is_none()
                    && realarm_due_ms.is_none()
                    && hand_over_due_ms.is_none() =>
            {
                Ok(None)
            }
            _ => {
                Err(self
                    .cannot_be("an occurrence has its sequence, its time and how many raises it stands for"))
            }
        }
    }

    pub(super) fn aside(&mut self) -> Result<Option<Aside>, RowError> {
        let until_ms = self.optional(Self::time)?;
        let by = self.optional(Self::text)?;
        let reason = self.optional(Self::text)?;
        let warned = self.optional(Self::flag)?;
        match (until_ms, by, reason, warned) {
            (Some(until_ms), Some(by), Some(reason), Some(warned)) => {
                Ok(Some(Aside { until_ms, by, reason, warned }))
            }
            (None, None, None, None) => Ok(None),
            _ => Err(self.cannot_be("what hides it has an end, a name and a reason")),
        }
    }

    pub(super) fn chattering(&mut self) -> Result<Option<Chattering>, RowError> {
        let since_ms = self.optional(Self::time)?;
        let raises = self.optional(Self::small)?;
        let due_ms = self.optional(Self::time)?;
        match (since_ms, raises, due_ms) {
            (Some(since_ms), Some(raises), Some(due_ms)) => Ok(Some(Chattering { since_ms, raises, due_ms })),
            (None, None, None) => Ok(None),
            _ => Err(self.cannot_be("what chatters has a beginning, a number of raises and an end")),
        }
    }

    pub(in crate::store) fn ensure(&self, holds: bool, why: &'static str) -> Result<(), RowError> {
        if holds { Ok(()) } else { Err(self.cannot_be(why)) }
    }

    pub(super) fn cannot_be(&self, why: &'static str) -> RowError {
        RowError::Whole { row: self.name(), why }
    }

    /// That the column read last does not fit.
    pub(in crate::store) fn unfit(&self) -> RowError {
        let place = self.next - 1;
        let column = self.row.as_ref().column_name(place).unwrap_or_default().to_owned();
        RowError::Column { row: self.name(), column, value: self.shown(place) }
    }

    fn name(&self) -> String {
        match self.is {
            Table::Events => format!("in alarm_event, the row of sequence {}", self.shown(0)),
            Table::Together => format!("in silent_together, the entry {}", self.shown(0)),
            Table::Contests => format!("in contest, the row of station {}", self.shown(0)),
            Table::Alarms => {
                format!("in alarm, the row of source {} and point {}", self.shown(0), self.shown(1))
            }
        }
    }

    fn shown(&self, place: usize) -> String {
        describe(self.row.get_ref(place).unwrap_or(ValueRef::Null))
    }
}
