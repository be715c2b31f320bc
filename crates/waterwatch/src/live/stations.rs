//! Questions about stations. Whether one is late is a question of time, so what is
//! asked for is looked for in the columns: a million stations take a few
//! milliseconds.

use std::ops::ControlFlow;

use waterwatch_core::StationId;
use waterwatch_core::alarm::State;

use super::classes::Brief;
use super::mirror::Mirror;
use super::rows::{Flags, Row};
use super::{PAGE_MAX, View};
use crate::store::Slot;
use crate::store::board::Heard;
use crate::store::reader::communication::{Comms, Quality, state_if_known};

/// Which stations are asked for; where a list is empty, all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StationQuery {
    /// Heard in one of these ways.
    pub comms: Vec<Comms>,
    /// Whose contacts are worth this.
    pub quality: Vec<Quality>,
    /// Whose worst alarm is in one of these states; of some it is not known.
    pub state: Vec<State>,
    /// In this area.
    pub area: Option<Box<str>>,
    /// Whether they report without being configured.
    pub unnamed: Option<bool>,
    /// Only these.
    pub within: Option<Within>,
    /// Those that come after this one.
    pub after: Option<StationId>,
    /// At most so many, and never more than [`PAGE_MAX`].
    pub limit: usize,
}

/// Stations by what they are called: those whose number begins so, and those that
/// somebody has found by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Within {
    /// The first digits of the number; `None`: no station by its number.
    pub id_prefix: Option<Box<str>>,
    /// Those besides; in order.
    pub ids: Vec<StationId>,
}

/// What a list says of a station.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StationRow {
    /// Which station.
    pub id: StationId,
    /// What it said last; `None` if it was never heard.
    pub heard: Option<Heard>,
    /// How it is heard, or what people have said of that.
    pub comms: Comms,
    /// What its contacts are worth.
    pub quality: Quality,
    /// The worst state of its alarms; `None` if nobody knows, or it is retired.
    pub state: Option<State>,
    /// How many of its alarms are neither normal nor hidden, or are contacts that
    /// are on and that no server has judged.
    pub alarms: u8,
    /// Whether it is configured.
    pub is_named: bool,
    /// Whether somebody is there, or was: [`View::life`] says more.
    pub has_life: bool,
}

/// A part of the stations, in the order of their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StationPage {
    /// What is on it.
    pub stations: Vec<StationRow>,
    /// Whether more come after its last.
    pub has_more: bool,
}

impl View<'_> {
    /// A page of the stations that have reported, or of which something is known.
    #[must_use]
    pub fn stations(&self, query: &StationQuery, now_ms: i64) -> StationPage {
        let mirror = self.mirror();
        let mut page = StationPage::default();
        let area = match &query.area {
            None => None,
            Some(name) => match mirror.classes.area_named(name) {
                None => return page,
                area => area,
            },
        };
        let limit = query.limit.min(PAGE_MAX);
        let may_fit = query.may_fit();
        for (from, to) in query.ranges() {
            let looked = mirror.rows.look_at(from, to, |id, slot, row| {
                let is_there = area.is_none() || mirror.classes.brief(row.class).area == area;
                if !may_fit(row.flags) || !is_there {
                    return ControlFlow::Continue(());
                }
                let station = mirror.station(id, slot, row, now_ms);
                let Some(station) = station.filter(|station| query.fits(station)) else {
                    return ControlFlow::Continue(());
                };
                if page.stations.len() == limit {
                    page.has_more = true;
                    return ControlFlow::Break(());
                }
                page.stations.push(station);
                ControlFlow::Continue(())
            });
            if looked.is_break() {
                break;
            }
        }
        page
    }

    /// One station; `None` if nobody knows it.
    #[must_use]
    pub fn station(&self, id: StationId, now_ms: i64) -> Option<StationRow> {
        let mirror = self.mirror();
        mirror.station(id, mirror.rows.slot(id), mirror.rows.get(id), now_ms)
    }

    /// How many stations are heard how, in the order of [`Comms::ALL`]. Looks at
    /// all of them.
    #[must_use]
    pub fn comms_counts(&self, now_ms: i64) -> [(Comms, usize); Comms::ALL.len()] {
        let mut counts = Comms::ALL.map(|comms| (comms, 0));
        let mirror = self.mirror();
        let _ = mirror.rows.look_at(StationId::MIN, StationId::MAX, |id, slot, row| {
            if let Some(station) = mirror.station(id, slot, row, now_ms) {
                counts[station.comms as usize].1 += 1;
            }
            ControlFlow::Continue(())
        });
        counts
    }
}

impl Mirror {
    #[inline]
    fn station(&self, id: StationId, slot: Option<Slot>, row: Row, now_ms: i64) -> Option<StationRow> {
        let flags = row.flags;
        if slot.is_none() && !flags.makes_known() {
            return None;
        }
        let &Brief { period_ms, is_judged, .. } = self.classes.brief(row.class);
        let heard = slot.and_then(|slot| self.board.get(slot));
        let received_at_ms = heard.and_then(|heard| heard.received_at_ms);
        let is_heard = Comms::heard(received_at_ms, flags.has(Flags::SILENT), period_ms, now_ms);
        let is_retired = flags.has(Flags::RETIRED);
        let contacts = heard.map_or([false; 2], |heard| [heard.alarm1, heard.alarm2]);
        let needs_none = |contact: usize| !contacts[contact] || !is_judged[contact] || flags.is_on(contact);
        let state = state_if_known(flags.worst(), needs_none(0) && needs_none(1), slot.is_some());
        let not_judged =
            |contact: usize| u8::from(contacts[contact] && is_judged[contact] && !flags.says_more(contact));
        Some(StationRow {
            id,
            heard,
            comms: is_heard.unless(is_retired, flags.has(Flags::PAUSED)),
            quality: if slot.is_some() { is_heard.quality() } else { Quality::Never },
            state: state.filter(|_| !is_retired),
            alarms: if is_retired { 0 } else { flags.alarms() + not_judged(0) + not_judged(1) },
            is_named: flags.has(Flags::NAMED),
            has_life: flags.has(Flags::LIVES),
        })
    }
}

impl StationQuery {
    #[inline]
    pub(super) fn fits(&self, station: &StationRow) -> bool {
        (self.comms.is_empty() || self.comms.contains(&station.comms))
            && (self.quality.is_empty() || self.quality.contains(&station.quality))
            && (self.state.is_empty() || station.state.is_some_and(|state| self.state.contains(&state)))
            && self.unnamed.is_none_or(|unnamed| unnamed == (!station.is_named && station.heard.is_some()))
    }

    /// Whether a station with these flags may fit: most that do not are seen by
    /// them, which is much quicker than to ask how it is heard.
    fn may_fit(&self) -> impl Fn(Flags) -> bool + use<> {
        let states = State::ALL.iter().copied();
        let is_asked = |state: &State| self.state.is_empty() || self.state.contains(state);
        let ranks: u8 = states.filter(is_asked).map(|state| 1 << state.rank()).sum();
        let needed: Option<Vec<Flags>> = self.comms.iter().map(|comms| comms_flag(*comms)).collect();
        let needed = needed.filter(|_| !self.comms.is_empty()).map(|flags| {
            let none = Flags::default();
            flags.into_iter().fold(none, |all, flag| all.with(flag, true))
        });
        let must_be_unnamed = self.unnamed == Some(true);
        move |flags| {
            ranks & 1 << flags.worst().rank() != 0
                && needed.is_none_or(|needed| flags.has(needed))
                && !(must_be_unnamed && flags.has(Flags::NAMED))
        }
    }

    /// The ids to look at, both ends included, in order and each once.
    fn ranges(&self) -> Vec<(StationId, StationId)> {
        let mut ranges = match &self.within {
            None => vec![(StationId::MIN, StationId::MAX)],
            Some(Within { id_prefix, ids }) => {
                let mut ranges = id_prefix.as_deref().map_or(Vec::new(), numbers_with);
                ranges.extend(ids.iter().map(|id| (*id, *id)));
                ranges.sort_unstable();
                ranges
            }
        };
        // Whoever is found by both is there once.
        let mut from = match self.after {
            None => Some(StationId::MIN),
            Some(after) => next(after),
        };
        ranges.retain_mut(|(start, end)| {
            let Some(first) = from.filter(|first| *first <= *end) else { return false };
            *start = first.max(*start);
            from = next(*end);
            true
        });
        ranges
    }
}

/// What a station has that is heard like that; `None`: time says it.
fn comms_flag(comms: Comms) -> Option<Flags> {
    match comms {
        Comms::Silent => Some(Flags::SILENT),
        Comms::Paused => Some(Flags::PAUSED),
        Comms::Retired => Some(Flags::RETIRED),
        Comms::Late | Comms::New | Comms::Up => None,
    }
}

fn next(id: StationId) -> Option<StationId> {
    id.get().checked_add(1).and_then(StationId::new)
}

/// The numbers that begin with these digits: one run for each length.
fn numbers_with(prefix: &str) -> Vec<(StationId, StationId)> {
    if prefix.is_empty() {
        return vec![(StationId::MIN, StationId::MAX)];
    }
    let has_zero = prefix.starts_with('0');
    let Some(first) = StationId::from_digits(prefix.as_bytes()) else { return Vec::new() };
    if has_zero {
        // No number is written with a zero before it.
        return if prefix == "0" { vec![(StationId::MIN, StationId::MIN)] } else { Vec::new() };
    }
    let (mut from, mut to) = (first.get(), first.get());
    let mut ranges = Vec::new();
    loop {
        ranges.extend(StationId::new(from).zip(StationId::new(to)));
        let Some(longer) = from.checked_mul(10) else { return ranges };
        from = longer;
        to = to.saturating_mul(10).saturating_add(9);
    }
}
