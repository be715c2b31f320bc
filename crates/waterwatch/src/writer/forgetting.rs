//! Stations that are forgotten: ids that somebody invented or mistyped, and that nobody
//! has named. Their part of a draft.

use waterwatch_core::Origin;
use waterwatch_core::StationId;
use waterwatch_core::alarm::{AlarmSource, Input as AlarmInput, Point, Rejected};
use waterwatch_core::settings::Unfit;
use waterwatch_core::station_life::Input;

use super::command::NotObeyed;
use super::draft::{Draft, Ground};
use super::saying::Who;
use crate::said_tag::SaidTag;
use crate::store::{NewSays, Store};

impl Draft {
    /// Nothing is kept of a station any more but its part of the ledger: whatever is open
    /// is closed, because of that. Should it report again, it is new.
    pub(super) fn forget<S: Store>(
        &mut self,
        ground: &Ground<'_, S>,
        id: StationId,
        (by, if_said): Who<'_>,
    ) -> Result<(), NotObeyed> {
        let store = ground.store;
        // By the rows: what is said may be what cannot be meant, and is in no settings.
        match self.station_says(store, id) {
            Ok(says) if if_said.is_some_and(|tags| !tags.contains(&SaidTag::of(&says.told()))) => {
                return Err(Rejected::SaidOtherwise.into());
            }
            Ok(says) if says.is_empty() => {}
            Err(error) if !error.root_cause().is::<Unfit>() => return Err(NotObeyed::unread(&error)),
            Ok(_) | Err(_) => return Err(Rejected::StationNamed { station: id }.into()),
        }
        let slot = store.find(id).map(|(slot, _)| slot).filter(|_| !self.is_forgotten(id));
        let source = AlarmSource::Station(id);
        self.live(store, id, Input::Forget { by }, Default::default())?;
        let cause = Some(self.batch.sequence);
        for &point in Point::OF_STATION {
            let subject = self.subject(source.clone(), point, Origin::default(), cause);
            // The name was good enough for the station.
            self.step(store, ground.watch.settings(), &subject, AlarmInput::Forget { by });
        }
        for row in store.unreadable() {
            if let Some(key) = row.alarm.as_ref().filter(|key| key.0 == source) {
                self.judgement.set(&mut self.batch, key.clone(), None);
            }
        }
        if self.judgement.contest(store, &self.batch, id).is_some() {
            self.judgement.remember(&mut self.batch, id, None);
        }
        self.batch.forgotten.push((id, slot));
        Ok(())
    }

    /// Whether anything is said of a station after the batch so far.
    pub(super) fn is_named<S: Store>(&self, ground: &Ground<'_, S>, id: StationId) -> bool {
        let anew = self.batch.said.iter().rev().find_map(|new| match new {
            NewSays::Station(of, says) if *of == id => Some(!says.is_empty()),
            _ => None,
        });
        anew.unwrap_or_else(|| ground.watch.settings().is_said(id))
    }

    /// Whether anything is kept of a station after the batch so far: reports, or what
    /// people did to it.
    pub(super) fn is_kept<S: Store>(&self, store: &S, id: StationId) -> bool {
        let is_open = |point: &Point| self.current(store, &(AlarmSource::Station(id), *point)).is_some();
        store.find(id).is_some() && !self.is_forgotten(id)
            || self.life(store, id).is_some()
            || Point::OF_STATION.iter().any(is_open)
    }

    /// Whether a station is forgotten with this batch.
    pub(super) fn is_forgotten(&self, id: StationId) -> bool {
        // Nearly always none is: nothing is asked for each report.
        !self.batch.forgotten.is_empty() && self.batch.forgotten.iter().any(|(of, _)| *of == id)
    }
}
