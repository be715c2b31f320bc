//! Who is silent, and how many of an area, or of all, fell silent when.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use waterwatch_core::AreaId;

use crate::store::Slot;

/// The stations whose silence is recorded.
#[derive(Debug, Default)]
pub(super) struct Silent {
    /// Since which second of listening time; 0: it is not silent.
    since_s: Vec<u32>,
    all: Counts,
    areas: BTreeMap<AreaId, Counts>,
}

/// How many that are silent now fell silent in which second.
#[derive(Debug, Default)]
struct Counts(BTreeMap<u32, usize>);

impl Silent {
    /// Whether a station is silent.
    pub(super) fn contains(&self, slot: Slot) -> bool {
        self.since_s(slot).is_some()
    }

    /// Whether it is, and was before this moment.
    pub(super) fn is_since_before(&self, slot: Slot, at_ms: i64) -> bool {
        self.since_s(slot).is_some_and(|since_s| since_s < second(at_ms))
    }

    fn since_s(&self, slot: Slot) -> Option<u32> {
        self.since_s.get(slot.index()).copied().filter(|since_s| *since_s > 0)
    }

    /// It is silent since then, in listening time, or since before if it was.
    pub(super) fn insert(&mut self, slot: Slot, area: Option<AreaId>, since_ms: i64) {
        if self.contains(slot) {
            return;
        }
        if self.since_s.len() <= slot.index() {
            self.since_s.resize(slot.index() + 1, 0);
        }
        let since_s = second(since_ms);
        self.since_s[slot.index()] = since_s;
        self.all.add(since_s);
        if let Some(area) = area {
            self.areas.entry(area).or_default().add(since_s);
        }
    }

    /// It is not silent; whether it was.
    pub(super) fn remove(&mut self, slot: Slot, area: Option<AreaId>) -> bool {
        let Some(since_s) = self.since_s(slot) else { return false };
        self.since_s[slot.index()] = 0;
        self.all.take(since_s);
        if let Some(counts) = area.and_then(|area| self.areas.get_mut(&area)) {
            counts.take(since_s);
        }
        true
    }

    /// It is in another area from now on.
    pub(super) fn change_area(&mut self, slot: Slot, before: Option<AreaId>, area: Option<AreaId>) {
        let Some(since_s) = self.since_s(slot) else { return };
        if let Some(before) = before
            && let Some(counts) = self.areas.get_mut(&before)
        {
            counts.take(since_s);
            if counts.0.is_empty() {
                self.areas.remove(&before);
            }
        }
        if let Some(area) = area {
            self.areas.entry(area).or_default().add(since_s);
        }
    }

    /// How many of an area, or of all, are silent and fell silent between
    /// these moments.
    pub(super) fn count(&self, area: Option<AreaId>, within_ms: RangeInclusive<i64>) -> usize {
        let counts = match area {
            Some(area) => self.areas.get(&area),
            None => Some(&self.all),
        };
        let (from_s, to_s) = (second(*within_ms.start()), second(*within_ms.end()));
        let within =
            |counts: &Counts| counts.0.range(from_s..=to_s.max(from_s)).map(|(_, count)| count).sum();
        counts.map_or(0, within)
    }
}

impl Counts {
    fn add(&mut self, since_s: u32) {
        *self.0.entry(since_s).or_default() += 1;
    }

    fn take(&mut self, since_s: u32) {
        if let Some(count) = self.0.get_mut(&since_s) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&since_s);
            }
        }
    }
}

/// The second of a moment; what no clock shows is the first or last there is.
fn second(at_ms: i64) -> u32 {
    u32::try_from(at_ms.div_euclid(1_000).max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use waterwatch_core::settings::StationOverrides;
    use waterwatch_core::{Settings, StationId};

    #[test]
    fn silences_are_counted_by_area_and_by_when_they_began() {
        let mut settings = Settings::default();
        let id = StationId::new(1).unwrap();
        settings.say(id, StationOverrides::default(), Some("North"));
        let area = settings.area_named("North").unwrap();
        let mut silent = Silent::default();
        for (place, since_ms) in [(0, 1_000_000), (1, 1_000_999), (2, 1_300_000), (900, i64::MIN)] {
            silent.insert(Slot::new(place), (place > 0).then_some(area), since_ms);
        }
        assert_eq!(silent.count(None, 1_000_000..=1_300_000), 3);
        assert_eq!(silent.count(Some(area), 1_000_000..=1_300_000), 2);
        assert_eq!(silent.count(None, i64::MIN..=i64::MAX), 4);
        assert!(silent.is_since_before(Slot::new(1), 1_001_000));
        assert!(!silent.is_since_before(Slot::new(1), 1_000_999));
        assert!(!silent.contains(Slot::new(3)) && !silent.contains(Slot::new(5_000)));
        // Told twice, it is counted once.
        silent.insert(Slot::new(1), Some(area), 1_300_000);
        assert_eq!(silent.count(Some(area), 1_300_000..=1_300_000), 1);
        assert!(silent.remove(Slot::new(1), Some(area)));
        assert!(!silent.remove(Slot::new(1), Some(area)));
        assert_eq!(silent.count(Some(area), i64::MIN..=i64::MAX), 2);
    }
}
