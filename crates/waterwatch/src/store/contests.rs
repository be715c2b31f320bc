//! The stations that several devices may report as, in memory: what is
//! remembered of each. Few, whatever the number of stations.

use hashbrown::HashMap;
use waterwatch_core::{Contest, StationId};

/// What is remembered of stations whose reports came from elsewhere lately, or
/// contradict each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contests(HashMap<StationId, Box<Contest>>);

impl Contests {
    /// What is remembered of a station; `None` if nothing is.
    #[must_use]
    pub fn get(&self, id: StationId) -> Option<&Contest> {
        self.0.get(&id).map(|contest| &**contest)
    }

    /// Sets it; `None` forgets it.
    pub fn set(&mut self, id: StationId, contest: Option<Contest>) {
        match contest {
            Some(contest) => drop(self.0.insert(id, Box::new(contest))),
            None => drop(self.0.remove(&id)),
        }
    }

    /// What a batch recorded becomes the state.
    pub fn apply(&mut self, recorded: &[(StationId, Option<Contest>)]) {
        for (id, contest) in recorded {
            self.set(*id, contest.clone());
        }
    }

    /// The stations of which something is remembered, in no order.
    pub fn ids(&self) -> impl Iterator<Item = StationId> {
        self.0.keys().copied()
    }
}
