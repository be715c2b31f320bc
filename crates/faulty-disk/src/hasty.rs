//! A store that acknowledges before it commits: what no test of durability
//! may let pass.

use std::collections::HashMap;
use std::time::Instant;

use waterwatch::store::sqlite::SqliteStore;
use waterwatch::store::{Alarms, Batch, Contests, Lives, Settled, Slot, Store, StoreError, Tokens};
use waterwatch_core::settings::Fleet;
use waterwatch_core::silence::Gap;
use waterwatch_core::{Station, StationId};

/// Says `Ok` to a batch at once and commits it with the next one, or at a
/// stop.
#[derive(Debug)]
pub struct HastyStore {
    store: SqliteStore,
    pending: Option<Pending>,
    /// The alarms, visits, retirements and contests with what is pending.
    alarms: Alarms,
    lives: Lives,
    contests: Contests,
}

#[derive(Debug)]
struct Pending {
    batch: Batch,
    /// Its stations, each with the place that it will have.
    stations: HashMap<StationId, (Slot, Station)>,
    /// Those that are new, in the order of their places.
    new: Vec<(StationId, Station)>,
}

impl HastyStore {
    /// Over the real one.
    #[must_use]
    pub fn over(store: SqliteStore) -> HastyStore {
        let (alarms, lives, contests) =
            (store.alarms().clone(), store.lives().clone(), store.contests().clone());
        HastyStore { store, pending: None, alarms, lives, contests }
    }

    fn commit_pending(&mut self) -> Result<(), StoreError> {
        match self.pending.take() {
            Some(pending) => self.store.commit(&pending.batch),
            None => Ok(()),
        }
    }
}

impl Store for HastyStore {
    fn find(&self, id: StationId) -> Option<(Slot, &Station)> {
        let pending = self.pending.as_ref().and_then(|pending| pending.stations.get(&id));
        pending.map(|(slot, station)| (*slot, station)).or_else(|| self.store.find(id))
    }

    fn station_count(&self) -> usize {
        let new = self.pending.iter().flat_map(|pending| &pending.batch.changes);
        self.store.station_count() + new.filter(|change| change.slot.is_none()).count()
    }

    fn places(&self) -> usize {
        self.store.places() + (self.station_count() - self.store.station_count())
    }

    fn is_vacant(&self, slot: Slot) -> bool {
        self.store.is_vacant(slot)
    }

    fn station(&self, slot: Slot) -> (StationId, &Station) {
        let known = self.store.places();
        if let Some(place) = slot.index().checked_sub(known) {
            let new = self.pending.as_ref().and_then(|pending| pending.new.get(place));
            let (id, station) = new.expect("its place was given by us");
            return (*id, station);
        }
        let (id, station) = self.store.station(slot);
        let pending = self.pending.as_ref().and_then(|pending| pending.stations.get(&id));
        (id, pending.map_or(station, |(_, station)| station))
    }

    fn alarms(&self) -> &Alarms {
        &self.alarms
    }

    fn lives(&self) -> &Lives {
        &self.lives
    }

    fn contests(&self) -> &Contests {
        &self.contests
    }

    fn alive_until_ms(&self) -> Option<i64> {
        self.store.alive_until_ms()
    }

    fn gaps(&self, gaps_max: usize) -> Vec<Gap> {
        self.store.gaps(gaps_max)
    }

    fn knew_no_alarms(&self) -> bool {
        self.store.knew_no_alarms()
    }

    fn settings(&mut self, fleet: &Fleet) -> anyhow::Result<Settled> {
        self.store.settings(fleet)
    }

    fn tokens(&self) -> Option<&Tokens> {
        self.store.tokens()
    }

    fn sequence(&self) -> i64 {
        self.pending.as_ref().map_or_else(|| self.store.sequence(), |pending| pending.batch.sequence)
    }

    fn listener(&mut self, address: &str) -> anyhow::Result<u16> {
        self.store.listener(address)
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.commit_pending()?;
        if !batch.forgotten.is_empty() || self.store.places() > self.store.station_count() {
            // Which places its stations will have is not foreseen.
            self.store.commit(batch)?;
            self.alarms = self.store.alarms().clone();
            self.lives = self.store.lives().clone();
            self.contests = self.store.contests().clone();
            return Ok(());
        }
        let mut next = self.store.station_count();
        let place = |change: &waterwatch::store::Change| {
            let slot = change.slot.unwrap_or_else(|| {
                next += 1;
                Slot::new(next - 1)
            });
            (change.id, (slot, change.station))
        };
        let stations = batch.changes.iter().map(place).collect();
        let new = batch.changes.iter().filter(|change| change.slot.is_none());
        let new = new.map(|change| (change.id, change.station)).collect();
        self.alarms.apply(batch);
        self.lives.apply(&batch.lives);
        self.contests.apply(&batch.contests);
        self.pending = Some(Pending { batch: batch.clone(), stations, new });
        Ok(())
    }

    fn due(&self) -> Option<Instant> {
        self.store.due()
    }

    fn tend(&mut self) -> Result<bool, StoreError> {
        self.store.tend()
    }

    fn settle(&mut self, until: Instant) -> Result<(), StoreError> {
        self.commit_pending()?;
        self.store.settle(until)
    }

    fn reopen(&mut self) -> anyhow::Result<()> {
        self.pending = None;
        self.store.reopen()?;
        self.alarms = self.store.alarms().clone();
        self.lives = self.store.lives().clone();
        self.contests = self.store.contests().clone();
        Ok(())
    }
}

impl Drop for HastyStore {
    fn drop(&mut self) {
        let _ = self.commit_pending();
    }
}
