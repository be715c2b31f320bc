//! Visits and retirements as the ledger tells them.

use std::collections::{BTreeMap, BTreeSet};

use waterwatch_core::StationId;
use waterwatch_core::alarm::{AlarmSource, Event, Kind};
use waterwatch_core::station_life::without_remark;

use super::disk::Disk;
use crate::store::Store;

/// How late the end of a visit may be noticed: a turn lasts so long in which a
/// batch is tried again and then stored, twice if it has found something.
const NOTICED_WITHIN_MS: i64 = 11_000;

/// Folded from the ledger.
#[derive(Debug, Default)]
pub(super) struct Lives {
    /// Who is where, and until when.
    visits: BTreeMap<StationId, (Box<str>, i64)>,
    retired: BTreeSet<StationId>,
}

impl Lives {
    pub(super) fn is_retired(&self, id: StationId) -> bool {
        self.retired.contains(&id)
    }

    /// An entry about a source as a whole.
    pub(super) fn fold(&mut self, event: &Event) {
        let AlarmSource::Station(id) = event.source else { return };
        match event.kind {
            Kind::VisitBegan => {
                let until_ms = event.until_ms.expect("a visit has an end");
                assert!(until_ms > event.received_at_ms, "{event:?}");
                let by = event.by.clone().expect("somebody is there");
                let before = self.visits.insert(id, (by.clone(), until_ms));
                assert!(before.is_none_or(|(before, _)| before == by), "nobody took it over: {event:?}");
            }
            Kind::VisitEnded => {
                let (_, until_ms) = self.visits.remove(&id).expect("somebody was there");
                assert!(event.by.is_some() || until_ms <= event.received_at_ms, "ended early: {event:?}");
            }
            Kind::Retired => assert!(self.retired.insert(id), "{event:?}"),
            Kind::Forgotten => {
                self.retired.remove(&id);
            }
            Kind::RetirementEnded => assert!(self.retired.remove(&id), "{event:?}"),
            kind => panic!("{kind} is about a point"),
        }
    }

    /// Whoever was raised during a visit says so, and nobody else. What began or
    /// ended with the same `events` may be either.
    pub(super) fn remarks(&self, event: &Event, events: &[Event]) {
        let AlarmSource::Station(id) = event.source else { return };
        let is_about = |other: &Event| {
            other.source == event.source && matches!(other.kind, Kind::VisitBegan | Kind::VisitEnded)
        };
        if !matches!(event.kind, Kind::Raised | Kind::RaisedAgain) || events.iter().any(is_about) {
            return;
        }
        let visit = self.visits.get(&id).filter(|(_, until_ms)| event.received_at_ms < *until_ms);
        let wanted = visit.map(|(by, _)| format!("during the visit of {by}"));
        let said = event.reason.as_deref().and_then(|reason| without_remark(reason).1);
        assert_eq!(said, wanted.as_deref(), "{event:?}");
    }

    /// What is kept is what the ledger tells.
    pub(super) fn agree(&self, disk: &Disk) {
        let retired = disk.lives().iter().filter(|(_, life)| life.retired.is_some()).map(|(id, _)| id);
        assert!(self.retired.iter().copied().eq(retired), "{self:?} {:?}", disk.lives());
        let visits = disk.lives().iter().filter_map(|(id, life)| Some((id, life.visit.as_ref()?)));
        let visits = visits.map(|(id, visit)| (id, (visit.by.clone(), visit.until_ms)));
        assert!(self.visits.clone().into_iter().eq(visits), "{self:?} {:?}", disk.lives());
    }

    /// Nobody is said to be there whose time is over.
    pub(super) fn no_visit_is_forgotten(&self, wall_ms: i64) {
        for (id, (by, until_ms)) in &self.visits {
            assert!(
                until_ms + NOTICED_WITHIN_MS > wall_ms,
                "{by} is still at {id}, {} ms too long",
                wall_ms - until_ms
            );
        }
    }
}
