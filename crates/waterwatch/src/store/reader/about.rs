//! What people say of stations and points, for those who look at them.

use std::collections::{BTreeSet, HashMap};

use rusqlite::types::ValueRef;
use rusqlite::{Row, Rows, Transaction};
use waterwatch_core::StationId;
use waterwatch_core::alarm::{AlarmSource, Point};
use waterwatch_core::settings::{PointTexts, RESPOND_WITHIN_MIN};

use super::{ReadError, Reader};
use crate::store::schema::Kind;

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
            add(&mut texts, said);
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

    /// What people say of these stations, and of points that concern them or this
    /// area.
    pub(super) fn about_of(
        &self,
        moment: &Transaction<'_>,
        ids: &[StationId],
        area: Option<&str>,
    ) -> Result<About, ReadError> {
        read_of(moment, ids, area).map_err(|error| self.not_read(error))
    }

    /// What people say of the stations of a page, at most 1,000 of them, and of
    /// their points: three reads by key a station.
    ///
    /// # Errors
    /// If SQLite cannot read the file.
    pub fn about_these(&self, ids: &[StationId]) -> Result<About, ReadError> {
        debug_assert!(ids.len() <= 1_000, "a page");
        self.look(|moment| {
            if self.kind == Kind::Ours { self.about_of(moment, ids, None) } else { Ok(About::default()) }
        })
    }
}

const STATIONS: &str =
    "SELECT station_id, name, area, location, access_note, telephones, expected_by FROM station_settings";

const POINTS: &str =
    "SELECT scope, point, label, consequence, response, respond_within_min FROM point_settings";

fn read(moment: &Transaction<'_>) -> rusqlite::Result<About> {
    let mut about = About::default();
    about.add_stations(moment.prepare(STATIONS)?.query([])?)?;
    about.add_points(moment.prepare(POINTS)?.query([])?)?;
    Ok(about)
}

/// What is said of these stations, of their areas' points, of those of another
/// area, and of the fleet's: by key.
fn read_of(moment: &Transaction<'_>, ids: &[StationId], area: Option<&str>) -> rusqlite::Result<About> {
    let mut about = About::default();
    let mut stations = moment.prepare_cached(&format!("{STATIONS} WHERE station_id = ?1"))?;
    let mut points = moment.prepare_cached(&format!("{POINTS} WHERE scope = ?1"))?;
    for id in ids {
        about.add_stations(stations.query([id.get()])?)?;
        about.add_points(points.query([id.get()])?)?;
    }
    let areas = about.stations.values().filter_map(|station| station.area.clone());
    let areas: BTreeSet<Box<str>> = areas.chain(area.map(Into::into)).collect();
    for area in areas {
        about.add_points(points.query([format!("area/{area}")])?)?;
    }
    about.add_points(points.query(["fleet"])?)?;
    about.add_points(points.query(["configuration"])?)?;
    Ok(about)
}

impl About {
    fn add_stations(&mut self, mut rows: Rows<'_>) -> rusqlite::Result<()> {
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
                self.stations.insert(id, station);
            }
        }
        Ok(())
    }

    fn add_points(&mut self, mut rows: Rows<'_>) -> rusqlite::Result<()> {
        while let Some(row) = rows.next()? {
            let (Some(scope), Some(point)) =
                (scope(row), text(row, 1).and_then(|name| Point::from_name(&name)))
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
            if texts == PointTexts::default() {
                continue;
            }
            // Where people say nothing for the fleet, the configuration does.
            let is_configured = text(row, 0).as_deref() == Some("configuration");
            let known = self.points.entry((scope, point)).or_default();
            if is_configured {
                add(known, &texts);
            } else {
                let configured = std::mem::replace(known, texts);
                add(known, &configured);
            }
        }
        Ok(())
    }
}

/// Where a narrower scope says nothing, what a wider one says.
fn add(texts: &mut PointTexts, wider: &PointTexts) {
    let PointTexts { label, consequence, response, respond_within_min } = wider;
    let add = |text: &mut Option<Box<str>>, wider: &Option<Box<str>>| {
        if text.is_none() {
            text.clone_from(wider);
        }
    };
    add(&mut texts.label, label);
    add(&mut texts.consequence, consequence);
    add(&mut texts.response, response);
    texts.respond_within_min = texts.respond_within_min.or(*respond_within_min);
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

/// Whose points it speaks of; what is said for the fleet is the server's.
fn scope(row: &Row<'_>) -> Option<AlarmSource> {
    match row.get_ref(0).ok()? {
        ValueRef::Integer(number) => StationId::new(number).map(AlarmSource::Station),
        _ => match text(row, 0)?.as_ref() {
            "fleet" | "configuration" => Some(AlarmSource::Server),
            scope => scope.strip_prefix("area/").map(|name| AlarmSource::Area(name.into())),
        },
    }
}
