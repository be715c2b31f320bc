//! How the mirror is: what the writer's end, the follower and those who look know of
//! each other.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use thiserror::Error;

use crate::pulse::Pulse;

/// Shared by all of them.
#[derive(Debug, Default)]
pub(super) struct State {
    /// How many updates were pushed.
    pushed: AtomicI64,
    /// How many of them were taken off the queue.
    taken: AtomicI64,
    /// What waits in the queue, in alarms and stations.
    weight: AtomicUsize,
    /// The queue was full, or is of no use: the whole is to be pushed.
    is_behind: AtomicBool,
    /// The follower has lost what it had, and asks for the whole.
    asks: AtomicBool,
    /// There is a mirror.
    shows: AtomicBool,
    pulse: Pulse,
}

/// Why nothing is shown: no answer is better than one that may be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotShown {
    /// The server has just started.
    #[error("the server has just started, and does not know its alarms yet; ask again in a moment")]
    NotYet,
    /// It failed, and is made anew.
    #[error(
        "what is shown failed by a mistake of the server, and is being made anew; ask again in a moment, or read \
         the database with \"waterwatch alarm list\" on the server; its log says more"
    )]
    Failed,
    /// It is too far behind.
    #[error(
        "what is shown is behind what is recorded ({} s), so it may lack alarms; read the database with \
         \"waterwatch alarm list\" on the server",
        .0.as_secs()
    )]
    Behind(Duration),
}

/// An update that is off the queue.
pub(super) struct Taken<'a> {
    state: &'a State,
    weight: usize,
    number: i64,
}

impl State {
    /// One more is pushed, of this weight.
    pub(super) fn push(&self, weight: usize) {
        self.weight.fetch_add(weight, Ordering::Relaxed);
        self.pushed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn weight(&self) -> usize {
        self.weight.load(Ordering::Relaxed)
    }

    /// The next update is off the queue.
    pub(super) fn take(&self, weight: usize) -> Taken<'_> {
        Taken { state: self, weight, number: self.taken.fetch_add(1, Ordering::Relaxed) + 1 }
    }

    /// Whether what is pushed from now on is of no use without the whole.
    pub(super) fn set_behind(&self, is_behind: bool) {
        self.is_behind.store(is_behind, Ordering::Relaxed);
    }

    pub(super) fn asks_for_the_whole(&self) {
        self.asks.store(true, Ordering::Relaxed);
    }

    /// Whether the follower has asked for the whole since this was asked last.
    pub(super) fn is_asked(&self) -> bool {
        self.asks.swap(false, Ordering::Relaxed)
    }

    /// The follower has failed, and nothing is shown.
    pub(super) fn fails(&self) {
        self.shows.store(false, Ordering::Release);
        self.pulse.fails();
    }

    pub(super) fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    /// How many updates were taken off the queue.
    pub(super) fn taken(&self) -> i64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Whether something that was pushed is not followed or dropped yet.
    pub(super) fn has_work(&self) -> bool {
        self.weight() > 0
    }

    /// So much time has passed.
    pub(super) fn turn(&self, passed: Duration) {
        let awaits_whole = self.is_behind.load(Ordering::Relaxed) || self.asks.load(Ordering::Relaxed);
        // What is awaited then is the next to be pushed; one more that is awaited after it
        // is another matter, however often that is.
        let pushed = self.pushed.load(Ordering::Relaxed);
        self.pulse.turn(pushed + i64::from(awaits_whole), passed);
    }

    /// Why nothing is to be shown, if that is so.
    pub(super) fn trouble(&self) -> Option<NotShown> {
        match () {
            () if self.pulse.is_stale() => Some(NotShown::Behind(self.pulse.behind())),
            () if self.shows.load(Ordering::Acquire) => None,
            () if self.pulse.failures() > 0 => Some(NotShown::Failed),
            () => Some(NotShown::NotYet),
        }
    }
}

impl Taken<'_> {
    /// The mirror has it.
    pub(super) fn followed(self) {
        self.state.pulse.follows(self.number);
        self.state.shows.store(true, Ordering::Release);
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.state.weight.fetch_sub(self.weight, Ordering::Relaxed);
    }
}
