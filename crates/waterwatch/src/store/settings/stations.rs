//! The rows of `station_settings`, and from where stations may report.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ToSql};
use waterwatch_core::settings::Unfit;
use waterwatch_core::{Origin, StationId};

use super::{Ignored, narrowed, said, station_id, text, value};
use crate::config::Range;
use crate::station_says::StationSays;
use crate::store::schema::describe;

/// From where stations may report that say so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowFrom {
    of: HashMap<StationId, Box<[Range]>>,
}

impl AllowFrom {
    /// Sets from where a station may report; from anywhere if that is empty.
    pub fn set(&mut self, id: StationId, ranges: &[Range]) {
        match ranges.is_empty() {
            true => drop(self.of.remove(&id)),
            false => drop(self.of.insert(id, ranges.into())),
        }
    }

    /// Whether a report of this station may come from there.
    #[must_use]
    pub fn allows(&self, id: StationId, origin: &Origin) -> bool {
        // Most fleets have none.
        if self.of.is_empty() {
            return true;
        }
        let Some(ranges) = self.of.get(&id) else { return true };
        let address = IpAddr::from(Ipv6Addr::from(origin.peer));
        ranges.iter().any(|range| range.contains(address))
    }
}

/// A station, the area that it is in, and what is said of it beside.
type Said = (StationId, Option<Box<str>>, StationSays);

/// What is said of each station, or of `only` this one, as far as it decides
/// anything: what people alone read is not looked at, and cannot take the rest of
/// its row along.
pub(super) fn read_stations(
    connection: &Connection,
    only: Option<&dyn ToSql>,
    ignored: &mut Vec<Ignored>,
) -> rusqlite::Result<Vec<Said>> {
    const NAMES: [&str; 4] = ["period_s", "grace_s", "expected_by", "allow_from"];
    let mut stations = Vec::new();
    let query = "SELECT station_id, area, period_s, grace_s, expected_by, allow_from FROM station_settings";
    let mut statement = connection.prepare_cached(&narrowed(query, "station_id", only))?;
    let mut rows = statement.query(only.as_slice())?;
    while let Some(row) = rows.next()? {
        let read = || -> Result<Said, Unfit> {
            let area = match value(row, 1) {
                ValueRef::Null => None,
                area => Some(text("area", area)?).filter(|name| !name.is_empty()).map(Into::into),
            };
            let id = station_id("station_id", value(row, 0))?;
            let mut says = StationSays::default();
            for (column, name) in (2..).zip(NAMES) {
                if let Some(said) = said(name, value(row, column))? {
                    says.say(name, said)?;
                }
            }
            Ok((id, area, says))
        };
        match read() {
            Ok(station) => stations.push(station),
            Err(unfit) => {
                let opens = !matches!(value(row, 5), ValueRef::Null);
                let row = format!("station_id {}", describe(value(row, 0)));
                ignored.push(Ignored { table: "station_settings", row, why: unfit.to_string(), opens });
            }
        }
    }
    Ok(stations)
}
