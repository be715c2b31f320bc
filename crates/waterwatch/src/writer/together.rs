//! Deciding silences that come together: the alarms of areas and of the server
//! that stand for their stations, whom they suppress, and whom they let go.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::RangeInclusive;

use waterwatch_core::alarm::{Alarm, AlarmSource, Input, Kind, Ledger, Point, State, Subject};
use waterwatch_core::together::{self, Tally, Together};
use waterwatch_core::{AreaId, Origin, Station, StationId};

use super::draft::Draft;
use super::watch::Watch;
use crate::store::{AlarmKey, SilentTogether, Slot, Store};

/// How many stations alarm for themselves in one batch, at most: reports and
/// operators do not wait behind more.
const ALONE_MAX: usize = 1_024;

/// Of how many stations it is looked at whether they are out of contact, at
/// most: of more, some that lie as far apart. A share of so many is right to
/// within two percent.
const LOOKED_AT_MAX: usize = 4_096;

/// How many stations last heard in alarm are named in one entry.
const NAMED_MAX: usize = 20;

/// A station whose deadline has passed.
struct Overdue {
    id: StationId,
    station: Station,
    area: Option<AreaId>,
}

/// An alarm that stands for stations which fall silent now.
struct Cover {
    source: AlarmSource,
    occurrence: i64,
}

/// What is found of an area's stations, or of all.
#[derive(Default)]
struct Found {
    in_all: Tally,
    by_area: BTreeMap<Option<AreaId>, Tally>,
    in_alarm: InAlarm,
    /// Whether it is of all of them, and not of some.
    is_exact: bool,
}

/// Stations that were last heard in alarm.
#[derive(Default)]
struct InAlarm {
    named: Vec<String>,
    more: usize,
}

impl Draft {
    /// Decides who has fallen silent, and for whom another alarm stands.
    pub(super) fn fall_silent<S: Store>(&mut self, store: &S, watch: &mut Watch, overdue: &[Slot]) {
        let raised_before = watch.standing.raised_before();
        watch.standing.look(watch.turn_is().steady_ms);
        let watch = &*watch;
        let overdue: Vec<Overdue> = overdue
            .iter()
            .filter(|slot| {
                let (id, _) = store.station(**slot);
                !self.has_report_of(**slot) && !self.is_retired(store, id) && !self.is_forgotten(id)
            })
            .map(|&slot| {
                let (id, station) = store.station(slot);
                Overdue { id, station: *station, area: watch.settings().of(id).area }
            })
            .collect();
        self.judge_many(store, watch, &overdue);
        self.record_silences(store, watch, &overdue);
        for id in raised_before {
            self.suppress_raised(store, watch, id);
        }
        // As it is after what was decided so far: a clock that jumps lets nobody go.
        let stands = |source: &AlarmSource| {
            let alarm = self.current(store, &(source.clone(), Point::Comms))?;
            together::stands(alarm, self.batch.received_at_ms)
        };
        for id in watch.standing.to_let_go(store.alarms(), stands) {
            self.step_comms(store, watch, id, None, Input::Unsuppress);
        }
    }

    /// Whether areas, or all stations together, are in alarm. All come first:
    /// while that alarm stands, no area needs one.
    fn judge_many<S: Store>(&mut self, store: &S, watch: &Watch, overdue: &[Overdue]) {
        let mut sources: BTreeMap<AlarmSource, usize> =
            watch.standing.open().map(|(source, _)| (source.clone(), 0)).collect();
        for area in overdue.iter().filter_map(|overdue| overdue.area) {
            *sources.entry(area_source(watch, area)).or_default() += 1;
        }
        if !overdue.is_empty() {
            sources.insert(AlarmSource::Server, overdue.len());
        }
        if let Some(overdue) = sources.remove(&AlarmSource::Server) {
            self.judge_one(store, watch, AlarmSource::Server, overdue);
        }
        for (source, overdue) in sources {
            self.judge_one(store, watch, source, overdue);
        }
    }

    /// Whether an area, or all stations, are in alarm. `overdue` of them fall
    /// silent now.
    fn judge_one<S: Store>(&mut self, store: &S, watch: &Watch, source: AlarmSource, overdue: usize) {
        let now_ms = watch.listening_ms();
        let rules = watch.settings().together();
        let (rule, area) = match &source {
            AlarmSource::Area(name) => (rules.area, Some(watch.settings().area_named(name))),
            _ => (rules.all, None),
        };
        let key = (source, Point::Comms);
        let known = self.current(store, &key);
        let mut reason = None;
        let is_on = match (known.filter(|alarm| alarm.is_on()), area) {
            // There is no such area any more.
            (_, Some(None)) => false,
            (Some(alarm), area) => {
                let area = area.flatten();
                let within_ms = rule.covers(watch.raised_ms(alarm));
                let fresh = if within_ms.contains(&now_ms) { overdue } else { 0 };
                let silent = watch.silent.count(area, within_ms.clone()) + fresh;
                let stations = area.map_or(store.station_count(), |area| watch.standing.stations_of(area));
                // Only where these alone are too few it is looked for those to come, and
                // for those of the others that count.
                let is_over = rule.is_over(silent, Tally { stations, out_of_contact: silent })
                    && rule.is_over(silent, self.look(store, watch, area, &within_ms).in_all);
                !is_over
            }
            (None, Some(_)) if self.covering(store, watch, &AlarmSource::Server).is_some() => false,
            (None, area) => {
                let area = area.flatten();
                let lately_ms = now_ms.saturating_sub(rule.window_ms)..=now_ms;
                let silent = watch.silent.count(area, lately_ms.clone()) + overdue;
                let found =
                    (silent >= Together::STATIONS_MIN).then(|| self.look(store, watch, area, &lately_ms));
                let found = found.filter(|found| found.is_one_fault(&rule, silent));
                reason = found.map(|found| found.words(area.is_none()));
                reason.is_some()
            }
        };
        if known.is_some() || is_on {
            let (source, point) = key;
            let subject = self.subject(source, point, Origin::default(), None);
            let subject = Subject { reason: reason.map(Into::into), ..subject };
            self.step(store, watch.settings(), &subject, Input::Contact(is_on));
        }
    }

    /// How many stations of an area, or of all, are out of contact, if those
    /// are left out that have been silent since before `lately_ms`.
    fn look<S: Store>(
        &self,
        store: &S,
        watch: &Watch,
        area: Option<AreaId>,
        lately_ms: &RangeInclusive<i64>,
    ) -> Found {
        let mut found = Found { is_exact: true, ..Found::default() };
        let mut look_at = |slot: Slot| {
            let (id, station) = store.station(slot);
            let settings = watch.settings().of(id);
            let comms = (AlarmSource::Station(id), Point::Comms);
            let is_put_aside = |alarm: &Alarm| alarm.hidden.shelf.is_some() || alarm.hidden.service.is_some();
            if !settings.point(Point::Comms).enabled
                || self.is_retired(store, id)
                || self.is_forgotten(id)
                || watch.silent.is_since_before(slot, *lately_ms.start())
                || store.alarms().get(&comms).is_some_and(is_put_aside)
            {
                return;
            }
            let is_out = !self.has_report_of(slot)
                && (watch.silent.contains(slot) || watch.is_overdue_soon(store, slot));
            for tally in [&mut found.in_all, found.by_area.entry(settings.area).or_default()] {
                tally.stations += 1;
                tally.out_of_contact += usize::from(is_out);
            }
            if is_out {
                found.in_alarm.add(id, station);
            }
        };
        match area {
            Some(area) => {
                let stations = watch.settings().stations_of(area);
                let apart = stations.len().div_ceil(LOOKED_AT_MAX).max(1);
                let slots = stations.iter().step_by(apart).filter_map(|id| store.find(*id));
                slots.for_each(|(slot, _)| look_at(slot));
                found.is_exact = apart == 1;
            }
            None => {
                // Not of those that are known: looking for each would be looking at all.
                let apart = store.places().div_ceil(LOOKED_AT_MAX).max(1);
                let slots = (0..store.places()).step_by(apart).map(Slot::new);
                slots.filter(|slot| !store.is_vacant(*slot)).for_each(look_at);
                found.is_exact = apart == 1;
            }
        }
        found
    }

    /// The alarm of an area or of the server, if it stands for stations that
    /// fall silent now.
    fn covering<S: Store>(&self, store: &S, watch: &Watch, source: &AlarmSource) -> Option<Cover> {
        let rules = watch.settings().together();
        let rule = if *source == AlarmSource::Server { rules.all } else { rules.area };
        let alarm = self.current(store, &(source.clone(), Point::Comms))?;
        let covers = rule.covers(watch.raised_ms(alarm)).contains(&watch.listening_ms());
        let occurrence = together::stands(alarm, self.batch.received_at_ms).filter(|_| covers)?;
        Some(Cover { source: source.clone(), occurrence })
    }

    /// Who is overdue is silent: under the alarm that stands for it, or alone.
    fn record_silences<S: Store>(&mut self, store: &S, watch: &Watch, overdue: &[Overdue]) {
        let server = self.covering(store, watch, &AlarmSource::Server);
        let mut of_areas: BTreeMap<AreaId, Option<Cover>> = BTreeMap::new();
        for area in overdue.iter().filter_map(|overdue| overdue.area) {
            of_areas.entry(area).or_insert_with(|| self.covering(store, watch, &area_source(watch, area)));
        }
        let mut together: BTreeMap<i64, (&Cover, Vec<StationId>, InAlarm)> = BTreeMap::new();
        let mut alone = 0;
        for Overdue { id, station, area, .. } in overdue {
            let of_area = area.as_ref().and_then(|area| of_areas.get(area)).and_then(Option::as_ref);
            let comms = (AlarmSource::Station(*id), Point::Comms);
            match of_area.or(server.as_ref()) {
                Some(cover) if self.current(store, &comms).is_none() => {
                    let (_, stations, in_alarm) = together
                        .entry(cover.occurrence)
                        .or_insert_with(|| (cover, Vec::new(), InAlarm::default()));
                    stations.push(*id);
                    in_alarm.add(*id, station);
                }
                // The others stay overdue until the next batch.
                _ if alone >= ALONE_MAX => {}
                cover => {
                    alone += 1;
                    if let Some(Cover { occurrence, .. }) = cover {
                        let suppress = Input::Suppress { occurrence: *occurrence };
                        self.step_comms(store, watch, *id, None, suppress);
                    }
                    // The report that was the last is what the silence began with.
                    let cause = (station.sequence > 0).then_some(station.sequence);
                    let subject =
                        self.subject(AlarmSource::Station(*id), Point::Comms, Origin::default(), cause);
                    let reason = watch.sending.why(*id, station.sequence).map(Into::into);
                    self.step(store, watch.settings(), &Subject { reason, ..subject }, Input::Contact(true));
                }
            }
        }
        let since_ms = self.batch.received_at_ms;
        for (occurrence, (cover, mut stations, in_alarm)) in together {
            stations.sort_unstable();
            let stations: Box<[StationId]> = stations.into();
            self.tell_of_many(
                store,
                &cover.source,
                Kind::StandsFor,
                occurrence,
                stations.clone(),
                in_alarm.words(),
            );
            self.batch.silent_together.push(SilentTogether { occurrence, since_ms, stations });
        }
    }

    /// One that alarmed for itself just before: another alarm stands for it
    /// now, unless somebody has taken it already.
    fn suppress_raised<S: Store>(&mut self, store: &S, watch: &Watch, id: StationId) {
        let comms = (AlarmSource::Station(id), Point::Comms);
        let Some(alarm) = self.current(store, &comms) else { return };
        let is_taken = alarm.occurrence.as_ref().is_none_or(|open| open.acknowledged.is_some());
        if is_taken || !alarm.contact {
            return;
        }
        let (since_ms, rules) = (watch.silent_since_ms(alarm), watch.settings().together());
        let area = watch.settings().of(id).area.map(|area| (area_source(watch, area), rules.area));
        let stands = |(source, rule): (AlarmSource, Together)| {
            let alarm = self.current(store, &(source, Point::Comms))?;
            let covers = rule.covers(watch.raised_ms(alarm)).contains(&since_ms);
            together::stands(alarm, self.batch.received_at_ms).filter(|_| covers)
        };
        let of_server = (AlarmSource::Server, rules.all);
        if let Some(occurrence) = area.into_iter().chain([of_server]).find_map(stands) {
            self.step_comms(store, watch, id, None, Input::Suppress { occurrence });
        }
    }

    /// A report of a station for whose silence another alarm stands: its
    /// silence is over, and nothing needs to be suppressed.
    pub(super) fn hear_suppressed<S: Store>(&mut self, store: &S, watch: &Watch, subject: &Subject) {
        let key = (subject.source.clone(), subject.point);
        if let AlarmSource::Station(id) = key.0
            && !self.judgement.has(&key)
            && let Some(occurrence) = store.alarms().together(&key)
            && watch.standing.source_of(occurrence).is_some()
        {
            self.heard_again.entry(occurrence).or_default().push(id);
            self.judgement.set(&mut self.batch, key, None);
            return;
        }
        self.step(store, watch.settings(), subject, Input::Contact(false));
        if self.current(store, &key).is_some_and(|alarm| alarm.hidden.suppressed_by.is_some()) {
            self.step(store, watch.settings(), subject, Input::Unsuppress);
        }
    }

    /// Writes who of those that were silent together was heard in this batch.
    pub(super) fn tell_heard_again<S: Store>(&mut self, store: &S, watch: &Watch) {
        for (occurrence, mut stations) in std::mem::take(&mut self.heard_again) {
            stations.sort_unstable();
            if let Some(source) = watch.standing.source_of(occurrence) {
                self.tell_of_many(store, source, Kind::HeardAgain, occurrence, stations.into(), None);
            }
        }
    }

    fn tell_of_many<S: Store>(
        &mut self,
        store: &S,
        source: &AlarmSource,
        kind: Kind,
        occurrence: i64,
        stations: Box<[StationId]>,
        reason: Option<String>,
    ) {
        let state = self.current(store, &(source.clone(), Point::Comms)).map_or(State::Normal, Alarm::state);
        let subject = self.subject(source.clone(), Point::Comms, Origin::default(), None);
        let subject = Subject { reason: reason.map(Into::into), ..subject };
        let mut ledger = Ledger { sequence: &mut self.batch.sequence, events: &mut self.batch.events };
        ledger.of_many(&subject, kind, occurrence, state, stations);
    }

    fn step_comms<S: Store>(
        &mut self,
        store: &S,
        watch: &Watch,
        id: StationId,
        cause: Option<i64>,
        input: Input<'_>,
    ) {
        let subject = self.subject(AlarmSource::Station(id), Point::Comms, Origin::default(), cause);
        self.step(store, watch.settings(), &subject, input);
    }

    /// The facts of an alarm as they are after what is decided so far.
    pub(super) fn current<'a, S: Store>(&'a self, store: &'a S, key: &AlarmKey) -> Option<&'a Alarm> {
        self.judgement.current(store, &self.batch, key)
    }
}

fn area_source(watch: &Watch, area: AreaId) -> AlarmSource {
    AlarmSource::Area(watch.settings().area_name(area).into())
}

impl Found {
    /// Whether it is one fault if so many are silent lately. Of all stations:
    /// only if it is seen beyond the area that has most of it, for that has an
    /// alarm of its own.
    fn is_one_fault(&self, rule: &Together, silent_lately: usize) -> bool {
        let of_areas = self.by_area.iter().filter(|(area, _)| area.is_some()).map(|(_, tally)| tally);
        let worst = of_areas.max_by_key(|tally| tally.out_of_contact).copied().unwrap_or_default();
        let beyond = Tally {
            stations: self.in_all.stations - worst.stations,
            out_of_contact: self.in_all.out_of_contact - worst.out_of_contact,
        };
        let is_everywhere = beyond.stations == 0 || rule.is_shared(beyond);
        rule.is_one_fault(silent_lately, self.in_all) && is_everywhere
    }

    /// What it is about, for people.
    fn words(&self, of_all: bool) -> String {
        let Tally { stations, out_of_contact } = self.in_all;
        let mut words = if self.is_exact {
            format!("{out_of_contact} of {stations} stations are out of contact")
        } else {
            format!("{} % of the stations are out of contact", out_of_contact * 100 / stations.max(1))
        };
        if of_all {
            words += "; the fault may be on our side";
        }
        if let Some(in_alarm) = self.in_alarm.words() {
            let _ = write!(words, "; {in_alarm}");
        }
        words
    }
}

impl InAlarm {
    fn add(&mut self, id: StationId, station: &Station) {
        let contacts = match (station.alarm1, station.alarm2) {
            (false, false) => return,
            (true, false) => "alarm1",
            (false, true) => "alarm2",
            (true, true) => "alarm1 and alarm2",
        };
        if self.named.len() < NAMED_MAX {
            self.named.push(format!("{id} ({contacts})"));
        } else {
            self.more += 1;
        }
    }

    /// `last heard in alarm: 12 (alarm1), 17 (alarm2) and 3 more`
    fn words(&self) -> Option<String> {
        if self.named.is_empty() {
            return None;
        }
        let more = if self.more > 0 { format!(" and {} more", self.more) } else { String::new() };
        Some(format!("last heard in alarm: {}{more}", self.named.join(", ")))
    }
}
