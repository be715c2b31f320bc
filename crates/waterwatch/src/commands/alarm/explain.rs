//! `waterwatch alarm explain`: an occurrence's whole story.

use std::io::{self, Write};

use anyhow::anyhow;
use jiff::Timestamp;
use serde::Serialize;
use waterwatch_core::alarm::Kind;

use super::standing::station_id;
use super::story::Story;
use super::{key, named, output, unknown};
use crate::cli::AlarmExplainOptions;
use crate::commands::page::json;
use crate::commands::page::time::{Clock, rfc3339};
use crate::commands::printed;
use crate::failure::Failure;
use crate::store::AlarmKey;
use crate::store::reader::Reader;

pub(super) fn run(options: &AlarmExplainOptions) -> Result<(), Failure> {
    let clock = Clock::system();
    let key = key(&options.alarm);
    let read = || -> anyhow::Result<_> {
        let reader = Reader::open(&options.look.data.file)?;
        let is_known = reader.knows(&key.0, Some(key.1))?;
        Ok((reader.past(&key, options.occurrence, &clock.zone)?, is_known))
    };
    let past = match read().map_err(Failure::of_database)? {
        (_, false) => return Err(unknown(&key.0, Some(key.1))),
        (past, true) => past,
    };
    let past = match past {
        Ok(past) => past,
        Err(last) => {
            return Err(Failure::Failed(anyhow!(no_such_occurrence(&key, options.occurrence, last))));
        }
    };
    let story = Story::new(&key, &past, &clock);
    let (mut out, _) = output();
    let done = if options.look.json { write_json(&mut out, &story) } else { write(&mut out, &story) };
    printed(done.and_then(|()| out.flush()))
}

/// What to say where there is nothing to tell.
fn no_such_occurrence(key: &AlarmKey, asked: Option<i64>, last: Option<i64>) -> String {
    let (source, point) = (named(&key.0), key.1);
    match (asked, last) {
        (None, None) => {
            format!("{point} of {source} was never raised: nothing is recorded that could be told")
        }
        (Some(asked), None) => {
            format!("{point} of {source} was never raised: {asked} is no occurrence of it")
        }
        (Some(asked), Some(last)) => {
            format!("{asked} is no occurrence of {point} of {source}; the last one is {last}")
        }
        (None, Some(last)) => format!("occurrence {last} of {point} of {source} has lost its first entry"),
    }
}

/// Writes the story, a sentence a line.
pub(super) fn write(out: &mut impl Write, story: &Story<'_>) -> io::Result<()> {
    writeln!(out, "{}", story.headline())?;
    for line in story.lines() {
        writeln!(out, "{}  {}", story.clock.exact(line.time_ms), line.text)?;
    }
    if story.past.is_cut {
        writeln!(out, "(and more; `waterwatch alarm history` has all)")?;
    }
    writeln!(out, "{}", story.ending())
}

/// Writes it as one object.
pub(super) fn write_json(out: &mut impl Write, story: &Story<'_>) -> io::Result<()> {
    let lines = story
        .lines()
        .into_iter()
        .map(|line| LineObject {
            sequence: line.sequence,
            time: rfc3339(line.time_ms),
            kind: Kind::name(line.kind),
            count: line.count,
            text: line.text,
        })
        .collect();
    let (source, point) = story.key;
    json::object(
        out,
        &Object {
            source: source.to_string(),
            station_id: station_id(source),
            point: point.name(),
            priority: story.priority().name(),
            occurrence: story.past.occurrence,
            is_open: story.open().is_some(),
            state: story.state().name(),
            quality: story.quality().name(),
            lines,
            is_cut: story.past.is_cut,
            now: story.ending(),
        },
    )
}

/// A story for a program.
#[derive(Serialize)]
struct Object {
    source: String,
    station_id: Option<i64>,
    point: &'static str,
    priority: &'static str,
    /// Null if it was never raised.
    occurrence: Option<i64>,
    /// Whether it is the current one.
    is_open: bool,
    /// The alarm's state now, whichever occurrence is told.
    state: &'static str,
    quality: &'static str,
    lines: Vec<LineObject>,
    is_cut: bool,
    now: String,
}

#[derive(Serialize)]
struct LineObject {
    sequence: i64,
    time: Option<Timestamp>,
    kind: &'static str,
    /// How many stations it is about at once; null if it is about one alarm.
    count: Option<usize>,
    text: String,
}
