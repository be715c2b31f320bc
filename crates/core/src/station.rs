//! A station: its number, and what we know of it after each report.

use std::fmt;

use crate::report::{Origin, Report};

/// A station's number, 0 to 9,223,372,036,854,775,807 (what an SQLite integer
/// key holds). Never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StationId(i64);

impl StationId {
    /// The largest station number.
    pub const MAX: StationId = StationId(i64::MAX);

    /// The smallest.
    pub const MIN: StationId = StationId(0);

    /// The most digits that a number may be written with, leading zeros
    /// included: as many as [`StationId::MAX`] has.
    pub const DIGITS_MAX: usize = 19;

    /// The id with this number, or `None` for a negative one.
    #[must_use]
    pub fn new(number: i64) -> Option<StationId> {
        (number >= 0).then_some(StationId(number))
    }

    /// Reads 1 to 19 ASCII digits; leading zeros do not count. `None` for
    /// anything else, a sign or a blank included.
    #[must_use]
    pub fn from_digits(digits: &[u8]) -> Option<StationId> {
        if digits.is_empty() || digits.len() > Self::DIGITS_MAX {
            return None;
        }
        // 19 digits are at most 9,999,999,999,999,999,999, which u64 holds.
        let mut number: u64 = 0;
        for &digit in digits {
            if !digit.is_ascii_digit() {
                return None;
            }
            number = number * 10 + u64::from(digit - b'0');
        }
        i64::try_from(number).ok().map(StationId)
    }

    /// The number itself.
    #[must_use]
    pub fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for StationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How long a station may say nothing until its next report opens a new span
/// although its contacts are as they were, so that a time in which nothing
/// was heard is seen as one: a station's usual period of 60 s and 120 s of
/// grace. A clock that was set back by more counts as such a time, too.
pub const SPAN_GAP_MS: i64 = 180_000;

/// What is known of one station: its last report and how it got here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Station {
    /// The first alarm contact as last reported.
    pub alarm1: bool,
    /// The second alarm contact as last reported.
    pub alarm2: bool,
    /// When the last report was taken, in milliseconds UTC since 1970.
    pub received_at_ms: i64,
    /// The commit sequence of the last report: the place that the writer gave
    /// it in the one order of everything. 0 for a row that was never reported
    /// to this server (taken over from an older one).
    pub sequence: i64,
    /// How many of its reports were recorded.
    pub reports: i64,
    /// Where the last report came from.
    pub origin: Origin,
    /// The span that lasts until now.
    pub span: OpenSpan,
}

/// A span that has begun: the contacts are the station's, and its last report
/// is the station's last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenSpan {
    /// The commit sequence of its first report; 0 before the first.
    pub sequence: i64,
    /// When that was taken, in milliseconds UTC.
    pub since_ms: i64,
    /// How many reports it has; 0 before the first.
    pub reports: i64,
}

/// A time in which a station went on saying the same of its contacts, now
/// over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The commit sequence of its first report, which names it.
    pub sequence: i64,
    /// When the first report was taken, in milliseconds UTC.
    pub first_at_ms: i64,
    /// When the last report was taken, in milliseconds UTC.
    pub last_at_ms: i64,
    /// The first alarm contact during it.
    pub alarm1: bool,
    /// The second alarm contact during it.
    pub alarm2: bool,
    /// How many reports said so.
    pub reports: i64,
}

/// What is new in a report, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Novelty {
    /// Nothing but that the station goes on.
    Repeats,
    /// It says what was known, after a silence of more than [`SPAN_GAP_MS`].
    Resumes,
    /// A contact is not as it was.
    Changes,
    /// The station was not known.
    First,
}

impl Station {
    /// The station after one more report, taken at `received_at_ms` as number
    /// `sequence`, and what was new in it. `before` is what was known of it,
    /// if anything. Unless the report [repeats](Novelty::Repeats), the span of
    /// `before` is [over](Station::span_until_now).
    #[must_use]
    pub fn hear(
        before: Option<&Station>,
        report: Report,
        origin: Origin,
        received_at_ms: i64,
        sequence: i64,
    ) -> (Station, Novelty) {
        debug_assert!(before.is_none_or(|station| station.sequence < sequence));
        let novelty = before.map_or(Novelty::First, |before| {
            if (before.alarm1, before.alarm2) != (report.alarm1, report.alarm2) {
                Novelty::Changes
            } else if before.span.reports == 0 || (received_at_ms - before.received_at_ms).abs() > SPAN_GAP_MS
            {
                Novelty::Resumes
            } else {
                Novelty::Repeats
            }
        });
        let span = match before {
            Some(before) if novelty == Novelty::Repeats => before.span,
            _ => OpenSpan { sequence, since_ms: received_at_ms, reports: 0 },
        };
        let station = Station {
            alarm1: report.alarm1,
            alarm2: report.alarm2,
            received_at_ms,
            sequence,
            reports: before.map_or(0, |station| station.reports) + 1,
            origin,
            span: OpenSpan { reports: span.reports + 1, ..span },
        };
        (station, novelty)
    }

    /// The span that has lasted until now, as it is if it ends with the last
    /// report. `None` if there was no report in it: the station is known from
    /// an older server alone.
    #[must_use]
    pub fn span_until_now(&self) -> Option<Span> {
        (self.span.reports > 0).then_some(Span {
            sequence: self.span.sequence,
            first_at_ms: self.span.since_ms,
            // A clock that was set back must not end it before it began.
            last_at_ms: self.received_at_ms.max(self.span.since_ms),
            alarm1: self.alarm1,
            alarm2: self.alarm2,
            reports: self.span.reports,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A history as text: `at_s alarm1 alarm2` a line; the spans it leaves.
    fn spans(history: &[(i64, bool, bool)]) -> Vec<(i64, i64, bool, bool, i64)> {
        let id = StationId::MAX;
        let mut known: Option<Station> = None;
        let mut over = Vec::new();
        for (place, &(at_s, alarm1, alarm2)) in history.iter().enumerate() {
            let report = Report { station_id: id, alarm1, alarm2 };
            let sequence = i64::try_from(place).unwrap() + 1;
            let (after, novelty) =
                Station::hear(known.as_ref(), report, Origin::default(), at_s * 1_000, sequence);
            if novelty > Novelty::Repeats {
                over.extend(known.and_then(|known| known.span_until_now()));
            }
            known = Some(after);
        }
        over.extend(known.and_then(|known| known.span_until_now()));
        over.iter()
            .map(|span| {
                (span.first_at_ms / 1_000, span.last_at_ms / 1_000, span.alarm1, span.alarm2, span.reports)
            })
            .collect()
    }

    #[test]
    fn a_span_lasts_as_long_as_the_contacts_stay_and_the_station_speaks() {
        assert_eq!(
            spans(&[(0, false, false), (60, false, false), (120, true, false), (180, true, false)]),
            [(0, 60, false, false, 2), (120, 180, true, false, 2)]
        );
        let gap = SPAN_GAP_MS / 1_000;
        assert_eq!(
            spans(&[(0, false, true), (gap, false, true), (2 * gap + 1, false, true)]),
            [(0, gap, false, true, 2), (2 * gap + 1, 2 * gap + 1, false, true, 1)]
        );
        // A clock that is set back a little ends nothing; by more, what lay
        // between is not known.
        assert_eq!(spans(&[(100, true, true), (0, true, true)]), [(100, 100, true, true, 2)]);
        assert_eq!(
            spans(&[(1_000, true, true), (0, true, true)]),
            [(1_000, 1_000, true, true, 1), (0, 0, true, true, 1)]
        );
    }

    #[test]
    fn a_station_of_an_older_server_has_no_span_yet() {
        let known = Station {
            alarm1: true,
            alarm2: false,
            received_at_ms: 5,
            sequence: 0,
            reports: 0,
            origin: Origin::default(),
            span: OpenSpan::default(),
        };
        assert_eq!(known.span_until_now(), None);
        let report = Report { station_id: StationId::MAX, alarm1: true, alarm2: false };
        let (after, novelty) = Station::hear(Some(&known), report, Origin::default(), 6, 1);
        assert_eq!(novelty, Novelty::Resumes);
        assert_eq!(after.span, OpenSpan { sequence: 1, since_ms: 6, reports: 1 });
    }
}
