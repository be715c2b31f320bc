//! What the writer tells the follower.

use std::collections::BTreeSet;
use std::sync::Arc;

use waterwatch_core::alarm::Alarm;
use waterwatch_core::{Settings, StationId, StationLife, StationSettings};

use crate::store::{AlarmKey, Alarms, Board, Lives, SilentTogether, Slot};

/// One message.
#[derive(Debug)]
pub(super) enum Update {
    /// All there is: what was known before does not count.
    Whole(Box<Whole>),
    /// What a batch recorded.
    Recorded(Box<Recorded>),
    /// Other settings hold for these stations.
    Resettled(Vec<Resettled>),
    /// What no mirror can follow.
    #[cfg(test)]
    Mistake,
}

/// All there is, of one moment.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) board: Arc<Board>,
    /// The stations that were heard, by their places; at those that are vacant, who was
    /// there last.
    pub(super) stations: Vec<StationId>,
    pub(super) vacant: Vec<Slot>,
    pub(super) alarms: Alarms,
    pub(super) lives: Lives,
    pub(super) settings: Settings,
    pub(super) named: BTreeSet<StationId>,
    /// Up to which sequence the ledger is recorded.
    pub(super) sequence: i64,
}

/// What one batch recorded of that which is followed.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    /// Stations that are known no more. Before all else.
    pub(super) forgotten: Vec<StationId>,
    /// Stations that were heard for the first time.
    pub(super) stations: Vec<(StationId, Slot)>,
    /// The facts of each alarm that is another one; `None`: it shares them, or
    /// is at rest.
    pub(super) alarms: Vec<(AlarmKey, Option<Arc<Alarm>>)>,
    pub(super) together: Vec<SilentTogether>,
    pub(super) lives: Vec<(StationId, Option<StationLife>)>,
    /// Up to which sequence the ledger is recorded, if it has more than before.
    pub(super) sequence: Option<i64>,
}

/// What holds for a station from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resettled {
    /// Which station.
    pub id: StationId,
    /// What holds. Its area does not count here.
    pub holds: StationSettings,
    /// The area that it is in, by its name.
    pub area: Option<Box<str>>,
    /// Whether it is configured.
    pub is_named: bool,
}

impl Update {
    /// How much of the queue it takes: about what it has of alarms and stations.
    pub(super) fn weight(&self) -> usize {
        match self {
            // Nothing waits when it is pushed.
            Update::Whole(_) => 1,
            Update::Recorded(recorded) => {
                let Recorded { forgotten, stations, alarms, together, lives, sequence: _ } = &**recorded;
                let together: usize = together.iter().map(|together| together.stations.len()).sum();
                1 + forgotten.len() + stations.len() + alarms.len() + together + lives.len()
            }
            Update::Resettled(stations) => 1 + stations.len(),
            #[cfg(test)]
            Update::Mistake => 1,
        }
    }
}
