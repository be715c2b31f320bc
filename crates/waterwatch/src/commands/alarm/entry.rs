//! An entry of the ledger for a program.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;
use waterwatch_core::Origin;
use waterwatch_core::alarm::{Event, Kind, Point, State};

use super::standing::station_id;
use crate::commands::page::time::rfc3339;

/// One entry. Times are RFC 3339, UTC; what it does not say is null.
#[derive(Serialize)]
pub(super) struct Object<'a> {
    sequence: i64,
    event_time: Option<Timestamp>,
    received_at: Option<Timestamp>,
    source: String,
    station_id: Option<i64>,
    point: Option<&'static str>,
    occurrence: Option<i64>,
    kind: &'static str,
    from: Option<&'static str>,
    to: Option<&'static str>,
    by: Option<&'a str>,
    reason: Option<&'a str>,
    until: Option<Timestamp>,
    was_on_from: Option<Timestamp>,
    was_on_to: Option<Timestamp>,
    count: Option<u32>,
    peer: Option<String>,
    listener: Option<&'a str>,
    cause: Option<i64>,
    stations: Option<Vec<i64>>,
}

impl<'a> Object<'a> {
    pub(super) fn new(event: &'a Event, listeners: &'a HashMap<u16, String>) -> Object<'a> {
        Object {
            sequence: event.sequence,
            event_time: rfc3339(event.event_time_ms),
            received_at: rfc3339(event.received_at_ms),
            source: event.source.to_string(),
            station_id: station_id(&event.source),
            point: event.point.map(Point::name),
            occurrence: event.occurrence,
            kind: Kind::name(event.kind),
            from: event.from.map(State::name),
            to: event.to.map(State::name),
            by: event.by.as_deref(),
            reason: event.reason.as_deref(),
            until: event.until_ms.and_then(rfc3339),
            was_on_from: event.was_on.and_then(|was_on| rfc3339(was_on.from_ms)),
            was_on_to: event.was_on.and_then(|was_on| was_on.to_ms).and_then(rfc3339),
            count: event.count,
            peer: peer(&event.origin),
            listener: listeners.get(&event.origin.listener).map(String::as_str),
            cause: event.cause,
            stations: event.stations.as_ref().map(|ids| ids.iter().map(|id| id.get()).collect()),
        }
    }
}

/// The address that a report came from, if it is known.
pub(in crate::commands) fn peer(origin: &Origin) -> Option<String> {
    origin.address().map(|address| address.to_string())
}
