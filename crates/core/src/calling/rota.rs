//! Who has duty when: people take turns, and hand over at certain times of a zone's
//! day or week.
//!
//! A hand-over is a time on the wall ([`super::wall`]): `Mon 08:00` is eight o'clock in
//! winter and in summer. In each zone and in each year every turn comes once, and they
//! follow each other without a hole.

use jiff::Span;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use thiserror::Error;

use super::ids::ContactId;
use super::wall::{first_moment, offset, shown};

/// How many hand-overs a day or a week may have: one each hour of a week is more than
/// anybody does.
pub const HAND_OVERS_MAX: usize = 168;

/// How many turns may follow each other until they begin anew: a year of days.
pub const TURNS_MAX: usize = 366;

/// The years in which a rota may begin or end: what is beyond was mistyped.
pub const YEARS: std::ops::RangeInclusive<i16> = 2000..=2199;

/// How often the hand-overs come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cycle {
    /// Each day.
    Day,
    /// Each week.
    Week,
}

/// A time at which one hands over to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HandOver {
    /// Days after the first day of the cycle: 0 is Monday, or every day.
    day: i8,
    time: Time,
}

impl HandOver {
    /// Each day at this time.
    #[must_use]
    pub fn daily(time: Time) -> HandOver {
        HandOver { day: 0, time }
    }

    /// On this day of each week.
    #[must_use]
    pub fn weekly(day: Weekday, time: Time) -> HandOver {
        HandOver { day: day.to_monday_zero_offset(), time }
    }
}

/// Whose turn it is; `None` is nobody's: a gap.
pub type Turn = Option<ContactId>;

/// People who take turns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rota {
    zone: TimeZone,
    cycle: Cycle,
    /// In order.
    hand_overs: Vec<HandOver>,
    turns: Vec<Turn>,
    /// The first turn begins with the first hand-over on this day or later.
    starts: Date,
    /// Nobody has duty from the beginning of this day on.
    ends: Option<Date>,
}

/// Why there can be no such rota.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UnfitRota {
    /// Without one, nobody's turn ever ends.
    #[error("it needs a time at which one hands over to the next")]
    NoHandOver,
    /// More than [`HAND_OVERS_MAX`].
    #[error("it has more than {HAND_OVERS_MAX} times to hand over")]
    HandOversMax,
    /// The same time twice.
    #[error("one of its times to hand over is there twice")]
    HandOverTwice,
    /// Nobody is in it.
    #[error("nobody is in it")]
    NoTurn,
    /// More than [`TURNS_MAX`].
    #[error("it has more than {TURNS_MAX} turns")]
    TurnsMax,
    /// It ends before it has begun.
    #[error("it ends before it begins")]
    EndsFirst,
    /// A day outside [`YEARS`].
    #[error("its days must lie in the years from {} to {}", YEARS.start(), YEARS.end())]
    Years,
}

/// Who has duty from when until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shift {
    /// Who; `None` is nobody: a gap.
    pub who: Turn,
    /// Since when, in milliseconds UTC; [`i64::MIN`]: always.
    pub from_ms: i64,
    /// Until when, in milliseconds UTC, this moment excluded; [`i64::MAX`]: for ever.
    pub until_ms: i64,
}

impl Shift {
    /// `from Mon 2026-01-05 08:00 +01:00 until …`, on the wall of a zone.
    #[must_use]
    pub fn in_words(&self, zone: &TimeZone, now_ms: i64) -> String {
        let told = |ms| format!("{} {}", shown(zone, ms).strftime("%a %Y-%m-%d %H:%M"), offset(zone, ms));
        let from = match self.from_ms <= now_ms {
            true => "now".to_owned(),
            false => format!("from {}", told(self.from_ms)),
        };
        match self.until_ms {
            i64::MAX => format!("{from}, and no end of that"),
            until_ms => format!("{from} until {}", told(until_ms)),
        }
    }
}

impl Rota {
    /// One with these turns. `starts` is the day on which the first of them begins,
    /// `ends` the first on which nobody has duty any more.
    ///
    /// # Errors
    /// Says what cannot be meant.
    pub fn new(
        zone: TimeZone,
        (cycle, mut hand_overs): (Cycle, Vec<HandOver>),
        turns: Vec<Turn>,
        starts: Date,
        ends: Option<Date>,
    ) -> Result<Rota, UnfitRota> {
        hand_overs.sort_unstable();
        let fit = |is_fit: bool, unfit: UnfitRota| if is_fit { Ok(()) } else { Err(unfit) };
        fit(!hand_overs.is_empty(), UnfitRota::NoHandOver)?;
        fit(hand_overs.len() <= HAND_OVERS_MAX, UnfitRota::HandOversMax)?;
        fit(hand_overs.is_sorted_by(|a, b| a < b), UnfitRota::HandOverTwice)?;
        fit(turns.iter().any(Option::is_some), UnfitRota::NoTurn)?;
        fit(turns.len() <= TURNS_MAX, UnfitRota::TurnsMax)?;
        fit([Some(starts), ends].iter().flatten().all(|day| YEARS.contains(&day.year())), UnfitRota::Years)?;
        fit(ends.is_none_or(|ends| starts < ends), UnfitRota::EndsFirst)?;
        Ok(Rota { zone, cycle, hand_overs, turns, starts, ends })
    }

    /// Everybody whose turn comes.
    pub fn contacts(&self) -> impl Iterator<Item = &ContactId> {
        self.turns.iter().flatten()
    }

    /// The zone of its times.
    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Who has duty at this moment, between one hand-over and the next.
    #[must_use]
    pub fn shift_at(&self, at_ms: i64) -> Shift {
        let ends_ms = self.ends.map_or(i64::MAX, |day| first_moment(&self.zone, day.at(0, 0, 0, 0)));
        if at_ms >= ends_ms {
            return Shift { who: None, from_ms: ends_ms, until_ms: i64::MAX };
        }
        let first = self.first();
        let starts_ms = self.hand_over_ms(first);
        if at_ms < starts_ms {
            return Shift { who: None, from_ms: i64::MIN, until_ms: starts_ms.min(ends_ms) };
        }
        let mut number = self.guess(at_ms).max(first);
        while number > first && self.hand_over_ms(number) > at_ms {
            number -= 1;
        }
        while self.hand_over_ms(number + 1) <= at_ms {
            number += 1;
        }
        let turn = usize::try_from(number - first).unwrap_or(0) % self.turns.len();
        Shift {
            who: self.turns[turn].clone(),
            from_ms: self.hand_over_ms(number),
            until_ms: self.hand_over_ms(number + 1).min(ends_ms),
        }
    }

    /// The number of the first hand-over that counts.
    fn first(&self) -> i64 {
        let begins = self.starts.at(0, 0, 0, 0);
        let mut number = self.number_of(self.starts);
        while self.wall_time(number) < begins {
            number += 1;
        }
        number
    }

    /// The number of a hand-over that is near this moment.
    fn guess(&self, at_ms: i64) -> i64 {
        self.number_of(shown(&self.zone, at_ms).date())
    }

    /// The number of the first hand-over of the cycle that this day is in.
    fn number_of(&self, day: Date) -> i64 {
        let days = i64::from((day - EPOCH).get_days());
        days.div_euclid(self.cycle.days()) * self.per_cycle()
    }

    fn per_cycle(&self) -> i64 {
        i64::try_from(self.hand_overs.len()).unwrap_or(i64::MAX)
    }

    /// When a hand-over is, on the wall. One beyond the end of all calendars is there.
    fn wall_time(&self, number: i64) -> DateTime {
        let (cycle, place) = (number.div_euclid(self.per_cycle()), number.rem_euclid(self.per_cycle()));
        let HandOver { day, time } = self.hand_overs[usize::try_from(place).unwrap_or(0)];
        let days = cycle * self.cycle.days() + i64::from(day);
        Span::new()
            .try_days(days)
            .and_then(|days| EPOCH.checked_add(days))
            .map_or(DateTime::MAX, |date| date.to_datetime(time))
    }

    fn hand_over_ms(&self, number: i64) -> i64 {
        first_moment(&self.zone, self.wall_time(number))
    }
}

/// A Monday, from which cycles are counted.
const EPOCH: Date = Date::constant(2000, 1, 3);

impl Cycle {
    fn days(self) -> i64 {
        match self {
            Cycle::Day => 1,
            Cycle::Week => 7,
        }
    }
}

#[cfg(test)]
mod tests;
