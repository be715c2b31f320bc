//! Entries of the ledger about many stations at once, for one of them.

use rusqlite::{Transaction, named_params, params};
use waterwatch_core::StationId;
use waterwatch_core::alarm::{AlarmSource, Event, Kind, Point, State};

use super::entries::{Entry, UnreadableEntry, entry};
use super::{ReadError, Reader};
use crate::store::alarm_rows::EVENT_COLUMNS;
use crate::store::alarms::AlarmKey;
use crate::store::station_list;

/// How many entries about one station are found, at most: the newest.
const FOUND_MAX: usize = 1_000;

/// How many entries about many stations are looked at for one of them, at most: the
/// newest. A million stations that fall silent together are some 120.
const LOOKED_AT_MAX: i64 = 10_000;

impl Reader {
    /// The entries about many stations that name this one, after `after` and
    /// before `before`, the newest first: by an index that has these alone.
    pub(super) fn of_many_with(
        &self,
        moment: &Transaction<'_>,
        id: StationId,
        after: i64,
        before: i64,
    ) -> Result<Vec<i64>, ReadError> {
        let read = || -> rusqlite::Result<Vec<i64>> {
            let mut statement = moment.prepare_cached(
                "SELECT sequence, stations FROM alarm_event
                 WHERE stations IS NOT NULL AND sequence > ?1 AND sequence < ?2 ORDER BY sequence DESC LIMIT ?3",
            )?;
            let mut rows = statement.query(params![after, before, LOOKED_AT_MAX])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()?
                && found.len() < FOUND_MAX
            {
                // One that cannot be read is complained of where it is shown.
                let bytes = row.get_ref(1)?.as_blob().unwrap_or_default();
                if station_list::contains(bytes, id).unwrap_or(true) {
                    found.push(row.get(0)?);
                }
            }
            Ok(found)
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
        for sequence in self.of_many_with(moment, *id, after, before)?.into_iter().rev() {
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
