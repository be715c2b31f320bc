//! Where states are kept: the narrow seam between the writer and the disk.
//!
//! Nothing but `store/` knows SQL. The writer is the only caller of
//! [`Store::commit`]; whoever only looks (`waterwatch status`) has a reader of
//! its own.

pub mod access;
pub mod backup;
pub mod import;
pub mod last_date;
pub mod lock;
pub mod new_file;
pub mod reader;
pub mod schema;
pub mod sqlite;

use thiserror::Error;
use waterwatch_core::{Station, StationId};

/// Holds every station's state, durably.
///
/// A trait because of its second implementation: the faulty store of the
/// writer's tests. Later a database that several nodes share is a third.
pub trait Store {
    /// A copy of what is known of a station.
    fn station(&self, id: StationId) -> Option<Station>;

    /// How many stations are known.
    fn station_count(&self) -> usize;

    /// The commit sequence of the newest report that is recorded; 0 if there
    /// is none.
    fn sequence(&self) -> i64;

    /// Records the whole batch in one transaction. Only after `Ok`, which
    /// means that it survives a power cut, do [`Store::station`] and
    /// [`Store::sequence`] answer with it.
    ///
    /// # Errors
    /// See [`StoreError`]: what is certain differs.
    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError>;

    /// Forgets all that is in memory, opens the database again and reads it
    /// afresh. Needed after [`StoreError::OutcomeUnknown`].
    ///
    /// # Errors
    /// If the database cannot be opened and read.
    fn reopen(&mut self) -> anyhow::Result<()>;
}

/// What one commit records.
#[derive(Debug, Default)]
pub struct Batch {
    /// Each station that changed, once, in the order of the ids: neighbours
    /// share a page.
    pub stations: Vec<(StationId, Station)>,
    /// The commit sequence of the batch's last report.
    pub sequence: i64,
}

/// Why a batch was not recorded.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Nothing was recorded, for certain: no room on the disk, or another
    /// program holds a lock. The same batch may be tried again.
    #[error("{0}")]
    Unavailable(String),
    /// It may have been recorded or not: a write or a sync failed. Nothing in
    /// memory counts any more.
    #[error("{0}")]
    OutcomeUnknown(String),
    /// The database was deleted or replaced under us. Nothing was recorded,
    /// and nothing may be written any more: what is there now is not ours.
    #[error("{0}")]
    Lost(String),
}
