//! What was said when occurrences were raised, for those who look at alarms.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::tz::TimeZone;
use rusqlite::{Transaction, named_params};
use waterwatch_core::StationId;
use waterwatch_core::alarm::{AlarmSource, Event, Kind, Point};

use super::{Picture, ReadError, Reader, Which};
use crate::store::alarm_rows::{self, EVENT_COLUMNS, RowError};
use crate::store::schema;

/// Whose occurrence it is, and why it was raised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raise {
    /// Whose alarm.
    pub source: AlarmSource,
    /// Which one.
    pub point: Point,
    /// What the server said of it, if there was more to say than what raised it
    /// each time.
    pub reason: Option<Box<str>>,
}

/// Raises by their occurrences.
pub type Raises = HashMap<i64, Arc<Raise>>;

/// Stations whose own alarm another one has suppressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppressed {
    /// The first entry that says so.
    pub sequence: i64,
    /// When that was, in milliseconds UTC.
    pub time_ms: i64,
    /// Whether they had alarmed for themselves; else they had other facts.
    pub had_alarmed: bool,
    /// Who they are, in the order of their ids.
    pub stations: Vec<StationId>,
}

/// How many entries after a raise are looked at for whom it suppressed, at most.
/// It suppresses within `silent_together_s`, so there are not many between.
const LOOKED_AT_MAX: i64 = 1_000_000;

impl Reader {
    /// Stations and alarms as of [`Reader::picture`], what the caller makes of
    /// them, and the raises of the occurrences that it names; all of one moment.
    ///
    /// # Errors
    /// If a row cannot be read, or SQLite cannot read the file.
    pub fn picture_with_raises<T>(
        &self,
        which: Which<'_>,
        zone: &TimeZone,
        see: impl FnOnce(&Picture) -> (T, Vec<i64>),
    ) -> Result<(Picture, T, Raises), ReadError> {
        self.look(|moment| {
            let picture = self.picture_of(moment, which, zone)?;
            let (seen, occurrences) = see(&picture);
            let raises = self.raises(moment, occurrences)?;
            Ok((picture, seen, raises))
        })
    }

    /// The raises of these occurrences, as far as the ledger has them: by key.
    ///
    /// # Errors
    /// If SQLite cannot read the file.
    pub fn raises_of(&self, occurrences: &[i64]) -> Result<Raises, ReadError> {
        self.look(|moment| self.raises(moment, occurrences.iter().copied()))
    }

    /// The raises of occurrences, as far as the ledger has them. An entry that
    /// cannot be read is complained of by who reads the ledger: the alarms are
    /// shown without it.
    pub(super) fn raises(
        &self,
        moment: &Transaction<'_>,
        occurrences: impl IntoIterator<Item = i64>,
    ) -> Result<Raises, ReadError> {
        let mut raises = Raises::new();
        let occurrences: HashSet<i64> = occurrences.into_iter().collect();
        if occurrences.is_empty() || self.kind != schema::Kind::Ours {
            return Ok(raises);
        }
        let query =
            format!("SELECT {EVENT_COLUMNS} FROM alarm_event WHERE sequence = :sequence AND kind = 'raised'");
        let mut statement = moment.prepare(&query).map_err(|error| self.not_read(error))?;
        for sequence in occurrences {
            let found = statement
                .query_and_then(named_params! { ":sequence": sequence }, alarm_rows::event)
                .map_err(|error| self.not_read(error))?;
            for event in found {
                match event {
                    Ok(Event { source, point: Some(point), reason, .. }) => {
                        raises.insert(sequence, Arc::new(Raise { source, point, reason }));
                    }
                    Err(error @ RowError::Unreadable(_)) => return Err(self.of_row(error)),
                    Ok(_) | Err(_) => {}
                }
            }
        }
        Ok(raises)
    }

    /// The alarms that stand for the one that these entries are about.
    pub(super) fn raises_named<'a>(
        &self,
        moment: &Transaction<'_>,
        events: impl Iterator<Item = &'a Event>,
        suppressed_by: Option<i64>,
    ) -> Result<Raises, ReadError> {
        let is_by_another = |event: &&Event| match event.kind {
            Kind::Suppressed | Kind::Unsuppressed | Kind::StandsFor => event.stations.is_none(),
            _ => false,
        };
        let named = events.filter(is_by_another).filter_map(|event| event.cause);
        self.raises(moment, named.chain(suppressed_by))
    }

    /// The stations that the occurrence of an area or of the server has suppressed
    /// with an entry of each, among the entries until `last`: those that had alarmed
    /// for themselves, and others.
    pub(super) fn suppressed_by(
        &self,
        moment: &Transaction<'_>,
        occurrence: i64,
        last: i64,
    ) -> Result<Vec<Suppressed>, ReadError> {
        let mut found: Vec<Suppressed> = Vec::new();
        let mut read = || -> rusqlite::Result<()> {
            // By the sequence alone: no index has causes.
            let mut statement = moment.prepare(
                "SELECT sequence, event_time, occurrence IS NOT NULL, source FROM
                 (SELECT * FROM alarm_event WHERE sequence > ?1 AND sequence <= ?2 ORDER BY sequence LIMIT ?3)
                 WHERE kind = 'suppressed' AND cause = ?1 AND typeof(source) = 'integer' ORDER BY sequence",
            )?;
            let mut rows = statement.query((occurrence, last, LOOKED_AT_MAX))?;
            while let Some(row) = rows.next()? {
                let Some(id) = StationId::new(row.get(3)?) else { continue };
                let had_alarmed = row.get(2)?;
                match found.iter_mut().find(|others| others.had_alarmed == had_alarmed) {
                    Some(others) => others.stations.push(id),
                    None => found.push(Suppressed {
                        sequence: row.get(0)?,
                        time_ms: row.get(1)?,
                        had_alarmed,
                        stations: vec![id],
                    }),
                }
            }
            Ok(())
        };
        read().map_err(|error| self.not_read(error))?;
        for others in &mut found {
            others.stations.sort_unstable();
            others.stations.dedup();
        }
        Ok(found)
    }
}
