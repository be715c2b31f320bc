//! What is written for a setting, in the file or in a row of the database:
//! judged by the same limits wherever it stands.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;

use super::{CHATTER_WINDOW_S_MIN, PointOverrides};
use crate::alarm::{Point, PointSettings, Priority};

/// A month: no delay of a point is longer. One that is was not meant.
pub const POINT_SECONDS_MAX: u32 = 31 * 86_400;

/// What one scope can say of how a point is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// [`PointOverrides::enabled`].
    Enabled,
    /// [`PointOverrides::priority`].
    Priority,
    /// [`PointOverrides::on_delay_s`].
    OnDelay,
    /// [`PointOverrides::off_delay_s`].
    OffDelay,
    /// [`PointOverrides::latched`].
    Latched,
    /// [`PointOverrides::realarm_after_s`].
    RealarmAfter,
    /// [`PointOverrides::chatter_raises`].
    ChatterRaises,
    /// [`PointOverrides::chatter_window_s`].
    ChatterWindow,
}

/// What is written for a setting, in the file or in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// Yes or no.
    Flag(bool),
    /// A number; 0 and 1 are a flag, too.
    Number(i64),
    /// A word.
    Text(&'a str),
}

/// How much of a text is repeated that cannot be meant: enough to find it.
const SAID_CHARS_SHOWN: usize = 100;

/// What is written for a setting and cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// Which setting; `points.alarm1.on_delay_s` where a whole scope is said.
    pub name: Cow<'static, str>,
    /// What is written.
    pub said: String,
    /// What may be.
    pub wanted: String,
}

impl PointOverrides {
    /// Takes what is written for one setting of a point, wherever it is
    /// written.
    ///
    /// # Errors
    /// If it cannot be meant.
    pub fn say(&mut self, point: Point, setting: Setting, said: Said<'_>) -> Result<(), Unfit> {
        let name = setting.name();
        let seconds = |min| said.number(name, &(min..=POINT_SECONDS_MAX)).map(Some);
        if !point.is_contact() && matches!(setting, Setting::OnDelay | Setting::OffDelay) {
            let mut wanted = format!("left out: {point} has no delays");
            if point == Point::Comms {
                wanted += ", the station's period and grace say when it is silent";
            }
            if point == Point::Identity {
                wanted += ", the station's period and grace say when it is over";
            }
            return Err(Unfit::new(name, said, wanted));
        }
        match setting {
            Setting::Enabled => self.enabled = Some(said.flag(name)?),
            Setting::Priority => self.priority = Some(said.priority(name)?),
            Setting::OnDelay => self.on_delay_s = seconds(0)?,
            Setting::OffDelay => self.off_delay_s = seconds(0)?,
            Setting::Latched => self.latched = Some(said.flag(name)?),
            Setting::RealarmAfter => self.realarm_after_s = seconds(0)?,
            Setting::ChatterRaises => {
                self.chatter_raises = Some(said.number(name, &(0..=PointSettings::CHATTER_RAISES_MAX))?);
            }
            Setting::ChatterWindow => self.chatter_window_s = seconds(CHATTER_WINDOW_S_MIN)?,
        }
        Ok(())
    }
}

impl Setting {
    /// All of them.
    pub const ALL: [Setting; 8] = [
        Setting::Enabled,
        Setting::Priority,
        Setting::OnDelay,
        Setting::OffDelay,
        Setting::Latched,
        Setting::RealarmAfter,
        Setting::ChatterRaises,
        Setting::ChatterWindow,
    ];

    /// As it is written in the file and in the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Setting::Enabled => "enabled",
            Setting::Priority => "priority",
            Setting::OnDelay => "on_delay_s",
            Setting::OffDelay => "off_delay_s",
            Setting::Latched => "latched",
            Setting::RealarmAfter => "realarm_after_s",
            Setting::ChatterRaises => "chatter_raises",
            Setting::ChatterWindow => "chatter_window_s",
        }
    }
}

impl Said<'_> {
    fn flag(self, name: &'static str) -> Result<bool, Unfit> {
        match self {
            Said::Flag(flag) => Ok(flag),
            Said::Number(0) => Ok(false),
            Said::Number(1) => Ok(true),
            other => Err(Unfit::new(name, other, "0 or 1")),
        }
    }

    /// A number within a range.
    ///
    /// # Errors
    /// If it is none, or out of the range.
    pub fn number(self, name: &'static str, range: &RangeInclusive<u32>) -> Result<u32, Unfit> {
        let number = match self {
            Said::Number(number) => u32::try_from(number).ok(),
            Said::Flag(_) | Said::Text(_) => None,
        };
        number.filter(|number| range.contains(number)).ok_or_else(|| {
            Unfit::new(name, self, format!("a number from {} to {}", range.start(), range.end()))
        })
    }

    fn priority(self, name: &'static str) -> Result<Priority, Unfit> {
        let priority = match self {
            Said::Text(text) => Priority::from_name(text),
            Said::Flag(_) | Said::Number(_) => None,
        };
        priority.ok_or_else(|| Unfit::new(name, self, "critical, high, medium or low"))
    }
}

impl Unfit {
    /// That what is written for this setting must be something else.
    pub fn new(
        name: impl Into<Cow<'static, str>>,
        said: impl fmt::Display,
        wanted: impl Into<String>,
    ) -> Unfit {
        Unfit { name: name.into(), said: said.to_string(), wanted: wanted.into() }
    }
}

/// A text that people read: trimmed, not empty, of some characters at most,
/// and none of them disturbs what it is shown in.
///
/// # Errors
/// If it is none.
pub fn text(name: &'static str, said: Said<'_>, chars_max: usize) -> Result<Box<str>, Unfit> {
    let text = match said {
        Said::Text(text) => Some(text.trim()),
        Said::Flag(_) | Said::Number(_) => None,
    };
    text.filter(|text| (1..=chars_max).contains(&text.chars().count()) && !text.contains(char::is_control))
        .map(Box::from)
        .ok_or_else(|| {
            let wanted = format!("a text of 1 to {chars_max} characters, all of which can be printed");
            Unfit::new(name, said, wanted)
        })
}

/// The points of which a scope can speak: `alarm1, alarm2, …`.
#[must_use]
pub fn names_of_points() -> String {
    let names: Vec<&str> = Point::OF_STATION.iter().map(|point| point.name()).collect();
    names.join(", ")
}

impl Unfit {
    const UNKNOWN: &str = "not known";

    /// That there is no such setting.
    pub fn unknown(name: impl Into<Cow<'static, str>>, wanted: impl Into<String>) -> Unfit {
        Unfit::new(name, Self::UNKNOWN, wanted)
    }

    /// Whether there is no such setting.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.said == Self::UNKNOWN
    }
}

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Said::Flag(flag) => flag.fmt(f),
            Said::Number(number) => number.fmt(f),
            Said::Text(text) => {
                let mut chars = text.chars();
                let begin: String = chars.by_ref().take(SAID_CHARS_SHOWN).collect();
                let more = if chars.next().is_some() { "…" } else { "" };
                write!(f, "the text \"{}{more}\"", begin.escape_debug())
            }
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unfit { name, said, wanted } = self;
        write!(f, "{name} is {said}; it must be {wanted}")
    }
}

impl std::error::Error for Unfit {}
