//! `waterwatch alarm …`: the alarms, what happened to them, and why; what is done to
//! them.

mod explain;
mod history;
mod list;
mod order;
mod show;
pub(super) mod table;

use std::io::{BufWriter, StdoutLock, stdout};

use anyhow::anyhow;
use waterwatch_core::alarm::{AlarmSource, Point};

use crate::cli::{AlarmCommand, WhichAlarm};
use crate::failure::Failure;
use crate::shown;
use crate::store::AlarmKey;
use crate::store::reader::{ReadError, Reader};
use crate::terminal::has_colours;

/// Prints what was asked of the alarms, or has it done and says what came of it.
///
/// # Errors
/// If there is no database of ours, it cannot be read, or what was asked for
/// is not in it; if no server is there to do it, or refuses to.
pub fn run(command: &AlarmCommand) -> Result<(), Failure> {
    match command {
        AlarmCommand::List(options) => list::run(options),
        AlarmCommand::Show(options) => show::run(options),
        AlarmCommand::History(options) => history::run(options),
        AlarmCommand::Explain(options) => explain::run(options),
        AlarmCommand::Ack(options) => order::acknowledge(options),
        AlarmCommand::Shelve(options) => order::shelve(options),
        AlarmCommand::Unshelve(options) => order::unshelve(options),
        AlarmCommand::OutOfService(options) => order::take_out_of_service(options),
        AlarmCommand::ReturnToService(options) => order::return_to_service(options),
        AlarmCommand::Note(options) => order::note(options),
    }
}

/// Standard output, and whether it is a terminal that has colours.
pub(super) fn output() -> (BufWriter<StdoutLock<'static>>, bool) {
    let out = stdout().lock();
    let terminal = has_colours(&out);
    (BufWriter::new(out), terminal)
}

fn key(alarm: &WhichAlarm) -> AlarmKey {
    (alarm.source.clone(), alarm.point)
}

/// An area as a source.
pub(super) fn area(name: &str) -> AlarmSource {
    AlarmSource::Area(name.into())
}

/// The first of these sources of which nothing is known: a mistyped one is not one where
/// all is well.
pub(super) fn first_unknown(
    reader: &Reader,
    sources: impl IntoIterator<Item = AlarmSource>,
) -> Result<Option<AlarmSource>, ReadError> {
    for source in sources {
        if !reader.knows(&source, None)? {
            return Ok(Some(source));
        }
    }
    Ok(None)
}

/// That there is no such source, or that it has no such point.
pub(super) fn unknown(source: &AlarmSource, point: Option<Point>) -> Failure {
    let has_point = point.is_none_or(|point| Point::of(source).contains(&point));
    let hint = match source {
        AlarmSource::Station(_) if has_point => "; `waterwatch station list` has all",
        _ => "",
    };
    Failure::Failed(anyhow!("{}{hint}", shown::unknown(source, point)))
}

#[cfg(test)]
mod tests;
