//! The last contact of every station in columns that anybody may read while the
//! writer goes on: nobody waits for anybody.
//!
//! One word a station: when it was heard and what its contacts were, which is
//! always of one report. Who has which place is not said here.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};

use waterwatch_core::Station;

use super::stations::Slot;

/// Stations in one piece: 128 KiB, so that a small fleet pays little, and what is
/// there never moves.
const PIECE: usize = 1 << 14;

/// How many pieces there may be: for as many stations as `stations_max` can be.
const PIECES_MAX: usize = 100_000_000 / PIECE + 1;

/// What stands where nobody was heard. No time comes near it.
const NOBODY: i64 = i64::MIN;

/// The last contacts by the places of their stations.
#[derive(Debug)]
pub struct Board {
    pieces: Box<[OnceLock<Box<[AtomicI64]>>]>,
}

/// What a station said last, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// In milliseconds UTC; `None` if that is not known.
    pub received_at_ms: Option<i64>,
    /// The first alarm contact.
    pub alarm1: bool,
    /// The second alarm contact.
    pub alarm2: bool,
}

impl Default for Board {
    fn default() -> Board {
        Board { pieces: (0..PIECES_MAX).map(|_| OnceLock::new()).collect() }
    }
}

impl Board {
    /// The station at this place was heard. Only one thread may write.
    pub(super) fn set(&self, slot: Slot, station: &Station) {
        let (piece, place) = (slot.index() / PIECE, slot.index() % PIECE);
        // Beyond the last piece nobody is shown as heard: more stations than may be
        // are known only if the limit was another one.
        if let Some(piece) = self.pieces.get(piece) {
            let piece = piece.get_or_init(|| (0..PIECE).map(|_| AtomicI64::new(NOBODY)).collect());
            let contacts = i64::from(station.alarm1) << 1 | i64::from(station.alarm2);
            piece[place].store(station.received_at_ms << 2 | contacts, Ordering::Relaxed);
        }
    }

    /// Nobody is at this place any more. Only the one thread may write.
    pub(super) fn clear(&self, slot: Slot) {
        if let Some(piece) = self.pieces.get(slot.index() / PIECE).and_then(OnceLock::get) {
            piece[slot.index() % PIECE].store(NOBODY, Ordering::Relaxed);
        }
    }

    /// What the station at this place said last; `None` if nobody was heard there.
    #[must_use]
    pub fn get(&self, slot: Slot) -> Option<Heard> {
        let piece = self.pieces.get(slot.index() / PIECE)?.get()?;
        let word = piece[slot.index() % PIECE].load(Ordering::Relaxed);
        if word == NOBODY {
            return None;
        }
        let (alarm1, alarm2) = (word & 0b10 != 0, word & 0b01 != 0);
        // 0: taken over from an older server, and its date could not be read.
        Some(Heard { received_at_ms: Some(word >> 2).filter(|ms| *ms != 0), alarm1, alarm2 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use waterwatch_core::{OpenSpan, Origin};

    #[test]
    fn what_was_heard_is_read_back_whatever_the_place() {
        let board = Board::default();
        let station = |received_at_ms, alarm1, alarm2| Station {
            alarm1,
            alarm2,
            received_at_ms,
            sequence: 1,
            reports: 1,
            origin: Origin::default(),
            span: OpenSpan::default(),
        };
        let all = [(0, 1_700_000_000_123, true, false), (PIECE, -5, false, true), (PIECE - 1, 7, true, true)];
        for (slot, received_at_ms, alarm1, alarm2) in all {
            board.set(Slot::new(slot), &station(received_at_ms, alarm1, alarm2));
        }
        for (slot, received_at_ms, alarm1, alarm2) in all {
            let heard = Heard { received_at_ms: Some(received_at_ms), alarm1, alarm2 };
            assert_eq!(board.get(Slot::new(slot)), Some(heard));
        }
        board.set(Slot::new(1), &station(0, false, false));
        assert_eq!(board.get(Slot::new(1)).unwrap().received_at_ms, None);
        for slot in [2, 5 * PIECE, PIECE * PIECES_MAX] {
            assert_eq!(board.get(Slot::new(slot)), None);
        }
        board.set(Slot::new(PIECE * PIECES_MAX), &station(1, true, true));
    }
}
