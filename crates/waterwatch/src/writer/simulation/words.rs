//! What each device of a station said last, and what must follow where there are
//! several.

use std::collections::HashMap;
use std::ops::AddAssign;

use waterwatch_core::alarm::{AlarmSource, Event, Kind, Point};
use waterwatch_core::{Origin, Report, StationId, StationSettings};

use super::disk::Disk;
use super::truth::{Moment, is_contested};
use super::{MINUTE_MS, SECOND_MS};
use crate::store::Store;

/// The shortest and the longest grace of a run, which changes at a start.
const GRACES_MS: (i64, i64) = (2 * MINUTE_MS, 5 * MINUTE_MS);

/// How exactly deadlines are kept.
const EXACTLY_MS: i64 = SECOND_MS;

#[derive(Debug, Default)]
pub(super) struct Words {
    of: HashMap<StationId, OfStation>,
    pub(super) contests: Contests,
}

/// How often what happened.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Contests {
    /// Raised since two addresses took turns.
    pub(super) alternating: usize,
    /// Raised since two devices at one address contradict each other.
    pub(super) contradicting: usize,
    /// The same where there is only one: its contact came and went at its pace.
    pub(super) mistaken: usize,
    /// Reports that said off, and did not hide that another said on.
    pub(super) held: usize,
}

impl AddAssign for Contests {
    fn add_assign(&mut self, other: Contests) {
        self.alternating += other.alternating;
        self.contradicting += other.contradicting;
        self.mistaken += other.mistaken;
        self.held += other.held;
    }
}

#[derive(Debug, Default)]
struct OfStation {
    /// Whether a second device has its number, and whether that has its address.
    double: Option<bool>,
    last: Option<Origin>,
    by_origin: HashMap<Origin, ([bool; 2], Moment)>,
    /// When anybody last said on.
    on: [Option<Moment>; 2],
    /// The same since it was known that two share an address.
    on_since_shared: [Option<Moment>; 2],
}

/// Until when a word counts.
struct Deadline<'a> {
    started: Moment,
    now: Moment,
    fleet: &'a StationSettings,
}

impl Deadline<'_> {
    /// Whether a word of then counts, whatever is uncertain.
    fn counts(&self, then: Moment) -> bool {
        then.until(self.now).1 + EXACTLY_MS < self.fleet.period_ms + GRACES_MS.0
    }

    /// Whether it may count: also a word of before a start has a period after it.
    fn may_count(&self, then: Moment) -> bool {
        then.until(self.now).0 - EXACTLY_MS < self.fleet.period_ms + GRACES_MS.1
            || self.started.until(self.now).0 - EXACTLY_MS < self.fleet.period_ms
    }
}

impl Words {
    pub(super) fn has_double(&mut self, id: StationId, shares: bool) {
        self.of.entry(id).or_default().double = Some(shares);
    }

    /// What its devices said is forgotten, and how many there are is not.
    pub(super) fn forget(&mut self, id: StationId) {
        let double = self.of.remove(&id).and_then(|of| of.double);
        self.of.insert(id, OfStation { double, ..OfStation::default() });
    }

    /// This was committed, while the server had started and heard until then.
    pub(super) fn committed(
        &mut self,
        reports: &[(Report, Origin)],
        events: &[Event],
        disk: &Disk,
        (started, now): (Moment, Moment),
        fleet: &StationSettings,
    ) {
        let deadline = Deadline { started, now, fleet };
        for event in events.iter().filter(|event| event.point == Some(Point::Identity)) {
            self.is_so(event);
        }
        for (report, origin) in reports {
            self.of.entry(report.station_id).or_default().says(report, *origin, disk, &deadline);
        }
        for (report, origin) in reports {
            let of = &self.of[&report.station_id];
            self.contests.held += of.follows(report.station_id, *origin, disk, &deadline);
        }
    }

    /// What is said of identity is said of a station that it can be said of.
    fn is_so(&mut self, event: &Event) {
        let AlarmSource::Station(id) = event.source else { panic!("{event:?}") };
        let reason = event.reason.as_deref().unwrap_or_default();
        if !matches!(event.kind, Kind::Raised | Kind::OnWhileHidden) || event.reason.is_none() {
            return;
        }
        let double = self.of.get(&id).and_then(|of| of.double);
        match (reason.starts_with("reports alternate"), double) {
            (true, Some(false)) => self.contests.alternating += 1,
            // Whoever moves never comes back.
            (true, _) => panic!("one device alternates: {event:?}"),
            (false, Some(true)) => self.contests.contradicting += 1,
            (false, _) => self.contests.mistaken += 1,
        }
    }
}

impl OfStation {
    /// One more report, in the order of all.
    fn says(&mut self, report: &Report, origin: Origin, disk: &Disk, deadline: &Deadline<'_>) {
        let has_moved = self.last.is_some_and(|last| last != origin);
        let is_back = self.by_origin.get(&origin).is_some_and(|(_, then)| deadline.counts(*then));
        let id = report.station_id;
        assert!(!(has_moved && is_back) || is_contested(id, disk), "nobody saw that {id} alternates");
        self.last = Some(origin);
        let contacts = [report.alarm1, report.alarm2];
        self.by_origin.insert(origin, (contacts, deadline.now));
        let contest = disk.contests().get(id).and_then(|contest| contest.contested);
        let shares = contest.is_some_and(|contested| contested.contradicts);
        for (contact, on) in contacts.into_iter().enumerate() {
            if on {
                self.on[contact] = Some(deadline.now);
            }
            if !shares {
                self.on_since_shared[contact] = None;
            } else if on {
                self.on_since_shared[contact] = Some(deadline.now);
            }
        }
        self.by_origin.retain(|_, (_, then)| deadline.may_count(*then));
    }

    /// What counts of its contacts after that, and how many of them are on
    /// although the last report says off.
    fn follows(&self, id: StationId, origin: Origin, disk: &Disk, deadline: &Deadline<'_>) -> usize {
        if self.last != Some(origin) || !is_contested(id, disk) {
            return 0;
        }
        let mut held = 0;
        for (contact, point) in [Point::Alarm1, Point::Alarm2].into_iter().enumerate() {
            let is_on =
                disk.alarms().get(&(AlarmSource::Station(id), point)).is_some_and(|alarm| alarm.contact);
            let somebody_says =
                self.by_origin.values().any(|(says, then)| says[contact] && deadline.counts(*then))
                    || self.on_since_shared[contact].is_some_and(|then| deadline.counts(then));
            assert!(is_on || !somebody_says, "{point} of {id} is hidden by another device: {self:?}");
            let somebody_said = self.on[contact].is_some_and(|then| deadline.may_count(then));
            assert!(somebody_said || !is_on, "{point} of {id} is on, and nobody says so: {self:?}");
            held += usize::from(is_on && !self.by_origin[&origin].0[contact]);
        }
        held
    }
}
