//! An entry of the ledger as it was shown to a program, read back.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::Value;
use waterwatch_core::alarm::{Event, Kind, OnWhileHidden, Point, State};
use waterwatch_core::{Origin, StationId};

use super::read;
use crate::cli::read_source;

#[derive(Deserialize)]
struct Told {
    sequence: i64,
    event_time: Option<Timestamp>,
    received_at: Option<Timestamp>,
    source: String,
    point: Option<String>,
    occurrence: Option<i64>,
    kind: String,
    from: Option<String>,
    to: Option<String>,
    by: Option<Box<str>>,
    reason: Option<Box<str>>,
    until: Option<Timestamp>,
    was_on_from: Option<Timestamp>,
    was_on_to: Option<Timestamp>,
    count: Option<u32>,
    peer: Option<String>,
    cause: Option<i64>,
    stations: Option<Vec<i64>>,
}

/// An entry of which a server tells this; `None` if it has words that are not known here.
pub(in crate::commands) fn event(row: &Value) -> Option<Event> {
    let told: Told = read(row)?;
    let ms = |time: Option<Timestamp>| time.map(Timestamp::as_millisecond);
    let state = |name: &Option<String>| name.as_deref().and_then(State::from_name);
    let stations = told.stations.map(|ids| ids.into_iter().filter_map(StationId::new).collect());
    let origin = told.peer.and_then(|peer| peer.parse().ok()).map(|address| Origin::of(0, address));
    Some(Event {
        sequence: told.sequence,
        event_time_ms: ms(told.event_time)?,
        received_at_ms: ms(told.received_at)?,
        source: read_source(&told.source).ok()?,
        point: match told.point {
            Some(point) => Some(Point::from_name(&point)?),
            None => None,
        },
        occurrence: told.occurrence,
        kind: Kind::from_name(&told.kind)?,
        from: state(&told.from),
        to: state(&told.to),
        by: told.by,
        reason: told.reason,
        until_ms: ms(told.until),
        was_on: ms(told.was_on_from).map(|from_ms| OnWhileHidden { from_ms, to_ms: ms(told.was_on_to) }),
        count: told.count,
        origin: origin.unwrap_or_default(),
        cause: told.cause,
        stations,
    })
}
