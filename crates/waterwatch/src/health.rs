//! Whether the writer turns, and can store: what those ask who watch over the
//! server.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// A writer that has not turned for so long hangs: it turns each half second.
const TURN_WITHIN: Duration = Duration::from_secs(5);

/// What is said until the first turn, which is no trouble that anybody must see to.
pub const STARTING: &str = "the server is starting";

/// How the writer is.
#[derive(Debug)]
pub struct Health {
    since: Instant,
    /// When it turned last, in milliseconds since then; -1: not yet.
    turned_ms: AtomicI64,
    can_store: AtomicBool,
}

impl Default for Health {
    fn default() -> Health {
        Health { since: Instant::now(), turned_ms: AtomicI64::new(-1), can_store: AtomicBool::new(true) }
    }
}

impl Health {
    /// The writer turns, or tries again, now; whether it could store when it last
    /// tried.
    pub fn turns(&self, can_store: bool) {
        self.turned_ms.store(self.now_ms(), Ordering::Relaxed);
        self.can_store.store(can_store, Ordering::Relaxed);
    }

    /// Whether it could store when it last tried.
    #[must_use]
    pub fn can_store(&self) -> bool {
        self.can_store.load(Ordering::Relaxed)
    }

    /// How long ago it turned last; while it has not yet, since the start.
    #[must_use]
    pub fn turned_ago(&self) -> Duration {
        let ago_ms = self.now_ms() - self.turned_ms.load(Ordering::Relaxed).max(0);
        Duration::from_millis(u64::try_from(ago_ms).unwrap_or(0))
    }

    /// Why nothing can be stored at the moment, if that is so.
    #[must_use]
    pub fn trouble(&self) -> Option<&'static str> {
        let turned_ms = self.turned_ms.load(Ordering::Relaxed);
        let within_ms = i64::try_from(TURN_WITHIN.as_millis()).unwrap_or(i64::MAX);
        match () {
            () if turned_ms < 0 => Some(STARTING),
            () if !self.can_store() => {
                Some("nothing can be stored: the disk is full or fails; the log says more")
            }
            () if self.now_ms() - turned_ms > within_ms => Some("the disk does not answer"),
            () => None,
        }
    }

    fn now_ms(&self) -> i64 {
        i64::try_from(self.since.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_ready_while_the_writer_turns_and_stores() {
        let health = Health::default();
        assert_eq!(health.trouble(), Some(STARTING));
        health.turns(true);
        assert_eq!(health.trouble(), None);
        health.turns(false);
        assert!(health.trouble().is_some_and(|why| why.contains("nothing can be stored")));
        health.turns(true);
        assert_eq!(health.trouble(), None);
        let hung = Health { since: Instant::now() - Duration::from_secs(60), ..Health::default() };
        hung.turned_ms.store(0, Ordering::Relaxed);
        assert_eq!(hung.trouble(), Some("the disk does not answer"));
    }
}
