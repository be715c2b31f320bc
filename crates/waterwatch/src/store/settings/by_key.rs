//! What holds for a few stations, read by their keys: as much work as there are
//! stations asked for, however many there are.

use std::collections::BTreeSet;

use rusqlite::Connection;
use waterwatch_core::settings::StationOverrides;
use waterwatch_core::{Settings, StationId};

use super::{FLEET, Scope, published_fleet, read_areas, read_fleet_scope, read_points, read_stations};

/// What holds for the fleet and for these stations, as
/// [`read_published`](super::read_published); of the others nothing is known.
pub(in crate::store) fn read_published_of(
    connection: &Connection,
    stations: &[StationId],
) -> anyhow::Result<Settings> {
    // The start has complained of what cannot be meant.
    let ignored = &mut Vec::new();
    let mut settings = Settings::of_fleet(published_fleet(connection)?);
    let mut points = read_points(connection, Some(&FLEET), ignored)?;
    settings.say_for_fleet(read_fleet_scope(connection, &mut points, ignored)?);
    let mut areas: BTreeSet<Box<str>> = BTreeSet::new();
    for &id in stations {
        let mut points = read_points(connection, Some(&id.get()), ignored)?.remove(&Scope::Station(id));
        let station = read_stations(connection, Some(&id.get()), ignored)?.pop();
        if station.is_none() && points.is_none() {
            continue;
        }
        let (area, says) = station.map(|(_, area, says)| (area, says)).unwrap_or_default();
        let points = points.take().unwrap_or_default();
        let judged = StationOverrides { points, ..*says.judged().overrides() };
        settings.say(id, judged, area.as_deref());
        areas.extend(area);
    }
    for name in areas {
        let mut points = read_points(connection, Some(&format!("area/{name}")), ignored)?;
        let of_area = read_areas(connection, Some(&name), &mut points, ignored)?.remove(&name);
        settings.say_for_area(&name, of_area);
    }
    Ok(settings)
}
