//! The rows of the ledger and of the alarms' facts, both ways. What is read
//! is checked: a database may come from anywhere.

mod cells;
mod ledger;
mod source;
mod writing;

use std::collections::BTreeSet;

use rusqlite::{Connection, Row};
use waterwatch_core::StationId;
use waterwatch_core::alarm::{Alarm, AlarmSource, Chatter, Hidden, Point};

use super::alarms::{AlarmKey, Alarms, SilentTogether};
use super::station_list;

pub use self::cells::RowError;
pub(super) use self::cells::{Cells, Table, is_time};
pub use self::ledger::{EVENT_COLUMNS, all_later, event, first_since, last_raise, read_gaps};
pub(super) use self::ledger::{HAPPENED_BEFORE, has_occurred, last_sequence, read_newest};
pub use self::source::Source;
pub(super) use self::writing::write;

/// The columns of `alarm` that [`alarm`] reads, in its order.
const ALARM_COLUMNS: &str = "source, point, contact, contact_since, delay_due, occurrence, raised_at, \
    returned_at, acknowledged_by, acknowledged_at, realarm_due, hand_over_due, raises, shelf_until, shelf_by, \
    shelf_reason, shelf_warned, service_until, service_by, service_reason, service_warned, \
    suppressed_by, on_from, on_to, chatter_since, chatter_raises, chatter_due, raised_lately, forget_due";

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
    let mut cells = Cells::from(row, 1, Table::Together);
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
    let mut cells = Cells::from(row, 1, Table::Together);
    let occurrence = cells.count()?;
    let since_ms = cells.optional(Cells::time)?;
    let stations = cells.stations()?;
    Ok(match since_ms {
        Some(since_ms) => Entry::Joined(SilentTogether { occurrence, since_ms, stations }),
        None => Entry::Left(stations),
    })
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

#[cfg(test)]
mod tests;
