//! waterwatch's own intake and writer over a store that discards: what the
//! network, the lane and the decisions cost without the disk.

use std::path::PathBuf;

use waterwatch::config::ServeOptions;
use waterwatch::failure::Failure;
use waterwatch::server;
use waterwatch::store::{Batch, Store, StoreError};
use waterwatch_core::{Station, StationId};

pub(super) fn serve(data: PathBuf) -> anyhow::Result<()> {
    let options =
        ServeOptions { data: Some(data), listen: vec!["127.0.0.1:0".parse()?], ..ServeOptions::default() };
    let served = server::serve_from(options, |_, _| Ok(Discard { sequence: 0 }));
    served.map_err(|failure| match failure {
        Failure::Failed(error) | Failure::WrongInput(error) => error,
    })
}

/// Keeps nothing but the sequence, without which no report can be decided.
struct Discard {
    sequence: i64,
}

impl Store for Discard {
    fn station(&self, _: StationId) -> Option<Station> {
        None
    }

    fn station_count(&self) -> usize {
        0
    }

    fn sequence(&self) -> i64 {
        self.sequence
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.sequence = batch.sequence;
        Ok(())
    }

    fn reopen(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}
