//! What operators want done, as the running server does it: asking it to, and saying
//! what became of it.

use std::io::Write;
use std::time::Duration;

use anyhow::anyhow;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use waterwatch_core::alarm::{AlarmSource, Point, State};

use super::alarm::output;
use super::page::json;
use super::printed;
use crate::cli::{EndOptions, OrderOptions};
use crate::failure::Failure;
use crate::http_client::{HttpClient, HttpError};
use crate::shown::text::plain;
use crate::shown::time::Clock;
use crate::store::access;

/// What is to be said of an order; the server refuses what does not belong there.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Order<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) occurrence: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<&'a str>,
    pub(super) on_behalf_of: String,
}

/// How it is after an order that is done.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Done {
    sequence: i64,
    state: Option<String>,
    pub(super) occurrence: Option<i64>,
}

/// The occurrence that an order was about, if it was about one.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Named {
    /// It was acknowledged.
    Acknowledged(i64),
    /// A note was written about it, which changes no state.
    Noted(i64),
}

/// An alarm as it stands, as far as it concerns whoever acknowledges.
#[derive(Debug, Deserialize)]
struct Open {
    // It must be there, if only as null: whatever else answers does not say that none is open.
    #[serde(deserialize_with = "Option::deserialize")]
    occurrence: Option<i64>,
}

/// What became of it, for programs.
#[derive(Debug, Serialize)]
struct Outcome<'a> {
    source: String,
    station_id: Option<i64>,
    point: Option<&'a str>,
    #[serde(flatten)]
    named: Option<Named>,
    #[serde(flatten)]
    done: &'a Done,
}

impl Order<'_> {
    /// One of whoever it is for.
    pub(super) fn of(options: &OrderOptions) -> Order<'static> {
        let on_behalf_of = options.on_behalf_of.clone().unwrap_or_else(access::login_name);
        Order { on_behalf_of, ..Order::default() }
    }

    /// Who that is.
    pub(super) fn by(&self) -> String {
        plain(self.on_behalf_of.trim())
    }
}

/// What it is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct About<'a> {
    pub(super) source: &'a AlarmSource,
    /// `None`: about a station as a whole.
    pub(super) point: Option<Point>,
}

impl About<'_> {
    /// `station 123 alarm1`
    pub(super) fn named(&self) -> String {
        let source = match self.source {
            AlarmSource::Server => "server".to_owned(),
            source => crate::shown::named(source),
        };
        self.point.map_or(source.clone(), |point| format!("{source} {point}"))
    }

    /// The command that shows how it stands.
    pub(super) fn look(&self) -> String {
        let source = plain(&self.source.to_string());
        match self.point {
            Some(point) => format!("waterwatch alarm show {source} {point}"),
            None => format!("waterwatch station show {source}"),
        }
    }

    /// Has the server do `what` to it.
    pub(super) fn order(
        &self,
        client: &HttpClient,
        what: &str,
        order: &Order<'_>,
    ) -> Result<Done, HttpError> {
        let source = self.source_in_path();
        match self.point {
            Some(point) => client.post(&["api", "v1", "alarms", &source, point.name(), what], order),
            None => client.post(&["api", "v1", "stations", &source, what], order),
        }
    }

    /// Has the server forget the station that it is about.
    pub(super) fn forget(&self, client: &HttpClient, order: &Order<'_>) -> Result<Done, HttpError> {
        let path = ["api", "v1", "stations", &self.source_in_path()];
        client.delete(&path, &[("on_behalf_of", &order.on_behalf_of)])
    }

    /// The occurrence of this alarm that is open, if one is.
    pub(super) fn open_occurrence(
        &self,
        client: &HttpClient,
        point: Point,
    ) -> Result<Option<i64>, HttpError> {
        let path = ["api", "v1", "alarms", &self.source_in_path(), point.name()];
        client.get(&path, &[]).map(|Open { occurrence }| occurrence)
    }

    fn source_in_path(&self) -> String {
        match self.source {
            AlarmSource::Area(name) => format!("area:{name}"),
            source => source.to_string(),
        }
    }

    /// Says what became of it: `said`, for people, with how it stands now where that is
    /// not `expected`.
    pub(super) fn tell(
        &self,
        options: &OrderOptions,
        done: &Done,
        named: Option<Named>,
        said: &str,
        expected: Option<State>,
    ) -> Result<(), Failure> {
        let (mut out, _) = output();
        let written = if options.json {
            let station_id = crate::shown::alarm::station_id(self.source);
            let point = self.point.map(Point::name);
            let source = self.source.to_string();
            json::object(&mut out, &Outcome { source, station_id, point, named, done })
        } else {
            let now = match &done.state {
                Some(_) if matches!(named, Some(Named::Noted(_))) => String::new(),
                Some(state) if expected.is_none_or(|expected| expected.name() != state) => {
                    format!("; now {}", stands(state, done.occurrence))
                }
                _ => String::new(),
            };
            writeln!(out, "{}: {said}{now}", self.named())
        };
        printed(written.and_then(|()| out.flush()))
    }
}

/// `unacknowledged (occurrence 4711)`: the words of a newer server are shown as they are.
fn stands(state: &str, occurrence: Option<i64>) -> String {
    let state = match State::ALL.iter().find(|known| known.name() == state) {
        Some(State::ReturnedUnacknowledged) => "returned, unacknowledged".to_owned(),
        _ => plain(state).replace('_', " "),
    };
    occurrence.map_or(state.clone(), |occurrence| format!("{state} (occurrence {occurrence})"))
}

/// When something is to end that lasts so long, or until then.
pub(super) fn end(lasting: Option<Duration>, until: Option<Timestamp>) -> Result<Timestamp, Failure> {
    let ends = match lasting {
        Some(lasting) => Timestamp::now().checked_add(lasting).ok(),
        None => until,
    };
    ends.ok_or_else(|| Failure::WrongInput(anyhow!("the end lies too far ahead")))
}

/// The same of these options.
pub(super) fn end_of(options: &EndOptions) -> Result<Timestamp, Failure> {
    end(options.lasting, options.until)
}

/// `until 2026-11-24 18:00`
pub(super) fn until(end: Timestamp) -> String {
    format!("until {}", Clock::system().minute(end.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_alarm_does_not_say_that_none_is_open() {
        let open =
            |answer: &str| serde_json::from_str::<Open>(answer).map(|Open { occurrence }| occurrence).ok();
        assert_eq!(open(r#"{"occurrence": 7, "state": "unacknowledged"}"#), Some(Some(7)));
        assert_eq!(open(r#"{"occurrence": null}"#), Some(None));
        assert_eq!(open("{}"), None);
    }
}
