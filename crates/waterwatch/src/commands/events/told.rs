//! One entry of the ledger in a line, as the server or the database gives it.

use jiff::Timestamp;
use serde::Deserialize;

use crate::shown::count;
use crate::shown::event::EventObject;
use crate::shown::text::plain;
use crate::shown::time::Clock;

/// What is told of an entry. Words of a newer server are told as they are.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Told {
    pub(super) sequence: i64,
    event_time: Option<Timestamp>,
    source: String,
    point: Option<String>,
    occurrence: Option<i64>,
    kind: String,
    to: Option<String>,
    by: Option<String>,
    reason: Option<String>,
    until: Option<Timestamp>,
    peer: Option<String>,
    stations: Option<Vec<i64>>,
}

impl From<EventObject> for Told {
    fn from(event: EventObject) -> Told {
        Told {
            sequence: event.sequence,
            event_time: event.event_time,
            source: event.source,
            point: event.point.map(str::to_owned),
            occurrence: event.occurrence,
            kind: event.kind.to_owned(),
            to: event.to.map(str::to_owned),
            by: event.by,
            reason: event.reason,
            until: event.until,
            peer: event.peer,
            stations: event.stations,
        }
    }
}

impl Told {
    /// `2026-11-24 02:10:07 +01:00  station 123 alarm1: raised (occurrence 4711); now
    /// unacknowledged; from 10.0.0.7`
    pub(super) fn sentence(&self, clock: &Clock) -> String {
        let at = self.event_time.map_or_else(|| "?".to_owned(), |at| clock.exact(at.as_millisecond()));
        let point = self.point.as_ref().map_or(String::new(), |point| format!(" {}", plain(point)));
        let occurrence =
            self.occurrence.map_or(String::new(), |occurrence| format!(" (occurrence {occurrence})"));
        let mut sentence = format!("{at}  {}{point}: {}{occurrence}", self.named(), words(&self.kind));
        let mut add = |text: Option<String>| {
            if let Some(text) = text {
                sentence += "; ";
                sentence += &text;
            }
        };
        add(self.to.as_deref().map(|state| format!("now {}", words(state))));
        add(self.stations.as_ref().map(|stations| count(stations.len() as u64, "station")));
        add(self.until.map(|until| format!("until {}", clock.exact(until.as_millisecond()))));
        add(self.by.as_deref().map(|by| format!("by {}", plain(by))));
        add(self.reason.as_deref().map(plain));
        add(self.peer.as_deref().map(|peer| format!("from {}", plain(peer))));
        sentence
    }

    /// `station 123`, `area North`, `server`
    fn named(&self) -> String {
        let source = plain(&self.source);
        match source.strip_prefix("area/") {
            Some(area) => format!("area {area}"),
            None if source.bytes().all(|byte| byte.is_ascii_digit()) => format!("station {source}"),
            None => source,
        }
    }
}

fn words(name: &str) -> String {
    match name {
        "rtn_unacknowledged" => "returned, unacknowledged".to_owned(),
        name => plain(name).replace('_', " "),
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn an_entry_is_one_line_whoever_wrote_it() {
        let clock = Clock { now: Timestamp::UNIX_EPOCH, zone: TimeZone::UTC };
        let sentence = |json: &str| serde_json::from_str::<Told>(json).unwrap().sentence(&clock);
        let raised = r#"{"sequence": 12, "event_time": "2026-11-24T01:10:07Z", "source": "123", "station_id": 123,
            "point": "alarm1", "occurrence": 12, "kind": "raised", "from": "normal", "to": "unacknowledged",
            "by": null, "reason": null, "until": null, "peer": "10.0.0.7", "news": ["of a later version"]}"#;
        assert_eq!(
            sentence(raised),
            "2026-11-24 01:10:07 +00:00  station 123 alarm1: raised (occurrence 12); now unacknowledged; from 10.0.0.7"
        );
        let area = r#"{"sequence": 13, "event_time": null, "source": "area/No\nrth", "kind": "stands_for",
            "by": "Ana", "reason": "a\u001b[2J", "stations": [1, 2]}"#;
        assert_eq!(sentence(area), "?  area No\u{fffd}rth: stands for; 2 stations; by Ana; a\u{fffd}[2J");
        let server =
            r#"{"sequence": 14, "source": "server", "kind": "blind", "until": "2026-11-24T01:10:07Z"}"#;
        assert_eq!(sentence(server), "?  server: blind; until 2026-11-24 01:10:07 +00:00");
    }
}
