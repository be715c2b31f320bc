//! What falls due by time alone: alarms' delays and ends, and the stations
//! that should have reported by now.
//!
//! Everything here follows from what is recorded, and is made anew from it
//! after a reopening. What is due is handed out again and again until it is
//! recorded.

use std::collections::BTreeSet;
use std::sync::Arc;

use waterwatch_core::alarm::{Alarm, AlarmSource, Ledger, Point};
use waterwatch_core::identity::Hearing;
use waterwatch_core::silence::{Deadlines, ListeningClock, Now};
use waterwatch_core::{Settings, StationId, StationLife, StationSettings};

use super::dues::Dues;
use super::expected::Expected;
use super::new_stations::NewStations;
use super::sending::Sending;
use super::settling::{FOLLOWED_MAX, ToFollow};
use super::silent::Silent;
use super::standing::Standing;
use crate::refused::Refused;
use crate::store::sweep::Marks;
use crate::store::{AlarmKey, AllowFrom, Batch, Slot, Store};

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

/// A time in which nobody was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Blind {
    /// How long it was. Its entry says so exactly, since the next start counts
    /// with it; of several that became one, the entry begins so long before
    /// the end of the last.
    lasted_ms: i64,
    /// When it ended; steady.
    to_ms: i64,
    reason: &'static str,
    /// Nothing could be stored at the last turn.
    unstored: bool,
}

/// What the ledger is to say of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Note {
    Blind { from_ms: i64, to_ms: i64, reason: &'static str },
    ClockJumped { from_ms: i64, to_ms: i64 },
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

    /// The wall jumped. Jumps that follow each other until they are recorded are
    /// one, so that a clock that flaps fills nothing.
    fn jumped(&mut self, by_ms: i64) {
        let to_ms = self.turn.wall_ms;
        let before_ms = match self.notes.last() {
            Some(Note::ClockJumped { from_ms, to_ms }) => to_ms - from_ms,
            _ => 0,
        };
        if before_ms != 0 {
            self.notes.pop();
        }
        self.notes.push(Note::ClockJumped { from_ms: to_ms - by_ms - before_ms, to_ms });
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

    /// Whether a blind time goes into the next batch. The first that is stored
    /// after it has it, so that no crash can make us forget it; others that
    /// follow closely wait and become one.
    fn tells_blind(&self) -> bool {
        let lately = |told_ms| self.turn.steady_ms - told_ms < Self::BLIND_EVERY_MS;
        self.blind.is_some() && !self.blind_told_ms.is_some_and(lately)
    }

    /// Writes what is to be said of the server itself; all that there is if it
    /// is the last batch. Gives by how much the clock on the wall has jumped
    /// since that was last recorded.
    pub(super) fn tell(&self, batch: &mut Batch, is_last: bool) -> i64 {
        batch.is_alive = is_last || self.is_alive_due();
        let mut ledger = Ledger { sequence: &mut batch.sequence, events: &mut batch.events };
        let mut jumped_ms = 0;
        for note in &self.notes {
            match *note {
                Note::Blind { from_ms, to_ms, reason } => ledger.was_blind(from_ms, to_ms, reason),
                Note::ClockJumped { from_ms, to_ms } => {
                    ledger.clock_jumped(from_ms, to_ms);
                    jumped_ms += to_ms - from_ms;
                }
            }
        }
        if let Some(blind) = self.blind.filter(|_| is_last || self.tells_blind()) {
            // As the wall shows it now: it may have jumped meanwhile.
            let to_ms = self.turn.wall_ms - (self.turn.steady_ms - blind.to_ms);
            ledger.was_blind(to_ms - blind.lasted_ms, to_ms, blind.reason);
        }
        jumped_ms
    }

    /// What was to be said of the server is recorded.
    fn told(&mut self, blind: bool) {
        self.notes.clear();
        if blind {
            self.blind = None;
            self.blind_told_ms = Some(self.turn.steady_ms);
        }
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

    /// The batch is recorded: `store` answers with it.
    pub fn recorded<S: Store>(&mut self, batch: &Batch, store: &S) {
        self.told(self.tells_blind());
        self.sequence = batch.sequence;
        self.new_stations.recorded(store, batch.vacated());
        self.sending.recorded(batch);
        if batch.is_alive {
            self.alive_ms = Some(self.turn.steady_ms);
        }
        let now_ms = self.clock.at(self.turn);
        for &(id, slot) in &batch.forgotten {
            self.forget(id, slot);
        }
        for change in batch.changes.iter().filter(|change| change.slot.is_none()) {
            self.expected.recorded(change.id, &self.settings, store);
            if let Some((slot, _)) = store.find(change.id) {
                self.put(store, slot, now_ms);
            }
        }
        for (key, alarm) in &batch.alarms {
            if let (AlarmSource::Station(id), Point::Comms) = key {
                self.expected.recorded(*id, &self.settings, store);
            }
            self.dues.set(key, alarm.as_ref().and_then(Alarm::due_ms));
            self.awaited.set(key, alarm.as_ref().and_then(Alarm::reports_needed_from_ms));
            if let Some(slot) = self.mark(store, key, alarm.as_ref(), now_ms) {
                // It is heard again.
                self.put(store, slot, now_ms);
            }
        }
        for together in &batch.silent_together {
            for &id in &together.stations {
                if let Some((slot, _)) = store.find(id) {
                    self.silent.insert(slot, self.settings.of(id).area, now_ms);
                    self.needed.insert(slot);
                }
            }
        }
        self.standing.recorded(batch, store, &self.settings);
        for (id, life) in &batch.lives {
            self.visits.set(id, life.as_ref().and_then(StationLife::due_ms));
            self.expected.recorded(*id, &self.settings, store);
            if let Some(slot) = self.mark_needed(store, *id)
                && !store.lives().is_retired(*id)
                && self.unwatched.contains(slot)
            {
                self.unwatched.remove(slot);
                self.put(store, slot, now_ms);
            }
        }
        for (id, _) in &batch.contests {
            self.mark_needed(store, *id);
        }
        self.found();
        self.settle(&batch.said, store);
        self.settle_overdue(store);
    }

    /// A station is forgotten. Its place may be another one's already.
    fn forget(&mut self, id: StationId, slot: Option<Slot>) {
        self.sending.forget(id);
        let Some(slot) = slot else { return };
        // It had one if that is unsaid in the same batch.
        let area = self.settings.of(id).area;
        self.silent.remove(slot, area);
        self.standing.change_area(area, None);
        self.deadlines.remove(slot);
        self.overdue.retain(|overdue| *overdue != slot);
        for marks in [&mut self.needed, &mut self.unwatched] {
            marks.remove(slot);
        }
    }

    /// Nothing was to be recorded: whoever was handed out as overdue and gave
    /// no cause for anything is not handed out again.
    pub fn nothing_followed<S: Store>(&mut self, store: &S) {
        let now_ms = self.clock.at(self.turn);
        self.expected.ask_again(now_ms, now_ms + Self::ASK_AGAIN_MS);
        self.standing.looked();
        self.found();
        if self.overdue.is_empty() {
            return;
        }
        self.settle_overdue(store);
        // Nobody is left but by a mistake of ours: it must neither keep the
        // writer busy nor hide the others.
        let later_ms = self.clock.at(self.turn) + Self::ASK_AGAIN_MS;
        for slot in std::mem::take(&mut self.overdue) {
            self.deadlines.put(slot, later_ms, later_ms);
        }
    }

    /// Of those that were handed out as overdue, whoever was heard has another
    /// deadline, whoever is silent has none, and the others still wait to be
    /// recorded.
    fn settle_overdue<S: Store>(&mut self, store: &S) {
        let now_ms = self.clock.at(self.turn);
        for slot in std::mem::take(&mut self.overdue) {
            if self.is_unwatched(store, slot) {
                continue;
            }
            match self.silent_at_ms(store, slot) {
                Some(deadline_ms) if deadline_ms > now_ms => self.deadlines.put(slot, deadline_ms, now_ms),
                Some(_) if !self.silent.contains(slot) => self.overdue.push(slot),
                Some(_) | None => {}
            }
        }
    }

    /// Remembers what an alarm means for its station's reports; `since_ms` is when
    /// it fell silent, in listening time, if it is and was not before. Gives the
    /// station's place if it is silent no more.
    fn mark<S: Store>(
        &mut self,
        store: &S,
        key: &AlarmKey,
        alarm: Option<&Alarm>,
        since_ms: i64,
    ) -> Option<Slot> {
        let (AlarmSource::Station(id), point) = key else { return None };
        let slot = self.mark_needed(store, *id)?;
        if *point != Point::Comms {
            return None;
        }
        let area = self.settings.of(*id).area;
        if alarm.is_some_and(|alarm| alarm.contact) {
            self.silent.insert(slot, area, since_ms);
            return None;
        }
        self.silent.remove(slot, area).then_some(slot)
    }

    /// Remembers whether each report of this station must be looked at. Gives its
    /// place if it is known.
    fn mark_needed<S: Store>(&mut self, store: &S, id: StationId) -> Option<Slot> {
        let (slot, _) = store.find(id)?;
        if needs_reports(store, id, self.turn.wall_ms) {
            self.needed.insert(slot);
        } else {
            self.needed.remove(slot);
        }
        Some(slot)
    }

    /// Whether a station is retired; remembers that it has no deadline then.
    fn is_unwatched<S: Store>(&mut self, store: &S, slot: Slot) -> bool {
        let is_retired = store.lives().is_retired(store.station(slot).0);
        if is_retired {
            self.unwatched.insert(slot);
        }
        is_retired
    }

    fn put<S: Store>(&mut self, store: &S, slot: Slot, now_ms: i64) {
        if self.is_unwatched(store, slot) {
            return;
        }
        if let Some(deadline_ms) = self.silent_at_ms(store, slot) {
            self.deadlines.put(slot, deadline_ms, now_ms);
        }
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
