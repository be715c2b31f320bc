//! The rows of `silent_together`: a million stations that fall silent at once
//! are a few of them.

use std::collections::BTreeMap;

use rusqlite::{Transaction, params};
use waterwatch_core::StationId;
use waterwatch_core::alarm::AlarmSource;

use super::alarms::{Alarms, SilentTogether};
use super::{Batch, station_list};

/// Writes who shares the facts of a silence after the batch, and who does not
/// any more; `known` is how it was before.
pub(super) fn write(transaction: &Transaction<'_>, batch: &Batch, known: &Alarms) -> rusqlite::Result<()> {
    let left = left(batch, known);
    if left.is_empty() && batch.silent_together.is_empty() {
        return Ok(());
    }
    let mut insert = transaction.prepare_cached(
        "INSERT INTO silent_together (occurrence, silent_since, stations) VALUES (?1, ?2, ?3)",
    )?;
    let mut delete = transaction.prepare_cached("DELETE FROM silent_together WHERE occurrence = ?1")?;
    for (occurrence, stations) in left {
        if known.standing_for().any(|all| all == (occurrence, stations.len())) {
            // Nobody is left.
            delete.execute([occurrence])?;
        } else {
            insert.execute(params![occurrence, None::<i64>, station_list::encode(&stations)])?;
        }
    }
    for SilentTogether { occurrence, since_ms, stations } in &batch.silent_together {
        insert.execute(params![occurrence, since_ms, station_list::encode(stations)])?;
    }
    Ok(())
}

/// Those whose facts are their own, or at rest, after the batch, by the
/// occurrence that stood for them; in order.
fn left(batch: &Batch, known: &Alarms) -> BTreeMap<i64, Vec<StationId>> {
    let mut left: BTreeMap<i64, Vec<StationId>> = BTreeMap::new();
    for (key, _) in &batch.alarms {
        if let (AlarmSource::Station(id), Some(occurrence)) = (&key.0, known.together(key)) {
            left.entry(occurrence).or_default().push(*id);
        }
    }
    for stations in left.values_mut() {
        stations.sort_unstable();
    }
    left
}
