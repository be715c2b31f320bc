//! Deciding a batch: what reports do to the stations that are known, on
//! copies that become the state only once they are recorded.

use std::collections::{BTreeMap, HashMap};

use waterwatch_core::alarm::{Alarm, AlarmSource, Input, Point, Subject};
use waterwatch_core::silence::Now;
use waterwatch_core::wire::Refusal;
use waterwatch_core::{Novelty, Origin, Report, Settings, Span, Station, StationId};

use super::command::NotObeyed;
use super::identity::is_contact_on;
use super::judgement::Judgement;
use super::watch::Watch;
use crate::command::{Command, Done};
use crate::lane::Verdict;
use crate::log::Seldom;
use crate::store::{AlarmKey, Batch, Change, Slot, Store};

/// How many alarms fall due in one batch, at most: reports and operators do not
/// wait behind more.
const DUE_MAX: usize = 1_024;

/// The same for silences: one that another alarm stands for is a few bytes.
const OVERDUE_MAX: usize = 16_384;

/// How many alarms that an older server left on are raised in one batch, at
/// most: those of any fleet but a very large one that is wholly in alarm.
const FOUND_MAX: usize = 16_384;

/// Why an alarm is raised at a start: the server before knew no alarms, or did
/// not judge this one.
const BEFORE_THE_UPGRADE: &str = "on since before the upgrade";
const ON_ALREADY: &str = "on already when the server started";

/// The same once people said something else of its station.
const ON_WHEN_SETTLED: &str = "on already when the settings were changed";

/// Why the silence of a station that was never heard ends with a start.
const NOT_EXPECTED: &str = "it is not expected any more, or not yet";

/// Stations that are looked for together: a million of them are in no cache,
/// and the processor waits for many of them at once only if nothing else
/// comes between.
const FOUND_TOGETHER: usize = 32;

/// The batch that is being decided, on copies. Made anew for each batch, in
/// the memory of the one before.
#[derive(Debug, Default)]
pub struct Draft {
    /// What was decided.
    pub batch: Batch,
    /// For each station that is known, where its change is in the batch, if
    /// it is there: what stands here is right only if that change is this
    /// station's.
    places: Vec<u32>,
    /// The same for stations that are new in the batch.
    new: HashMap<StationId, u32>,
    /// The last of those.
    last_new: Option<StationId>,
    pub(super) judgement: Judgement,
    /// Stations that were silent together and reported, by the occurrence that
    /// stood for them.
    pub(super) heard_again: BTreeMap<i64, Vec<StationId>>,
    /// Where in the batch what holds of a station as a whole is.
    pub(super) lives: HashMap<StationId, usize>,
}

/// What is to be told once the batch is recorded.
#[derive(Debug)]
pub struct Decided {
    /// What follows from each command.
    pub obeyed: Vec<Result<Done, NotObeyed>>,
    /// What becomes of each connection's reports.
    pub verdicts: Vec<Verdict>,
}

/// What a batch is decided upon.
pub(super) struct Ground<'a, S> {
    pub(super) store: &'a S,
    pub(super) watch: &'a Watch,
    pub(super) stations_max: usize,
}

impl Draft {
    /// Begins a batch that is decided `now`, with what is to be said of the
    /// server itself: each batch that is recorded has that.
    pub(super) fn begin<S: Store>(&mut self, store: &S, watch: &Watch, now: Now, is_last: bool) {
        let was_recorded = self.batch.sequence <= store.sequence();
        let Batch {
            received_at_ms,
            sequence,
            reports,
            changes,
            forgotten,
            spans,
            events,
            alarms,
            silent_together,
            lives,
            contests,
            tokens,
            said,
            form: _,
            is_alive,
            has_found,
        } = &mut self.batch;
        (*received_at_ms, *sequence) = (now.wall_ms, store.sequence());
        (*reports, *is_alive, *has_found) = (0, false, false);
        changes.clear();
        forgotten.clear();
        spans.clear();
        events.clear();
        alarms.clear();
        silent_together.clear();
        lives.clear();
        contests.clear();
        tokens.clear();
        said.clear();
        self.new.clear();
        self.heard_again.clear();
        self.last_new = None;
        self.judgement.begin(was_recorded);
        self.lives.clear();
        let jumped_ms = watch.tell(&mut self.batch, is_last);
        if jumped_ms != 0 {
            self.shift(store, watch, jumped_ms);
        }
    }

    /// Decides what operators want, then what connections have sent, each with
    /// where it came from, and then what is due.
    pub fn decide<'a, 'c, S: Store>(
        &mut self,
        store: &S,
        watch: &mut Watch,
        now: Now,
        stations_max: usize,
        commands: impl Iterator<Item = &'c Command>,
        submissions: impl Iterator<Item = (&'a [Report], Origin)>,
    ) -> Decided {
        watch.await_reports(store);
        watch.follow_some(store);
        self.begin(store, watch, now, false);
        self.find_anew(store, watch);
        let ground = Ground { store, watch, stations_max };
        let obeyed = commands.map(|command| self.obey(&ground, command)).collect();
        let verdicts = submissions.map(|(reports, origin)| self.hear_all(&ground, reports, origin)).collect();
        self.tell_heard_again(store, watch);
        self.count_new(store, watch);
        self.tell_of_gaps(store, watch);
        self.fall_due(store, watch);
        self.remark_visits(store);
        Decided { obeyed, verdicts }
    }

    /// The last batch of all: what time has brought, and until when the server
    /// was alive.
    pub fn last<S: Store>(&mut self, store: &S, watch: &mut Watch, now: Now) {
        self.begin(store, watch, now, true);
        self.fall_due(store, watch);
        self.remark_visits(store);
    }

    /// Decides what follows from the stations as they were found at a start:
    /// alarms that are no longer judged are closed, and contacts that are on
    /// without an alarm raise one. Whether that is all; else there is more once this is recorded.
    pub fn found<S: Store>(&mut self, store: &S, watch: &Watch, now: Now) -> bool {
        self.begin(store, watch, now, false);
        let is_all = self.find(store, watch);
        self.batch.has_found = is_all;
        self.remark_visits(store);
        is_all
    }

    fn find<S: Store>(&mut self, store: &S, watch: &Watch) -> bool {
        for (key, alarm) in store.alarms().iter() {
            if self.batch.alarms.len() >= FOUND_MAX {
                return false;
            }
            self.find_alarm(store, watch, &key, alarm);
        }
        let reason = if store.knew_no_alarms() { BEFORE_THE_UPGRADE } else { ON_ALREADY };
        for slot in store.slots() {
            if self.batch.alarms.len() >= FOUND_MAX {
                return false;
            }
            self.find_contacts(store, watch, slot, reason);
        }
        true
    }

    /// The same for stations of which people said something else since.
    fn find_anew<S: Store>(&mut self, store: &S, watch: &mut Watch) {
        for id in watch.hand_out(FOUND_MAX) {
            for &point in Point::OF_STATION {
                let key = (AlarmSource::Station(id), point);
                if let Some(alarm) = store.alarms().get(&key) {
                    self.find_alarm(store, watch, &key, alarm);
                }
            }
            if let Some((slot, _)) = store.find(id) {
                self.find_contacts(store, watch, slot, ON_WHEN_SETTLED);
            }
        }
    }

    /// An alarm that is no longer judged is closed, and so is one that is on while
    /// nothing says so.
    fn find_alarm<S: Store>(&mut self, store: &S, watch: &Watch, key: &AlarmKey, alarm: &Alarm) {
        let settings = watch.settings();
        let (source, point) = key;
        let input = if !settings.of_source(source).point(*point).enabled {
            Input::Time
        } else if alarm.contact && !is_contact_on(store, watch, key) {
            // Somebody wrote into our tables or the contract's, such as a server
            // of before; or a station that was never heard is not expected
            // any more.
            Input::Contact(false)
        } else {
            return;
        };
        let reason = (input == Input::Contact(false) && *point == Point::Comms).then_some(NOT_EXPECTED);
        let subject = self.subject(source.clone(), *point, Origin::default(), None);
        self.step(store, settings, &Subject { reason: reason.map(Into::into), ..subject }, input);
    }

    /// Contacts that are on without an alarm raise one.
    pub(super) fn find_contacts<S: Store>(
        &mut self,
        store: &S,
        watch: &Watch,
        slot: Slot,
        reason: &'static str,
    ) {
        let (id, station) = store.station(slot);
        if self.is_retired(store, id) {
            // What was last known of it concerns nobody any more.
            return;
        }
        let source = AlarmSource::Station(id);
        for (point, contact) in contacts(station) {
            let is_known = self.current(store, &(source.clone(), point)).is_some_and(|known| known.contact);
            if contact && !is_known {
                let subject = self.subject(source.clone(), point, Origin::default(), None);
                // Since when it says so, not since when we judge it.
                let span = (station.span.reports > 0).then_some(station.span.since_ms);
                let event_time_ms = span.map_or(subject.event_time_ms, |ms| ms.min(subject.event_time_ms));
                let subject = Subject { reason: Some(reason.into()), event_time_ms, ..subject };
                self.step(store, watch.settings(), &subject, Input::Contact(true));
            }
        }
    }

    fn hear_all<S: Store>(&mut self, ground: &Ground<'_, S>, reports: &[Report], origin: Origin) -> Verdict {
        let mut refused = Verdict::new();
        for (part, reports) in reports.chunks(FOUND_TOGETHER).enumerate() {
            let mut found = [None; FOUND_TOGETHER];
            for (found, report) in found.iter_mut().zip(reports) {
                *found = ground.store.find(report.station_id);
            }
            for (place, (&report, known)) in reports.iter().zip(found).enumerate() {
                if let Err(refusal) = self.hear(ground, known, report, origin) {
                    refused.push((part * FOUND_TOGETHER + place, refusal));
                }
            }
        }
        refused
    }

    fn hear<S: Store>(
        &mut self,
        ground: &Ground<'_, S>,
        known: Option<(Slot, &Station)>,
        report: Report,
        origin: Origin,
    ) -> Result<(), Refusal> {
        let id = report.station_id;
        if !ground.watch.allow_from().allows(id, &origin) {
            return Err(not_allowed(id, &origin));
        }
        let known = known.filter(|_| !self.is_forgotten(id));
        let place = match known {
            Some((slot, _)) => self.place(slot),
            None => self.new.get(&id).copied(),
        };
        let is_new = place.is_none() && known.is_none();
        if is_new && self.station_count(ground.store) >= ground.stations_max {
            return Err(no_more_stations(id, ground.stations_max));
        }
        let Batch { changes, spans, sequence, received_at_ms, reports, .. } = &mut self.batch;
        *sequence += 1;
        *reports += 1;
        let in_batch;
        let mut before = known.map(|(_, before)| before);
        let novelty = if let Some(place) = place {
            in_batch = changes[place as usize].station;
            before = Some(&in_batch);
            changes[place as usize].hear(report, origin, *received_at_ms, *sequence, |span| {
                spans.push((place, span));
            })
        } else {
            let (station, novelty) = Station::hear(before, report, origin, *received_at_ms, *sequence);
            let place = u32::try_from(changes.len()).expect("a batch is bounded");
            if novelty > Novelty::Repeats
                && let Some(span) = before.and_then(Station::span_until_now)
            {
                spans.push((place, span));
            }
            changes.push(Change { id, slot: known.map(|(slot, _)| slot), station, reports: 1, novelty });
            match known {
                Some((slot, _)) => {
                    if self.places.len() <= slot.index() {
                        self.places.resize(ground.store.places(), 0);
                    }
                    self.places[slot.index()] = place;
                }
                None => {
                    self.new.insert(id, place);
                    self.last_new = Some(id);
                }
            }
            novelty
        };
        if novelty >= Novelty::Changes
            || self.was_retired_now(ground.store, id)
            || before.is_some_and(|before| before.origin != origin)
            || known.is_some_and(|(slot, _)| ground.watch.needs(slot))
            || (place.is_some() && self.judgement.is_contest_new(id))
        {
            self.judge(ground, before, report, origin);
        }
        Ok(())
    }

    /// How many stations are known after the batch so far.
    fn station_count<S: Store>(&self, store: &S) -> usize {
        store.station_count() + self.new.len() - self.batch.vacated()
    }

    /// Where in the batch a known station's change is, if it has one.
    fn place(&self, slot: Slot) -> Option<u32> {
        let place = self.places.get(slot.index()).copied()?;
        let change = self.batch.changes.get(place as usize)?;
        (change.slot == Some(slot)).then_some(place)
    }

    /// What a report means for the alarms of its station.
    fn judge<S: Store>(
        &mut self,
        ground: &Ground<'_, S>,
        before: Option<&Station>,
        report: Report,
        origin: Origin,
    ) {
        let Report { station_id, alarm1, alarm2 } = report;
        let cause = Some(self.batch.sequence);
        self.ends_retirement(ground.store, station_id, origin);
        let [alarm1, alarm2] = match before {
            Some(before) => self.identify(ground, before, report, origin),
            None => [alarm1, alarm2],
        };
        for (point, contact) in [(Point::Alarm1, alarm1), (Point::Alarm2, alarm2)] {
            let subject = self.subject(AlarmSource::Station(station_id), point, origin, cause);
            self.step(ground.store, ground.watch.settings(), &subject, Input::Contact(contact));
        }
        let comms = self.subject(AlarmSource::Station(station_id), Point::Comms, origin, cause);
        self.hear_suppressed(ground.store, ground.watch, &comms);
    }

    /// Whether too many stations were new within the last hour, with those of
    /// this batch, or no longer.
    fn count_new<S: Store>(&mut self, store: &S, watch: &Watch) {
        let count = watch.new_stations();
        let (contact, reason) = match self.last_new {
            Some(last) if count.is_too_many(self.new.len()) => {
                (true, Some(count.reason(self.new.len(), last)))
            }
            _ if count.is_over(self.new.len()) => (false, None),
            _ => return,
        };
        let subject = self.subject(AlarmSource::Server, Point::NewStations, Origin::default(), None);
        let subject = Subject { reason: reason.map(Into::into), ..subject };
        self.step(store, watch.settings(), &subject, Input::Contact(contact));
    }

    /// Whether nobody has duty in a rota, or will not have soon; or no longer.
    fn tell_of_gaps<S: Store>(&mut self, store: &S, watch: &Watch) {
        let Some((contact, reason)) = watch.gaps().change() else { return };
        let subject = self.subject(AlarmSource::Server, Point::OnCall, Origin::default(), None);
        let subject = Subject { reason: reason.map(|reason| reason.to_owned().into()), ..subject };
        self.step(store, watch.settings(), &subject, Input::Contact(contact));
    }

    /// Whatever time alone brings, up to a limit; the rest falls due in the
    /// next batch.
    fn fall_due<S: Store>(&mut self, store: &S, watch: &mut Watch) {
        let overdue = watch.overdue(store, OVERDUE_MAX);
        self.end_visits(store, &watch.due_visits(DUE_MAX));
        for (source, point) in watch.due_alarms(DUE_MAX) {
            let subject = self.subject(source, point, Origin::default(), None);
            self.step(store, watch.settings(), &subject, Input::Time);
        }
        for (id, reason) in watch.never_heard(DUE_MAX) {
            if !self.new.contains_key(&id) && !self.is_retired(store, id) && !self.is_forgotten(id) {
                let subject = self.subject(AlarmSource::Station(id), Point::Comms, Origin::default(), None);
                let subject = Subject { reason: Some(reason.into()), ..subject };
                self.step(store, watch.settings(), &subject, Input::Contact(true));
            }
        }
        self.fall_silent(store, watch, &overdue);
        self.forget_silent(store, &overdue);
        self.tell_refused(store, watch);
    }

    /// Whether the batch has a report of a known station.
    pub(super) fn has_report_of(&self, slot: Slot) -> bool {
        self.place(slot).is_some()
    }

    /// The clock on the wall has jumped: what counts from it goes along.
    fn shift<S: Store>(&mut self, store: &S, watch: &Watch, by_ms: i64) {
        // Of those that share their facts nothing is due.
        let keys: Vec<AlarmKey> = store.alarms().own().map(|(key, _)| key.clone()).collect();
        for (source, point) in keys {
            let subject = self.subject(source, point, Origin::default(), None);
            self.step(store, watch.settings(), &subject, Input::ClockJump { by_ms });
        }
    }

    pub(super) fn subject(
        &self,
        source: AlarmSource,
        point: Point,
        origin: Origin,
        cause: Option<i64>,
    ) -> Subject {
        let now_ms = self.batch.received_at_ms;
        Subject { source, point, event_time_ms: now_ms, received_at_ms: now_ms, origin, cause, reason: None }
    }

    pub(super) fn step<S: Store>(
        &mut self,
        store: &S,
        settings: &Settings,
        subject: &Subject,
        input: Input<'_>,
    ) {
        // Only an operator's input can be rejected, and is checked before.
        let stepped = self.judgement.step(store, &mut self.batch, settings, subject, input);
        debug_assert_eq!(stepped, Ok(()));
    }
}

fn contacts(station: &Station) -> [(Point, bool); 2] {
    [(Point::Alarm1, station.alarm1), (Point::Alarm2, station.alarm2)]
}

impl Change {
    /// One more report of the same station; gives what was new in it. `over`
    /// is told the span that it ended, if it did.
    fn hear(
        &mut self,
        report: Report,
        origin: Origin,
        received_at_ms: i64,
        sequence: i64,
        over: impl FnOnce(Span),
    ) -> Novelty {
        let before = self.station;
        let (station, novelty) = Station::hear(Some(&before), report, origin, received_at_ms, sequence);
        if novelty > Novelty::Repeats
            && let Some(span) = before.span_until_now()
        {
            over(span);
        }
        self.station = station;
        self.reports += 1;
        self.novelty = self.novelty.max(novelty);
        novelty
    }
}

fn not_allowed(station_id: StationId, origin: &Origin) -> Refusal {
    static NOT_ALLOWED: Seldom = Seldom::new(Seldom::EVERY);
    NOT_ALLOWED.say(|held_back| {
        tracing::warn!(%station_id, peer = %origin, held_back, "refused a report: the address is not in the station's allow_from");
    });
    Refusal::NotAllowed { station_id }
}

fn no_more_stations(station_id: StationId, stations_max: usize) -> Refusal {
    static NO_MORE_STATIONS: Seldom = Seldom::new(Seldom::EVERY);
    NO_MORE_STATIONS.say(|held_back| {
        tracing::warn!(%station_id, stations_max, held_back, "refused a new station: stations_max are known");
    });
    Refusal::StationsMax { station_id, stations_max }
}
