use jiff::Timestamp;
use jiff::civil::{date, time};
use proptest::prelude::*;

use super::*;
use crate::calling::wall::shown;

fn contact(name: &str) -> Turn {
    (name != "nobody").then(|| ContactId::new(name).unwrap())
}

/// `daily 08:00 20:00`, `weekly Mon 08:00, Fri 16:00`.
fn hand_overs(text: &str) -> (Cycle, Vec<HandOver>) {
    let (cycle, times) = text.split_once(' ').unwrap();
    let at = |text: &str| -> Time { text.parse().unwrap() };
    if cycle == "daily" {
        return (Cycle::Day, times.split(' ').map(|time| HandOver::daily(at(time))).collect());
    }
    let weekly = |text: &str| {
        let (day, time) = text.trim().split_once(' ').unwrap();
        let days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        let day = days.iter().position(|known| *known == day).unwrap();
        HandOver::weekly(Weekday::from_monday_zero_offset(i8::try_from(day).unwrap()).unwrap(), at(time))
    };
    (Cycle::Week, times.split(',').map(weekly).collect())
}

fn rota(zone: &str, times: &str, turns: &str, starts: Date, ends: Option<Date>) -> Rota {
    let turns = turns.split(' ').map(contact).collect();
    Rota::new(TimeZone::get(zone).unwrap(), hand_overs(times), turns, starts, ends).unwrap()
}

/// The shifts from the first on, each as `ana 2026-03-28T02:30+01:00`.
fn told(rota: &Rota, from: &str, count: usize) -> Vec<String> {
    let mut at_ms = from.parse::<jiff::ZonedDateTime>().unwrap().timestamp().as_millisecond();
    let mut told = Vec::new();
    for _ in 0..count {
        let shift = rota.shift_at(at_ms);
        assert!((shift.from_ms..shift.until_ms).contains(&at_ms), "{shift:?}");
        let who = shift.who.as_ref().map_or("nobody", ContactId::as_str);
        if shift.from_ms == i64::MIN {
            told.push(format!("{who} always"));
        } else {
            let from =
                Timestamp::from_millisecond(shift.from_ms).unwrap().to_zoned_datetime(rota.zone().clone());
            told.push(format!("{who} {}", from.strftime("%Y-%m-%dT%H:%M%:z")));
        }
        at_ms = shift.until_ms;
        if at_ms == i64::MAX {
            told.push("for ever".to_owned());
            break;
        }
    }
    told
}

#[test]
fn turns_follow_each_other_by_the_clock_on_the_wall() {
    let berlin = "Europe/Berlin";
    for (zone, times, turns, starts, ends, from, wanted) in [
        // A week each; it begins on the first Monday from its first day on.
        (
            berlin,
            "weekly Mon 08:00",
            "ana ben cy",
            date(2026, 1, 7),
            None,
            "2026-01-07T12:00[UTC]",
            vec![
                "nobody always",
                "ana 2026-01-12T08:00+01:00",
                "ben 2026-01-19T08:00+01:00",
                "cy 2026-01-26T08:00+01:00",
                "ana 2026-02-02T08:00+01:00",
            ],
        ),
        // The working week and its end; the clock goes forward in between.
        (
            berlin,
            "weekly Fri 16:00, Mon 08:00",
            "ana ben",
            date(2026, 3, 23),
            None,
            "2026-03-23T12:00[UTC]",
            vec![
                "ana 2026-03-23T08:00+01:00",
                "ben 2026-03-27T16:00+01:00",
                "ana 2026-03-30T08:00+02:00",
                "ben 2026-04-03T16:00+02:00",
            ],
        ),
        // Day and night; nobody by day.
        (
            berlin,
            "daily 07:00 19:00",
            "nobody ana nobody ben",
            date(2026, 6, 1),
            Some(date(2026, 6, 3)),
            "2026-06-01T06:00[UTC]",
            vec![
                "nobody 2026-06-01T07:00+02:00",
                "ana 2026-06-01T19:00+02:00",
                "nobody 2026-06-02T07:00+02:00",
                "ben 2026-06-02T19:00+02:00",
                "nobody 2026-06-03T00:00+02:00",
                "for ever",
            ],
        ),
        // An hour that is skipped: at its end.
        (
            berlin,
            "daily 02:30",
            "ana ben",
            date(2026, 3, 28),
            None,
            "2026-03-28T12:00[UTC]",
            vec!["ana 2026-03-28T02:30+01:00", "ben 2026-03-29T03:00+02:00", "ana 2026-03-30T02:30+02:00"],
        ),
        // One that comes twice: the first time, and only then.
        (
            berlin,
            "daily 02:30",
            "ana ben",
            date(2026, 10, 24),
            None,
            "2026-10-24T12:00[UTC]",
            vec!["ana 2026-10-24T02:30+02:00", "ben 2026-10-25T02:30+02:00", "ana 2026-10-26T02:30+01:00"],
        ),
        // Two in one skipped hour: the first of them has no time at all.
        (
            berlin,
            "daily 02:15 02:45",
            "ana ben cy",
            date(2026, 3, 28),
            None,
            "2026-03-28T12:00[UTC]",
            vec!["ben 2026-03-28T02:45+01:00", "ana 2026-03-29T03:00+02:00", "ben 2026-03-30T02:15+02:00"],
        ),
        // Half an hour is skipped.
        (
            "Australia/Lord_Howe",
            "daily 02:10",
            "ana ben",
            date(2026, 10, 3),
            None,
            "2026-10-03T02:00[UTC]",
            vec!["ana 2026-10-03T02:10+10:30", "ben 2026-10-04T02:30+11:00", "ana 2026-10-05T02:10+11:00"],
        ),
        // A whole day is skipped: its turn has no time.
        (
            "Pacific/Apia",
            "daily 08:00",
            "ana ben cy",
            date(2011, 12, 29),
            None,
            "2011-12-29T20:00[UTC]",
            vec!["ana 2011-12-29T08:00-10:00", "ben 2011-12-31T00:00+14:00", "cy 2011-12-31T08:00+14:00"],
        ),
        // Midnight is skipped.
        (
            "America/Santiago",
            "daily 00:00",
            "ana ben",
            date(2026, 9, 5),
            None,
            "2026-09-05T12:00[UTC]",
            vec!["ana 2026-09-05T00:00-04:00", "ben 2026-09-06T01:00-03:00", "ana 2026-09-07T00:00-03:00"],
        ),
    ] {
        let rota = rota(zone, times, turns, starts, ends);
        assert_eq!(told(&rota, from, wanted.len()), wanted, "{zone} {times} {turns}");
    }
}

#[test]
fn a_rota_that_could_not_be_meant_is_none() {
    let made = |hand_overs: Vec<HandOver>, turns: Vec<Turn>, starts, ends| {
        Rota::new(TimeZone::UTC, (Cycle::Day, hand_overs), turns, starts, ends).map(|_| ())
    };
    let at = |hour| HandOver::daily(time(hour, 0, 0, 0));
    let (ana, day) = (contact("ana"), date(2026, 1, 1));
    assert_eq!(made(vec![at(8)], vec![ana.clone(), None], day, None), Ok(()));
    assert_eq!(made(vec![], vec![ana.clone()], day, None), Err(UnfitRota::NoHandOver));
    assert_eq!(made(vec![at(8), at(9), at(8)], vec![ana.clone()], day, None), Err(UnfitRota::HandOverTwice));
    assert_eq!(made(vec![at(8)], vec![None], day, None), Err(UnfitRota::NoTurn));
    assert_eq!(made(vec![at(8)], vec![ana.clone(); TURNS_MAX + 1], day, None), Err(UnfitRota::TurnsMax));
    assert_eq!(made(vec![at(8)], vec![ana.clone()], day, Some(day)), Err(UnfitRota::EndsFirst));
    assert_eq!(made(vec![at(8)], vec![ana], date(20_26 - 1000, 1, 1), None), Err(UnfitRota::Years));
}

#[test]
fn who_has_duty_is_told_for_any_moment() {
    let rota = rota("Europe/Berlin", "weekly Mon 08:00", "ana ben", date(2026, 1, 1), None);
    for at_ms in [i64::MIN, i64::MIN + 1, -1, 0, 4_102_444_800_000, i64::MAX - 1] {
        let shift = rota.shift_at(at_ms);
        assert!(shift.from_ms <= at_ms && at_ms < shift.until_ms, "{shift:?}");
    }
}

const ZONES: [&str; 6] =
    ["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia", "UTC"];

/// Told naively: the clock on the wall is looked at each minute, and what it has shown
/// is never taken back. A turn begins once its hand-over has been shown.
fn naively(rota: &Rota, (cycle, times): &(Cycle, Vec<HandOver>), from_ms: i64, minutes: i64) -> Vec<Turn> {
    let mut times = times.clone();
    times.sort_unstable();
    let mut most = DateTime::MIN;
    let mut duty = Vec::new();
    for minute in -3 * 1_440..minutes {
        let at_ms = from_ms + minute * 60_000;
        most = most.max(shown(&rota.zone, at_ms));
        if minute < 0 {
            continue;
        }
        let mut begun = 0;
        let mut day = rota.starts.yesterday().unwrap();
        while day <= most.date() {
            let weekday = day.weekday().to_monday_zero_offset();
            for time in &times {
                let is_today = *cycle == Cycle::Day || time.day == weekday;
                begun += usize::from(is_today && day >= rota.starts && day.to_datetime(time.time) <= most);
            }
            day = day.tomorrow().unwrap();
        }
        let over = rota.ends.is_some_and(|ends| ends.at(0, 0, 0, 0) <= most);
        let turn = if begun == 0 || over { None } else { rota.turns[(begun - 1) % rota.turns.len()].clone() };
        duty.push(turn);
    }
    duty
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn duty_is_what_somebody_would_say_who_looks_at_the_clock(
        zone in 0..ZONES.len(),
        weekly: bool,
        times in proptest::collection::btree_set((0_i8..7, 0_i8..24, 0_i8..60), 1..5),
        turns in 1_usize..5,
        (year, day, lasts) in (2011_i16..2028, 0_i32..365, 2_i32..30),
        // Near a change of the clock, as a rule.
        near in 0_usize..4,
    ) {
        let zone = TimeZone::get(ZONES[zone]).unwrap();
        let new_year = Timestamp::from_millisecond(first_moment(&zone, date(year, 1, 1).at(0, 0, 0, 0))).unwrap();
        let starts = date(year, 1, 1).checked_add(Span::new().days(day)).unwrap();
        let starts = zone.following(new_year).nth(near).map_or(starts, |change| {
            shown(&zone, change.timestamp().as_millisecond()).date().yesterday().unwrap()
        });
        let ends = starts.checked_add(Span::new().days(lasts)).unwrap();
        let hand_overs: Vec<HandOver> = times
            .iter()
            .map(|(day, hour, minute)| HandOver {
                day: if weekly { *day } else { 0 },
                time: time(*hour, *minute, 0, 0),
            })
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect();
        let cycle = if weekly { Cycle::Week } else { Cycle::Day };
        let names = ["ana", "nobody", "ben", "cy"];
        let turns: Vec<Turn> = names.iter().take(turns).map(|name| contact(name)).collect();
        let rota = Rota::new(zone.clone(), (cycle, hand_overs.clone()), turns, starts, Some(ends)).unwrap();
        let from_ms = first_moment(&zone, starts.at(0, 0, 0, 0)) - 86_400_000;
        let wanted = naively(&rota, &(cycle, hand_overs), from_ms, 4 * 1_440);
        for (minute, wanted) in wanted.iter().enumerate() {
            let at_ms = from_ms + i64::try_from(minute).unwrap() * 60_000;
            let shift = rota.shift_at(at_ms);
            prop_assert!(shift.from_ms <= at_ms && at_ms < shift.until_ms);
            prop_assert_eq!(&shift.who, wanted, "at {} in {:?}", shown(&zone, at_ms), zone.iana_name());
        }
    }
}
