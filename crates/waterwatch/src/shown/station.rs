//! How a station stands: its last contact, whether it is heard, and the worst of
//! its alarms.

mod detail;
mod object;
mod told;

use waterwatch_core::alarm::{Alarm, AlarmSource, Aside, Point, State};
use waterwatch_core::settings::StationSettings;

use super::alarm::{self, is_hidden, marked, rank, rank_if_known};
use super::time::Clock;
use crate::store::reader::KnownAlarm;
use crate::store::reader::communication::{Comms, Quality, state_if_known};
use crate::store::reader::{LastContact, Picture, ServerRows, StationAbout};

pub use self::detail::{PointObject, StationDetailObject, StationInDetail};
pub use self::object::{PausedObject, RetiredObject, StationObject, VisitObject};
pub use self::told::ToldOf;

/// One station as it stands.
#[derive(Clone, Debug)]
pub struct Station {
    /// Its last contact.
    pub contact: LastContact,
    /// Whether it is heard, or what people have said of that.
    pub comms: Comms,
    /// Whether it is heard, whatever they have said.
    heard: Comms,
    /// That it is paused, if it is.
    pub pause: Option<Aside>,
    /// The worst state of its alarms; `None` if a contact is on that no server
    /// has judged, or it was never heard: nobody knows then. Nor has it one if it
    /// is retired.
    pub state: Option<State>,
    /// Which of its points are not judged.
    pub disabled: Vec<Point>,
    /// Which of its contacts are on, and no alarm yet: the on-delay runs.
    pub delayed: Vec<Point>,
    /// Which of its contacts are on by what another device said that reports as
    /// it, although the last report says off.
    pub said_by_another: Vec<Point>,
    /// How many of its alarms are neither normal nor hidden, or are contacts that
    /// are on and that no server has judged.
    pub alarms: u8,
    /// How many of its alarms nobody has acknowledged.
    pub unacknowledged: u8,
    /// What people say of it.
    pub about: StationAbout,
}

/// The stations of a picture, in its order.
pub fn of(picture: Picture, now_ms: i64) -> (Vec<Station>, Vec<KnownAlarm>) {
    let Picture { stations, alarms, server, left_out: _ } = picture;
    let stations = stations
        .into_iter()
        .map(|contact| {
            let comms = alarm::comms(&contact, &alarms, &server.settings, now_ms);
            let of_station = of_station(&alarms, &contact);
            Station::new(contact, comms, of_station, &server)
        })
        .collect();
    (stations, alarms)
}

/// A station's part of all alarms, which are in order.
fn of_station<'a>(alarms: &'a [KnownAlarm], contact: &LastContact) -> &'a [KnownAlarm] {
    let source = AlarmSource::Station(contact.station_id);
    let from = alarms.partition_point(|(key, _)| key.0 < source);
    let to = from + alarms[from..].partition_point(|(key, _)| key.0 == source);
    &alarms[from..to]
}

/// The worst state among a station's alarms.
fn worst(contact: &LastContact, alarms: &[KnownAlarm], settings: &StationSettings) -> Option<State> {
    let worst = alarms.iter().map(|(_, alarm)| alarm.state()).min_by_key(|state| rank(*state));
    let worst = worst.unwrap_or(State::Normal);
    let judged = |point| {
        !settings.point(point).enabled || alarms.iter().any(|((_, of), alarm)| *of == point && alarm.contact)
    };
    let is_judged = (!contact.alarm1 || judged(Point::Alarm1)) && (!contact.alarm2 || judged(Point::Alarm2));
    state_if_known(worst, is_judged, contact.was_heard())
}

/// Which of a station's contacts are on by what another device said.
fn said_by_another(contact: &LastContact, alarms: &[KnownAlarm], settings: &StationSettings) -> Vec<Point> {
    let is_enabled =
        |point: Point, alarm: &Alarm| settings.point(point).enabled || alarm.state() != State::Normal;
    alarms
        .iter()
        .filter(|((_, point), alarm)| {
            point.is_contact() && alarm.contact && !contact.is_on(*point) && is_enabled(*point, alarm)
        })
        .map(|((_, point), _)| *point)
        .collect()
}

/// How many of a station's contacts are on that no server has judged, and have
/// no alarm that says more.
fn not_judged(contact: &LastContact, alarms: &[KnownAlarm], settings: &StationSettings) -> u8 {
    let says_more = |point| {
        let of_point =
            |((_, of), alarm): &KnownAlarm| *of == point && (alarm.contact || alarm.state() != State::Normal);
        alarms.iter().any(of_point)
    };
    let is_not_judged =
        |&point: &Point| contact.is_on(point) && settings.point(point).enabled && !says_more(point);
    Point::OF_STATION.iter().map(|point| u8::from(is_not_judged(point))).sum()
}

/// Whether it is neither normal nor hidden.
fn is_alarm(state: State) -> bool {
    state != State::Normal && !is_hidden(state)
}

impl Station {
    /// A station that is heard like that, with its alarms.
    pub fn new(contact: LastContact, heard: Comms, alarms: &[KnownAlarm], server: &ServerRows) -> Station {
        let settings = server.settings.of(contact.station_id);
        let comms = alarms.iter().find(|((_, point), _)| *point == Point::Comms).map(|(_, alarm)| alarm);
        let pause = comms.and_then(|alarm| alarm.hidden.service.clone());
        let is_retired = contact.retired().is_some();
        let state = worst(&contact, alarms, settings).filter(|_| !is_retired);
        // What a retired station said last concerns nobody any more.
        let of_concern = if is_retired { &[] } else { alarms };
        let how_many = |fits: &dyn Fn(State) -> bool| -> u8 {
            of_concern.iter().map(|(_, alarm)| u8::from(fits(alarm.state()))).sum()
        };
        let not_judged = if is_retired { 0 } else { not_judged(&contact, alarms, settings) };
        let disabled = Point::OF_STATION.iter().copied().filter(|point| !settings.point(*point).enabled);
        let delayed = alarms.iter().filter(|(_, alarm)| alarm.contact && alarm.delay_due_ms.is_some());
        Station {
            comms: heard.said(&contact, pause.is_some()),
            heard,
            pause,
            state,
            disabled: disabled.collect(),
            delayed: delayed.map(|((_, point), _)| *point).collect(),
            said_by_another: said_by_another(&contact, of_concern, settings),
            alarms: how_many(&is_alarm) + not_judged,
            unacknowledged: how_many(&State::is_unanswered),
            about: server.about.stations.get(&contact.station_id).cloned().unwrap_or_default(),
            contact,
        }
    }

    /// What its contacts are worth.
    pub fn quality(&self) -> Quality {
        if self.contact.was_heard() { self.heard.quality() } else { Quality::Never }
    }

    /// Whether it is no more.
    pub fn is_retired(&self) -> bool {
        self.comms == Comms::Retired
    }

    /// `expected by 2026-11-24 02:10`, of one that was never heard.
    pub fn never_heard(&self, clock: &Clock) -> Option<String> {
        if self.contact.was_heard() {
            return None;
        }
        let by = self.about.expected_by_ms.map(|by_ms| format!("expected by {}", clock.minute(by_ms)));
        match self.heard {
            Comms::Silent => {
                Some(["never heard".to_owned()].into_iter().chain(by).collect::<Vec<_>>().join(", "))
            }
            _ => by,
        }
    }

    /// Whether an alarm of it is neither normal nor hidden, or a contact is on
    /// that no server has judged.
    pub fn is_in_alarm(&self) -> bool {
        match self.state {
            Some(state) => is_alarm(state),
            None if self.is_retired() => false,
            None => self.has_contact_on(),
        }
    }

    /// Whether a contact is on, as it was last reported or as another device said
    /// that reports as this station.
    fn has_contact_on(&self) -> bool {
        self.contact.alarm1 || self.contact.alarm2 || !self.said_by_another.is_empty()
    }

    /// Whether one of its contacts is on that is not judged.
    pub fn is_disabled_on(&self) -> bool {
        self.disabled.iter().any(|&point| self.contact.is_on(point))
    }

    /// Worst first: alarms by their states, those of contacts before silence;
    /// then by how they are heard; then what is hidden. What is retired comes last.
    pub fn rank(&self) -> impl Ord + use<> {
        let rest = rank_if_known(Some(State::Suppressed));
        let state = match self.state {
            None if !self.is_in_alarm() => rest,
            state => rank_if_known(state),
        };
        let needs_answer = state.min(rest);
        (self.is_retired(), needs_answer, !self.has_contact_on(), self.comms, state)
    }

    /// `UNACK`; `NORM?` if that is only what was last known, `?` if nothing is.
    pub fn short(&self) -> String {
        match self.state {
            None if self.is_retired() => "-".to_owned(),
            None => "?".to_owned(),
            Some(State::Normal) if self.heard == Comms::New || !self.contact.was_heard() => "?".to_owned(),
            Some(State::Normal) => marked(State::Normal.short(), self.quality()),
            Some(state) => state.short().to_owned(),
        }
    }

    /// `alarm1 alarm2 (disabled)`, or `-`: what is on; each marked if it is only
    /// what was last known, and with a word if it is no alarm, or if the last report
    /// does not say so.
    pub fn contacts(&self) -> String {
        if !self.contact.was_heard() {
            return "?".to_owned();
        }
        let mut on = Vec::new();
        for &point in Point::OF_STATION {
            let by_another = self.said_by_another.contains(&point);
            if !self.contact.is_on(point) && !by_another {
                continue;
            }
            let words = [
                (by_another, "another device said on"),
                (self.disabled.contains(&point), "disabled"),
                (self.delayed.contains(&point), "on-delay"),
            ];
            let words: Vec<&str> =
                words.into_iter().filter(|(holds, _)| *holds).map(|(_, word)| word).collect();
            let words = if words.is_empty() { String::new() } else { format!(" ({})", words.join(", ")) };
            on.push(format!("{}{words}", marked(point.name(), self.quality())));
        }
        if on.is_empty() { marked("-", self.quality()) } else { on.join(" ") }
    }

    /// When it was heard last, as it is stored.
    pub fn last_date(&self) -> &str {
        if self.contact.was_heard() { &self.contact.last_date } else { "-" }
    }

    /// How long ago it was heard.
    pub fn ago(&self, clock: &Clock) -> String {
        match self.contact.received_at_ms {
            Some(received_at_ms) => clock.age(received_at_ms),
            None if self.contact.was_heard() => "unknown".to_owned(),
            None => "never".to_owned(),
        }
    }

    fn age_s(&self, clock: &Clock) -> Option<i64> {
        self.contact.received_at_ms.and_then(|received_at_ms| clock.age_s(received_at_ms))
    }
}
