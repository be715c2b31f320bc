//! The mirror: what is recorded of alarms, lives and settings, kept in the orders
//! in which it is asked for.
//!
//! A source is taken off the list, changed, and put on again, so that what is on
//! it always follows from what is known, whatever changes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use hashbrown::HashMap as SmallMap;
use waterwatch_core::alarm::{Alarm, AlarmSource, Point, Priority};
use waterwatch_core::{Settings, StationId, StationLife, StationSettings};

use super::classes::Classes;
use super::open_alarms::{Bucket, Listed, OpenAlarms};
use super::rows::{Flags, Row, Rows};
use super::update::{Recorded, Resettled, Whole};
use crate::store::{AlarmKey, Alarms, Board, Lives, SilentTogether};

/// What is known.
#[derive(Debug)]
pub(super) struct Mirror {
    pub(super) board: Arc<Board>,
    pub(super) rows: Rows,
    pub(super) classes: Classes,
    pub(super) open: OpenAlarms,
    pub(super) lives: Lives,
    /// What holds for areas and the server.
    of_many: StationSettings,
    /// The facts of alarms that share them with nobody.
    own: SmallMap<AlarmKey, Arc<Alarm>>,
    /// Stations that share the facts of their silence, by their numbers: 1 and up.
    groups: BTreeMap<u32, Group>,
    /// Those for which an occurrence stands.
    stood_for: BTreeMap<i64, Members>,
    /// The alarms of areas and the server that have an occurrence, by that.
    raised: HashMap<i64, AlarmKey>,
    /// Where those stand on the list: it hangs on those that they stand for.
    listed_of_many: HashMap<AlarmKey, Listed>,
    /// Occurrences that stand for others than at the last look.
    touched: BTreeSet<i64>,
}

#[derive(Debug)]
struct Group {
    facts: Arc<Alarm>,
    members: usize,
}

/// How many alarms of each priority, the least first, are suppressed by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Members([usize; Priority::ALL.len()]);

impl Members {
    /// The most urgent of them.
    fn most_urgent(&self) -> Option<Priority> {
        Priority::ALL.iter().rev().copied().find(|priority| self.0[*priority as usize] > 0)
    }
}

impl Mirror {
    pub(super) fn of(whole: Whole) -> Mirror {
        let Whole { board, stations, vacant, alarms, lives, settings, named, sequence: _ } = whole;
        let mut mirror = Mirror {
            board,
            rows: Rows::of(stations, &vacant),
            classes: Classes::new(*settings.fleet()),
            open: OpenAlarms::default(),
            lives,
            of_many: *settings.of_source(&AlarmSource::Server),
            own: SmallMap::new(),
            groups: BTreeMap::new(),
            stood_for: BTreeMap::new(),
            raised: HashMap::new(),
            listed_of_many: HashMap::new(),
            touched: BTreeSet::new(),
        };
        mirror.settle(&settings, named);
        let lives: Vec<StationId> = mirror.lives.iter().map(|(id, _)| id).collect();
        lives.into_iter().for_each(|id| mirror.mark_life(id));
        mirror.take_all(&alarms);
        mirror
    }

    fn settle(&mut self, settings: &Settings, named: BTreeSet<StationId>) {
        // Settings have each combination once, so that it is looked for once.
        let mut known: HashMap<*const StationSettings, u32> = HashMap::new();
        for (id, holds) in settings.own() {
            let class = match known.get(&std::ptr::from_ref(holds)) {
                Some(&class) => self.classes.take_again(class),
                None => {
                    let area = holds.area.map(|area| settings.area_name(area));
                    let class = self.classes.take(*holds, area);
                    known.insert(holds, class);
                    class
                }
            };
            self.rows.set(id, Row { class, ..self.rows.get(id) });
        }
        for id in named {
            let row = self.rows.get(id);
            self.rows.set(id, Row { flags: row.flags.with(Flags::NAMED, true), ..row });
        }
    }

    fn take_all(&mut self, alarms: &Alarms) {
        self.own = alarms.all_own_facts().map(|(key, facts)| (key.clone(), Arc::clone(facts))).collect();
        let sources: BTreeSet<AlarmSource> = self.own.keys().map(|(source, _)| source.clone()).collect();
        for source in sources {
            self.list(&source);
        }
        for together in alarms.together_groups() {
            self.join(&together);
        }
        self.list_of_many();
    }

    /// What a batch recorded becomes what is known.
    pub(super) fn recorded(&mut self, recorded: Recorded) {
        let Recorded { forgotten, stations, alarms, together, lives, sequence: _ } = recorded;
        forgotten.into_iter().for_each(|id| self.forget(id));
        for (id, slot) in stations {
            // What nobody had heard may have had alarms: they stand elsewhere now.
            self.change(&AlarmSource::Station(id), |mirror| mirror.rows.heard(id, slot));
        }
        for (key, facts) in alarms {
            let source = key.0.clone();
            self.change(&source, |mirror| {
                mirror.leave(&key);
                match facts {
                    Some(facts) => drop(mirror.own.insert(key, facts)),
                    None => drop(mirror.own.remove(&key)),
                }
            });
        }
        for together in together {
            self.join(&together);
        }
        for (id, life) in lives {
            self.change(&AlarmSource::Station(id), |mirror| mirror.live(id, life));
        }
        self.list_of_many();
    }

    /// Other settings hold for these stations.
    pub(super) fn resettled(&mut self, stations: Vec<Resettled>) {
        for Resettled { id, holds, area, is_named } in stations {
            self.change(&AlarmSource::Station(id), |mirror| {
                let row = mirror.rows.get(id);
                let class = mirror.classes.take(holds, area.as_deref());
                mirror.classes.leave(row.class);
                let flags = row.flags.with(Flags::NAMED, is_named);
                mirror.rows.set(id, Row { class, flags, ..row });
            });
        }
        self.list_of_many();
    }

    /// The facts of an alarm; `None`: it is at rest.
    pub(super) fn facts(&self, key: &AlarmKey) -> Option<Arc<Alarm>> {
        if let Some(own) = self.own.get(key) {
            return Some(Arc::clone(own));
        }
        let (AlarmSource::Station(id), Point::Comms) = key else { return None };
        self.groups.get(&self.rows.get(*id).group).map(|group| Arc::clone(&group.facts))
    }

    /// How urgent an alarm is, as `store::reader::urgency` has it.
    pub(super) fn priority(&self, key: &AlarmKey) -> Priority {
        let of_source = self.of_source(&key.0);
        let own = self.holds(&key.0).priority(key.1, open(&of_source));
        let AlarmSource::Station(_) = key.0 else {
            let alarm = of_source.iter().find(|(point, _)| *point == key.1);
            let occurrence = alarm.and_then(|(_, alarm)| alarm.occurrence.as_ref());
            let members = occurrence.and_then(|open| self.stood_for.get(&open.sequence));
            return members.and_then(Members::most_urgent).map_or(own, |most| most.max(own));
        };
        own
    }

    fn holds(&self, source: &AlarmSource) -> &StationSettings {
        match source {
            AlarmSource::Station(id) => &self.classes.get(self.rows.get(*id).class).holds,
            AlarmSource::Area(_) | AlarmSource::Server => &self.of_many,
        }
    }

    /// The alarms of a source that share their facts with nobody.
    fn of_source(&self, source: &AlarmSource) -> Vec<(Point, Arc<Alarm>)> {
        if let AlarmSource::Station(id) = source
            && !self.rows.get(*id).flags.has(Flags::HAS_OWN)
        {
            return Vec::new();
        }
        self.own_of(source)
    }

    fn own_of(&self, source: &AlarmSource) -> Vec<(Point, Arc<Alarm>)> {
        let mut key = (source.clone(), Point::Comms);
        let mut found = Vec::new();
        for &point in Point::of(source) {
            key.1 = point;
            found.extend(self.own.get(&key).map(|facts| (point, Arc::clone(facts))));
        }
        found
    }

    /// Changes what is known of a source.
    fn change(&mut self, source: &AlarmSource, change: impl FnOnce(&mut Mirror)) {
        self.unlist(source);
        change(self);
        self.list(source);
    }

    /// Takes all alarms of a source off the list.
    fn unlist(&mut self, source: &AlarmSource) {
        let AlarmSource::Station(id) = source else {
            for (_, alarm) in self.own_of(source) {
                if let Some(open) = &alarm.occurrence {
                    self.raised.remove(&open.sequence);
                }
            }
            for point in Point::of(source) {
                let key = (source.clone(), *point);
                if let Some(listed) = self.listed_of_many.remove(&key) {
                    self.open.remove(&listed, &key);
                }
            }
            return;
        };
        let row = self.rows.get(*id);
        for (listed, point, alarm) in self.listed(*id, row) {
            if let Some(listed) = listed {
                self.open.remove(&listed, &(source.clone(), point));
            }
            self.stands_for(&alarm, self.priority_of(*id, row, point), -1);
        }
        if let Some((listed, alarm)) = self.listed_in_group(*id, row) {
            if let Some(listed) = listed {
                self.open.remove_from_run(&listed, *id);
            }
            self.stands_for(&alarm, self.priority_of(*id, row, Point::Comms), -1);
        }
    }

    /// Puts them on it as they are, and notes what follows from them.
    fn list(&mut self, source: &AlarmSource) {
        let AlarmSource::Station(id) = source else {
            for (point, alarm) in self.own_of(source) {
                let key = (source.clone(), point);
                if let Some(open) = &alarm.occurrence {
                    self.raised.insert(open.sequence, key.clone());
                }
                self.list_one_of_many(&key, &alarm);
            }
            return;
        };
        let row = self.note_alarms(*id);
        for (listed, point, alarm) in self.listed(*id, row) {
            if let Some(listed) = listed {
                self.open.add(&listed, &(source.clone(), point));
            }
            self.stands_for(&alarm, self.priority_of(*id, row, point), 1);
        }
        if let Some((listed, alarm)) = self.listed_in_group(*id, row) {
            if let Some(Listed { bucket, since_ms, area }) = listed {
                self.open.add_run(bucket, since_ms, &[*id]);
                if let Some(area) = area {
                    self.open.add_run_of(area, bucket, since_ms, &[*id]);
                }
            }
            self.stands_for(&alarm, self.priority_of(*id, row, Point::Comms), 1);
        }
    }

    /// What follows from a station's alarms is noted in its row.
    fn note_alarms(&mut self, id: StationId) -> Row {
        let row = self.rows.get(id);
        let own = self.own_of(&AlarmSource::Station(id));
        let group = self.groups.get(&row.group).map(|group| (Point::Comms, &*group.facts));
        let alarms = own.iter().map(|(point, alarm)| (*point, &**alarm)).chain(group);
        let row = Row { flags: row.flags.of_alarms(alarms, !own.is_empty()), ..row };
        self.rows.set(id, row);
        row
    }

    /// The own alarms of a station, each with where it stands if it does.
    fn listed(&self, id: StationId, row: Row) -> Vec<(Option<Listed>, Point, Arc<Alarm>)> {
        let source = AlarmSource::Station(id);
        let own = self.of_source(&source).into_iter();
        own.map(|(point, alarm)| (self.place(id, row, point, &alarm), point, alarm)).collect()
    }

    /// The silence that a station shares, the same.
    fn listed_in_group(&self, id: StationId, row: Row) -> Option<(Option<Listed>, Arc<Alarm>)> {
        let alarm = Arc::clone(&self.groups.get(&row.group)?.facts);
        Some((self.place(id, row, Point::Comms, &alarm), alarm))
    }

    fn place(&self, id: StationId, row: Row, point: Point, alarm: &Alarm) -> Option<Listed> {
        let class = self.classes.get(row.class);
        let was_heard = self.rows.slot(id).is_some();
        let is_judged = class.holds.point(point).enabled && !row.flags.has(Flags::RETIRED) && was_heard;
        let priority = self.priority_of(id, row, point);
        Listed::of(&AlarmSource::Station(id), alarm, is_judged, priority, class.area)
    }

    fn priority_of(&self, id: StationId, row: Row, point: Point) -> Priority {
        let of_source = self.of_source(&AlarmSource::Station(id));
        self.classes.get(row.class).holds.priority(point, open(&of_source))
    }

    /// One more alarm of a station, or one less, of this priority is as this one.
    fn stands_for(&mut self, alarm: &Alarm, priority: Priority, by: isize) {
        let Some(occurrence) = alarm.hidden.suppressed_by else { return };
        let members = self.stood_for.entry(occurrence).or_default();
        let count = &mut members.0[priority as usize];
        *count = count.saturating_add_signed(by);
        if *members == Members::default() {
            self.stood_for.remove(&occurrence);
        }
        self.touched.insert(occurrence);
    }

    /// Alarms that stand for others are as urgent as these.
    fn list_of_many(&mut self) {
        for occurrence in std::mem::take(&mut self.touched) {
            let Some(key) = self.raised.get(&occurrence).cloned() else { continue };
            if let Some(alarm) = self.facts(&key) {
                self.list_one_of_many(&key, &alarm);
            }
        }
    }

    fn list_one_of_many(&mut self, key: &AlarmKey, alarm: &Alarm) {
        let area = match &key.0 {
            AlarmSource::Area(name) => Some(self.classes.area(name)),
            AlarmSource::Station(_) | AlarmSource::Server => None,
        };
        let is_judged = self.of_many.point(key.1).enabled;
        let listed = Listed::of(&key.0, alarm, is_judged, self.priority(key), area);
        let before = self.listed_of_many.get(key).copied();
        if before == listed {
            return;
        }
        if let Some(before) = before {
            self.open.remove(&before, key);
            self.listed_of_many.remove(key);
        }
        if let Some(listed) = listed {
            self.open.add(&listed, key);
            self.listed_of_many.insert(key.clone(), listed);
        }
    }

    /// These stations share the facts of their silence from now on. Put on the list
    /// together: there may be a million of them.
    fn join(&mut self, together: &SilentTogether) {
        let SilentTogether { occurrence, since_ms, stations } = together;
        if stations.is_empty() {
            return;
        }
        let number = self.groups.last_key_value().map_or(0, |(last, _)| *last) + 1;
        let facts = Arc::new(Alarm::silent_together(*occurrence, *since_ms));
        self.groups.insert(number, Group { facts: Arc::clone(&facts), members: stations.len() });
        // Most have no alarm at all, and what is to be said of them hangs on few
        // things: it is found once for all that are alike.
        let flags_of = |flags: Flags| flags.of_alarms(std::iter::once((Point::Comms, &*facts)), false);
        let mut runs: BTreeMap<Bucket, Vec<StationId>> = BTreeMap::new();
        let mut runs_of: HashMap<(u32, Bucket), Vec<StationId>> = HashMap::new();
        let mut known: HashMap<(u32, bool), (Option<Listed>, usize)> = HashMap::new();
        for &id in stations {
            let Some(slot) = self.rows.slot(id) else {
                self.join_alone(id, number);
                continue;
            };
            let row = self.rows.at(slot);
            if row.group != 0 || row.flags.has(Flags::HAS_OWN) {
                self.join_alone(id, number);
                continue;
            }
            let row = Row { group: number, flags: flags_of(row.flags), ..row };
            self.rows.set_at(slot, row);
            let alike = (row.class, row.flags.has(Flags::RETIRED));
            let (listed, members) =
                known.entry(alike).or_insert_with(|| (self.place(id, row, Point::Comms, &facts), 0));
            *members += 1;
            if let Some(Listed { bucket, area, .. }) = listed {
                runs.entry(*bucket).or_default().push(id);
                if let Some(area) = area {
                    runs_of.entry((*area, *bucket)).or_default().push(id);
                }
            }
        }
        for ((class, _), (_, members)) in known {
            let priority = self.classes.get(class).holds.priority(Point::Comms, []);
            self.stands_for(&facts, priority, members.cast_signed());
        }
        for (bucket, stations) in runs {
            self.open.add_run(bucket, *since_ms, &stations);
        }
        for ((area, bucket), stations) in runs_of {
            self.open.add_run_of(area, bucket, *since_ms, &stations);
        }
    }

    /// This station is in this group from now on, whatever it was before.
    fn join_alone(&mut self, id: StationId, number: u32) {
        let key = (AlarmSource::Station(id), Point::Comms);
        self.change(&key.0, |mirror| {
            mirror.leave(&key);
            mirror.own.remove(&key);
            mirror.rows.set(id, Row { group: number, ..mirror.rows.get(id) });
        });
    }

    /// This alarm shares its facts with nobody any more. It is off the list.
    fn leave(&mut self, (source, point): &AlarmKey) {
        let (AlarmSource::Station(id), Point::Comms) = (source, point) else { return };
        let row = self.rows.get(*id);
        if row.group == 0 {
            return;
        }
        self.rows.set(*id, Row { group: 0, ..row });
        if let Some(group) = self.groups.get_mut(&row.group) {
            group.members -= 1;
            if group.members == 0 {
                self.groups.remove(&row.group);
            }
        }
    }

    /// Nothing is known of a station any more but what is said of it. Its place may be
    /// another one's already.
    fn forget(&mut self, id: StationId) {
        let source = AlarmSource::Station(id);
        self.unlist(&source);
        self.leave(&(source.clone(), Point::Comms));
        for &point in Point::OF_STATION {
            self.own.remove(&(source.clone(), point));
        }
        self.lives.apply(&[(id, None)]);
        let row = self.rows.forget(id);
        // What is said of it in the same batch is published before, and holds.
        let flags = Flags::default().with(Flags::NAMED, row.flags.has(Flags::NAMED));
        self.rows.set(id, Row { class: row.class, flags, group: 0 });
    }

    fn live(&mut self, id: StationId, life: Option<StationLife>) {
        self.lives.apply(&[(id, life)]);
        self.mark_life(id);
    }

    fn mark_life(&mut self, id: StationId) {
        let row = self.rows.get(id);
        let flags = (row.flags)
            .with(Flags::LIVES, self.lives.get(id).is_some())
            .with(Flags::RETIRED, self.lives.is_retired(id));
        self.rows.set(id, Row { flags, ..row });
    }
}

/// The points that have an open occurrence.
fn open(alarms: &[(Point, Arc<Alarm>)]) -> impl Iterator<Item = Point> {
    alarms.iter().filter(|(_, alarm)| alarm.occurrence.is_some()).map(|(point, _)| *point)
}
