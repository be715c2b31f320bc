//! What people say, kept as simply as can be: the last words of each scope.

use std::collections::BTreeMap;

use waterwatch_core::settings::{ScopeSays, StationOverrides};
use waterwatch_core::{Settings, StationId};

use crate::station_says::StationSays;
use crate::store::{NewSays, Settled};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::writer) struct Book {
    pub(in crate::writer) stations: BTreeMap<StationId, StationSays>,
    pub(in crate::writer) areas: BTreeMap<Box<str>, ScopeSays>,
    pub(in crate::writer) fleet: ScopeSays,
}

impl Book {
    pub(in crate::writer) fn write(&mut self, said: &[NewSays]) {
        for new in said {
            match new {
                NewSays::Station(id, says) => drop(self.stations.insert(*id, StationSays::clone(says))),
                NewSays::Area(name, says) => drop(self.areas.insert(name.clone(), ScopeSays::clone(says))),
                NewSays::Fleet(says) => self.fleet = ScopeSays::clone(says),
            }
        }
        self.stations.retain(|_, says| !says.is_empty());
        self.areas.retain(|_, says| !says.is_empty());
    }

    /// What a start makes of it.
    pub(in crate::writer) fn settled(&self, configuration: StationOverrides) -> Settled {
        let mut settled = Settled::from(Settings::of_fleet(configuration));
        for (&id, says) in &self.stations {
            settled.settle(&NewSays::Station(id, Box::new(says.clone())));
        }
        for (name, says) in &self.areas {
            settled.settle(&NewSays::Area(name.clone(), Box::new(says.clone())));
        }
        settled.settle(&NewSays::Fleet(Box::new(self.fleet.clone())));
        settled
    }
}
