//! `waterwatch alarm …`: the alarms, what happened to them, and why.

mod entry;
mod explain;
mod history;
mod list;
mod of_many;
mod show;
pub(super) mod standing;
mod story;

use std::io::{BufWriter, IsTerminal, StdoutLock, stdout};

use anyhow::anyhow;
use waterwatch_core::alarm::{AlarmSource, Point};

pub(super) use self::entry::peer;
use super::page::plain;
use crate::cli::{AlarmCommand, WhichAlarm, names};
use crate::failure::Failure;
use crate::store::AlarmKey;
use crate::store::reader::StationAbout;

/// Prints what was asked of the alarms.
///
/// # Errors
/// If there is no database of ours, it cannot be read, or what was asked for
/// is not in it.
pub fn run(command: &AlarmCommand) -> Result<(), Failure> {
    match command {
        AlarmCommand::List(options) => list::run(options),
        AlarmCommand::Show(options) => show::run(options),
        AlarmCommand::History(options) => history::run(options),
        AlarmCommand::Explain(options) => explain::run(options),
    }
}

/// Standard output, and whether it is a terminal.
pub(super) fn output() -> (BufWriter<StdoutLock<'static>>, bool) {
    let out = stdout().lock();
    let terminal = out.is_terminal();
    (BufWriter::new(out), terminal)
}

fn key(alarm: &WhichAlarm) -> AlarmKey {
    (alarm.source.clone(), alarm.point)
}

/// That there is no such source, or that it has no such point.
pub(super) fn unknown(source: &AlarmSource, point: Option<Point>) -> Failure {
    let of = named(source);
    let points = Point::of(source);
    Failure::Failed(match (source, point) {
        (_, Some(point)) if !points.contains(&point) => {
            anyhow!("{of} has no {point}; it has {}", names(points.iter().map(|point| point.name())))
        }
        (AlarmSource::Station(_), _) => {
            anyhow!("no such station: nothing is known of {of}; `waterwatch station list` has all")
        }
        (_, Some(point)) => anyhow!("{of} has no {point} of which anything is recorded"),
        (_, None) => anyhow!("nothing is recorded of {of}"),
    })
}

/// `station 123`, `area North`, `the server`.
fn named(source: &AlarmSource) -> String {
    match source {
        AlarmSource::Station(id) => format!("station {id}"),
        AlarmSource::Area(name) => format!("area {}", plain(name)),
        AlarmSource::Server => "the server".to_owned(),
    }
}

/// `, North lift (North)`: the same behind its number.
pub(super) fn also_called(about: &StationAbout) -> String {
    let comma = if about.name.is_some() { "," } else { "" };
    called(about).map_or(String::new(), |called| format!("{comma} {called}"))
}

/// `North lift (North)`: what people call a station, and its area.
pub(super) fn called(about: &StationAbout) -> Option<String> {
    match (about.name.as_deref(), about.area.as_deref()) {
        (None, None) => None,
        (Some(name), None) => Some(plain(name)),
        (None, Some(area)) => Some(format!("({})", plain(area))),
        (Some(name), Some(area)) => Some(format!("{} ({})", plain(name), plain(area))),
    }
}

#[cfg(test)]
mod tests;
