//! The alarms that are open, in the order in which an operator wants them: the
//! worst first, then the most urgent, then the oldest.
//!
//! Kept in buckets by what is asked for, so that a page costs what is on it,
//! whatever the number of those that are not. Stations that share the facts of
//! their silence are runs of ids.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use waterwatch_core::StationId;
use waterwatch_core::alarm::{Alarm, AlarmSource, Point, Priority, State};

use super::alarms::{AlarmQuery, SourceKind};
use super::cursor::Cursor;
use crate::store::AlarmKey;

/// Of what is alike as far as filters and the order go. Its order is that of the
/// list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Bucket {
    rank: u8,
    urgency: Reverse<Priority>,
    kind: SourceKind,
    is_active: bool,
}

/// Where an alarm stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Listed {
    pub(super) bucket: Bucket,
    pub(super) since_ms: i64,
    pub(super) area: Option<u32>,
}

/// All that are open, and those of each area.
#[derive(Debug, Default)]
pub(super) struct OpenAlarms {
    all: Buckets,
    areas: HashMap<u32, Buckets>,
}

type Buckets = BTreeMap<Bucket, Contents>;

#[derive(Debug, Default)]
struct Contents {
    own: BTreeSet<(i64, AlarmKey)>,
    /// The `comms` alarms of stations that share their facts, by since when.
    runs: BTreeMap<i64, BTreeSet<StationId>>,
    in_runs: usize,
}

impl Bucket {
    pub(super) fn rank(self) -> u8 {
        self.rank
    }

    pub(super) fn priority(self) -> Priority {
        self.urgency.0
    }

    /// `None`: it is not known.
    pub(super) fn state(self) -> Option<State> {
        State::ALL.iter().copied().find(|state| State::rank_if_known(Some(*state)) == self.rank)
    }
}

impl Listed {
    /// Where an alarm stands; `None` if it is not open but merely remembered.
    /// `is_judged`: its contact is, and somebody could have been heard.
    pub(super) fn of(
        source: &AlarmSource,
        alarm: &Alarm,
        is_judged: bool,
        priority: Priority,
        area: Option<u32>,
    ) -> Option<Listed> {
        let state = Some(alarm.state()).filter(|state| is_judged || *state != State::Normal);
        let is_open = state.is_some_and(|state| state != State::Normal);
        if !is_open && !alarm.contact && alarm.delay_due_ms.is_none() {
            return None;
        }
        let bucket = Bucket {
            rank: State::rank_if_known(state),
            urgency: Reverse(priority),
            kind: SourceKind::of(source),
            is_active: alarm.contact,
        };
        let raised = alarm.occurrence.as_ref().map(|occurrence| occurrence.raised_at_ms);
        Some(Listed { bucket, since_ms: raised.unwrap_or(alarm.contact_since_ms), area })
    }
}

impl OpenAlarms {
    /// This alarm stands there from now on.
    pub(super) fn add(&mut self, listed: &Listed, key: &AlarmKey) {
        for buckets in self.buckets_of(listed) {
            buckets.entry(listed.bucket).or_default().own.insert((listed.since_ms, key.clone()));
        }
    }

    /// It stands there no more.
    pub(super) fn remove(&mut self, listed: &Listed, key: &AlarmKey) {
        let place = (listed.since_ms, key.clone());
        self.take_out(listed, |contents| {
            contents.own.remove(&place);
        });
    }

    /// These stations, in order, share the facts of a silence that stands there, in
    /// whatever areas.
    pub(super) fn add_run(&mut self, bucket: Bucket, since_ms: i64, stations: &[StationId]) {
        add_run(&mut self.all, bucket, since_ms, stations);
    }

    /// Those of them that are in this area.
    pub(super) fn add_run_of(&mut self, area: u32, bucket: Bucket, since_ms: i64, stations: &[StationId]) {
        add_run(self.areas.entry(area).or_default(), bucket, since_ms, stations);
    }

    /// This station is not one of them any more.
    pub(super) fn remove_from_run(&mut self, listed: &Listed, id: StationId) {
        self.take_out(listed, |contents| {
            let Some(run) = contents.runs.get_mut(&listed.since_ms) else { return };
            contents.in_runs -= usize::from(run.remove(&id));
            if run.is_empty() {
                contents.runs.remove(&listed.since_ms);
            }
        });
    }

    fn buckets_of(&mut self, listed: &Listed) -> impl Iterator<Item = &mut Buckets> {
        let of_area = listed.area.map(|area| self.areas.entry(area).or_default());
        std::iter::once(&mut self.all).chain(of_area)
    }

    fn take_out(&mut self, listed: &Listed, mut take: impl FnMut(&mut Contents)) {
        for buckets in self.buckets_of(listed) {
            if let Some(contents) = buckets.get_mut(&listed.bucket) {
                take(contents);
                if contents.len() == 0 {
                    buckets.remove(&listed.bucket);
                }
            }
        }
    }

    /// How many are in each bucket.
    pub(super) fn counts(&self) -> impl Iterator<Item = (Bucket, usize)> {
        self.all.iter().map(|(bucket, contents)| (*bucket, contents.len()))
    }

    /// Those that are asked for, in their order, after the query's cursor; `area`
    /// is the number of the one that is asked for, if one is.
    pub(super) fn after<'a>(
        &'a self,
        query: &'a AlarmQuery,
        area: Option<u32>,
    ) -> impl Iterator<Item = (Bucket, i64, AlarmKey)> + use<'a> {
        static NONE: Buckets = BTreeMap::new();
        let buckets = match area {
            None => &self.all,
            Some(area) => self.areas.get(&area).unwrap_or(&NONE),
        };
        let from = query.after.as_ref();
        let place = |bucket: &Bucket| (bucket.rank, bucket.urgency);
        let asked: Vec<(&Bucket, &Contents)> = buckets
            .iter()
            .filter(|(bucket, _)| {
                query.fits(bucket.state(), bucket.priority(), bucket.kind, bucket.is_active)
                    && from.is_none_or(|from| place(bucket) >= (from.rank, Reverse(from.priority)))
            })
            .collect();
        let alike: Vec<Vec<(&Bucket, &Contents)>> =
            asked.chunk_by(|(one, _), (other, _)| place(one) == place(other)).map(<[_]>::to_vec).collect();
        alike.into_iter().flat_map(move |alike| {
            merged(alike.into_iter().map(move |(bucket, contents)| {
                let from = from.filter(|from| place(bucket) == (from.rank, Reverse(from.priority)));
                (*bucket, contents.after(from))
            }))
        })
    }
}

fn add_run(buckets: &mut Buckets, bucket: Bucket, since_ms: i64, stations: &[StationId]) {
    let contents = buckets.entry(bucket).or_default();
    contents.in_runs += stations.len();
    let run = contents.runs.entry(since_ms).or_default();
    if run.len() / 8 > stations.len() {
        run.extend(stations);
    } else {
        // Made of what is in order it is half as large as one that grew.
        run.append(&mut stations.iter().copied().collect());
    }
}

impl Contents {
    fn len(&self) -> usize {
        self.own.len() + self.in_runs
    }

    fn after<'a>(&'a self, from: Option<&'a Cursor>) -> impl Iterator<Item = (i64, AlarmKey)> + use<'a> {
        let start = from.map_or(Bound::Unbounded, |from| Bound::Excluded((from.since_ms, from.key.clone())));
        let own = self.own.range((start, Bound::Unbounded)).cloned();
        let since_ms = from.map_or(i64::MIN, |from| from.since_ms);
        let in_runs = self.runs.range(since_ms..).flat_map(move |(&since_ms, run)| {
            let from = from.filter(|from| from.since_ms == since_ms);
            let first = from.map_or(Bound::Unbounded, |from| first_after(&from.key));
            run.range((first, Bound::Unbounded))
                .map(move |id| (since_ms, (AlarmSource::Station(*id), Point::Comms)))
        });
        let streams: [Box<dyn Iterator<Item = (i64, AlarmKey)> + 'a>; 2] = [Box::new(own), Box::new(in_runs)];
        merged(streams.into_iter().map(|stream| ((), stream))).map(|((), since_ms, key)| (since_ms, key))
    }
}

/// From which station on `comms` alarms come after this key.
fn first_after((source, point): &AlarmKey) -> Bound<StationId> {
    match source {
        AlarmSource::Station(id) if *point < Point::Comms => Bound::Included(*id),
        AlarmSource::Station(id) => Bound::Excluded(*id),
        // None do: no range begins after the last.
        AlarmSource::Area(_) | AlarmSource::Server => Bound::Excluded(StationId::MAX),
    }
}

/// Streams that are in order as one that is, each row with what its stream has.
fn merged<T: Copy>(
    streams: impl Iterator<Item = (T, impl Iterator<Item = (i64, AlarmKey)>)>,
) -> impl Iterator<Item = (T, i64, AlarmKey)> {
    // A handful: the first of all is looked for anew each time.
    let mut streams: Vec<_> = streams.map(|(with, stream)| (with, stream.peekable())).collect();
    std::iter::from_fn(move || {
        let mut first: Option<(usize, &(i64, AlarmKey))> = None;
        for (number, (_, stream)) in streams.iter_mut().enumerate() {
            if let Some(place) = stream.peek()
                && first.is_none_or(|(_, best)| place < best)
            {
                first = Some((number, place));
            }
        }
        let (number, _) = first?;
        let (with, stream) = &mut streams[number];
        stream.next().map(|(since_ms, key)| (*with, since_ms, key))
    })
}
