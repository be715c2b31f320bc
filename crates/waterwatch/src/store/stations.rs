//! The stations in memory: found by id, and walked in the order of their ids.
//!
//! Made for a million of them: 80 bytes for a station, 5 to 10 for finding it,
//! 16 for its place in the order and 8 for its place on the [`Board`].

use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};
use waterwatch_core::{Station, StationId};

use super::board::Board;

/// Stations that came in since the order was last made, at least, until it is
/// made anew: below that the few pages that are written out of turn are not
/// worth it.
const NEW_MIN: usize = 1_024;

/// The same as a part of all: making the order costs as much as there are, so
/// it is made each time they have grown by a certain part.
const NEW_PART: usize = 8;

/// A station's place in memory, until it is forgotten or the store is reopened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot(u32);

impl Slot {
    /// The place with this index.
    ///
    /// # Panics
    /// If that is four billion.
    #[must_use]
    pub fn new(index: usize) -> Slot {
        Slot(u32::try_from(index).expect("stations_max is far below that"))
    }

    /// As an index.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl From<Slot> for usize {
    fn from(slot: Slot) -> usize {
        slot.index()
    }
}

/// All stations that are known.
#[derive(Debug, Default)]
pub struct Stations {
    hasher: DefaultHashBuilder,
    index: HashTable<u32>,
    entries: Vec<(StationId, Station)>,
    /// The first places in the order of their stations' ids, as those were when
    /// the order was made; the others are behind them in the order in which they
    /// came.
    sorted: Vec<(StationId, u32)>,
    /// Places whose stations were forgotten: the next that come in take them.
    vacant: BTreeSet<Slot>,
    /// How many have, since the order was made.
    taken_again: usize,
    board: Arc<Board>,
}

impl Stations {
    /// Where a station is.
    #[must_use]
    pub fn slot(&self, id: StationId) -> Option<Slot> {
        let hash = self.hasher.hash_one(id);
        self.index.find(hash, |&slot| self.entries[slot as usize].0 == id).map(|&slot| Slot(slot))
    }

    /// A station by its id.
    #[must_use]
    pub fn find(&self, id: StationId) -> Option<(Slot, &Station)> {
        let slot = self.slot(id)?;
        Some((slot, &self.entries[slot.index()].1))
    }

    /// The station at a place, with its id; who was there last if it is vacant.
    #[must_use]
    pub fn at(&self, slot: Slot) -> &(StationId, Station) {
        &self.entries[slot.index()]
    }

    /// Their last contacts, for whoever looks while they change.
    #[must_use]
    pub fn board(&self) -> Arc<Board> {
        Arc::clone(&self.board)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len() - self.vacant.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many places there are, with those that are vacant.
    #[must_use]
    pub fn places(&self) -> usize {
        self.entries.len()
    }

    /// Whether nobody is at a place.
    #[must_use]
    pub fn is_vacant(&self, slot: Slot) -> bool {
        // Nearly always there is none.
        !self.vacant.is_empty() && self.vacant.contains(&slot)
    }

    /// Makes room for so many at once, so that reading a million of them does
    /// not hold them twice on the way.
    pub fn reserve(&mut self, stations: usize) {
        self.entries.reserve_exact(stations);
        self.index.reserve(stations, |&slot| self.hasher.hash_one(self.entries[slot as usize].0));
    }

    /// Sets what is known of a station that is known.
    pub fn set(&mut self, slot: Slot, station: Station) {
        self.board.set(slot, &station);
        self.entries[slot.index()].1 = station;
    }

    /// Adds a station that is not known.
    ///
    /// # Panics
    /// If it is known, or if there are four billion of them.
    pub fn add(&mut self, id: StationId, station: Station) -> Slot {
        debug_assert!(self.slot(id).is_none());
        let slot = match self.vacant.pop_first() {
            Some(slot) => {
                self.entries[slot.index()] = (id, station);
                self.taken_again += 1;
                slot
            }
            None => {
                self.entries.push((id, station));
                Slot::new(self.entries.len() - 1)
            }
        };
        self.board.set(slot, &station);
        let Stations { hasher, index, entries, .. } = self;
        index.insert_unique(hasher.hash_one(id), slot.0, |&slot| hasher.hash_one(entries[slot as usize].0));
        slot
    }

    /// A station is known no more; gives the place that it had.
    pub fn remove(&mut self, id: StationId) -> Option<Slot> {
        let Stations { hasher, index, entries, .. } = self;
        let entry = index.find_entry(hasher.hash_one(id), |&slot| entries[slot as usize].0 == id).ok()?;
        let slot = Slot(entry.remove().0);
        self.vacant.insert(slot);
        self.board.clear(slot);
        Some(slot)
    }

    /// The place at a position in the order; it may be vacant.
    #[must_use]
    pub fn in_order(&self, position: usize) -> Slot {
        match self.sorted.get(position) {
            Some(&(_, slot)) => Slot(slot),
            // Behind the sorted ones a place in the order is a place in memory.
            None => Slot::new(position),
        }
    }

    /// Whether so many came in since the order was made that it should be
    /// made anew.
    #[must_use]
    pub fn is_out_of_order(&self) -> bool {
        let new = self.entries.len() - self.sorted.len() + self.taken_again;
        new >= NEW_MIN.max(self.sorted.len() / NEW_PART)
    }

    /// Makes the order anew.
    pub fn put_in_order(&mut self) {
        if self.taken_again > 0 {
            for (id, slot) in &mut self.sorted {
                *id = self.entries[*slot as usize].0;
            }
            self.sorted.sort_unstable();
            self.taken_again = 0;
        }
        let known = self.sorted.len();
        let new = self.entries.iter().enumerate().skip(known);
        self.sorted.extend(new.map(|(slot, (id, _))| (*id, Slot::new(slot).0)));
        // A sorted run, then another once that is sorted: merging them is
        // what a stable sort does with runs.
        self.sorted[known..].sort_unstable();
        self.sorted.sort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use waterwatch_core::{OpenSpan, Origin};

    fn station(reports: i64) -> Station {
        Station {
            alarm1: false,
            alarm2: false,
            received_at_ms: 0,
            sequence: reports,
            reports,
            origin: Origin::default(),
            span: OpenSpan::default(),
        }
    }

    #[test]
    fn stations_are_found_by_id_and_walked_in_order() {
        let mut stations = Stations::default();
        let ids = |count: i64| (0..count).map(|number| StationId::new(number * 7_919 % 5_003).unwrap());
        for (count, sorted) in [(2_000, true), (2_100, false), (5_000, true)] {
            for (place, id) in ids(count).enumerate().skip(stations.len()) {
                assert!(stations.find(id).is_none());
                assert_eq!(stations.add(id, station(1)).index(), place);
            }
            assert_eq!(stations.is_out_of_order(), sorted, "{count}");
            if sorted {
                stations.put_in_order();
            }
            let walked: Vec<StationId> =
                (0..stations.len()).map(|position| stations.at(stations.in_order(position)).0).collect();
            assert_eq!(walked.is_sorted(), sorted);
            let mut all = walked;
            all.sort();
            let mut wanted: Vec<StationId> = ids(count).collect();
            wanted.sort();
            assert_eq!(all, wanted);
        }
        let (slot, _) = stations.find(StationId::new(7_919 % 5_003).unwrap()).unwrap();
        stations.set(slot, station(9));
        assert_eq!(stations.at(slot).1.reports, 9);
        assert!(stations.find(StationId::MAX).is_none());
    }

    #[test]
    fn a_place_is_vacant_until_another_station_takes_it() {
        let id = |number: i64| StationId::new(number).unwrap();
        let mut stations = Stations::default();
        for number in 0..3_000 {
            stations.add(id(number), station(1));
        }
        stations.put_in_order();
        let board = stations.board();
        assert_eq!(stations.remove(id(5_000)), None);
        let slots = [7, 1_500].map(|number| stations.remove(id(number)).unwrap());
        assert_eq!((stations.len(), stations.places()), (2_998, 3_000));
        for (slot, number) in slots.into_iter().zip([7, 1_500]) {
            assert!(stations.is_vacant(slot) && board.get(slot).is_none());
            assert!(stations.find(id(number)).is_none() && stations.remove(id(number)).is_none());
        }
        // The same again, one that nobody knew, and one that finds no vacant place.
        let again = [1_500, 9_000, 9_001].map(|number| stations.add(id(number), station(2)));
        assert_eq!(again.map(Slot::index), [7, 1_500, 3_000]);
        assert!(!stations.is_vacant(slots[0]) && board.get(slots[0]).is_some());
        assert_eq!(stations.find(id(1_500)).unwrap(), (slots[0], &station(2)));
        // Each place stays where it is in the order, until that is made anew.
        assert_eq!(stations.in_order(7), slots[0]);
        stations.put_in_order();
        let walked: Vec<StationId> =
            (0..stations.places()).map(|position| stations.at(stations.in_order(position)).0).collect();
        assert!(walked.is_sorted());
        assert_eq!((walked.len(), walked.last()), (3_001, Some(&id(9_001))));
    }

    #[test]
    fn places_that_many_have_taken_again_are_put_in_order() {
        let id = |number: i64| StationId::new(number).unwrap();
        let mut stations = Stations::default();
        for number in 0..2_000 {
            stations.add(id(number), station(1));
        }
        stations.put_in_order();
        for number in 0..2_000 {
            assert_eq!(stations.is_out_of_order(), number >= 1_024, "{number}");
            stations.remove(id(number)).unwrap();
            stations.add(id(10_000 - number), station(1));
        }
        stations.put_in_order();
        assert!(!stations.is_out_of_order());
        assert_eq!(stations.places(), 2_000, "no more than there were at once");
    }

    /// The memory of a million of them rests on it.
    #[test]
    fn a_station_is_small() {
        assert_eq!(size_of::<(StationId, Station)>(), 80);
    }
}
