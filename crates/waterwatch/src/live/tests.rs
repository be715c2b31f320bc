//! The mirror against what the store has, whatever batches say.

mod failing;
mod forgetting;
mod model;
mod pages;
mod scale;

use std::sync::Arc;

use proptest::prelude::*;
use waterwatch_core::alarm::{
    Acknowledgement, Alarm, AlarmSource, Aside, Chatter, Event, Occurrence, Point, Priority,
};
use waterwatch_core::settings::{PointOverrides, StationOverrides};
use waterwatch_core::station_life::{Retired, Visit};
use waterwatch_core::{Novelty, OpenSpan, Origin, Settings, Station, StationId, StationLife};

use super::*;
use crate::store::stations::{Slot, Stations};
use crate::store::{
    AlarmKey, Alarms, Batch, Board, Change, Contests, Lives, SilentTogether, Store, StoreError,
};

/// When all of it happens.
const NOW_MS: i64 = 1_700_000_000_000;

/// A store in memory that never fails.
#[derive(Debug, Default)]
pub(super) struct Memory {
    stations: Stations,
    alarms: Alarms,
    lives: Lives,
    contests: Contests,
    sequence: i64,
}

impl Store for Memory {
    fn find(&self, id: StationId) -> Option<(Slot, &Station)> {
        self.stations.find(id)
    }

    fn station_count(&self) -> usize {
        self.stations.len()
    }

    fn places(&self) -> usize {
        self.stations.places()
    }

    fn is_vacant(&self, slot: Slot) -> bool {
        self.stations.is_vacant(slot)
    }

    fn station(&self, slot: Slot) -> (StationId, &Station) {
        let (id, station) = self.stations.at(slot);
        (*id, station)
    }

    fn board(&self) -> Arc<Board> {
        self.stations.board()
    }

    fn alarms(&self) -> &Alarms {
        &self.alarms
    }

    fn lives(&self) -> &Lives {
        &self.lives
    }

    fn contests(&self) -> &Contests {
        &self.contests
    }

    fn sequence(&self) -> i64 {
        self.sequence
    }

    fn alive_until_ms(&self) -> Option<i64> {
        None
    }

    fn listener(&mut self, _address: &str) -> anyhow::Result<u16> {
        Ok(1)
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        for (id, slot) in &batch.forgotten {
            assert_eq!(self.stations.remove(*id), *slot);
        }
        for change in &batch.changes {
            match change.slot {
                Some(slot) => self.stations.set(slot, change.station),
                None => drop(self.stations.add(change.id, change.station)),
            }
        }
        self.alarms.apply(batch);
        self.lives.apply(&batch.lives);
        self.sequence = batch.sequence;
        Ok(())
    }

    fn reopen(&mut self) -> anyhow::Result<()> {
        // The places are others after each reading.
        let before = std::mem::take(&mut self.stations);
        for slot in (0..before.places()).rev().map(Slot::new).filter(|slot| !before.is_vacant(*slot)) {
            let (id, station) = *before.at(slot);
            self.stations.add(id, station);
        }
        Ok(())
    }
}

fn id(number: i64) -> StationId {
    StationId::new(number).unwrap()
}

fn station(number: i64) -> AlarmSource {
    AlarmSource::Station(id(number))
}

fn heard(age_ms: i64, alarm1: bool, alarm2: bool) -> Station {
    Station {
        alarm1,
        alarm2,
        received_at_ms: NOW_MS - age_ms,
        sequence: 1,
        reports: 1,
        origin: Origin::default(),
        span: OpenSpan::default(),
    }
}

fn raised(sequence: i64, at_ms: i64) -> Alarm {
    Alarm {
        contact: true,
        contact_since_ms: at_ms,
        occurrence: Some(Occurrence {
            sequence,
            raised_at_ms: at_ms,
            returned_at_ms: None,
            acknowledged: None,
            realarm_due_ms: None,
            hand_over_due_ms: None,
            raises: 1,
        }),
        ..Alarm::default()
    }
}

/// What is said with these priorities of `alarm1` and `comms`, and with `alarm2` as
/// that says.
fn says(alarm1: Priority, comms: Priority, period_s: u32, has_alarm2: bool) -> StationOverrides {
    let mut points = [PointOverrides::default(); Point::ALL.len()];
    points[Point::Alarm1 as usize].priority = Some(alarm1);
    points[Point::Alarm2 as usize].enabled = Some(has_alarm2);
    points[Point::Comms as usize].priority = Some(comms);
    StationOverrides { period_s: Some(period_s), points, ..StationOverrides::default() }
}
