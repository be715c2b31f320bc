//! `waterwatch station list`: the stations in the order of their ids.

use std::collections::HashSet;
use std::io::{self, Write};

use serde_json::value::Value;
use waterwatch_core::StationId;

use super::said;
use crate::cli::StationListOptions;
use crate::commands::alarm::{self, area, first_unknown, output};
use crate::commands::elsewhere::{Elsewhere, Query, Rows, listed, station as station_of};
use crate::commands::page::json;
use crate::commands::page::table::{self, Paint, numbers, optional, words};
use crate::commands::{notice_if_read, printed};
use crate::failure::Failure;
use crate::shown::count;
use crate::shown::station::{self, Station};
use crate::shown::time::Clock;
use crate::store::reader::communication::Quality;
use crate::store::reader::{Reader, Which};

pub(super) fn run(options: &StationListOptions) -> Result<(), Failure> {
    let StationListOptions { limit, after, look, .. } = options;
    let clock = Clock::system();
    let stations_max = limit.map_or(usize::MAX, |limit| limit as usize);
    let filter = Filter(options);
    if let Some(server) = Elsewhere::of(look)? {
        return elsewhere(options, &server, stations_max, &clock);
    }
    // One more shows that there are more. What is left out afterwards is not
    // known before, so all are read then.
    let read_max = if filter.leaves_out() { usize::MAX } else { stations_max.saturating_add(1) };
    let which = Which::After { station: *after, stations_max: read_max };
    let read = || -> anyhow::Result<_> {
        let reader = Reader::open(&look.data.file)?;
        let unknown = first_unknown(&reader, options.area.as_deref().map(area))?;
        Ok((reader.picture(which, &clock.zone)?, unknown))
    };
    let (picture, unknown) = read().map_err(Failure::of_database)?;
    if let Some(area) = unknown {
        return Err(alarm::unknown(&area, None));
    }
    let notice = notice_if_read(&picture, &clock, look.json);
    let named: Option<HashSet<StationId>> = options.unnamed.then(|| picture.server.settings.said().collect());
    let (mut stations, _) = station::of(picture, clock.now_ms());
    stations.retain(|station| {
        let is_named = named.as_ref().is_some_and(|named| named.contains(&station.contact.station_id));
        filter.fits(station, is_named)
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

/// The same where a server was named.
fn elsewhere(
    options: &StationListOptions,
    server: &Elsewhere,
    stations_max: usize,
    clock: &Clock,
) -> Result<(), Failure> {
    let StationListOptions { comms, quality, state, area, unnamed, q, after, limit: _, look } = options;
    if let Some(area) = server.first_unknown(area.as_deref().map(alarm::area))? {
        return Err(alarm::unknown(&area, None));
    }
    let mut query = Query::new();
    query.extend(listed("comms", comms.iter().map(|one| one.name())));
    query.extend(listed("quality", quality.iter().map(|one| one.name())));
    query.extend(listed("state", state.iter().map(|one| one.name())));
    query.extend(area.clone().map(|area| ("area", area)));
    query.extend(unnamed.then(|| ("unnamed", "true".to_owned())));
    query.extend(q.clone().map(|q| ("q", q)));
    let Rows { rows, has_more, .. } =
        server.rows("stations", &query, after.map(|after| after.to_string()), stations_max)?;
    let stations: Option<Vec<(Station, &Value)>> =
        rows.iter().map(|row| Some((station_of(row, clock)?, row))).collect();
    let mut stations = stations.ok_or_else(|| server.strange())?;
    let next = stations.last().filter(|_| has_more).map(|(last, _)| last.contact.station_id);
    if !has_more && after.is_none() {
        stations.sort_by_key(|(station, _)| station.is_retired());
    }
    let (mut out, terminal) = output();
    let done = if look.json {
        json::array(&mut out, stations.iter().map(|(_, row)| row))
    } else {
        let stations: Vec<Station> = stations.into_iter().map(|(station, _)| station).collect();
        write(&mut out, &stations, next, clock, terminal)
    };
    printed(done.and_then(|()| out.flush()))
}

/// Which stations are listed: those that fit all that is said.
struct Filter<'a>(&'a StationListOptions);

impl Filter<'_> {
    /// Whether it may leave any out.
    fn leaves_out(&self) -> bool {
        let StationListOptions { comms, quality, state, area, unnamed, q, .. } = self.0;
        let has_words = !comms.is_empty() || !quality.is_empty() || !state.is_empty();
        has_words || area.is_some() || *unnamed || q.is_some()
    }

    fn fits(&self, station: &Station, is_named: bool) -> bool {
        let StationListOptions { comms, quality, state, area, unnamed, q, .. } = self.0;
        (comms.is_empty() || comms.contains(&station.comms))
            && (quality.is_empty() || quality.contains(&station.quality()))
            && (state.is_empty() || station.state.is_some_and(|is| state.contains(&is)))
            && (area.is_none() || station.about.area.as_deref() == area.as_deref())
            && !(*unnamed && (is_named || !station.contact.was_heard()))
            && q.as_ref().is_none_or(|q| begins(station, q.trim()))
    }
}

/// Whether its id or its name, whose letters of ASCII are in either case, begins so.
fn begins(station: &Station, with: &str) -> bool {
    let is_of_id = with.bytes().all(|byte| byte.is_ascii_digit())
        && station.contact.station_id.to_string().starts_with(with);
    let is_of_name =
        |name: &str| name.get(..with.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(with));
    is_of_id || station.about.name.as_deref().is_some_and(is_of_name)
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
