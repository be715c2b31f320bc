//! A station: its number, and what we know of it after each report.

use std::fmt;

use crate::report::Report;

/// A station's number, 0 to 9,223,372,036,854,775,807 (what an SQLite integer
/// key holds). Never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StationId(i64);

impl StationId {
    /// The largest station number.
    pub const MAX: StationId = StationId(i64::MAX);

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
}

impl Station {
    /// The station after one more report, taken at `received_at_ms` as number
    /// `sequence`. `before` is what was known of it, if anything.
    #[must_use]
    pub fn hear(before: Option<&Station>, report: Report, received_at_ms: i64, sequence: i64) -> Station {
        debug_assert!(before.is_none_or(|station| station.sequence < sequence));
        Station {
            alarm1: report.alarm1,
            alarm2: report.alarm2,
            received_at_ms,
            sequence,
            reports: before.map_or(0, |station| station.reports) + 1,
        }
    }
}
