//! How an alarm stands: its facts with what follows from them, for tables and
//! programs.

use std::cmp::Reverse;
use std::io::{self, Write};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use waterwatch_core::Settings;
use waterwatch_core::alarm::{Alarm, AlarmSource, Aside, Point, Priority, State};
use waterwatch_core::settings::PointTexts;

use super::called;
use crate::commands::page::table::{self, Paint, numbers, optional, words};
use crate::commands::page::time::{Clock, rfc3339};
use crate::commands::page::{self};
use crate::store::AlarmKey;
use crate::store::reader::KnownAlarm;
use crate::store::reader::communication::{Comms, Quality};
use crate::store::reader::urgency::priority;
use crate::store::reader::{LastContact, Picture, Raise, Raises, ServerRows, StationAbout};

/// One alarm as it stands.
#[derive(Clone, Debug)]
pub(in crate::commands) struct Standing {
    /// Whose, and about what.
    pub(in crate::commands) key: AlarmKey,
    /// Its facts.
    pub(in crate::commands) alarm: Arc<Alarm>,
    /// Whether the contact is on, as its station reported last, which an alarm
    /// that no server has judged does not know.
    pub(in crate::commands) contact: bool,
    /// The state that follows from them; `None` if there is none: its point is
    /// disabled, its station is retired or was never heard, or its contact is on and no server
    /// has judged that.
    pub(in crate::commands) state: Option<State>,
    /// Whether its contact is judged at all.
    pub(in crate::commands) is_enabled: bool,
    /// Whether its station is retired.
    pub(in crate::commands) is_retired: bool,
    /// How urgent it is.
    pub(in crate::commands) priority: Priority,
    /// What its contact is worth.
    pub(in crate::commands) quality: Quality,
    /// What people say of its station.
    pub(in crate::commands) about: Option<StationAbout>,
    /// What tells an operator what to do about its point.
    pub(in crate::commands) texts: PointTexts,
    /// Why its open occurrence was raised, if that was asked for.
    pub(in crate::commands) raise: Option<Arc<Raise>>,
    /// The occurrence that stands for it, the same.
    pub(in crate::commands) stands_for_it: Option<Arc<Raise>>,
}

/// What is said of a contact that is on although the last report says off.
pub(in crate::commands) const SAID_BY_ANOTHER: &str = "the last report says off, another device said on";

/// How bad a state is: the worst first.
pub(in crate::commands) fn rank(state: State) -> u8 {
    match state {
        State::Unacknowledged => 0,
        State::ReturnedUnacknowledged => 1,
        State::Acknowledged => 2,
        State::Shelved => 3,
        State::Suppressed => 4,
        State::OutOfService => 5,
        State::Normal => 6,
    }
}

/// The same where there may be no state: what nobody has judged comes after
/// what needs an answer, and before what is hidden.
pub(in crate::commands) fn rank_if_known(state: Option<State>) -> u8 {
    state.map_or(2 * rank(State::Shelved) - 1, |state| 2 * rank(state))
}

/// Whether somebody or something hides it.
pub(in crate::commands) fn is_hidden(state: State) -> bool {
    match state {
        State::Shelved | State::Suppressed | State::OutOfService => true,
        State::Normal | State::Unacknowledged | State::Acknowledged | State::ReturnedUnacknowledged => false,
    }
}

/// The communication state of a station of a picture.
pub(in crate::commands) fn comms(
    contact: &LastContact,
    alarms: &[KnownAlarm],
    settings: &Settings,
    now_ms: i64,
) -> Comms {
    let key = (AlarmSource::Station(contact.station_id), Point::Comms);
    let place = alarms.binary_search_by(|(of, _)| of.cmp(&key));
    let is_silent = place.is_ok_and(|place| alarms[place].1.contact);
    Comms::of(contact, is_silent, settings.of(contact.station_id), now_ms)
}

/// Whether a station's contact is on, as it was last reported; `None` for what
/// no station reports.
pub(in crate::commands) fn reported(contact: &LastContact, point: Point) -> Option<bool> {
    match point {
        Point::Alarm1 => Some(contact.alarm1),
        Point::Alarm2 => Some(contact.alarm2),
        Point::Comms | Point::Identity | Point::NewStations => None,
    }
}

/// All alarms of a picture, the worst first, also contacts that are on and that
/// no server has judged. Of the picture's stations, those that have an alarm or
/// a contact on must be there; its alarms must be in order.
pub(in crate::commands) fn worst_first(picture: &Picture, now_ms: i64) -> Vec<Standing> {
    let Picture { stations, alarms, server } = picture;
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
pub(in crate::commands) fn of_no_station(picture: &Picture, now_ms: i64) -> Vec<Standing> {
    let Picture { alarms, server, .. } = picture;
    let others = alarms.iter().filter(|((source, _), _)| !matches!(source, AlarmSource::Station(_)));
    let mut standings: Vec<Standing> = others
        .map(|(key, alarm)| Standing::new(key.clone(), Arc::clone(alarm), None, alarms, server, now_ms))
        .collect();
    sort(&mut standings);
    standings
}

fn sort(standings: &mut [Standing]) {
    standings.sort_by_cached_key(|standing| {
        (rank_if_known(standing.state), Reverse(standing.priority), standing.since_ms(), standing.key.clone())
    });
}

impl Standing {
    /// Of an alarm; with its station's last contact and how that is heard, if it
    /// is a station's that is known, and all alarms of its source, in order.
    pub(in crate::commands) fn new(
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

    /// Adds what is known of its [`occurrences`].
    pub(in crate::commands) fn add_raises(&mut self, raises: &Raises) {
        let of = |occurrence: i64| raises.get(&occurrence).map(Arc::clone);
        self.raise = self.alarm.occurrence.as_ref().and_then(|occurrence| of(occurrence.sequence));
        self.stands_for_it = self.alarm.hidden.suppressed_by.and_then(of);
    }

    /// Why it was raised, if that was said.
    pub(in crate::commands) fn raised_because(&self) -> Option<&str> {
        self.raise.as_ref().and_then(|raise| raise.reason.as_deref())
    }

    /// `area/North comms (occurrence 422)`: the alarm that stands for it.
    pub(in crate::commands) fn suppressed_by(&self) -> Option<String> {
        let occurrence = self.alarm.hidden.suppressed_by?;
        Some(which(occurrence, self.stands_for_it.as_deref()))
    }

    /// Whether its contact is on, and no server has said what that means.
    pub(in crate::commands) fn is_not_judged(&self) -> bool {
        self.is_enabled && !self.is_retired && self.contact && !self.alarm.contact
    }

    /// Whether its contact is on by what another device said that reports as its
    /// station, although the last report says off.
    pub(in crate::commands) fn is_said_by_another(&self) -> bool {
        self.is_enabled && self.alarm.contact && !self.contact
    }

    /// Whether it is on, or waits for somebody, or is hidden, or is about to be
    /// on: not merely remembered because it was raised of late.
    pub(in crate::commands) fn is_open(&self) -> bool {
        let is_open = self.state.is_some_and(|state| state != State::Normal);
        is_open || self.contact || self.alarm.contact || self.alarm.delay_due_ms.is_some()
    }

    /// Since when it is in alarm, or else its contact as it is; 0 if that is not
    /// known.
    fn since_ms(&self) -> i64 {
        let raised = self.alarm.occurrence.as_ref().map(|occurrence| occurrence.raised_at_ms);
        raised.unwrap_or_else(|| self.contact_since_ms())
    }

    /// Since when the contact is as it is; 0 if that is not known.
    pub(in crate::commands) fn contact_since_ms(&self) -> i64 {
        if self.contact == self.alarm.contact { self.alarm.contact_since_ms } else { 0 }
    }

    /// `UNACK`; what is not known to be so now is marked.
    pub(in crate::commands) fn short(&self) -> String {
        match self.state {
            Some(state) => marked(state.short(), self.quality),
            None if self.is_retired => "retired".to_owned(),
            None if !self.is_enabled => "disabled".to_owned(),
            None => "?".to_owned(),
        }
    }

    /// What else an operator must know, in a few words.
    fn note(&self, clock: &Clock) -> String {
        let mut notes = Vec::new();
        let Alarm { contact, delay_due_ms, occurrence, hidden, chatter, .. } = &*self.alarm;
        if self.is_not_judged() {
            notes.push("the contact is on, and no server has judged it yet".to_owned());
        }
        if *contact && self.key.1 == Point::Identity {
            notes.push("several devices report as this station".to_owned());
        }
        if self.is_said_by_another() {
            notes.push(SAID_BY_ANOTHER.to_owned());
        }
        if let Some(reason) = self.raised_because() {
            notes.push(page::cut_sentence(&page::plain(reason)));
        }
        if let Some(due_ms) = delay_due_ms {
            let delay = if *contact { "on" } else { "off" };
            notes.push(format!("{delay}-delay until {}", clock.minute(*due_ms)));
        }
        if let Some(occurrence) = occurrence {
            if let Some(acknowledged) = &occurrence.acknowledged {
                let at = clock.minute(acknowledged.at_ms);
                notes.push(format!("acknowledged by {} {at}", page::plain(&acknowledged.by)));
            }
            if let Some(returned_at_ms) = occurrence.returned_at_ms {
                notes.push(format!("off since {}", clock.minute(returned_at_ms)));
            }
            if occurrence.raises > 1 {
                notes.push(format!("{} raises", occurrence.raises));
            }
        }
        if chatter.chattering.is_some() {
            notes.push("comes and goes".to_owned());
        }
        for (what, aside) in [("out of service", &hidden.service), ("shelved", &hidden.shelf)] {
            if let Some(Aside { until_ms, by, reason, warned: _ }) = aside {
                let (until, by, reason) = (clock.minute(*until_ms), page::plain(by), page::plain(reason));
                notes.push(format!("{what} until {until} by {by}: {reason}"));
            }
        }
        if let Some(other) = self.suppressed_by() {
            notes.push(format!("{other} stands for it"));
        }
        if self.state.is_some_and(is_hidden) && self.alarm.is_on() {
            notes
                .push(if self.quality == Quality::Good { "on now" } else { "on when last heard" }.to_owned());
        }
        notes.join("; ")
    }

    /// For a program.
    pub(in crate::commands) fn object(&self) -> Object<'_> {
        let Standing { key: (source, point), alarm, contact, state, is_enabled, priority, quality, .. } =
            self;
        let about = self.about.as_ref();
        let PointTexts { label, consequence, response, respond_within_min } = &self.texts;
        let contact_since_ms = self.contact_since_ms();
        let Alarm { contact: _, contact_since_ms: _, delay_due_ms, occurrence, hidden, chatter } = &**alarm;
        let occurrence = occurrence.as_ref();
        let acknowledged = occurrence.and_then(|occurrence| occurrence.acknowledged.as_ref());
        let (shelf, service) = (hidden.shelf.as_ref(), hidden.service.as_ref());
        Object {
            source: source.to_string(),
            station_id: station_id(source),
            name: about.and_then(|about| about.name.as_deref()),
            area: about.and_then(|about| about.area.as_deref()),
            point: point.name(),
            label: label.as_deref(),
            state: state.map(State::name),
            enabled: *is_enabled,
            priority: priority.name(),
            quality: quality.name(),
            on: alarm.is_on() || self.is_not_judged(),
            contact: *contact,
            contact_since: (contact_since_ms != 0).then_some(contact_since_ms).and_then(rfc3339),
            delay_until: delay_due_ms.and_then(rfc3339),
            occurrence: occurrence.map(|occurrence| occurrence.sequence),
            raised_at: occurrence.and_then(|occurrence| rfc3339(occurrence.raised_at_ms)),
            raised_because: self.raised_because(),
            returned_at: occurrence.and_then(|occurrence| occurrence.returned_at_ms).and_then(rfc3339),
            acknowledged_at: acknowledged.and_then(|acknowledged| rfc3339(acknowledged.at_ms)),
            acknowledged_by: acknowledged.map(|acknowledged| &*acknowledged.by),
            realarm_at: occurrence.and_then(|occurrence| occurrence.realarm_due_ms).and_then(rfc3339),
            raises: occurrence.map(|occurrence| occurrence.raises),
            chattering_since: chatter.chattering.and_then(|chattering| rfc3339(chattering.since_ms)),
            shelved_until: shelf.and_then(|shelf| rfc3339(shelf.until_ms)),
            shelved_by: shelf.map(|shelf| &*shelf.by),
            shelved_reason: shelf.map(|shelf| &*shelf.reason),
            out_of_service_until: service.and_then(|service| rfc3339(service.until_ms)),
            out_of_service_by: service.map(|service| &*service.by),
            out_of_service_reason: service.map(|service| &*service.reason),
            suppressed_by: hidden.suppressed_by,
            suppressed_by_source: self.stands_for_it.as_ref().map(|raise| raise.source.to_string()),
            was_on_from: hidden.was_on.and_then(|was_on| rfc3339(was_on.from_ms)),
            was_on_to: hidden.was_on.and_then(|was_on| was_on.to_ms).and_then(rfc3339),
            consequence: consequence.as_deref(),
            response: response.as_deref(),
            respond_within_min: *respond_within_min,
            location: about.and_then(|about| about.location.as_deref()),
            access_note: about.and_then(|about| about.access_note.as_deref()),
            telephones: about.and_then(|about| about.telephones.as_deref()),
        }
    }
}

/// A word, marked if it is only what was last known.
pub(in crate::commands) fn marked(word: &str, quality: Quality) -> String {
    match quality {
        Quality::Good => word.to_owned(),
        Quality::Stale | Quality::Never => format!("{word}?"),
    }
}

/// The occurrences of which an operator must know more: an alarm's own, and the
/// one that stands for it.
pub(in crate::commands) fn occurrences(alarm: &Alarm) -> impl Iterator<Item = i64> + use<> {
    let own = alarm.occurrence.as_ref().map(|occurrence| occurrence.sequence);
    own.into_iter().chain(alarm.hidden.suppressed_by)
}

/// `area/North comms (occurrence 422)`: an occurrence, and whose it is if that
/// is known.
pub(super) fn which(occurrence: i64, raise: Option<&Raise>) -> String {
    match raise {
        Some(Raise { source, point, reason: _ }) => {
            format!("{} {point} (occurrence {occurrence})", page::plain(&source.to_string()))
        }
        None => format!("occurrence {occurrence}"),
    }
}

/// The number of a source that is a station.
pub(in crate::commands) fn station_id(source: &AlarmSource) -> Option<i64> {
    match source {
        AlarmSource::Station(id) => Some(id.get()),
        AlarmSource::Area(_) | AlarmSource::Server => None,
    }
}

/// Writes a table of alarms.
pub(in crate::commands) fn write_table(
    out: &mut impl Write,
    standings: &[Standing],
    clock: &Clock,
    terminal: bool,
) -> io::Result<()> {
    let columns = [
        words("STATE"),
        words("PRIORITY"),
        numbers("SOURCE"),
        words("POINT"),
        words("SINCE"),
        words("FOR"),
        optional("NAME"),
        optional("NOTE"),
    ];
    let texts = |standing: &Standing| {
        let since_ms = standing.since_ms();
        let (since, age) = match since_ms {
            0 => ("-".to_owned(), "-".to_owned()),
            _ => (clock.minute(since_ms), clock.age(since_ms)),
        };
        [
            standing.short(),
            standing.priority.name().to_owned(),
            page::plain(&standing.key.0.to_string()),
            standing.key.1.name().to_owned(),
            since,
            age,
            standing.about.as_ref().and_then(called).map_or_else(String::new, |name| page::cut(&name)),
            standing.note(clock),
        ]
    };
    let paint = |standing: &Standing| match standing.state {
        Some(State::Unacknowledged | State::ReturnedUnacknowledged) => Some((0, Paint::Alarm)),
        None if standing.is_enabled => Some((0, Paint::Doubt)),
        _ if standing.quality != Quality::Good => Some((0, Paint::Doubt)),
        _ => None,
    };
    table::write(out, columns, standings, terminal, texts, paint)
}

/// One alarm for a program. Times are RFC 3339, UTC; what does not hold is
/// null.
#[derive(Serialize)]
pub(in crate::commands) struct Object<'a> {
    source: String,
    station_id: Option<i64>,
    name: Option<&'a str>,
    area: Option<&'a str>,
    point: &'static str,
    label: Option<&'a str>,
    state: Option<&'static str>,
    enabled: bool,
    priority: &'static str,
    quality: &'static str,
    on: bool,
    contact: bool,
    contact_since: Option<Timestamp>,
    delay_until: Option<Timestamp>,
    occurrence: Option<i64>,
    raised_at: Option<Timestamp>,
    raised_because: Option<&'a str>,
    returned_at: Option<Timestamp>,
    acknowledged_at: Option<Timestamp>,
    acknowledged_by: Option<&'a str>,
    realarm_at: Option<Timestamp>,
    raises: Option<u32>,
    chattering_since: Option<Timestamp>,
    shelved_until: Option<Timestamp>,
    shelved_by: Option<&'a str>,
    shelved_reason: Option<&'a str>,
    out_of_service_until: Option<Timestamp>,
    out_of_service_by: Option<&'a str>,
    out_of_service_reason: Option<&'a str>,
    suppressed_by: Option<i64>,
    suppressed_by_source: Option<String>,
    was_on_from: Option<Timestamp>,
    was_on_to: Option<Timestamp>,
    consequence: Option<&'a str>,
    response: Option<&'a str>,
    respond_within_min: Option<u32>,
    location: Option<&'a str>,
    access_note: Option<&'a str>,
    telephones: Option<&'a str>,
}
