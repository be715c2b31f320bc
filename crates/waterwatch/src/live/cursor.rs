//! Where a page of alarms ends: an opaque text that names the last row's place in
//! the order. A page that goes on after it may repeat a row that moved, and never
//! skips one that stayed as it was.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use waterwatch_core::StationId;
use waterwatch_core::alarm::{AlarmSource, Point, Priority};

use crate::store::AlarmKey;

/// Bytes of one, at most: twice those of the longest name of an area, and some.
const TEXT_BYTES_MAX: usize = 4_096;

/// A place in the order of alarms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub(super) rank: u8,
    pub(super) priority: Priority,
    pub(super) since_ms: i64,
    pub(super) key: AlarmKey,
}

/// A text that is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("this is not a place in the list: take it from the page before, as it is")]
pub struct NoCursor;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cursor { rank, priority, since_ms, key: (source, point) } = self;
        let text = format!("{rank} {priority} {since_ms} {point} {source}");
        text.bytes().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Cursor, NoCursor> {
        read(text).ok_or(NoCursor)
    }
}

fn read(text: &str) -> Option<Cursor> {
    if text.len() > TEXT_BYTES_MAX || !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    let bytes = (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok());
    let text = String::from_utf8(bytes.collect::<Option<Vec<u8>>>()?).ok()?;
    let mut words = text.splitn(5, ' ');
    let mut next = || words.next();
    Some(Cursor {
        rank: next()?.parse().ok()?,
        priority: Priority::from_name(next()?)?,
        since_ms: next()?.parse().ok()?,
        key: {
            let point = Point::from_name(next()?)?;
            (source(next()?)?, point)
        },
    })
}

fn source(text: &str) -> Option<AlarmSource> {
    match text {
        "server" => Some(AlarmSource::Server),
        text => match text.strip_prefix("area/") {
            Some(area) => Some(AlarmSource::Area(area.into())),
            None => StationId::from_digits(text.as_bytes()).map(AlarmSource::Station),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_nothing_else_is_one() {
        let station = AlarmSource::Station(StationId::MAX);
        for source in [station, AlarmSource::Area("Nord / Süd 7".into()), AlarmSource::Server] {
            let cursor =
                Cursor { rank: 5, priority: Priority::Low, since_ms: -3, key: (source, Point::Comms) };
            let text = cursor.to_string();
            assert!(text.bytes().all(|byte| byte.is_ascii_hexdigit()), "{text}");
            assert_eq!(text.parse(), Ok(cursor));
            for wrong in [&text[2..], &text[1..], "", "zz", "é", &"20".repeat(5_000)] {
                assert_eq!(wrong.parse::<Cursor>(), Err(NoCursor), "{wrong}");
            }
        }
    }
}
