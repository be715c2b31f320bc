//! The rows of the ledger and of the alarms' facts, both ways. What is read
//! is checked: a database may come from anywhere.

use std::collections::{BTreeSet, HashSet};

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, Row, Transaction, params};
use thiserror::Error;
use waterwatch_core::alarm::{
    Acknowledgement, Alarm, AlarmSource, Aside, Chatter, Chattering, Event, Hidden, Kind, Occurrence,
    OnWhileHidden, Point, State,
};
use waterwatch_core::silence::Gap;
use waterwatch_core::{Origin, StationId};

use super::alarms::{AlarmKey, Alarms, SilentTogether};
use super::peer;
use super::schema::{COUNT_MAX, describe};
use super::unreadable::Unreadable;
use super::{Batch, station_list, together_rows};

/// The columns of `alarm_event` that [`event`] reads, in its order.
pub const EVENT_COLUMNS: &str = "sequence, event_time, received_at, source, point, occurrence, kind, \
    from_state, to_state, \"by\", reason, until, on_from, on_to, count, listener_id, peer, cause, stations";

/// The columns of `alarm` that [`alarm`] reads, in its order.
const ALARM_COLUMNS: &str = "source, point, contact, contact_since, delay_due, occurrence, raised_at, \
    returned_at, acknowledged_by, acknowledged_at, realarm_due, hand_over_due, raises, shelf_until, shelf_by, \
    shelf_reason, shelf_warned, service_until, service_by, service_reason, service_warned, \
    suppressed_by, on_from, on_to, chatter_since, chatter_raises, chatter_due, raised_lately, forget_due";

/// How an area is written in a source.
const AREA: &str = "area/";

/// How waterwatch itself is.
const SERVER: &str = "server";

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
    pub(super) fn of_a_row(self) -> rusqlite::Result<RowError> {
        match self {
            RowError::Unreadable(error) => Err(error),
            error => Ok(error),
        }
    }
}

/// All alarms that are not at rest, for those who only look.
///
/// # Errors
/// If the facts of an alarm cannot be read: it must not be missing. What says of no
/// alarm of which it is, only the server complains of.
pub fn read_alarms(connection: &Connection) -> Result<Alarms, RowError> {
    let mut unreadable = Vec::new();
    let alarms = read_readable(connection, &mut unreadable)?;
    match unreadable.into_iter().find(|(alarm, _)| alarm.is_some()) {
        Some((_, error)) => Err(error),
        None => Ok(alarms),
    }
}

/// All alarms that are not at rest, as far as their rows can be read, and those that
/// cannot, each with its alarm if that is known.
///
/// # Errors
/// What SQLite says.
pub(super) fn read_readable(
    connection: &Connection,
    unreadable: &mut Vec<(Option<AlarmKey>, RowError)>,
) -> Result<Alarms, RowError> {
    let mut alarms = Alarms::default();
    let mut statement = connection
        .prepare("SELECT entry, occurrence, silent_since, stations FROM silent_together ORDER BY entry")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        match together(row) {
            Ok(Entry::Joined(together)) => alarms.join(&together),
            Ok(Entry::Left(stations)) => {
                for id in stations {
                    alarms.set((AlarmSource::Station(id), Point::Comms), None);
                }
            }
            Err(error) => unreadable.push((None, error.of_a_row()?)),
        }
    }
    let mut statement = connection.prepare(&format!("SELECT {ALARM_COLUMNS} FROM alarm"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        match alarm(row) {
            // One at rest says nothing, and whoever left its row meant no more.
            Ok((_, alarm)) if alarm.is_at_rest() => {}
            Ok((key, alarm)) => alarms.set(key, Some(alarm)),
            Err(error) => unreadable.push((key_of(row), error.of_a_row()?)),
        }
    }
    Ok(alarms)
}

/// Which alarm a row is about, if that can be read.
fn key_of(row: &Row<'_>) -> Option<AlarmKey> {
    let mut cells = Cells::of(row, Table::Alarms);
    let (source, point) = (cells.source().ok()?, cells.point().ok()?);
    Point::of(&source).contains(&point).then_some((source, point))
}

/// The alarms of one source that are not at rest, in the order of their points: by
/// the key of their rows, and of those who share a silence by going through the
/// entries of `silent_together`, some 8,192 stations each, without keeping them.
///
/// # Errors
/// If the facts of an alarm cannot be read, as [`read_alarms`] has it.
pub fn read_alarms_of(
    connection: &Connection,
    source: &AlarmSource,
) -> Result<Vec<(AlarmKey, Alarm)>, RowError> {
    let query = format!("SELECT {ALARM_COLUMNS} FROM alarm WHERE source = ?1");
    let mut statement = connection.prepare_cached(&query)?;
    let mut rows = statement.query([Source(source)])?;
    let mut alarms: Vec<(AlarmKey, Alarm)> = Vec::new();
    while let Some(row) = rows.next()? {
        match alarm(row) {
            Ok((_, alarm)) if alarm.is_at_rest() => {}
            Ok(alarm) => alarms.push(alarm),
            // Of which alarm it is, it does not say: so it says nothing of any.
            Err(error) if key_of(row).is_none() => drop(error.of_a_row()?),
            Err(error) => return Err(error),
        }
    }
    if let AlarmSource::Station(id) = source
        && !alarms.iter().any(|((_, point), _)| *point == Point::Comms)
        && let Some(shared) = shared(connection, *id)?
    {
        alarms.push(((source.clone(), Point::Comms), shared));
    }
    alarms.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    Ok(alarms)
}

/// The silence that a station shares: what the newest entry says that names it.
fn shared(connection: &Connection, id: StationId) -> Result<Option<Alarm>, RowError> {
    let mut statement = connection.prepare_cached(
        "SELECT entry, occurrence, silent_since, stations FROM silent_together ORDER BY entry DESC",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        match says_of(row, id) {
            Ok(None) => {}
            Ok(Some((occurrence, since_ms))) => {
                return Ok(since_ms.map(|since_ms| Alarm::silent_together(occurrence, since_ms)));
            }
            // As if it were not there, as for whoever reads all of them.
            Err(error) => drop(error.of_a_row()?),
        }
    }
    Ok(None)
}

/// What an entry of `silent_together` says of a station: the occurrence, and since when
/// it is silent if it is; `None` if it does not name it.
fn says_of(row: &Row<'_>, id: StationId) -> Result<Option<(i64, Option<i64>)>, RowError> {
    let mut cells = Cells { row, next: 1, is: Table::Together };
    let occurrence = cells.count()?;
    let since_ms = cells.optional(Cells::time)?;
    let names_it = station_list::contains(cells.blob()?, id).ok_or_else(|| cells.unfit())?;
    Ok(names_it.then_some((occurrence, since_ms)))
}

/// The stations for whose silence an occurrence stands, in order, by an index; of
/// those that stand for themselves by now some may be among them.
///
/// # Errors
/// If a row cannot be read.
pub fn read_members(connection: &Connection, occurrence: i64) -> Result<Vec<StationId>, RowError> {
    let mut members = BTreeSet::new();
    let mut entries = connection.prepare_cached(
        "SELECT entry, occurrence, silent_since, stations FROM silent_together WHERE occurrence = ?1
         ORDER BY entry",
    )?;
    for entry in entries.query_and_then([occurrence], together)? {
        match entry {
            Ok(Entry::Joined(together)) => members.extend(together.stations),
            Ok(Entry::Left(stations)) => members.retain(|id| stations.binary_search(id).is_err()),
            Err(error) => drop(error.of_a_row()?),
        }
    }
    let mut own = connection.prepare_cached("SELECT source FROM alarm WHERE suppressed_by = ?1")?;
    let mut rows = own.query([occurrence])?;
    while let Some(row) = rows.next()? {
        members.extend(row.get_ref(0)?.as_i64().ok().and_then(StationId::new));
    }
    Ok(members.into_iter().collect())
}

/// An entry of `silent_together`.
enum Entry {
    Joined(SilentTogether),
    Left(Box<[StationId]>),
}

fn together(row: &Row<'_>) -> Result<Entry, RowError> {
    let mut cells = Cells { row, next: 1, is: Table::Together };
    let occurrence = cells.count()?;
    let since_ms = cells.optional(Cells::time)?;
    let stations = cells.stations()?;
    Ok(match since_ms {
        Some(since_ms) => Entry::Joined(SilentTogether { occurrence, since_ms, stations }),
        None => Entry::Left(stations),
    })
}

/// The first entry, in the order of the ledger, of what came to be known at
/// this time or later; `None` if nothing did. When an entry was received mostly
/// goes up with its sequence, but not where the clock was set back, so all that
/// is later counts.
///
/// # Errors
/// What SQLite says.
pub fn first_since(connection: &Connection, since_ms: i64) -> rusqlite::Result<Option<i64>> {
    connection.query_row(FIRST_SINCE, [since_ms], |row| row.get(0))
}

/// By an index that has all it needs: no entry itself is read. Without the plus,
/// SQLite would go through the entries in their order until the first that fits.
const FIRST_SINCE: &str = "SELECT min(+sequence) FROM alarm_event WHERE received_at >= ?1";

/// How far the clock may be slewed back without an entry that says so, and more.
const SLEWED_MAX_MS: i64 = 10_000;

/// An entry from which on all came to be known later than this, as far as that is
/// found without going through the ledger: not if the clock was set back since.
///
/// # Errors
/// What SQLite says.
pub fn all_later(connection: &Connection, until_ms: i64) -> rusqlite::Result<Option<i64>> {
    let Some(later) = first_since(connection, until_ms.saturating_add(SLEWED_MAX_MS))? else {
        return Ok(None);
    };
    let was_set_back: bool =
        connection.query_row(SET_BACK, params![Source(&AlarmSource::Server), later], |row| row.get(0))?;
    Ok((!was_set_back).then_some(later))
}

/// By the index of sources: the server says little of its own clock.
const SET_BACK: &str = "SELECT EXISTS (SELECT * FROM alarm_event WHERE source = ?1 AND point IS NULL
    AND sequence >= ?2 AND kind = 'clock_jumped' AND until < event_time)";

/// The entries that came to be known after `:until`, of what had happened by then.
/// By an index alone, as [`first_since`].
pub(super) const HAPPENED_BEFORE: &str =
    "SELECT sequence FROM alarm_event WHERE received_at > :until AND event_time <= :until";

/// The last raise of an alarm; `None` if it never was raised.
///
/// # Errors
/// What SQLite says.
pub fn last_raise(connection: &Connection, key: &AlarmKey) -> rusqlite::Result<Option<i64>> {
    connection.query_row(LAST_RAISE, params![Source(&key.0), key.1.name()], |row| row.get(0))
}

/// By the index of raises alone, which SQLite takes only where the kind is
/// written out.
const LAST_RAISE: &str = "SELECT max(sequence) FROM alarm_event
    WHERE source = ?1 AND point = ?2 AND kind = 'raised'";

/// Whether an entry raised this alarm: by the ledger's own key.
///
/// # Errors
/// What SQLite says.
pub(super) fn has_occurred(
    connection: &Connection,
    (source, point): &AlarmKey,
    occurrence: i64,
) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT * FROM alarm_event
             WHERE sequence = ?1 AND source = ?2 AND point = ?3 AND kind = 'raised')",
        )?
        .query_row(params![occurrence, Source(source), point.name()], |row| row.get(0))
}

/// What the ledger tells of the server itself: by how much the wall went on
/// while nobody was heard. The newest, `gaps_max` at most, the oldest of them
/// first.
///
/// # Errors
/// If a row cannot be read.
pub fn read_gaps(connection: &Connection, gaps_max: usize) -> Result<Vec<Gap>, RowError> {
    let mut statement = connection.prepare(&gaps_query())?;
    let (blind, jumped) = (Kind::Blind.name(), Kind::ClockJumped.name());
    let gaps_max = i64::try_from(gaps_max).unwrap_or(i64::MAX);
    let lasted_max_ms = COUNT_MAX / gaps_max.max(1);
    let entries = statement.query_and_then(params![blind, jumped, gaps_max], event)?;
    let mut gaps: Vec<Gap> = entries
        // Of one that cannot be read nobody knows how long it was.
        .filter(|entry| !matches!(entry, Err(RowError::Column { .. } | RowError::Whole { .. })))
        .map(|entry| {
            let Event { sequence, event_time_ms, until_ms, .. } = entry?;
            // No sum of two times overflows: both are checked. Nor does one of
            // all gaps: each is bounded, to longer than any clock is set.
            let lasted_ms = until_ms.unwrap_or(event_time_ms) - event_time_ms;
            Ok(Gap { sequence, lasted_ms: lasted_ms.clamp(-lasted_max_ms, lasted_max_ms) })
        })
        .collect::<Result<_, RowError>>()?;
    gaps.reverse();
    Ok(gaps)
}

/// The newest entry of the ledger that can be read, of its newest ones, but for those of
/// these kinds; `None` if there is none. What cannot be read is named in `unreadable`.
///
/// # Errors
/// What SQLite says.
pub(super) fn read_newest(
    connection: &Connection,
    except: fn(Kind) -> bool,
    unreadable: &mut Vec<Unreadable>,
) -> Result<Option<Event>, RowError> {
    let except: Vec<String> =
        Kind::ALL.iter().filter(|kind| except(**kind)).map(|kind| format!("'{kind}'")).collect();
    let query = format!(
        "SELECT {EVENT_COLUMNS} FROM alarm_event WHERE kind NOT IN ({}) ORDER BY sequence DESC
         LIMIT {LOOKED_AT_MAX}",
        except.join(", ")
    );
    let mut statement = connection.prepare(&query)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        match event(row) {
            Ok(event) => return Ok(Some(event)),
            Err(error) => unreadable.push(Unreadable::of(error.of_a_row()?)),
        }
    }
    Ok(None)
}

/// Entries that are looked at for one that can be read, at most.
const LOOKED_AT_MAX: usize = 1_000;

/// How far the ledger goes: the sequence of its newest entry, whatever that says.
///
/// # Errors
/// What SQLite says.
pub(super) fn last_sequence(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    connection.query_row("SELECT max(sequence) FROM alarm_event", [], |row| row.get(0))
}

/// By an index: a start does not read the whole ledger.
fn gaps_query() -> String {
    format!(
        "SELECT {EVENT_COLUMNS} FROM alarm_event
         WHERE source = '{SERVER}' AND point IS NULL AND kind IN (?1, ?2) ORDER BY sequence DESC LIMIT ?3"
    )
}

/// The entry of the ledger in a row that begins with [`EVENT_COLUMNS`].
///
/// # Errors
/// If it cannot be read.
pub fn event(row: &Row<'_>) -> Result<Event, RowError> {
    let mut cells = Cells::of(row, Table::Events);
    let event = Event {
        sequence: cells.count()?,
        event_time_ms: cells.time()?,
        received_at_ms: cells.time()?,
        source: cells.source()?,
        point: cells.optional(Cells::point)?,
        occurrence: cells.optional(Cells::count)?,
        kind: cells.word(Kind::from_name)?,
        from: cells.optional(|cells| cells.word(State::from_name))?,
        to: cells.optional(|cells| cells.word(State::from_name))?,
        by: cells.optional(Cells::text)?,
        reason: cells.optional(Cells::text)?,
        until_ms: cells.optional(Cells::time)?,
        was_on: cells.was_on()?,
        count: cells.optional(Cells::small)?,
        origin: Origin { listener: cells.small()?, peer: cells.peer()? },
        cause: cells.optional(Cells::count)?,
        stations: cells.optional(Cells::stations)?,
    };
    let is_about_an_alarm = event.point.is_some();
    cells.ensure(
        event.from.is_some() == is_about_an_alarm && event.to.is_some() == is_about_an_alarm,
        "an entry about an alarm has the states before and after, and no other has",
    )?;
    Ok(event)
}

/// The facts in a row of [`ALARM_COLUMNS`].
fn alarm(row: &Row<'_>) -> Result<(AlarmKey, Alarm), RowError> {
    let mut cells = Cells::of(row, Table::Alarms);
    let key = (cells.source()?, cells.point()?);
    let alarm = Alarm {
        contact: cells.flag()?,
        contact_since_ms: cells.time()?,
        delay_due_ms: cells.optional(Cells::time)?,
        occurrence: cells.occurrence()?,
        hidden: Hidden {
            shelf: cells.aside()?,
            service: cells.aside()?,
            suppressed_by: cells.optional(Cells::count)?,
            was_on: cells.was_on()?,
        },
        chatter: {
            let chattering = cells.chattering()?;
            let raised_at_ms = cells.optional(Cells::times)?.unwrap_or_default();
            Chatter { raised_at_ms, forget_due_ms: cells.optional(Cells::time)?, chattering }
        },
    };
    match alarm.flaw() {
        Some(why) => Err(cells.cannot_be(why)),
        None => Ok((key, alarm)),
    }
}

/// Whether it is a time in milliseconds UTC with which we can reckon.
pub(super) fn is_time(time_ms: i64) -> bool {
    Cells::is_time(time_ms)
}

/// Whose rows they are, for messages.
#[derive(Clone, Copy)]
pub(super) enum Table {
    Events,
    Alarms,
    Together,
    Contests,
}

/// The columns of a row, read one after the other.
pub(super) struct Cells<'r> {
    row: &'r Row<'r>,
    next: usize,
    is: Table,
}

impl<'r> Cells<'r> {
    pub(super) fn of(row: &'r Row<'r>, is: Table) -> Cells<'r> {
        Cells { row, next: 0, is }
    }

    fn value(&mut self) -> Result<ValueRef<'r>, RowError> {
        self.next += 1;
        Ok(self.row.get_ref(self.next - 1)?)
    }

    /// What is read, or `None` if the next column is NULL.
    pub(super) fn optional<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, RowError>,
    ) -> Result<Option<T>, RowError> {
        if self.row.get_ref(self.next)? == ValueRef::Null {
            self.next += 1;
            return Ok(None);
        }
        read(self).map(Some)
    }

    fn integer(&mut self) -> Result<i64, RowError> {
        self.value()?.as_i64().map_err(|_| self.unfit())
    }

    /// A sequence.
    pub(super) fn count(&mut self) -> Result<i64, RowError> {
        let count = self.integer()?;
        if Self::is_count(count) { Ok(count) } else { Err(self.unfit()) }
    }

    /// Whether a server may have given this sequence.
    pub(super) fn is_count(count: i64) -> bool {
        (1..=COUNT_MAX).contains(&count)
    }

    /// Milliseconds UTC.
    pub(super) fn time(&mut self) -> Result<i64, RowError> {
        let time_ms = self.integer()?;
        if Self::is_time(time_ms) { Ok(time_ms) } else { Err(self.unfit()) }
    }

    /// Whether it is a time with which we can reckon.
    pub(super) fn is_time(time_ms: i64) -> bool {
        (-COUNT_MAX..=COUNT_MAX).contains(&time_ms)
    }

    pub(super) fn station_id(&mut self) -> Result<StationId, RowError> {
        StationId::new(self.integer()?).ok_or_else(|| self.unfit())
    }

    pub(super) fn blob(&mut self) -> Result<&'r [u8], RowError> {
        self.value()?.as_blob().map_err(|_| self.unfit())
    }

    pub(super) fn small<T: TryFrom<i64>>(&mut self) -> Result<T, RowError> {
        T::try_from(self.integer()?).map_err(|_| self.unfit())
    }

    pub(super) fn flag(&mut self) -> Result<bool, RowError> {
        match self.integer()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.unfit()),
        }
    }

    fn text(&mut self) -> Result<Box<str>, RowError> {
        self.value()?.as_str().map(Box::from).map_err(|_| self.unfit())
    }

    /// A word of a closed set.
    fn word<T>(&mut self, from_name: fn(&str) -> Option<T>) -> Result<T, RowError> {
        self.value()?.as_str().ok().and_then(from_name).ok_or_else(|| self.unfit())
    }

    fn point(&mut self) -> Result<Point, RowError> {
        self.word(Point::from_name)
    }

    fn source(&mut self) -> Result<AlarmSource, RowError> {
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

    fn peer(&mut self) -> Result<[u8; 16], RowError> {
        self.value()?.as_blob().ok().and_then(peer::of).ok_or_else(|| self.unfit())
    }

    fn stations(&mut self) -> Result<Box<[StationId]>, RowError> {
        self.value()?.as_blob().ok().and_then(station_list::decode).ok_or_else(|| self.unfit())
    }

    fn times(&mut self) -> Result<Vec<i64>, RowError> {
        let (times, rest) = self.blob()?.as_chunks::<8>();
        let times: Vec<i64> = times.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect();
        let fit = rest.is_empty() && times.iter().all(|time| Self::is_time(*time));
        if fit { Ok(times) } else { Err(self.unfit()) }
    }

    fn was_on(&mut self) -> Result<Option<OnWhileHidden>, RowError> {
        let (from_ms, to_ms) = (self.optional(Self::time)?, self.optional(Self::time)?);
        self.ensure(from_ms.is_some() || to_ms.is_none(), "what was on until then was on from some time on")?;
        Ok(from_ms.map(|from_ms| OnWhileHidden { from_ms, to_ms }))
    }

    fn occurrence(&mut self) -> Result<Option<Occurrence>, RowError> {
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

    fn aside(&mut self) -> Result<Option<Aside>, RowError> {
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

    fn chattering(&mut self) -> Result<Option<Chattering>, RowError> {
        let since_ms = self.optional(Self::time)?;
        let raises = self.optional(Self::small)?;
        let due_ms = self.optional(Self::time)?;
        match (since_ms, raises, due_ms) {
            (Some(since_ms), Some(raises), Some(due_ms)) => Ok(Some(Chattering { since_ms, raises, due_ms })),
            (None, None, None) => Ok(None),
            _ => Err(self.cannot_be("what chatters has a beginning, a number of raises and an end")),
        }
    }

    pub(super) fn ensure(&self, holds: bool, why: &'static str) -> Result<(), RowError> {
        if holds { Ok(()) } else { Err(self.cannot_be(why)) }
    }

    fn cannot_be(&self, why: &'static str) -> RowError {
        RowError::Whole { row: self.name(), why }
    }

    /// That the column read last does not fit.
    pub(super) fn unfit(&self) -> RowError {
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

/// Writes what happened to alarms, in its order, and the facts after it;
/// `known` are those before, beside which others may have rows that are `unreadable`.
/// Nothing is prepared, or asked of SQLite, for nothing.
pub(super) fn write(
    transaction: &Transaction<'_>,
    batch: &Batch,
    known: &Alarms,
    unreadable: &[Unreadable],
) -> rusqlite::Result<()> {
    if !batch.events.is_empty() {
        write_events(transaction, &batch.events)?;
    }
    if !batch.alarms.is_empty() {
        let unreadable: HashSet<&AlarmKey> = unreadable.iter().filter_map(|row| row.alarm.as_ref()).collect();
        let has_row = |key: &AlarmKey| known.has_own(key) || unreadable.contains(key);
        write_alarms(transaction, &batch.alarms, has_row)?;
    }
    together_rows::write(transaction, batch, known)
}

fn write_events(transaction: &Transaction<'_>, events: &[Event]) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached(&format!(
        "INSERT INTO alarm_event ({EVENT_COLUMNS})
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)"
    ))?;
    for event in events {
        statement.execute(params![
            event.sequence,
            event.event_time_ms,
            event.received_at_ms,
            Source(&event.source),
            event.point.map(Point::name),
            event.occurrence,
            event.kind.name(),
            event.from.map(State::name),
            event.to.map(State::name),
            event.by,
            event.reason,
            event.until_ms,
            event.was_on.map(|was_on| was_on.from_ms),
            event.was_on.and_then(|was_on| was_on.to_ms),
            event.count,
            event.origin.listener,
            peer::bytes(&event.origin.peer),
            event.cause,
            event.stations.as_deref().map(station_list::encode),
        ])?;
    }
    Ok(())
}

/// In the order of their keys: neighbours share a page.
fn write_alarms(
    transaction: &Transaction<'_>,
    alarms: &[(AlarmKey, Option<Alarm>)],
    has_row: impl Fn(&AlarmKey) -> bool,
) -> rusqlite::Result<()> {
    let mut sorted: Vec<_> = alarms.iter().collect();
    sorted.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let mut upsert = transaction.prepare_cached(&format!(
        "INSERT OR REPLACE INTO alarm ({ALARM_COLUMNS})
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20,
         ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29)"
    ))?;
    let mut delete = transaction.prepare_cached("DELETE FROM alarm WHERE source = ?1 AND point = ?2")?;
    for (key, alarm) in sorted {
        match alarm {
            Some(alarm) => write_alarm(&mut upsert, key, alarm)?,
            None if has_row(key) => drop(delete.execute(params![Source(&key.0), key.1.name()])?),
            None => {}
        }
    }
    Ok(())
}

fn write_alarm(upsert: &mut CachedStatement<'_>, key: &AlarmKey, alarm: &Alarm) -> rusqlite::Result<()> {
    debug_assert!(!alarm.is_at_rest(), "{key:?} is at rest: {alarm:?}");
    let Alarm { contact, contact_since_ms, delay_due_ms, occurrence, hidden, chatter } = alarm;
    let Hidden { shelf, service, suppressed_by, was_on } = hidden;
    let Chatter { raised_at_ms, forget_due_ms, chattering } = chatter;
    let occurrence = occurrence.as_ref();
    let acknowledged = occurrence.and_then(|occurrence| occurrence.acknowledged.as_ref());
    let (shelf, service) = (shelf.as_ref(), service.as_ref());
    let raised_lately: Vec<u8> = raised_at_ms.iter().flat_map(|time_ms| time_ms.to_le_bytes()).collect();
    upsert
        .execute(params![
            Source(&key.0),
            key.1.name(),
            contact,
            contact_since_ms,
            delay_due_ms,
            occurrence.map(|occurrence| occurrence.sequence),
            occurrence.map(|occurrence| occurrence.raised_at_ms),
            occurrence.and_then(|occurrence| occurrence.returned_at_ms),
            acknowledged.map(|acknowledged| &*acknowledged.by),
            acknowledged.map(|acknowledged| acknowledged.at_ms),
            occurrence.and_then(|occurrence| occurrence.realarm_due_ms),
            occurrence.and_then(|occurrence| occurrence.hand_over_due_ms),
            occurrence.map(|occurrence| occurrence.raises),
            shelf.map(|shelf| shelf.until_ms),
            shelf.map(|shelf| &*shelf.by),
            shelf.map(|shelf| &*shelf.reason),
            shelf.map(|shelf| shelf.warned),
            service.map(|service| service.until_ms),
            service.map(|service| &*service.by),
            service.map(|service| &*service.reason),
            service.map(|service| service.warned),
            suppressed_by,
            was_on.map(|was_on| was_on.from_ms),
            was_on.and_then(|was_on| was_on.to_ms),
            chattering.map(|chattering| chattering.since_ms),
            chattering.map(|chattering| chattering.raises),
            chattering.map(|chattering| chattering.due_ms),
            (!raised_lately.is_empty()).then_some(raised_lately),
            forget_due_ms,
        ])
        .map(drop)
}

/// A source as it is stored: a station's id as an integer, the others as text.
#[derive(Debug)]
pub struct Source<'a>(pub &'a AlarmSource);

impl ToSql for Source<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            AlarmSource::Station(id) => id.get().into(),
            AlarmSource::Area(name) => format!("{AREA}{name}").into(),
            AlarmSource::Server => SERVER.into(),
        })
    }
}

#[cfg(test)]
mod tests;
