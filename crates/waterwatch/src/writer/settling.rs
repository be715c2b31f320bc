//! What people said anew is recorded: what the writer knows between batches
//! follows, so that it is what a start would make of the same rows.
//!
//! What is said of a station costs the same however many there are; what is said
//! for an area or the fleet costs a look at each of its stations.

use waterwatch_core::StationId;
use waterwatch_core::alarm::{AlarmSource, Point};

use super::watch::Watch;
use crate::store::{NewSays, Store};

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
                    let area = self.settings.area_named(name);
                    let stations = area.map_or(Vec::new(), |area| self.settings.stations_of(area).to_vec());
                    stations.into_iter().for_each(|id| self.follow(store, id));
                }
                NewSays::Fleet(_) => {
                    new.settle(&mut self.settings);
                    for slot in store.slots() {
                        self.follow(store, store.station(slot).0);
                    }
                    // Of stations that were never heard.
                    for id in self.expected.ids() {
                        self.follow(store, id);
                    }
                    for ((source, _), _) in store.alarms().own() {
                        if let AlarmSource::Station(id) = source {
                            self.to_find.insert(*id);
                        }
                    }
                }
            }
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
