//! What is true of the simulated world, and what must follow from it.

use std::collections::HashMap;

use waterwatch_core::alarm::{AlarmSource, Event, Kind, Point, State};
use waterwatch_core::together;
use waterwatch_core::{Origin, Report, Settings, StationId, StationSettings};

use super::disk::Disk;
use super::lives::Lives;
use super::together::{Faults, Found, Ground};
use super::words::{Contests, Words};
use crate::command::{Command, Done, Outcome, What, comms_of};
use crate::store::{AlarmKey, Batch, NewSays, Store};
use crate::writer::watch::Watch;

/// How late a silence may be noticed.
const NOTICED_WITHIN_MS: i64 = 1_000;

/// How long what was said may take until all that follows is recorded, at the end
/// of a run: longer than any trouble with the disk.
const SETTLED_WITHIN_MS: i64 = 48 * 3_600_000;

/// What may be uncertain about how long the server heard, for either side.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slack {
    /// By how much it may believe to have heard longer than it did.
    pub(super) early_ms: i64,
    /// Or less long.
    pub(super) late_ms: i64,
}

/// A moment as the truth has it: how long the server had heard until then.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moment {
    heard_ms: i64,
    slack: Slack,
}

impl Moment {
    /// How long the server had heard from then until now, at least and at most,
    /// as far as it may know.
    pub(super) fn until(self, now: Moment) -> (i64, i64) {
        let heard_ms = now.heard_ms - self.heard_ms;
        let early_ms = now.slack.early_ms - self.slack.early_ms;
        let late_ms = now.slack.late_ms - self.slack.late_ms;
        (heard_ms - late_ms, heard_ms + early_ms)
    }
}

/// What was recorded of one station, by those who sent it.
#[derive(Clone, Copy, Debug)]
struct Known {
    contacts: [bool; 2],
    last: Moment,
}

/// The truth, and the ledger folded.
#[derive(Debug, Default)]
pub(super) struct Truth {
    now_ms: i64,
    deaf_until_ms: i64,
    now: Moment,
    started: Moment,
    stations: HashMap<StationId, Known>,
    /// What holds for them, since when and by the clock.
    settings: Settings,
    settled: HashMap<StationId, (Moment, i64)>,
    states: HashMap<AlarmKey, State>,
    raised: HashMap<AlarmKey, usize>,
    /// What each operator has in the ledger, by name.
    deeds: HashMap<Box<str>, Vec<Event>>,
    /// The states of each alarm, with the entries that brought them.
    history: HashMap<AlarmKey, Vec<(i64, State)>>,
    /// Operators who were told that theirs is not done.
    in_vain: Vec<(Command, Outcome)>,
    pub(super) lives: Lives,
    words: Words,
    faults: Faults,
    /// Somebody could change tokens and settings once, and so must somebody always.
    had_admin: bool,
    pub(super) counts: HashMap<Kind, usize>,
    pub(super) outcomes: HashMap<&'static str, usize>,
}

impl Truth {
    /// Time goes on.
    pub(super) fn pass(&mut self, now_ms: i64) {
        self.now.heard_ms += (now_ms - self.now_ms.max(self.deaf_until_ms)).max(0);
        self.now_ms = self.now_ms.max(now_ms);
    }

    /// Nobody is heard until then.
    pub(super) fn deaf_until(&mut self, until_ms: i64, slack: Slack) {
        self.deaf_until_ms = self.deaf_until_ms.max(until_ms);
        self.now.slack.early_ms += slack.early_ms;
        self.now.slack.late_ms += slack.late_ms;
    }

    /// The server is gone until then; whatever else kept it is over.
    pub(super) fn gone_until(&mut self, until_ms: i64, slack: Slack) {
        self.deaf_until_ms = 0;
        self.deaf_until(until_ms, slack);
    }

    pub(super) fn is_deaf(&self) -> bool {
        self.now_ms < self.deaf_until_ms
    }

    /// A server starts.
    pub(super) fn starts(&mut self, settings: Settings) {
        self.started = self.now;
        self.settings = settings;
    }

    /// A station that an older server knew.
    pub(super) fn left(&mut self, report: Report) {
        let contacts = [report.alarm1, report.alarm2];
        self.stations.insert(report.station_id, Known { contacts, last: self.now });
    }

    /// So many devices report as this station, from one address or two.
    pub(super) fn has_double(&mut self, id: StationId, shares: bool) {
        self.words.has_double(id, shares);
    }

    pub(super) fn faults(&self) -> Found {
        self.faults.found
    }

    pub(super) fn contests(&self) -> Contests {
        self.words.contests
    }

    /// This was committed, and `reports` with it.
    pub(super) fn committed(
        &mut self,
        reports: &[(Report, Origin)],
        batch: &Batch,
        disk: &mut Disk,
        fleet: &StationSettings,
    ) {
        let events = std::mem::take(&mut disk.committed);
        for event in &events {
            self.lives.remarks(event, &events);
            self.fold(event);
            if let (AlarmSource::Station(id), Kind::RetirementEnded) = (&event.source, event.kind) {
                // Nobody watched it until now.
                self.settled.insert(*id, (self.now, self.now_ms));
            }
        }
        self.lives.agree(disk);
        for event in &events {
            // What an end of something else raises has been silent for long.
            let is_raised = matches!(event.kind, Kind::Raised | Kind::RaisedAgain | Kind::OnWhileHidden)
                && !events.iter().any(|cause| Some(cause.sequence) == event.cause);
            match (&event.source, event.point) {
                (AlarmSource::Station(id), Some(Point::Comms))
                    if is_raised && !self.stations.contains_key(id) =>
                {
                    let why = event.reason.as_deref().unwrap_or_default();
                    assert!(why.starts_with("never heard; expected by"), "{event:?}");
                }
                (AlarmSource::Station(id), Some(Point::Comms)) if is_raised => {
                    self.silence_is_due(*id);
                }
                (_, Some(Point::Comms)) if event.kind == Kind::StandsFor => {
                    for id in event.stations.iter().flatten() {
                        self.silence_is_due(*id);
                    }
                }
                _ => {}
            }
        }
        let ground = Ground {
            settings: &self.settings,
            disk,
            now: self.now,
            wall_ms: batch.received_at_ms,
            reports: reports.len(),
        };
        self.faults.committed(&events, &ground);
        let admins = disk.tokens().map_or(0, |tokens| tokens.admins().len());
        assert!(admins > 0 || !self.had_admin, "nobody may change anything any more");
        self.had_admin = admins > 0;
        for (report, _) in reports {
            self.left(*report);
        }
        self.words.committed(reports, &events, disk, (self.started, self.now), fleet);
        for (report, _) in reports {
            assert!(!self.lives.is_retired(report.station_id), "{} was heard again", report.station_id);
            let known = self.stations[&report.station_id];
            self.says(report.station_id, known.contacts, disk);
            let comms = (AlarmSource::Station(report.station_id), Point::Comms);
            let is_silent = disk.alarms().get(&comms).is_some_and(|alarm| alarm.contact);
            assert!(!is_silent, "{} has reported and is silent", report.station_id);
        }
        for new in &batch.said {
            new.settle(&mut self.settings);
            let of_station = |id: &StationId| matches!(new, NewSays::Station(of, _) if of != id);
            let ids: Vec<StationId> = self.stations.keys().copied().filter(|id| !of_station(id)).collect();
            self.settled.extend(ids.into_iter().map(|id| (id, (self.now, self.now_ms))));
        }
        for event in &events {
            let Some(point) = event.point else { continue };
            let key = (event.source.clone(), point);
            let state = disk.alarms().get(&key).map_or(State::Normal, waterwatch_core::alarm::Alarm::state);
            assert_eq!(self.states.get(&key), Some(&state), "ledger and facts of {key:?}");
        }
    }

    fn fold(&mut self, event: &Event) {
        *self.counts.entry(event.kind).or_default() += 1;
        if let Some(by) = &event.by {
            self.deeds.entry(by.clone()).or_default().push(event.clone());
        }
        if event.kind == Kind::SettingsChanged {
            return;
        }
        if event.kind == Kind::Blind && event.reason.as_deref() == Some("nothing could be stored") {
            // The server counts to the turn after the commit that succeeded in the end: whoever
            // reported in between is given that as well.
            self.now.slack.late_ms += Watch::TURN_MS;
        }
        let Some(point) = event.point else {
            self.lives.fold(event);
            if let (AlarmSource::Station(id), Kind::Forgotten) = (&event.source, event.kind) {
                assert!(!self.settings.is_said(*id), "somebody has named it: {event:?}");
                self.stations.remove(id);
                self.words.forget(*id);
            }
            return;
        };
        if let AlarmSource::Station(id) = event.source {
            let is_raised = matches!(event.kind, Kind::Raised | Kind::RaisedAgain | Kind::OnWhileHidden);
            assert!(!(is_raised && self.lives.is_retired(id)), "it is retired: {event:?}");
        }
        let key = (event.source.clone(), point);
        // An entry about many is one of each of them.
        for id in event.stations.iter().flatten() {
            assert!(!self.lives.is_retired(*id), "{id} is retired: {event:?}");
            let (from, to) = match event.kind {
                Kind::StandsFor => (State::Normal, State::Suppressed),
                _ => (State::Suppressed, State::Normal),
            };
            let before = self.states.insert((AlarmSource::Station(*id), Point::Comms), to);
            assert_eq!(before.unwrap_or(State::Normal), from, "{id} in {event:?}");
        }
        self.history.entry(key.clone()).or_default().push((event.sequence, event.to.unwrap()));
        let before = self.states.insert(key.clone(), event.to.unwrap()).unwrap_or(State::Normal);
        assert!(event.kind != Kind::Note || event.from == event.to, "a note changes nothing: {event:?}");
        assert_eq!(event.from, Some(before), "the entry follows from the one before: {event:?}");
        if event.reason.as_deref() == Some("on since before the upgrade") {
            assert_eq!(self.raised.get(&key), None, "raised once: {event:?}");
        }
        if matches!(event.kind, Kind::Raised | Kind::OnDelayStarted | Kind::OnWhileHidden) {
            *self.raised.entry(key).or_default() += 1;
        }
    }

    /// An operator is told what became of a command: what is done is in the
    /// ledger by then, and the facts agree with that (`committed`).
    pub(super) fn told(&mut self, command: &Command, outcome: Outcome) {
        let deeds = self.deeds.get(&command.by).map_or(&[][..], |deeds| deeds);
        let name = match &outcome {
            Outcome::Done(done) => {
                self.is_done(command, *done, deeds);
                "done"
            }
            Outcome::Unknown => "unknown",
            Outcome::Rejected(_) | Outcome::NotDone(_) => {
                let name = if matches!(outcome, Outcome::Rejected(_)) { "rejected" } else { "not done" };
                self.in_vain.push((command.clone(), outcome));
                name
            }
        };
        *self.outcomes.entry(name).or_default() += 1;
    }

    fn is_done(&self, command: &Command, done: Done, deeds: &[Event]) {
        let comms = |station: &StationId| comms_of(*station);
        let (alarm, kind) = match &command.what {
            What::Acknowledge { alarm, .. } => (Some(alarm.clone()), Kind::Acknowledged),
            What::Shelve { alarm, .. } => (Some(alarm.clone()), Kind::Shelved),
            What::Unshelve { alarm } => (Some(alarm.clone()), Kind::Unshelved),
            What::TakeOutOfService { alarm, .. } => (Some(alarm.clone()), Kind::TakenOutOfService),
            What::ReturnToService { alarm } => (Some(alarm.clone()), Kind::ReturnedToService),
            What::Note { alarm, .. } => (Some(alarm.clone()), Kind::Note),
            What::Pause { station, .. } => (Some(comms(station)), Kind::TakenOutOfService),
            What::Resume { station } => (Some(comms(station)), Kind::ReturnedToService),
            What::BeginVisit { .. } => (None, Kind::VisitBegan),
            What::EndVisit { .. } => (None, Kind::VisitEnded),
            What::Retire { .. } => (None, Kind::Retired),
            What::Forget { .. } => (None, Kind::Forgotten),
            What::AddToken { .. } => (None, Kind::TokenAdded),
            What::RevokeToken { .. } => (None, Kind::TokenRevoked),
            What::SetStation { .. } | What::SetArea { .. } | What::SetFleet { .. } => {
                // Whoever said the same again is not in the ledger.
                let kinds: Vec<Kind> = deeds.iter().map(|deed| deed.kind).collect();
                assert!(kinds.is_empty() || kinds == [Kind::SettingsChanged], "{command:?}: {deeds:?}");
                return;
            }
        };
        if let What::AddToken { .. } | What::RevokeToken { .. } = &command.what {
            let [deed] = deeds else { panic!("{command:?} has {deeds:?}") };
            assert_eq!(
                (&deed.source, deed.point, deed.kind),
                (&AlarmSource::Server, None, kind),
                "{command:?}"
            );
            return;
        }
        if let (What::Resume { .. }, [deed]) = (&command.what, deeds)
            && deed.kind == Kind::RetirementEnded
        {
            assert_eq!((done.state, done.occurrence), (None, None));
            return;
        }
        let Some(alarm) = alarm else {
            // A visit that is taken over ends, and what is retired is closed.
            let source = command.what.station().map(AlarmSource::Station).unwrap();
            assert!(deeds.iter().all(|deed| deed.source == source), "{command:?}: {deeds:?}");
            let own = deeds.iter().filter(|deed| deed.kind == kind && deed.point.is_none());
            assert_eq!(own.count(), 1, "{command:?}: {deeds:?}");
            assert_eq!((done.state, done.occurrence), (None, None));
            return;
        };
        let [deed] = deeds else { panic!("{command:?} has {deeds:?}") };
        assert_eq!((&deed.source, deed.point, deed.kind), (&alarm.0, Some(alarm.1), kind), "{command:?}");
        let until = self.history[&alarm].iter().rev().find(|(sequence, _)| *sequence <= done.sequence);
        assert_eq!(until.map(|(_, state)| *state), done.state, "{command:?}: {done:?}");
        let is_open = matches!(
            done.state,
            Some(State::Unacknowledged | State::Acknowledged | State::ReturnedUnacknowledged)
        );
        assert_eq!(done.occurrence.is_some(), is_open, "{command:?}: {done:?}");
    }

    /// The contacts as they were last recorded are those of the alarms: what
    /// is on has an alarm, and what is off has none that is on.
    fn says(&self, id: StationId, contacts: [bool; 2], disk: &Disk) {
        if self.lives.is_retired(id) {
            for &point in Point::ALL {
                assert_eq!(disk.alarms().get(&(AlarmSource::Station(id), point)), None, "it is retired");
            }
            return;
        }
        for (point, contact) in [Point::Alarm1, Point::Alarm2].into_iter().zip(contacts) {
            let key = (AlarmSource::Station(id), point);
            let alarm = disk.alarms().get(&key);
            if !self.settings.of(id).point(point).enabled {
                assert_eq!(alarm, None, "{key:?} is disabled");
                continue;
            }
            let is_known = alarm.is_some_and(|alarm| alarm.contact);
            assert!(is_known || !contact, "the contact of {key:?} is on");
            assert!(contact || !is_known || is_contested(id, disk), "the contact of {key:?} is off");
            if contact {
                assert!(self.raised.get(&key).is_some_and(|raised| *raised > 0), "{key:?} is in the ledger");
                let is_seen = alarm.is_some_and(|alarm| {
                    alarm.occurrence.is_some() || alarm.is_hidden() || alarm.delay_due_ms.is_some()
                });
                assert!(is_seen, "an alarm that was acknowledged is lost: {key:?}");
            }
        }
    }

    /// It was raised neither early nor late.
    fn silence_is_due(&self, id: StationId) {
        let holds = self.settings.of(id);
        assert!(holds.point(Point::Comms).enabled, "{id} is not judged");
        let last = self.stations[&id].last;
        let silent_ms = self.now.heard_ms - last.heard_ms;
        let early_ms = self.now.slack.early_ms - last.slack.early_ms;
        assert!(
            silent_ms >= holds.period_ms + holds.grace_ms - early_ms,
            "{id} was silent after {silent_ms} ms at {} ms",
            self.now_ms,
        );
        self.noticed_in_time(id, last);
    }

    fn noticed_in_time(&self, id: StationId, last: Moment) {
        let holds = self.settings.of(id);
        let is_late_ms = |since: Moment, owed_ms: i64| {
            let slack_ms = self.now.slack.late_ms - since.slack.late_ms;
            self.now.heard_ms - since.heard_ms - owed_ms - slack_ms - NOTICED_WITHIN_MS
        };
        let late_ms =
            is_late_ms(last, holds.period_ms + holds.grace_ms).min(is_late_ms(self.started, holds.period_ms));
        // Nor before it was said.
        let late_ms = self.settled.get(&id).map_or(late_ms, |(since, _)| late_ms.min(is_late_ms(*since, 0)));
        assert!(late_ms <= 0, "{id} is silent and noticed {late_ms} ms too late, at {} ms", self.now_ms);
    }

    /// Nobody is silent whom the server should have noticed.
    pub(super) fn nobody_is_forgotten(&self, disk: &Disk) {
        for (&id, known) in &self.stations {
            if self.lives.is_retired(id) || !self.settings.of(id).point(Point::Comms).enabled {
                continue;
            }
            let key = (AlarmSource::Station(id), Point::Comms);
            if !disk.alarms().get(&key).is_some_and(|alarm| alarm.contact) {
                self.noticed_in_time(id, known.last);
            }
        }
    }

    /// A station that is silent is an alarm, unless an operator put it aside or
    /// another alarm stands for it, which is seen itself.
    pub(super) fn nobody_is_hidden_for_nothing(&self, disk: &Disk, wall_ms: i64) {
        let alarms: Vec<_> = disk.alarms().iter().filter(|((_, point), _)| *point == Point::Comms).collect();
        let stand: Vec<i64> = alarms
            .iter()
            .filter(|((source, _), _)| !matches!(source, AlarmSource::Station(_)))
            .filter_map(|(_, alarm)| together::stands(alarm, wall_ms))
            .collect();
        for (key, alarm) in alarms {
            if let Some(occurrence) = alarm.hidden.suppressed_by {
                assert!(
                    stand.contains(&occurrence),
                    "{key:?} is suppressed by {occurrence}, which stands for nobody"
                );
            }
        }
    }

    /// Everything at the end of a run.
    pub(super) fn agrees(&self, disk: &Disk) {
        for (command, outcome) in &self.in_vain {
            let deeds = self.deeds.get(&command.by);
            assert_eq!(deeds, None, "{command:?} was told {outcome:?}");
        }
        for (&id, known) in &self.stations {
            // What follows from what was said last is in the batch after it.
            if self.settled.get(&id).is_some_and(|(_, at_ms)| self.now_ms - at_ms < SETTLED_WITHIN_MS) {
                continue;
            }
            self.says(id, known.contacts, disk);
        }
        for (key, alarm) in disk.alarms().iter() {
            assert_eq!(self.states.get(&key), Some(&alarm.state()), "ledger and facts of {key:?}");
        }
        for (key, state) in &self.states {
            let is_known = disk.alarms().get(key).is_some();
            assert!(is_known || *state == State::Normal, "{key:?} is {state} and has no facts");
        }
    }
}

/// Whether several devices report as this station, as its alarm has it.
pub(super) fn is_contested(id: StationId, disk: &Disk) -> bool {
    let identity = (AlarmSource::Station(id), Point::Identity);
    disk.alarms().get(&identity).is_some_and(|alarm| alarm.contact)
}
