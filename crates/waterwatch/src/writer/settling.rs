//! What people said anew is recorded: what the writer knows between batches
//! follows, so that it is what a start would make of the same rows.
//!
//! What is said of a station is followed at once. What is said for an area or the fleet
//! holds at once, and costs a look at each of its stations: that is worked off in
//! slices between the batches, so that no report waits for a million of them. Until
//! then a station has the deadline of before: an earlier one is judged by what holds
//! when it comes, and a later one within seconds. A start looks at all of them anyway,
//! so a crash in between needs nothing.

use std::collections::BTreeMap;

use waterwatch_core::StationId;
use waterwatch_core::alarm::{AlarmSource, Point};

use super::watch::Watch;
use crate::store::{NewSays, Slot, Store};

/// Stations that are followed with one batch, at most: some milliseconds.
pub(super) const FOLLOWED_MAX: usize = 4_096;

/// Whom the writer has still to follow. Each station is there a few times at most, however
/// often something is said.
#[derive(Debug, Default)]
pub(super) struct ToFollow {
    /// Those that were heard whose places are below this; the last first. Whoever comes
    /// into a place meanwhile is new, and is as it holds.
    heard_below: usize,
    /// Those that may be unheard, if it is the whole fleet.
    others: Vec<StationId>,
    /// Those of areas.
    areas: BTreeMap<Box<str>, Vec<StationId>>,
}

impl ToFollow {
    fn fleet(heard: usize, others: Vec<StationId>) -> ToFollow {
        // Of areas all are among these.
        ToFollow { heard_below: heard, others, areas: BTreeMap::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.heard_below == 0 && self.others.is_empty() && self.areas.is_empty()
    }

    /// The store was opened again: places are others.
    pub(super) fn read<S: Store>(&mut self, store: &S) {
        if self.heard_below > 0 {
            self.heard_below = store.places();
        }
    }

    fn next<S: Store>(&mut self, store: &S) -> Option<StationId> {
        if let Some(id) = self.others.pop() {
            return Some(id);
        }
        while let Some(mut area) = self.areas.first_entry() {
            if let Some(id) = area.get_mut().pop() {
                return Some(id);
            }
            area.remove();
        }
        self.heard_below = self.heard_below.min(store.places());
        while self.heard_below > 0 {
            self.heard_below -= 1;
            let slot = Slot::new(self.heard_below);
            if !store.is_vacant(slot) {
                return Some(store.station(slot).0);
            }
        }
        None
    }
}

impl Watch {
    /// This is recorded: `store` answers with it.
    pub(super) fn settle<S: Store>(&mut self, said: &[NewSays], store: &S) {
        for new in said {
            match new {
                NewSays::Station(id, says) => {
                    let before = self.settings.of(*id).area;
                    new.settle(&mut self.settings);
                    let area = self.settings.of(*id).area;
                    if before != area
                        && let Some((slot, _)) = store.find(*id)
                    {
                        self.silent.change_area(slot, before, area);
                        self.standing.change_area(before, area);
                    }
                    self.allow_from.set(*id, says.allow_from());
                    self.expected.say(*id, says.expected_by_ms());
                    self.follow(store, *id);
                }
                NewSays::Area(name, _) => {
                    new.settle(&mut self.settings);
                    if let Some(area) = self.settings.area_named(name) {
                        let stations = self.settings.stations_of(area).to_vec();
                        self.to_follow.areas.insert(name.clone(), stations);
                    }
                }
                NewSays::Fleet(_) => {
                    new.settle(&mut self.settings);
                    // Whoever was never heard is expected, or something of it is in alarm.
                    let mut others = self.expected.ids();
                    others.extend(store.alarms().own().filter_map(|((source, _), _)| match source {
                        AlarmSource::Station(id) => Some(*id),
                        AlarmSource::Area(_) | AlarmSource::Server => None,
                    }));
                    self.to_follow = ToFollow::fleet(store.places(), others);
                }
            }
        }
    }

    /// Whether there is somebody left to follow.
    pub(crate) fn is_settling(&self) -> bool {
        !self.to_follow.is_empty()
    }

    /// Follows some of those for whom something else may hold.
    pub(super) fn follow_some<S: Store>(&mut self, store: &S) {
        for _ in 0..self.followed_max {
            let Some(id) = self.to_follow.next(store) else { return };
            self.follow(store, id);
        }
    }

    /// What holds for a station may be something else.
    fn follow<S: Store>(&mut self, store: &S, id: StationId) {
        self.expected.settle(id, &self.settings, store);
        let known = store.find(id);
        if let Some((slot, _)) = known {
            self.bring_forward(store, slot);
        }
        // Most are well, and nothing of them is to be judged anew.
        let is_on = known.is_some_and(|(_, station)| station.alarm1 || station.alarm2);
        let has_alarm = |point| store.alarms().get(&(AlarmSource::Station(id), point)).is_some();
        if is_on || Point::OF_STATION.iter().copied().any(has_alarm) {
            self.to_find.insert(id);
        }
    }

    /// Stations of which what is on is to be judged anew, at most so many: alarms
    /// whose points were disabled, and contacts whose points were enabled.
    pub(super) fn hand_out(&mut self, stations_max: usize) -> Vec<StationId> {
        self.handed_out = self.to_find.iter().copied().take(stations_max).collect();
        self.handed_out.clone()
    }

    /// They are judged, and recorded if something followed.
    pub(super) fn found(&mut self) {
        for id in std::mem::take(&mut self.handed_out) {
            self.to_find.remove(&id);
        }
    }
}
