//! The rows of the ledger and of the alarms' facts, written.

use std::collections::HashSet;

use rusqlite::{CachedStatement, Transaction, params};
use waterwatch_core::alarm::{Alarm, Chatter, Event, Hidden, Point, State};

use super::{ALARM_COLUMNS, EVENT_COLUMNS, Source};
use crate::store::alarms::{AlarmKey, Alarms};
use crate::store::unreadable::Unreadable;
use crate::store::{Batch, peer, station_list, together_rows};

/// Writes what happened to alarms, in its order, and the facts after it;
/// `known` are those before, beside which others may have rows that are `unreadable`.
/// Nothing is prepared, or asked of SQLite, for nothing.
pub(in crate::store) fn write(
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
