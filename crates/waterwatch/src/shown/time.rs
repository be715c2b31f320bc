//! Times as people read and write them.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

/// What is not further ahead is now: the clock is read before the database,
/// and that of a million stations takes some seconds.
const AHEAD_MS: i64 = 10_000;

const MINUTE_S: i64 = 60;
const HOUR_S: i64 = 60 * MINUTE_S;
const DAY_S: i64 = 24 * HOUR_S;

/// What time it is, and where the reader is.
#[derive(Clone, Debug)]
pub struct Clock {
    /// Now.
    pub now: Timestamp,
    /// The zone that times are shown in.
    pub zone: TimeZone,
}

impl Clock {
    /// This machine's.
    pub fn system() -> Clock {
        Clock { now: Timestamp::now(), zone: TimeZone::system() }
    }

    /// Now, in milliseconds UTC.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.now.as_millisecond()
    }

    /// `2026-11-24 02:10:07 +01:00`
    pub fn exact(&self, time_ms: i64) -> String {
        self.shown(time_ms, "%Y-%m-%d %H:%M:%S %:z")
    }

    /// `2026-11-24 02:10`
    pub fn minute(&self, time_ms: i64) -> String {
        self.shown(time_ms, "%Y-%m-%d %H:%M")
    }

    /// `2026-11-24`
    pub fn day(&self, time_ms: i64) -> String {
        self.shown(time_ms, "%Y-%m-%d")
    }

    /// `02:10` if that is today, and else `2026-11-24`: no more than a table has
    /// room for.
    pub fn day_or_time(&self, time_ms: i64) -> String {
        let day = self.day(time_ms);
        if day == self.day(self.now_ms()) { self.shown(time_ms, "%H:%M") } else { day }
    }

    fn shown(&self, time_ms: i64, form: &str) -> String {
        // A time that no calendar has is shown as it is.
        rfc3339(time_ms).map_or_else(
            || format!("{time_ms} ms"),
            |time| time.to_zoned_datetime(self.zone.clone()).strftime(form).to_string(),
        )
    }

    /// How many seconds ago that was; `None` for what lies ahead, since the
    /// clock was set back: nobody knows then.
    pub fn age_s(&self, time_ms: i64) -> Option<i64> {
        let age_ms = self.now_ms().saturating_sub(time_ms);
        (age_ms > -AHEAD_MS).then_some(age_ms.max(0) / 1_000)
    }

    /// `3 min`, or `ahead`
    pub fn age(&self, time_ms: i64) -> String {
        self.age_s(time_ms).map_or_else(|| "ahead".to_owned(), span)
    }

    /// `3 min ago`, or `ahead of the clock`
    pub fn ago(&self, time_ms: i64) -> String {
        self.age_s(time_ms)
            .map_or_else(|| "ahead of the clock".to_owned(), |age_s| format!("{} ago", span(age_s)))
    }

    /// `2026-11-24 02:10 (3 min ago)`
    pub fn minute_and_age(&self, time_ms: i64) -> String {
        format!("{} ({})", self.minute(time_ms), self.ago(time_ms))
    }
}

/// A time for a program; `None` if no calendar has it.
pub fn rfc3339(time_ms: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(time_ms).ok()
}

/// `12 s`, `3 min`, `2 h 5 min`, `4 d`: no finer than a person needs.
pub fn span(seconds: i64) -> String {
    match (seconds / DAY_S, seconds / HOUR_S, seconds / MINUTE_S) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => match minutes % 60 {
            0 => format!("{hours} h"),
            minutes => format!("{hours} h {minutes} min"),
        },
        (days, _, _) => format!("{days} d"),
    }
}

/// Reads how long something lasts, as a person writes it: `90s`, `1h 30m`, `1d 12h`, `2w`.
/// A day has 24 hours, also where the clocks are changed. `None` if it is no such span: a
/// month has no length of its own.
#[must_use]
pub fn lasting(text: &str) -> Option<SignedDuration> {
    let span: Span = text.trim().parse().ok()?;
    span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()
}

/// Reads a moment as a person writes it: a date or a local time in this
/// machine's zone, a time with its own zone, or how long ago (`2h`).
///
/// # Errors
/// If it is none of these.
pub fn parse(text: &str) -> Result<Timestamp, String> {
    moment_or_ago(text, &Clock::system())
}

/// The same without how long ago: a moment that may lie ahead.
///
/// # Errors
/// If it is none of these.
pub fn parse_moment(text: &str) -> Result<Timestamp, String> {
    moment(text, &Clock::system()).unwrap_or_else(|| {
        Err(format!(
            "\"{text}\" is no time; write it like 2026-11-24, \"2026-11-24 18:00\" or 2026-11-24T17:00:00Z"
        ))
    })
}

/// `None` if it has not the form of one.
fn moment(text: &str, clock: &Clock) -> Option<Result<Timestamp, String>> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(Ok(time));
    }
    let local = text.parse::<DateTime>().or_else(|_| text.parse::<Date>().map(DateTime::from)).ok()?;
    Some(clock.zone.to_timestamp(local).map_err(|error| error.to_string()))
}

fn moment_or_ago(text: &str, clock: &Clock) -> Result<Timestamp, String> {
    if let Some(moment) = moment(text, clock) {
        return moment;
    }
    lasting(text.trim_end().strip_suffix("ago").unwrap_or(text))
        .filter(|ago| !ago.is_negative())
        .and_then(|ago| clock.now.checked_sub(ago).ok())
        .ok_or_else(|| {
            format!(
                "\"{text}\" is no time; write it like 2026-11-24, \"2026-11-24 02:10\", 2026-11-24T01:10:00Z, \
                 or 2h for two hours ago"
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_people_write_it() {
        let clock = Clock {
            now: "2026-11-24T01:46:00Z".parse().unwrap(),
            zone: TimeZone::get("Europe/Berlin").unwrap(),
        };
        for (text, time) in [
            ("2026-11-24T01:10:00Z", "2026-11-24T01:10:00Z"),
            ("2026-11-24T02:10:00+01:00", "2026-11-24T01:10:00Z"),
            ("2026-11-24 02:10", "2026-11-24T01:10:00Z"),
            ("2026-11-24T02:10:07", "2026-11-24T01:10:07Z"),
            ("2026-11-24", "2026-11-23T23:00:00Z"),
            ("2h", "2026-11-23T23:46:00Z"),
            ("90s", "2026-11-24T01:44:30Z"),
            ("1d 12h", "2026-11-22T13:46:00Z"),
            ("2h ago", "2026-11-23T23:46:00Z"),
        ] {
            assert_eq!(moment_or_ago(text, &clock).unwrap().to_string(), time, "{text}");
        }
        for text in ["", "yesterday", "2026-13-01", "-2h", "24.11.2026", "02:10"] {
            let said = moment_or_ago(text, &clock).unwrap_err();
            assert!(said.starts_with(&format!("\"{text}\" is no time; write it like ")), "{said}");
        }
        assert!(parse_moment("2h").unwrap_err().starts_with("\"2h\" is no time; write it like "));
        assert_eq!(parse_moment("2026-11-24T01:10:00Z"), Ok("2026-11-24T01:10:00Z".parse().unwrap()));
        assert_eq!(clock.exact(1_795_484_760_000), "2026-11-24 02:46:00 +01:00");
        // The day is the reader's: the next one begins at 23:00 UTC.
        let today: Vec<_> = [-9_961, -9_960, 76_439, 76_440]
            .map(|after_s| clock.day_or_time(1_795_484_760_000 + after_s * 1_000))
            .into();
        assert_eq!(today, ["2026-11-23", "00:00", "23:59", "2026-11-25"]);
        assert_eq!(clock.minute_and_age(1_795_484_760_000 - 7_500_000), "2026-11-24 00:41 (2 h 5 min ago)");
        assert_eq!(clock.age_s(i64::MIN), Some(i64::MAX / 1_000));
        let ahead = |ms| (clock.age_s(clock.now_ms() + ms), clock.age(clock.now_ms() + ms));
        assert_eq!(ahead(9_999), (Some(0), "0 s".to_owned()), "while the database was read");
        assert_eq!(ahead(10_000), (None, "ahead".to_owned()));
        assert_eq!(clock.minute_and_age(1_795_484_760_000 + 60_000), "2026-11-24 02:47 (ahead of the clock)");
        assert_eq!(clock.minute(i64::MAX), "9223372036854775807 ms");
    }

    #[test]
    fn spans_are_read_as_people_write_them() {
        for (text, hours) in
            [("2h", 2.0), ("1h 30m", 1.5), ("90m", 1.5), ("30d", 720.0), ("1d 12h", 36.0), ("1d12h", 36.0)]
                .into_iter()
                .chain([("2w", 336.0), ("1w 1d", 192.0), ("3 days", 72.0), ("1.5h", 1.5), ("PT2H", 2.0)])
        {
            assert_eq!(lasting(text).map(|span| span.as_secs_f64() / 3_600.0), Some(hours), "{text}");
        }
        for text in ["", "2", "1mo", "1y", "h", "soon", "2026-11-24", "999999999999999999d"] {
            assert_eq!(lasting(text), None, "{text}");
        }
    }

    #[test]
    fn ages_are_told_as_people_tell_them() {
        for (age_s, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_599, "59 min"),
            (3_600, "1 h"),
            (7_500, "2 h 5 min"),
            (86_399, "23 h 59 min"),
            (86_400, "1 d"),
            (400_000, "4 d"),
        ] {
            assert_eq!(span(age_s), text);
        }
    }
}
