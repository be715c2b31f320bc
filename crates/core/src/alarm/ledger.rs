//! What happened, entry by entry, in the one order of everything.

use std::borrow::Cow;

use super::facts::{Alarm, OnWhileHidden};
use super::input::Order;
use super::words::{AlarmSource, Kind, Point, State};
use crate::report::Origin;
use crate::station::StationId;
use crate::station_life::Moment;

/// One entry of the ledger. It is written once and never changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its place in the one order of reports and events.
    pub sequence: i64,
    /// When it happened, in milliseconds UTC.
    pub event_time_ms: i64,
    /// When we came to know of it, in milliseconds UTC.
    pub received_at_ms: i64,
    /// Who it is about.
    pub source: AlarmSource,
    /// Which of its alarms; `None` if it is about none.
    pub point: Option<Point>,
    /// The occurrence that it belongs to: the sequence of the event that
    /// raised it. `None` if there was none.
    pub occurrence: Option<i64>,
    /// What happened.
    pub kind: Kind,
    /// The state of the alarm before; `None` if it is about none.
    pub from: Option<State>,
    /// The state after.
    pub to: Option<State>,
    /// Who did it; `None` if nobody did.
    pub by: Option<Box<str>>,
    /// Why, in words.
    pub reason: Option<Box<str>>,
    /// Until when what began here is to last, in milliseconds UTC.
    pub until_ms: Option<i64>,
    /// When it was on while it was hidden: said once that is over.
    pub was_on: Option<OnWhileHidden>,
    /// How many raises, stations, or changes of the contact or of the origin that
    /// were not written, this stands for, where more than one.
    pub count: Option<u32>,
    /// Where the report came from that caused it.
    pub origin: Origin,
    /// The sequence of the report or event that caused it; `None` if time
    /// did, or a person.
    pub cause: Option<i64>,
    /// The stations that it is about, where it is about many; in order.
    pub stations: Option<Box<[StationId]>>,
}

/// Whose alarm is being stepped, when, and because of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Whose alarm.
    pub source: AlarmSource,
    /// Which of its alarms.
    pub point: Point,
    /// When what causes the step happened, in milliseconds UTC.
    pub event_time_ms: i64,
    /// When we came to know of it.
    pub received_at_ms: i64,
    /// Where the report came from; unknown if it is none.
    pub origin: Origin,
    /// The sequence of the report or event that is the cause.
    pub cause: Option<i64>,
    /// What is to be said of it beyond that.
    pub reason: Option<Cow<'static, str>>,
}

impl Subject {
    /// The same alarm at the same moment, when nothing but time is the cause.
    pub(super) fn by_time(&self) -> Subject {
        Subject {
            event_time_ms: self.received_at_ms,
            origin: Origin::default(),
            cause: None,
            reason: None,
            ..self.clone()
        }
    }
}

/// Where events are written to, and numbered.
#[derive(Debug)]
pub struct Ledger<'a> {
    /// The sequence of the newest report or event.
    pub sequence: &'a mut i64,
    /// What was written.
    pub events: &'a mut Vec<Event>,
}

impl Ledger<'_> {
    /// Writes what the alarm of `subject` went through, and gives its
    /// sequence.
    pub(super) fn write(
        &mut self,
        subject: &Subject,
        kind: Kind,
        from: State,
        to: State,
        entry: Entry<'_>,
    ) -> i64 {
        *self.sequence += 1;
        let sequence = *self.sequence;
        let Entry { occurrence, by, reason, until_ms, was_on, count, cause } = entry;
        self.events.push(Event {
            sequence,
            event_time_ms: subject.event_time_ms,
            received_at_ms: subject.received_at_ms,
            source: subject.source.clone(),
            point: Some(subject.point),
            occurrence,
            kind,
            from: Some(from),
            to: Some(to),
            by: by.map(Into::into),
            reason: reason.or(subject.reason.as_deref()).map(Into::into),
            until_ms,
            was_on,
            count,
            origin: subject.origin,
            cause: cause.or(subject.cause),
            stations: None,
        });
        sequence
    }

    /// Writes that this occurrence of the alarm of `subject` stands for the
    /// silence of these stations from now on, or that they were heard again.
    /// `state` is its own, which stays as it is. Gives the entry's sequence.
    pub fn of_many(
        &mut self,
        subject: &Subject,
        kind: Kind,
        occurrence: i64,
        state: State,
        stations: Box<[StationId]>,
    ) -> i64 {
        debug_assert!(stations.is_sorted());
        let entry = Entry {
            occurrence: Some(occurrence),
            count: u32::try_from(stations.len()).ok(),
            ..Entry::default()
        };
        let sequence = self.write(subject, kind, state, state, entry);
        if let Some(event) = self.events.last_mut() {
            event.stations = Some(stations);
        }
        sequence
    }

    /// Writes that the reports of the station of `subject` come from elsewhere
    /// than `before`; `state` is that of its alarm. `count`: how many such changes
    /// it stands for, where more than one.
    pub fn origin_changed(&mut self, subject: &Subject, state: State, before: Origin, count: Option<u32>) {
        let (from, to) = Origin::told_apart(&before, &subject.origin);
        let reason = format!("from {from} to {to}");
        let entry = Entry { reason: Some(&reason), count, ..Entry::default() };
        self.write(subject, Kind::OriginChanged, state, state, entry);
    }

    /// Writes that lines come from the station of `subject`, whose silence this is,
    /// and are refused: its alarm stays as it is.
    pub fn sends_refused(&mut self, subject: &Subject, silence: &Alarm) {
        let state = silence.state();
        let occurrence = silence.occurrence.as_ref().map(|open| open.sequence);
        self.write(subject, Kind::SendingRefused, state, state, Entry { occurrence, ..Entry::default() });
    }

    /// Writes that somebody said something else of a station, for an area or, of
    /// the server, for the fleet: what became other, in few words.
    pub fn settings_changed(&mut self, source: AlarmSource, now_ms: i64, by: &str, changes: &str) {
        let mut event = about(source, Kind::SettingsChanged, now_ms);
        (event.by, event.reason) = (Some(by.into()), Some(changes.into()));
        self.add(event);
    }

    /// Writes what somebody remarks about an occurrence of the alarm of `subject`,
    /// which stays in this state.
    pub fn note(&mut self, subject: &Subject, state: State, occurrence: i64, (by, text): (&str, &str)) {
        let entry =
            Entry { occurrence: Some(occurrence), by: Some(by), reason: Some(text), ..Entry::default() };
        self.write(subject, Kind::Note, state, state, entry);
    }

    /// Writes that the server was blind until `now_ms`: it could not read or
    /// not store, or was not running.
    pub fn was_blind(&mut self, from_ms: i64, now_ms: i64, reason: &str) {
        self.of_the_server(Kind::Blind, from_ms, now_ms, reason);
    }

    /// Writes that the clock on the wall has jumped to `now_ms`, from where it
    /// would be without that.
    pub fn clock_jumped(&mut self, from_ms: i64, now_ms: i64) {
        self.of_the_server(Kind::ClockJumped, from_ms, now_ms, "the system's clock was set");
    }

    fn of_the_server(&mut self, kind: Kind, from_ms: i64, now_ms: i64, reason: &str) {
        let mut event = about(AlarmSource::Server, kind, now_ms);
        (event.event_time_ms, event.until_ms) = (from_ms, Some(now_ms));
        event.reason = Some(reason.into());
        self.add(event);
    }

    /// Writes that a token was added or revoked; `described` says which.
    pub fn of_token(&mut self, kind: Kind, by: Option<&str>, described: &str, now_ms: i64) {
        debug_assert!(kind.is_about_a_token());
        let mut event = about(AlarmSource::Server, kind, now_ms);
        (event.by, event.reason) = (by.map(Into::into), Some(described.into()));
        self.add(event);
    }

    /// Writes what happened to a station as a whole.
    pub(crate) fn of_station(
        &mut self,
        moment: &Moment,
        kind: Kind,
        by: Option<&str>,
        reason: Option<&str>,
        until_ms: Option<i64>,
    ) {
        let mut event = about(AlarmSource::Station(moment.station), kind, moment.now_ms);
        (event.by, event.reason) = (by.map(Into::into), reason.map(Into::into));
        event.until_ms = until_ms;
        if by.is_none() && kind == Kind::RetirementEnded {
            (event.origin, event.cause) = (moment.origin, moment.cause);
        }
        self.add(event);
    }

    fn add(&mut self, event: Event) {
        *self.sequence += 1;
        self.events.push(Event { sequence: *self.sequence, ..event });
    }
}

/// An entry about no point, so far.
fn about(source: AlarmSource, kind: Kind, now_ms: i64) -> Event {
    Event {
        sequence: 0,
        event_time_ms: now_ms,
        received_at_ms: now_ms,
        source,
        point: None,
        occurrence: None,
        kind,
        from: None,
        to: None,
        by: None,
        reason: None,
        until_ms: None,
        was_on: None,
        count: None,
        origin: Origin::default(),
        cause: None,
        stations: None,
    }
}

/// What a step adds to what is known of its subject.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Entry<'a> {
    pub(super) occurrence: Option<i64>,
    pub(super) by: Option<&'a str>,
    pub(super) reason: Option<&'a str>,
    pub(super) until_ms: Option<i64>,
    pub(super) was_on: Option<OnWhileHidden>,
    pub(super) count: Option<u32>,
    /// If it is another than the subject's.
    pub(super) cause: Option<i64>,
}

impl<'a> Entry<'a> {
    pub(super) fn of(order: Order<'a>) -> Entry<'a> {
        let Order { until_ms, by, reason } = order;
        Entry { by: Some(by), reason: Some(reason), until_ms: Some(until_ms), ..Entry::default() }
    }
}
