//! What holds for every station: what each scope says, and what follows from it.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use super::{FleetTogether, StationOverrides, StationSettings, Warning, Whose};
use crate::alarm::{AlarmSource, Point};
use crate::station::StationId;
use crate::together::Together;

/// An area by its place among the areas that have stations. The place of one that
/// has none any more is given to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AreaId(u32);

/// What holds for every station: for most that of the fleet, and for the
/// others one of few combinations, each kept once. So what an area or the fleet
/// says anew is worked out once for each combination, whatever the number of
/// stations.
#[derive(Clone, Debug)]
pub struct Settings {
    configuration: StationOverrides,
    /// What people say for the fleet.
    fleet: StationOverrides,
    /// What is said for areas, also for those that have no stations.
    areas_say: BTreeMap<Box<str>, StationOverrides>,
    /// By its place; the first is that of a station of which nothing is said, and
    /// always there.
    combinations: Vec<Combination>,
    places: HashMap<(StationOverrides, Option<AreaId>), u32>,
    vacant: Vec<u32>,
    /// Stations of which something is said.
    own: HashMap<StationId, Own>,
    areas: Vec<Area>,
    area_ids: HashMap<Box<str>, AreaId>,
    vacant_areas: Vec<AreaId>,
    together: FleetTogether,
    /// What holds for alarms that are not a station's.
    of_many: StationSettings,
}

/// What some stations say, and what holds for them.
#[derive(Clone, Debug)]
struct Combination {
    says: StationOverrides,
    area: Option<AreaId>,
    holds: StationSettings,
    /// How many have it.
    stations: usize,
}

/// An area, and who is in it.
#[derive(Clone, Debug)]
struct Area {
    name: Box<str>,
    stations: Vec<StationId>,
}

/// A station of which something is said.
#[derive(Clone, Copy, Debug)]
struct Own {
    place: u32,
    /// Where it is among the stations of its area, if it is in one.
    seat: u32,
}

impl Settings {
    /// Of a fleet of which the configuration says this, and people nothing.
    #[must_use]
    pub fn of_fleet(configuration: StationOverrides) -> Settings {
        let holds = configuration.resolve();
        let says = StationOverrides::default();
        Settings {
            configuration,
            fleet: says,
            areas_say: BTreeMap::new(),
            combinations: vec![Combination { says, area: None, holds, stations: 0 }],
            places: HashMap::from([((says, None), 0)]),
            vacant: Vec::new(),
            own: HashMap::new(),
            areas: Vec::new(),
            area_ids: HashMap::new(),
            vacant_areas: Vec::new(),
            together: FleetTogether::default(),
            of_many: of_many(holds),
        }
    }

    /// The same, with this rule for stations that fall silent together.
    #[must_use]
    pub fn with_together(self, together: FleetTogether) -> Settings {
        Settings { together, ..self }
    }

    /// People say this for the fleet, in place of what they said before; costs as
    /// much as there are combinations.
    pub fn say_for_fleet(&mut self, says: StationOverrides) {
        self.fleet = says;
        self.work_out(|_| true);
        self.of_many = of_many(*self.fleet());
    }

    /// People say this for the stations of an area, in place of what they said
    /// before; `None` is nothing. Costs as much as there are combinations.
    pub fn say_for_area(&mut self, name: &str, says: Option<StationOverrides>) {
        match says {
            Some(says) => drop(self.areas_say.insert(name.into(), says)),
            None => drop(self.areas_say.remove(name)),
        }
        if let Some(area) = self.area_named(name) {
            self.work_out(|combination| combination.area == Some(area));
        }
    }

    /// People say this of a station, in place of what they said before; `None` is
    /// no area. Costs the same however many stations there are.
    pub fn say(&mut self, id: StationId, says: StationOverrides, area: Option<&str>) {
        // Before it leaves another: whoever only changes its period stays where it is.
        let area = area.map(|name| self.area_for(name));
        let before = self.own.get(&id).copied();
        let place = self.take_place(says, area);
        let seat = match before {
            Some(own) if self.combinations[own.place as usize].area == area => own.seat,
            _ => {
                self.leave_area(id);
                area.map_or(0, |area| {
                    let stations = &mut self.areas[area.index()].stations;
                    stations.push(id);
                    index(stations.len() - 1)
                })
            }
        };
        self.own.insert(id, Own { place, seat });
        if let Some(Own { place, .. }) = before {
            self.leave_place(place);
        }
    }

    /// Nothing is said of a station any more.
    pub fn unsay(&mut self, id: StationId) {
        self.leave_area(id);
        if let Some(Own { place, .. }) = self.own.remove(&id) {
            self.leave_place(place);
        }
    }

    /// Whether anything is said of a station. If not, it is `unnamed` once it
    /// reports.
    #[must_use]
    pub fn is_said(&self, id: StationId) -> bool {
        self.own.contains_key(&id)
    }

    /// The stations of which something is said, in no order.
    pub fn said(&self) -> impl ExactSizeIterator<Item = StationId> {
        self.own.keys().copied()
    }

    /// Whether anything is said for the stations of an area.
    #[must_use]
    pub fn is_area_said(&self, name: &str) -> bool {
        self.areas_say.contains_key(name)
    }

    /// The stations that are not as the fleet, and what holds for each, in no order.
    pub fn own(&self) -> impl Iterator<Item = (StationId, &StationSettings)> {
        let own = self.own.iter().filter(|(_, own)| own.place > 0);
        own.map(|(id, own)| (*id, &self.combinations[own.place as usize].holds))
    }

    /// For how many areas something is said.
    #[must_use]
    pub fn areas_said(&self) -> usize {
        self.areas_say.len()
    }

    /// Whether any station is in an area.
    #[must_use]
    pub fn has_areas(&self) -> bool {
        !self.area_ids.is_empty()
    }

    /// The area with this name, if a station is in it.
    #[must_use]
    pub fn area_named(&self, name: &str) -> Option<AreaId> {
        self.area_ids.get(name).copied()
    }

    /// What an area is called.
    #[must_use]
    pub fn area_name(&self, area: AreaId) -> &str {
        &self.areas[area.index()].name
    }

    /// Who is in an area, whether heard or not, in no order.
    #[must_use]
    pub fn stations_of(&self, area: AreaId) -> &[StationId] {
        &self.areas[area.index()].stations
    }

    /// When stations that fall silent together are one fault.
    #[must_use]
    pub fn together(&self) -> &FleetTogether {
        &self.together
    }

    /// What holds for the fleet.
    #[must_use]
    pub fn fleet(&self) -> &StationSettings {
        &self.combinations[0].holds
    }

    /// What holds for a station.
    #[must_use]
    pub fn of(&self, id: StationId) -> &StationSettings {
        // Most fleets have none.
        if self.own.is_empty() {
            return self.fleet();
        }
        self.own.get(&id).map_or(self.fleet(), |own| &self.combinations[own.place as usize].holds)
    }

    /// What holds for whoever is in alarm.
    #[must_use]
    pub fn of_source(&self, source: &AlarmSource) -> &StationSettings {
        match source {
            AlarmSource::Station(id) => self.of(*id),
            AlarmSource::Area(_) | AlarmSource::Server => &self.of_many,
        }
    }

    /// Settings that will not do what they seem to: of the fleet first, then
    /// of every other combination that a station has, each warning once.
    #[must_use]
    pub fn warnings(&self) -> Vec<(Warning, Whose)> {
        let mut warnings: Vec<_> = self.fleet().warnings().map(|warning| (warning, Whose::Fleet)).collect();
        let fleet = self.fleet().in_area(None);
        let mut of_stations: BTreeMap<Warning, (usize, StationId)> = BTreeMap::new();
        for (&id, own) in &self.own {
            let holds = &self.combinations[own.place as usize].holds;
            if holds.in_area(None) == fleet {
                continue;
            }
            for warning in holds.warnings() {
                let (count, first) = of_stations.entry(warning).or_insert((0, id));
                *count += 1;
                *first = id.min(*first);
            }
        }
        let whose = |(warning, (count, first))| (warning, Whose::Stations { count, first });
        warnings.extend(of_stations.into_iter().map(whose));
        warnings
    }

    /// What holds for a station that says this, in this area.
    fn holds(&self, says: &StationOverrides, area: Option<AreaId>) -> StationSettings {
        let of_area = area.and_then(|area| self.areas_say.get(self.area_name(area)));
        let with_area = of_area.map_or(*says, |of_area| says.or(of_area));
        with_area.or(&self.fleet).or(&self.configuration).resolve().in_area(area)
    }

    fn work_out(&mut self, of: impl Fn(&Combination) -> bool) {
        for place in 0..self.combinations.len() {
            let combination = &self.combinations[place];
            if of(combination) && (combination.stations > 0 || place == 0) {
                self.combinations[place].holds = self.holds(&combination.says, combination.area);
            }
        }
    }

    /// The place of a combination that one more station has.
    fn take_place(&mut self, says: StationOverrides, area: Option<AreaId>) -> u32 {
        let holds = match self.places.get(&(says, area)) {
            Some(&place) => {
                self.combinations[place as usize].stations += 1;
                return place;
            }
            None => self.holds(&says, area),
        };
        let combination = Combination { says, area, holds, stations: 1 };
        let place = match self.vacant.pop() {
            Some(place) => {
                self.combinations[place as usize] = combination;
                place
            }
            None => {
                self.combinations.push(combination);
                index(self.combinations.len() - 1)
            }
        };
        self.places.insert((says, area), place);
        place
    }

    fn leave_place(&mut self, place: u32) {
        let combination = &mut self.combinations[place as usize];
        combination.stations -= 1;
        if combination.stations == 0 && place > 0 {
            self.places.remove(&(combination.says, combination.area));
            self.vacant.push(place);
        }
    }

    /// The area with this name, for a station that comes into it.
    fn area_for(&mut self, name: &str) -> AreaId {
        let id = match self.area_ids.entry(name.into()) {
            Entry::Occupied(known) => return *known.get(),
            Entry::Vacant(new) => {
                let next = AreaId(index(self.areas.len()));
                *new.insert(self.vacant_areas.pop().unwrap_or(next))
            }
        };
        let area = Area { name: name.into(), stations: Vec::new() };
        match self.areas.get_mut(id.index()) {
            Some(vacant) => *vacant = area,
            None => self.areas.push(area),
        }
        id
    }

    /// Whoever sat last among the stations of the area takes this one's seat.
    fn leave_area(&mut self, id: StationId) {
        let Some(&Own { place, seat }) = self.own.get(&id) else { return };
        let Some(area) = self.combinations[place as usize].area else { return };
        let stations = &mut self.areas[area.index()].stations;
        stations.swap_remove(seat as usize);
        match stations.get(seat as usize) {
            Some(moved) => {
                if let Some(own) = self.own.get_mut(moved) {
                    own.seat = seat;
                }
            }
            None if stations.is_empty() => {
                let name = std::mem::take(&mut self.areas[area.index()].name);
                self.area_ids.remove(&name);
                self.vacant_areas.push(area);
            }
            None => {}
        }
    }
}

/// What holds for alarms that are not a station's, where this does for the fleet.
fn of_many(fleet: StationSettings) -> StationSettings {
    // Those that come back do so within a period, and all of them together:
    // whoever is a little later does not alarm for itself in between.
    let mut of_many = fleet;
    let comms = &mut of_many.points[Point::Comms as usize];
    comms.enabled = true;
    comms.off_delay_ms = fleet.period_ms;
    comms.hand_over_after_ms = Some(Together::HAND_OVER_MS);
    of_many
}

fn index(place: usize) -> u32 {
    u32::try_from(place).expect("not more than there are stations")
}

impl AreaId {
    /// As an index.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings::of_fleet(StationOverrides::default())
    }
}

/// Whether the same holds for everybody, whatever way it came to that: areas are
/// told by their names, since their places hang on the order in which they were
/// named.
impl PartialEq for Settings {
    fn eq(&self, other: &Settings) -> bool {
        let area = |of: &Settings, id| of.of(id).area.map(|area| Box::<str>::from(of.area_name(area)));
        let members = |of: &Settings, name: &str| {
            let mut stations = of.area_named(name).map(|area| of.stations_of(area).to_vec());
            stations.iter_mut().for_each(|stations| stations.sort_unstable());
            stations
        };
        self.fleet() == other.fleet()
            && self.of_many == other.of_many
            && self.together == other.together
            && self.areas_say == other.areas_say
            && self.own.len() == other.own.len()
            && self.area_ids.len() == other.area_ids.len()
            && self.area_ids.keys().all(|name| members(self, name) == members(other, name))
            && self.own.keys().all(|&id| {
                other.is_said(id)
                    && area(self, id) == area(other, id)
                    && self.of(id).in_area(None) == other.of(id).in_area(None)
            })
    }
}

impl Eq for Settings {}
