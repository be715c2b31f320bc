//! The stations for a person: a table, above it what is in alarm besides them, and
//! a line that sums it up.

use std::io::{self, Write};

use waterwatch_core::alarm::State;

use super::Picture;
use crate::commands::alarm::table as alarms;
use crate::commands::page::table::{self, Paint, numbers, optional, words};
use crate::commands::station::said;
use crate::shown::alarm::is_hidden;
use crate::shown::count;
use crate::shown::station::Station;
use crate::store::reader::communication::{Comms, Quality};

/// Writes the table. Only a `terminal` gets colours.
pub(super) fn write(out: &mut impl Write, picture: &Picture, terminal: bool) -> io::Result<()> {
    if !picture.others.is_empty() {
        alarms::write(out, &picture.others, &picture.clock, terminal)?;
        writeln!(out)?;
    }
    if picture.stations.is_empty() {
        writeln!(out, "no station has reported yet")?;
    } else {
        let columns = [
            numbers("STATION"),
            words("LAST CONTACT"),
            words("AGO"),
            words("COMMS"),
            words("STATE"),
            words("ALARMS"),
            optional("NAME"),
        ];
        let texts = |station: &Station| {
            [
                station.contact.station_id.to_string(),
                station.last_date().to_owned(),
                station.ago(&picture.clock),
                station.comms.name().to_owned(),
                station.short(),
                station.contacts(),
                said::name(station, &picture.clock),
            ]
        };
        let paint = |station: &Station| match station.quality() {
            _ if station.is_retired() => Some((3, Paint::Past)),
            _ if station.is_in_alarm() => Some((4, Paint::Alarm)),
            Quality::Good => None,
            Quality::Stale | Quality::Never => Some((3, Paint::Doubt)),
        };
        table::write(out, columns, &picture.stations, terminal, texts, paint)?;
        writeln!(out)?;
        writeln!(out, "{}", summary(picture))?;
    }
    picture.notice.as_ref().map_or(Ok(()), |notice| writeln!(out, "{notice}"))
}

/// How many are how; what is well is not counted. Alarms are counted as `alarm
/// list` does, and the rest by stations.
fn summary(picture: &Picture) -> String {
    let Picture { others, others_hidden, stations, .. } = picture;
    let how_many = |fits: &dyn Fn(&Station) -> bool| stations.iter().filter(|station| fits(station)).count();
    let alarms = |of: &dyn Fn(&Station) -> u8| -> usize {
        stations.iter().map(|station| usize::from(of(station))).sum()
    };
    let in_alarm = others.len() + alarms(&|station| station.alarms);
    let unacknowledged = others.iter().filter(|other| other.state.is_some_and(State::is_unanswered)).count()
        + alarms(&|station| station.unacknowledged);
    let mut summary = match in_alarm {
        0 => "no alarms".to_owned(),
        in_alarm => count(in_alarm as u64, "alarm"),
    };
    for (number, what) in [
        (unacknowledged, "unacknowledged"),
        (how_many(&|station| !station.delayed.is_empty()), "with an on-delay running"),
        (how_many(&|station| station.comms == Comms::Silent), "silent"),
        (how_many(&|station| station.comms == Comms::Late), "late"),
        (how_many(&|station| station.comms == Comms::New || !station.contact.was_heard()), "never heard"),
        (how_many(&|station| station.comms == Comms::Paused), "paused"),
        (how_many(&|station| station.comms == Comms::Retired), "retired"),
        (others_hidden + how_many(&|station| station.state.is_some_and(is_hidden)), "hidden"),
        (how_many(&|station| !station.disabled.is_empty()), "with a disabled point"),
        (how_many(&Station::is_disabled_on), "of them on"),
    ] {
        if number > 0 {
            summary += &format!(", {number} {what}");
        }
    }
    if stations.iter().any(|station| station.quality() != Quality::Good) {
        summary += " (? is what was last known)";
    }
    format!("{}, {summary}", count(stations.len() as u64, "station"))
}
