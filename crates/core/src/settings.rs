//! What is settled for stations and their points: what a scope says, and what
//! holds in the end.
//!
//! There are three scopes, the fleet, an area and a station. What a narrower
//! one leaves out comes from the wider one, and what nobody says is a default.
//! Defaults that hang on another setting (whether an alarm waits for its
//! acknowledgement hangs on its priority) are worked out last, from the
//! setting that holds.

mod all;
mod said;
mod says;

use std::fmt;
use std::ops::RangeInclusive;

use crate::alarm::{Point, PointSettings, Priority};
use crate::station::StationId;
use crate::together::Together;

pub use all::{AreaId, Settings};
pub use said::{POINT_SECONDS_MAX, Said, Setting, Unfit, names_of_points, text};
pub use says::{ScopeSays, TEXT_CHARS_MAX, Told, changes};

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
pub const CHATTER_WINDOW_S_MIN: u32 = 60;

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

impl Fleet {
    /// What it says of stations and their points.
    #[must_use]
    pub fn says(&self) -> ScopeSays {
        ScopeSays::of(self.overrides, self.texts.clone())
    }
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
                Point::Alarm1 | Point::Alarm2 | Point::Identity | Point::NewStations | Point::OnCall => {
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
