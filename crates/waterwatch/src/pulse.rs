//! How far something that follows the ledger is behind it: what those ask who would
//! show what it shows.
//!
//! It is told of time in turns, and each counts for little: a machine that was
//! suspended, or a process that was stopped, makes nobody late.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// The pulse of one that follows. What it follows has numbers that only grow.
#[derive(Debug, Default)]
pub struct Pulse {
    /// Up to where it has followed.
    followed: AtomicI64,
    /// Where it must get to be as far as a turn found that it should be.
    awaited: AtomicI64,
    /// For how long that has been awaited, in milliseconds.
    behind_ms: AtomicU64,
    failures: AtomicU64,
}

impl Pulse {
    /// How often it should be told of a turn.
    pub const TURN: Duration = Duration::from_millis(500);

    /// What one turn counts for, at most.
    pub const TURN_COUNTS_MAX: Duration = Duration::from_secs(1);

    /// What is so far behind is not shown any more: no answer is better than one that
    /// hides an alarm. Far more than a storm takes, and less than anybody waits with
    /// a phone in the hand.
    pub const STALE_AFTER: Duration = Duration::from_secs(10);

    /// It has followed up to there.
    pub fn follows(&self, up_to: i64) {
        self.followed.fetch_max(up_to, Ordering::Relaxed);
    }

    /// It has failed by a mistake of ours.
    pub fn fails(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// How often it has failed since the start.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// So much time has passed, and it should be there by now. Only one may tell.
    pub fn turn(&self, newest: i64, passed: Duration) {
        let followed = self.followed.load(Ordering::Relaxed);
        let awaited = self.awaited.load(Ordering::Relaxed);
        if followed >= awaited {
            // What is new since the last turn has waited for none.
            self.behind_ms.store(0, Ordering::Relaxed);
            self.awaited.store(newest, Ordering::Relaxed);
            return;
        }
        // What was awaited may have become less: the whole, in the place of many.
        self.awaited.store(awaited.min(newest), Ordering::Relaxed);
        let passed_ms = passed.min(Pulse::TURN_COUNTS_MAX).as_millis();
        self.behind_ms.fetch_add(u64::try_from(passed_ms).unwrap_or(0), Ordering::Relaxed);
    }

    /// For how long it has been behind; not at all if it is level.
    #[must_use]
    pub fn behind(&self) -> Duration {
        let is_level = self.followed.load(Ordering::Relaxed) >= self.awaited.load(Ordering::Relaxed);
        let behind_ms = if is_level { 0 } else { self.behind_ms.load(Ordering::Relaxed) };
        Duration::from_millis(behind_ms)
    }

    /// Whether it is so far behind that what it shows is not to be believed.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.behind() >= Pulse::STALE_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: Duration = Pulse::TURN;

    #[test]
    fn who_follows_in_time_is_never_behind() {
        let pulse = Pulse::default();
        for newest in 1..100 {
            pulse.turn(newest * 10, TURN);
            assert_eq!(pulse.behind(), Duration::ZERO);
            pulse.follows(newest * 10);
        }
    }

    #[test]
    fn who_does_not_is_stale_and_level_again_at_once() {
        let pulse = Pulse::default();
        let mut turns = 0;
        while !pulse.is_stale() {
            pulse.turn(5 + turns, TURN);
            turns += 1;
        }
        assert_eq!(turns, 21);
        // What came meanwhile is not awaited yet.
        pulse.follows(5);
        assert!(!pulse.is_stale());
        pulse.turn(100, TURN);
        assert_eq!(pulse.behind(), Duration::ZERO);
    }

    #[test]
    fn a_machine_that_stood_still_makes_nobody_late() {
        let pulse = Pulse::default();
        pulse.turn(5, TURN);
        pulse.turn(5, Duration::from_secs(3_600));
        assert_eq!(pulse.behind(), Pulse::TURN_COUNTS_MAX);
    }

    #[test]
    fn the_whole_takes_the_place_of_all_that_was_awaited() {
        let pulse = Pulse::default();
        pulse.turn(i64::MAX, TURN);
        pulse.turn(i64::MAX, TURN);
        pulse.turn(8, TURN);
        assert_eq!(pulse.behind(), TURN * 2);
        pulse.follows(8);
        assert_eq!(pulse.behind(), Duration::ZERO);
    }
}
