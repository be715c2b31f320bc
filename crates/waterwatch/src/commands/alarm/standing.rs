//! How an alarm stands: its facts with what follows from them, for tables and
//! programs.

use std::cmp::Reverse;
use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;
use waterwatch_core::Settings;
use waterwatch_core::alarm::{Alarm, AlarmSource, Aside, Point, Priority, State};

use crate::commands::page::table::{self, Paint, numbers, words};
use crate::commands::page::time::{Clock, rfc3339, span};
use crate::commands::page::{self};
use crate::store::AlarmKey;
use crate::store::reader::communication::{Comms, Quality};
use crate::store::reader::{LastContact, Picture, ServerRows};

/// One alarm as it stands.
#[derive(Clone, Debug)]
pub(in crate::commands) struct Standing {
    /// Whose, and about what.
    pub(in crate::commands) key: AlarmKey,
    /// Its facts.
    pub(in crate::commands) alarm: Alarm,
    /// The state that follows from them.
    pub(in crate::commands) state: State,
    /// How urgent it is.
    pub(in crate::commands) priority: Priority,
    /// What its contact is worth.
    pub(in crate::commands) quality: Quality,
}

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
    alarms: &[(AlarmKey, Alarm)],
    settings: &Settings,
    now_ms: i64,
) -> Comms {
    let key = (AlarmSource::Station(contact.station_id), Point::Comms);
    let place = alarms.binary_search_by(|(of, _)| of.cmp(&key));
    let is_silent = place.is_ok_and(|place| alarms[place].1.contact);
    Comms::of(contact, is_silent, settings.of(contact.station_id), now_ms)
}

/// All alarms of a picture, the worst first. Of the picture's stations, those
/// that have an alarm must be there; its alarms must be in order.
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
            Standing::new(key.clone(), alarm.clone(), comms, server, now_ms)
        })
        .collect();
    standings.sort_by_cached_key(|standing| {
        (rank(standing.state), Reverse(standing.priority), standing.since_ms(), standing.key.clone())
    });
    standings
}

impl Standing {
    /// Of an alarm whose station is heard like that.
    pub(in crate::commands) fn new(
        key: AlarmKey,
        alarm: Alarm,
        comms: Option<Comms>,
        server: &ServerRows,
        now_ms: i64,
    ) -> Standing {
        let quality = Quality::of(&key.0, key.1, comms, server.is_alive(now_ms));
        let priority = server.settings.of_source(&key.0).point(key.1).priority;
        Standing { state: alarm.state(), priority, quality, key, alarm }
    }

    /// Whether it is on, or waits for somebody, or is hidden, or is about to be
    /// on: not merely remembered because it was raised of late.
    pub(in crate::commands) fn is_open(&self) -> bool {
        self.state != State::Normal || self.alarm.contact || self.alarm.delay_due_ms.is_some()
    }

    /// Since when it is in alarm, or else its contact as it is.
    fn since_ms(&self) -> i64 {
        let Alarm { occurrence, contact_since_ms, .. } = &self.alarm;
        occurrence.as_ref().map_or(*contact_since_ms, |occurrence| occurrence.raised_at_ms)
    }

    /// `UNACK`; what is not known to be so now is marked.
    pub(in crate::commands) fn short(&self) -> String {
        marked(self.state.short(), self.quality)
    }

    /// What else an operator must know, in a few words.
    fn note(&self, clock: &Clock) -> String {
        let mut notes = Vec::new();
        let Alarm { contact, delay_due_ms, occurrence, hidden, chatter, .. } = &self.alarm;
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
        if let Some(occurrence) = hidden.suppressed_by {
            notes.push(format!("occurrence {occurrence} stands for it"));
        }
        if is_hidden(self.state) && self.alarm.is_on() {
            notes
                .push(if self.quality == Quality::Good { "on now" } else { "on when last heard" }.to_owned());
        }
        notes.join("; ")
    }

    /// For a program.
    pub(in crate::commands) fn object(&self) -> Object<'_> {
        let Standing { key: (source, point), alarm, state, priority, quality } = self;
        let Alarm { contact, contact_since_ms, delay_due_ms, occurrence, hidden, chatter } = alarm;
        let occurrence = occurrence.as_ref();
        let acknowledged = occurrence.and_then(|occurrence| occurrence.acknowledged.as_ref());
        let (shelf, service) = (hidden.shelf.as_ref(), hidden.service.as_ref());
        let knows_since = *contact_since_ms != 0;
        Object {
            source: source.to_string(),
            station_id: station_id(source),
            point: point.name(),
            state: state.name(),
            priority: priority.name(),
            quality: quality.name(),
            on: alarm.is_on(),
            contact: *contact,
            contact_since: knows_since.then_some(*contact_since_ms).and_then(rfc3339),
            delay_until: delay_due_ms.and_then(rfc3339),
            occurrence: occurrence.map(|occurrence| occurrence.sequence),
            raised_at: occurrence.and_then(|occurrence| rfc3339(occurrence.raised_at_ms)),
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
            was_on_from: hidden.was_on.and_then(|was_on| rfc3339(was_on.from_ms)),
            was_on_to: hidden.was_on.and_then(|was_on| was_on.to_ms).and_then(rfc3339),
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
        words("QUALITY"),
        words("NOTE"),
    ];
    let texts = |standing: &Standing| {
        let since_ms = standing.since_ms();
        let (since, age) = match since_ms {
            0 => ("-".to_owned(), "-".to_owned()),
            _ => (clock.minute(since_ms), span(clock.age_s(since_ms))),
        };
        [
            standing.short(),
            standing.priority.name().to_owned(),
            page::plain(&standing.key.0.to_string()),
            standing.key.1.name().to_owned(),
            since,
            age,
            standing.quality.name().to_owned(),
            standing.note(clock),
        ]
    };
    let paint = |standing: &Standing| match standing.state {
        State::Unacknowledged | State::ReturnedUnacknowledged => Some((0, Paint::Alarm)),
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
    point: &'static str,
    state: &'static str,
    priority: &'static str,
    quality: &'static str,
    on: bool,
    contact: bool,
    contact_since: Option<Timestamp>,
    delay_until: Option<Timestamp>,
    occurrence: Option<i64>,
    raised_at: Option<Timestamp>,
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
    was_on_from: Option<Timestamp>,
    was_on_to: Option<Timestamp>,
}
