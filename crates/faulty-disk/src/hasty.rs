//! A store that acknowledges before it commits: what no test of durability
//! may let pass.

use std::collections::HashMap;
use std::time::Instant;

use waterwatch::store::sqlite::SqliteStore;
use waterwatch::store::{Batch, Slot, Store, StoreError};
use waterwatch_core::{Station, StationId};

/// Says `Ok` to a batch at once and commits it with the next one, or at a
/// stop.
#[derive(Debug)]
pub struct HastyStore {
    store: SqliteStore,
    pending: Option<Pending>,
}

#[derive(Debug)]
struct Pending {
    batch: Batch,
    /// Its stations, each with the place that it will have.
    stations: HashMap<StationId, (Slot, Station)>,
}

impl HastyStore {
    /// Over the real one.
    #[must_use]
    pub fn over(store: SqliteStore) -> HastyStore {
        HastyStore { store, pending: None }
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

    fn sequence(&self) -> i64 {
        self.pending.as_ref().map_or_else(|| self.store.sequence(), |pending| pending.batch.sequence)
    }

    fn listener(&mut self, address: &str) -> anyhow::Result<u16> {
        self.store.listener(address)
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.commit_pending()?;
        let mut next = self.store.station_count();
        let place = |change: &waterwatch::store::Change| {
            let slot = change.slot.unwrap_or_else(|| {
                next += 1;
                Slot::new(next - 1)
            });
            (change.id, (slot, change.station))
        };
        let stations = batch.changes.iter().map(place).collect();
        self.pending = Some(Pending { batch: batch.clone(), stations });
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
        self.store.reopen()
    }
}

impl Drop for HastyStore {
    fn drop(&mut self) {
        let _ = self.commit_pending();
    }
}
