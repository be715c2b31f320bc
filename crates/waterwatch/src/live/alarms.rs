//! Questions about alarms.

use std::collections::HashMap;
use std::sync::Arc;

use waterwatch_core::alarm::{Alarm, AlarmSource, Point, Priority, State};

use super::cursor::Cursor;
use super::{PAGE_MAX, View};
use crate::store::AlarmKey;

/// Whose alarms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceKind {
    /// A station's.
    Station,
    /// An area's.
    Area,
    /// The server's own.
    Server,
}

impl SourceKind {
    /// Of which kind a source is.
    #[must_use]
    pub fn of(source: &AlarmSource) -> SourceKind {
        match source {
            AlarmSource::Station(_) => SourceKind::Station,
            AlarmSource::Area(_) => SourceKind::Area,
            AlarmSource::Server => SourceKind::Server,
        }
    }
}

/// Which open alarms are asked for; where a list is empty, all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlarmQuery {
    /// In one of these states; `Normal` are those that are about to be an alarm.
    pub state: Vec<State>,
    /// With one of these priorities.
    pub priority: Vec<Priority>,
    /// Of the stations of this area, and its own.
    pub area: Option<Box<str>>,
    /// Whether the contact is on.
    pub active: Option<bool>,
    /// Whose.
    pub kind: Vec<SourceKind>,
    /// Those that come after this place.
    pub after: Option<Cursor>,
    /// At most so many, and never more than [`PAGE_MAX`].
    pub limit: usize,
}

impl AlarmQuery {
    pub(super) fn fits(
        &self,
        state: Option<State>,
        priority: Priority,
        kind: SourceKind,
        is_active: bool,
    ) -> bool {
        (self.state.is_empty() || state.is_some_and(|state| self.state.contains(&state)))
            && (self.priority.is_empty() || self.priority.contains(&priority))
            && (self.kind.is_empty() || self.kind.contains(&kind))
            && self.active.is_none_or(|active| active == is_active)
    }
}

/// An alarm that is not at rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmRow {
    /// Whose, and about what.
    pub key: AlarmKey,
    /// Its facts; many may share them.
    pub alarm: Arc<Alarm>,
    /// How urgent it is.
    pub priority: Priority,
}

/// A part of the open alarms, the worst first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlarmPage {
    /// What is on it.
    pub alarms: Vec<AlarmRow>,
    /// Where the next page goes on; `None`: this is the last.
    pub next: Option<Cursor>,
}

impl View<'_> {
    /// A page of the open alarms: those that are on, or wait for somebody, or are
    /// hidden, or are about to be on. The worst state comes first, then the most
    /// urgent, then the oldest. A contact that is on and not judged has no alarm,
    /// and is not here.
    #[must_use]
    pub fn alarms(&self, query: &AlarmQuery) -> AlarmPage {
        let mirror = self.mirror();
        let area = match &query.area {
            None => None,
            Some(name) => match mirror.classes.area_named(name) {
                None => return AlarmPage::default(),
                area => area,
            },
        };
        let limit = query.limit.min(PAGE_MAX);
        let mut page = AlarmPage::default();
        for (bucket, since_ms, key) in mirror.open.after(query, area) {
            if page.alarms.len() == limit {
                // The last of this page is where the next goes on.
                break;
            }
            page.next =
                Some(Cursor { rank: bucket.rank(), priority: bucket.priority(), since_ms, key: key.clone() });
            if let Some(alarm) = mirror.facts(&key) {
                page.alarms.push(AlarmRow { key, alarm, priority: bucket.priority() });
            }
        }
        let has_more = page.next.as_ref().is_some_and(|last| {
            let query = AlarmQuery { after: Some(last.clone()), ..query.clone() };
            mirror.open.after(&query, area).next().is_some()
        });
        page.next = page.next.filter(|_| has_more);
        page
    }

    /// One alarm; `None` if it is at rest.
    #[must_use]
    pub fn alarm(&self, key: &AlarmKey) -> Option<AlarmRow> {
        let alarm = self.mirror().facts(key)?;
        Some(AlarmRow { priority: self.mirror().priority(key), key: key.clone(), alarm })
    }

    /// All alarms of a source that are not at rest, in the order of their points.
    #[must_use]
    pub fn alarms_of(&self, source: &AlarmSource) -> Vec<AlarmRow> {
        let of_point = |&point: &Point| self.alarm(&(source.clone(), point));
        Point::of(source).iter().filter_map(of_point).collect()
    }

    /// How many alarms are open, by state and priority. Without a state are those
    /// whose contact is on and not judged.
    #[must_use]
    pub fn alarm_counts(&self) -> HashMap<(Option<State>, Priority), usize> {
        let mut counts = HashMap::new();
        for (bucket, count) in self.mirror().open.counts() {
            *counts.entry((bucket.state(), bucket.priority())).or_default() += count;
        }
        counts
    }
}
