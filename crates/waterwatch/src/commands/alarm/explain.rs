//! `waterwatch alarm explain`: an occurrence's whole story.

use std::io::{self, Write};

use anyhow::anyhow;

use super::{key, output, unknown};
use crate::cli::AlarmExplainOptions;
use crate::commands::page::json;
use crate::commands::printed;
use crate::failure::Failure;
use crate::shown::event::unreadable;
use crate::shown::story::{Story, no_such_occurrence};
use crate::shown::time::Clock;
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
    let done =
        if options.look.json { json::object(&mut out, &story.object()) } else { write(&mut out, &story) };
    printed(done.and_then(|()| out.flush()))
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
    if let Some(left_out) = unreadable(&story.past.unreadable) {
        writeln!(out, "({left_out})")?;
    }
    writeln!(out, "{}", story.ending())
}
