//! Times in which nobody was heard, and jumps of the clock on the wall: what the ledger is
//! to say of them, until that is recorded.

use waterwatch_core::alarm::Ledger;

use super::Watch;
use crate::store::Batch;

/// A time in which nobody was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Blind {
    /// How long it was. Its entry says so exactly, since the next start counts
    /// with it; of several that became one, the entry begins so long before
    /// the end of the last.
    pub(super) lasted_ms: i64,
    /// When it ended; steady.
    pub(super) to_ms: i64,
    pub(super) reason: &'static str,
    /// Nothing could be stored at the last turn.
    pub(super) unstored: bool,
}

/// What the ledger is to say of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Note {
    Blind { from_ms: i64, to_ms: i64, reason: &'static str },
    ClockJumped { from_ms: i64, to_ms: i64 },
}

impl Watch {
    /// The wall jumped. Jumps that follow each other until they are recorded are
    /// one, so that a clock that flaps fills nothing.
    pub(super) fn jumped(&mut self, by_ms: i64) {
        let to_ms = self.turn.wall_ms;
        let before_ms = match self.notes.last() {
            Some(Note::ClockJumped { from_ms, to_ms }) => to_ms - from_ms,
            _ => 0,
        };
        if before_ms != 0 {
            self.notes.pop();
        }
        self.notes.push(Note::ClockJumped { from_ms: to_ms - by_ms - before_ms, to_ms });
    }

    /// Whether a blind time goes into the next batch. The first that is stored
    /// after it has it, so that no crash can make us forget it; others that
    /// follow closely wait and become one.
    pub(super) fn tells_blind(&self) -> bool {
        let lately = |told_ms| self.turn.steady_ms - told_ms < Self::BLIND_EVERY_MS;
        self.blind.is_some() && !self.blind_told_ms.is_some_and(lately)
    }

    /// Writes what is to be said of the server itself; all that there is if it
    /// is the last batch. Gives by how much the clock on the wall has jumped
    /// since that was last recorded.
    pub(in crate::writer) fn tell(&self, batch: &mut Batch, is_last: bool) -> i64 {
        batch.is_alive = is_last || self.is_alive_due();
        let mut ledger = Ledger { sequence: &mut batch.sequence, events: &mut batch.events };
        let mut jumped_ms = 0;
        for note in &self.notes {
            match *note {
                Note::Blind { from_ms, to_ms, reason } => ledger.was_blind(from_ms, to_ms, reason),
                Note::ClockJumped { from_ms, to_ms } => {
                    ledger.clock_jumped(from_ms, to_ms);
                    jumped_ms += to_ms - from_ms;
                }
            }
        }
        if let Some(blind) = self.blind.filter(|_| is_last || self.tells_blind()) {
            // As the wall shows it now: it may have jumped meanwhile.
            let to_ms = self.turn.wall_ms - (self.turn.steady_ms - blind.to_ms);
            ledger.was_blind(to_ms - blind.lasted_ms, to_ms, blind.reason);
        }
        jumped_ms
    }

    /// What was to be said of the server is recorded.
    pub(super) fn told(&mut self, blind: bool) {
        self.notes.clear();
        if blind {
            self.blind = None;
            self.blind_told_ms = Some(self.turn.steady_ms);
        }
    }
}
