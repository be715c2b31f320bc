//! The time in which the writer lives: the machine's, or one that is told.

use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustix::time::ClockId;
use waterwatch_core::silence::Now;

/// How far apart the two clocks may be read, in milliseconds: far less than a
/// wall may stray, far more than reading takes.
const APART_MAX_MS: i64 = 20;

/// A trait since the simulation's days pass in seconds.
pub(super) trait Clock {
    /// The clocks of this moment, by which is judged.
    fn now(&self) -> Now;

    /// The same moment, for what has nothing to do with stations: retries, and
    /// when the writer wakes.
    fn instant(&self) -> Instant;

    fn sleep(&self, duration: Duration);
}

/// The machine's.
pub(super) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Now {
        loop {
            let steady_ms = steady_ms();
            let now = Now { wall_ms: Timestamp::now().as_millisecond(), steady_ms };
            // A process that is stopped between the two would see a wall that
            // jumps.
            if self::steady_ms() - steady_ms <= APART_MAX_MS {
                return now;
            }
        }
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, duration: Duration) {
        thread::sleep(duration);
    }
}

fn steady_ms() -> i64 {
    let steady = rustix::time::clock_gettime(ClockId::Boottime);
    steady.tv_sec * 1_000 + steady.tv_nsec / 1_000_000
}
