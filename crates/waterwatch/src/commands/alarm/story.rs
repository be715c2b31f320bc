//! An occurrence's story in plain sentences, from the ledger alone: what led to
//! it, what happened in which order, and how it stands now.

use std::collections::VecDeque;

use waterwatch_core::alarm::{Alarm, AlarmSource, Event, Kind, Occurrence, Point, Priority, State};

use waterwatch_core::settings::StationSettings;
use waterwatch_core::station_life::without_remark;

use super::entry::peer;
use super::standing::{is_hidden, which};
use super::{also_called, named, of_many};
use crate::commands::page::plain;
use crate::commands::page::time::{Clock, span};
use crate::store::AlarmKey;
use crate::store::reader::communication::{Comms, Quality};
use crate::store::reader::{Past, Raises};

/// The story of one occurrence.
pub(super) struct Story<'a> {
    pub(super) key: &'a AlarmKey,
    pub(super) past: &'a Past,
    pub(super) clock: &'a Clock,
    /// What is told, in the order of the ledger.
    told: Vec<&'a Event>,
}

/// One sentence of it.
pub(super) struct Line {
    /// Which entry it tells.
    pub(super) sequence: i64,
    /// When that was, in milliseconds UTC.
    pub(super) time_ms: i64,
    pub(super) kind: Kind,
    /// How many stations it is about, if it is about many at once.
    pub(super) count: Option<usize>,
    pub(super) text: String,
}

impl<'a> Story<'a> {
    pub(super) fn new(key: &'a AlarmKey, past: &'a Past, clock: &'a Clock) -> Story<'a> {
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
    pub(super) fn headline(&self) -> String {
        let (source, point) = self.key;
        let mut name = named(source);
        name[..1].make_ascii_uppercase();
        name += &self.past.server.about.station(source).map(also_called).unwrap_or_default();
        let which = self
            .past
            .occurrence
            .map_or_else(|| "never raised".to_owned(), |occurrence| format!("occurrence {occurrence}"));
        format!("{name}, {point} ({}), {which}", self.priority())
    }

    pub(super) fn priority(&self) -> Priority {
        self.past.priority.unwrap_or(self.settings().point(self.key.1).priority)
    }

    /// The occurrence, if it is the current one.
    pub(super) fn open(&self) -> Option<&'a Occurrence> {
        let open = self.past.alarm.as_ref().and_then(|alarm| alarm.occurrence.as_ref());
        open.filter(|open| Some(open.sequence) == self.past.occurrence)
    }

    /// The alarm's state now.
    pub(super) fn state(&self) -> State {
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
    pub(super) fn quality(&self) -> Quality {
        let is_alive = self.past.server.is_alive(self.clock.now_ms());
        if self.key.1.is_contact() && self.past.contact.as_ref().is_some_and(|contact| !contact.was_heard()) {
            return Quality::Never;
        }
        Quality::of(&self.key.0, self.key.1, self.comms(), is_alive)
    }

    /// The story's sentences.
    pub(super) fn lines(&self) -> Vec<Line> {
        let mut teller = Teller {
            clock: self.clock,
            key: self.key,
            heard_at_ms: self.past.heard_at_ms,
            raised_at_ms: None,
            answered_by: None,
            is_delayed: false,
            told: None,
            raises: &self.past.raises,
        };
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
    pub(super) fn ending(&self) -> String {
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
            (_, Some(comms @ (Comms::Silent | Comms::Late))) if self.key.1 != Point::Comms => {
                ending += &format!(" The station is {} now: this was last known.", comms.name());
            }
            _ => ending += " No server is seen at work now: this was last known.",
        }
        ending
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

/// What must be known of the entries before to tell the next.
struct Teller<'a> {
    clock: &'a Clock,
    key: &'a AlarmKey,
    /// When its station was heard last before it fell silent, if that is known.
    heard_at_ms: Option<i64>,
    raised_at_ms: Option<i64>,
    /// Who has acknowledged it, as far as was told.
    answered_by: Option<String>,
    /// Whether an on-delay was told to run.
    is_delayed: bool,
    /// The sequence of the entry that was told last.
    told: Option<i64>,
    /// Whose the occurrences are that stood for it.
    raises: &'a Raises,
}

impl Teller<'_> {
    /// The sentence of one entry.
    fn sentence(&mut self, event: &Event) -> String {
        match event.kind {
            Kind::OnDelayStarted => {
                self.is_delayed = true;
                format!("{}; it is raised if that lasts for {}.", self.goes(event, true), lasting(event))
            }
            Kind::OnDelayCancelled => {
                format!("{}, before the on-delay was over: no alarm.", self.goes(event, false))
            }
            Kind::Raised => {
                self.raised_at_ms = Some(event.event_time_ms);
                let why = self.why_raised(event);
                self.is_delayed = false;
                format!("raised: {why}{}.", remark(event))
            }
            Kind::RaisedAgain => format!(
                "raised again: {}{}. Nobody had acknowledged, so it is the same occurrence{}.",
                self.goes(event, true),
                remark(event),
                event.count.map_or(String::new(), |count| format!(" (raise {count})"))
            ),
            Kind::OffDelayStarted => {
                format!("{}; it has returned if that lasts for {}.", self.goes(event, false), lasting(event))
            }
            Kind::OffDelayCancelled => {
                format!("{}, before the off-delay was over: it never returned.", self.goes(event, true))
            }
            Kind::Returned => {
                let (after, why) = (self.after(event), because(event));
                format!("returned to normal{after}{why}; {}.", self.who_had_answered(event))
            }
            Kind::Acknowledged => self.acknowledged(event),
            Kind::Realarmed => {
                let before = self.answered_by.take();
                let by = before.map_or(String::new(), |by| format!(" by {by}"));
                format!("still on so long after the acknowledgement{by}: it needs another one.")
            }
            Kind::ChatterStarted => {
                format!("comes and goes too often{}: it stays one alarm until it is calm.", raises(event))
            }
            Kind::ChatterCalmed => {
                format!(
                    "calm after coming and going{}: it has returned; {}.",
                    raises(event),
                    self.who_had_answered(event)
                )
            }
            Kind::ChatterStuck => {
                self.answered_by = None;
                format!("stays on after coming and going{}: it needs an answer now.", raises(event))
            }
            Kind::OnWhileHidden => {
                format!("{}, while it was hidden: recorded, and no alarm.", self.goes(event, true))
            }
            Kind::OffWhileHidden => format!("{}, while it was hidden.", self.goes(event, false)),
            Kind::OriginChanged => format!("its reports come from elsewhere{}.", because(event)),
            Kind::Retired => {
                format!("closed{}, since the station was retired{}.", by(event), because(event))
            }
            Kind::VisitBegan => format!("somebody is at the station{}{}.", by(event), because(event)),
            Kind::VisitEnded => format!("nobody is at the station any more{}{}.", by(event), because(event)),
            Kind::RetirementEnded => "the station was heard again after it was retired.".to_owned(),
            Kind::Disabled => format!("closed, since the point was disabled{}.", because(event)),
            Kind::Shelved
            | Kind::Unshelved
            | Kind::ShelfExpired
            | Kind::ShelfExpiring
            | Kind::TakenOutOfService
            | Kind::ReturnedToService
            | Kind::ServiceExpired
            | Kind::ServiceExpiring
            | Kind::Suppressed
            | Kind::Unsuppressed => self.hidden(event),
            Kind::StandsFor => format!("silent together with others: {} stands for it.", self.other(event)),
            Kind::HeardAgain => "heard again, and suppressed no more.".to_owned(),
            Kind::SendingRefused => {
                let why = event.reason.as_deref().map_or_else(|| "its lines are refused".to_owned(), plain);
                format!("{why}.")
            }
            Kind::Blind => {
                let (from, to) = self.between(event);
                format!("the server could hear nobody from {from} to {to}{}.", because(event))
            }
            Kind::ClockJumped => {
                let (from, to) = self.between(event);
                format!(
                    "the server's clock was set from {from} to {to}: times before and after differ by that."
                )
            }
        }
    }

    /// What hides it, and what no longer does.
    fn hidden(&self, event: &Event) -> String {
        let until = event
            .until_ms
            .map_or(String::new(), |until_ms| format!(" until {}", self.clock.minute(until_ms)));
        let again = if event.from == event.to { " anew" } else { "" };
        let was_on = event.was_on.map_or(String::new(), |was_on| {
            let from = self.clock.minute(was_on.from_ms);
            match was_on.to_ms {
                Some(to_ms) => format!("; meanwhile it was on from {from} to {}", self.clock.minute(to_ms)),
                None => format!("; it is on since {from}"),
            }
        });
        let (by, because) = (by(event), because(event));
        match event.kind {
            Kind::Shelved => format!("shelved{again}{by}{until}{because}."),
            Kind::TakenOutOfService => format!("taken out of service{again}{by}{until}{because}."),
            Kind::Unshelved => format!("unshelved{by}{was_on}."),
            Kind::ReturnedToService => format!("returned to service{by}{was_on}."),
            Kind::ShelfExpired => format!("its time on the shelf is over{was_on}."),
            Kind::ServiceExpired => format!("its time out of service is over{was_on}."),
            Kind::ShelfExpiring => "its time on the shelf is over soon.".to_owned(),
            Kind::ServiceExpiring => "its time out of service is over soon.".to_owned(),
            Kind::Suppressed => format!("suppressed: {} stands for it{because}.", self.other(event)),
            Kind::Unsuppressed => {
                format!("no longer suppressed: {} no longer stands for it{was_on}.", self.other(event))
            }
            kind => unreachable!("{kind} hides nothing"),
        }
    }

    /// The alarm that stands for it.
    fn other(&self, event: &Event) -> String {
        let of = |cause| which(cause, self.raises.get(&cause).map(AsRef::as_ref));
        event.cause.map_or_else(|| "another alarm".to_owned(), of)
    }

    /// What made it an alarm.
    fn why_raised(&self, event: &Event) -> String {
        let (reason, _) = reason_and_remark(event);
        match (&self.key, event.cause, reason) {
            ((AlarmSource::Station(_), Point::Alarm1 | Point::Alarm2), _, Some(reason)) => {
                format!("the contact is {}", plain(reason))
            }
            ((AlarmSource::Station(_), Point::Comms), cause, None)
                if !self.is_delayed && (cause.is_none() || self.told != cause) =>
            {
                let since = self.heard_at_ms.map_or(String::new(), |heard_at_ms| {
                    format!(" since {},", self.clock.exact(heard_at_ms))
                });
                format!("nothing was heard of the station{since} for its period and grace")
            }
            (_, _, Some(reason)) => plain(reason),
            (_, None, None) => "it stayed on for the on-delay".to_owned(),
            // An entry of its own, and no report: what hid it is over.
            (_, Some(cause), None) if self.told == Some(cause) => {
                "it is on, and nothing hides it any more".to_owned()
            }
            (_, Some(_), None) => self.goes(event, true),
        }
    }

    /// That the condition goes on or off, and how that was known.
    fn goes(&self, event: &Event, on: bool) -> String {
        match (&self.key.0, self.key.1, on) {
            (AlarmSource::Station(_), Point::Alarm1 | Point::Alarm2, on) => {
                let from = peer(&event.origin).map_or(String::new(), |peer| format!(" from {peer}"));
                format!("its report{from} said that the contact is {}", if on { "on" } else { "off" })
            }
            (AlarmSource::Server, Point::NewStations, true) => "too many stations were new".to_owned(),
            (AlarmSource::Server, Point::NewStations, false) => {
                "within the last hour no more stations were new than may be".to_owned()
            }
            (AlarmSource::Station(_), Point::Identity, true) => "several devices report as it".to_owned(),
            (AlarmSource::Station(_), Point::Identity, false) => "one device alone was heard".to_owned(),
            (AlarmSource::Station(_), Point::Comms | Point::NewStations, true) => {
                "nothing was heard of the station".to_owned()
            }
            (AlarmSource::Station(_), Point::Comms | Point::NewStations, false) => {
                "the station was heard".to_owned()
            }
            (AlarmSource::Area(_) | AlarmSource::Server, _, true) => "it went on".to_owned(),
            (AlarmSource::Area(_) | AlarmSource::Server, _, false) => "it went off".to_owned(),
        }
    }

    /// ` after 42 min`
    fn after(&self, event: &Event) -> String {
        self.raised_at_ms.map_or(String::new(), |raised_at_ms| {
            format!(" after {}", span(event.event_time_ms.saturating_sub(raised_at_ms).max(0) / 1_000))
        })
    }

    fn who_had_answered(&self, event: &Event) -> String {
        match &self.answered_by {
            Some(by) => format!("{by} had acknowledged"),
            None if event.to == Some(State::Normal) => {
                "nobody had acknowledged, and nobody needs to".to_owned()
            }
            None => "nobody had acknowledged".to_owned(),
        }
    }

    fn acknowledged(&mut self, event: &Event) -> String {
        let name = event.by.as_deref().map_or_else(|| "somebody".to_owned(), plain);
        let after = self.raised_at_ms.map_or(String::new(), |raised_at_ms| {
            let passed_s = event.event_time_ms.saturating_sub(raised_at_ms).max(0) / 1_000;
            format!(", {} after it was raised", span(passed_s))
        });
        let over = if event.to == Some(State::Normal) { "; it had returned already" } else { "" };
        let text = format!("acknowledged by {name}{after}{over}.");
        self.answered_by = Some(name);
        text
    }

    fn between(&self, event: &Event) -> (String, String) {
        let to_ms = event.until_ms.unwrap_or(event.received_at_ms);
        (self.clock.exact(event.event_time_ms), self.clock.exact(to_ms))
    }
}

/// For how long something must last.
fn lasting(event: &Event) -> String {
    let until_ms = event.until_ms.unwrap_or(event.received_at_ms);
    span(until_ms.saturating_sub(event.received_at_ms).max(0) / 1_000)
}

/// `, during the visit of Ana`
fn remark(event: &Event) -> String {
    reason_and_remark(event).1.map_or(String::new(), |remark| format!(", {}", plain(remark)))
}

fn reason_and_remark(event: &Event) -> (Option<&str>, Option<&str>) {
    event.reason.as_deref().map_or((None, None), without_remark)
}

/// ` by Ann`
fn by(event: &Event) -> String {
    event.by.as_deref().map_or(String::new(), |by| format!(" by {}", plain(by)))
}

/// ` (pump exchange)`
fn because(event: &Event) -> String {
    event.reason.as_deref().map_or(String::new(), |reason| format!(" ({})", plain(reason)))
}

/// ` (6 raises)`
fn raises(event: &Event) -> String {
    event.count.map_or(String::new(), |count| format!(" ({count} raises)"))
}
