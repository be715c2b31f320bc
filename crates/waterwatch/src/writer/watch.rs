//! What falls due by time alone: alarms' delays and ends, and the stations
//! that should have reported by now.
//!
//! Everything here follows from what is recorded, and is made anew from it
//! after a reopening. What is due is handed out again and again until it is
//! recorded.

mod blind;
mod recorded;

use std::collections::BTreeSet;
use std::sync::Arc;

use waterwatch_core::alarm::{Alarm, AlarmSource, Point};
use waterwatch_core::identity::Hearing;
use waterwatch_core::silence::{Deadlines, ListeningClock, Now};
use waterwatch_core::{Settings, StationId, StationSettings};

use self::blind::{Blind, Note};
use super::dues::Dues;
use super::expected::Expected;
use super::gaps::Gaps;
use super::new_stations::NewStations;
use super::sending::Sending;
use super::settling::{FOLLOWED_MAX, ToFollow};
use super::silent::Silent;
use super::standing::Standing;
use crate::plan::CurrentPlan;
use crate::refused::Refused;
use crate::store::sweep::Marks;
use crate::store::{AlarmKey, AllowFrom, Slot, Store};

/// How many deadlines of stations are looked at in one turn, at most: so that
/// a fleet that falls silent at once does not hold up a commit.
const ASKED_MAX: usize = 8_192;

/// What is due, and since when the server hears.
#[derive(Debug)]
pub struct Watch {
    pub(super) settings: Settings,
    clock: ListeningClock,
    dues: Dues<AlarmKey>,
    /// When visits end.
    visits: Dues<StationId>,
    deadlines: Deadlines<Slot>,
    /// Stations whose deadline has passed, until their silence is recorded.
    overdue: Vec<Slot>,
    /// Stations whose silence is recorded: they have no deadline.
    pub(super) silent: Silent,
    /// The alarms that may stand for others.
    pub(super) standing: Standing,
    /// Retired stations that have no deadline, and need one should they be
    /// heard again.
    unwatched: Marks,
    /// Stations of which each report must be looked at, also one that says
    /// nothing new.
    needed: Marks,
    /// When they will be, for alarms that return with a report later on.
    awaited: Dues<AlarmKey>,
    /// The last turn, and the newest sequence that was recorded then.
    turn: Now,
    sequence: i64,
    /// The time in which nobody was heard, until that is recorded.
    blind: Option<Blind>,
    /// When the last such time was recorded; steady.
    blind_told_ms: Option<i64>,
    /// All of it since the start, and that before the start.
    blind_ms: i64,
    /// What is to be written of the server itself, until it is recorded.
    notes: Vec<Note>,
    /// When it was last recorded that the server is alive; steady.
    alive_ms: Option<i64>,
    /// How many stations were heard for the first time of late.
    new_stations: NewStations,
    /// Times in which nobody has duty.
    gaps: Gaps,
    /// Stations that were never heard, and until when they are expected.
    pub(super) expected: Expected,
    /// From where stations may report that say so.
    pub(super) allow_from: AllowFrom,
    /// Stations for which something else may hold, until the deadline of each follows.
    pub(super) to_follow: ToFollow,
    /// How many with one batch.
    pub(super) followed_max: usize,
    /// Stations of which people said something else, until it is judged what of
    /// them is on.
    pub(super) to_find: BTreeSet<StationId>,
    /// Those of them that this turn judges.
    pub(super) handed_out: Vec<StationId>,
    /// What silent stations send, and is refused.
    pub(super) sending: Sending,
}

impl Watch {
    /// The longest time between two turns: so often what is due is looked for.
    pub const TURN_MS: i64 = 500;

    /// A turn that came so much too late is time in which nobody was heard:
    /// the process or the machine was stopped, or the disk held us up.
    const LATE_MIN_MS: i64 = 2_000;

    /// A turn that came so much too late is not the usual stir of a machine.
    const LATE_MS: i64 = 250;

    /// How often it is recorded that the server is alive. What passed since
    /// counts as blind after a crash.
    const ALIVE_EVERY_MS: i64 = 30_000;

    /// When a station is asked again whose silence came to nothing.
    const ASK_AGAIN_MS: i64 = 60_000;

    /// How often blind times are recorded, at most: a disk that holds up each
    /// commit is one entry now and then, not one for each of them.
    const BLIND_EVERY_MS: i64 = 30_000;

    /// Of a server that starts `now` with what is in `store`.
    pub fn start<S: Store>(settings: Settings, store: &S, now: Now) -> Watch {
        let alive_until_ms = store.alive_until_ms();
        let absent_ms = alive_until_ms.map_or(0, |alive_until_ms| now.wall_ms - alive_until_ms);
        let mut notes = Vec::new();
        if absent_ms > Self::LATE_MIN_MS {
            let (from_ms, reason) = (now.wall_ms - absent_ms, "the server was not running");
            notes.push(Note::Blind { from_ms, to_ms: now.wall_ms, reason });
        } else if absent_ms < -Self::LATE_MIN_MS {
            // For how long it was not running, nobody knows. What counts from
            // a moment goes along, or it would wait for a time that was.
            let to_ms = now.wall_ms;
            let reason = "the server was not running, and the system's clock was set back";
            notes.push(Note::Blind { from_ms: to_ms, to_ms, reason });
            notes.push(Note::ClockJumped { from_ms: to_ms - absent_ms, to_ms });
        }
        let gaps = store.gaps(ListeningClock::RATES_MAX);
        let alive_until_ms = alive_until_ms.unwrap_or(now.wall_ms);
        let clock = ListeningClock::start(now, alive_until_ms, &gaps, store.sequence());
        let mut watch = Watch {
            settings,
            clock,
            dues: Dues::default(),
            visits: Dues::default(),
            deadlines: Deadlines::default(),
            overdue: Vec::new(),
            silent: Silent::default(),
            standing: Standing::default(),
            unwatched: Marks::default(),
            needed: Marks::default(),
            awaited: Dues::default(),
            turn: now,
            sequence: store.sequence(),
            blind: None,
            blind_told_ms: None,
            blind_ms: if absent_ms > Self::LATE_MIN_MS { absent_ms } else { 0 },
            notes,
            alive_ms: None,
            new_stations: NewStations::start(store.station_count(), now.steady_ms),
            gaps: Gaps::default(),
            expected: Expected::default(),
            allow_from: AllowFrom::default(),
            to_follow: ToFollow::default(),
            followed_max: FOLLOWED_MAX,
            to_find: BTreeSet::new(),
            handed_out: Vec::new(),
            sending: Sending::default(),
        };
        watch.read(store);
        watch
    }

    /// The same, with a limit on stations that are new within an hour.
    #[must_use]
    pub fn with_new_stations_max(mut self, per_hour_max: usize) -> Watch {
        self.new_stations.per_hour_max = per_hour_max;
        self
    }

    /// The same, with rotas in which somebody must have duty.
    #[must_use]
    pub fn on_call<S: Store>(mut self, plan: CurrentPlan, store: &S) -> Watch {
        self.gaps = Gaps::of(plan);
        self.gaps.recorded(store);
        self
    }

    /// The same, with stations that are expected to be heard for the first time,
    /// each until a time in milliseconds UTC.
    #[must_use]
    pub fn expecting<S: Store>(mut self, expected_by: Vec<(StationId, i64)>, store: &S) -> Watch {
        self.expected = Expected::new(expected_by);
        self.expected.read(&self.settings, store);
        self.expected.turn(self.turn.wall_ms, &self.clock, &self.settings);
        self
    }

    /// The same, with stations that may not report from everywhere.
    #[must_use]
    pub fn allowing(self, allow_from: AllowFrom) -> Watch {
        Watch { allow_from, ..self }
    }

    /// Looks there for what is refused.
    pub(super) fn listen_to(&mut self, refused: Arc<Refused>) {
        refused.recorded(self.sequence);
        self.sending = Sending::of(refused);
    }

    /// From where stations may report that say so.
    pub(super) fn allow_from(&self) -> &AllowFrom {
        &self.allow_from
    }

    /// Stations that were expected to be heard by now for the first time, at most
    /// so many, and what is to be said of each.
    pub(super) fn never_heard(&self, stations_max: usize) -> Vec<(StationId, String)> {
        self.expected.due(self.clock.at(self.turn), stations_max)
    }

    /// Whether a station that was never heard was expected by now.
    pub(super) fn is_expected(&self, id: StationId) -> bool {
        self.expected.is_expected(id, self.turn.wall_ms)
    }

    /// How many stations were heard for the first time of late.
    pub(super) fn new_stations(&self) -> &NewStations {
        &self.new_stations
    }

    /// Times in which nobody has duty.
    pub(super) fn gaps(&self) -> &Gaps {
        &self.gaps
    }

    /// How stations and points are judged.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// All that is settled, as it holds now.
    #[cfg(test)]
    pub(super) fn settled(&self) -> crate::store::Settled {
        let mut named: Vec<StationId> = self.settings.said().collect();
        named.sort_unstable();
        crate::store::Settled {
            named,
            settings: self.settings.clone(),
            expected_by: self.expected.by_ms(),
            allow_from: self.allow_from.clone(),
        }
    }

    /// The clocks of this turn.
    #[must_use]
    pub fn turn_is(&self) -> Now {
        self.turn
    }

    /// The listening time of this turn.
    pub(super) fn listening_ms(&self) -> i64 {
        self.clock.at(self.turn)
    }

    /// Since when a station is silent, in listening time, by its alarm.
    pub(super) fn silent_since_ms(&self, alarm: &Alarm) -> i64 {
        let open = alarm.occurrence.as_ref().map(|open| open.sequence);
        // Whoever is suppressed fell silent about when that was raised.
        let sequence = open.or(alarm.hidden.suppressed_by).unwrap_or(i64::MAX);
        self.clock.heard_ms(alarm.contact_since_ms, sequence)
    }

    /// When an alarm was raised, in listening time; or when it went on while it
    /// was hidden.
    pub(super) fn raised_ms(&self, alarm: &Alarm) -> i64 {
        match (&alarm.occurrence, alarm.hidden.was_on) {
            (Some(open), _) => self.clock.heard_ms(open.raised_at_ms, open.sequence),
            (None, Some(was_on)) => self.clock.heard_ms(was_on.from_ms, i64::MAX),
            (None, None) => self.silent_since_ms(alarm),
        }
    }

    /// Whether a station is on its way to be silent: past its period and half of
    /// its grace. A fleet that reports by the clock is late together each
    /// minute, for a moment.
    pub(super) fn is_overdue_soon<S: Store>(&self, store: &S, slot: Slot) -> bool {
        let (id, station) = store.station(slot);
        let heard_ms = self.clock.heard_ms(station.received_at_ms, station.sequence);
        let StationSettings { period_ms, grace_ms, .. } = *self.settings.of(id);
        heard_ms.saturating_add(period_ms + grace_ms / 2) < self.clock.at(self.turn)
    }

    /// How long a word of this station counts.
    pub(super) fn hearing(&self, id: StationId) -> Hearing<'_> {
        let StationSettings { period_ms, grace_ms, .. } = *self.settings.of(id);
        Hearing { clock: &self.clock, period_ms, grace_ms }
    }

    /// Whether each report of this station must be looked at.
    #[must_use]
    pub fn needs(&self, slot: Slot) -> bool {
        self.needed.contains(slot)
    }

    /// The store was opened again: makes everything anew from what is
    /// recorded, also if that is the batch of which it was not known.
    pub fn read<S: Store>(&mut self, store: &S) {
        if store.sequence() > self.sequence {
            self.told(self.tells_blind());
        }
        self.sequence = store.sequence();
        self.new_stations.recorded(store, 0);
        self.gaps.recorded(store);
        self.expected.read(&self.settings, store);
        self.to_follow.read(store);
        self.dues = Dues::default();
        self.deadlines = Deadlines::default();
        self.overdue.clear();
        (self.silent, self.needed) = (Silent::default(), Marks::default());
        self.unwatched = Marks::default();
        (self.awaited, self.visits) = (Dues::default(), Dues::default());
        for (key, alarm) in store.alarms().iter() {
            self.dues.set(&key, alarm.due_ms());
            self.awaited.set(&key, alarm.reports_needed_from_ms());
            let since_ms = self.silent_since_ms(alarm);
            self.mark(store, &key, Some(alarm), since_ms);
        }
        self.standing = Standing::of(store, &self.settings);
        for (id, life) in store.lives().iter() {
            self.visits.set(&id, life.due_ms());
            self.mark_needed(store, id);
        }
        for id in store.contests().ids() {
            self.mark_needed(store, id);
        }
        let now_ms = self.clock.at(self.turn);
        for slot in store.slots() {
            if !self.silent.contains(slot) {
                self.put(store, slot, now_ms);
            }
        }
    }

    /// A turn begins; `sequence` is the newest that is recorded. `unstored`:
    /// nothing can be stored, or what was heard since the last turn was not.
    pub fn turn(&mut self, now: Now, unstored: bool, sequence: i64) {
        let before = std::mem::replace(&mut self.turn, now);
        self.new_stations.turn(now.steady_ms);
        self.gaps.turn(now.wall_ms);
        self.sending.turn(now.steady_ms);
        self.standing.turn();
        self.handed_out.clear();
        self.sequence = sequence;
        let passed_ms = now.steady_ms - before.steady_ms;
        let late_ms = passed_ms - Self::TURN_MS;
        if !unstored && (Self::LATE_MS..=Self::LATE_MIN_MS).contains(&late_ms) {
            // Too short to be told, and not to be held against anybody: their
            // reports wait in our own sockets.
            self.clock.was_blind(late_ms, sequence);
        }
        let (blind_ms, reason) = match unstored {
            true => (passed_ms, "nothing could be stored"),
            false if late_ms > Self::LATE_MIN_MS => (late_ms, "the server was held up"),
            false => (0, ""),
        };
        if let Some(blind) = &mut self.blind {
            blind.unstored = unstored;
        }
        if blind_ms > 0 {
            self.clock.was_blind(blind_ms, sequence);
            self.blind_ms += blind_ms;
            let lasted_ms = blind_ms + self.blind.map_or(0, |blind| blind.lasted_ms);
            let reason = self.blind.map_or(reason, |blind| blind.reason);
            self.blind = Some(Blind { lasted_ms, to_ms: now.steady_ms, reason, unstored });
        }
        if let Some(by_ms) = self.clock.look(now, sequence) {
            self.jumped(by_ms);
            self.expected.rewind();
        }
        self.expected.turn(now.wall_ms, &self.clock, &self.settings);
    }

    /// By how much the first of all that is due is late, in milliseconds; `None` if
    /// nothing is.
    pub(super) fn late_ms(&self) -> Option<i64> {
        let alarms = self.dues.first().map(|(due_ms, _)| due_ms);
        let visits = self.visits.first().map(|(due_ms, _)| due_ms);
        let by_the_wall = alarms.into_iter().chain(visits).map(|due_ms| self.turn.wall_ms - due_ms);
        let silences = self.deadlines.due_ms().map(|due_ms| self.clock.at(self.turn) - due_ms);
        by_the_wall.chain(silences).filter(|late_ms| *late_ms >= 0).max()
    }

    /// How long nobody was heard since the start, and before it, in milliseconds: what
    /// the ledger tells of it, or will.
    pub(super) fn blind_ms(&self) -> i64 {
        self.blind_ms
    }

    /// Whether a turn has something to record without a report.
    #[must_use]
    pub fn is_due(&self) -> bool {
        !self.notes.is_empty()
            || self.tells_blind()
            || !self.overdue.is_empty()
            || self.is_alive_due()
            || self.new_stations.is_over(0)
            || self.gaps.change().is_some()
            || self.sending.is_due()
            || self.is_settling()
            || !self.to_find.is_empty()
            || self.expected.is_due(self.clock.at(self.turn))
            || self.dues.is_due(self.turn.wall_ms)
            || self.visits.is_due(self.turn.wall_ms)
            || self.standing.is_due(self.turn.wall_ms, self.turn.steady_ms)
            || self.deadlines.due_ms().is_some_and(|due_ms| due_ms <= self.clock.at(self.turn))
    }

    /// While nothing can be stored this is what is tried, so that it is seen
    /// when it can, also if nobody reports.
    fn is_alive_due(&self) -> bool {
        // A jump leaves the time of before far away from the clock's.
        !self.notes.is_empty()
            || self.blind.is_some_and(|blind| blind.unstored)
            || self.alive_ms.is_none_or(|alive_ms| self.turn.steady_ms - alive_ms >= Self::ALIVE_EVERY_MS)
    }

    /// Stations whose next report may end something: from now on each is looked
    /// at. Until then a contact that comes and goes costs what any other does.
    pub(super) fn await_reports<S: Store>(&mut self, store: &S) {
        while let Some((from_ms, key)) = self.awaited.first()
            && from_ms <= self.turn.wall_ms
        {
            let key = key.clone();
            self.awaited.set(&key, None);
            if let AlarmSource::Station(id) = key.0
                && let Some((slot, _)) = store.find(id)
            {
                self.needed.insert(slot);
            }
        }
    }

    /// Alarms for which something is due, the first due first.
    pub(super) fn due_alarms(&self, alarms_max: usize) -> Vec<AlarmKey> {
        self.dues.due(self.turn.wall_ms, alarms_max)
    }

    /// Stations whose visit is over by its time.
    pub(super) fn due_visits(&self, visits_max: usize) -> Vec<StationId> {
        self.visits.due(self.turn.wall_ms, visits_max)
    }

    /// Stations whose deadline has passed without a report.
    pub(super) fn overdue<S: Store>(&mut self, store: &S, stations_max: usize) -> Vec<Slot> {
        let Watch { settings, clock, deadlines, overdue, silent, turn, .. } = self;
        if overdue.is_empty() {
            let now_ms = clock.at(*turn);
            deadlines.ask(now_ms, ASKED_MAX, |slot| {
                // One that was brought forward while it was handed out may be both.
                if silent.contains(slot) {
                    return None;
                }
                let deadline_ms = silent_at_ms(clock, settings, store, slot)?;
                if deadline_ms > now_ms {
                    return Some(deadline_ms);
                }
                overdue.push(slot);
                None
            });
        }
        overdue[..overdue.len().min(stations_max)].to_vec()
    }

    /// A station's deadline may be another one than when it was put there.
    pub(super) fn bring_forward<S: Store>(&mut self, store: &S, slot: Slot) {
        if self.silent.contains(slot) || self.is_unwatched(store, slot) {
            return;
        }
        if let Some(deadline_ms) = self.silent_at_ms(store, slot) {
            self.deadlines.bring_forward(slot, deadline_ms, self.clock.at(self.turn));
        }
    }

    fn silent_at_ms<S: Store>(&self, store: &S, slot: Slot) -> Option<i64> {
        silent_at_ms(&self.clock, &self.settings, store, slot)
    }
}

/// When a station is silent, in listening time; `None` if its silence is not
/// judged.
fn silent_at_ms<S: Store>(clock: &ListeningClock, settings: &Settings, store: &S, slot: Slot) -> Option<i64> {
    let (id, station) = store.station(slot);
    let settings = settings.of(id);
    settings.point(Point::Comms).enabled.then(|| {
        let StationSettings { period_ms, grace_ms, .. } = *settings;
        clock.silent_at_ms(station.received_at_ms, station.sequence, period_ms, grace_ms)
    })
}

/// Whether one of a station's alarms needs each report by now: what returns
/// only while reports arrive, the silence that ends with one, and whoever else
/// may report as it.
fn needs_reports<S: Store>(store: &S, id: StationId, now_ms: i64) -> bool {
    let needs = |point| {
        store.alarms().get(&(AlarmSource::Station(id), point)).is_some_and(|alarm| {
            let from_ms = alarm.reports_needed_from_ms();
            from_ms.is_some_and(|from_ms| from_ms <= now_ms) || (point == Point::Comms && alarm.contact)
        })
    };
    store.lives().is_retired(id)
        || store.contests().get(id).is_some()
        || Point::OF_STATION.iter().copied().any(needs)
}
