//! The stations for a program: an array of objects.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;

use super::{Picture, age_s};

/// One station.
#[derive(Serialize)]
struct Object<'a> {
    station_id: i64,
    /// As it is stored: local to the server.
    last_date: &'a str,
    /// RFC 3339, UTC; null if a row made by hand says no time.
    received_at: Option<Timestamp>,
    age_s: Option<i64>,
    alarm1: bool,
    alarm2: bool,
    reports: i64,
}

/// Writes the array, an object a line.
pub(super) fn write(out: &mut impl Write, picture: &Picture) -> io::Result<()> {
    if picture.stations.is_empty() {
        return writeln!(out, "[]");
    }
    write_between(out, picture, ["[\n  ", ",\n  ", "\n]\n"])
}

/// Writes the array as one line.
pub(super) fn write_line(out: &mut impl Write, picture: &Picture) -> io::Result<()> {
    write_between(out, picture, ["[", ",", "]\n"])
}

fn write_between(out: &mut impl Write, picture: &Picture, marks: [&str; 3]) -> io::Result<()> {
    let [begin, between, end] = marks;
    let mut mark = begin;
    for object in objects(picture) {
        out.write_all(mark.as_bytes())?;
        serde_json::to_writer(&mut *out, &object)?;
        mark = between;
    }
    if mark == begin {
        out.write_all(begin.as_bytes())?;
    }
    out.write_all(end.as_bytes())
}

fn objects(picture: &Picture) -> impl Iterator<Item = Object<'_>> {
    picture.stations.iter().map(|station| Object {
        station_id: station.station_id.get(),
        last_date: &station.last_date,
        received_at: station.received_at_ms.and_then(|time_ms| Timestamp::from_millisecond(time_ms).ok()),
        age_s: age_s(station, picture.now),
        alarm1: station.alarm1,
        alarm2: station.alarm2,
        reports: station.reports,
    })
}
