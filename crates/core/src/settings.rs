//! What is settled for stations and their points: what a scope says, and what
//! holds in the end.
//!
//! There are three scopes, the fleet, an area and a station. What a narrower
//! one leaves out comes from the wider one, and what nobody says is a default.
//! Defaults that hang on another setting (whether an alarm waits for its
//! acknowledgement hangs on its priority) are worked out last, from the
//! setting that holds.

mod said;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::RangeInclusive;

use crate::alarm::{AlarmSource, Point, PointSettings, Priority};
use crate::station::StationId;
use crate::together::Together;

pub use said::{Said, Setting, Unfit};

/// How often a station may report, in seconds: up to once a week.
pub const PERIOD_S: RangeInclusive<u32> = 1..=604_800;

/// How much later a report may come, in seconds.
pub const GRACE_S: RangeInclusive<u32> = 0..=604_800;

/// How soon somebody must have come, in minutes: up to a month.
pub const RESPOND_WITHIN_MIN: RangeInclusive<u32> = 1..=31 * 24 * 60;

/// The share of an area's stations, or of all, that are one fault if they fall
/// silent together, in percent; 0: never.
pub const SHARE_PERCENT: RangeInclusive<u32> = 0..=100;

/// Within so many seconds is together: up to a day.
pub const TOGETHER_S: RangeInclusive<u32> = 1..=86_400;

/// How long a station may be paused, which is its `comms` taken out of service:
/// from one winter to the next.
pub const PAUSE_MAX_MS: i64 = 366 * 24 * 3_600_000;

/// A minute: in a shorter window nothing that reports as stations do could
/// be seen to come and go.
const CHATTER_WINDOW_S_MIN: u32 = 60;

/// What one scope says of a point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PointOverrides {
    /// Whether its contact is judged at all.
    pub enabled: Option<bool>,
    /// How urgent it is.
    pub priority: Option<Priority>,
    /// How long the contact must be on until that is an alarm.
    pub on_delay_s: Option<u32>,
    /// How long it must be off until the alarm has returned.
    pub off_delay_s: Option<u32>,
    /// Whether an alarm that has returned waits for its acknowledgement.
    pub latched: Option<bool>,
    /// How long after its acknowledgement an alarm that is still on needs
    /// another one; 0: never.
    pub realarm_after_s: Option<u32>,
    /// More raises than this within the window are chatter; 0: only so many
    /// that they would fill the ledger.
    pub chatter_raises: Option<u32>,
    /// The window of chatter.
    pub chatter_window_s: Option<u32>,
}

/// What tells an operator what to do about a point.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PointTexts {
    /// What its contact means, such as "high level".
    pub label: Option<Box<str>>,
    /// What happens if nobody comes.
    pub consequence: Option<Box<str>>,
    /// What is to be done.
    pub response: Option<Box<str>>,
    /// How soon somebody must have come, in minutes.
    pub respond_within_min: Option<u32>,
}

/// What the fleet's scope says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fleet {
    /// How stations and points are judged.
    pub overrides: StationOverrides,
    /// What tells an operator what to do, in the order of [`Point::ALL`].
    pub texts: [PointTexts; Point::ALL.len()],
    /// When stations that fall silent together are one fault.
    pub together: FleetTogether,
}

/// When stations that fall silent together are one fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FleetTogether {
    /// Those of an area.
    pub area: Together,
    /// All of them.
    pub all: Together,
}

/// What one scope says of a station.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct StationOverrides {
    /// How often it reports.
    pub period_s: Option<u32>,
    /// How much later a report may come until it is silent.
    pub grace_s: Option<u32>,
    /// Of its points, in the order of [`Point::ALL`].
    pub points: [PointOverrides; Point::ALL.len()],
}

/// What holds for one station.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StationSettings {
    /// How often it reports, in milliseconds.
    pub period_ms: i64,
    /// How much later a report may come until it is silent.
    pub grace_ms: i64,
    /// The area that it is in, if it is in one.
    pub area: Option<AreaId>,
    points: [PointSettings; Point::ALL.len()],
}

/// An area by its place among the areas that have stations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AreaId(u32);

/// An area, and who is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Area {
    name: Box<str>,
    stations: Vec<StationId>,
}

/// What holds for every station: for most that of the fleet, and for the
/// others one of few combinations, each kept once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    combinations: Vec<StationSettings>,
    /// Which of them holds for a station that is not as the fleet.
    own: HashMap<StationId, u32>,
    areas: Vec<Area>,
    area_ids: HashMap<Box<str>, AreaId>,
    together: FleetTogether,
    /// What holds for alarms that are not a station's.
    of_many: StationSettings,
}

impl Settings {
    /// Of a fleet in which no station has settings of its own.
    #[must_use]
    pub fn of_fleet(fleet: StationSettings) -> Settings {
        // Those that come back do so within a period, and all of them together:
        // whoever is a little later does not alarm for itself in between.
        let mut of_many = fleet;
        let comms = &mut of_many.points[Point::Comms as usize];
        comms.enabled = true;
        comms.off_delay_ms = fleet.period_ms;
        comms.hand_over_after_ms = Some(Together::HAND_OVER_MS);
        Settings {
            combinations: vec![fleet],
            own: HashMap::new(),
            areas: Vec::new(),
            area_ids: HashMap::new(),
            together: FleetTogether::default(),
            of_many,
        }
    }

    /// The same, with this rule for stations that fall silent together.
    #[must_use]
    pub fn with_together(self, together: FleetTogether) -> Settings {
        Settings { together, ..self }
    }

    /// Whether any station is in an area.
    #[must_use]
    pub fn has_areas(&self) -> bool {
        !self.areas.is_empty()
    }

    /// The area with this name; there is one from now on.
    pub fn area(&mut self, name: &str) -> AreaId {
        if let Some(known) = self.area_named(name) {
            return known;
        }
        let id = AreaId(u32::try_from(self.areas.len()).expect("not more than there are stations"));
        self.areas.push(Area { name: name.into(), stations: Vec::new() });
        self.area_ids.insert(name.into(), id);
        id
    }

    /// The area with this name, if a station is in it.
    #[must_use]
    pub fn area_named(&self, name: &str) -> Option<AreaId> {
        self.area_ids.get(name).copied()
    }

    /// What an area is called.
    #[must_use]
    pub fn area_name(&self, area: AreaId) -> &str {
        &self.areas[area.0 as usize].name
    }

    /// Who is in an area, whether heard or not.
    #[must_use]
    pub fn stations_of(&self, area: AreaId) -> &[StationId] {
        &self.areas[area.0 as usize].stations
    }

    /// When stations that fall silent together are one fault.
    #[must_use]
    pub fn together(&self) -> &FleetTogether {
        &self.together
    }

    /// Sets what holds for stations that are not as the fleet.
    pub fn set(&mut self, stations: impl IntoIterator<Item = (StationId, StationSettings)>) {
        let mut known: HashMap<StationSettings, u32> =
            (0..).zip(&self.combinations).map(|(place, settings)| (*settings, place)).collect();
        for (id, settings) in stations {
            let before = self.of(id).area;
            if before != settings.area {
                if let Some(AreaId(area)) = before {
                    self.areas[area as usize].stations.retain(|of| *of != id);
                }
                if let Some(AreaId(area)) = settings.area {
                    self.areas[area as usize].stations.push(id);
                }
            }
            let place = *known.entry(settings).or_insert_with(|| {
                self.combinations.push(settings);
                u32::try_from(self.combinations.len() - 1).expect("not more than there are stations")
            });
            if place == 0 {
                self.own.remove(&id)
            } else {
                self.own.insert(id, place)
            };
        }
    }

    /// What holds for the fleet.
    #[must_use]
    pub fn fleet(&self) -> &StationSettings {
        &self.combinations[0]
    }

    /// What holds for a station.
    #[must_use]
    pub fn of(&self, id: StationId) -> &StationSettings {
        // Most fleets have none.
        if self.own.is_empty() {
            return self.fleet();
        }
        self.own.get(&id).map_or(self.fleet(), |&place| &self.combinations[place as usize])
    }

    /// The stations that are not as the fleet, and what holds for each, in no order.
    pub fn own(&self) -> impl Iterator<Item = (StationId, &StationSettings)> {
        self.own.iter().map(|(id, &place)| (*id, &self.combinations[place as usize]))
    }

    /// Settings that will not do what they seem to: of the fleet first, then
    /// of every combination that a station has, each warning once.
    #[must_use]
    pub fn warnings(&self) -> Vec<(Warning, Whose)> {
        let mut warnings: Vec<_> = self.fleet().warnings().map(|warning| (warning, Whose::Fleet)).collect();
        let mut of_stations: BTreeMap<Warning, (usize, StationId)> = BTreeMap::new();
        for (&id, &place) in &self.own {
            for warning in self.combinations[place as usize].warnings() {
                let (count, first) = of_stations.entry(warning).or_insert((0, id));
                *count += 1;
                *first = id.min(*first);
            }
        }
        let whose = |(warning, (count, first))| (warning, Whose::Stations { count, first });
        warnings.extend(of_stations.into_iter().map(whose));
        warnings
    }

    /// What holds for whoever is in alarm.
    #[must_use]
    pub fn of_source(&self, source: &AlarmSource) -> &StationSettings {
        match source {
            AlarmSource::Station(id) => self.of(*id),
            AlarmSource::Area(_) | AlarmSource::Server => &self.of_many,
        }
    }
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
        Settings::of_fleet(StationSettings::default())
    }
}

/// A setting that will not do what it seems to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// Of which point.
    pub point: Point,
    /// Which of its delays.
    pub delay: &'static str,
    /// How long it is.
    pub delay_ms: i64,
    /// The station's period.
    pub period_ms: i64,
}

/// Whose setting will not do what it seems to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// That of all stations that have none of their own.
    Fleet,
    /// That of stations, by their own scope or their area's.
    Stations {
        /// How many.
        count: usize,
        /// One of them: the first by its id.
        first: StationId,
    },
}

impl PointOverrides {
    /// What this says, and where it says nothing, what `wider` says.
    #[must_use]
    pub fn or(&self, wider: &PointOverrides) -> PointOverrides {
        PointOverrides {
            enabled: self.enabled.or(wider.enabled),
            priority: self.priority.or(wider.priority),
            on_delay_s: self.on_delay_s.or(wider.on_delay_s),
            off_delay_s: self.off_delay_s.or(wider.off_delay_s),
            latched: self.latched.or(wider.latched),
            realarm_after_s: self.realarm_after_s.or(wider.realarm_after_s),
            chatter_raises: self.chatter_raises.or(wider.chatter_raises),
            chatter_window_s: self.chatter_window_s.or(wider.chatter_window_s),
        }
    }

    /// What holds for this point of a station with this period.
    #[must_use]
    pub fn resolve(&self, point: Point, period_ms: i64) -> PointSettings {
        let defaults = PointSettings::of(self.priority.unwrap_or(point.default_priority()));
        let in_ms = |seconds: u32| i64::from(seconds) * 1_000;
        // A station that is heard again, or alone, needs nobody's answer.
        let latches = defaults.latched && point.is_contact();
        // When a station is silent, or contested, is said by its period and grace.
        let delay_ms =
            |delay_s: Option<u32>| if point.is_contact() { in_ms(delay_s.unwrap_or(0)) } else { 0 };
        PointSettings {
            enabled: self.enabled.unwrap_or(true),
            on_delay_ms: delay_ms(self.on_delay_s),
            off_delay_ms: delay_ms(self.off_delay_s),
            latched: self.latched.unwrap_or(latches),
            realarm_after_ms: match self.realarm_after_s {
                None => defaults.realarm_after_ms,
                Some(0) => None,
                Some(after_s) => Some(in_ms(after_s)),
            },
            chatter_raises: match self.chatter_raises {
                None => defaults.chatter_raises,
                // Only what would fill the ledger is chatter then.
                Some(0) => PointSettings::CHATTER_RAISES_MAX,
                Some(raises) => raises,
            },
            chatter_window_ms: self
                .chatter_window_s
                .map_or(defaults.chatter_window_ms, |window_s| in_ms(window_s.max(CHATTER_WINDOW_S_MIN))),
            // That it no longer comes and goes is seen by three reports.
            stuck_after_ms: 3 * period_ms,
            // A well is paused over the winter.
            service_max_ms: match point {
                Point::Comms => PAUSE_MAX_MS,
                Point::Alarm1 | Point::Alarm2 | Point::Identity | Point::NewStations => {
                    defaults.service_max_ms
                }
            },
            ..defaults
        }
    }
}

impl StationOverrides {
    /// What this says, and where it says nothing, what `wider` says.
    #[must_use]
    pub fn or(&self, wider: &StationOverrides) -> StationOverrides {
        StationOverrides {
            period_s: self.period_s.or(wider.period_s),
            grace_s: self.grace_s.or(wider.grace_s),
            points: std::array::from_fn(|place| self.points[place].or(&wider.points[place])),
        }
    }

    /// What holds.
    #[must_use]
    pub fn resolve(&self) -> StationSettings {
        let period_ms = i64::from(self.period_s.unwrap_or(60)) * 1_000;
        StationSettings {
            period_ms,
            grace_ms: i64::from(self.grace_s.unwrap_or(120)) * 1_000,
            area: None,
            points: std::array::from_fn(|place| self.points[place].resolve(Point::ALL[place], period_ms)),
        }
    }
}

impl StationSettings {
    /// How urgent a point is while these of the same station have an open
    /// occurrence: nobody sees any more what becomes of them while it is silent,
    /// so its silence is as urgent as the most urgent of them.
    #[must_use]
    pub fn priority(&self, point: Point, open: impl IntoIterator<Item = Point>) -> Priority {
        let own = self.point(point).priority;
        if point != Point::Comms {
            return own;
        }
        open.into_iter().map(|open| self.point(open).priority).fold(own, Priority::max)
    }

    /// The same, in this area.
    #[must_use]
    pub fn in_area(self, area: Option<AreaId>) -> StationSettings {
        StationSettings { area, ..self }
    }

    /// How a point is judged.
    #[must_use]
    pub fn point(&self, point: Point) -> &PointSettings {
        &self.points[point as usize]
    }

    /// Settings that will not do what they seem to: a delay that is over
    /// before two more reports could say otherwise rests on a single one.
    fn warnings(&self) -> impl Iterator<Item = Warning> + '_ {
        let period_ms = self.period_ms;
        Point::ALL.iter().filter(|point| point.is_contact()).flat_map(move |&point| {
            let PointSettings { on_delay_ms, off_delay_ms, .. } = *self.point(point);
            [("on_delay_s", on_delay_ms), ("off_delay_s", off_delay_ms)]
                .into_iter()
                .filter(move |(_, delay_ms)| (1..2 * period_ms).contains(delay_ms))
                .map(move |(delay, delay_ms)| Warning { point, delay, delay_ms, period_ms })
        })
    }
}

impl Default for StationSettings {
    fn default() -> StationSettings {
        StationOverrides::default().resolve()
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Warning { point, delay, delay_ms, period_ms } = self;
        write!(
            f,
            "{delay} of {point} is {} s, less than two periods of {} s: it rests on a single report",
            delay_ms / 1_000,
            period_ms / 1_000
        )
    }
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Whose::Fleet => f.write_str("for the fleet"),
            Whose::Stations { count: 1, first } => write!(f, "for station {first}"),
            Whose::Stations { count, first } => write!(f, "for {count} stations, station {first} among them"),
        }
    }
}

#[cfg(test)]
mod tests;
