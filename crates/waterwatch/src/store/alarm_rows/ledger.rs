//! The ledger's rows, read: one entry, and what is looked for among them.

use rusqlite::{Connection, Row, params};
use waterwatch_core::Origin;
use waterwatch_core::alarm::{AlarmSource, Event, Kind, State};
use waterwatch_core::silence::Gap;

use super::cells::{Cells, RowError, Table};
use super::source::{SERVER, Source};
use crate::store::alarms::AlarmKey;
use crate::store::schema::COUNT_MAX;
use crate::store::unreadable::Unreadable;

/// The columns of `alarm_event` that [`event`] reads, in its order.
pub const EVENT_COLUMNS: &str = "sequence, event_time, received_at, source, point, occurrence, kind, \
    from_state, to_state, \"by\", reason, until, on_from, on_to, count, listener_id, peer, cause, stations";

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
pub(super) const FIRST_SINCE: &str = "SELECT min(+sequence) FROM alarm_event WHERE received_at >= ?1";

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
pub(in crate::store) const HAPPENED_BEFORE: &str =
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
pub(super) const LAST_RAISE: &str = "SELECT max(sequence) FROM alarm_event
    WHERE source = ?1 AND point = ?2 AND kind = 'raised'";

/// Whether an entry raised this alarm: by the ledger's own key.
///
/// # Errors
/// What SQLite says.
pub(in crate::store) fn has_occurred(
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
pub(in crate::store) fn read_newest(
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
pub(in crate::store) fn last_sequence(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    connection.query_row("SELECT max(sequence) FROM alarm_event", [], |row| row.get(0))
}

/// By an index: a start does not read the whole ledger.
pub(super) fn gaps_query() -> String {
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
