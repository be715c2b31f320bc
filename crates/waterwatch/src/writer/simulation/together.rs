//! What must be true of alarms that stand for stations that fall silent together.

use std::collections::HashMap;

use waterwatch_core::alarm::{AlarmSource, Event, Kind, Point, State};
use waterwatch_core::together::{Together, stands};
use waterwatch_core::{Settings, StationId};

use super::SECOND_MS;
use super::disk::Disk;
use super::truth::Moment;
use crate::store::Store;

/// How exactly a window is kept: a silence is noticed with the next turn.
const EXACTLY_MS: i64 = 2 * SECOND_MS;

/// The alarms of areas and of the server, by their occurrences: whose, and when raised.
#[derive(Debug, Default)]
pub(super) struct Faults {
    raised: HashMap<i64, (AlarmSource, Moment)>,
    pub(super) found: Found,
}

/// How often something was looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found {
    pub(super) raised: usize,
    pub(super) stood_for: usize,
    pub(super) alone: usize,
}

/// What a batch had to go by.
pub(super) struct Ground<'a> {
    pub(super) settings: &'a Settings,
    pub(super) disk: &'a Disk,
    pub(super) now: Moment,
    pub(super) wall_ms: i64,
    /// Whoever reported in the batch was silent until then.
    pub(super) reports: usize,
}

impl Faults {
    /// These were committed in one batch.
    pub(super) fn committed(&mut self, events: &[Event], ground: &Ground<'_>) {
        for event in events.iter().filter(|event| event.point == Some(Point::Comms)) {
            // What an end of something else raises was raised by no count.
            let is_caused = events.iter().any(|cause| Some(cause.sequence) == event.cause);
            match (&event.source, event.kind) {
                // For one that was never heard no other alarm stands.
                (AlarmSource::Station(id), Kind::Raised) if !is_caused && !was_never_heard(event) => {
                    self.is_alone(*id, event, ground);
                }
                (AlarmSource::Station(_), _) => {}
                (source, Kind::Raised) => {
                    self.raised.insert(event.sequence, (source.clone(), ground.now));
                    if !is_caused {
                        // What a command or a report ended was silent when that was decided.
                        let ended = events.iter().filter(|event| event.to == Some(State::Normal)).count();
                        self.is_one_fault(source, event, ended, ground);
                    }
                }
                (source, Kind::StandsFor) => self.stands_for(source, event, ground),
                _ => {}
            }
        }
    }

    /// Enough of its stations are silent.
    fn is_one_fault(&mut self, source: &AlarmSource, event: &Event, ended: usize, ground: &Ground<'_>) {
        self.found.raised += 1;
        let silent = |id: StationId| {
            let comms = (AlarmSource::Station(id), Point::Comms);
            ground.disk.alarms().get(&comms).is_some_and(|alarm| alarm.contact)
        };
        let ids = ground.disk.slots().map(|slot| ground.disk.station(slot).0);
        let silent = ids.filter(|id| is_of(source, *id, ground.settings) && silent(*id)).count();
        let silent = silent + ended + ground.reports;
        assert!(silent >= Together::STATIONS_MIN, "{silent} were silent: {event:?}");
    }

    /// Whom it stands for are its stations, fell silent with it, and it is there itself.
    fn stands_for(&mut self, source: &AlarmSource, event: &Event, ground: &Ground<'_>) {
        let occurrence = event.occurrence.expect("an occurrence stands for them");
        let (of, raised) = self.raised.get(&occurrence).expect("it was raised");
        assert_eq!(of, source, "{event:?}");
        let (at_least_ms, _) = raised.until(ground.now);
        assert!(at_least_ms <= window_ms(source, ground) + EXACTLY_MS, "raised for so long: {event:?}");
        for id in event.stations.iter().flatten() {
            assert!(is_of(source, *id, ground.settings), "{id} is of another area: {event:?}");
            self.found.stood_for += 1;
        }
    }

    /// A station alarms for itself only where no alarm stands for it.
    fn is_alone(&mut self, id: StationId, event: &Event, ground: &Ground<'_>) {
        self.found.alone += 1;
        let area = ground.settings.of(id).area;
        let area = area.map(|area| AlarmSource::Area(ground.settings.area_name(area).into()));
        for source in area.into_iter().chain([AlarmSource::Server]) {
            let alarm = ground.disk.alarms().get(&(source.clone(), Point::Comms));
            let Some(occurrence) = alarm.and_then(|alarm| stands(alarm, ground.wall_ms)) else { continue };
            // One of another time, by another start, is not known here.
            let Some((_, raised)) = self.raised.get(&occurrence) else { continue };
            let (_, at_most_ms) = raised.until(ground.now);
            assert!(
                at_most_ms >= window_ms(&source, ground) - EXACTLY_MS,
                "{source:?} {occurrence} stands for it: {event:?}"
            );
        }
    }
}

fn was_never_heard(event: &Event) -> bool {
    event.reason.as_deref().is_some_and(|reason| reason.starts_with("never heard"))
}

fn window_ms(source: &AlarmSource, ground: &Ground<'_>) -> i64 {
    let rules = ground.settings.together();
    if *source == AlarmSource::Server { rules.all.window_ms } else { rules.area.window_ms }
}

/// Whether a station is one of those that an area's alarm, or the server's, is about.
fn is_of(source: &AlarmSource, id: StationId, settings: &Settings) -> bool {
    match source {
        AlarmSource::Area(name) => {
            settings.of(id).area.is_some_and(|area| settings.area_name(area) == &**name)
        }
        AlarmSource::Server => true,
        AlarmSource::Station(_) => false,
    }
}
