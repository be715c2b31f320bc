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
mod stations;
mod update;

use std::sync::{Arc, RwLock, RwLockReadGuard};

use thiserror::Error;
use tokio::sync::watch;
use waterwatch_core::{StationId, StationLife};

use self::mirror::Mirror;

pub use self::alarms::{AlarmPage, AlarmQuery, AlarmRow, SourceKind};
pub use self::cursor::{Cursor, NoCursor};
pub use self::follower::Follower;
pub use self::publisher::Publisher;
pub use self::stations::{StationPage, StationQuery, StationRow, Within};
pub use self::update::Resettled;

/// Rows in one page, at most.
pub const PAGE_MAX: usize = 1_000;

/// What is published, for whoever looks; a copy is the same.
#[derive(Clone, Debug)]
pub struct Live {
    mirror: Arc<RwLock<Option<Mirror>>>,
    last_recorded: watch::Receiver<i64>,
}

/// Nothing is published yet: the server has just started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the server has just started, and does not know its alarms yet; ask again in a moment")]
pub struct NotYet;

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
    (publisher, Follower::new(queue, Arc::clone(&mirror), told), Live { mirror, last_recorded })
}

impl Live {
    /// What is published now.
    ///
    /// # Errors
    /// Until the first is, and after a mistake of ours while it was made.
    pub fn look(&self) -> Result<View<'_>, NotYet> {
        // What a follower that panicked left may be half of a change: not known is
        // never shown as healthy.
        let mirror = self.mirror.read().map_err(|_| NotYet)?;
        if mirror.is_some() { Ok(View { mirror }) } else { Err(NotYet) }
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
