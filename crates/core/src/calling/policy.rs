//! What is done about an alarm that nobody answers: whom to call, after how long, by
//! which ways.

use super::ids::{ChannelId, ContactId, PolicyName, RotaId};
use crate::alarm::{AlarmSource, Point, Priority};
use crate::station::StationId;

/// Which alarm it is about, as far as that decides who is called.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Whose alarm.
    pub source: &'a AlarmSource,
    /// The area that the station is in, or that is in alarm itself.
    pub area: Option<&'a str>,
    /// Which of its alarms.
    pub point: Point,
    /// How urgent.
    pub priority: Priority,
}

/// Which alarms a policy is for. Where nothing is listed, all are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matches {
    /// Those of these areas, and of stations in them.
    pub areas: Vec<Box<str>>,
    /// Those of these stations.
    pub stations: Vec<StationId>,
    /// Of the server itself, and of nothing else.
    pub server: bool,
    /// These points.
    pub points: Vec<Point>,
    /// These priorities.
    pub priorities: Vec<Priority>,
}

/// What is done about some alarms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What it is called.
    pub name: PolicyName,
    /// Which alarms it is for.
    pub matches: Matches,
    /// In the order of their times; at least one, and the first at once.
    pub steps: Vec<Step>,
    /// So long after the last step it is taken again, and again, until somebody
    /// acknowledges; in milliseconds.
    pub repeat_ms: i64,
    /// Whether the calls end once the alarm has returned to normal, acknowledged or
    /// not; `None`: as it is for its priority.
    pub stop_on_return: Option<bool>,
}

/// Whom to call at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How long after the raise, in milliseconds.
    pub after_ms: i64,
    /// Whom; at least one.
    pub call: Vec<Callee>,
    /// By which channels, all at once; none is named: by every way of whoever is called.
    pub by: Vec<ChannelId>,
}

/// Who is to be called.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Callee {
    /// Always the same.
    Contact(ContactId),
    /// Whoever has duty then.
    Rota(RotaId),
}

impl Matches {
    /// Whether it is for all alarms.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        *self == Matches::default()
    }

    /// Whether this alarm is among them.
    #[must_use]
    pub fn covers(&self, subject: &Subject<'_>) -> bool {
        let is_listed = |area: &str| self.areas.iter().any(|listed| **listed == *area);
        let station = match subject.source {
            AlarmSource::Station(id) => Some(id),
            AlarmSource::Area(_) | AlarmSource::Server => None,
        };
        (self.areas.is_empty() || subject.area.is_some_and(is_listed))
            && (self.stations.is_empty() || station.is_some_and(|id| self.stations.contains(id)))
            && (!self.server || *subject.source == AlarmSource::Server)
            && (self.points.is_empty() || self.points.contains(&subject.point))
            && self.may_be(subject.priority)
    }

    /// Whether alarms of this priority may be among them.
    #[must_use]
    pub fn may_be(&self, priority: Priority) -> bool {
        self.priorities.is_empty() || self.priorities.contains(&priority)
    }

    /// Whether all that `other` covers is covered by this.
    #[must_use]
    pub fn includes(&self, other: &Matches) -> bool {
        fn all_of<T: PartialEq>(these: &[T], those: &[T]) -> bool {
            these.is_empty() || (!those.is_empty() && those.iter().all(|one| these.contains(one)))
        }
        all_of(&self.areas, &other.areas)
            && all_of(&self.stations, &other.stations)
            && (!self.server || other.server)
            && all_of(&self.points, &other.points)
            && all_of(&self.priorities, &other.priorities)
    }
}

impl Policy {
    /// Whether the calls about an alarm of this priority end once it has returned to
    /// normal. Whoever was to look at a pump that overflowed does so afterwards as well,
    /// so what is urgent is called on.
    #[must_use]
    pub fn stops_on_return(&self, priority: Priority) -> bool {
        self.stop_on_return.unwrap_or(match priority {
            Priority::Critical | Priority::High => false,
            Priority::Medium | Priority::Low => true,
        })
    }
}
