//! What people say anew while the server runs: the rows of each scope, both ways,
//! and what becomes of all that is settled.

use anyhow::Context;
use rusqlite::{Connection, Row, Transaction, params};
use waterwatch_core::alarm::{Point, Priority};
use waterwatch_core::settings::{PointOverrides, PointTexts, Said, ScopeSays, Setting, Unfit};
use waterwatch_core::{Settings, StationId};

use super::{FLEET, describe, said, value};
use crate::station_says::StationSays;

/// The columns of `station_settings` beside its id, which are the names of their
/// fields.
const STATION: [&str; 10] = [
    "name",
    "area",
    "location",
    "access_note",
    "telephones",
    "tags",
    "expected_by",
    "allow_from",
    "period_s",
    "grace_s",
];

/// What people say anew in one scope, in place of all that they said there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewSays {
    /// Of a station; if it is empty nothing is said of it any more.
    Station(StationId, Box<StationSays>),
    /// For the stations of an area.
    Area(Box<str>, Box<ScopeSays>),
    /// For the fleet, over what the configuration says.
    Fleet(Box<ScopeSays>),
}

impl NewSays {
    /// This holds from now on.
    pub fn settle(&self, settings: &mut Settings) {
        match self {
            NewSays::Station(id, says) if says.is_empty() => settings.unsay(*id),
            NewSays::Station(id, says) => settings.say(*id, *says.judged().overrides(), says.area()),
            NewSays::Area(name, says) => {
                settings.say_for_area(name, (!says.is_empty()).then_some(*says.overrides()));
            }
            NewSays::Fleet(says) => settings.say_for_fleet(*says.overrides()),
        }
    }
}

/// What becomes of a row of which something cannot be meant.
pub(in crate::store) enum Misfits<'a> {
    /// It is an error: an [`Unfit`].
    Fail,
    /// It counts for nothing, as for the server, and is named.
    Ignore(&'a mut Vec<String>),
    /// It counts for nothing; who looks at it itself is told.
    Skip,
}

impl Misfits<'_> {
    fn of_row(&mut self, row: &str, read: Result<(), Unfit>) -> anyhow::Result<bool> {
        match (read, self) {
            (Ok(()), _) => Ok(true),
            (Err(unfit), Misfits::Fail) => Err(unfit).context(row.to_owned()),
            (Err(unfit), Misfits::Ignore(named)) => {
                named.push(format!("{row}: {unfit}"));
                Ok(false)
            }
            (Err(_), Misfits::Skip) => Ok(false),
        }
    }
}

/// What is said of a station.
///
/// # Errors
/// If it cannot be read; an [`Unfit`], if something of it cannot be meant, and that is
/// to fail.
pub(in crate::store) fn read_station(
    connection: &Connection,
    id: StationId,
    mut misfits: Misfits<'_>,
) -> anyhow::Result<StationSays> {
    let mut says = StationSays::default();
    let columns = STATION.join(", ");
    let query = format!("SELECT {columns} FROM station_settings WHERE station_id = ?1");
    let mut statement = connection.prepare_cached(&query)?;
    let mut rows = statement.query([id.get()])?;
    if let Some(row) = rows.next()? {
        let mut of_row = StationSays::default();
        let read = each(row, &STATION, |name, said| of_row.say(name, said));
        if misfits.of_row("the row of station_settings", read)? {
            says = of_row;
        }
    }
    let mut judged = says.judged().clone();
    read_points(connection, id.get(), &mut judged, &mut misfits)?;
    Ok(says.judged_by(judged))
}

/// What is said for the stations of an area; the same.
pub(in crate::store) fn read_area(
    connection: &Connection,
    name: &str,
    misfits: Misfits<'_>,
) -> anyhow::Result<ScopeSays> {
    let query = "SELECT period_s, grace_s FROM area_settings WHERE area = ?1";
    read_scope(connection, query, (name, "area_settings"), &format!("area/{name}"), misfits)
}

/// What people say for the fleet; the same.
pub(in crate::store) fn read_fleet(
    connection: &Connection,
    misfits: Misfits<'_>,
) -> anyhow::Result<ScopeSays> {
    let query = "SELECT period_s, grace_s FROM fleet_settings WHERE scope = ?1";
    read_scope(connection, query, (FLEET, "fleet_settings"), FLEET, misfits)
}

fn read_scope(
    connection: &Connection,
    query: &str,
    (key, table): (&str, &str),
    scope: &str,
    mut misfits: Misfits<'_>,
) -> anyhow::Result<ScopeSays> {
    let mut says = ScopeSays::default();
    let mut statement = connection.prepare_cached(query)?;
    let mut rows = statement.query([key])?;
    if let Some(row) = rows.next()? {
        let mut of_row = ScopeSays::default();
        let read = each(row, &["period_s", "grace_s"], |name, said| of_row.say(name, said));
        if misfits.of_row(&format!("the row of {table}"), read)? {
            says = of_row;
        }
    }
    read_points(connection, scope, &mut says, &mut misfits)?;
    Ok(says)
}

/// What is told of each point, beside [`Setting::ALL`].
const TEXTS: [&str; 4] = ["label", "consequence", "response", "respond_within_min"];

fn read_points(
    connection: &Connection,
    scope: impl rusqlite::ToSql,
    says: &mut ScopeSays,
    misfits: &mut Misfits<'_>,
) -> anyhow::Result<()> {
    let names: Vec<&str> = Setting::ALL.into_iter().map(Setting::name).chain(TEXTS).collect();
    let query = format!("SELECT {}, point FROM point_settings WHERE scope = ?1", names.join(", "));
    let mut statement = connection.prepare_cached(&query)?;
    let mut rows = statement.query([scope])?;
    while let Some(row) = rows.next()? {
        let named = value(row, names.len());
        let point = named.as_str().ok().and_then(Point::from_name);
        let point = point.filter(|point| Point::OF_STATION.contains(point));
        let mut with_row = says.clone();
        let read = match point {
            Some(point) => each(row, &names, |name, said| with_row.say_of_point(point, name, said)),
            None => Err(Unfit::new("point", describe(named), "one that a station has")),
        };
        let named =
            point.map_or("the point_settings".to_owned(), |point| format!("the point_settings of {point}"));
        if misfits.of_row(&named, read)? {
            *says = with_row;
        }
    }
    Ok(())
}

/// What the columns of a row say, from the first on.
fn each(
    row: &Row<'_>,
    names: &[&'static str],
    mut say: impl FnMut(&'static str, Said<'_>) -> Result<(), Unfit>,
) -> Result<(), Unfit> {
    for (column, &name) in names.iter().enumerate() {
        if let Some(said) = said(name, value(row, column))? {
            say(name, said)?;
        }
    }
    Ok(())
}

/// Writes what a batch says anew; nothing is prepared for nothing.
pub(in crate::store) fn write(transaction: &Transaction<'_>, said: &[NewSays]) -> rusqlite::Result<()> {
    for new in said {
        match new {
            NewSays::Station(id, says) => write_station(transaction, *id, says)?,
            NewSays::Area(name, says) => {
                let ScopeNumbers { period_s, grace_s } = ScopeNumbers::of(says);
                let (replace, delete) = (
                    "INSERT OR REPLACE INTO area_settings (area, period_s, grace_s) VALUES (?1, ?2, ?3)",
                    "DELETE FROM area_settings WHERE area = ?1",
                );
                match says.is_empty() {
                    true => transaction.execute(delete, [name])?,
                    false => transaction.execute(replace, params![name, period_s, grace_s])?,
                };
                write_points(transaction, format!("area/{name}"), says)?;
            }
            NewSays::Fleet(says) => {
                let ScopeNumbers { period_s, grace_s } = ScopeNumbers::of(says);
                transaction.execute(
                    "INSERT OR REPLACE INTO fleet_settings (scope, period_s, grace_s) VALUES (?1, ?2, ?3)",
                    params![FLEET, period_s, grace_s],
                )?;
                write_points(transaction, FLEET, says)?;
            }
        }
    }
    Ok(())
}

struct ScopeNumbers {
    period_s: Option<u32>,
    grace_s: Option<u32>,
}

impl ScopeNumbers {
    fn of(says: &ScopeSays) -> ScopeNumbers {
        let overrides = says.overrides();
        ScopeNumbers { period_s: overrides.period_s, grace_s: overrides.grace_s }
    }
}

fn write_station(transaction: &Transaction<'_>, id: StationId, says: &StationSays) -> rusqlite::Result<()> {
    if says.is_empty() {
        transaction
            .prepare_cached("DELETE FROM station_settings WHERE station_id = ?1")?
            .execute([id.get()])?;
    } else {
        let list = |words: String| (!words.is_empty()).then_some(words);
        let ScopeNumbers { period_s, grace_s } = ScopeNumbers::of(says.judged());
        let query = format!(
            "INSERT OR REPLACE INTO station_settings ({}, station_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            STATION.join(", ")
        );
        transaction.prepare_cached(&query)?.execute(params![
            says.name(),
            says.area(),
            says.location(),
            says.access_note(),
            says.telephones(),
            list(says.tags_text()),
            says.expected_by_ms(),
            list(says.allow_from_text()),
            period_s,
            grace_s,
            id.get(),
        ])?;
    }
    write_points(transaction, id.get(), says.judged())
}

/// The points of which a scope says something, in place of all that were there.
fn write_points(
    transaction: &Transaction<'_>,
    scope: impl rusqlite::ToSql,
    says: &ScopeSays,
) -> rusqlite::Result<()> {
    transaction.prepare_cached("DELETE FROM point_settings WHERE scope = ?1")?.execute([&scope])?;
    for &point in Point::OF_STATION {
        let (overrides, texts) = (&says.overrides().points[point as usize], says.texts(point));
        if *overrides != PointOverrides::default() || *texts != PointTexts::default() {
            write_point(transaction, &scope, point, overrides, texts)?;
        }
    }
    Ok(())
}

/// One row of `point_settings`, which is not there yet.
pub(super) fn write_point(
    transaction: &Transaction<'_>,
    scope: &dyn rusqlite::ToSql,
    point: Point,
    says: &PointOverrides,
    texts: &PointTexts,
) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO point_settings (scope, point, enabled, priority, on_delay_s, off_delay_s, latched,
         realarm_after_s, chatter_raises, chatter_window_s, label, consequence, response, respond_within_min)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?;
    insert
        .execute(params![
            scope,
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
        ])
        .map(drop)
}
