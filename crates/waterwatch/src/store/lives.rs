//! What people have said of stations as a whole, in memory: of those of which
//! they have.

use std::collections::BTreeMap;

use waterwatch_core::{StationId, StationLife};

/// All stations that are visited or retired.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lives(BTreeMap<StationId, StationLife>);

impl Lives {
    /// None.
    pub const NONE: &'static Lives = &Lives(BTreeMap::new());

    /// What holds for a station, if anything does.
    #[must_use]
    pub fn get(&self, id: StationId) -> Option<&StationLife> {
        self.0.get(&id)
    }

    /// Whether a station is retired.
    #[must_use]
    pub fn is_retired(&self, id: StationId) -> bool {
        self.get(id).is_some_and(|life| life.retired.is_some())
    }

    /// What a batch recorded becomes the state; `None`: nothing holds any more.
    pub fn apply(&mut self, recorded: &[(StationId, Option<StationLife>)]) {
        for (id, life) in recorded {
            match life {
                Some(life) => drop(self.0.insert(*id, life.clone())),
                None => drop(self.0.remove(id)),
            }
        }
    }

    /// All of them, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (StationId, &StationLife)> {
        self.0.iter().map(|(id, life)| (*id, life))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
