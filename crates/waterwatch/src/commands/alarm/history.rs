//! `waterwatch alarm history`: the ledger, entry by entry.

use std::io::{self, Write};

use anyhow::anyhow;
use jiff::Timestamp;
use waterwatch_core::alarm::{Event, State};

use super::output;
use crate::cli::AlarmHistoryOptions;
use crate::commands::elsewhere::{Elsewhere, Query, Rows, event, written};
use crate::commands::events::{complain, whole_page};
use crate::commands::page::json;
use crate::commands::page::table::{self, Paint, numbers, words};
use crate::commands::printed;
use crate::failure::Failure;
use crate::shown::event::{EventObject, peer};
use crate::shown::story::of_many::listed;
use crate::shown::text::plain;
use crate::shown::time::Clock;
use crate::store::reader::{Asked, Page, Reader, Window};

pub(super) fn run(options: &AlarmHistoryOptions) -> Result<(), Failure> {
    let AlarmHistoryOptions { source, point, since, until, limit, after, look } = options;
    if let (Some(since), Some(until)) = (since, until)
        && since > until
    {
        return Err(Failure::WrongInput(anyhow!(
            "--since {since} is later than --until {until}: nothing lies between them"
        )));
    }
    let window = match (after, since) {
        (Some(sequence), _) => Window::After(*sequence),
        (None, Some(_)) => Window::After(0),
        (None, None) => Window::Newest,
    };
    if let Some(server) = Elsewhere::of(look)? {
        return elsewhere(options, window, &server);
    }
    let asked = Asked {
        source: source.clone(),
        point: *point,
        since_ms: since.map(Timestamp::as_millisecond),
        until_ms: until.map(Timestamp::as_millisecond),
        window,
        entries_max: *limit as usize,
        ..Asked::default()
    };
    let read = || -> anyhow::Result<_> {
        let reader = Reader::open(&look.data.file)?;
        let unknown = match source {
            Some(source) if !reader.knows(source, None)? => Some(source),
            _ => None,
        };
        Ok((whole_page(&reader, asked)?, unknown))
    };
    let (page, unknown) = read().map_err(Failure::of_database)?;
    if let Some(source) = unknown {
        return Err(super::unknown(source, None));
    }
    let (mut out, terminal) = output();
    complain(&page.unreadable);
    let done = if look.json {
        json::array(&mut out, page.events.iter().map(|event| EventObject::new(event, &page.listeners)))
    } else {
        write(&mut out, &page, window, &Clock::system(), terminal)
    };
    printed(done.and_then(|()| out.flush()))
}

/// The same where a server was named.
fn elsewhere(options: &AlarmHistoryOptions, window: Window, server: &Elsewhere) -> Result<(), Failure> {
    let AlarmHistoryOptions { source, point, since, until, limit, after: _, look } = options;
    if let Some(source) = server.first_unknown(source.clone())? {
        return Err(super::unknown(&source, None));
    }
    let mut query = Query::from_iter(source.as_ref().map(|source| ("source", written(source))));
    query.extend(point.map(|point| ("point", point.name().to_owned())));
    query.extend(since.map(|since| ("since", since.to_string())));
    query.extend(until.map(|until| ("until", until.to_string())));
    let beginning = match window {
        Window::After(sequence) => Some(sequence),
        Window::Newest | Window::Before(_) => None,
    };
    let Rows { rows, unreadable, has_more } = server.events(&query, beginning, *limit as usize)?;
    complain(&unreadable);
    let (mut out, terminal) = output();
    let done = if look.json {
        json::array(&mut out, rows.iter())
    } else {
        // What cannot be told is something else that a newer server has.
        let events = rows.iter().filter_map(event).collect();
        let page = Page { events, unreadable, is_cut: has_more, ..Page::default() };
        write(&mut out, &page, window, &Clock::system(), terminal)
    };
    printed(done.and_then(|()| out.flush()))
}

/// Writes the entries as a table.
pub(super) fn write(
    out: &mut impl Write,
    page: &Page,
    window: Window,
    clock: &Clock,
    terminal: bool,
) -> io::Result<()> {
    let Some(last) = page.last() else {
        return writeln!(out, "nothing is recorded there");
    };
    let columns = [
        numbers("SEQUENCE"),
        words("TIME"),
        numbers("SOURCE"),
        words("POINT"),
        numbers("OCCURRENCE"),
        words("WHAT"),
        words("STATE"),
        words("NOTE"),
    ];
    let texts = |event: &Event| {
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        [
            event.sequence.to_string(),
            clock.exact(event.event_time_ms),
            plain(&event.source.to_string()),
            or_none(event.point.map(|point| point.to_string())),
            or_none(event.occurrence.map(|occurrence| occurrence.to_string())),
            event.kind.name().to_owned(),
            or_none(event.to.map(|state| state.short().to_owned())),
            note(event, clock),
        ]
    };
    let paint = |event: &Event| match event.to {
        Some(State::Unacknowledged) if event.from != event.to => Some((6, Paint::Alarm)),
        _ => None,
    };
    table::write(out, columns, &page.events, terminal, texts, paint)?;
    match window {
        _ if !page.is_cut => Ok(()),
        Window::After(_) => writeln!(out, "\nthere are more: go on with --after {last}"),
        Window::Newest | Window::Before(_) => {
            writeln!(out, "\nthere are earlier ones: --limit shows more, --after 0 begins with the first")
        }
    }
}

/// Who, why, until when, from where.
fn note(event: &Event, clock: &Clock) -> String {
    let mut notes = Vec::new();
    let mut note = |text: Option<String>| notes.extend(text);
    note(event.stations.as_deref().map(listed));
    note(event.until_ms.map(|until_ms| format!("until {}", clock.exact(until_ms))));
    note(event.by.as_deref().map(|by| format!("by {}", plain(by))));
    note(event.reason.as_deref().map(plain));
    note(event.was_on.map(|was_on| {
        let to = was_on.to_ms.map_or_else(|| "now".to_owned(), |to_ms| clock.exact(to_ms));
        format!("was on {} to {to}", clock.exact(was_on.from_ms))
    }));
    note(event.count.filter(|_| event.stations.is_none()).map(|count| format!("{count} raises")));
    note(peer(&event.origin).map(|peer| format!("from {peer}")));
    notes.join("; ")
}
