//! What the old servers wrote into a cell, and what it means. The old program
//! took what came in as it came, so a number may be a text, and a date may
//! have seconds.

use jiff::tz::TimeZone;
use rusqlite::types::ValueRef;
use waterwatch_core::StationId;

use crate::store::last_date;

/// Bytes of `YYYY-MM-DD HH:MM`.
const MINUTE_BYTES: usize = 16;

/// What a station id must be, for the person who mends the row.
pub(super) const STATION_ID_WANTED: &str = "it must be a number from 0 to 9223372036854775807";
/// What an alarm must be.
pub(super) const ALARM_WANTED: &str = "it must be 0 or 1";
/// What a date must be.
pub(super) const DATE_WANTED: &str = "it must be a date like 2026-11-24 01:50, with or without seconds";

/// A station's number: an integer, a text of 1 to 19 digits, or a real
/// without a fraction, which is what a column that is declared as real makes
/// of an integer.
pub(super) fn station_id(value: ValueRef<'_>) -> Option<StationId> {
    match value {
        ValueRef::Integer(number) => StationId::new(number),
        ValueRef::Text(text) => StationId::from_digits(text.trim_ascii()),
        ValueRef::Real(number) => StationId::new(whole(number)?),
        ValueRef::Null | ValueRef::Blob(_) => None,
    }
}

/// An alarm: 0 or 1 as an integer, a text or a real.
pub(super) fn alarm(value: ValueRef<'_>) -> Option<bool> {
    let number = match value {
        ValueRef::Integer(number) => number,
        ValueRef::Real(number) => whole(number)?,
        ValueRef::Text(text) => match text.trim_ascii() {
            b"0" => 0,
            b"1" => 1,
            _ => return None,
        },
        ValueRef::Null | ValueRef::Blob(_) => return None,
    };
    match number {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

/// A date of the old server's zone: as `last_date` has it, cut to minutes,
/// and in milliseconds UTC with all that is known.
pub(super) fn date(value: ValueRef<'_>, zone: &TimeZone) -> Option<(String, i64)> {
    let ValueRef::Text(text) = value else { return None };
    let text = std::str::from_utf8(text.trim_ascii()).ok()?;
    let (minute, rest) = text.split_at_checked(MINUTE_BYTES)?;
    let minute = match minute.split_once('T') {
        Some((day, time)) => format!("{day} {time}"),
        None => minute.to_owned(),
    };
    let time_ms = last_date::parse(&minute, zone)? + seconds_ms(rest)?;
    Some((minute, time_ms))
}

/// The milliseconds in what follows the minute: nothing, `:SS` or
/// `:SS.fraction`.
fn seconds_ms(text: &str) -> Option<i64> {
    if text.is_empty() {
        return Some(0);
    }
    let text = text.strip_prefix(':')?;
    let (seconds, fraction) = match text.split_once('.') {
        Some((_, "")) => return None,
        Some((seconds, fraction)) => (seconds, fraction),
        None => (text, ""),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if seconds.len() != 2 || !digits(seconds) || !digits(fraction) {
        return None;
    }
    let seconds: i64 = seconds.parse().ok().filter(|seconds| *seconds < 60)?;
    let milliseconds: i64 = format!("{fraction:0<3}")[..3].parse().ok()?;
    Some(seconds * 1_000 + milliseconds)
}

/// A real as the integer that it is, if a real can hold that integer for
/// certain.
fn whole(number: f64) -> Option<i64> {
    const EXACT_BELOW: f64 = 9_007_199_254_740_992.0; // 2^53
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and small enough")]
    (number.fract() == 0.0 && number.abs() < EXACT_BELOW).then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ValueRef::{Blob, Integer, Null, Real, Text};

    #[test]
    fn station_ids() {
        for (value, number) in [
            (Integer(0), Some(0)),
            (Integer(i64::MAX), Some(i64::MAX)),
            (Integer(-1), None),
            (Text(b"123"), Some(123)),
            (Text(b"0123"), Some(123)),
            (Text(b" 7\n"), Some(7)),
            (Text(b"9223372036854775807"), Some(i64::MAX)),
            (Text(b"9223372036854775808"), None),
            (Text(b"00000000000000000007"), None),
            (Text(b"-1"), None),
            (Text(b"+1"), None),
            (Text(b"1.0"), None),
            (Text(b"7x"), None),
            (Text(b""), None),
            (Text(b"\xff"), None),
            (Real(7.0), Some(7)),
            (Real(-0.0), Some(0)),
            (Real(7.5), None),
            (Real(-7.0), None),
            (Real(9_007_199_254_740_992.0), None),
            (Real(f64::NAN), None),
            (Real(f64::INFINITY), None),
            (Null, None),
            (Blob(b"123"), None),
        ] {
            assert_eq!(station_id(value).map(StationId::get), number, "{value:?}");
        }
    }

    #[test]
    fn alarms() {
        for (value, on) in [
            (Integer(0), Some(false)),
            (Integer(1), Some(true)),
            (Integer(2), None),
            (Integer(-1), None),
            (Text(b"0"), Some(false)),
            (Text(b"1"), Some(true)),
            (Text(b" 1\r\n"), Some(true)),
            (Text(b"01"), None),
            (Text(b"1.0"), None),
            (Text(b"true"), None),
            (Text(b""), None),
            (Real(0.0), Some(false)),
            (Real(1.0), Some(true)),
            (Real(0.5), None),
            (Null, None),
            (Blob(b"1"), None),
        ] {
            assert_eq!(alarm(value), on, "{value:?}");
        }
    }

    #[test]
    fn dates() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        const MINUTE: &str = "2026-11-24 02:46";
        const MINUTE_MS: i64 = 1_795_484_760_000;
        for (text, time_ms) in [
            ("2026-11-24 02:46", Some(0)),
            ("2026-11-24T02:46", Some(0)),
            (" 2026-11-24 02:46 \n", Some(0)),
            ("2026-11-24 02:46:07", Some(7_000)),
            ("2026-11-24T02:46:59", Some(59_000)),
            ("2026-11-24 02:46:07.5", Some(7_500)),
            ("2026-11-24 02:46:07.123456", Some(7_123)),
            ("2026-11-24 02:46:07.999999999", Some(7_999)),
            ("2026-11-24 02:46:60", None),
            ("2026-11-24 02:46:7", None),
            ("2026-11-24 02:46:", None),
            ("2026-11-24 02:46:07.", None),
            ("2026-11-24 02:46:07.1x", None),
            ("2026-11-24 02:46:+7", None),
            ("2026-11-24 02:46Z", None),
            ("2026-11-24 02:46:07+01:00", None),
            ("2026-11-24t02:46", None),
            ("2026-11-24", None),
            ("2026-02-30 02:46", None),
            ("2026-11-24 24:46", None),
            ("24.11.2026 02:46", None),
            ("2026-11-24 02:4ü", None),
            ("", None),
        ] {
            let wanted = time_ms.map(|time_ms| (MINUTE.to_owned(), MINUTE_MS + time_ms));
            assert_eq!(date(Text(text.as_bytes()), &zone), wanted, "{text}");
        }
        for value in [Null, Integer(1_795_484_760), Real(1.5), Blob(b"2026-11-24 02:46"), Text(b"\xff")] {
            assert_eq!(date(value, &zone), None, "{value:?}");
        }
    }
}
