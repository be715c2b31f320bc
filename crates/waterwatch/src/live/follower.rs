//! The thread that follows the writer, and keeps the mirror.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use super::mirror::Mirror;
use super::publisher::Queue;
use super::update::Update;

/// Keeps the mirror as the writer says.
#[derive(Debug)]
pub struct Follower {
    queue: Queue,
    mirror: Arc<RwLock<Option<Mirror>>>,
    told: watch::Sender<i64>,
}

impl Follower {
    pub(super) fn new(
        queue: Queue,
        mirror: Arc<RwLock<Option<Mirror>>>,
        told: watch::Sender<i64>,
    ) -> Follower {
        Follower { queue, mirror, told }
    }

    /// Follows until the writer is gone.
    pub fn run(self) {
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
        let weight = update.weight();
        let sequence = match &update {
            Update::Whole(whole) => Some(whole.sequence),
            Update::Recorded(recorded) => recorded.sequence,
            Update::Resettled(_) => None,
        };
        match update {
            Update::Whole(whole) => {
                // Readers have the one before while this one is made.
                let mirror = Mirror::of(*whole);
                let before = self.mirror.write().unwrap_or_else(PoisonError::into_inner).replace(mirror);
                drop(before);
            }
            Update::Recorded(recorded) => self.change(|mirror| mirror.recorded(*recorded)),
            Update::Resettled(stations) => self.change(|mirror| mirror.resettled(stations)),
        }
        self.queue.followed(weight);
        if let Some(sequence) = sequence {
            self.told.send_if_modified(|told| {
                let is_newer = sequence > *told;
                *told = sequence.max(*told);
                is_newer
            });
        }
    }

    fn change(&self, change: impl FnOnce(&mut Mirror)) {
        let mut mirror = self.mirror.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(mirror) = &mut *mirror {
            change(mirror);
        }
    }
}
