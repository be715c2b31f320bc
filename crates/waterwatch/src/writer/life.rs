//! Visits and retirements: their part of a draft, on copies.

use waterwatch_core::alarm::{AlarmSource, Input as AlarmInput, Kind, Ledger, Point, Rejected};
use waterwatch_core::station_life::{Input, Moment, with_remark};
use waterwatch_core::{Origin, Settings, StationId, StationLife};

use super::draft::Draft;
use super::watch::Watch;
use crate::store::{Batch, Store};

/// Why an alarm is raised of a station whose retirement somebody ended.
const ON_WHEN_RETIREMENT_ENDED: &str = "on already when its retirement was ended";

impl Draft {
    /// What holds of a station after the batch so far.
    pub(super) fn life<'a, S: Store>(&'a self, store: &'a S, id: StationId) -> Option<&'a StationLife> {
        match self.lives.get(&id) {
            Some(&place) => self.batch.lives[place].1.as_ref(),
            None => store.lives().get(id),
        }
    }

    /// Whether a station is retired after the batch so far.
    pub(super) fn is_retired<S: Store>(&self, store: &S, id: StationId) -> bool {
        self.life(store, id).is_some_and(|life| life.retired.is_some())
    }

    /// The same where it can be known from the batch alone: nothing is asked
    /// for each report.
    pub(super) fn was_retired_now<S: Store>(&self, store: &S, id: StationId) -> bool {
        !self.lives.is_empty() && self.is_retired(store, id)
    }

    /// Steps what is known of a station as a whole.
    pub(super) fn live<S: Store>(
        &mut self,
        store: &S,
        id: StationId,
        input: Input<'_>,
        (origin, cause): (Origin, Option<i64>),
    ) -> Result<(), Rejected> {
        let moment = Moment { station: id, now_ms: self.batch.received_at_ms, origin, cause };
        let before = self.life(store, id).cloned();
        let Batch { sequence, events, .. } = &mut self.batch;
        let after = StationLife::step(before.as_ref(), input, &moment, &mut Ledger { sequence, events })?;
        if after == before {
            return Ok(());
        }
        match self.lives.get(&id) {
            Some(&place) => self.batch.lives[place].1 = after,
            None => {
                self.lives.insert(id, self.batch.lives.len());
                self.batch.lives.push((id, after));
            }
        }
        Ok(())
    }

    /// A station has reported that may be retired.
    pub(super) fn ends_retirement<S: Store>(&mut self, store: &S, id: StationId, origin: Origin) {
        if self.is_retired(store, id) {
            let cause = Some(self.batch.sequence);
            // Only a person's input can be rejected.
            let stepped = self.live(store, id, Input::Heard, (origin, cause));
            debug_assert_eq!(stepped, Ok(()));
        }
    }

    /// A station is no more: whatever is open is closed, because of that.
    pub(super) fn retire<S: Store>(
        &mut self,
        store: &S,
        settings: &Settings,
        id: StationId,
        (by, reason): (&str, &str),
    ) -> Result<(), Rejected> {
        self.live(store, id, Input::Retire { by, reason }, Default::default())?;
        let cause = Some(self.batch.sequence);
        for &point in Point::OF_STATION {
            let subject = self.subject(AlarmSource::Station(id), point, Origin::default(), cause);
            // Name and reason were good enough for the station.
            self.step(store, settings, &subject, AlarmInput::Retire { by, reason });
        }
        Ok(())
    }

    /// A station was retired by mistake: it is watched again, and what it said last
    /// counts.
    pub(super) fn end_retirement<S: Store>(
        &mut self,
        store: &S,
        watch: &Watch,
        id: StationId,
        by: &str,
    ) -> Result<(), Rejected> {
        self.live(store, id, Input::EndRetirement { by }, Default::default())?;
        if let Some((slot, _)) = store.find(id) {
            self.find_contacts(store, watch, slot, ON_WHEN_RETIREMENT_ENDED);
        }
        Ok(())
    }

    /// Visits whose time is over end.
    pub(super) fn end_visits<S: Store>(&mut self, store: &S, due: &[StationId]) {
        for &id in due {
            let stepped = self.live(store, id, Input::Time, Default::default());
            debug_assert_eq!(stepped, Ok(()));
        }
    }

    /// Whoever is told of an alarm that was raised during a visit is told so.
    pub(super) fn remark_visits<S: Store>(&mut self, store: &S) {
        if store.lives().is_empty() && self.batch.lives.is_empty() {
            return;
        }
        let mut events = std::mem::take(&mut self.batch.events);
        for event in events.iter_mut().filter(|event| is_told(event.kind)) {
            if let AlarmSource::Station(id) = event.source
                && let Some(visit) = self.life(store, id).and_then(|life| life.visit_at(event.received_at_ms))
            {
                event.reason = Some(with_remark(event.reason.as_deref(), visit).into());
            }
        }
        self.batch.events = events;
    }
}

fn is_told(kind: Kind) -> bool {
    matches!(kind, Kind::Raised | Kind::RaisedAgain)
}
