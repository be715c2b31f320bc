//! What people say of stations, for areas and for the fleet: deciding it.

use waterwatch_core::StationId;
use waterwatch_core::alarm::{AlarmSource, Ledger, Rejected, name};
use waterwatch_core::settings::{Said, ScopeSays, Told, changes, text};

use super::draft::{Draft, Ground};
use crate::station_says::{NAME_CHARS_MAX, StationSays};
use crate::store::{NewSays, Store};

/// Areas for which something is said, at most: what each says is kept in memory.
const AREAS_MAX: usize = 10_000;

impl Draft {
    /// People say this of a station, in place of all that they said of it.
    pub(super) fn set_station<S: Store>(
        &mut self,
        store: &S,
        id: StationId,
        says: &StationSays,
        by: &str,
    ) -> Result<(), Rejected> {
        let source = AlarmSource::Station(id);
        let before = known(&source, self.station_says(store, id)).map(|before| before.told());
        self.say_anew(
            source,
            NewSays::Station(id, Box::new(says.clone())),
            before.as_deref(),
            &says.told(),
            by,
        )
    }

    /// What people say of a station after the batch so far.
    pub(super) fn station_says<S: Store>(&self, store: &S, id: StationId) -> anyhow::Result<StationSays> {
        let anew = self.batch.said.iter().rev().find_map(|new| match new {
            NewSays::Station(of, says) if *of == id => Some(StationSays::clone(says)),
            _ => None,
        });
        anew.map_or_else(|| store.station_says(id), Ok)
    }

    /// They say this for the stations of an area, whether there are any yet or not.
    pub(super) fn set_area<S: Store>(
        &mut self,
        ground: &Ground<'_, S>,
        area: &str,
        says: &ScopeSays,
        by: &str,
    ) -> Result<(), Rejected> {
        let area = text("area", Said::Text(area), NAME_CHARS_MAX)?;
        let settings = ground.watch.settings();
        if !settings.is_area_said(&area) && settings.areas_said() >= AREAS_MAX {
            return Err(Rejected::AreasMax { areas_max: AREAS_MAX });
        }
        let anew = self.batch.said.iter().rev().find_map(|new| match new {
            NewSays::Area(of, says) if *of == area => Some(ScopeSays::clone(says)),
            _ => None,
        });
        let source = AlarmSource::Area(area.clone());
        let before = known(&source, anew.map_or_else(|| ground.store.area_says(&area), Ok));
        let before = before.map(|before| before.told());
        self.say_anew(
            source,
            NewSays::Area(area, Box::new(says.clone())),
            before.as_deref(),
            &says.told(),
            by,
        )
    }

    /// They say this for the fleet, over what the configuration says.
    pub(super) fn set_fleet<S: Store>(
        &mut self,
        store: &S,
        says: &ScopeSays,
        by: &str,
    ) -> Result<(), Rejected> {
        let anew = self.batch.said.iter().rev().find_map(|new| match new {
            NewSays::Fleet(says) => Some(ScopeSays::clone(says)),
            _ => None,
        });
        let source = AlarmSource::Server;
        let before = known(&source, anew.map_or_else(|| store.fleet_says(), Ok)).map(|before| before.told());
        self.say_anew(source, NewSays::Fleet(Box::new(says.clone())), before.as_deref(), &says.told(), by)
    }

    /// Whoever says the same again changes nothing. What was there and cannot be
    /// known is replaced.
    fn say_anew(
        &mut self,
        source: AlarmSource,
        new: NewSays,
        before: Option<&[(String, Told)]>,
        after: &[(String, Told)],
        by: &str,
    ) -> Result<(), Rejected> {
        let by = name(by)?;
        let words = match before {
            Some(before) => match changes(before, after) {
                Some(words) => words,
                None => return Ok(()),
            },
            None => changes(&[], after).unwrap_or_else(|| "all of it unset".to_owned()),
        };
        let mut ledger = Ledger { sequence: &mut self.batch.sequence, events: &mut self.batch.events };
        ledger.settings_changed(source, self.batch.received_at_ms, by, &words);
        self.batch.said.push(new);
        Ok(())
    }
}

/// What was said until now; `None` if that cannot be meant or read.
fn known<T>(source: &AlarmSource, says: anyhow::Result<T>) -> Option<T> {
    let told =
        |error| tracing::warn!(%source, "what was settled cannot be meant, and is replaced: {error:#}");
    says.map_err(told).ok()
}
