//! What people and programs are shown: how alarms and stations stand, what
//! happened to them, as sentences and as objects. The commands and the HTTP API
//! show the same.
//!
//! The objects become JSON: times are RFC 3339, UTC; what does not hold or is not
//! known is null. Fields may be added; none is renamed. Whoever prints or sends
//! them is not known here.

pub mod alarm;
pub mod csv;
pub mod duty;
pub mod event;
pub mod span;
pub mod station;
pub mod story;
pub mod text;
pub mod time;
pub mod words;

use waterwatch_core::alarm::{AlarmSource, Point};

use self::text::{names, plain};
use self::time::Clock;
use crate::store::reader::{LeftOut, Picture, ServerRows, StationAbout};

/// `1 station`, `2 stations`.
pub fn count(number: impl Into<u64>, one: &str) -> String {
    match number.into() {
        1 => format!("1 {one}"),
        number => format!("{number} {one}s"),
    }
}

/// `station 123`, `area North`, `the server`.
#[must_use]
pub fn named(source: &AlarmSource) -> String {
    match source {
        AlarmSource::Station(id) => format!("station {id}"),
        AlarmSource::Area(name) => format!("area {}", plain(name)),
        AlarmSource::Server => "the server".to_owned(),
    }
}

/// `, North lift (North)`: the same behind its number.
#[must_use]
pub fn also_called(about: &StationAbout) -> String {
    let comma = if about.name.is_some() { "," } else { "" };
    called(about).map_or(String::new(), |called| format!("{comma} {called}"))
}

/// `North lift (North)`: what people call a station, and its area.
#[must_use]
pub fn called(about: &StationAbout) -> Option<String> {
    match (about.name.as_deref(), about.area.as_deref()) {
        (None, None) => None,
        (Some(name), None) => Some(plain(name)),
        (None, Some(area)) => Some(format!("({})", plain(area))),
        (Some(name), Some(area)) => Some(format!("{} ({})", plain(name), plain(area))),
    }
}

/// That there is no such source, or that it has no such point.
#[must_use]
pub fn unknown(source: &AlarmSource, point: Option<Point>) -> String {
    let of = named(source);
    let points = Point::of(source);
    match (source, point) {
        (_, Some(point)) if !points.contains(&point) => {
            format!("{of} has no {point}; it has {}", names(points.iter().map(|point| point.name())))
        }
        (AlarmSource::Station(_), _) => format!("no such station: nothing is known of {of}"),
        (_, Some(point)) => format!("{of} has no {point} of which anything is recorded"),
        (_, None) => format!("nothing is recorded of {of}"),
    }
}

/// What to say below a picture: that rows are left out, and what [`notice`] says.
#[must_use]
pub fn notice_of(picture: &Picture, clock: &Clock) -> Option<String> {
    let notices: Vec<String> = left_out(picture).into_iter().chain(notice(&picture.server, clock)).collect();
    (!notices.is_empty()).then(|| notices.join("\n"))
}

/// That stations are left out, since their rows cannot be read.
#[must_use]
pub fn left_out(picture: &Picture) -> Option<String> {
    let LeftOut { rows, first } = &picture.left_out;
    let (first, rows) = (first.as_ref()?, count(*rows as u64, "station"));
    Some(format!("{rows} left out: {}", plain(&first.to_string())))
}

/// What to say if the server that should keep all of this up to date seems to
/// be gone. `None` if it is there, or never said that it is.
#[must_use]
pub fn notice(server: &ServerRows, clock: &Clock) -> Option<String> {
    let until_ms = server.alive_until_ms.filter(|_| !server.is_alive(clock.now_ms()))?;
    let until = clock.minute_and_age(until_ms);
    Some(format!("the server has recorded nothing since {until}: what is shown was known then"))
}
