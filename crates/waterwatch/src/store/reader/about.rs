//! What people say of stations and points, for those who look at them.

use std::collections::HashMap;

use rusqlite::types::ValueRef;
use rusqlite::{Row, Transaction};
use waterwatch_core::StationId;
use waterwatch_core::alarm::{AlarmSource, Point};
use waterwatch_core::settings::{PointTexts, RESPOND_WITHIN_MIN};

use super::{ReadError, Reader};

/// What people say of stations and points.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Of each station of which anything is said.
    pub stations: HashMap<StationId, StationAbout>,
    /// Of each point; what is said of the server's holds for the fleet.
    pub points: HashMap<(AlarmSource, Point), PointTexts>,
}

/// What people say of a station.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StationAbout {
    /// What it is called.
    pub name: Option<Box<str>>,
    /// The area that it is in.
    pub area: Option<Box<str>>,
    /// Where it is.
    pub location: Option<Box<str>>,
    /// How somebody gets in.
    pub access_note: Option<Box<str>>,
    /// Whom to call.
    pub telephones: Option<Box<str>>,
    /// Until when it is expected to be heard for the first time, in
    /// milliseconds UTC.
    pub expected_by_ms: Option<i64>,
}

impl About {
    /// What is said of the station that an alarm is of.
    #[must_use]
    pub fn station(&self, source: &AlarmSource) -> Option<&StationAbout> {
        match source {
            AlarmSource::Station(id) => self.stations.get(id),
            AlarmSource::Area(_) | AlarmSource::Server => None,
        }
    }

    /// What tells an operator what to do about a point: what the station says;
    /// where it says nothing, its area; and else the fleet.
    #[must_use]
    pub fn point(&self, source: &AlarmSource, point: Point) -> PointTexts {
        let area = self.station(source).and_then(|about| about.area.clone()).map(AlarmSource::Area);
        let scopes = [Some(source), area.as_ref(), Some(&AlarmSource::Server)];
        let mut texts = PointTexts::default();
        for scope in scopes.into_iter().flatten() {
            let Some(said) = self.points.get(&(scope.clone(), point)) else { continue };
            let PointTexts { label, consequence, response, respond_within_min } = said;
            texts.label = texts.label.or_else(|| label.clone());
            texts.consequence = texts.consequence.or_else(|| consequence.clone());
            texts.response = texts.response.or_else(|| response.clone());
            texts.respond_within_min = texts.respond_within_min.or(*respond_within_min);
        }
        texts
    }
}

impl Reader {
    /// What people say. What cannot be meant is as if it were not said; the
    /// server's log names it.
    pub(super) fn about(&self, moment: &Transaction<'_>) -> Result<About, ReadError> {
        read(moment).map_err(|error| self.not_read(error))
    }
}

fn read(moment: &Transaction<'_>) -> rusqlite::Result<About> {
    let mut about = About::default();
    let mut statement = moment.prepare(
        "SELECT station_id, name, area, location, access_note, telephones, expected_by FROM station_settings",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let Some(id) = StationId::new(row.get(0)?) else { continue };
        let station = StationAbout {
            name: text(row, 1),
            area: text(row, 2),
            location: text(row, 3),
            access_note: text(row, 4),
            telephones: text(row, 5),
            expected_by_ms: row.get(6)?,
        };
        if station != StationAbout::default() {
            about.stations.insert(id, station);
        }
    }
    let mut statement = moment.prepare(
        "SELECT scope, point, label, consequence, response, respond_within_min FROM point_settings",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (Some(scope), Some(point)) = (scope(row), text(row, 1).and_then(|name| Point::from_name(&name)))
        else {
            continue;
        };
        let respond_within_min: Option<u32> =
            row.get_ref(5)?.as_i64().ok().and_then(|min| min.try_into().ok());
        let texts = PointTexts {
            label: text(row, 2),
            consequence: text(row, 3),
            response: text(row, 4),
            respond_within_min: respond_within_min.filter(|min| RESPOND_WITHIN_MIN.contains(min)),
        };
        if texts != PointTexts::default() {
            about.points.insert((scope, point), texts);
        }
    }
    Ok(about)
}

/// A text; `None` if it is empty.
fn text(row: &Row<'_>, column: usize) -> Option<Box<str>> {
    match row.get_ref(column) {
        Ok(ValueRef::Text(text)) if !text.trim_ascii().is_empty() => {
            Some(String::from_utf8_lossy(text.trim_ascii()).into())
        }
        _ => None,
    }
}

/// Whose points it speaks of; the fleet's scope is the server's.
fn scope(row: &Row<'_>) -> Option<AlarmSource> {
    match row.get_ref(0).ok()? {
        ValueRef::Integer(number) => StationId::new(number).map(AlarmSource::Station),
        _ => match text(row, 0)?.as_ref() {
            "fleet" => Some(AlarmSource::Server),
            scope => scope.strip_prefix("area/").map(|name| AlarmSource::Area(name.into())),
        },
    }
}
