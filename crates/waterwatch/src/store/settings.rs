//! Settings in the database: what the fleet, an area or a station says, and
//! what holds for each station in the end.

mod by_key;
mod said;
mod stations;

use std::collections::HashMap;
use std::fmt;
use std::ops::RangeInclusive;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};
use waterwatch_core::alarm::Point;
use waterwatch_core::settings::{
    Fleet, GRACE_S, PERIOD_S, PointOverrides, RESPOND_WITHIN_MIN, Said, Setting, StationOverrides, Unfit,
    changes, names_of_points,
};
use waterwatch_core::{Settings, StationId};

use self::stations::read_stations;
use super::schema::describe;

pub(super) use self::by_key::read_published_of;
pub use self::said::NewSays;
pub(super) use self::said::{Misfits, read_area, read_fleet, read_station, write};
pub use self::stations::AllowFrom;

/// The scope of what the configuration says, for readers alone.
const CONFIGURATION: &str = "configuration";

/// The scope of what people say for the fleet.
const FLEET: &str = "fleet";

/// Who says something of a point.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Scope {
    Configuration,
    Fleet,
    Area(Box<str>),
    Station(StationId),
}

/// Records what the configuration says, for those who only read the database.
pub(super) fn publish(connection: &mut Connection, fleet: &Fleet) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    {
        let mut server = transaction.prepare(
            "INSERT INTO server (name, value) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE value <> excluded.value",
        )?;
        let holds = fleet.overrides.resolve();
        server.execute(params!["period_s", (holds.period_ms / 1_000).to_string()])?;
        server.execute(params!["grace_s", (holds.grace_ms / 1_000).to_string()])?;
        transaction.execute("DELETE FROM point_settings WHERE scope = ?1", [CONFIGURATION])?;
        for ((&point, says), texts) in Point::ALL.iter().zip(&fleet.overrides.points).zip(&fleet.texts) {
            said::write_point(&transaction, &CONFIGURATION, point, says, texts)?;
        }
    }
    transaction.commit()
}

/// All that is settled for stations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// How stations and points are judged.
    pub settings: Settings,
    /// Until when stations are expected to be heard for the first time, in
    /// milliseconds UTC.
    pub expected_by: Vec<(StationId, i64)>,
    /// From where those stations may report that say so.
    pub allow_from: AllowFrom,
    /// The stations that are configured, in no order: the others are unnamed.
    pub named: Vec<StationId>,
}

/// What of the configuration people have overridden for the fleet, in few words;
/// `None`: nothing that can be meant.
pub(super) fn overridden(connection: &Connection, fleet: &Fleet) -> Option<String> {
    let said = read_fleet(connection, Misfits::Fail).ok()?.told();
    let mut configured = fleet.says().told();
    configured.retain(|(name, _)| said.iter().any(|(said, _)| said == name));
    changes(&configured, &said)
}

impl From<Settings> for Settled {
    fn from(settings: Settings) -> Settled {
        Settled { settings, ..Settled::default() }
    }
}

impl Settled {
    /// What people say anew holds from now on, as it will after each start.
    pub fn settle(&mut self, new: &NewSays) {
        new.settle(&mut self.settings);
        if let NewSays::Station(id, says) = new {
            self.expected_by.retain(|(of, _)| of != id);
            self.expected_by.extend(says.expected_by_ms().map(|by_ms| (*id, by_ms)));
            self.allow_from.set(*id, says.allow_from());
            self.named.retain(|of| of != id);
            self.named.extend((!says.is_empty()).then_some(*id));
        }
    }
}

/// A row of the settings that cannot be meant, and is as if it were not there.
#[derive(Debug)]
pub(super) struct Ignored {
    table: &'static str,
    /// Which row of it.
    row: String,
    /// What is wrong with it.
    why: String,
    /// It said from where the station may report.
    opens: bool,
}

/// What holds for each station, as the last start published what the
/// configuration says of the fleet. What cannot be meant was complained of
/// by that start.
pub(super) fn read_published(connection: &Connection) -> anyhow::Result<Settings> {
    let overrides = published_fleet(connection)?;
    let (settled, _) = read(connection, &Fleet { overrides, ..Fleet::default() })?;
    Ok(settled.settings)
}

/// What the last start published of the fleet.
fn published_fleet(connection: &Connection) -> anyhow::Result<StationOverrides> {
    let number = |name: &'static str, range| -> anyhow::Result<Option<u32>> {
        let text: Option<String> = connection
            .prepare_cached("SELECT value FROM server WHERE name = ?1")?
            .query_row([name], |row| row.get(0))
            .optional()?;
        let number = text.and_then(|text| text.parse().ok()).map(Said::Number);
        Ok(number.and_then(|number| number.number(name, range).ok()))
    };
    let mut points = read_points(connection, Some(&CONFIGURATION), &mut Vec::new())?;
    Ok(StationOverrides {
        period_s: number("period_s", &PERIOD_S)?,
        grace_s: number("grace_s", &GRACE_S)?,
        points: points.remove(&Scope::Configuration).unwrap_or_default(),
    })
}

/// What holds for each station, and what cannot be meant.
pub(super) fn read(connection: &Connection, fleet: &Fleet) -> rusqlite::Result<(Settled, Vec<Ignored>)> {
    let mut ignored = Vec::new();
    let mut settings = Settings::of_fleet(fleet.overrides).with_together(fleet.together);
    let mut expected_by = Vec::new();
    let mut allow_from = AllowFrom::default();
    let mut points = read_points(connection, None, &mut ignored)?;
    settings.say_for_fleet(read_fleet_scope(connection, &mut points, &mut ignored)?);
    for (area, says) in read_areas(connection, None, &mut points, &mut ignored)? {
        settings.say_for_area(&area, Some(says));
    }
    let mut named = Vec::new();
    for (id, area, says) in read_stations(connection, None, &mut ignored)? {
        named.push(id);
        let points = points.remove(&Scope::Station(id)).unwrap_or_default();
        let judged = StationOverrides { points, ..*says.judged().overrides() };
        settings.say(id, judged, area.as_deref());
        expected_by.extend(says.expected_by_ms().map(|by_ms| (id, by_ms)));
        allow_from.set(id, says.allow_from());
    }
    // A station of which only points are settled.
    for (scope, points) in points {
        if let Scope::Station(id) = scope {
            settings.say(id, StationOverrides { points, ..StationOverrides::default() }, None);
        }
    }
    Ok((Settled { settings, expected_by, allow_from, named }, ignored))
}

/// What people say for the fleet. Its points are taken out of `points`.
fn read_fleet_scope(
    connection: &Connection,
    points: &mut HashMap<Scope, Points>,
    ignored: &mut Vec<Ignored>,
) -> rusqlite::Result<StationOverrides> {
    let mut says =
        StationOverrides { points: points.remove(&Scope::Fleet).unwrap_or_default(), ..Default::default() };
    let mut statement =
        connection.prepare("SELECT period_s, grace_s FROM fleet_settings WHERE scope = ?1")?;
    let mut rows = statement.query([FLEET])?;
    if let Some(row) = rows.next()? {
        let read = || Ok((number(row, 0, "period_s", &PERIOD_S)?, number(row, 1, "grace_s", &GRACE_S)?));
        match read() {
            Ok((period_s, grace_s)) => (says.period_s, says.grace_s) = (period_s, grace_s),
            Err(unfit) => {
                let unfit: Unfit = unfit;
                let row = format!("scope {FLEET}");
                ignored.push(Ignored { table: "fleet_settings", row, why: unfit.to_string(), opens: false });
            }
        }
    }
    Ok(says)
}

type Points = [PointOverrides; Point::ALL.len()];

/// What each area says, or `only` this one. Its points are taken out of `points`.
fn read_areas(
    connection: &Connection,
    only: Option<&dyn ToSql>,
    points: &mut HashMap<Scope, Points>,
    ignored: &mut Vec<Ignored>,
) -> rusqlite::Result<HashMap<Box<str>, StationOverrides>> {
    let mut areas: HashMap<Box<str>, StationOverrides> = HashMap::new();
    let query = "SELECT area, period_s, grace_s FROM area_settings";
    let mut statement = connection.prepare_cached(&narrowed(query, "area", only))?;
    let mut rows = statement.query(only.as_slice())?;
    while let Some(row) = rows.next()? {
        let read = || -> Result<(Box<str>, StationOverrides), Unfit> {
            let period_s = number(row, 1, "period_s", &PERIOD_S)?;
            let grace_s = number(row, 2, "grace_s", &GRACE_S)?;
            let says = StationOverrides { period_s, grace_s, ..StationOverrides::default() };
            Ok((text("area", value(row, 0))?.into(), says))
        };
        match read() {
            Ok((area, says)) => drop(areas.insert(area, says)),
            Err(unfit) => {
                let row = format!("area {}", describe(value(row, 0)));
                ignored.push(Ignored { table: "area_settings", row, why: unfit.to_string(), opens: false });
            }
        }
    }
    points.retain(|scope, points| {
        if let Scope::Area(area) = scope {
            areas.entry(area.clone()).or_default().points = *points;
        }
        matches!(scope, Scope::Station(_))
    });
    Ok(areas)
}

/// The columns of `point_settings` before those of [`Setting::ALL`].
const BEFORE_SETTINGS: usize = 3;

/// What is said of points, or of those in `only` this scope.
fn read_points(
    connection: &Connection,
    only: Option<&dyn ToSql>,
    ignored: &mut Vec<Ignored>,
) -> rusqlite::Result<HashMap<Scope, Points>> {
    let mut scopes: HashMap<Scope, Points> = HashMap::new();
    let settings = Setting::ALL.map(Setting::name).join(", ");
    let query = format!("SELECT scope, point, respond_within_min, {settings} FROM point_settings");
    let mut statement = connection.prepare_cached(&narrowed(&query, "scope", only))?;
    let mut rows = statement.query(only.as_slice())?;
    while let Some(row) = rows.next()? {
        let read = || -> Result<(Scope, Point, PointOverrides), Unfit> {
            let scope = scope(value(row, 0))?;
            let point = point(value(row, 1))?;
            if scope != Scope::Configuration && !Point::OF_STATION.contains(&point) {
                let wanted = format!(
                    "one of {}: what holds for the server is in its configuration",
                    names_of_points()
                );
                return Err(Unfit::new("point", point, wanted));
            }
            number(row, 2, "respond_within_min", &RESPOND_WITHIN_MIN)?;
            let mut says = PointOverrides::default();
            for (column, setting) in (BEFORE_SETTINGS..).zip(Setting::ALL) {
                if let Some(said) = said(setting.name(), value(row, column))? {
                    says.say(point, setting, said)?;
                }
            }
            Ok((scope, point, says))
        };
        match read() {
            Ok((scope, point, says)) => scopes.entry(scope).or_default()[point as usize] = says,
            Err(unfit) => {
                let row = format!("scope {} and point {}", describe(value(row, 0)), describe(value(row, 1)));
                ignored.push(Ignored { table: "point_settings", row, why: unfit.to_string(), opens: false });
            }
        }
    }
    Ok(scopes)
}

/// A query for all rows, or for those of one key.
fn narrowed(query: &str, key: &str, only: Option<&dyn ToSql>) -> String {
    match only {
        Some(_) => format!("{query} WHERE {key} = ?1"),
        None => query.to_owned(),
    }
}

fn scope(value: ValueRef<'_>) -> Result<Scope, Unfit> {
    const WANTED: &str = "a station's id (a number, so without quotes), area/NAME or fleet";
    match value {
        ValueRef::Integer(_) => station_id("scope", value).map(Scope::Station),
        ValueRef::Text(_) => match text("scope", value)? {
            FLEET => Ok(Scope::Fleet),
            CONFIGURATION => Ok(Scope::Configuration),
            text => match text.strip_prefix("area/").filter(|name| !name.is_empty()) {
                Some(area) => Ok(Scope::Area(area.into())),
                None => Err(Unfit::new("scope", describe(value), WANTED)),
            },
        },
        _ => Err(Unfit::new("scope", describe(value), WANTED)),
    }
}

fn point(value: ValueRef<'_>) -> Result<Point, Unfit> {
    let unknown = || Unfit::new("point", describe(value), format!("one of {}", names_of_points()));
    Point::from_name(text("point", value)?).ok_or_else(unknown)
}

fn station_id(name: &'static str, value: ValueRef<'_>) -> Result<StationId, Unfit> {
    let id = value.as_i64().ok().and_then(StationId::new);
    id.ok_or_else(|| Unfit::new(name, describe(value), "a station's id, 0 or more"))
}

fn text<'a>(name: &'static str, value: ValueRef<'a>) -> Result<&'a str, Unfit> {
    value.as_str().map_err(|_| Unfit::new(name, describe(value), "a text in UTF-8"))
}

fn number(
    row: &Row<'_>,
    column: usize,
    name: &'static str,
    range: &RangeInclusive<u32>,
) -> Result<Option<u32>, Unfit> {
    said(name, value(row, column))?.map(|said| said.number(name, range)).transpose()
}

/// What a column says; `None` if it is empty.
fn said<'a>(name: &'static str, value: ValueRef<'a>) -> Result<Option<Said<'a>>, Unfit> {
    match value {
        ValueRef::Null => Ok(None),
        ValueRef::Integer(number) => Ok(Some(Said::Number(number))),
        ValueRef::Text(_) => text(name, value).map(|text| Some(Said::Text(text))),
        ValueRef::Real(_) | ValueRef::Blob(_) => {
            Err(Unfit::new(name, describe(value), "a whole number or a text"))
        }
    }
}

fn value<'a>(row: &'a Row<'_>, column: usize) -> ValueRef<'a> {
    row.get_ref(column).expect("it is one of the columns that are selected")
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ignored { table, row, why, opens } = self;
        write!(f, "in the table {table}, the row of {row} is ignored: {why}; ")?;
        if *opens {
            f.write_str("until then the station may report from anywhere; ")?;
        }
        f.write_str("correct it and start the server again")
    }
}

#[cfg(test)]
mod tests;
