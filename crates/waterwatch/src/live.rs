//! What the writer publishes for those who look: every alarm that is open, and
//! how every station is heard, in memory and in the orders in which it is asked
//! for.
//!
//! Nobody who looks holds up the writer. What it must write with each report are
//! columns of atomics (the [`Board`](crate::store::Board)). All else it pushes into
//! a bounded queue, after the commits that have news of alarms; a thread of its own
//! ([`Follower`]) makes from that a mirror which only it and the readers share.
//! Should the queue be full, the writer stops pushing, and begins again with the
//! whole once the follower has caught up: so the mirror is always right again by
//! itself.
//!
//! It knows no SQL, no HTTP, and nothing that people have said in words: who wants
//! names and texts looks them up for the page that is found here.

mod alarms;
mod classes;
mod cursor;
mod follower;
mod mirror;
mod open_alarms;
mod publisher;
mod rows;
mod state;
mod stations;
mod update;

use std::sync::{Arc, RwLock, RwLockReadGuard, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use waterwatch_core::{StationId, StationLife};

use self::mirror::Mirror;
use self::state::State;
use crate::pulse::Pulse;

pub use self::alarms::{AlarmPage, AlarmQuery, AlarmRow, SourceKind};
pub use self::cursor::{Cursor, NoCursor};
pub use self::follower::{Follower, GivesUp};
pub use self::publisher::Publisher;
pub use self::state::NotShown;
pub use self::stations::{StationPage, StationQuery, StationRow, Within};
pub use self::update::Resettled;

/// Rows in one page, at most.
pub const PAGE_MAX: usize = 1_000;

/// How long a look waits for the follower, at most: it holds the mirror for a moment.
const LOOK_WITHIN: Duration = Duration::from_secs(5);

/// How often it is tried meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// A follower that is so long behind does not come back by itself.
const STUCK_AFTER: Duration = Duration::from_secs(60);

/// What is published, for whoever looks; a copy is the same.
#[derive(Clone, Debug)]
pub struct Live {
    mirror: Arc<RwLock<Option<Mirror>>>,
    state: Arc<State>,
    last_recorded: watch::Receiver<i64>,
}

/// What is published, of one moment. Held no longer than a question takes: the
/// follower waits meanwhile.
#[derive(Debug)]
pub struct View<'a> {
    mirror: RwLockReadGuard<'a, Option<Mirror>>,
}

/// The writer's end, the follower between them, and what readers have.
#[must_use]
pub fn open() -> (Publisher, Follower, Live) {
    let mirror = Arc::new(RwLock::new(None));
    let (told, last_recorded) = watch::channel(0);
    let (publisher, queue) = publisher::open();
    let state = Arc::clone(&queue.state);
    let live = Live { mirror: Arc::clone(&mirror), state, last_recorded };
    (publisher, Follower::new(queue, mirror, told), live)
}

impl Live {
    /// What is published now.
    ///
    /// # Errors
    /// Until the first is, after a mistake of ours while it was made, and while it is
    /// behind: what is not known is never shown as healthy.
    pub fn look(&self) -> Result<View<'_>, NotShown> {
        let began = Instant::now();
        loop {
            if let Some(trouble) = self.trouble() {
                return Err(trouble);
            }
            match self.mirror.try_read() {
                Ok(mirror) if mirror.is_some() => return Ok(View { mirror }),
                Ok(_) | Err(TryLockError::Poisoned(_)) => return Err(NotShown::Failed),
                Err(TryLockError::WouldBlock) if began.elapsed() >= LOOK_WITHIN => {
                    return Err(NotShown::Behind(began.elapsed()));
                }
                // Never for ever: the follower may hang while it has it.
                Err(TryLockError::WouldBlock) => thread::sleep(LOOK_EVERY),
            }
        }
    }

    /// Why nothing is shown just now, if that is so.
    #[must_use]
    pub fn trouble(&self) -> Option<NotShown> {
        self.state.trouble()
    }

    /// How far the follower is behind, and how often it has failed.
    #[must_use]
    pub fn pulse(&self) -> &Pulse {
        self.state.pulse()
    }

    /// Looks after the follower, and comes back only once it hangs for good.
    pub async fn watch_over(&self) {
        let mut before = Instant::now();
        let (mut hangs, mut taken) = (Duration::ZERO, 0);
        while hangs < STUCK_AFTER {
            tokio::time::sleep(Pulse::TURN).await;
            let passed = before.elapsed();
            before += passed;
            self.state.turn(passed);
            // While it waits for the whole, which a disk may hold up, it does not hang.
            let works = self.state.has_work() && self.state.taken() == taken;
            taken = self.state.taken();
            hangs = if works { hangs + passed.min(Pulse::TURN_COUNTS_MAX) } else { Duration::ZERO };
        }
    }

    /// Up to which sequence the ledger is recorded and followed: it changes after
    /// each commit with events. It may be ahead of the last event.
    #[must_use]
    pub fn last_recorded(&self) -> watch::Receiver<i64> {
        self.last_recorded.clone()
    }
}

impl View<'_> {
    /// What people have said of a station as a whole: that it is visited or retired.
    #[must_use]
    pub fn life(&self, id: StationId) -> Option<&StationLife> {
        self.mirror().lives.get(id)
    }

    fn mirror(&self) -> &Mirror {
        self.mirror.as_ref().expect("a view is of a mirror that is there")
    }
}

#[cfg(test)]
mod tests;
