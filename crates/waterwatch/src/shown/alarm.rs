//! How an alarm stands: its facts with what follows from them.

mod object;

use std::cmp::Reverse;
use std::sync::Arc;

use waterwatch_core::Settings;
use waterwatch_core::alarm::{Alarm, AlarmSource, Point, Priority, State};
use waterwatch_core::settings::PointTexts;

use super::text::plain;
use crate::store::AlarmKey;
use crate::store::reader::KnownAlarm;
use crate::store::reader::communication::{Comms, Quality};
use crate::store::reader::urgency::priority;
use crate::store::reader::{LastContact, OneAlarm, Picture, Raise, Raises, ServerRows, StationAbout};

pub use self::object::AlarmObject;

/// One alarm as it stands.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Whose, and about what.
    pub key: AlarmKey,
    /// Its facts.
    pub alarm: Arc<Alarm>,
    /// Whether the contact is on, as its station reported last, which an alarm
    /// that no server has judged does not know.
    pub contact: bool,
    /// The state that follows from them; `None` if there is none: its point is
    /// disabled, its station is retired or was never heard, or its contact is on and no server
    /// has judged that.
    pub state: Option<State>,
    /// Whether its contact is judged at all.
    pub is_enabled: bool,
    /// Whether its station is retired.
    pub is_retired: bool,
    /// How urgent it is.
    pub priority: Priority,
    /// What its contact is worth.
    pub quality: Quality,
    /// What people say of its station.
    pub about: Option<StationAbout>,
    /// What tells an operator what to do about its point.
    pub texts: PointTexts,
    /// Why its open occurrence was raised, if that was asked for.
    pub raise: Option<Arc<Raise>>,
    /// The occurrence that stands for it, the same.
    pub stands_for_it: Option<Arc<Raise>>,
}

/// What is said of a contact that is on although the last report says off.
pub const SAID_BY_ANOTHER: &str = "the last report says off, another device said on";

/// How bad a state is: the worst first.
pub fn rank(state: State) -> u8 {
    state.rank()
}

/// The same where there may be no state: what nobody has judged comes after
/// what needs an answer, and before what is hidden.
pub fn rank_if_known(state: Option<State>) -> u8 {
    State::rank_if_known(state)
}

/// Whether somebody or something hides it.
pub fn is_hidden(state: State) -> bool {
    state.is_hidden()
}

/// The communication state of a station of a picture.
pub fn comms(contact: &LastContact, alarms: &[KnownAlarm], settings: &Settings, now_ms: i64) -> Comms {
    let key = (AlarmSource::Station(contact.station_id), Point::Comms);
    let place = alarms.binary_search_by(|(of, _)| of.cmp(&key));
    let is_silent = place.is_ok_and(|place| alarms[place].1.contact);
    Comms::of(contact, is_silent, settings.of(contact.station_id), now_ms)
}

/// Whether a station's contact is on, as it was last reported; `None` for what
/// no station reports.
pub fn reported(contact: &LastContact, point: Point) -> Option<bool> {
    match point {
        Point::Alarm1 => Some(contact.alarm1),
        Point::Alarm2 => Some(contact.alarm2),
        Point::Comms | Point::Identity | Point::NewStations | Point::OnCall => None,
    }
}

/// All alarms of a picture, the worst first, also contacts that are on and that
/// no server has judged. Of the picture's stations, those that have an alarm or
/// a contact on must be there; its alarms must be in order.
pub fn worst_first(picture: &Picture, now_ms: i64) -> Vec<Standing> {
    let Picture { stations, alarms, server, left_out: _ } = picture;
    let mut standings: Vec<Standing> = alarms
        .iter()
        .map(|(key, alarm)| {
            let contact = match &key.0 {
                AlarmSource::Station(id) => stations
                    .binary_search_by_key(id, |contact| contact.station_id)
                    .ok()
                    .map(|place| &stations[place]),
                AlarmSource::Area(_) | AlarmSource::Server => None,
            };
            let comms = contact.map(|contact| comms(contact, alarms, &server.settings, now_ms));
            Standing::new(key.clone(), Arc::clone(alarm), contact.zip(comms), alarms, server, now_ms)
        })
        .collect();
    for contact in stations {
        for &point in Point::OF_STATION {
            let key = (AlarmSource::Station(contact.station_id), point);
            // What a retired station said last concerns nobody any more.
            if contact.is_on(point)
                && contact.retired().is_none()
                && alarms.binary_search_by(|(of, _)| of.cmp(&key)).is_err()
            {
                let comms = comms(contact, alarms, &server.settings, now_ms);
                let station = Some((contact, comms));
                standings.push(Standing::new(key, Arc::default(), station, alarms, server, now_ms));
            }
        }
    }
    sort(&mut standings);
    standings
}

/// The alarms of a picture that are no station's, the worst first. Its alarms
/// must be in order.
pub fn of_no_station(picture: &Picture, now_ms: i64) -> Vec<Standing> {
    let Picture { alarms, server, .. } = picture;
    let others = alarms.iter().filter(|((source, _), _)| !matches!(source, AlarmSource::Station(_)));
    let mut standings: Vec<Standing> = others
        .map(|(key, alarm)| Standing::new(key.clone(), Arc::clone(alarm), None, alarms, server, now_ms))
        .collect();
    sort(&mut standings);
    standings
}

/// The worst first, then the more urgent, then the older.
pub fn sort(standings: &mut [Standing]) {
    standings.sort_by_cached_key(|standing| {
        (rank_if_known(standing.state), Reverse(standing.priority), standing.since_ms(), standing.key.clone())
    });
}

impl Standing {
    /// Of an alarm; with its station's last contact and how that is heard, if it
    /// is a station's that is known, and all alarms of its source, in order.
    pub fn new(
        key: AlarmKey,
        alarm: Arc<Alarm>,
        station: Option<(&LastContact, Comms)>,
        alarms: &[KnownAlarm],
        server: &ServerRows,
        now_ms: i64,
    ) -> Standing {
        let comms = station.map(|(_, comms)| comms);
        let settings = server.settings.of_source(&key.0).point(key.1);
        let contact = station.and_then(|(contact, _)| reported(contact, key.1)).unwrap_or(alarm.contact);
        let was_heard = station.is_none_or(|(contact, _)| contact.was_heard());
        let quality = match key.1.is_contact() && !was_heard {
            true => Quality::Never,
            false => Quality::of(&key.0, key.1, comms, server.is_alive(now_ms)),
        };
        let is_retired = station.is_some_and(|(contact, _)| contact.retired().is_some());
        let is_known = settings.enabled && !is_retired && was_heard && (!contact || alarm.contact);
        let state = Some(alarm.state()).filter(|state| is_known || *state != State::Normal);
        let is_enabled = settings.enabled || state.is_some();
        Standing {
            contact,
            state,
            is_enabled,
            is_retired,
            priority: priority((&key.0, key.1), &alarm, alarms, &server.settings),
            quality,
            about: server.about.station(&key.0).cloned(),
            texts: server.about.point(&key.0, key.1),
            raise: None,
            stands_for_it: None,
            key,
            alarm,
        }
    }

    /// Of an alarm that was read alone, and how its station is heard.
    #[must_use]
    pub fn of_one(one: &OneAlarm, now_ms: i64) -> (Standing, Option<Comms>) {
        let OneAlarm { key, contact, alarms, priority, raises, server } = one;
        let known = alarms.iter().find(|(of, _)| of == key).map(|(_, alarm)| Arc::clone(alarm));
        let comms = contact.as_ref().map(|contact| comms(contact, alarms, &server.settings, now_ms));
        let station = contact.as_ref().zip(comms);
        let mut standing =
            Standing::new(key.clone(), known.unwrap_or_default(), station, alarms, server, now_ms);
        // Of those that it stands for, none is among these alarms.
        standing.priority = *priority;
        standing.add_raises(raises);
        (standing, comms)
    }

    /// Adds what is known of its [`occurrences`].
    pub fn add_raises(&mut self, raises: &Raises) {
        let of = |occurrence: i64| raises.get(&occurrence).map(Arc::clone);
        self.raise = self.alarm.occurrence.as_ref().and_then(|occurrence| of(occurrence.sequence));
        self.stands_for_it = self.alarm.hidden.suppressed_by.and_then(of);
    }

    /// Why it was raised, if that was said.
    pub fn raised_because(&self) -> Option<&str> {
        self.raise.as_ref().and_then(|raise| raise.reason.as_deref())
    }

    /// `area/North comms (occurrence 422)`: the alarm that stands for it.
    pub fn suppressed_by(&self) -> Option<String> {
        let occurrence = self.alarm.hidden.suppressed_by?;
        Some(which(occurrence, self.stands_for_it.as_deref()))
    }

    /// Whether its contact is on, and no server has said what that means.
    pub fn is_not_judged(&self) -> bool {
        self.is_enabled && !self.is_retired && self.contact && !self.alarm.contact
    }

    /// Whether its contact is on by what another device said that reports as its
    /// station, although the last report says off.
    pub fn is_said_by_another(&self) -> bool {
        self.is_enabled && self.alarm.contact && !self.contact
    }

    /// Whether it is on, or waits for somebody, or is hidden, or is about to be
    /// on: not merely remembered because it was raised of late.
    pub fn is_open(&self) -> bool {
        let is_open = self.state.is_some_and(|state| state != State::Normal);
        is_open || self.contact || self.alarm.contact || self.alarm.delay_due_ms.is_some()
    }

    /// Since when it is in alarm, or else its contact as it is; 0 if that is not
    /// known.
    #[must_use]
    pub fn since_ms(&self) -> i64 {
        let raised = self.alarm.occurrence.as_ref().map(|occurrence| occurrence.raised_at_ms);
        raised.unwrap_or_else(|| self.contact_since_ms())
    }

    /// Since when the contact is as it is; 0 if that is not known.
    pub fn contact_since_ms(&self) -> i64 {
        if self.contact == self.alarm.contact { self.alarm.contact_since_ms } else { 0 }
    }

    /// `UNACK`; what is not known to be so now is marked.
    pub fn short(&self) -> String {
        match self.state {
            Some(state) => marked(state.short(), self.quality),
            None if self.is_retired => "retired".to_owned(),
            None if !self.is_enabled => "disabled".to_owned(),
            None => "?".to_owned(),
        }
    }
}

/// Why the quality of a station's alarm is [`Quality::Never`], by how the station is
/// heard; `None`: there is no such station, or none any more.
pub fn never(comms: Option<Comms>) -> &'static str {
    match comms {
        Some(_) => "the station was never heard, as far as is known",
        None => "nothing is known of the station itself",
    }
}

/// A word, marked if it is only what was last known.
pub fn marked(word: &str, quality: Quality) -> String {
    match quality {
        Quality::Good => word.to_owned(),
        Quality::Stale | Quality::Never => format!("{word}?"),
    }
}

/// The occurrences of which an operator must know more: an alarm's own, and the
/// one that stands for it.
pub fn occurrences(alarm: &Alarm) -> impl Iterator<Item = i64> + use<> {
    let own = alarm.occurrence.as_ref().map(|occurrence| occurrence.sequence);
    own.into_iter().chain(alarm.hidden.suppressed_by)
}

/// `area/North comms (occurrence 422)`: an occurrence, and whose it is if that
/// is known.
pub fn which(occurrence: i64, raise: Option<&Raise>) -> String {
    match raise {
        Some(Raise { source, point, reason: _ }) => {
            format!("{} {point} (occurrence {occurrence})", plain(&source.to_string()))
        }
        None => format!("occurrence {occurrence}"),
    }
}

/// The number of a source that is a station.
pub fn station_id(source: &AlarmSource) -> Option<i64> {
    match source {
        AlarmSource::Station(id) => Some(id.get()),
        AlarmSource::Area(_) | AlarmSource::Server => None,
    }
}
