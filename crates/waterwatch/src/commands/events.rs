//! `waterwatch events`: the ledger as sentences, and what is added to it.

mod follow;
mod seen;
mod stream;
mod told;

use std::io::{self, Write};

use jiff::Timestamp;
use serde::Deserialize;

use self::follow::{Follower, filters};
use self::told::Told;
use super::alarm::output;
use super::elsewhere::{Elsewhere, Rows};
use super::page::json;
use super::printed;
use crate::cli::EventsOptions;
use crate::failure::Failure;
use crate::http_client::HttpClient;
use crate::shown::event::{EventObject, unreadable};
use crate::shown::time::Clock;
use crate::store::reader::{Asked, Page, Reader, UnreadableEntry, Window};

/// Prints what happened, and what happens.
///
/// # Errors
/// If there is no database of ours, or it cannot be read; to follow, if no server is
/// there, or it refuses.
pub fn run(options: &EventsOptions) -> Result<(), Failure> {
    if options.follow { follow(options) } else { past(options) }
}

fn past(options: &EventsOptions) -> Result<(), Failure> {
    let EventsOptions { source, point, kind, since, after: _, limit, server, json, follow: _ } = options;
    if server.server.is_some() {
        return elsewhere(options);
    }
    let asked = Asked {
        source: source.clone(),
        point: *point,
        kinds: kind.clone(),
        since_ms: since.map(Timestamp::as_millisecond),
        window: beginning(options).map_or(Window::Newest, Window::After),
        entries_max: *limit as usize,
        ..Asked::default()
    };
    let read = || -> anyhow::Result<_> {
        let reader = Reader::open(&server.data.file)?;
        let unknown = match source {
            Some(source) if !reader.knows(source, None)? => Some(source),
            _ => None,
        };
        Ok((whole_page(&reader, asked)?, unknown))
    };
    let (page, unknown) = read().map_err(Failure::of_database)?;
    if let Some(source) = unknown {
        return Err(super::alarm::unknown(source, None));
    }
    let objects = page.events.iter().map(|event| EventObject::new(event, &page.listeners));
    let (mut out, _) = output();
    complain(&page.unreadable);
    let done = if *json {
        json::array(&mut out, objects)
    } else {
        write(&mut out, objects.map(Told::from), page.next.is_some(), options)
    };
    printed(done.and_then(|()| out.flush()))
}

/// The same where a server was named: its database is elsewhere.
fn elsewhere(options: &EventsOptions) -> Result<(), Failure> {
    let server = Elsewhere::at(HttpClient::of(&options.server)?);
    let mut query = filters(options);
    query.extend(options.since.map(|since| ("since", since.to_string())));
    let Rows { rows, unreadable, has_more } =
        server.events(&query, beginning(options), options.limit as usize)?;
    complain(&unreadable);
    let (mut out, _) = output();
    let done = if options.json {
        json::array(&mut out, rows.iter())
    } else {
        // What cannot be told is something else that a newer server has.
        let told = rows.iter().filter_map(|event| Told::deserialize(event).ok());
        write(&mut out, told, has_more, options)
    };
    printed(done.and_then(|()| out.flush()))
}

/// Names those that cannot be read, where nobody takes that for an entry.
pub(super) fn complain(entries: &[UnreadableEntry]) {
    if let Some(left_out) = unreadable(entries) {
        eprintln!("waterwatch: {left_out}");
    }
}

/// As many entries as were asked for, if there are so many: one page looks at no more
/// than it may.
pub(super) fn whole_page(reader: &Reader, mut asked: Asked) -> anyhow::Result<Page> {
    let mut whole = Page::default();
    loop {
        let page = reader.events(&asked)?;
        asked.entries_max -= page.len().min(asked.entries_max);
        whole.listeners.extend(page.listeners);
        match asked.window {
            Window::After(_) => {
                whole.events.extend(page.events);
                whole.unreadable.extend(page.unreadable);
            }
            Window::Newest | Window::Before(_) => {
                whole.events.splice(..0, page.events);
                whole.unreadable.splice(..0, page.unreadable);
            }
        }
        (whole.next, whole.is_cut) = (page.next, page.is_cut);
        match page.next {
            Some(next) if asked.entries_max > 0 => asked.window = next,
            _ => return Ok(whole),
        }
    }
}

/// The entry behind which those begin that are asked for; `None`: it is the newest.
fn beginning(options: &EventsOptions) -> Option<i64> {
    options.after.or(options.since.map(|_| 0))
}

fn write(
    out: &mut impl Write,
    told: impl Iterator<Item = Told>,
    is_cut: bool,
    options: &EventsOptions,
) -> io::Result<()> {
    let clock = Clock::system();
    let mut last = None;
    for told in told {
        last = Some(told.sequence);
        writeln!(out, "{}", told.sentence(&clock))?;
    }
    match (last, beginning(options)) {
        (None, _) => writeln!(out, "nothing is recorded there"),
        (Some(_), _) if !is_cut => Ok(()),
        (Some(last), Some(_)) => writeln!(out, "\nthere are more: go on with --after {last}"),
        (Some(_), None) => {
            writeln!(out, "\nthere are earlier ones: --limit shows more, --after 0 begins with the first")
        }
    }
}

fn follow(options: &EventsOptions) -> Result<(), Failure> {
    let (mut out, _) = output();
    let clock = Clock::system();
    let mut gone = None;
    let mut see = |event: &str, told: &Told| {
        let written = match options.json {
            // As the server wrote it: fields that are newer than we are stay.
            true => writeln!(out, "{event}"),
            false => writeln!(out, "{}", told.sentence(&clock)),
        };
        gone = written.and_then(|()| out.flush()).err();
        gone.is_none()
    };
    Follower::new(options).follow(&mut see)?;
    printed(gone.map_or(Ok(()), Err))
}
