//! One transaction: what is due to be folded, and a batch.

use std::time::{Duration, Instant};

use rusqlite::TransactionBehavior;
use waterwatch_core::StationId;

use super::super::alarm_rows;
use super::super::contest_rows;
use super::super::life_rows;
use super::super::schema;
use super::super::settings;
use super::super::token_rows;
use super::super::{Batch, Change};
use super::SqliteStore;
use super::folding::Folding;
use super::rows::{self, StateRows, StatusRows};

/// What a transaction came to.
pub(super) struct Recorded {
    /// How many bytes were journaled, if any.
    pub(super) journaled: Option<u64>,
    /// How many spans have rows after it.
    pub(super) span_rows: u64,
    /// How long the folding took of it.
    pub(super) fold_time: Duration,
}

impl SqliteStore {
    /// Writes one transaction.
    pub(super) fn record(&mut self, batch: Option<&Batch>, folding: &Folding) -> rusqlite::Result<Recorded> {
        let SqliteStore {
            open,
            last_date,
            stations,
            alarms,
            spans,
            journal,
            alive,
            knew_no_alarms,
            unreadable,
            limits,
            ..
        } = self;
        let mut span_rows = self.span_rows;
        let mut fold_time;
        let open = open.as_mut().ok_or(rusqlite::Error::InvalidQuery)?;
        let transaction = open.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut status = StatusRows::of(&transaction, last_date)?;
            let mut state = StateRows::of(&transaction)?;
            let ended = |id: StationId| spans.range((id, i64::MIN)..=(id, i64::MAX));
            let folds_since = (!folding.is_empty()).then(Instant::now);
            for &slot in &folding.status.slots {
                let (id, station) = stations.at(slot);
                status.write(*id, station)?;
            }
            for &slot in &folding.state.slots {
                let (id, station) = stations.at(slot);
                state.write(*id, station)?;
                for (_, span) in ended(*id) {
                    span_rows += 1;
                    rows::write_span(&transaction, *id, span)?;
                }
            }
            fold_time = folds_since.map_or(Duration::ZERO, |since| since.elapsed());
            if let Some(batch) = batch {
                for (id, _) in &batch.forgotten {
                    span_rows = span_rows.saturating_sub(rows::forget(&transaction, *id)?);
                }
                for change in at_once(batch) {
                    status.write(change.id, &change.station)?;
                    state.write(change.id, &change.station)?;
                    // What the journal ended of one that is forgotten is of before that.
                    let is_forgotten = batch.forgotten.iter().any(|(id, _)| *id == change.id);
                    for (_, span) in ended(change.id).filter(|_| !is_forgotten) {
                        span_rows += 1;
                        rows::write_span(&transaction, change.id, span)?;
                    }
                }
                for (place, span) in &batch.spans {
                    let change = &batch.changes[*place as usize];
                    if batch.writes_at_once(change) {
                        span_rows += 1;
                        rows::write_span(&transaction, change.id, span)?;
                    }
                }
            }
        }
        let journaled = match batch {
            Some(batch) => {
                alarm_rows::write(&transaction, batch, alarms, unreadable)?;
                life_rows::write(&transaction, &batch.lives)?;
                contest_rows::write(&transaction, &batch.contests)?;
                settings::write(&transaction, &batch.said)?;
                token_rows::write(&transaction, &batch.tokens)?;
                alive.write(&transaction, batch)?;
                if batch.has_found && *knew_no_alarms {
                    schema::set_judged(&transaction)?;
                }
                journal.write(&transaction, batch)?
            }
            None => None,
        };
        if let Some(drop_to) = folding.drop_to {
            let since = Instant::now();
            rows::drop_journal(&transaction, drop_to)?;
            fold_time += since.elapsed();
        }
        if span_rows > limits.spans_max {
            span_rows -= rows::drop_spans(&transaction, span_rows - limits.spans_max)?;
        }
        transaction.commit()?;
        Ok(Recorded { journaled, span_rows, fold_time })
    }
}

/// The stations whose rows the batch writes, in the order of their ids:
/// neighbours share a page.
fn at_once(batch: &Batch) -> Vec<&Change> {
    let mut changes: Vec<_> = batch.changes.iter().filter(|change| batch.writes_at_once(change)).collect();
    changes.sort_unstable_by_key(|change| change.id);
    changes
}
