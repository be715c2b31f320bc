//! What people have said of a station as a whole: that it is paused or retired,
//! or that somebody is there.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;
use waterwatch_core::alarm::Aside;
use waterwatch_core::station_life::{Retired, Visit};

use super::row::Station;
use crate::commands::page::time::{Clock, rfc3339};
use crate::commands::page::{cut, plain};

/// It in few words, for a table whose column COMMS says the rest: `until
/// 2026-11-25`, `Ben is there until 14:30`.
pub(super) fn said(station: &Station, clock: &Clock) -> Vec<String> {
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

/// A pause for a program.
#[derive(Serialize)]
pub(super) struct PausedObject<'a> {
    until: Option<Timestamp>,
    by: &'a str,
    reason: &'a str,
}

impl<'a> PausedObject<'a> {
    pub(super) fn new(Aside { until_ms, by, reason, warned: _ }: &'a Aside) -> PausedObject<'a> {
        PausedObject { until: rfc3339(*until_ms), by, reason }
    }
}

/// A visit for a program.
#[derive(Serialize)]
pub(super) struct VisitObject<'a> {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    by: &'a str,
    reason: Option<&'a str>,
}

impl<'a> VisitObject<'a> {
    pub(super) fn new(Visit { since_ms, until_ms, by, reason }: &'a Visit) -> VisitObject<'a> {
        VisitObject { since: rfc3339(*since_ms), until: rfc3339(*until_ms), by, reason: reason.as_deref() }
    }
}

/// A retirement for a program.
#[derive(Serialize)]
pub(super) struct RetiredObject<'a> {
    at: Option<Timestamp>,
    by: &'a str,
    reason: &'a str,
}

impl<'a> RetiredObject<'a> {
    pub(super) fn new(Retired { at_ms, by, reason }: &'a Retired) -> RetiredObject<'a> {
        RetiredObject { at: rfc3339(*at_ms), by, reason }
    }
}
