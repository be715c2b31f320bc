//! A sweep: the hand that goes round and round over all stations and folds
//! those whose rows are behind.
//!
//! It moves at a pace that takes it round once in a period, so no row is
//! behind for longer than that; a station that reports a hundred times
//! meanwhile is written once. It goes in the order of the ids, since
//! neighbours share a page.
//!
//! It knows neither rows nor SQL: whoever writes takes a [`Slice`], and says
//! so once it is recorded.

use std::time::{Duration, Instant};

use super::stations::{Slot, Stations};

/// Stations that the hand passes in one slice, at least: shorter steps would
/// write pages twice where they meet.
const POSITIONS_MIN: usize = 1_024;

/// Rows in one slice, at most: it holds up a commit. So many are due only if
/// commits are so few that they wait longer for the disk than for this.
const ROWS_MAX: usize = 65_536;

/// Rows to be folded and the hand that folds them.
#[derive(Debug)]
pub struct Sweep {
    behind: Marks,
    period: Duration,
    /// The next place in the order to look at.
    hand: usize,
    /// When this round began, and the newest report then.
    began: Instant,
    began_at: i64,
    /// No report up to this sequence is still to be folded.
    folded_to: i64,
}

/// Stations whose rows are written together.
#[derive(Debug, Default)]
pub struct Slice {
    /// In the order in which they are to be written.
    pub slots: Vec<Slot>,
    hand: usize,
}

impl Sweep {
    /// One that takes `period` for a round, over rows none of which is behind
    /// the report `folded_to` but those of `behind`. `newest` is the newest
    /// that is recorded.
    #[must_use]
    pub fn new(period: Duration, behind: Marks, folded_to: i64, newest: i64) -> Sweep {
        Sweep { behind, period, hand: 0, began: Instant::now(), began_at: newest, folded_to }
    }

    /// This station's row is behind from now on. `sequence` is the newest
    /// report before the one that makes it so.
    pub fn mark(&mut self, slot: Slot, now: Instant, sequence: i64) {
        if self.behind.count == 0 {
            self.begin(now, sequence);
        }
        self.behind.insert(slot);
    }

    /// This station's row is written.
    pub fn unmark(&mut self, slot: Slot) {
        self.behind.remove(slot);
    }

    /// Begins a round afresh, as it must when the order is another one.
    pub fn begin(&mut self, now: Instant, sequence: i64) {
        (self.hand, self.began, self.began_at) = (0, now, sequence);
    }

    /// No report up to this sequence is still to be folded. `newest` is the
    /// newest that is recorded.
    #[must_use]
    pub fn folded_to(&self, newest: i64) -> i64 {
        if self.behind.count == 0 { newest } else { self.folded_to }
    }

    /// How many rows are behind.
    #[must_use]
    pub fn behind(&self) -> usize {
        self.behind.count
    }

    /// When the next slice is due, if nothing hurries it.
    #[must_use]
    pub fn due(&self, stations: usize) -> Option<Instant> {
        if self.behind.count == 0 {
            return None;
        }
        let next = (self.hand + POSITIONS_MIN).min(stations).max(1);
        #[expect(clippy::cast_precision_loss, reason = "a time")]
        let share = next as f64 / stations.max(1) as f64;
        Some(self.began + self.period.mul_f64(share.min(1.0)))
    }

    /// The rows that are due; none if none are. `hurry` is the share of the
    /// round that must be done whatever the time.
    #[must_use]
    pub fn slice(&self, stations: &Stations, now: Instant, hurry: f64) -> Slice {
        let share =
            now.saturating_duration_since(self.began).as_secs_f64() / self.period.as_secs_f64().max(1e-3);
        let share = share.max(hurry).min(1.0);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a number of stations"
        )]
        let due = (stations.places() as f64 * share) as usize;
        let step = due.saturating_sub(self.hand);
        if self.behind.count == 0 || (step < POSITIONS_MIN && due < stations.places()) {
            return Slice { slots: Vec::new(), hand: self.hand };
        }
        self.slice_to(stations, due, ROWS_MAX)
    }

    /// The rows from the hand on to a place in the order, `rows_max` at most.
    #[must_use]
    pub fn slice_to(&self, stations: &Stations, position: usize, rows_max: usize) -> Slice {
        let mut slice = Slice { slots: Vec::new(), hand: self.hand };
        while slice.hand < position && slice.slots.len() < rows_max {
            let slot = stations.in_order(slice.hand);
            if self.behind.contains(slot) {
                slice.slots.push(slot);
            }
            slice.hand += 1;
        }
        slice
    }

    /// The slice is recorded. `newest` is the newest report that was recorded
    /// before it. True if that ended a round.
    pub fn written(&mut self, slice: &Slice, stations: usize, now: Instant, newest: i64) -> bool {
        for &slot in &slice.slots {
            self.behind.remove(slot);
        }
        self.hand = slice.hand;
        if self.hand < stations {
            return false;
        }
        // Whatever was behind when the round began has been passed since.
        self.folded_to = self.began_at;
        self.begin(now, newest);
        true
    }
}

impl Slice {
    /// Whether recording it would change nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}

/// A set of stations.
#[derive(Debug, Default)]
pub struct Marks {
    words: Vec<u64>,
    count: usize,
}

impl Marks {
    /// Whether a station is in it.
    #[must_use]
    pub fn contains(&self, slot: Slot) -> bool {
        self.words.get(slot.index() / 64).is_some_and(|word| word >> (slot.index() % 64) & 1 == 1)
    }

    /// Adds a station.
    pub fn insert(&mut self, slot: Slot) {
        let place = slot.index() / 64;
        if self.words.len() <= place {
            self.words.resize(place + 1, 0);
        }
        let word = &mut self.words[place];
        let bit = 1 << (slot.index() % 64);
        self.count += usize::from(*word & bit == 0);
        *word |= bit;
    }

    /// Takes a station out.
    pub fn remove(&mut self, slot: Slot) {
        if let Some(word) = self.words.get_mut(slot.index() / 64) {
            let bit = 1 << (slot.index() % 64);
            self.count -= usize::from(*word & bit != 0);
            *word &= !bit;
        }
    }
}
