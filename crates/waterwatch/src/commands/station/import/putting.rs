//! Many changes at once, over several connections.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use waterwatch_core::StationId;

use crate::commands::station::change::{Change, Wanted};
use crate::commands::station::remote::{Read, Remote};
use crate::failure::Failure;

/// Changes that are under way at once: half of those that the server records with one
/// sync, so that operators' commands find room beside them.
const UNDER_WAY_MAX: usize = 16;

/// A change that is to be made of what was read.
pub(super) struct Meant {
    pub(super) read: Read,
    pub(super) wanted: Vec<Wanted>,
}

/// Stations of which something became other, and what.
pub(super) type Done = Vec<(StationId, Vec<Change>)>;

/// Makes them all, and says which are made, in their order, and how many others had made
/// first. After one that fails no more are begun.
pub(super) fn put_all(remote: &Remote, meant: &[Meant]) -> (Done, usize, Option<Failure>) {
    let next = AtomicUsize::new(0);
    let has_failed = AtomicBool::new(false);
    let ended = Mutex::new((Vec::new(), 0, None));
    let work = || {
        while !has_failed.load(Ordering::Relaxed) {
            let Some(one) = meant.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
            let made = remote.change(&one.read, &one.wanted);
            let mut ended = ended.lock().unwrap_or_else(PoisonError::into_inner);
            let (done, by_others, failure) = &mut *ended;
            match made {
                // Whoever else said the same meanwhile was first.
                Ok(changes) if changes.is_empty() => *by_others += 1,
                Ok(changes) => done.push((one.read.station, changes)),
                Err(error) => {
                    has_failed.store(true, Ordering::Relaxed);
                    failure.get_or_insert(error);
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..UNDER_WAY_MAX.min(meant.len()) {
            scope.spawn(work);
        }
    });
    let (mut done, by_others, failure): (Done, _, _) =
        ended.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(station, _)| *station);
    (done, by_others, failure)
}
