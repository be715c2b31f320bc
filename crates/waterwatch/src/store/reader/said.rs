//! What people say, for those who change it: each scope by itself, by key.

use std::collections::BTreeMap;

use anyhow::Context;
use rusqlite::{Row, Transaction, params};
use waterwatch_core::StationId;
use waterwatch_core::settings::ScopeSays;

use super::{ReadError, Reader};
use crate::station_says::StationSays;
use crate::store::schema::Kind;
use crate::store::settings::{self, Misfits};

/// What people say of a station, and what they say that holds for it where it says
/// nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SaidOfStation {
    /// Of itself.
    pub station: StationSays,
    /// For its area; nothing if it is in none.
    pub area: ScopeSays,
    /// For the fleet.
    pub fleet: ScopeSays,
    /// What cannot be meant of it, and counts for nothing until it is said anew.
    pub ignored: Vec<String>,
}

/// What people say for the stations of an area, and what they say that holds for them
/// where the area says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SaidForArea {
    /// How many stations are in it.
    pub stations: u32,
    /// For them.
    pub area: ScopeSays,
    /// For the fleet.
    pub fleet: ScopeSays,
    /// What cannot be meant of it, and counts for nothing until it is said anew.
    pub ignored: Vec<String>,
}

/// What people say of one of many stations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaidOfOne {
    /// Which.
    pub station: StationId,
    /// What.
    pub says: StationSays,
    /// What cannot be meant of it, and counts for nothing until it is said anew.
    pub ignored: Vec<String>,
}

/// What people say for the fleet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SaidForFleet {
    /// What.
    pub says: ScopeSays,
    /// What cannot be meant of it, and counts for nothing until it is said anew.
    pub ignored: Vec<String>,
}

/// A page of stations, and what people say of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SaidOfStations {
    /// Those of whom anything is said, by their ids.
    pub stations: Vec<SaidOfOne>,
    /// Whether there are more after them.
    pub has_more: bool,
}

/// Bytes of texts after which a page ends: a thousand stations may have twenty megabytes.
const TEXTS_BYTES_MAX: usize = 2 * 1024 * 1024;

/// The stations after one of whom anything is said. Of some only points are: their
/// numbers come before all scopes that are texts.
const STATIONS_SAID: &str = "SELECT station_id FROM station_settings WHERE station_id > ?1
    UNION SELECT scope FROM point_settings WHERE scope > ?1 AND scope < ''
    ORDER BY 1 LIMIT ?2";

/// The same of one area.
const STATIONS_SAID_OF: &str = "SELECT station_id FROM station_settings
    WHERE area = ?3 AND station_id > ?1 ORDER BY station_id LIMIT ?2";

/// Those of all areas, and all that report.
const STATIONS_KNOWN: &str = "SELECT station_id FROM station_status WHERE station_id > ?1
    UNION SELECT station_id FROM station_settings WHERE station_id > ?1
    UNION SELECT scope FROM point_settings WHERE scope > ?1 AND scope < ''
    ORDER BY 1 LIMIT ?2";

/// How many stations are in an area.
const STATIONS_OF: &str = "SELECT count(*) FROM station_settings WHERE area = ?1";

/// The areas in which a station is, after one, and how many are. The index that has
/// them leaves out stations that are in none.
const AREAS_OF_STATIONS: &str = "SELECT area, count(*) FROM station_settings
    WHERE area IS NOT NULL AND area > ?1 GROUP BY area ORDER BY area LIMIT ?2";

/// The areas for which something is said, after one. `0` comes after `/`.
const AREAS_SAID: &str = "SELECT area, 0 FROM area_settings WHERE area > ?1
    UNION SELECT substr(scope, 6), 0 FROM point_settings WHERE scope > 'area/' || ?1 AND scope < 'area0'
    ORDER BY 1 LIMIT ?2";

/// Of which stations it is asked what is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhoseSaid<'a> {
    /// Of all of which anything is.
    All,
    /// Of those in this area.
    OfArea(&'a str),
    /// Of all, and of those that report and of which nothing is.
    AndKnown,
}

impl Reader {
    /// What people say of a station, and what they say that holds for it besides.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn said_of_station(&self, id: StationId) -> Result<SaidOfStation, ReadError> {
        self.look_at_said(|moment| {
            let mut ignored = Vec::new();
            let station = settings::read_station(moment, id, Misfits::Ignore(&mut ignored))?;
            let area =
                station.area().map(|area| settings::read_area(moment, area, Misfits::Skip)).transpose()?;
            let fleet = settings::read_fleet(moment, Misfits::Skip)?;
            Ok(SaidOfStation { station, area: area.unwrap_or_default(), fleet, ignored })
        })
    }

    /// What people say of each of these stations after `after`: so many at most.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn said_of_stations(
        &self,
        after: Option<StationId>,
        which: WhoseSaid<'_>,
        stations_max: usize,
    ) -> Result<SaidOfStations, ReadError> {
        // One more shows that there are more.
        let limit = i64::try_from(stations_max).unwrap_or(i64::MAX).saturating_add(1);
        let after = after.map_or(-1, StationId::get);
        self.look_at_said(|moment| {
            let (query, area) = match which {
                WhoseSaid::All => (STATIONS_SAID, None),
                WhoseSaid::OfArea(area) => (STATIONS_SAID_OF, Some(area)),
                WhoseSaid::AndKnown => (STATIONS_KNOWN, None),
            };
            let mut statement = moment.prepare_cached(query)?;
            let id = |row: &Row<'_>| row.get::<_, i64>(0);
            let ids: Vec<i64> = match area {
                Some(area) => {
                    statement.query_map(params![after, limit, area], id)?.collect::<Result<_, _>>()?
                }
                None => statement.query_map(params![after, limit], id)?.collect::<Result<_, _>>()?,
            };
            let mut page = SaidOfStations::default();
            let mut bytes = 0;
            for id in ids.into_iter().filter_map(StationId::new) {
                if page.stations.len() == stations_max || bytes > TEXTS_BYTES_MAX {
                    page.has_more = true;
                    break;
                }
                let mut ignored = Vec::new();
                let says = settings::read_station(moment, id, Misfits::Ignore(&mut ignored))
                    .with_context(|| format!("of station {id}"))?;
                bytes += says.texts_bytes();
                page.stations.push(SaidOfOne { station: id, says, ignored });
            }
            Ok(page)
        })
    }

    /// What people say for the stations of an area, and what they say that holds for
    /// them besides.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn said_for_area(&self, name: &str) -> Result<SaidForArea, ReadError> {
        self.look_at_said(|moment| {
            let stations = moment.prepare_cached(STATIONS_OF)?.query_row([name], |row| row.get(0))?;
            let mut ignored = Vec::new();
            let area = settings::read_area(moment, name, Misfits::Ignore(&mut ignored))?;
            Ok(SaidForArea { stations, area, fleet: settings::read_fleet(moment, Misfits::Skip)?, ignored })
        })
    }

    /// What people say for the fleet, over what the configuration says.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn said_for_fleet(&self) -> Result<SaidForFleet, ReadError> {
        self.look_at_said(|moment| {
            let mut ignored = Vec::new();
            let says = settings::read_fleet(moment, Misfits::Ignore(&mut ignored))?;
            Ok(SaidForFleet { says, ignored })
        })
    }

    /// The areas in which a station is or for which something is said, by name, with
    /// how many stations are in each; those after `after`, at most so many.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn areas(&self, after: &str, areas_max: usize) -> Result<Vec<(String, u32)>, ReadError> {
        let limit = i64::try_from(areas_max).unwrap_or(i64::MAX);
        self.look_at_said(|moment| {
            let mut areas: BTreeMap<String, u32> = BTreeMap::new();
            for query in [AREAS_OF_STATIONS, AREAS_SAID] {
                let mut statement = moment.prepare_cached(query)?;
                let rows =
                    statement.query_map(params![after, limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
                for row in rows {
                    let (name, stations): (String, u32) = row?;
                    *areas.entry(name).or_default() += stations;
                }
            }
            Ok(areas.into_iter().take(areas_max).collect())
        })
    }

    fn look_at_said<T: Default>(
        &self,
        read: impl FnOnce(&Transaction<'_>) -> anyhow::Result<T>,
    ) -> Result<T, ReadError> {
        self.look(|moment| match self.kind {
            Kind::Ours => read(moment).map_err(|error| self.of_settings(error)),
            _ => Ok(T::default()),
        })
    }
}
