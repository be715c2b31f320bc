//! Whether the fleet fits: ids, open files, and source addresses.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::anyhow;
use waterwatch_core::StationId;

use crate::failure::Failure;
use crate::open_files;

/// Open files besides the stations' connections: standard streams, the
/// runtime's own, and what a library may open in passing.
const FILES_RESERVE: u64 = 32;

/// Stations that report from one loopback address: Linux gives out 28,232
/// ports by default, and searches longer for each one as they run out.
const STATIONS_PER_SOURCE: u32 = 10_000;

/// The first id, if the last one is an id as well.
pub(super) fn first_id(first: i64, stations: u32) -> Result<StationId, Failure> {
    first.checked_add(i64::from(stations) - 1).and_then(|_last| StationId::new(first)).ok_or_else(|| {
        Failure::WrongInput(anyhow!(
            "--first-id {first}: {stations} stations from there would pass the largest station id, {}",
            StationId::MAX
        ))
    })
}

/// Allows this process as many open files as the system lets it, and checks
/// that each station's connection is among them.
pub(super) fn raise_open_files(stations: u32) -> Result<(), Failure> {
    fits_open_files(stations, open_files::raise())
}

fn fits_open_files(stations: u32, files_max: Option<u64>) -> Result<(), Failure> {
    let needed = u64::from(stations) + FILES_RESERVE;
    match files_max {
        Some(files_max) if files_max < needed => Err(Failure::WrongInput(anyhow!(
            "--stations {stations} needs {needed} open files and this system allows {files_max}: \
             take at most {} stations or raise the limit (ulimit -Hn)",
            files_max.saturating_sub(FILES_RESERVE)
        ))),
        _ => Ok(()),
    }
}

/// The address that the station at this place reports from, if it matters:
/// one loopback address has too few ports for a large fleet, and all of
/// 127.0.0.0/8 is there.
pub(super) fn source(server: SocketAddr, place: u32, stations: u32) -> Option<IpAddr> {
    let IpAddr::V4(server) = server.ip() else { return None };
    if stations <= STATIONS_PER_SOURCE || !server.is_loopback() {
        return None;
    }
    let first = u32::from(Ipv4Addr::LOCALHOST);
    Some(IpAddr::V4(Ipv4Addr::from(first + place / STATIONS_PER_SOURCE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_id_must_be_one() {
        assert_eq!(first_id(i64::MAX, 1).unwrap(), StationId::MAX);
        assert!(matches!(first_id(i64::MAX, 2), Err(Failure::WrongInput(_))));
    }

    #[test]
    fn a_fleet_that_has_not_enough_open_files_is_refused() {
        assert!(fits_open_files(1_000, Some(1_032)).is_ok());
        assert!(fits_open_files(1_000, None).is_ok());
        let Err(Failure::WrongInput(error)) = fits_open_files(1_001, Some(1_032)) else {
            panic!("one too many");
        };
        assert!(error.to_string().contains("take at most 1000 stations"), "{error}");
    }

    #[test]
    fn a_large_fleet_reports_from_several_loopback_addresses() {
        let source = |server: &str, place, stations| {
            source(server.parse().unwrap(), place, stations).map(|address| address.to_string())
        };
        assert_eq!(source("127.0.0.1:1", 9_999, 10_000), None);
        assert_eq!(source("127.0.0.1:1", 9_999, 20_000).as_deref(), Some("127.0.0.1"));
        assert_eq!(source("127.0.0.1:1", 10_000, 20_000).as_deref(), Some("127.0.0.2"));
        assert_eq!(source("10.0.0.1:1", 10_000, 20_000), None);
        assert_eq!(source("[::1]:1", 10_000, 20_000), None);
    }
}
