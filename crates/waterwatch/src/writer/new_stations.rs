//! How many stations were heard for the first time within the last hour: whoever
//! invents ids, and a gateway that lost its own, is noticed before `stations_max`.

use std::collections::VecDeque;

use waterwatch_core::StationId;
use waterwatch_core::alarm::{AlarmSource, Point};

use crate::store::Store;

/// The count of the last hour, to a minute. It begins anew with each start: a
/// station that is in the database then is not new.
#[derive(Debug)]
pub(super) struct NewStations {
    /// More than so many are an alarm.
    pub(super) per_hour_max: usize,
    /// Stations that were known when they were last counted.
    known: usize,
    /// Those that came in, by the minute in which they did; at most an hour's.
    minutes: VecDeque<(i64, usize)>,
    /// All of them.
    count: usize,
    /// What minute it is now; steady.
    minute: i64,
    /// From when on a whole hour has been counted; steady.
    whole_from_minute: i64,
    /// The contact of the alarm is on.
    is_told: bool,
}

impl NewStations {
    const MINUTE_MS: i64 = 60_000;
    const MINUTES: i64 = 60;

    /// Without a limit, at a moment of the steady clock.
    pub(super) fn start(known: usize, steady_ms: i64) -> NewStations {
        let minute = steady_ms.div_euclid(Self::MINUTE_MS);
        NewStations {
            per_hour_max: usize::MAX,
            known,
            minutes: VecDeque::new(),
            count: 0,
            minute,
            // The minute of the start is not a whole one.
            whole_from_minute: minute + 1 + Self::MINUTES,
            is_told: false,
        }
    }

    /// What is more than an hour ago is forgotten.
    pub(super) fn turn(&mut self, steady_ms: i64) {
        self.minute = steady_ms.div_euclid(Self::MINUTE_MS);
        while let Some((_, count)) =
            self.minutes.front().filter(|(minute, _)| *minute <= self.minute - Self::MINUTES)
        {
            self.count -= count;
            self.minutes.pop_front();
        }
    }

    /// Counts whoever came into the store since the last time, whether that was
    /// known to be recorded or not. So many were forgotten meanwhile: they have come
    /// in all the same.
    pub(super) fn recorded<S: Store>(&mut self, store: &S, forgotten: usize) {
        let known = store.station_count();
        let before = std::mem::replace(&mut self.known, known);
        let new = (known + forgotten).saturating_sub(before);
        if new > 0 {
            self.count += new;
            match self.minutes.back_mut() {
                Some((minute, count)) if *minute == self.minute => *count += new,
                _ => self.minutes.push_back((self.minute, new)),
            }
        }
        let alarm = store.alarms().get(&(AlarmSource::Server, Point::NewStations));
        self.is_told = alarm.is_some_and(|alarm| alarm.contact);
    }

    /// Whether with `more` there are too many, and that is not told yet.
    pub(super) fn is_too_many(&self, more: usize) -> bool {
        !self.is_told && self.count + more > self.per_hour_max
    }

    /// Whether it was told that there are too many, and a whole hour, with
    /// `more`, has no more than may be.
    pub(super) fn is_over(&self, more: usize) -> bool {
        self.is_told && self.minute >= self.whole_from_minute && self.count + more <= self.per_hour_max
    }

    /// What is to be said of it.
    pub(super) fn reason(&self, more: usize, last: StationId) -> String {
        let (count, max) = (self.count + more, self.per_hour_max);
        format!("{count} new stations within an hour, more than {max}; the last is {last}")
    }
}
