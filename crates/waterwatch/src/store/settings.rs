//! Settings in the database: what the fleet, an area or a station says, and
//! what holds for each station in the end.

use std::collections::HashMap;

use anyhow::Context;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, params};
use waterwatch_core::alarm::{Point, Priority};
use waterwatch_core::settings::{Fleet, PointOverrides, StationOverrides};
use waterwatch_core::{Settings, StationId};

/// No period, delay or window in the database is longer: ten years. One that
/// is was not meant.
const SECONDS_MAX: u32 = 3_653 * 86_400;

/// The scope of the configuration.
const FLEET: &str = "fleet";

/// Who says something of a point.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Scope {
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
        transaction.execute("DELETE FROM point_settings WHERE scope = ?1", [FLEET])?;
        let mut points = transaction.prepare(
            "INSERT INTO point_settings (scope, point, enabled, priority, on_delay_s, off_delay_s, latched,
             realarm_after_s, chatter_raises, chatter_window_s, label, consequence, response, respond_within_min)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?;
        for ((point, says), texts) in Point::ALL.iter().zip(&fleet.overrides.points).zip(&fleet.texts) {
            points.execute(params![
                FLEET,
                point.name(),
                says.enabled,
                says.priority.map(Priority::name),
                says.on_delay_s,
                says.off_delay_s,
                says.latched,
                says.realarm_after_s,
                says.chatter_raises,
                says.chatter_window_s,
                texts.label,
                texts.consequence,
                texts.response,
                texts.respond_within_min,
            ])?;
        }
    }
    transaction.commit()
}

/// What holds for each station, as the last start published what the
/// configuration says of the fleet.
pub(super) fn read_published(connection: &Connection) -> anyhow::Result<Settings> {
    let number = |name: &str| -> anyhow::Result<Option<u32>> {
        let text: Option<String> = connection
            .query_row("SELECT value FROM server WHERE name = ?1", [name], |row| row.get(0))
            .optional()?;
        text.map(|text| text.parse().with_context(|| format!("{name} of server is {text:?}"))).transpose()
    };
    let overrides = StationOverrides {
        period_s: number("period_s")?,
        grace_s: number("grace_s")?,
        points: read_points(connection)?.remove(&Scope::Fleet).unwrap_or_default(),
    };
    read(connection, &Fleet { overrides, ..Fleet::default() })
}

/// What holds for each station.
pub(super) fn read(connection: &Connection, fleet: &Fleet) -> anyhow::Result<Settings> {
    let mut settings = Settings::of_fleet(fleet.overrides.resolve());
    let mut points = read_points(connection)?;
    let areas = read_areas(connection, &mut points)?;
    let mut statement =
        connection.prepare("SELECT station_id, area, period_s, grace_s FROM station_settings")?;
    let mut rows = statement.query([])?;
    let mut own = Vec::new();
    while let Some(row) = rows.next()? {
        let number: i64 = row.get(0)?;
        let id = StationId::new(number).with_context(|| format!("the station id {number} is negative"))?;
        let of_whom = || format!("the settings of station {id}");
        let area: Option<Box<str>> = row.get(1)?;
        let says = StationOverrides {
            period_s: seconds(row, 2).with_context(of_whom)?,
            grace_s: seconds(row, 3).with_context(of_whom)?,
            points: points.remove(&Scope::Station(id)).unwrap_or_default(),
        };
        let area = area.and_then(|area| areas.get(&area)).copied().unwrap_or_default();
        own.push((id, says.or(&area).or(&fleet.overrides).resolve()));
    }
    // A station of which only points are settled.
    for (scope, points) in points {
        if let Scope::Station(id) = scope {
            let says = StationOverrides { points, ..StationOverrides::default() };
            own.push((id, says.or(&fleet.overrides).resolve()));
        }
    }
    settings.set(own);
    Ok(settings)
}

type Points = [PointOverrides; Point::ALL.len()];

/// What each area says. Its points are taken out of `points`.
fn read_areas(
    connection: &Connection,
    points: &mut HashMap<Scope, Points>,
) -> anyhow::Result<HashMap<Box<str>, StationOverrides>> {
    let mut areas: HashMap<Box<str>, StationOverrides> = HashMap::new();
    let mut statement = connection.prepare("SELECT area, period_s, grace_s FROM area_settings")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let area: Box<str> = row.get(0)?;
        let of_whom = || format!("the settings of the area {area}");
        let (period_s, grace_s) =
            (seconds(row, 1).with_context(of_whom)?, seconds(row, 2).with_context(of_whom)?);
        areas.insert(area, StationOverrides { period_s, grace_s, ..StationOverrides::default() });
    }
    points.retain(|scope, points| {
        if let Scope::Area(area) = scope {
            areas.entry(area.clone()).or_default().points = *points;
        }
        matches!(scope, Scope::Station(_))
    });
    Ok(areas)
}

fn read_points(connection: &Connection) -> anyhow::Result<HashMap<Scope, Points>> {
    let mut scopes: HashMap<Scope, Points> = HashMap::new();
    let mut statement = connection.prepare(
        "SELECT scope, point, enabled, priority, on_delay_s, off_delay_s, latched, realarm_after_s,
         chatter_raises, chatter_window_s FROM point_settings",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let scope = scope(row.get_ref(0)?)?;
        let point: Box<str> = row.get(1)?;
        let of_what = || format!("the settings of {point} for {scope:?}");
        let place = Point::from_name(&point).with_context(of_what)? as usize;
        scopes.entry(scope.clone()).or_default()[place] = says(row).with_context(of_what)?;
    }
    Ok(scopes)
}

fn scope(value: ValueRef<'_>) -> anyhow::Result<Scope> {
    match value {
        ValueRef::Integer(number) => {
            let id =
                StationId::new(number).with_context(|| format!("the station id {number} is negative"))?;
            Ok(Scope::Station(id))
        }
        other => {
            let text = other.as_str().context("a scope of point_settings is neither a number nor a text")?;
            if text == FLEET {
                return Ok(Scope::Fleet);
            }
            let area = text.strip_prefix("area/").with_context(|| format!("the scope {text} is unknown"))?;
            Ok(Scope::Area(area.into()))
        }
    }
}

fn says(row: &Row<'_>) -> anyhow::Result<PointOverrides> {
    let priority: Option<Box<str>> = row.get(3)?;
    let priority = priority
        .map(|name| Priority::from_name(&name).with_context(|| format!("the priority {name} is unknown")))
        .transpose()?;
    Ok(PointOverrides {
        enabled: row.get(2)?,
        priority,
        on_delay_s: seconds(row, 4)?,
        off_delay_s: seconds(row, 5)?,
        latched: row.get(6)?,
        realarm_after_s: seconds(row, 7)?,
        chatter_raises: row.get(8)?,
        chatter_window_s: seconds(row, 9)?,
    })
}

fn seconds(row: &Row<'_>, column: usize) -> anyhow::Result<Option<u32>> {
    let seconds: Option<i64> = row.get(column)?;
    seconds
        .map(|seconds| {
            let fits = u32::try_from(seconds).ok().filter(|seconds| *seconds <= SECONDS_MAX);
            fits.with_context(|| format!("{seconds} seconds are out of range: from 0 to {SECONDS_MAX}"))
        })
        .transpose()
}

#[cfg(test)]
mod tests;
