//! An entry of the ledger for a program.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use waterwatch_core::Origin;
use waterwatch_core::alarm::{Event, Kind, Point, State};

use super::alarm::station_id;
use super::text::plain;
use super::time::rfc3339;
use super::words::{AlarmPoint, AlarmState, EventKind};
use crate::store::reader::UnreadableEntry;

/// An entry of the ledger: what happened to an alarm, a station or the server.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventObject {
    /// Its place in the one order of reports and entries.
    pub sequence: i64,
    /// When it happened.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub event_time: Option<Timestamp>,
    /// When the server came to know of it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub received_at: Option<Timestamp>,
    /// Whose: a station's id, `area/NAME` or `server`.
    pub source: String,
    /// The station's id as a number, if it is a station's. Those above 2^53 - 1 are exact
    /// in `source` alone for programs that have no larger integers.
    pub station_id: Option<i64>,
    /// Which of its alarms; null if it is about none.
    #[schema(value_type = Option<AlarmPoint>)]
    pub point: Option<&'static str>,
    /// The occurrence that it belongs to.
    pub occurrence: Option<i64>,
    /// What happened.
    #[schema(value_type = EventKind)]
    pub kind: &'static str,
    /// The alarm's state before.
    #[schema(value_type = Option<AlarmState>)]
    pub from: Option<&'static str>,
    /// The alarm's state after.
    #[schema(value_type = Option<AlarmState>)]
    pub to: Option<&'static str>,
    /// Who did it.
    pub by: Option<String>,
    /// Why, in words.
    pub reason: Option<String>,
    /// Until when what began here is to last.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// From when on the alarm was on while it was hidden.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub was_on_from: Option<Timestamp>,
    /// Until when it was; null if it still is.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub was_on_to: Option<Timestamp>,
    /// How many raises, stations or changes it stands for, where more than one.
    pub count: Option<u32>,
    /// The address that the report came from that caused it.
    pub peer: Option<String>,
    /// The server's address that heard it.
    pub listener: Option<String>,
    /// The sequence of the report or entry that caused it; null if time or a person did.
    pub cause: Option<i64>,
    /// The ids of the stations that it is about, where it is about many.
    pub stations: Option<Vec<i64>>,
}

impl EventObject {
    /// Of an entry, with the addresses of the listeners by their numbers.
    #[must_use]
    pub fn new(event: &Event, listeners: &HashMap<u16, String>) -> EventObject {
        EventObject {
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
            by: event.by.as_deref().map(ToOwned::to_owned),
            reason: event.reason.as_deref().map(ToOwned::to_owned),
            until: event.until_ms.and_then(rfc3339),
            was_on_from: event.was_on.and_then(|was_on| rfc3339(was_on.from_ms)),
            was_on_to: event.was_on.and_then(|was_on| was_on.to_ms).and_then(rfc3339),
            count: event.count,
            peer: peer(&event.origin),
            listener: listeners.get(&event.origin.listener).cloned(),
            cause: event.cause,
            stations: event.stations.as_ref().map(|ids| ids.iter().map(|id| id.get()).collect()),
        }
    }
}

/// An entry of the ledger that this version cannot read: of a newer one, or damaged.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UnreadableObject {
    /// Its place in the one order of reports and entries.
    pub sequence: i64,
    /// When the server came to know of it, if that can be read.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub received_at: Option<Timestamp>,
    /// What is wrong with it.
    #[schema(
        example = "in alarm_event, the row of sequence 4711 cannot be read: kind is the text \"moved_on\""
    )]
    pub why: String,
}

impl UnreadableObject {
    /// The kind that such an entry has where others have theirs.
    pub const KIND: &str = "unreadable";

    /// Of such an entry.
    #[must_use]
    pub fn new(entry: &UnreadableEntry) -> UnreadableObject {
        let received_at = entry.received_at_ms.and_then(rfc3339);
        UnreadableObject { sequence: entry.sequence, received_at, why: entry.why.clone().into() }
    }
}

/// What to say beside entries among which there are such.
#[must_use]
pub fn unreadable(entries: &[UnreadableEntry]) -> Option<String> {
    let first = plain(&entries.first()?.why);
    Some(match entries.len() {
        1 => format!("1 entry of the ledger cannot be read, and is left out: {first}"),
        more => format!("{more} entries of the ledger cannot be read, and are left out: {first}"),
    })
}

/// The address that a report came from, if it is known.
#[must_use]
pub fn peer(origin: &Origin) -> Option<String> {
    origin.address().map(|address| address.to_string())
}
