//! A station in a table or a list for a program: its last contact, whether it
//! is heard, and the worst of its alarms.

use jiff::Timestamp;
use serde::Serialize;
use waterwatch_core::alarm::{Alarm, AlarmSource, Point, State};
use waterwatch_core::settings::StationSettings;

use crate::commands::alarm::standing::{self, is_hidden, marked, rank};
use crate::commands::page::time::{Clock, rfc3339, span};
use crate::store::AlarmKey;
use crate::store::reader::communication::{Comms, Quality};
use crate::store::reader::{LastContact, Picture};

/// One station as it stands.
#[derive(Clone, Debug)]
pub(in crate::commands) struct Station {
    /// Its last contact.
    pub(in crate::commands) contact: LastContact,
    /// Whether it is heard.
    pub(in crate::commands) comms: Comms,
    /// The worst state of its alarms; `None` if a contact is on that no server
    /// has judged: nobody knows then.
    pub(in crate::commands) state: Option<State>,
}

/// The stations of a picture, in its order.
pub(in crate::commands) fn of(picture: Picture, now_ms: i64) -> (Vec<Station>, Vec<(AlarmKey, Alarm)>) {
    let Picture { stations, alarms, server } = picture;
    let stations = stations
        .into_iter()
        .map(|contact| {
            let comms = standing::comms(&contact, &alarms, &server.settings, now_ms);
            let own = server.settings.of(contact.station_id);
            let state = worst(&contact, of_station(&alarms, &contact), own);
            Station { contact, comms, state }
        })
        .collect();
    (stations, alarms)
}

/// A station's part of all alarms, which are in order.
fn of_station<'a>(alarms: &'a [(AlarmKey, Alarm)], contact: &LastContact) -> &'a [(AlarmKey, Alarm)] {
    let source = AlarmSource::Station(contact.station_id);
    let from = alarms.partition_point(|(key, _)| key.0 < source);
    let to = from + alarms[from..].partition_point(|(key, _)| key.0 == source);
    &alarms[from..to]
}

/// The worst state among a station's alarms.
pub(in crate::commands) fn worst(
    contact: &LastContact,
    alarms: &[(AlarmKey, Alarm)],
    settings: &StationSettings,
) -> Option<State> {
    let worst = alarms.iter().map(|(_, alarm)| alarm.state()).min_by_key(|state| rank(*state));
    let worst = worst.unwrap_or(State::Normal);
    let judged = |point| {
        !settings.point(point).enabled || alarms.iter().any(|((_, of), alarm)| *of == point && alarm.contact)
    };
    let is_judged = (!contact.alarm1 || judged(Point::Alarm1)) && (!contact.alarm2 || judged(Point::Alarm2));
    (is_judged || rank(worst) < rank(State::Shelved)).then_some(worst)
}

impl Station {
    /// What its contacts are worth.
    pub(in crate::commands) fn quality(&self) -> Quality {
        self.comms.quality()
    }

    /// Whether one of its contacts is on, or an alarm is neither normal nor
    /// hidden.
    pub(in crate::commands) fn is_in_alarm(&self) -> bool {
        let waits = self.state.is_none_or(|state| state != State::Normal && !is_hidden(state));
        waits || self.contact.alarm1 || self.contact.alarm2
    }

    /// Worst first: alarms by their states, those of contacts before silence;
    /// then by how they are heard; then what is hidden.
    pub(in crate::commands) fn rank(&self) -> impl Ord + use<> {
        let state = self.state.map_or(rank(State::Acknowledged) + 1, rank);
        let needs_answer = state.min(rank(State::Acknowledged) + 2);
        let has_contact_on = self.contact.alarm1 || self.contact.alarm2;
        (needs_answer, !has_contact_on, self.comms, state)
    }

    /// `UNACK`; `NORM?` if that is only what was last known, `?` if nothing is.
    pub(in crate::commands) fn short(&self) -> String {
        match self.state {
            None => "?".to_owned(),
            Some(State::Normal) if self.comms == Comms::New => "?".to_owned(),
            Some(State::Normal) => marked(State::Normal.short(), self.quality()),
            Some(state) => state.short().to_owned(),
        }
    }

    /// `alarm1 alarm2`, or `-`: what is on; each marked if it is only what was
    /// last known.
    pub(in crate::commands) fn contacts(&self) -> String {
        let mark = |word| marked(word, self.quality());
        match (self.contact.alarm1, self.contact.alarm2) {
            (false, false) => mark("-"),
            (true, false) => mark("alarm1"),
            (false, true) => mark("alarm2"),
            (true, true) => format!("{} {}", mark("alarm1"), mark("alarm2")),
        }
    }

    /// How long ago it was heard.
    pub(in crate::commands) fn ago(&self, clock: &Clock) -> String {
        self.age_s(clock).map_or_else(|| "unknown".to_owned(), span)
    }

    fn age_s(&self, clock: &Clock) -> Option<i64> {
        self.contact.received_at_ms.map(|received_at_ms| clock.age_s(received_at_ms))
    }

    /// For a program.
    pub(in crate::commands) fn object(&self, clock: &Clock) -> Object<'_> {
        Object {
            station_id: self.contact.station_id.get(),
            comms: self.comms.name(),
            quality: self.quality().name(),
            state: self.state.map(State::name),
            last_date: &self.contact.last_date,
            received_at: self.contact.received_at_ms.and_then(rfc3339),
            age_s: self.age_s(clock),
            alarm1: self.contact.alarm1,
            alarm2: self.contact.alarm2,
            reports: self.contact.reports,
        }
    }
}

/// One station for a program.
#[derive(Serialize)]
pub(in crate::commands) struct Object<'a> {
    station_id: i64,
    /// Whether it is heard.
    comms: &'static str,
    /// What the contacts are worth.
    quality: &'static str,
    /// The worst of its alarms; null if that is not known.
    state: Option<&'static str>,
    /// As it is stored: local to the server.
    last_date: &'a str,
    /// RFC 3339, UTC; null if a row made by hand says no time.
    received_at: Option<Timestamp>,
    age_s: Option<i64>,
    /// As last reported.
    alarm1: bool,
    alarm2: bool,
    reports: i64,
}
