//! The writer's end: it pushes, and waits for nobody.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use waterwatch_core::{Settings, StationId};

use super::state::{State, Taken};
use super::update::{Recorded, Resettled, Update, Whole};
use crate::store::{Batch, NewSays, Slot, Store};

/// Alarms and stations in the queue, at most: a storm's worth of some 20 MB, and
/// less than the follower takes in a second.
const QUEUED_MAX: usize = 65_536;

/// Stations of an area that are published one by one if other settings hold for
/// them; of more the whole is no more work.
const RESETTLED_MAX: usize = 4_096;

/// The writer's end. One that nobody follows does nothing.
#[derive(Debug, Default)]
pub struct Publisher {
    queue: Option<Pushed>,
    /// The whole is to be published before anything else.
    is_behind: bool,
    /// How many stations were known at the last batch.
    stations: usize,
    /// The stations that are configured.
    named: BTreeSet<StationId>,
}

#[derive(Debug)]
struct Pushed {
    updates: Sender<Update>,
    state: Arc<State>,
}

/// The other end of the queue.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) updates: Receiver<Update>,
    pub(super) state: Arc<State>,
}

pub(super) fn open() -> (Publisher, Queue) {
    let (sender, receiver) = channel();
    let state = Arc::new(State::default());
    let pushed = Pushed { updates: sender, state: Arc::clone(&state) };
    let publisher = Publisher { queue: Some(pushed), ..Publisher::default() };
    (publisher, Queue { updates: receiver, state })
}

impl Queue {
    /// This update is off the queue once that is dropped.
    pub(super) fn taken(&self, update: &Update) -> Taken<'_> {
        self.state.take(update.weight())
    }
}

impl Publisher {
    /// The server starts: these stations are configured.
    pub fn start<S: Store>(&mut self, named: Vec<StationId>, store: &S, settings: &Settings) {
        self.named = named.into_iter().collect();
        self.renew();
        self.turn(store, settings);
    }

    /// The batch is recorded: `store` answers with it.
    pub fn recorded<S: Store>(&mut self, batch: &Batch, store: &S, settings: &Settings) {
        if self.queue.is_none() {
            return;
        }
        // First: whoever hears of the entry, and looks, finds what it says.
        self.said(&batch.said, settings);
        // Who was forgotten and who is new may be as many.
        let has_new = store.station_count() != self.stations || !batch.forgotten.is_empty();
        self.look_whether_asked();
        if self.is_behind {
            self.turn(store, settings);
            return;
        }
        let Batch { events, alarms, silent_together, lives, .. } = batch;
        if !has_new
            && events.is_empty()
            && alarms.is_empty()
            && silent_together.is_empty()
            && lives.is_empty()
        {
            return;
        }
        self.stations = store.station_count();
        let new = batch.changes.iter().filter(|change| has_new && change.slot.is_none());
        let recorded = Recorded {
            forgotten: batch.forgotten.iter().map(|(id, _)| *id).collect(),
            stations: new
                .filter_map(|change| store.find(change.id).map(|(slot, _)| (change.id, slot)))
                .collect(),
            alarms: alarms
                .iter()
                .map(|(key, _)| (key.clone(), store.alarms().own_facts(key).cloned()))
                .collect(),
            together: silent_together.clone(),
            lives: lives.clone(),
            sequence: (!events.is_empty()).then_some(batch.sequence),
        };
        self.push(Update::Recorded(Box::new(recorded)));
    }

    /// People said this in a batch that is recorded, and these settings follow.
    pub fn said(&mut self, said: &[NewSays], settings: &Settings) {
        let resettled = |&id: &StationId| {
            let holds = *settings.of(id);
            let area = holds.area.map(|area| settings.area_name(area).into());
            Resettled { id, holds, area, is_named: settings.is_said(id) }
        };
        for new in said {
            match new {
                NewSays::Station(id, _) => self.resettled(vec![resettled(id)]),
                NewSays::Area(name, _) => {
                    let stations =
                        settings.area_named(name).map_or(&[][..], |area| settings.stations_of(area));
                    if stations.len() > RESETTLED_MAX {
                        self.renew();
                    } else {
                        self.resettled(stations.iter().map(resettled).collect());
                    }
                }
                NewSays::Fleet(_) => self.renew(),
            }
        }
    }

    /// Other settings hold for these stations, from a batch on that is recorded.
    pub fn resettled(&mut self, stations: Vec<Resettled>) {
        for Resettled { id, is_named, .. } in &stations {
            if *is_named {
                self.named.insert(*id)
            } else {
                self.named.remove(id)
            };
        }
        if self.queue.is_some() && !self.is_behind && !stations.is_empty() {
            self.push(Update::Resettled(stations));
        }
    }

    /// Much is another now: the store was opened again, or the settings of all
    /// stations changed. The whole follows with the next batch or turn.
    pub fn renew(&mut self) {
        self.set_behind(true);
    }

    fn set_behind(&mut self, is_behind: bool) {
        self.is_behind = is_behind;
        if let Some(queue) = &self.queue {
            queue.state.set_behind(is_behind);
        }
    }

    /// The follower may have lost what it had.
    fn look_whether_asked(&mut self) {
        if self.queue.as_ref().is_some_and(|queue| queue.state.is_asked()) {
            self.renew();
        }
    }

    /// The follower is to fail.
    #[cfg(test)]
    pub(crate) fn mistake(&mut self) {
        self.push(Update::Mistake);
    }

    /// Whether the whole is to follow.
    #[cfg(test)]
    pub(crate) fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// Publishes the whole if that is to be done and the follower has time for it.
    pub fn turn<S: Store>(&mut self, store: &S, settings: &Settings) {
        self.look_whether_asked();
        let Some(queue) = &self.queue else { return };
        if !self.is_behind || queue.state.weight() > 0 {
            return;
        }
        self.stations = store.station_count();
        let places = || (0..store.places()).map(Slot::new);
        let whole = Whole {
            board: store.board(),
            stations: places().map(|slot| store.station(slot).0).collect(),
            vacant: places().filter(|slot| store.is_vacant(*slot)).collect(),
            alarms: store.alarms().clone(),
            lives: store.lives().clone(),
            settings: settings.clone(),
            named: self.named.clone(),
            sequence: store.sequence(),
        };
        self.push(Update::Whole(Box::new(whole)));
        self.set_behind(false);
    }

    fn push(&mut self, update: Update) {
        let Some(Pushed { updates, state }) = &self.queue else { return };
        let more = update.weight();
        let waiting = state.weight();
        // One that is too large by itself is taken when nothing waits.
        if waiting > 0 && waiting + more > QUEUED_MAX {
            self.set_behind(true);
            return;
        }
        state.push(more);
        if updates.send(update).is_err() {
            tracing::error!("nobody follows what is recorded any more: what is shown stays as it is");
            self.queue = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use waterwatch_core::alarm::{AlarmSource, Ledger};

    use super::*;
    use crate::live::tests::Memory;
    use crate::station_says::StationSays;

    #[test]
    fn what_people_said_is_published_before_its_entry_is_told() {
        let (mut publisher, queue) = open();
        let (store, mut settings) = (Memory::default(), Settings::default());
        publisher.start(Vec::new(), &store, &settings);
        queue.updates.try_iter().for_each(|update| drop(queue.taken(&update)));
        let id = StationId::new(7).unwrap();
        let mut says = StationSays::default();
        says.say("name", waterwatch_core::settings::Said::Text("North lift")).unwrap();
        let said = vec![NewSays::Station(id, Box::new(says))];
        said[0].settle(&mut settings);
        let mut batch = Batch { sequence: 8, said, ..Batch::default() };
        let mut ledger = Ledger { sequence: &mut batch.sequence, events: &mut batch.events };
        ledger.settings_changed(AlarmSource::Station(id), 0, "Ana", "name \"North lift\"");
        publisher.recorded(&batch, &store, &settings);
        let updates: Vec<Update> = queue.updates.try_iter().collect();
        let [Update::Resettled(stations), Update::Recorded(recorded)] = &updates[..] else {
            panic!("{updates:?}")
        };
        assert_eq!((stations[0].id, stations[0].is_named), (id, true));
        assert_eq!(recorded.sequence, Some(9));
    }
}
