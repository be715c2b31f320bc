//! Stations that are configured and were never heard, each until when it is
//! expected: they have no place in the store, and no deadline that moves.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use waterwatch_core::alarm::{AlarmSource, Point};
use waterwatch_core::silence::ListeningClock;
use waterwatch_core::{Settings, StationId};

use crate::store::Store;

/// Those that are moved in one turn, at most: so that a fleet that was expected at
/// one moment does not hold up a commit.
const MOVED_MAX: usize = 8_192;

/// Two times must have come until such a station is silent: the one that a person
/// named, on the wall; and a period and grace in which it could have been heard
/// since the start, in listening time.
#[derive(Debug, Default)]
pub(super) struct Expected {
    /// What is said of them, in milliseconds UTC, also of those that were heard.
    by_ms: HashMap<StationId, i64>,
    /// Those that wait for the wall.
    by_wall: BTreeSet<(i64, StationId)>,
    /// Those whose time has come on the wall, and that wait for listening time.
    by_listening: BTreeSet<(i64, StationId)>,
    /// Until when each of these waits.
    listening_ms: HashMap<StationId, i64>,
}

impl Expected {
    pub(super) fn new(expected_by: Vec<(StationId, i64)>) -> Expected {
        Expected { by_ms: expected_by.into_iter().collect(), ..Expected::default() }
    }

    /// Makes it anew from what is recorded: whoever was heard, or is silent
    /// already, is not expected.
    pub(super) fn read<S: Store>(&mut self, settings: &Settings, store: &S) {
        self.by_listening.clear();
        self.listening_ms.clear();
        let waits = |id: StationId| is_waited_for(id, settings, store);
        self.by_wall =
            self.by_ms.iter().filter(|(id, _)| waits(**id)).map(|(&id, &by_ms)| (by_ms, id)).collect();
    }

    /// Something of this station is recorded: it was heard, or its silence began or
    /// ended.
    pub(super) fn recorded<S: Store>(&mut self, id: StationId, settings: &Settings, store: &S) {
        let Some(&by_ms) = self.by_ms.get(&id) else { return };
        if !is_waited_for(id, settings, store) {
            self.forget(id);
        } else if !self.listening_ms.contains_key(&id) {
            self.by_wall.insert((by_ms, id));
        }
    }

    /// Until when a station is expected is said anew.
    pub(super) fn say(&mut self, id: StationId, by_ms: Option<i64>) {
        self.forget(id);
        match by_ms {
            Some(by_ms) => drop(self.by_ms.insert(id, by_ms)),
            None => drop(self.by_ms.remove(&id)),
        }
    }

    /// What holds for a station may be something else: it waits as after a start.
    pub(super) fn settle<S: Store>(&mut self, id: StationId, settings: &Settings, store: &S) {
        self.forget(id);
        self.recorded(id, settings, store);
    }

    /// It waits for nothing.
    fn forget(&mut self, id: StationId) {
        if let Some(by_ms) = self.by_ms.get(&id) {
            self.by_wall.remove(&(*by_ms, id));
        }
        if let Some(from_ms) = self.listening_ms.remove(&id) {
            self.by_listening.remove(&(from_ms, id));
        }
    }

    /// What is said of each, in the order of their ids.
    #[cfg(test)]
    pub(super) fn by_ms(&self) -> Vec<(StationId, i64)> {
        let mut all: Vec<_> = self.by_ms.iter().map(|(id, by_ms)| (*id, *by_ms)).collect();
        all.sort_unstable();
        all
    }

    /// Whoever is, or was, expected.
    pub(super) fn ids(&self) -> Vec<StationId> {
        self.by_ms.keys().copied().collect()
    }

    /// Whoever's time has come on the wall waits for listening time.
    pub(super) fn turn(&mut self, wall_ms: i64, clock: &ListeningClock, settings: &Settings) {
        for _ in 0..MOVED_MAX {
            let Some(&(by_ms, id)) = self.by_wall.first().filter(|(by_ms, _)| *by_ms <= wall_ms) else {
                return;
            };
            self.by_wall.remove(&(by_ms, id));
            let settings = settings.of(id);
            let from_ms = clock.never_heard_at_ms(settings.period_ms, settings.grace_ms);
            self.wait_until(from_ms, id);
        }
    }

    fn wait_until(&mut self, from_ms: i64, id: StationId) {
        self.by_listening.insert((from_ms, id));
        self.listening_ms.insert(id, from_ms);
    }

    /// The wall has jumped: for some it is not time any more.
    pub(super) fn rewind(&mut self) {
        self.listening_ms.clear();
        let waiting = std::mem::take(&mut self.by_listening);
        self.by_wall.extend(waiting.into_iter().map(|(_, id)| (self.by_ms[&id], id)));
    }

    /// Whether somebody's both times have come.
    pub(super) fn is_due(&self, listening_ms: i64) -> bool {
        self.by_listening.first().is_some_and(|(from_ms, _)| *from_ms <= listening_ms)
    }

    /// Those, at most so many, and what is to be said of each.
    pub(super) fn due(&self, listening_ms: i64, stations_max: usize) -> Vec<(StationId, String)> {
        let due = self.by_listening.iter().take_while(|(from_ms, _)| *from_ms <= listening_ms);
        due.take(stations_max).map(|&(_, id)| (id, reason(self.by_ms[&id]))).collect()
    }

    /// Those that were handed out and gave no cause for anything must not keep the
    /// writer busy.
    pub(super) fn ask_again(&mut self, listening_ms: i64, later_ms: i64) {
        while self.is_due(listening_ms)
            && let Some((_, id)) = self.by_listening.pop_first()
        {
            self.wait_until(later_ms, id);
        }
    }

    /// Whether a station was expected by now.
    pub(super) fn is_expected(&self, id: StationId, wall_ms: i64) -> bool {
        self.by_ms.get(&id).is_some_and(|by_ms| *by_ms <= wall_ms)
    }
}

/// Whether it was neither heard nor found silent nor retired, and its silence is
/// judged.
fn is_waited_for<S: Store>(id: StationId, settings: &Settings, store: &S) -> bool {
    let comms = store.alarms().get(&(AlarmSource::Station(id), Point::Comms));
    let is_silent = comms.is_some_and(|alarm| alarm.contact);
    store.find(id).is_none()
        && !is_silent
        && !store.lives().is_retired(id)
        && settings.of(id).point(Point::Comms).enabled
}

fn reason(by_ms: i64) -> String {
    let by = Timestamp::from_millisecond(by_ms)
        .map_or_else(|_| format!("{by_ms} ms"), |by| by.strftime("%Y-%m-%d %H:%M UTC").to_string());
    format!("never heard; expected by {by}")
}
