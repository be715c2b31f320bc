//! What is in the journal, and what of it one transaction folds.

use std::collections::VecDeque;

use super::super::Batch;
use super::super::journal::{self, Entry};
use super::super::sweep::Slice;
use super::rows;

/// What a row of the journal costs beside its bytes, in bytes.
const ROW_BYTES: u64 = 2_048;

/// Spans that are kept until their rows are written, about; 100 bytes each.
/// They come many at once only when a whole fleet is heard again after a
/// while.
const SPANS_MAX: u64 = 262_144;

/// What is in the journal.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// Its commits with their bytes, the oldest first.
    pub(super) commits: VecDeque<(i64, u64)>,
    /// All of their bytes, with what a row costs.
    bytes: u64,
    /// Bytes that were journaled since the state's round began, and spans
    /// that were ended.
    bytes_in_round: u64,
    spans_in_round: usize,
    /// Where a commit is put together.
    scratch: Vec<u8>,
}

/// What one transaction writes beside its batch.
#[derive(Debug, Default)]
pub(super) struct Folding {
    pub(super) status: Slice,
    pub(super) state: Slice,
    /// The journal is no longer needed up to this commit.
    pub(super) drop_to: Option<i64>,
}

impl Folding {
    pub(super) fn is_empty(&self) -> bool {
        self.status.is_empty() && self.state.is_empty() && self.drop_to.is_none()
    }
}

impl Journal {
    /// One with these commits, which ended so many spans.
    pub(super) fn of(commits: VecDeque<(i64, u64)>, spans: usize) -> Journal {
        let bytes = commits.iter().map(|(_, bytes)| bytes + ROW_BYTES).sum();
        Journal { commits, bytes, bytes_in_round: bytes, spans_in_round: spans, scratch: Vec::new() }
    }

    /// The state's round began afresh.
    pub(super) fn begin_round(&mut self) {
        (self.bytes_in_round, self.spans_in_round) = (0, 0);
    }

    /// The share of the state's round that must be done by now, so that
    /// neither the journal nor the spans without a row become too many.
    pub(super) fn hurry(&self, bytes_max: u64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let share = |are: u64, max: u64| are as f64 / max as f64;
        // Half, since there are two rounds at most: the one that is folded and
        // the one that comes in.
        share(self.bytes_in_round, bytes_max / 2).max(share(self.spans_in_round as u64, SPANS_MAX / 2))
    }

    /// How many bytes it has, with what its rows cost.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Up to which commit it may be deleted, so that about `bytes_max` go, if
    /// every row is written up to `folded_to`.
    pub(super) fn droppable(&self, folded_to: i64, bytes_max: u64) -> Option<i64> {
        let mut bytes = 0;
        self.commits
            .iter()
            .take_while(|(sequence, _)| *sequence <= folded_to)
            .take_while(|(_, length)| {
                let goes = bytes < bytes_max;
                bytes += length + ROW_BYTES;
                goes
            })
            .last()
            .map(|(sequence, _)| *sequence)
    }

    /// The commits up to this one are deleted.
    pub(super) fn dropped(&mut self, up_to: i64) {
        while self.commits.front().is_some_and(|(sequence, _)| *sequence <= up_to) {
            if let Some((_, bytes)) = self.commits.pop_front() {
                self.bytes -= bytes + ROW_BYTES;
            }
        }
    }

    /// A commit was written: its sequence, its bytes, and how many spans it
    /// ended.
    pub(super) fn written(&mut self, sequence: i64, bytes: u64, spans: usize) {
        self.commits.push_back((sequence, bytes));
        self.bytes += bytes + ROW_BYTES;
        self.bytes_in_round += bytes + ROW_BYTES;
        self.spans_in_round += spans;
    }

    /// The share of a round of `station_status` that must be done by now: all
    /// of it, once the journal has nearly as many bytes as it may have.
    pub(super) fn hurry_all(&self, bytes_max: u64) -> f64 {
        if self.bytes > bytes_max / 4 * 3 { 1.0 } else { 0.0 }
    }

    /// Writes what of the batch is not written at once; returns its bytes.
    pub(super) fn write(
        &mut self,
        transaction: &rusqlite::Transaction<'_>,
        batch: &Batch,
    ) -> rusqlite::Result<Option<u64>> {
        let mut later = batch.changes.iter().filter(|change| !batch.writes_at_once(change)).peekable();
        if later.peek().is_none() {
            return Ok(None);
        }
        let mut writer = journal::Writer::begin(&mut self.scratch, batch.reports, batch.sequence);
        later.for_each(|change| writer.push(&Entry::of(change)));
        rows::write_journal(transaction, batch.sequence, batch.received_at_ms, &self.scratch)?;
        Ok(Some(self.scratch.len() as u64))
    }
}
