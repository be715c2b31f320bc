//! How much of a contact that comes and goes is written.
//!
//! Raises are bounded by chatter. What comes and goes within a delay, or while
//! it is hidden, changes no state and would go on for ever: of that, so many
//! entries are written in a time, and the next one says for how many it stands.

use hashbrown::HashMap;

use crate::store::AlarmKey;

/// Of one alarm within the window: enough to see what it does.
const TOLD_MAX: u32 = 16;

/// The window, in milliseconds: a day of flickering is some 1,500 entries.
const WINDOW_MS: i64 = 15 * 60_000;

/// What was written of each alarm of late. In memory alone: a restart begins
/// anew.
#[derive(Debug, Default)]
pub(super) struct Quota {
    of: HashMap<AlarmKey, Told>,
    /// How it was before the batch that is being decided, where that changed it.
    before: Vec<(AlarmKey, Option<Told>)>,
    swept_ms: i64,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    from_ms: i64,
    told: u32,
    untold: u32,
}

impl Quota {
    /// A batch begins. If the one before was not recorded, nothing of it was
    /// written: a disk that is full for an hour must not use up what may be.
    pub(super) fn begin(&mut self, was_recorded: bool) {
        for (key, told) in self.before.drain(..).rev() {
            match told {
                _ if was_recorded => {}
                Some(told) => drop(self.of.insert(key, told)),
                None => drop(self.of.remove(&key)),
            }
        }
    }

    /// One more change of this alarm's contact. For how many an entry about it
    /// stands; `None`: there is to be none.
    pub(super) fn take(&mut self, key: &AlarmKey, now_ms: i64) -> Option<u32> {
        let is_over = |from_ms: i64| !(from_ms..from_ms.saturating_add(WINDOW_MS)).contains(&now_ms);
        if is_over(self.swept_ms) {
            self.of.retain(|_, told| !is_over(told.from_ms) || told.untold > 0);
            self.swept_ms = now_ms;
        }
        self.before.push((key.clone(), self.of.get(key).copied()));
        let begun = Told { from_ms: now_ms, told: 0, untold: 0 };
        let told = self.of.entry(key.clone()).or_insert(begun);
        if is_over(told.from_ms) {
            (told.from_ms, told.told) = (now_ms, 0);
        }
        if told.told >= TOLD_MAX {
            told.untold = told.untold.saturating_add(1);
            return None;
        }
        told.told += 1;
        Some(std::mem::take(&mut told.untold).saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use waterwatch_core::StationId;
    use waterwatch_core::alarm::{AlarmSource, Point};

    use super::*;

    #[test]
    fn what_was_not_written_is_counted_by_the_next_entry_of_the_same_alarm() {
        let of = |point| (AlarmSource::Station(StationId::MAX), point);
        let (flickering, other) = (of(Point::Alarm1), of(Point::Alarm2));
        let mut quota = Quota::default();
        for change in 0..20 {
            let told = (change < TOLD_MAX).then_some(1);
            assert_eq!(quota.take(&flickering, 1_000 + i64::from(change)), told, "{change}");
        }
        assert_eq!(quota.take(&other, 2_000), Some(1), "each alarm has its own");
        assert_eq!(quota.take(&flickering, 1_000 + WINDOW_MS - 1), None);
        assert_eq!(quota.take(&flickering, 1_000 + WINDOW_MS), Some(6), "five, and itself");
        assert_eq!(quota.take(&flickering, 1_001 + WINDOW_MS), Some(1));
        // A clock that was set back begins a window, too.
        assert_eq!(quota.take(&flickering, 0), Some(1));

        // What was not recorded was not written.
        quota.begin(true);
        for _ in 0..3 {
            for _ in 1..TOLD_MAX {
                assert_eq!(quota.take(&flickering, 1), Some(1));
            }
            assert_eq!(quota.take(&flickering, 1), None);
            quota.begin(false);
        }
        assert_eq!(quota.take(&other, 1), Some(1));
        quota.begin(false);
        assert_eq!(quota.take(&flickering, 1), Some(1));
    }
}
