//! An occurrence's story in plain sentences, from the ledger alone: what led to
//! it, what happened in which order, and how it stands now.

mod object;
pub mod of_many;
mod teller;

use std::collections::VecDeque;

use waterwatch_core::alarm::{Alarm, Event, Kind, Occurrence, Point, Priority, State};
use waterwatch_core::settings::StationSettings;

use self::teller::Teller;
use super::alarm::{is_hidden, which};
use super::text::plain;
use super::time::Clock;
use super::{also_called, named};
use crate::store::AlarmKey;
use crate::store::reader::communication::{Comms, Quality};
use crate::store::reader::{Past, StationAbout};

pub use self::object::{LineObject, StoryObject};

/// What is said if nobody keeps all of this up to date.
const NO_SERVER: &str = " No server is seen at work now: this was last known.";

/// The story of one occurrence.
#[derive(Debug)]
pub struct Story<'a> {
    /// Of which alarm.
    pub key: &'a AlarmKey,
    /// What is recorded of it.
    pub past: &'a Past,
    /// What time it is.
    pub clock: &'a Clock,
    /// What is told, in the order of the ledger.
    told: Vec<&'a Event>,
}

/// One sentence of it.
#[derive(Debug)]
pub struct Line {
    /// Which entry it tells.
    pub sequence: i64,
    /// When that was, in milliseconds UTC.
    pub time_ms: i64,
    /// What happened.
    pub kind: Kind,
    /// How many stations it is about, if it is about many at once.
    pub count: Option<usize>,
    /// The sentence.
    pub text: String,
}

/// `Station 123, alarm1 (high), occurrence 4711`, or `…, never raised`
#[must_use]
pub fn headline(
    (source, point): &AlarmKey,
    about: Option<&StationAbout>,
    priority: Priority,
    occurrence: Option<i64>,
) -> String {
    let mut name = named(source);
    name[..1].make_ascii_uppercase();
    name += &about.map(also_called).unwrap_or_default();
    let which =
        occurrence.map_or_else(|| "never raised".to_owned(), |occurrence| format!("occurrence {occurrence}"));
    format!("{name}, {point} ({priority}), {which}")
}

impl<'a> Story<'a> {
    /// Of what is recorded.
    #[must_use]
    pub fn new(key: &'a AlarmKey, past: &'a Past, clock: &'a Clock) -> Story<'a> {
        let mut told: VecDeque<&Event> = past.events.iter().collect();
        let settings = past.server.settings.of_source(&key.0);
        let lately_ms = settings.period_ms.saturating_add(settings.grace_ms);
        for event in past.before.iter().rev() {
            if !told.front().is_some_and(|first| leads_to(event, first, lately_ms)) {
                break;
            }
            told.push_front(event);
        }
        told.extend(&past.since);
        let mut story = Story { key, past, clock, told: told.into() };
        story.add_hearing();
        story
    }

    /// Adds what the server says of its own hearing within the story, and just
    /// before it: what happened while it was blind was seen only afterwards.
    fn add_hearing(&mut self) {
        let (Some(first), Some(last)) = (self.told.first(), self.told.last()) else { return };
        let is_open = self.open().is_some();
        let seen_from_ms = first.event_time_ms.saturating_sub(self.settings().period_ms);
        let (first, last) = (first.sequence, last.sequence);
        let within = self.past.hearing.iter().filter(|event| {
            let is_before = event.sequence < first;
            let is_after = event.sequence > last && !is_open;
            !is_after && (!is_before || event.until_ms.is_some_and(|until_ms| until_ms >= seen_from_ms))
        });
        self.told.extend(within);
        self.told.sort_by_key(|event| event.sequence);
    }

    /// `Station 123, alarm1 (high), occurrence 4711`, or `…, never raised`
    pub fn headline(&self) -> String {
        let about = self.past.server.about.station(&self.key.0);
        headline(self.key, about, self.priority(), self.past.occurrence)
    }

    /// How urgent the alarm is now.
    #[must_use]
    pub fn priority(&self) -> Priority {
        self.past.priority.unwrap_or(self.settings().point(self.key.1).priority)
    }

    /// The occurrence, if it is the current one.
    pub fn open(&self) -> Option<&'a Occurrence> {
        let open = self.past.alarm.as_ref().and_then(|alarm| alarm.occurrence.as_ref());
        open.filter(|open| Some(open.sequence) == self.past.occurrence)
    }

    /// The alarm's state now.
    pub fn state(&self) -> State {
        self.past.alarm.as_ref().map_or(State::Normal, Alarm::state)
    }

    fn settings(&self) -> &StationSettings {
        self.past.server.settings.of_source(&self.key.0)
    }

    fn comms(&self) -> Option<Comms> {
        let Past { contact, is_silent, .. } = self.past;
        let contact = contact.as_ref()?;
        Some(Comms::of(contact, *is_silent, self.settings(), self.clock.now_ms()))
    }

    /// What the alarm's contact is worth now.
    pub fn quality(&self) -> Quality {
        let is_alive = self.past.server.is_alive(self.clock.now_ms());
        if self.key.1.is_contact() && self.past.contact.as_ref().is_some_and(|contact| !contact.was_heard()) {
            return Quality::Never;
        }
        Quality::of(&self.key.0, self.key.1, self.comms(), is_alive)
    }

    /// The story's sentences.
    pub fn lines(&self) -> Vec<Line> {
        let mut teller = Teller::new(self.clock, self.key, self.past);
        let mut lines = Vec::new();
        let mut told = self.told.as_slice();
        while let Some((event, _)) = told.split_first() {
            let (alike, rest) = told.split_at(of_many::alike(told));
            told = rest;
            if event.stations.is_some() {
                lines.push(of_many::line(alike));
                teller.told = alike.last().map(|last| last.sequence);
                continue;
            }
            // A time in which nobody was heard is known at its end.
            let time_ms = match event.kind {
                Kind::Blind | Kind::ClockJumped => event.received_at_ms,
                _ => event.event_time_ms,
            };
            let text = teller.sentence(event);
            teller.told = Some(event.sequence);
            lines.push(Line { sequence: event.sequence, time_ms, kind: event.kind, count: None, text });
        }
        for others in &self.past.suppressed {
            let place = lines.partition_point(|line| line.sequence < others.sequence);
            lines.insert(place, of_many::suppressed(others));
        }
        lines
    }

    /// How it stands now.
    pub fn ending(&self) -> String {
        let mut ending = match (self.open(), &self.past.alarm) {
            (Some(open), Some(alarm)) => stands(open, alarm),
            (_, alarm) => {
                let over = self.past.occurrence.map_or("It was never raised.", |_| "It is over.");
                let now = self.goes_on(alarm.as_ref().unwrap_or(&Alarm::default()));
                format!("{over}{now}")
            }
        };
        match (self.quality(), self.comms()) {
            (Quality::Good, _) => {}
            (Quality::Never, comms) => ending += &format!(" {}", self.never(comms)),
            (Quality::Stale, Some(comms @ (Comms::Silent | Comms::Late))) if self.key.1 != Point::Comms => {
                ending += &format!(" The station is {} now: this was last known.", comms.name());
            }
            (Quality::Stale, _) => ending += NO_SERVER,
        }
        ending
    }

    /// Why nothing can be said of a station, which is no fault of the server.
    fn never(&self, comms: Option<Comms>) -> String {
        let mut why = super::alarm::never(comms).to_owned();
        why[..1].make_ascii_uppercase();
        why += ".";
        if !self.past.server.is_alive(self.clock.now_ms()) {
            why += NO_SERVER;
        }
        why
    }

    /// What the alarm is about now that this occurrence is over.
    fn goes_on(&self, alarm: &Alarm) -> String {
        if let Some(open) = &alarm.occurrence {
            return format!(" Occurrence {} is open now.", open.sequence);
        }
        let hidden = &alarm.hidden;
        let on = if alarm.is_on() { " and on" } else { "" };
        if let Some(service) = &hidden.service {
            let (until, by) = (self.clock.minute(service.until_ms), plain(&service.by));
            return format!(" The alarm is out of service{on} until {until} (by {by}).");
        }
        if let Some(shelf) = &hidden.shelf {
            let (until, by) = (self.clock.minute(shelf.until_ms), plain(&shelf.by));
            return format!(" The alarm is shelved{on} until {until} (by {by}).");
        }
        if let Some(occurrence) = hidden.suppressed_by {
            let other = which(occurrence, self.past.raises.get(&occurrence).map(AsRef::as_ref));
            return format!(" The alarm is suppressed{on}: {other} stands for it.");
        }
        self.contact_is(alarm)
    }

    fn is_retired(&self) -> bool {
        self.past.contact.as_ref().is_some_and(|contact| contact.retired().is_some())
    }

    /// What its contact is about, while it is no alarm.
    fn contact_is(&self, alarm: &Alarm) -> String {
        let reported = self.past.contact.as_ref().is_some_and(|contact| contact.is_on(self.key.1));
        match (alarm.contact, alarm.delay_due_ms) {
            (true, Some(due_ms)) => format!(
                " The contact is on since {}; it is raised at {} if that lasts.",
                self.clock.exact(alarm.contact_since_ms),
                self.clock.exact(due_ms)
            ),
            (false, _) if reported && !self.settings().point(self.key.1).enabled => {
                " The contact is on, and its point is disabled.".to_owned()
            }
            (false, _) if reported && self.is_retired() => " Its station is retired.".to_owned(),
            (false, _) if reported => " The contact is on, and no server has judged it yet.".to_owned(),
            _ => String::new(),
        }
    }
}

/// Whether an entry is part of what led to the one after it: a delay that ran,
/// what happened while it was hidden, or that reports came from elsewhere within
/// so long before.
fn leads_to(event: &Event, next: &Event, lately_ms: i64) -> bool {
    let began_delay = event.kind == Kind::OnDelayStarted && next.cause.is_none();
    let hidden = event.to.is_some_and(is_hidden) || (next.cause == Some(event.sequence));
    let passed_ms = next.event_time_ms.saturating_sub(event.event_time_ms);
    let moved = event.kind == Kind::OriginChanged && passed_ms < lately_ms;
    began_delay || hidden || moved
}

/// How an open occurrence stands.
fn stands(open: &Occurrence, alarm: &Alarm) -> String {
    let answered = open.acknowledged.as_ref().map(|by| plain(&by.by));
    if alarm.chatter.chattering.is_some() {
        return match answered {
            Some(by) => format!("It comes and goes, and {by} has acknowledged it."),
            None => "It comes and goes, and nobody has acknowledged it.".to_owned(),
        };
    }
    match (alarm.is_on(), answered) {
        (true, Some(by)) => format!("It is on and acknowledged by {by}."),
        (true, None) => "It is on, and nobody has acknowledged it.".to_owned(),
        (false, _) => "It has returned to normal and waits for somebody to acknowledge it.".to_owned(),
    }
}

/// What to say where there is nothing to tell.
#[must_use]
pub fn no_such_occurrence(key: &AlarmKey, asked: Option<i64>, last: Option<i64>) -> String {
    let (source, point) = (named(&key.0), key.1);
    match (asked, last) {
        (None, None) => {
            format!("{point} of {source} was never raised: nothing is recorded that could be told")
        }
        (Some(asked), None) => {
            format!("{point} of {source} was never raised: {asked} is no occurrence of it")
        }
        (Some(asked), Some(last)) => {
            format!("{asked} is no occurrence of {point} of {source}; the last one is {last}")
        }
        (None, Some(last)) => format!("occurrence {last} of {point} of {source} has lost its first entry"),
    }
}
