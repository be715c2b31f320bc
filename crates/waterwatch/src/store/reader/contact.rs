//! The stations' last contacts: rows and journal of one moment.

use jiff::tz::TimeZone;
use rusqlite::types::ValueRef;
use rusqlite::{Row, Transaction, params};
use waterwatch_core::alarm::Point;
use waterwatch_core::station_life::{Retired, Visit};
use waterwatch_core::{StationId, StationLife};

use super::{ReadError, Reader, Which};
use crate::store::journal;
use crate::store::last_date::{self, LastDate};
use crate::store::life_rows;
use crate::store::schema::{self, Kind, describe};

/// The stations with what is ours alone beside the contract's columns.
const OURS: &str = "SELECT station_id, last_date, alarm1, alarm2, received_at, reports, sequence
    FROM station_status LEFT JOIN station_state USING (station_id)";

/// The same of a database that no server of ours has taken over yet.
const CONTRACT: &str = "SELECT station_id, last_date, alarm1, alarm2, NULL, NULL, NULL FROM station_status";

/// The commits that no row has yet, or not every.
pub(super) const JOURNAL: &str = "SELECT sequence, received_at, entries FROM journal ORDER BY sequence";

/// So many stations at most are looked up one by one; of more, all are read.
const BY_KEY_MAX: usize = 1_000;

/// A station's last contact, as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastContact {
    /// Which station.
    pub station_id: StationId,
    /// When, as the server's clock on the wall showed it; empty for a station
    /// that was never heard.
    pub last_date: Box<str>,
    /// When, in milliseconds UTC; `None` if a row made by hand says no time.
    pub received_at_ms: Option<i64>,
    /// The first alarm contact.
    pub alarm1: bool,
    /// The second alarm contact.
    pub alarm2: bool,
    /// How many of its reports were recorded.
    pub reports: i64,
    /// The commit sequence of the last of them.
    pub sequence: i64,
    /// What people have said of it as a whole, if that holds.
    pub life: Option<Box<StationLife>>,
}

/// Stations whose rows cannot be read.
#[derive(Debug, Default)]
pub struct LeftOut {
    /// How many there are.
    pub rows: usize,
    /// Why the first of them cannot be read.
    pub first: Option<ReadError>,
}

impl LeftOut {
    /// What was read, if it is not the row that is wrong.
    fn unless_read(
        &mut self,
        read: Result<LastContact, ReadError>,
    ) -> Result<Option<LastContact>, ReadError> {
        match read {
            Err(error @ ReadError::Row { .. }) => {
                self.rows += 1;
                self.first.get_or_insert(error);
                Ok(None)
            }
            read => read.map(Some),
        }
    }
}

impl Reader {
    /// Last contacts, in the order of their ids.
    pub(super) fn contacts(
        &self,
        moment: &Transaction<'_>,
        which: Which<'_>,
        zone: &TimeZone,
    ) -> Result<Vec<LastContact>, ReadError> {
        let mut left_out = LeftOut::default();
        let stations = self.contacts_but(moment, which, zone, &mut left_out)?;
        left_out.first.map_or(Ok(stations), Err)
    }

    /// The same, but for those whose rows cannot be read.
    pub(super) fn contacts_but(
        &self,
        moment: &Transaction<'_>,
        which: Which<'_>,
        zone: &TimeZone,
        left_out: &mut LeftOut,
    ) -> Result<Vec<LastContact>, ReadError> {
        let mut stations = match self.kind {
            Kind::Empty | Kind::Older(_) => return Ok(Vec::new()),
            Kind::Ours => self.rows(moment, OURS, (which, zone), left_out)?,
            Kind::Contract => return self.rows(moment, CONTRACT, (which, zone), left_out),
        };
        let few = match which {
            Which::These(ids) if ids.len() <= BY_KEY_MAX => Some(ids),
            Which::These(_) | Which::After { .. } | Which::InAlarm => None,
        };
        match few {
            Some(ids) => self.add_these_never_heard(moment, &mut stations, ids)?,
            None => self.add_never_heard(moment, &mut stations, which)?,
        }
        if !stations.is_empty() {
            self.add_journal(moment, &mut stations)?;
            self.set_last_date(moment, &mut stations)?;
            match few {
                Some(_) => self.add_these_lives(moment, &mut stations)?,
                None => self.add_lives(moment, &mut stations)?,
            }
        }
        Ok(stations)
    }

    fn rows(
        &self,
        moment: &Transaction<'_>,
        query: &str,
        (which, zone): (Which<'_>, &TimeZone),
        left_out: &mut LeftOut,
    ) -> Result<Vec<LastContact>, ReadError> {
        let not_read = |error| self.not_read(error);
        let mut stations = Vec::new();
        match which {
            Which::InAlarm => unreachable!("whoever asks has looked up which these are"),
            Which::These(ids) => {
                let query = format!("{query} WHERE station_id = ?1");
                let mut statement = moment.prepare_cached(&query).map_err(not_read)?;
                for id in ids {
                    let mut rows = statement.query([id.get()]).map_err(not_read)?;
                    if let Some(row) = rows.next().map_err(not_read)? {
                        stations.extend(left_out.unless_read(self.last_contact(row, zone))?);
                    }
                }
            }
            Which::After { station, stations_max } => {
                let query = format!("{query} WHERE station_id > ?1 ORDER BY station_id");
                let mut statement = moment.prepare(&query).map_err(not_read)?;
                let after = station.map_or(i64::MIN, StationId::get);
                let mut rows = statement.query([after]).map_err(not_read)?;
                // By the key, so that it ends where it is full, whatever is left out.
                while stations.len() < stations_max
                    && let Some(row) = rows.next().map_err(not_read)?
                {
                    stations.extend(left_out.unless_read(self.last_contact(row, zone))?);
                }
            }
        }
        Ok(stations)
    }

    /// Adds the stations of which something is known, and which have never
    /// reported.
    fn add_never_heard(
        &self,
        moment: &Transaction<'_>,
        stations: &mut Vec<LastContact>,
        which: Which<'_>,
    ) -> Result<(), ReadError> {
        let (after, stations_max) = match which {
            Which::After { station, stations_max } => {
                (station.map_or(i64::MIN, StationId::get), stations_max)
            }
            Which::InAlarm | Which::These(_) => (i64::MIN, usize::MAX),
        };
        let is_asked = |id: &StationId| match which {
            Which::These(ids) => ids.binary_search(id).is_ok(),
            Which::After { .. } | Which::InAlarm => true,
        };
        let read = || -> rusqlite::Result<Vec<i64>> {
            let mut statement = moment.prepare(
                "SELECT station_id FROM (SELECT station_id FROM station_settings
                 UNION SELECT station_id FROM station_life
                 UNION SELECT source FROM alarm WHERE typeof(source) = 'integer')
                 WHERE station_id > ?1
                 AND station_id NOT IN (SELECT station_id FROM station_status) ORDER BY station_id LIMIT ?2",
            )?;
            let limit = i64::try_from(stations_max).unwrap_or(i64::MAX);
            statement.query_map(params![after, limit], |row| row.get(0))?.collect()
        };
        let numbers = read().map_err(|error| self.not_read(error))?;
        let heard = stations.len();
        stations.extend(
            numbers.into_iter().filter_map(StationId::new).filter(is_asked).map(LastContact::never_heard),
        );
        if stations.len() > heard {
            stations.sort_by_key(|station| station.station_id);
            stations.truncate(stations_max);
        }
        Ok(())
    }

    /// The same of a few stations, by key.
    fn add_these_never_heard(
        &self,
        moment: &Transaction<'_>,
        stations: &mut Vec<LastContact>,
        ids: &[StationId],
    ) -> Result<(), ReadError> {
        let is_known = |id: &StationId| -> rusqlite::Result<bool> {
            let mut statement = moment.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM station_settings WHERE station_id = ?1)
                 OR EXISTS (SELECT 1 FROM station_life WHERE station_id = ?1)
                 OR EXISTS (SELECT 1 FROM alarm WHERE source = ?1)",
            )?;
            statement.query_row([id.get()], |row| row.get(0))
        };
        let heard = stations.len();
        for id in ids {
            if stations[..heard].binary_search_by_key(id, |station| station.station_id).is_err()
                && is_known(id).map_err(|error| self.not_read(error))?
            {
                stations.push(LastContact::never_heard(*id));
            }
        }
        stations.sort_by_key(|station| station.station_id);
        Ok(())
    }

    fn add_these_lives(
        &self,
        moment: &Transaction<'_>,
        stations: &mut [LastContact],
    ) -> Result<(), ReadError> {
        for station in stations {
            let life = life_rows::read_of(moment, station.station_id)
                .map_err(|error| ReadError::Life { path: self.path.clone(), error })?;
            station.life = life.map(Box::new);
        }
        Ok(())
    }

    /// Few have one, so all are read.
    fn add_lives(&self, moment: &Transaction<'_>, stations: &mut [LastContact]) -> Result<(), ReadError> {
        let lives = life_rows::read(moment, &mut Vec::new())
            .map_err(|error| ReadError::Life { path: self.path.clone(), error })?;
        for (id, life) in lives.iter() {
            if let Ok(place) = stations.binary_search_by_key(&id, |station| station.station_id) {
                stations[place].life = Some(Box::new(life.clone()));
            }
        }
        Ok(())
    }

    fn add_journal(&self, moment: &Transaction<'_>, stations: &mut [LastContact]) -> Result<(), ReadError> {
        let not_read = |error| self.not_read(error);
        let mut statement = moment.prepare(JOURNAL).map_err(not_read)?;
        let mut commits = statement.query([]).map_err(not_read)?;
        while let Some(commit) = commits.next().map_err(not_read)? {
            let received_at_ms: i64 = commit.get(1).map_err(not_read)?;
            self.entries(commit, |entry| {
                let place = stations.binary_search_by_key(&entry.id, |station| station.station_id);
                // One that was never heard was forgotten since, or deleted by hand.
                if let Ok(place) = place
                    && stations[place].was_heard()
                {
                    stations[place].add(entry, received_at_ms);
                }
            })?;
        }
        Ok(())
    }

    /// Reads a commit of the [`JOURNAL`].
    pub(super) fn entries(
        &self,
        commit: &Row<'_>,
        mut take: impl FnMut(&journal::Entry),
    ) -> Result<(), ReadError> {
        let sequence: i64 = commit.get(0).map_err(|error| self.not_read(error))?;
        let damaged = |damage| ReadError::Journal { path: self.path.clone(), sequence, damage };
        let bytes = commit.get_ref(2).map_err(|error| self.not_read(error))?.as_blob().unwrap_or_default();
        for entry in journal::read(bytes, sequence).map_err(damaged)? {
            take(&entry.map_err(damaged)?);
        }
        Ok(())
    }

    /// The contract's table may be behind ours, or ours behind it.
    fn set_last_date(&self, moment: &Transaction<'_>, stations: &mut [LastContact]) -> Result<(), ReadError> {
        let Some(zone) = schema::time_zone(moment).map_err(|error| self.not_read(error))? else {
            return Ok(());
        };
        let mut last_date = LastDate::new(zone);
        for station in stations.iter_mut().filter(|station| station.reports > 0) {
            if let Some(received_at_ms) = station.received_at_ms
                && *station.last_date != *last_date.of(received_at_ms)
            {
                station.last_date = last_date.of(received_at_ms).into();
            }
        }
        Ok(())
    }

    fn last_contact(&self, row: &Row<'_>, zone: &TimeZone) -> Result<LastContact, ReadError> {
        let value = |place: usize| row.get_ref(place).unwrap_or(ValueRef::Null);
        let unfit = |column, place| ReadError::Row {
            path: self.path.clone(),
            station: describe(value(0)),
            column,
            value: describe(value(place)),
        };
        let integer = |column, place| value(place).as_i64().map_err(|_| unfit(column, place));
        let alarm = |column, place| match integer(column, place)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(unfit(column, place)),
        };
        let last_date = value(1).as_str().map_err(|_| unfit(schema::CONTRACT[1], 1))?;
        let received_at_ms = match value(4) {
            ValueRef::Null => last_date::parse(last_date, zone),
            _ => Some(integer("received_at", 4)?),
        };
        Ok(LastContact {
            station_id: StationId::new(integer("station_id", 0)?).ok_or_else(|| unfit("station_id", 0))?,
            last_date: last_date.into(),
            received_at_ms,
            alarm1: alarm("alarm1", 2)?,
            alarm2: alarm("alarm2", 3)?,
            reports: match value(5) {
                ValueRef::Null => 0,
                _ => integer("reports", 5)?,
            },
            sequence: match value(6) {
                ValueRef::Null => 0,
                _ => integer("sequence", 6)?,
            },
            life: None,
        })
    }
}

impl LastContact {
    fn never_heard(station_id: StationId) -> LastContact {
        LastContact {
            station_id,
            last_date: "".into(),
            received_at_ms: None,
            alarm1: false,
            alarm2: false,
            reports: 0,
            sequence: 0,
            life: None,
        }
    }

    /// Whether one of its contacts is on, as it was last reported.
    #[must_use]
    pub fn is_on(&self, point: Point) -> bool {
        match point {
            Point::Alarm1 => self.alarm1,
            Point::Alarm2 => self.alarm2,
            Point::Comms | Point::Identity | Point::NewStations | Point::OnCall => false,
        }
    }

    /// That it was retired, if it was.
    #[must_use]
    pub fn retired(&self) -> Option<&Retired> {
        self.life.as_ref().and_then(|life| life.retired.as_ref())
    }

    /// Who is there, if somebody is.
    #[must_use]
    pub fn visit(&self, now_ms: i64) -> Option<&Visit> {
        self.life.as_ref().and_then(|life| life.visit_at(now_ms))
    }

    /// Whether it has ever reported, as far as is known.
    #[must_use]
    pub fn was_heard(&self) -> bool {
        !self.last_date.is_empty() || self.received_at_ms.is_some() || self.reports > 0
    }

    /// Adds reports that its row may not have yet.
    fn add(&mut self, entry: &journal::Entry, received_at_ms: i64) {
        if entry.sequence <= self.sequence {
            return;
        }
        self.received_at_ms = Some(received_at_ms);
        self.sequence = entry.sequence;
        self.reports += i64::from(entry.reports);
        (self.alarm1, self.alarm2) = (entry.alarm1, entry.alarm2);
    }
}
