//! The thread that follows the writer, and keeps the mirror.
//!
//! A mistake of ours in it must be no page that is quietly old: what was shown is
//! taken away, and made anew from the whole. If that fails again and again the server
//! is to end, and its supervisor to start it afresh.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::sync::watch;

use super::mirror::Mirror;
use super::publisher::Queue;
use super::update::Update;
use crate::mistakes;

/// How long to wait before the whole is asked for after a failure, and twice as long
/// after each that follows: a mistake that comes back must not keep the writer
/// copying everything.
const AGAIN_AFTER: Duration = Duration::from_millis(250);

/// Failures in a row until the follower gives up: half a minute.
const FAILURES_MAX: u32 = 8;

/// Whoever followed for so long without a failure is well again.
const WELL_AFTER: Duration = Duration::from_secs(60);

/// The follower fails again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("what is shown could not be made anew after {FAILURES_MAX} failures; the log has each panic")]
pub struct GivesUp;

/// Keeps the mirror as the writer says.
#[derive(Debug)]
pub struct Follower {
    queue: Queue,
    mirror: Arc<RwLock<Option<Mirror>>>,
    told: watch::Sender<i64>,
    again_after: Duration,
}

impl Follower {
    pub(super) fn new(
        queue: Queue,
        mirror: Arc<RwLock<Option<Mirror>>>,
        told: watch::Sender<i64>,
    ) -> Follower {
        Follower { queue, mirror, told, again_after: AGAIN_AFTER }
    }

    /// The same, that is asked to be quick about it.
    #[cfg(test)]
    pub(super) fn again_after(self, again_after: Duration) -> Follower {
        Follower { again_after, ..self }
    }

    /// Follows until the writer is gone.
    ///
    /// # Errors
    /// If it fails again and again.
    pub fn run(self) -> Result<(), GivesUp> {
        let mut in_a_row = 0;
        loop {
            let began = Instant::now();
            if catch_unwind(AssertUnwindSafe(|| self.follow_all())).is_ok() {
                return Ok(());
            }
            in_a_row = if began.elapsed() >= WELL_AFTER { 1 } else { in_a_row + 1 };
            self.show_nothing();
            if in_a_row >= FAILURES_MAX {
                return Err(GivesUp);
            }
            let wait = self.again_after.saturating_mul(1 << (in_a_row - 1));
            tracing::error!(
                again_in_ms = wait.as_millis(),
                "what is shown failed by a mistake of the server; nothing is shown until it is made anew"
            );
            if !self.drop_for(wait) {
                return Ok(());
            }
            self.queue.state.asks_for_the_whole();
        }
    }

    fn follow_all(&self) {
        while let Ok(update) = self.queue.updates.recv() {
            self.follow(update);
        }
    }

    /// Follows all that waits, for whoever has no thread for it.
    pub fn catch_up(&self) {
        while let Ok(update) = self.queue.updates.try_recv() {
            self.follow(update);
        }
    }

    fn follow(&self, update: Update) {
        // However it ends: nobody else takes it off the queue.
        let taken = self.queue.taken(&update);
        mistakes::made_by("follower");
        let sequence = match &update {
            Update::Whole(whole) => Some(whole.sequence),
            Update::Recorded(recorded) => recorded.sequence,
            Update::Resettled(_) => None,
            #[cfg(test)]
            Update::Mistake => None,
        };
        let is_shown = match update {
            Update::Whole(whole) => {
                // Readers have the one before while this one is made.
                let mirror = Mirror::of(*whole);
                let before = self.mirror.write().unwrap_or_else(PoisonError::into_inner).replace(mirror);
                drop(before);
                true
            }
            Update::Recorded(recorded) => self.change(|mirror| mirror.recorded(*recorded)),
            Update::Resettled(stations) => self.change(|mirror| mirror.resettled(stations)),
            #[cfg(test)]
            Update::Mistake => self.change(|_| panic!("a mistake of ours")),
        };
        if !is_shown {
            // It waits for the whole, which has this.
            return;
        }
        taken.followed();
        if let Some(sequence) = sequence {
            self.told.send_if_modified(|told| {
                let is_newer = sequence > *told;
                *told = sequence.max(*told);
                is_newer
            });
        }
    }

    /// Whether there is a mirror to change.
    fn change(&self, change: impl FnOnce(&mut Mirror)) -> bool {
        let mut mirror = self.mirror.write().unwrap_or_else(PoisonError::into_inner);
        mirror.as_mut().map(change).is_some()
    }

    /// What is half of a change is nothing to show.
    fn show_nothing(&self) {
        self.queue.state.fails();
        let broken = self.mirror.write().unwrap_or_else(PoisonError::into_inner).take();
        self.mirror.clear_poison();
        drop(broken);
    }

    /// Takes what comes meanwhile off the queue; `false`: the writer is gone.
    fn drop_for(&self, wait: Duration) -> bool {
        let until = Instant::now() + wait;
        loop {
            match self.queue.updates.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(update) => drop(self.queue.taken(&update)),
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
    }
}
