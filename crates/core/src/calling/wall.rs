//! Times on the wall, and the moments at which they come.
//!
//! A time that the wall's clock skips in spring comes at the end of what is skipped;
//! one that it shows twice in autumn comes once, the first time. In other words: a time
//! has come once the clock has shown it or a later one.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan};

/// When the wall's clock first shows this or later, in milliseconds UTC; [`i64::MAX`]
/// beyond the end of all calendars.
pub(super) fn first_moment(zone: &TimeZone, wall: DateTime) -> i64 {
    let moment = match zone.to_ambiguous_timestamp(wall).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(wall),
        AmbiguousOffset::Fold { before, .. } => before.to_timestamp(wall),
        // When it would have come had nothing been skipped is after that.
        AmbiguousOffset::Gap { before, .. } => before.to_timestamp(wall).map(|without| {
            let just_after = without.checked_add(1.nanosecond()).unwrap_or(without);
            zone.preceding(just_after).next().map_or(without, |skip| skip.timestamp())
        }),
    };
    moment.map_or(i64::MAX, Timestamp::as_millisecond)
}

/// What the wall's clock shows at this moment.
pub(super) fn shown(zone: &TimeZone, at_ms: i64) -> DateTime {
    zone.to_datetime(timestamp(at_ms))
}

/// `+01:00`: how far it is ahead of UTC then.
pub(super) fn offset(zone: &TimeZone, at_ms: i64) -> String {
    timestamp(at_ms).to_zoned_datetime(zone.clone()).strftime("%:z").to_string()
}

fn timestamp(at_ms: i64) -> Timestamp {
    let beyond = if at_ms < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(at_ms).unwrap_or(beyond)
}
