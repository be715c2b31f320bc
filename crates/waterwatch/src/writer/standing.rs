//! The alarms of areas and of the server itself that may stand for silent
//! stations, and whom they have suppressed: what [`Watch`](super::watch::Watch)
//! knows of them between batches.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use waterwatch_core::alarm::{Alarm, AlarmSource, Point};
use waterwatch_core::{AreaId, Settings, StationId, together};

use crate::store::{AlarmKey, Alarms, Batch, Store};

/// How many alarms are suppressed, or let go again, in one batch, at most.
const MOVED_MAX: usize = 1_024;

/// What is made anew from what is recorded after a reopening.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// The `comms` alarms of areas and of the server that are not at rest.
    open: BTreeMap<AlarmSource, Alarm>,
    /// Which of them has this occurrence.
    sources: BTreeMap<i64, AlarmSource>,
    /// Stations whose suppressed `comms` alarm has facts of its own, by the
    /// occurrence that stands for it.
    suppressed: BTreeMap<i64, BTreeSet<StationId>>,
    /// The same by station.
    suppressed_by: HashMap<StationId, i64>,
    /// Occurrences that stand for stations which share their facts.
    together: BTreeSet<i64>,
    /// Stations that alarmed for themselves before another alarm stood for
    /// them: it suppresses them now.
    raised_before: Vec<StationId>,
    /// How many of them the batch that is decided looks at.
    looked_at: usize,
    /// How many stations are known, in each area.
    known: BTreeMap<AreaId, usize>,
    /// The turn in which the open ones were looked at last; steady.
    looked_ms: Option<i64>,
}

impl Standing {
    /// Of a store that was read.
    pub(super) fn of<S: Store>(store: &S, settings: &Settings) -> Standing {
        let mut standing = Standing::default();
        if settings.has_areas() {
            for slot in store.slots() {
                standing.knows(settings, store.station(slot).0);
            }
        }
        for (key, alarm) in store.alarms().own() {
            standing.take(key, Some(alarm));
        }
        standing.together = store.alarms().standing_for().map(|(occurrence, _)| occurrence).collect();
        standing.look_for_raised(store);
        standing
    }

    fn knows(&mut self, settings: &Settings, id: StationId) {
        if let Some(area) = settings.of(id).area {
            *self.known.entry(area).or_default() += 1;
        }
    }

    /// A station that is known is in another area from now on.
    pub(super) fn change_area(&mut self, before: Option<AreaId>, area: Option<AreaId>) {
        if let Some(before) = before
            && let Some(known) = self.known.get_mut(&before)
        {
            *known -= 1;
            if *known == 0 {
                self.known.remove(&before);
            }
        }
        if let Some(area) = area {
            *self.known.entry(area).or_default() += 1;
        }
    }

    /// How many stations of an area are known.
    pub(super) fn stations_of(&self, area: AreaId) -> usize {
        self.known.get(&area).copied().unwrap_or_default()
    }

    /// The alarms of areas and of the server that are not at rest.
    pub(super) fn open(&self) -> impl Iterator<Item = (&AlarmSource, &Alarm)> {
        self.open.iter()
    }

    /// Whose occurrence this is; `None` if it is over.
    pub(super) fn source_of(&self, occurrence: i64) -> Option<&AlarmSource> {
        self.sources.get(&occurrence)
    }

    /// Whether something is to be decided without a report.
    pub(super) fn is_due(&self, now_ms: i64, turn_ms: i64) -> bool {
        let to_look_at = self.open.values().any(|alarm| alarm.contact || alarm.is_on());
        (to_look_at && self.looked_ms != Some(turn_ms))
            || !self.raised_before.is_empty()
            || self.let_go(|source| together::stands(self.open.get(source)?, now_ms)).next().is_some()
    }

    /// A turn begins: what an earlier one looked at and did not record is looked
    /// at again.
    pub(super) fn turn(&mut self) {
        self.looked_at = 0;
    }

    /// What this turn has looked at is done with, whether something followed or
    /// not.
    pub(super) fn looked(&mut self) {
        let rest = self.raised_before.len() - std::mem::take(&mut self.looked_at);
        self.raised_before.truncate(rest);
    }

    /// The open ones are looked at in this turn.
    pub(super) fn look(&mut self, turn_ms: i64) {
        self.looked_ms = Some(turn_ms);
    }

    /// Occurrences that have suppressed others, and stand for them no more;
    /// `stands` says for whom the alarm of a source stands.
    fn let_go(&self, stands: impl Fn(&AlarmSource) -> Option<i64>) -> impl Iterator<Item = i64> {
        let own = self.suppressed.keys();
        let together = self.together.iter().filter(|occurrence| !self.suppressed.contains_key(occurrence));
        own.chain(together)
            .copied()
            .filter(move |&occurrence| self.source_of(occurrence).and_then(&stands) != Some(occurrence))
    }

    /// Stations for which no alarm stands any more, up to a limit; others once
    /// these are recorded.
    pub(super) fn to_let_go(
        &self,
        alarms: &Alarms,
        stands: impl Fn(&AlarmSource) -> Option<i64>,
    ) -> Vec<StationId> {
        let mut stations = Vec::new();
        for occurrence in self.let_go(stands) {
            let left = MOVED_MAX - stations.len();
            let own = self.suppressed.get(&occurrence).into_iter().flatten();
            stations.extend(own.take(left));
            stations.extend(alarms.some_of(occurrence, MOVED_MAX - stations.len()));
            if stations.len() >= MOVED_MAX {
                break;
            }
        }
        stations.sort_unstable();
        stations
    }

    /// Stations that alarmed for themselves before another alarm stood for
    /// them, up to a limit; others once this batch is recorded.
    pub(super) fn raised_before(&mut self) -> Vec<StationId> {
        let rest = self.raised_before.len().saturating_sub(MOVED_MAX);
        self.looked_at = self.raised_before.len() - rest;
        self.raised_before[rest..].to_vec()
    }

    /// The batch is recorded: `store` answers with it.
    pub(super) fn recorded<S: Store>(&mut self, batch: &Batch, store: &S, settings: &Settings) {
        if settings.has_areas() {
            for change in batch.changes.iter().filter(|change| change.slot.is_none()) {
                self.knows(settings, change.id);
            }
        }
        self.looked();
        let is_of_many = |(key, _): &&(AlarmKey, Option<Alarm>)| {
            key.1 == Point::Comms && !matches!(key.0, AlarmSource::Station(_))
        };
        let went_on = |standing: &Standing, (key, alarm): &(AlarmKey, Option<Alarm>)| {
            alarm.as_ref().is_some_and(|alarm| alarm.contact)
                && !standing.open.get(&key.0).is_some_and(|before| before.contact)
        };
        let has_raised = batch.alarms.iter().filter(is_of_many).any(|change| went_on(self, change));
        for (key, alarm) in &batch.alarms {
            self.take(key, alarm.as_ref());
        }
        if !batch.silent_together.is_empty() || !self.together.is_empty() {
            self.together = store.alarms().standing_for().map(|(occurrence, _)| occurrence).collect();
        }
        if has_raised {
            self.look_for_raised(store);
        }
    }

    /// The facts of an alarm are these.
    fn take(&mut self, (source, point): &AlarmKey, alarm: Option<&Alarm>) {
        if *point != Point::Comms {
            return;
        }
        let AlarmSource::Station(id) = source else {
            let occurrence = |alarm: &Alarm| alarm.occurrence.as_ref().map(|open| open.sequence);
            if let Some(occurrence) = self.open.remove(source).as_ref().and_then(occurrence) {
                self.sources.remove(&occurrence);
            }
            if let Some(alarm) = alarm {
                self.sources.extend(occurrence(alarm).map(|occurrence| (occurrence, source.clone())));
                self.open.insert(source.clone(), alarm.clone());
            }
            return;
        };
        let by = alarm.and_then(|alarm| alarm.hidden.suppressed_by);
        let before = match by {
            Some(occurrence) => self.suppressed_by.insert(*id, occurrence),
            None => self.suppressed_by.remove(id),
        };
        if let Some(before) = before
            && let Some(stations) = self.suppressed.get_mut(&before)
        {
            stations.remove(id);
            if stations.is_empty() {
                self.suppressed.remove(&before);
            }
        }
        if let Some(occurrence) = by {
            self.suppressed.entry(occurrence).or_default().insert(*id);
        }
    }

    /// An alarm went on that may stand for others: those that alarmed before
    /// it. Rare, so all alarms are looked at.
    fn look_for_raised<S: Store>(&mut self, store: &S) {
        if self.open.is_empty() {
            return;
        }
        self.raised_before.clear();
        for ((source, point), alarm) in store.alarms().own() {
            if let (AlarmSource::Station(id), Point::Comms) = (source, point)
                && alarm.occurrence.is_some()
                && alarm.contact
            {
                self.raised_before.push(*id);
            }
        }
    }
}
