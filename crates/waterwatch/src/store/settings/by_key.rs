//! What holds for a few stations, read by their keys: as much work as there are
//! stations asked for, however many there are.

use std::collections::HashMap;

use rusqlite::Connection;
use waterwatch_core::settings::StationOverrides;
use waterwatch_core::{Settings, StationId};

use super::{Scope, published_fleet, read_areas, read_points, read_stations};

/// What holds for the fleet and for these stations, as
/// [`read_published`](super::read_published); of the others nothing is known.
pub(in crate::store) fn read_published_of(
    connection: &Connection,
    stations: &[StationId],
) -> anyhow::Result<Settings> {
    // The start has complained of what cannot be meant.
    let ignored = &mut Vec::new();
    let fleet = published_fleet(connection)?;
    let mut settings = Settings::of_fleet(fleet.resolve());
    let mut areas: HashMap<Box<str>, StationOverrides> = HashMap::new();
    let mut own = Vec::new();
    for &id in stations {
        let mut points = read_points(connection, Some(&id.get()), ignored)?;
        let station = read_stations(connection, Some(&id.get()), ignored)?.pop();
        let points = points.remove(&Scope::Station(id)).unwrap_or_default();
        let station = station.map(|(_, station)| station).unwrap_or_default();
        let says = StationOverrides { period_s: station.period_s, grace_s: station.grace_s, points };
        let area = station.area.filter(|name| !name.is_empty());
        let of_area = match &area {
            Some(name) => match areas.get(name) {
                Some(known) => *known,
                None => {
                    let mut points = read_points(connection, Some(&format!("area/{name}")), ignored)?;
                    let of_area = read_areas(connection, Some(name), &mut points, ignored)?.remove(name);
                    *areas.entry(name.clone()).or_insert(of_area.unwrap_or_default())
                }
            },
            None => StationOverrides::default(),
        };
        let holds = says.or(&of_area).or(&fleet).resolve();
        own.push((id, holds.in_area(area.map(|name| settings.area(&name)))));
    }
    settings.set(own);
    Ok(settings)
}
