//! The alarms in memory: the facts of each that is not at rest.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashMap;
use waterwatch_core::StationId;
use waterwatch_core::alarm::{Alarm, AlarmSource, Point};

use super::Batch;

/// Which alarm: whose, and about what.
pub type AlarmKey = (AlarmSource, Point);

/// All alarms that are not at rest: usually few, whatever the number of
/// stations. Should a million fall silent at once, they share their facts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alarms {
    /// The map grows in steps, and moves addresses alone.
    own: HashMap<AlarmKey, Arc<Alarm>>,
    /// The `comms` alarms that share theirs, by the group that they are in.
    members: HashMap<StationId, u32>,
    /// By their numbers, the oldest first.
    groups: BTreeMap<u32, Group>,
    /// How many share their facts while this occurrence stands for them.
    standing_for: BTreeMap<i64, usize>,
}

/// Stations whose silence was recorded together, while another alarm stood for
/// it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SilentTogether {
    /// The occurrence that stands for it.
    pub occurrence: i64,
    /// Since when they are silent, in milliseconds UTC.
    pub since_ms: i64,
    /// Who; in order.
    pub stations: Box<[StationId]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    occurrence: i64,
    facts: Arc<Alarm>,
    /// Who was in it when it was made. Who still is, [`Alarms::members`] says;
    /// the last of these always is.
    stations: Vec<StationId>,
    members: usize,
}

impl Alarms {
    /// The facts of one; `None` if it is at rest.
    #[must_use]
    pub fn get(&self, key: &AlarmKey) -> Option<&Alarm> {
        match self.own.get(key) {
            Some(alarm) => Some(alarm),
            None => self.group_of(key).map(|group| &*group.facts),
        }
    }

    /// The facts of one that shares them with nobody.
    #[must_use]
    pub fn own_facts(&self, key: &AlarmKey) -> Option<&Arc<Alarm>> {
        self.own.get(key)
    }

    /// Whether there is one that shares its facts with nobody.
    #[must_use]
    pub fn has_own(&self, key: &AlarmKey) -> bool {
        self.own.contains_key(key)
    }

    /// The occurrence that stands for a station's silence, if it shares its
    /// facts with others.
    #[must_use]
    pub fn together(&self, key: &AlarmKey) -> Option<i64> {
        self.group_of(key).map(|group| group.occurrence)
    }

    fn group_of(&self, (source, point): &AlarmKey) -> Option<&Group> {
        match (source, point) {
            (AlarmSource::Station(id), Point::Comms) if !self.members.is_empty() => {
                self.members.get(id).and_then(|number| self.groups.get(number))
            }
            _ => None,
        }
    }

    /// Sets its facts; `None` puts it at rest. It shares them with nobody then.
    pub fn set(&mut self, key: AlarmKey, alarm: Option<Alarm>) {
        self.leave(&key);
        match alarm {
            Some(alarm) => drop(self.own.insert(key, Arc::new(alarm))),
            None => drop(self.own.remove(&key)),
        }
    }

    /// These stations share the facts of their silence from now on.
    pub fn join(&mut self, SilentTogether { occurrence, since_ms, stations }: &SilentTogether) {
        let number = self.groups.last_key_value().map_or(0, |(last, _)| last + 1);
        for &id in stations {
            let key = (AlarmSource::Station(id), Point::Comms);
            self.leave(&key);
            self.own.remove(&key);
            self.members.insert(id, number);
        }
        if stations.is_empty() {
            return;
        }
        let facts = Arc::new(Alarm::silent_together(*occurrence, *since_ms));
        let (stations, members) = (stations.to_vec(), stations.len());
        *self.standing_for.entry(*occurrence).or_default() += members;
        self.groups.insert(number, Group { occurrence: *occurrence, facts, stations, members });
    }

    fn leave(&mut self, (source, point): &AlarmKey) {
        let (AlarmSource::Station(id), Point::Comms) = (source, point) else { return };
        let Some(number) = self.members.remove(id) else { return };
        let Some(group) = self.groups.get_mut(&number) else { return };
        group.members -= 1;
        if let Some(members) = self.standing_for.get_mut(&group.occurrence) {
            *members -= 1;
            if *members == 0 {
                self.standing_for.remove(&group.occurrence);
            }
        }
        if group.members == 0 {
            self.groups.remove(&number);
            return;
        }
        while group.stations.last().is_some_and(|last| self.members.get(last) != Some(&number)) {
            group.stations.pop();
        }
    }

    /// What a batch recorded becomes the state.
    pub fn apply(&mut self, recorded: &Batch) {
        for (key, alarm) in &recorded.alarms {
            self.set(key.clone(), alarm.clone());
        }
        for together in &recorded.silent_together {
            self.join(together);
        }
    }

    /// All that share their facts with nobody, in no order.
    pub fn own(&self) -> impl Iterator<Item = (&AlarmKey, &Alarm)> {
        self.own.iter().map(|(key, alarm)| (key, &**alarm))
    }

    /// All that share their facts with nobody, each with these, in no order.
    pub fn all_own_facts(&self) -> impl Iterator<Item = (&AlarmKey, &Arc<Alarm>)> {
        self.own.iter()
    }

    /// The stations that share their facts, as they were recorded together, the
    /// oldest first.
    pub fn together_groups(&self) -> impl Iterator<Item = SilentTogether> {
        self.groups.iter().map(|(number, group)| SilentTogether {
            occurrence: group.occurrence,
            since_ms: group.facts.contact_since_ms,
            stations: (group.stations.iter().copied())
                .filter(|id| self.members.get(id) == Some(number))
                .collect(),
        })
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (AlarmKey, &Arc<Alarm>)> {
        let own = self.own.iter().map(|(key, alarm)| (key.clone(), alarm));
        own.chain(self.members.iter().filter_map(|(id, number)| {
            let facts = &self.groups.get(number)?.facts;
            Some(((AlarmSource::Station(*id), Point::Comms), facts))
        }))
    }

    /// The occurrences that stand for stations which share their facts, each
    /// with how many these are.
    pub fn standing_for(&self) -> impl Iterator<Item = (i64, usize)> {
        self.standing_for.iter().map(|(occurrence, members)| (*occurrence, *members))
    }

    /// Some of the stations that share their facts while this occurrence stands
    /// for them, at most so many: others once these are no longer among them.
    #[must_use]
    pub fn some_of(&self, occurrence: i64, stations_max: usize) -> Vec<StationId> {
        let groups = self.groups.iter().filter(|(_, group)| group.occurrence == occurrence);
        let members = groups.flat_map(|(number, group)| {
            let is_member = move |id: &&StationId| self.members.get(*id) == Some(number);
            group.stations.iter().rev().filter(is_member)
        });
        members.take(stations_max).copied().collect()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.own.len() + self.members.len()
    }

    /// Whether all are at rest.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.own.is_empty() && self.members.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: i64) -> StationId {
        StationId::new(number).unwrap()
    }

    fn comms(number: i64) -> AlarmKey {
        (AlarmSource::Station(id(number)), Point::Comms)
    }

    #[test]
    fn stations_that_are_silent_together_share_their_facts_until_each_has_its_own() {
        let mut alarms = Alarms::default();
        let silent = |occurrence, numbers: &[i64]| SilentTogether {
            occurrence,
            since_ms: 10,
            stations: numbers.iter().copied().map(id).collect(),
        };
        alarms.join(&silent(7, &[1, 2, 3]));
        alarms.join(&silent(7, &[4, 5]));
        alarms.join(&silent(9, &[6]));
        alarms.join(&silent(9, &[]));
        assert_eq!(alarms.len(), 6);
        assert_eq!(alarms.get(&comms(2)), Some(&Alarm::silent_together(7, 10)));
        assert_eq!(alarms.get(&(AlarmSource::Station(id(2)), Point::Alarm1)), None);
        assert_eq!(alarms.together(&comms(6)), Some(9));
        assert_eq!(alarms.some_of(7, 9), [3, 2, 1, 5, 4].map(id));
        assert_eq!(alarms.iter().count(), 6);
        // Heard again, and one of its own.
        alarms.set(comms(3), None);
        let own = Alarm { contact: true, ..Alarm::silent_together(1, 1) };
        alarms.set(comms(1), Some(own.clone()));
        assert_eq!(alarms.get(&comms(3)), None);
        assert_eq!((alarms.get(&comms(1)), alarms.together(&comms(1))), (Some(&own), None));
        assert!(alarms.has_own(&comms(1)) && !alarms.has_own(&comms(2)));
        assert_eq!(alarms.some_of(7, 2), [2, 5].map(id));
        // The last of a group takes it along.
        alarms.set(comms(6), None);
        assert_eq!(alarms.some_of(9, 9), []);
        assert_eq!(alarms.standing_for().collect::<Vec<_>>(), [(7, 3)]);
        // Silent once more, in another group.
        alarms.join(&silent(8, &[1, 2]));
        assert_eq!((alarms.together(&comms(1)), alarms.together(&comms(2))), (Some(8), Some(8)));
        for number in [1, 2, 4, 5] {
            alarms.set(comms(number), None);
        }
        assert_eq!(alarms, Alarms::default());
    }
}
