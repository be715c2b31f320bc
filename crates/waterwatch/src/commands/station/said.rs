//! What people have said of a station as a whole: that it is paused or retired,
//! or that somebody is there.

use std::io::{self, Write};

use waterwatch_core::alarm::Aside;
use waterwatch_core::station_life::{Retired, Visit};

use crate::commands::page::cut;
use crate::shown::called;
use crate::shown::station::Station;
use crate::shown::text::plain;
use crate::shown::time::Clock;
use crate::store::reader::communication::Comms;

/// What it is called, and what is to be said of it in few words: `show` has
/// all of it.
pub(in crate::commands) fn name(station: &Station, clock: &Clock) -> String {
    let called = called(&station.about).map(|called| cut(&called));
    // Nobody waits for one that is paused or retired.
    let is_expected = !matches!(station.comms, Comms::Paused | Comms::Retired);
    let never = station.never_heard(clock).filter(|_| is_expected);
    called.into_iter().chain(never).chain(said(station, clock)).collect::<Vec<_>>().join("; ")
}

/// It in few words, for a table whose column COMMS says the rest: `until
/// 2026-11-25`, `Ben is there until 14:30`.
fn said(station: &Station, clock: &Clock) -> Vec<String> {
    let mut said = Vec::new();
    if let Some(retired) = station.contact.retired() {
        said.push(format!("on {}", clock.day(retired.at_ms)));
    } else if let Some(pause) = &station.pause {
        said.push(format!("until {}", clock.day_or_time(pause.until_ms)));
    }
    if let Some(visit) = station.contact.visit(clock.now_ms()) {
        let (by, until) = (cut(&plain(&visit.by)), clock.day_or_time(visit.until_ms));
        said.push(format!("{by} is there until {until}"));
    }
    said
}

/// All of it that holds, a line each.
pub(super) fn write(out: &mut impl Write, station: &Station, clock: &Clock) -> io::Result<()> {
    if let Some(Retired { at_ms, by, reason }) = station.contact.retired() {
        let (at, by, reason) = (clock.minute_and_age(*at_ms), plain(by), plain(reason));
        writeln!(out, "  retired      {at}, by {by}: {reason}")?;
    }
    if let Some(Aside { until_ms, by, reason, warned: _ }) = &station.pause {
        let (until, by, reason) = (clock.minute(*until_ms), plain(by), plain(reason));
        writeln!(out, "  paused       until {until}, by {by}: {reason}")?;
    }
    if let Some(Visit { since_ms, until_ms, by, reason }) = station.contact.visit(clock.now_ms()) {
        let (since, until, by) = (clock.minute_and_age(*since_ms), clock.minute(*until_ms), plain(by));
        let reason = reason.as_ref().map_or(String::new(), |reason| format!(": {}", plain(reason)));
        writeln!(out, "  visited      by {by} since {since}, until {until}{reason}")?;
    }
    Ok(())
}
