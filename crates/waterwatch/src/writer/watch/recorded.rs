//! What follows from a batch that is recorded: who is silent, what falls due when, and of
//! whom each report must be looked at.

use waterwatch_core::StationId;
use waterwatch_core::StationLife;
use waterwatch_core::alarm::{Alarm, AlarmSource, Point};

use super::{Watch, needs_reports};
use crate::store::{AlarmKey, Batch, Slot, Store};

impl Watch {
    /// The batch is recorded: `store` answers with it.
    pub fn recorded<S: Store>(&mut self, batch: &Batch, store: &S) {
        self.told(self.tells_blind());
        self.sequence = batch.sequence;
        self.new_stations.recorded(store, batch.vacated());
        self.gaps.recorded(store);
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
    pub(super) fn mark<S: Store>(
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
    pub(super) fn mark_needed<S: Store>(&mut self, store: &S, id: StationId) -> Option<Slot> {
        let (slot, _) = store.find(id)?;
        if needs_reports(store, id, self.turn.wall_ms) {
            self.needed.insert(slot);
        } else {
            self.needed.remove(slot);
        }
        Some(slot)
    }

    /// Whether a station is retired; remembers that it has no deadline then.
    pub(super) fn is_unwatched<S: Store>(&mut self, store: &S, slot: Slot) -> bool {
        let is_retired = store.lives().is_retired(store.station(slot).0);
        if is_retired {
            self.unwatched.insert(slot);
        }
        is_retired
    }

    pub(super) fn put<S: Store>(&mut self, store: &S, slot: Slot, now_ms: i64) {
        if self.is_unwatched(store, slot) {
            return;
        }
        if let Some(deadline_ms) = self.silent_at_ms(store, slot) {
            self.deadlines.put(slot, deadline_ms, now_ms);
        }
    }
}
