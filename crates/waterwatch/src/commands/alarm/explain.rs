//! `waterwatch alarm explain`: an occurrence's whole story.

use std::io::{self, Write};

use anyhow::anyhow;
use jiff::Timestamp;
use serde::Deserialize;
use waterwatch_core::alarm::Priority;

use super::{key, output, unknown};
use crate::cli::AlarmExplainOptions;
use crate::commands::elsewhere::{Elsewhere, Query, read, standing, unreadable_of, written};
use crate::commands::page::json;
use crate::commands::printed;
use crate::failure::Failure;
use crate::shown::event::unreadable;
use crate::shown::story::{Story, headline, no_such_occurrence};
use crate::shown::text::plain;
use crate::shown::time::Clock;
use crate::store::AlarmKey;
use crate::store::reader::{Reader, UnreadableEntry};

pub(super) fn run(options: &AlarmExplainOptions) -> Result<(), Failure> {
    let clock = Clock::system();
    let key = key(&options.alarm);
    if let Some(server) = Elsewhere::of(&options.look)? {
        return elsewhere(options, &key, &server, &clock);
    }
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
    let done =
        if options.look.json { json::object(&mut out, &story.object()) } else { write(&mut out, &story) };
    printed(done.and_then(|()| out.flush()))
}

/// A story as a server tells it.
#[derive(Deserialize)]
struct Told {
    priority: String,
    occurrence: Option<i64>,
    lines: Vec<ToldLine>,
    is_cut: bool,
    now: String,
}

#[derive(Deserialize)]
struct ToldLine {
    time: Option<Timestamp>,
    text: String,
}

/// The same where a server was named.
fn elsewhere(
    options: &AlarmExplainOptions,
    key: &AlarmKey,
    server: &Elsewhere,
    clock: &Clock,
) -> Result<(), Failure> {
    let (source, point) = (written(&key.0), key.1.name());
    let occurrence = options.occurrence.map(|occurrence| ("occurrence", occurrence.to_string()));
    let story = server.get(&["alarms", &source, point, "explain"], &Query::from_iter(occurrence))?;
    let (mut out, _) = output();
    if options.look.json {
        return printed(json::object(&mut out, &story).and_then(|()| out.flush()));
    }
    let alarm = server.find(&["alarms", &source, point], &Query::new())?;
    let about = alarm.as_ref().and_then(standing).and_then(|standing| standing.about);
    let told = read::<Told>(&story).and_then(|told| Some((Priority::from_name(&told.priority)?, told)));
    let (priority, told) = told.ok_or_else(|| server.strange())?;
    let headline = headline(key, about.as_ref(), priority, told.occurrence);
    let lines = told.lines.iter().map(|line| {
        let time = line.time.map_or_else(|| "?".to_owned(), |time| clock.exact(time.as_millisecond()));
        (time, plain(&line.text))
    });
    let left_out = unreadable_of(&story);
    let done = sentences(&mut out, &headline, lines, told.is_cut, &left_out, &plain(&told.now));
    printed(done.and_then(|()| out.flush()))
}

/// Writes the story, a sentence a line.
pub(super) fn write(out: &mut impl Write, story: &Story<'_>) -> io::Result<()> {
    let lines = story.lines().into_iter().map(|line| (story.clock.exact(line.time_ms), line.text));
    sentences(out, &story.headline(), lines, story.past.is_cut, &story.past.unreadable, &story.ending())
}

fn sentences(
    out: &mut impl Write,
    headline: &str,
    lines: impl Iterator<Item = (String, String)>,
    is_cut: bool,
    left_out: &[UnreadableEntry],
    ending: &str,
) -> io::Result<()> {
    writeln!(out, "{headline}")?;
    for (time, text) in lines {
        writeln!(out, "{time}  {text}")?;
    }
    if is_cut {
        writeln!(out, "(and more; `waterwatch alarm history` has all)")?;
    }
    if let Some(left_out) = unreadable(left_out) {
        writeln!(out, "({left_out})")?;
    }
    writeln!(out, "{ending}")
}
