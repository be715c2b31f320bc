//! The ledger as CSV: RFC 4180, UTF-8, with a header, times in UTC.
//!
//! A spreadsheet runs a cell that begins like a formula. What people or devices wrote
//! is therefore marked by a leading `'` where it does, and where it begins with a `'`
//! itself, so that taking one away gives back what was written.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;

use csv::{Terminator, WriterBuilder};

use super::event::{EventObject, UnreadableObject};
use crate::store::reader::Entry;

/// The columns, in their order: the fields of an entry for programs.
pub const EVENT_COLUMNS: [&str; 19] = [
    "sequence",
    "event_time",
    "received_at",
    "source",
    "point",
    "occurrence",
    "kind",
    "from",
    "to",
    "by",
    "reason",
    "until",
    "was_on_from",
    "was_on_to",
    "count",
    "peer",
    "listener",
    "cause",
    "stations",
];

/// A text for a cell, such that no spreadsheet runs it.
#[must_use]
pub fn escaped(text: &str) -> Cow<'_, str> {
    let runs =
        |first: char| matches!(first, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠');
    match text.chars().next() {
        Some(first) if runs(first) || first == '\'' => format!("'{text}").into(),
        _ => text.into(),
    }
}

/// The text that was [`escaped`]; a `'` that marks nothing is what somebody wrote.
#[must_use]
pub fn unescaped(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|text| escaped(text) == cell).unwrap_or(cell)
}

/// Writes entries, a row each, after the header if that is wanted: the rows of the
/// next page follow without one. `stations` are separated by blanks. An entry that cannot
/// be read has its place, and why as its reason.
///
/// # Errors
/// If it cannot be written.
pub fn write_events(
    out: impl Write,
    with_header: bool,
    entries: &[Entry],
    listeners: &HashMap<u16, String>,
) -> csv::Result<()> {
    let mut rows = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(out);
    if with_header {
        rows.write_record(EVENT_COLUMNS)?;
    }
    for entry in entries {
        rows.write_record(match entry {
            Entry::Read(event) => cells(EventObject::new(event, listeners)),
            Entry::Unreadable(entry) => unreadable_cells(&UnreadableObject::new(entry)),
        })?;
    }
    rows.flush()?;
    Ok(())
}

fn unreadable_cells(entry: &UnreadableObject) -> [String; EVENT_COLUMNS.len()] {
    EVENT_COLUMNS.map(|column| match column {
        "sequence" => entry.sequence.to_string(),
        "received_at" => entry.received_at.map_or(String::new(), |at| at.to_string()),
        "kind" => UnreadableObject::KIND.to_owned(),
        "reason" => escaped(&entry.why).into_owned(),
        _ => String::new(),
    })
}

fn cells(event: EventObject) -> [String; EVENT_COLUMNS.len()] {
    fn shown(value: Option<impl ToString>) -> String {
        value.map_or(String::new(), |value| value.to_string())
    }
    fn written(text: Option<String>) -> String {
        text.map_or(String::new(), |text| escaped(&text).into_owned())
    }
    let stations = event.stations.unwrap_or_default();
    let stations: Vec<String> = stations.iter().map(ToString::to_string).collect();
    [
        event.sequence.to_string(),
        shown(event.event_time),
        shown(event.received_at),
        written(Some(event.source)),
        shown(event.point),
        shown(event.occurrence),
        event.kind.to_owned(),
        shown(event.from),
        shown(event.to),
        written(event.by),
        written(event.reason),
        shown(event.until),
        shown(event.was_on_from),
        shown(event.was_on_to),
        shown(event.count),
        shown(event.peer),
        shown(event.listener),
        shown(event.cause),
        stations.join(" "),
    ]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use waterwatch_core::alarm::{AlarmSource, Event, Kind, Point, State};
    use waterwatch_core::{Origin, StationId};

    use super::*;
    use crate::store::reader::UnreadableEntry;

    fn event(by: &str, reason: &str) -> Entry {
        Entry::Read(Event {
            sequence: 4_711,
            event_time_ms: 1_795_482_600_000,
            received_at_ms: 1_795_482_600_250,
            source: AlarmSource::Area("North, \"upper\"".into()),
            point: Some(Point::Comms),
            occurrence: Some(4_700),
            kind: Kind::StandsFor,
            from: Some(State::Unacknowledged),
            to: Some(State::Unacknowledged),
            by: Some(by.into()),
            reason: Some(reason.into()),
            until_ms: None,
            was_on: None,
            count: Some(2),
            origin: Origin::default(),
            cause: None,
            stations: Some([1, 2].into_iter().filter_map(StationId::new).collect()),
        })
    }

    #[test]
    fn entries_are_rows_that_no_spreadsheet_runs() {
        let mut out = Vec::new();
        let events = [event("=HYPERLINK(\"http://evil\")", "two\r\nlines"), event("'Ann", "@home")];
        write_events(&mut out, true, &events, &HashMap::new()).unwrap();
        write_events(&mut out, false, &[event("Ben", "")], &HashMap::new()).unwrap();
        let head = "4711,2026-11-24T01:10:00Z,2026-11-24T01:10:00.25Z,\"area/North, \"\"upper\"\"\",comms,4700,\
                    stands_for,unacknowledged,unacknowledged,";
        let tail = ",,,,2,,,,1 2\r\n";
        let wanted = format!(
            "{}\r\n{head}\"'=HYPERLINK(\"\"http://evil\"\")\",\"two\r\nlines\"{tail}{head}''Ann,'@home{tail}\
             {head}Ben,{tail}",
            EVENT_COLUMNS.join(",")
        );
        assert_eq!(String::from_utf8(out).unwrap(), wanted);
    }

    #[test]
    fn an_entry_that_cannot_be_read_has_a_row() {
        let of = |received_at_ms| {
            Entry::Unreadable(UnreadableEntry { sequence: 7, received_at_ms, why: "kind is \"x\"".into() })
        };
        let mut out = Vec::new();
        write_events(&mut out, false, &[of(Some(1_795_482_600_000)), of(None)], &HashMap::new()).unwrap();
        let tail = ",,,,unreadable,,,,\"kind is \"\"x\"\"\",,,,,,,,\r\n";
        let wanted = format!("7,,2026-11-24T01:10:00Z{tail}7,,{tail}");
        assert_eq!(String::from_utf8(out).unwrap(), wanted);
    }

    proptest! {
        #[test]
        fn what_is_escaped_comes_back_and_never_begins_a_formula(text in "['=+@\t\r\n＝a-]{0,4}") {
            let cell = escaped(&text);
            prop_assert_eq!(unescaped(&cell), &text);
            prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝']));
        }
    }
}
