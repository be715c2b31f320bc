//! `waterwatch station list`: the stations in the order of their ids.

use std::io::{self, Write};

use waterwatch_core::StationId;

use super::said;
use crate::cli::StationListOptions;
use crate::commands::alarm::output;
use crate::commands::page::json;
use crate::commands::page::table::{self, Paint, numbers, optional, words};
use crate::commands::printed;
use crate::failure::Failure;
use crate::shown::station::{self, Station};
use crate::shown::time::Clock;
use crate::shown::{count, notice};
use crate::store::reader::communication::Quality;
use crate::store::reader::{Reader, Which};

pub(super) fn run(options: &StationListOptions) -> Result<(), Failure> {
    let StationListOptions { comms, quality, limit, after, look } = options;
    let clock = Clock::system();
    let stations_max = limit.map_or(usize::MAX, |limit| limit as usize);
    // One more shows that there are more. What is left out afterwards is not
    // known before, so all are read then.
    let is_filtered = !comms.is_empty() || !quality.is_empty();
    let read_max = if is_filtered { usize::MAX } else { stations_max.saturating_add(1) };
    let which = Which::After { station: *after, stations_max: read_max };
    let read = || -> anyhow::Result<_> { Ok(Reader::open(&look.data.file)?.picture(which, &clock.zone)?) };
    let picture = read().map_err(Failure::of_database)?;
    let notice = notice(&picture.server, &clock);
    let (mut stations, _) = station::of(picture, clock.now_ms());
    stations.retain(|station| {
        (comms.is_empty() || comms.contains(&station.comms))
            && (quality.is_empty() || quality.contains(&station.quality()))
    });
    let is_cut = stations.len() > stations_max;
    stations.truncate(stations_max);
    // A page goes on after its last id.
    if !is_cut && after.is_none() {
        stations.sort_by_key(Station::is_retired);
    }
    let (mut out, terminal) = output();
    let done = if look.json {
        json::array(&mut out, stations.iter().map(|station| station.object(&clock)))
    } else {
        let next = stations.last().filter(|_| is_cut).map(|last| last.contact.station_id);
        write(&mut out, &stations, next, &clock, terminal)
            .and_then(|()| notice.map_or(Ok(()), |notice| writeln!(out, "{notice}")))
    };
    printed(done.and_then(|()| out.flush()))
}

/// Writes the table. `next`: there are more, after this one.
pub(super) fn write(
    out: &mut impl Write,
    stations: &[Station],
    next: Option<StationId>,
    clock: &Clock,
    terminal: bool,
) -> io::Result<()> {
    if stations.is_empty() {
        return writeln!(out, "no stations");
    }
    let columns = [
        numbers("STATION"),
        words("COMMS"),
        words("STATE"),
        words("ON"),
        words("LAST CONTACT"),
        words("AGO"),
        optional("NAME"),
    ];
    let texts = |station: &Station| {
        [
            station.contact.station_id.to_string(),
            station.comms.name().to_owned(),
            station.short(),
            station.contacts(),
            station.last_date().to_owned(),
            station.ago(clock),
            said::name(station, clock),
        ]
    };
    let paint = |station: &Station| match station.quality() {
        _ if station.is_retired() => Some((1, Paint::Past)),
        Quality::Good => None,
        Quality::Stale | Quality::Never => Some((1, Paint::Doubt)),
    };
    table::write(out, columns, stations, terminal, texts, paint)?;
    writeln!(out)?;
    match next {
        Some(next) => writeln!(
            out,
            "{}, and there are more: go on with --after {next}",
            count(stations.len() as u64, "station")
        ),
        None => writeln!(out, "{}", count(stations.len() as u64, "station")),
    }
}
