//! `last_date`, the one time that is local in the database: `YYYY-MM-DD
//! HH:MM`, for reading. Order and arithmetic use `received_at`.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const FORMAT: &str = "%Y-%m-%d %H:%M";
const MINUTE_MS: i64 = 60_000;

/// Writes `last_date` for a batch. Most reports of a batch fall into one
/// minute, which is formatted once.
#[derive(Debug)]
pub struct LastDate {
    zone: TimeZone,
    minute: i64,
    text: String,
}

impl LastDate {
    /// In this zone.
    #[must_use]
    pub fn new(zone: TimeZone) -> LastDate {
        LastDate { zone, minute: i64::MIN, text: String::new() }
    }

    /// The local minute of a time in milliseconds UTC.
    pub fn of(&mut self, time_ms: i64) -> &str {
        let minute = time_ms.div_euclid(MINUTE_MS);
        if minute != self.minute {
            self.minute = minute;
            self.text = Timestamp::from_millisecond(time_ms).map_or_else(
                |_| String::new(),
                |time| self.zone.to_datetime(time).strftime(FORMAT).to_string(),
            );
        }
        &self.text
    }
}

/// Whether two times in milliseconds UTC have the same `last_date`: zones
/// differ by whole minutes.
#[must_use]
pub fn is_same(time_ms: i64, other_ms: i64) -> bool {
    time_ms.div_euclid(MINUTE_MS) == other_ms.div_euclid(MINUTE_MS)
}

/// Reads a `last_date` as milliseconds UTC; `None` if it is none. An hour
/// that summer time repeats is taken as the first, one that it skips as the
/// one after.
#[must_use]
pub fn parse(text: &str, zone: &TimeZone) -> Option<i64> {
    let local = DateTime::strptime(FORMAT, text).ok()?;
    // Exactly this form: strptime takes `2024-1-2 3:4` as well.
    if local.strftime(FORMAT).to_string() != text {
        return None;
    }
    Some(zone.to_ambiguous_timestamp(local).compatible().ok()?.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_written_in_the_zone_and_read_back() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let mut last_date = LastDate::new(zone.clone());
        assert_eq!(last_date.of(1_795_484_759_999), "2026-11-24 02:45");
        assert_eq!(last_date.of(1_795_484_760_000), "2026-11-24 02:46");
        assert_eq!(parse("2026-11-24 02:46", &zone), Some(1_795_484_760_000));
        assert_eq!(last_date.of(-1), "1970-01-01 00:59");
    }

    #[test]
    fn only_the_contracts_form_is_read() {
        for text in [
            "2026-11-24",
            "2026-11-24 02:46:00",
            "2026-11-24T02:46",
            "2026-1-24 02:46",
            "",
            "2026-02-30 02:46",
        ] {
            assert_eq!(parse(text, &TimeZone::UTC), None, "{text}");
        }
    }

    #[test]
    fn the_repeated_hour_is_the_first_and_the_skipped_one_the_hour_after() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let mut last_date = LastDate::new(zone.clone());
        let first = parse("2026-10-25 02:30", &zone).unwrap();
        assert_eq!(last_date.of(first), "2026-10-25 02:30");
        assert_eq!(last_date.of(first + 60 * MINUTE_MS), "2026-10-25 02:30");
        assert_eq!(last_date.of(parse("2026-03-29 02:30", &zone).unwrap()), "2026-03-29 03:30");
    }
}
