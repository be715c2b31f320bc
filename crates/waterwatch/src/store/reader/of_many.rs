//! Entries of the ledger about many stations at once, for one of them.

use rusqlite::{Transaction, named_params, params};
use waterwatch_core::StationId;
use waterwatch_core::alarm::{AlarmSource, Event, Kind, Point, State};

use super::entries::{Entry, UnreadableEntry, entry};
use super::{ReadError, Reader};
use crate::store::alarm_rows::EVENT_COLUMNS;
use crate::store::alarms::AlarmKey;
use crate::store::station_list;

/// How many entries about one station are found at once, at most.
const FOUND_MAX: usize = 1_000;

/// How many entries about many stations are looked at for one of them at once, at most.
/// A million stations that fall silent together are some 120.
const LOOKED_AT_MAX: i64 = 10_000;

/// The entries about many stations that name one.
#[derive(Debug, Default)]
pub(super) struct OfMany {
    /// Which, in the order in which they were looked for.
    pub(super) found: Vec<i64>,
    /// The last that was looked at, if so much was: beyond it there may be more.
    pub(super) looked_until: Option<i64>,
}

impl Reader {
    /// The entries about many stations that name this one, after `after` and
    /// before `before`, in this `order`: by an index that has these alone.
    pub(super) fn of_many_with(
        &self,
        moment: &Transaction<'_>,
        id: StationId,
        (after, before): (i64, i64),
        order: &str,
    ) -> Result<OfMany, ReadError> {
        let query = format!(
            "SELECT sequence, stations FROM alarm_event
             WHERE stations IS NOT NULL AND sequence > ?1 AND sequence < ?2 ORDER BY sequence {order} LIMIT ?3"
        );
        let read = || -> rusqlite::Result<OfMany> {
            let mut statement = moment.prepare_cached(&query)?;
            let mut rows = statement.query(params![after, before, LOOKED_AT_MAX + 1])?;
            let (mut found, mut looked_at, mut last) = (Vec::new(), 0, None);
            while let Some(row) = rows.next()? {
                if looked_at == LOOKED_AT_MAX || found.len() == FOUND_MAX {
                    return Ok(OfMany { found, looked_until: last });
                }
                let sequence = row.get(0)?;
                looked_at += 1;
                last = Some(sequence);
                // One that cannot be read is complained of where it is shown.
                let bytes = row.get_ref(1)?.as_blob().unwrap_or_default();
                if station_list::contains(bytes, id).unwrap_or(true) {
                    found.push(sequence);
                }
            }
            Ok(OfMany { found, looked_until: None })
        };
        read().map_err(|error| self.not_read(error))
    }

    /// What such entries say of an alarm, as if each had its own: that an
    /// occurrence stands for it, and that its station was heard again: after `after` and
    /// before `before`, the newest last. Those that cannot be read are added to `unreadable`.
    pub(super) fn silences_with_others(
        &self,
        moment: &Transaction<'_>,
        (source, point): &AlarmKey,
        (after, before): (i64, i64),
        unreadable: &mut Vec<UnreadableEntry>,
    ) -> Result<Vec<Event>, ReadError> {
        let (AlarmSource::Station(id), Point::Comms) = (source, point) else { return Ok(Vec::new()) };
        let query = format!("SELECT {EVENT_COLUMNS} FROM alarm_event WHERE sequence = :sequence");
        let mut statement = moment.prepare(&query).map_err(|error| self.not_read(error))?;
        let mut events = Vec::new();
        // Of a story the newest matter most.
        let newest = self.of_many_with(moment, *id, (after, before), "DESC")?.found;
        for sequence in newest.into_iter().rev() {
            let found = statement
                .query_and_then(named_params! { ":sequence": sequence }, entry)
                .map_err(|error| self.not_read(error))?;
            for entry in found {
                let event = match entry.map_err(|error| self.not_read(error))? {
                    Entry::Read(event) => event,
                    Entry::Unreadable(entry) => {
                        unreadable.push(entry);
                        continue;
                    }
                };
                let (from, to) = match event.kind {
                    Kind::StandsFor => (State::Normal, State::Suppressed),
                    _ => (State::Suppressed, State::Normal),
                };
                events.push(Event {
                    source: source.clone(),
                    from: Some(from),
                    to: Some(to),
                    cause: event.occurrence,
                    occurrence: None,
                    reason: None,
                    count: None,
                    stations: None,
                    ..event
                });
            }
        }
        Ok(events)
    }
}
