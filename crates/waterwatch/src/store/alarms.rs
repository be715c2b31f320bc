//! The alarms in memory: the facts of each that is not at rest.

use hashbrown::HashMap;
use waterwatch_core::alarm::{Alarm, AlarmSource, Point};

/// Which alarm: whose, and about what.
pub type AlarmKey = (AlarmSource, Point);

/// All alarms that are not at rest: usually few, whatever the number of
/// stations. Should a million fall silent at once, the map grows in steps, and
/// moves addresses alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alarms(HashMap<AlarmKey, Box<Alarm>>);

impl Alarms {
    /// The facts of one; `None` if it is at rest.
    #[must_use]
    pub fn get(&self, key: &AlarmKey) -> Option<&Alarm> {
        self.0.get(key).map(|alarm| &**alarm)
    }

    /// Sets its facts; `None` puts it at rest.
    pub fn set(&mut self, key: AlarmKey, alarm: Option<Alarm>) {
        match alarm {
            Some(alarm) => drop(self.0.insert(key, Box::new(alarm))),
            None => drop(self.0.remove(&key)),
        }
    }

    /// What a batch recorded becomes the state.
    pub fn apply(&mut self, recorded: &[(AlarmKey, Option<Alarm>)]) {
        for (key, alarm) in recorded {
            self.set(key.clone(), alarm.clone());
        }
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&AlarmKey, &Alarm)> {
        self.0.iter().map(|(key, alarm)| (key, &**alarm))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether all are at rest.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
