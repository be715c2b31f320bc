//! A commit and what it folds, and what is known once it is done.

use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

use rusqlite::ErrorCode;
use waterwatch_core::{Span, StationId};

use super::folding::Folding;
use super::ours::{classify, closed};
use super::{Open, SqliteStore};
use crate::store::alarms::AlarmKey;
use crate::store::{Batch, StoreError, last_date};

/// Bytes of the journal that are deleted in one transaction, at most, and not
/// counting the last commit of them: it holds up a commit.
const DROP_BYTES_MAX: u64 = 2 << 20;

/// Rows that a transaction of the end writes: the end is checked for after
/// each.
const SETTLE_ROWS: usize = 65_536;

impl SqliteStore {
    pub(super) fn commit_with_what_is_due(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.check_still_ours()?;
        self.tend_log()?;
        let folding = self.folding();
        self.write(Some(batch), &folding)
    }

    pub(super) fn fold_what_is_due(&mut self) -> Result<bool, StoreError> {
        self.check_still_ours()?;
        self.tend_log()?;
        let folding = self.folding();
        if folding.is_empty() {
            // The hand moves on all the same.
            self.folded(&folding);
            self.wrote = Instant::now();
            return Ok(false);
        }
        self.write(None, &folding).map(|()| true)
    }

    pub(super) fn fold_all(&mut self, until: Instant) -> Result<(), StoreError> {
        if self.journal.commits.is_empty() {
            return Ok(());
        }
        self.check_still_ours()?;
        let now = Instant::now();
        self.status.begin(now, self.sequence);
        self.state.begin(now, self.sequence);
        while self.status.behind() > 0 || self.state.behind() > 0 {
            let all = self.stations.places();
            let status = self.status.slice_to(&self.stations, all, SETTLE_ROWS);
            let state = self.state.slice_to(&self.stations, all, SETTLE_ROWS);
            self.write(None, &Folding { status, state, drop_to: None })?;
            if Instant::now() >= until {
                tracing::info!("the journal is left to the next start");
                return Ok(());
            }
        }
        let drop_to = self.droppable(u64::MAX);
        self.write(None, &Folding { drop_to, ..Folding::default() })
    }

    /// One transaction: what is due to be folded, and the batch if there is
    /// one. In this order, for a station in both ends as the batch has it.
    pub(super) fn write(&mut self, batch: Option<&Batch>, folding: &Folding) -> Result<(), StoreError> {
        let recorded = self.record(batch, folding);
        self.wrote = Instant::now();
        let recorded = recorded.map_err(|error| {
            self.disk_was_full = error.sqlite_error_code() == Some(ErrorCode::DiskFull);
            classify(&error)
        })?;
        self.disk_was_full = false;
        self.span_rows = recorded.span_rows;
        self.folds += u64::from(!folding.is_empty());
        self.fold_time += recorded.fold_time;
        self.folded(folding);
        if let Some(batch) = batch {
            self.remember(batch, recorded.journaled);
            if !self.unreadable.is_empty() {
                let written: HashSet<&AlarmKey> = batch.alarms.iter().map(|(key, _)| key).collect();
                self.unreadable.retain(|row| row.alarm.as_ref().is_none_or(|key| !written.contains(key)));
            }
        }
        Ok(())
    }

    /// What was folded is no longer behind.
    fn folded(&mut self, folding: &Folding) {
        let now = Instant::now();
        let stations = self.stations.places();
        for &slot in &folding.state.slots {
            forget_spans(&mut self.spans, self.stations.at(slot).0);
        }
        let round_is_over = self.status.written(&folding.status, stations, now, self.sequence);
        if self.state.written(&folding.state, stations, now, self.sequence) {
            self.journal.begin_round();
        }
        if let Some(drop_to) = folding.drop_to {
            self.journal.dropped(drop_to);
        }
        if (round_is_over || self.status.behind() == 0) && self.stations.is_out_of_order() {
            self.stations.put_in_order();
            self.status.begin(now, self.sequence);
            self.state.begin(now, self.sequence);
        }
    }

    /// The batch is recorded: its copies become the state.
    fn remember(&mut self, batch: &Batch, journaled: Option<u64>) {
        let now = Instant::now();
        let mut spans = 0;
        for (place, span) in &batch.spans {
            let change = &batch.changes[*place as usize];
            if !batch.writes_at_once(change) {
                self.spans.insert((change.id, span.sequence), *span);
                spans += 1;
            }
        }
        for &(id, _) in &batch.forgotten {
            if let Some(slot) = self.stations.remove(id) {
                self.status.unmark(slot);
                self.state.unmark(slot);
            }
            forget_spans(&mut self.spans, id);
        }
        for change in &batch.changes {
            let Some(slot) = change.slot else {
                self.stations.add(change.id, change.station);
                continue;
            };
            if batch.writes_at_once(change) {
                self.status.unmark(slot);
                self.state.unmark(slot);
                forget_spans(&mut self.spans, change.id);
            } else {
                if self.state.behind() == 0 {
                    self.journal.begin_round();
                }
                self.state.mark(slot, now, self.sequence);
                // The same minute is the same row.
                let before = self.stations.at(slot).1.received_at_ms;
                if !last_date::is_same(before, change.station.received_at_ms) {
                    self.status.mark(slot, now, self.sequence);
                }
            }
            self.stations.set(slot, change.station);
        }
        if let Some(bytes) = journaled {
            self.journal.written(batch.sequence, bytes, spans);
        }
        self.alarms.apply(batch);
        self.lives.apply(&batch.lives);
        self.contests.apply(&batch.contests);
        self.tokens.apply(&batch.tokens);
        self.alive.recorded(batch);
        self.knew_no_alarms &= !batch.has_found;
        self.sequence = batch.sequence;
    }

    /// What a transaction now should fold.
    fn folding(&self) -> Folding {
        let now = Instant::now();
        let hurry = self.journal.hurry(self.limits.journal_bytes_max);
        Folding {
            // The journal goes only once both have passed.
            status: self.status.slice(
                &self.stations,
                now,
                self.journal.hurry_all(self.limits.journal_bytes_max),
            ),
            state: self.state.slice(&self.stations, now, hurry),
            drop_to: self.droppable(DROP_BYTES_MAX),
        }
    }

    /// Up to which commit the journal may be deleted.
    pub(super) fn droppable(&self, bytes_max: u64) -> Option<i64> {
        let folded_to = self.status.folded_to(self.sequence).min(self.state.folded_to(self.sequence));
        self.journal.droppable(folded_to, bytes_max)
    }

    fn tend_log(&mut self) -> Result<(), StoreError> {
        let Some(Open { checkpointer, connection }) = &mut self.open else { return Err(closed()) };
        if self.disk_was_full {
            checkpointer.make_room(connection)?;
        }
        checkpointer.tend(connection)
    }
}

fn forget_spans(spans: &mut BTreeMap<(StationId, i64), Span>, id: StationId) {
    while let Some((&key, _)) = spans.range((id, i64::MIN)..=(id, i64::MAX)).next() {
        spans.remove(&key);
    }
}
