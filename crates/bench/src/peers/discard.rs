//! waterwatch's own intake and writer over a store that discards: what the
//! network, the lane and the decisions cost without the disk.

use std::path::PathBuf;

use waterwatch::config::{Http, ServeOptions};
use waterwatch::failure::Failure;
use waterwatch::server;
use waterwatch::store::stations::Stations;
use waterwatch::store::{Alarms, Batch, Contests, Slot, Store, StoreError};
use waterwatch_core::{Station, StationId};

pub(super) fn serve(data: PathBuf) -> anyhow::Result<()> {
    let options = ServeOptions {
        data: Some(data),
        listen: vec!["127.0.0.1:0".parse()?],
        http: Some(Http::Off),
        ..ServeOptions::default()
    };
    let served = server::serve_from(options, |_, _| Ok(Discard::default()));
    served.map_err(|failure| match failure {
        Failure::Failed(error) | Failure::WrongInput(error) => error,
    })
}

/// Keeps the states, without which no report can be decided, in memory
/// alone.
#[derive(Default)]
struct Discard {
    stations: Stations,
    alarms: Alarms,
    contests: Contests,
    sequence: i64,
}

impl Store for Discard {
    fn find(&self, id: StationId) -> Option<(Slot, &Station)> {
        self.stations.find(id)
    }

    fn station_count(&self) -> usize {
        self.stations.len()
    }

    fn station(&self, slot: Slot) -> (StationId, &Station) {
        let (id, station) = self.stations.at(slot);
        (*id, station)
    }

    fn alarms(&self) -> &Alarms {
        &self.alarms
    }

    fn contests(&self) -> &Contests {
        &self.contests
    }

    fn sequence(&self) -> i64 {
        self.sequence
    }

    fn alive_until_ms(&self) -> Option<i64> {
        None
    }

    fn listener(&mut self, _: &str) -> anyhow::Result<u16> {
        Ok(1)
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        for change in &batch.changes {
            match change.slot {
                Some(slot) => self.stations.set(slot, change.station),
                None => drop(self.stations.add(change.id, change.station)),
            }
        }
        self.alarms.apply(batch);
        self.contests.apply(&batch.contests);
        self.sequence = batch.sequence;
        Ok(())
    }

    fn reopen(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}
