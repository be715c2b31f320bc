//! Random batches, and what follows from the store by the rules of those who read
//! it from the disk.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use waterwatch_core::alarm::State;

use super::*;
use crate::shown::alarm::comms;
use crate::store::reader::communication::Comms;
use crate::store::reader::urgency::priority;
use crate::store::reader::{KnownAlarm, LastContact, ServerRows};

/// Stations that there may be: few, so that much happens to each.
const STATIONS: u8 = 12;

const AREAS: [&str; 2] = ["North", "South"];

#[derive(Clone, Debug)]
enum Step {
    Heard(Vec<(i64, i64, bool, bool)>),
    Facts(Vec<(usize, usize, u8, usize)>),
    Together(i64, i64, Vec<i64>),
    Life(i64, u8),
    /// Forgotten, if it is not configured; and heard again with the same batch, or not.
    Forgotten(i64, bool),
    Settled(i64, u8, bool),
    Reopened,
    /// The follower comes to its turn.
    Follows,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let number = 0..i64::from(STATIONS);
    let heard = (number.clone(), 0..300_000i64, any::<bool>(), any::<bool>());
    // Sources are those of the stations, of the areas, and the server.
    let facts = (0..usize::from(STATIONS) + 3, 0..4usize, 0..9u8, 0..4usize);
    prop::collection::vec(
        prop_oneof![
            4 => prop::collection::vec(heard, 1..5).prop_map(Step::Heard),
            6 => prop::collection::vec(facts, 1..5).prop_map(Step::Facts),
            2 => (0..4usize, 0..4i64, prop::collection::vec(number.clone(), 1..9))
                .prop_map(|(by, since, who)| Step::Together(standing(by), since, who)),
            1 => (number.clone(), 0..4u8).prop_map(|(number, life)| Step::Life(number, life)),
            1 => (number.clone(), any::<bool>()).prop_map(|(number, again)| Step::Forgotten(number, again)),
            2 => (number, 0..8u8, any::<bool>()).prop_map(|(id, how, named)| Step::Settled(id, how, named)),
            1 => Just(Step::Reopened),
            2 => Just(Step::Follows),
        ],
        1..40,
    )
}

/// The occurrences of areas and the server that others may name.
fn standing(place: usize) -> i64 {
    [100, 101, 113, 120][place]
}

/// Facts of all kinds. An occurrence names one alarm.
fn facts(which: u8, (source, point): &AlarmKey, which_place: usize) -> Option<Alarm> {
    let place = i64::try_from(which_place).ok()?;
    let of_source = match source {
        AlarmSource::Station(_) => 0,
        AlarmSource::Area(name) if **name == *AREAS[0] => 100,
        AlarmSource::Area(_) => 110,
        AlarmSource::Server => 120,
    };
    let sequence = of_source + place + if *point == Point::Comms { 0 } else { 1_000 };
    let at_ms = NOW_MS - 1_000 * place;
    let mut alarm = raised(sequence, at_ms);
    let aside = Aside { until_ms: NOW_MS, by: "Ada".into(), reason: "a pump".into(), warned: false };
    match which {
        0 => return None,
        1 => {}
        2 => {
            let open = alarm.occurrence.as_mut()?;
            open.acknowledged = Some(Acknowledgement { by: "Ada".into(), at_ms });
        }
        3 => {
            alarm.contact = false;
            alarm.occurrence.as_mut()?.returned_at_ms = Some(at_ms);
        }
        4 => (alarm.occurrence, alarm.hidden.shelf) = (None, Some(aside)),
        5 => (alarm.occurrence, alarm.hidden.service) = (None, Some(aside)),
        6 => (alarm.occurrence, alarm.hidden.suppressed_by) = (None, Some(standing(which_place))),
        7 => (alarm.occurrence, alarm.delay_due_ms) = (None, Some(NOW_MS)),
        // Merely remembered.
        _ => {
            alarm = Alarm::default();
            alarm.chatter = Chatter { raised_at_ms: vec![at_ms], ..Chatter::default() };
        }
    }
    Some(alarm)
}

/// The writer's side of it all.
struct World {
    store: Memory,
    settings: Settings,
    named: BTreeSet<StationId>,
    publisher: Publisher,
    follower: Follower,
    live: Live,
}

impl World {
    fn new() -> World {
        let (mut publisher, follower, live) = open();
        let (store, settings) = (Memory::default(), Settings::default());
        publisher.start(Vec::new(), &store, &settings);
        World { store, settings, named: BTreeSet::new(), publisher, follower, live }
    }

    fn take(&mut self, step: Step) {
        let mut batch = Batch { sequence: self.store.sequence + 1, ..Batch::default() };
        match step {
            Step::Heard(all) => {
                for (number, age_ms, alarm1, alarm2) in all {
                    if batch.changes.iter().any(|change| change.id == id(number)) {
                        continue;
                    }
                    let slot = self.store.find(id(number)).map(|(slot, _)| slot);
                    let (station, novelty) = (heard(age_ms, alarm1, alarm2), Novelty::First);
                    batch.changes.push(Change { id: id(number), slot, station, reports: 1, novelty });
                }
            }
            Step::Facts(all) => {
                for (source, point, which, place) in all {
                    let source = match source.checked_sub(usize::from(STATIONS)) {
                        None => station(i64::try_from(source).unwrap()),
                        Some(2) => AlarmSource::Server,
                        Some(area) => AlarmSource::Area(AREAS[area].into()),
                    };
                    let points = Point::of(&source);
                    let key = (source.clone(), points[point % points.len()]);
                    let facts = facts(which, &key, place);
                    batch.alarms.push((key, facts));
                }
                // Each once.
                batch.alarms.sort_by(|(one, _), (other, _)| one.cmp(other));
                batch.alarms.dedup_by(|(one, _), (other, _)| one == other);
                batch.events.push(event(batch.sequence));
            }
            Step::Together(occurrence, since, who) => {
                let who: BTreeSet<StationId> = who.into_iter().map(id).collect();
                let stations = who.into_iter().collect();
                let since_ms = NOW_MS - 1_000 * since;
                batch.silent_together.push(SilentTogether { occurrence, since_ms, stations });
            }
            Step::Life(number, life) => {
                let by: Box<str> = "Ada".into();
                let retired = (life > 1).then(|| Retired { at_ms: 1, by: by.clone(), reason: by.clone() });
                let visit =
                    (life % 2 == 1).then_some(Visit { since_ms: 1, until_ms: NOW_MS, by, reason: None });
                let life = StationLife { retired, visit };
                batch.lives.push((id(number), (life != StationLife::default()).then_some(life)));
            }
            Step::Forgotten(number, again) => {
                let id = id(number);
                let is_settled = self.named.contains(&id) || self.settings.said().any(|said| said == id);
                if is_settled {
                    return;
                }
                let slot = self.store.find(id).map(|(slot, _)| slot);
                batch.forgotten.push((id, slot));
                for &point in Point::OF_STATION {
                    batch.alarms.push(((AlarmSource::Station(id), point), None));
                }
                batch.lives.push((id, None));
                if again {
                    let (station, novelty) = (heard(7, true, false), Novelty::First);
                    batch.changes.push(Change { id, slot: None, station, reports: 1, novelty });
                }
            }
            Step::Settled(number, how, is_named) => {
                let says = match how {
                    0 => StationOverrides::default(),
                    1..=3 => says(Priority::Critical, Priority::Low, 100, true),
                    _ => says(Priority::Low, Priority::Medium, 60, false),
                };
                let area = AREAS.get(usize::from(how) % 3).copied();
                self.settings.say(id(number), says, area);
                let holds = *self.settings.of(id(number));
                if is_named {
                    self.named.insert(id(number))
                } else {
                    self.named.remove(&id(number))
                };
                let area = area.map(Into::into);
                self.publisher.resettled(vec![Resettled { id: id(number), holds, area, is_named }]);
                return;
            }
            Step::Reopened => {
                self.store.reopen().unwrap();
                return self.publisher.renew();
            }
            Step::Follows => return self.follow(),
        }
        self.store.commit(&batch).unwrap();
        self.publisher.recorded(&batch, &self.store, &self.settings);
    }

    fn follow(&mut self) {
        self.follower.catch_up();
        // What did not fit is made up for, a turn later.
        self.publisher.turn(&self.store, &self.settings);
        self.follower.catch_up();
    }

    fn known(&self) -> Vec<KnownAlarm> {
        let mut known: Vec<KnownAlarm> =
            self.store.alarms.iter().map(|(key, alarm)| (key, Arc::clone(alarm))).collect();
        known.sort_by(|(one, _), (other, _)| one.cmp(other));
        known
    }

    fn agrees(&self) {
        let known = self.known();
        self.alarms_agree(&known);
        self.stations_agree(&known);
    }

    fn alarms_agree(&self, known: &[KnownAlarm]) {
        let view = self.live.look().unwrap();
        let mut wanted: Vec<_> = known
            .iter()
            .filter_map(|(key, alarm)| {
                let is_judged = match &key.0 {
                    AlarmSource::Station(id) => {
                        self.settings.of(*id).point(key.1).enabled
                            && !self.store.lives.is_retired(*id)
                            && self.store.find(*id).is_some()
                    }
                    AlarmSource::Area(_) | AlarmSource::Server => true,
                };
                let state = Some(alarm.state()).filter(|state| is_judged || *state != State::Normal);
                let is_open = state.is_some_and(|state| state != State::Normal);
                (is_open || alarm.contact || alarm.delay_due_ms.is_some()).then(|| {
                    let how = priority((&key.0, key.1), alarm, known, &self.settings);
                    let raised = alarm.occurrence.as_ref().map(|open| open.raised_at_ms);
                    let since_ms = raised.unwrap_or(alarm.contact_since_ms);
                    (State::rank_if_known(state), Reverse(how), since_ms, key.clone(), state, alarm.clone())
                })
            })
            .collect();
        wanted
            .sort_by(|one, other| (one.0, one.1, one.2, &one.3).cmp(&(other.0, other.1, other.2, &other.3)));
        let mut counts = std::collections::HashMap::new();
        for (_, how, _, _, state, _) in &wanted {
            *counts.entry((*state, how.0)).or_default() += 1;
        }
        assert_eq!(view.alarm_counts(), counts);
        let all = AlarmQuery { limit: 1_000, ..AlarmQuery::default() };
        let mut queries = vec![all.clone()];
        queries.extend(State::ALL.iter().map(|state| AlarmQuery { state: vec![*state], ..all.clone() }));
        queries.extend(Priority::ALL.iter().map(|how| AlarmQuery { priority: vec![*how], ..all.clone() }));
        queries.extend(AREAS.map(|area| AlarmQuery { area: Some(area.into()), ..all.clone() }));
        queries.extend([true, false].map(|on| AlarmQuery { active: Some(on), ..all.clone() }));
        let kinds = [SourceKind::Station, SourceKind::Area, SourceKind::Server];
        queries.extend(kinds.map(|kind| AlarmQuery { kind: vec![kind], ..all.clone() }));
        for query in queries {
            let wanted: Vec<AlarmRow> = wanted
                .iter()
                .filter(|(_, how, _, key, state, alarm)| {
                    query.fits(*state, how.0, SourceKind::of(&key.0), alarm.contact)
                        && query.area.as_deref().is_none_or(|area| self.area_of(&key.0) == Some(area))
                })
                .map(|(_, how, _, key, _, alarm)| AlarmRow {
                    key: key.clone(),
                    alarm: alarm.clone(),
                    priority: how.0,
                })
                .collect();
            assert_eq!(view.alarms(&query), AlarmPage { alarms: wanted.clone(), next: None }, "{query:?}");
            // The same, a few at a time.
            let (mut paged, mut after) = (Vec::new(), None);
            loop {
                let page = view.alarms(&AlarmQuery { after, limit: 3, ..query.clone() });
                paged.extend(page.alarms);
                after = page.next.map(|next| next.to_string().parse().unwrap());
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(paged, wanted, "{query:?}");
        }
        for (key, alarm) in known {
            let how = priority((&key.0, key.1), alarm, known, &self.settings);
            let row = AlarmRow { key: key.clone(), alarm: alarm.clone(), priority: how };
            assert_eq!(view.alarm(key), Some(row));
        }
        let sources = (0..i64::from(STATIONS)).map(station).chain([AlarmSource::Server]);
        for source in sources {
            let wanted: Vec<AlarmKey> =
                known.iter().filter(|(key, _)| key.0 == source).map(|(key, _)| key.clone()).collect();
            let found: Vec<AlarmKey> = view.alarms_of(&source).into_iter().map(|row| row.key).collect();
            assert_eq!(found, wanted);
        }
    }

    fn area_of<'a>(&'a self, source: &'a AlarmSource) -> Option<&'a str> {
        match source {
            AlarmSource::Station(id) => self.settings.of(*id).area.map(|area| self.settings.area_name(area)),
            AlarmSource::Area(name) => Some(name),
            AlarmSource::Server => None,
        }
    }

    /// What those say who read it from the disk.
    fn shown(&self, number: i64, known: &[KnownAlarm]) -> Option<StationRow> {
        let (id, source) = (id(number), station(number));
        let heard = self.store.find(id).map(|(_, station)| *station);
        let of_it: Vec<KnownAlarm> = known.iter().filter(|(key, _)| key.0 == source).cloned().collect();
        let life = self.store.lives.get(id);
        let has_own = of_it.iter().any(|(key, _)| self.store.alarms.has_own(key));
        if heard.is_none() && !self.named.contains(&id) && life.is_none() && !has_own {
            return None;
        }
        let contact = LastContact {
            station_id: id,
            last_date: if heard.is_some() { "2023-11-14 22:13".into() } else { "".into() },
            received_at_ms: heard.map(|station| station.received_at_ms),
            alarm1: heard.is_some_and(|station| station.alarm1),
            alarm2: heard.is_some_and(|station| station.alarm2),
            reports: heard.map_or(0, |station| station.reports),
            sequence: 1,
            life: life.map(|life| Box::new(life.clone())),
        };
        let server = ServerRows { settings: self.settings.clone(), ..ServerRows::default() };
        let comms = comms(&contact, known, &self.settings, NOW_MS);
        let shown = crate::shown::station::Station::new(contact, comms, &of_it, &server);
        Some(StationRow {
            id,
            heard: heard.map(|Station { received_at_ms, alarm1, alarm2, .. }| crate::store::board::Heard {
                received_at_ms: Some(received_at_ms),
                alarm1,
                alarm2,
            }),
            comms: shown.comms,
            quality: shown.quality(),
            state: shown.state,
            alarms: shown.alarms,
            is_named: self.named.contains(&id),
            has_life: life.is_some(),
        })
    }

    fn stations_agree(&self, known: &[KnownAlarm]) {
        use crate::store::reader::communication::Quality;
        let view = self.live.look().unwrap();
        let wanted: Vec<StationRow> =
            (0..i64::from(STATIONS)).filter_map(|number| self.shown(number, known)).collect();
        let all = StationQuery { limit: 1_000, ..StationQuery::default() };
        let mut queries = vec![all.clone()];
        queries.extend(Comms::ALL.map(|comms| StationQuery { comms: vec![comms], ..all.clone() }));
        queries.extend(Quality::ALL.map(|quality| StationQuery { quality: vec![quality], ..all.clone() }));
        queries.extend(State::ALL.iter().map(|state| StationQuery { state: vec![*state], ..all.clone() }));
        queries.extend(AREAS.map(|area| StationQuery { area: Some(area.into()), ..all.clone() }));
        queries.extend([true, false].map(|unnamed| StationQuery { unnamed: Some(unnamed), ..all.clone() }));
        let within = Within { id_prefix: Some("1".into()), ids: [3, 5, 11].map(id).to_vec() };
        queries.push(StationQuery { within: Some(within), ..all });
        for query in queries {
            let fits = |row: &&StationRow| {
                let area = self.settings.of(row.id).area.map(|area| self.settings.area_name(area));
                query.fits(row)
                    && query.area.as_deref().is_none_or(|asked| area == Some(asked))
                    && query.within.is_none()
                    || query.within.is_some() && [1, 3, 5, 10, 11].contains(&row.id.get())
            };
            let wanted: Vec<StationRow> = wanted.iter().filter(fits).copied().collect();
            let page = view.stations(&query, NOW_MS);
            assert_eq!(page, StationPage { stations: wanted.clone(), has_more: false }, "{query:?}");
            let (mut paged, mut after) = (Vec::new(), None);
            loop {
                let page = view.stations(&StationQuery { after, limit: 2, ..query.clone() }, NOW_MS);
                after = page.stations.last().map(|last| last.id);
                paged.extend(page.stations);
                if !page.has_more {
                    break;
                }
            }
            assert_eq!(paged, wanted, "{query:?}");
        }
        for (comms, count) in view.comms_counts(NOW_MS) {
            assert_eq!(count, wanted.iter().filter(|row| row.comms == comms).count());
        }
    }
}

pub(super) fn event(sequence: i64) -> Event {
    let mut events = Vec::new();
    let mut before = sequence - 1;
    waterwatch_core::alarm::Ledger { sequence: &mut before, events: &mut events }.was_blind(0, 1, "a test");
    events.remove(0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn what_is_shown_is_what_is_recorded(steps in steps()) {
        let mut world = World::new();
        for step in steps {
            let is_followed = matches!(step, Step::Follows);
            world.take(step);
            if is_followed {
                world.agrees();
            }
        }
        world.follow();
        world.agrees();
        prop_assert!(world.live.last_recorded().borrow().cmp(&world.store.sequence).is_le());
    }
}
