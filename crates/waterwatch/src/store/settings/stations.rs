//! The rows of `station_settings`, and from where stations may report.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::ops::RangeInclusive;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ToSql};
use waterwatch_core::settings::{GRACE_S, PERIOD_S, Unfit};
use waterwatch_core::{Origin, StationId};

use super::{Ignored, narrowed, number, station_id, text, value};
use crate::config::Range;
use crate::store::schema::describe;

/// When a station may be expected, in milliseconds UTC: this century. Seconds
/// would be a time before it.
const EXPECTED_BY_MS: RangeInclusive<i64> = 946_684_800_000..=4_102_444_800_000;

/// Addresses and networks of one station, at most: what a person writes. Each is
/// looked at with each report of the station.
const ALLOW_FROM_MAX: usize = 32;

/// From where stations may report that say so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowFrom {
    of: HashMap<StationId, Box<[Range]>>,
}

impl AllowFrom {
    /// Sets from where a station may report; from anywhere if that is empty.
    pub fn set(&mut self, id: StationId, ranges: Vec<Range>) {
        if !ranges.is_empty() {
            self.of.insert(id, ranges.into());
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

/// A row of `station_settings`.
#[derive(Default)]
pub(super) struct StationRow {
    pub(super) area: Option<Box<str>>,
    pub(super) period_s: Option<u32>,
    pub(super) grace_s: Option<u32>,
    pub(super) expected_by_ms: Option<i64>,
    pub(super) allow_from: Vec<Range>,
}

/// What is said of each station, or of `only` this one.
pub(super) fn read_stations(
    connection: &Connection,
    only: Option<&dyn ToSql>,
    ignored: &mut Vec<Ignored>,
) -> rusqlite::Result<Vec<(StationId, StationRow)>> {
    let mut stations = Vec::new();
    let query = "SELECT station_id, area, period_s, grace_s, expected_by, allow_from FROM station_settings";
    let mut statement = connection.prepare_cached(&narrowed(query, "station_id", only))?;
    let mut rows = statement.query(only.as_slice())?;
    while let Some(row) = rows.next()? {
        let read = || -> Result<(StationId, StationRow), Unfit> {
            let area = match value(row, 1) {
                ValueRef::Null => None,
                area => Some(text("area", area)?.into()),
            };
            Ok((
                station_id("station_id", value(row, 0))?,
                StationRow {
                    area,
                    period_s: number(row, 2, "period_s", &PERIOD_S)?,
                    grace_s: number(row, 3, "grace_s", &GRACE_S)?,
                    expected_by_ms: expected_by(value(row, 4))?,
                    allow_from: allow_from(value(row, 5))?,
                },
            ))
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

fn expected_by(value: ValueRef<'_>) -> Result<Option<i64>, Unfit> {
    match value {
        ValueRef::Null => Ok(None),
        ValueRef::Integer(ms) if EXPECTED_BY_MS.contains(&ms) => Ok(Some(ms)),
        other => {
            Err(Unfit::new("expected_by", describe(other), "a time of this century in milliseconds UTC"))
        }
    }
}

fn allow_from(value: ValueRef<'_>) -> Result<Vec<Range>, Unfit> {
    const NAME: &str = "allow_from";
    if matches!(value, ValueRef::Null) {
        return Ok(Vec::new());
    }
    let words = text(NAME, value)?.split([' ', '\t', '\r', '\n', ',']).filter(|word| !word.is_empty());
    let ranges: Vec<Range> = words.map(str::parse).collect::<Result<_, String>>().map_err(|_| {
        Unfit::new(NAME, describe(value), "addresses and networks such as 10.20.0.7, 10.21.0.0/16")
    })?;
    if ranges.len() > ALLOW_FROM_MAX {
        let wanted = format!("at most {ALLOW_FROM_MAX} addresses and networks");
        return Err(Unfit::new(NAME, format_args!("a text with {} of them", ranges.len()), wanted));
    }
    Ok(ranges)
}
