//! A story for a program.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use waterwatch_core::alarm::Kind;

use super::Story;
use crate::shown::alarm::station_id;
use crate::shown::event::UnreadableObject;
use crate::shown::time::rfc3339;
use crate::shown::words::{AlarmPoint, AlarmPriority, AlarmState, EventKind, PointQuality};

/// The story of one occurrence of an alarm, or of an alarm that was never raised.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StoryObject {
    /// Whose: a station's id, `area/NAME` or `server`.
    pub source: String,
    /// The station's id as a number, if it is a station's. Those above 2^53 - 1 are exact
    /// in `source` alone for programs that have no larger integers.
    pub station_id: Option<i64>,
    /// What it is about.
    #[schema(value_type = AlarmPoint)]
    pub point: &'static str,
    /// How urgent the alarm is now.
    #[schema(value_type = AlarmPriority)]
    pub priority: &'static str,
    /// Which occurrence is told; null if it was never raised.
    pub occurrence: Option<i64>,
    /// Whether it is the current one.
    pub is_open: bool,
    /// The alarm's state now, whichever occurrence is told.
    #[schema(value_type = AlarmState)]
    pub state: &'static str,
    /// What the alarm's contact is worth now.
    #[schema(value_type = PointQuality)]
    pub quality: &'static str,
    /// Its sentences, in the order in which it happened.
    pub lines: Vec<LineObject>,
    /// Whether there were more entries than are told.
    pub is_cut: bool,
    /// Entries about the alarm, or about what the server heard meanwhile, that cannot be read and are not told.
    pub unreadable: Vec<UnreadableObject>,
    /// How it stands now: the last sentence.
    pub now: String,
}

/// A sentence of a story.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LineObject {
    /// The entry of the ledger that it tells, or the first of them.
    pub sequence: i64,
    /// When that was.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub time: Option<Timestamp>,
    /// What happened.
    #[schema(value_type = EventKind)]
    pub kind: &'static str,
    /// How many stations it is about at once; null if it is about one alarm.
    pub count: Option<usize>,
    /// The sentence.
    pub text: String,
}

impl Story<'_> {
    /// For a program.
    #[must_use]
    pub fn object(&self) -> StoryObject {
        let lines = self.lines().into_iter().map(|line| LineObject {
            sequence: line.sequence,
            time: rfc3339(line.time_ms),
            kind: Kind::name(line.kind),
            count: line.count,
            text: line.text,
        });
        let (source, point) = self.key;
        StoryObject {
            source: source.to_string(),
            station_id: station_id(source),
            point: point.name(),
            priority: self.priority().name(),
            occurrence: self.past.occurrence,
            is_open: self.open().is_some(),
            state: self.state().name(),
            quality: self.quality().name(),
            lines: lines.collect(),
            is_cut: self.past.is_cut,
            unreadable: self.past.unreadable.iter().map(UnreadableObject::new).collect(),
            now: self.ending(),
        }
    }
}
