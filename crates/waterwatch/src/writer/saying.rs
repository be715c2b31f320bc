//! What people say of stations, for areas and for the fleet: deciding it.

use std::collections::HashMap;

use waterwatch_core::alarm::{AlarmSource, Ledger, Rejected, name};
use waterwatch_core::settings::{Said, ScopeSays, Told, Unfit, changes, text};
use waterwatch_core::{Settings, StationId};

use super::command::NotObeyed;
use super::draft::{Draft, Ground};
use crate::said_tag::SaidTag;
use crate::station_says::{NAME_CHARS_MAX, StationSays};
use crate::store::{NewSays, Store};

/// Areas for which something is said, at most: what each says is kept in memory.
pub(super) const AREAS_MAX: usize = 10_000;

/// The areas for which something is said.
struct AreasSaid<'a> {
    settings: &'a Settings,
    /// Whether anything is, for those of this batch.
    anew: HashMap<&'a str, bool>,
    count: usize,
}

impl AreasSaid<'_> {
    fn has(&self, name: &str) -> bool {
        self.anew.get(name).copied().unwrap_or_else(|| self.settings.is_area_said(name))
    }
}

/// Who says it, and only if one of these is the tag of what is said there until then.
pub(super) type Who<'a> = (&'a str, Option<&'a [SaidTag]>);

impl Draft {
    /// People say this of a station, in place of all that they said of it.
    pub(super) fn set_station<S: Store>(
        &mut self,
        store: &S,
        id: StationId,
        says: &StationSays,
        who: Who<'_>,
    ) -> Result<(), NotObeyed> {
        let source = AlarmSource::Station(id);
        let before = known(&source, self.station_says(store, id))?.map(|before| before.told());
        self.say_anew(
            source,
            NewSays::Station(id, Box::new(says.clone())),
            before.as_deref(),
            &says.told(),
            who,
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

    /// The areas for which they say something after the batch so far.
    fn areas_said<'a>(&'a self, settings: &'a Settings) -> AreasSaid<'a> {
        let mut areas = AreasSaid { settings, anew: HashMap::new(), count: settings.areas_said() };
        for new in &self.batch.said {
            if let NewSays::Area(name, says) = new {
                match (areas.has(name), !says.is_empty()) {
                    (false, true) => areas.count += 1,
                    (true, false) => areas.count -= 1,
                    _ => {}
                }
                areas.anew.insert(name, !says.is_empty());
            }
        }
        areas
    }

    /// They say this for the stations of an area, whether there are any yet or not.
    pub(super) fn set_area<S: Store>(
        &mut self,
        ground: &Ground<'_, S>,
        area: &str,
        says: &ScopeSays,
        who: Who<'_>,
    ) -> Result<(), NotObeyed> {
        let area = text("area", Said::Text(area), NAME_CHARS_MAX).map_err(Rejected::from)?;
        let areas = self.areas_said(ground.watch.settings());
        if !says.is_empty() && !areas.has(&area) && areas.count >= AREAS_MAX {
            return Err(Rejected::AreasMax { areas_max: AREAS_MAX }.into());
        }
        let anew = self.batch.said.iter().rev().find_map(|new| match new {
            NewSays::Area(of, says) if *of == area => Some(ScopeSays::clone(says)),
            _ => None,
        });
        let source = AlarmSource::Area(area.clone());
        let before = known(&source, anew.map_or_else(|| ground.store.area_says(&area), Ok))?;
        let before = before.map(|before| before.told());
        self.say_anew(
            source,
            NewSays::Area(area, Box::new(says.clone())),
            before.as_deref(),
            &says.told(),
            who,
        )
    }

    /// They say this for the fleet, over what the configuration says.
    pub(super) fn set_fleet<S: Store>(
        &mut self,
        store: &S,
        says: &ScopeSays,
        who: Who<'_>,
    ) -> Result<(), NotObeyed> {
        let anew = self.batch.said.iter().rev().find_map(|new| match new {
            NewSays::Fleet(says) => Some(ScopeSays::clone(says)),
            _ => None,
        });
        let source = AlarmSource::Server;
        let before = known(&source, anew.map_or_else(|| store.fleet_says(), Ok))?.map(|before| before.told());
        self.say_anew(source, NewSays::Fleet(Box::new(says.clone())), before.as_deref(), &says.told(), who)
    }

    /// Whoever says the same again changes nothing. What was there and cannot be
    /// known is replaced.
    fn say_anew(
        &mut self,
        source: AlarmSource,
        new: NewSays,
        before: Option<&[(String, Told)]>,
        after: &[(String, Told)],
        who: Who<'_>,
    ) -> Result<(), NotObeyed> {
        let (by, if_said) = who;
        let by = name(by)?;
        // What cannot be meant has no tag: who puts it right writes over nothing that anybody reads.
        let is_said = |tags: &[SaidTag]| before.is_none_or(|before| tags.contains(&SaidTag::of(before)));
        if if_said.is_some_and(|tags| !is_said(tags)) {
            return Err(Rejected::SaidOtherwise.into());
        }
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

/// What was said until now; `None` if that cannot be meant: it can be replaced, or
/// nobody could ever put it right.
fn known<T>(source: &AlarmSource, says: anyhow::Result<T>) -> Result<Option<T>, NotObeyed> {
    match says {
        Ok(says) => Ok(Some(says)),
        Err(error) if error.root_cause().is::<Unfit>() => {
            tracing::warn!(%source, "what was settled cannot be meant, and is replaced: {error:#}");
            Ok(None)
        }
        Err(error) => Err(NotObeyed::unread(&error)),
    }
}
