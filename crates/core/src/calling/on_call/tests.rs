use jiff::civil::{date, time};
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::calling::{Cycle, HandOver};

const HOUR_MS: i64 = 3_600_000;

/// 2026-01-01 in UTC.
const START_MS: i64 = 1_767_225_600_000;

fn contact(name: &str) -> ContactId {
    ContactId::new(name).unwrap()
}

/// Each has twelve hours from midnight of 2026-01-01 on, UTC.
fn rota(turns: &[&str]) -> Rota {
    let at = |hour| HandOver::daily(time(hour, 0, 0, 0));
    let turns = turns.iter().map(|name| (*name != "nobody").then(|| contact(name))).collect();
    let ends = Some(date(2026, 1, 4));
    Rota::new(TimeZone::UTC, (Cycle::Day, vec![at(0), at(12)]), turns, date(2026, 1, 1), ends).unwrap()
}

fn take_over(who: &str, from_h: i64, until_h: i64) -> TakeOver {
    TakeOver {
        rota: RotaId::new("main").unwrap(),
        who: contact(who),
        from_ms: START_MS + from_h * HOUR_MS,
        until_ms: START_MS + until_h * HOUR_MS,
    }
}

/// The shifts, each as `ana 0-12` in hours.
fn told(rota: &Rota, take_overs: &[TakeOver], from_h: i64) -> String {
    let hours = |ms: i64| match ms {
        i64::MIN => "always".to_owned(),
        i64::MAX => "ever".to_owned(),
        ms => ((ms - START_MS) / HOUR_MS).to_string(),
    };
    OnCall::new(rota, take_overs)
        .shifts_from(START_MS + from_h * HOUR_MS)
        .map(|Shift { who, from_ms, until_ms }| {
            let who = who.map_or_else(|| "nobody".to_owned(), |who| who.to_string());
            format!("{who} {}-{}", hours(from_ms), hours(until_ms))
        })
        .collect::<Vec<_>>()
        .join(", ")
}

#[test]
fn who_takes_over_has_duty_until_then() {
    for (turns, take_overs, wanted) in [
        (
            &["ana", "ben"][..],
            vec![],
            "ana 0-12, ben 12-24, ana 24-36, ben 36-48, ana 48-60, ben 60-72, nobody 72-ever",
        ),
        // Whoever follows themselves has one shift.
        (&["ana"], vec![], "ana 0-72, nobody 72-ever"),
        (
            &["ana", "ana", "ben", "nobody"],
            vec![],
            "ana 0-24, ben 24-36, nobody 36-48, ana 48-72, nobody 72-ever",
        ),
        // In the middle of a shift, and across the end of one.
        (&["ana"], vec![take_over("ben", 3, 5)], "ana 0-3, ben 3-5, ana 5-72, nobody 72-ever"),
        (
            &["ana", "ben", "cy"],
            vec![take_over("cy", 10, 14)],
            "ana 0-10, cy 10-14, ben 14-24, cy 24-36, ana 36-48, ben 48-60, cy 60-72, nobody 72-ever",
        ),
        // One who takes over the end of the shift before their own has a longer one.
        (
            &["ana", "ben"],
            vec![take_over("ben", 10, 12)],
            "ana 0-10, ben 10-24, ana 24-36, ben 36-48, ana 48-60, ben 60-72, nobody 72-ever",
        ),
        // What was said later holds, whether it is within what was said before or around it.
        (
            &["ana"],
            vec![take_over("ben", 2, 10), take_over("cy", 4, 6)],
            "ana 0-2, ben 2-4, cy 4-6, ben 6-10, ana 10-72, nobody 72-ever",
        ),
        (
            &["ana"],
            vec![take_over("cy", 4, 6), take_over("ben", 2, 10)],
            "ana 0-2, ben 2-10, ana 10-72, nobody 72-ever",
        ),
        // A gap is filled, and so is the time after the end.
        (
            &["ana", "nobody"],
            vec![take_over("ben", 12, 24), take_over("cy", 71, 80)],
            "ana 0-12, ben 12-24, ana 24-36, nobody 36-48, ana 48-60, nobody 60-71, cy 71-80, nobody 80-ever",
        ),
    ] {
        assert_eq!(told(&rota(turns), &take_overs, 0), wanted);
    }
}

#[test]
fn a_gap_is_seen_ahead() {
    let rota = rota(&["ana", "nobody"]);
    let on_call = OnCall::new(&rota, &[]);
    let at = |hours: i64| START_MS + hours * HOUR_MS;
    let begins = |from_h, until_h| {
        on_call.gap_within(at(from_h), at(until_h)).map(|gap| (gap.from_ms - START_MS) / HOUR_MS)
    };
    assert_eq!(begins(0, 12), None);
    assert_eq!(begins(0, 13), Some(12));
    // Also one that has begun.
    assert_eq!(begins(13, 14), Some(12));
    assert_eq!(begins(24, 72), Some(36));
    let filled = [take_over("ben", 12, 24)];
    assert_eq!(OnCall::new(&rota, &filled).gap_within(at(0), at(36)), None);
}

proptest! {
    /// Each hour by itself: whoever said last that they take over, else whose turn it is.
    #[test]
    fn each_moment_is_whose_who_said_so_last(
        said in proptest::collection::vec((0_usize..3, 0_i64..80, 1_i64..30), 0..6),
    ) {
        let rota = rota(&["ana", "nobody", "ben"]);
        let take_overs: Vec<TakeOver> = said
            .iter()
            .map(|(who, from_h, lasts_h)| take_over(["ana", "ben", "cy"][*who], *from_h, from_h + lasts_h))
            .collect();
        let on_call = OnCall::new(&rota, &take_overs);
        for hour in 0..120 {
            let at_ms = START_MS + hour * HOUR_MS;
            let said = take_overs.iter().rfind(|said| said.from_ms <= at_ms && at_ms < said.until_ms);
            let wanted = said.map_or_else(|| rota.shift_at(at_ms).who, |said| Some(said.who.clone()));
            let shift = on_call.shift_at(at_ms);
            prop_assert_eq!(&shift.who, &wanted);
            prop_assert!(shift.from_ms <= at_ms && at_ms < shift.until_ms);
            if shift.until_ms != i64::MAX {
                prop_assert_ne!(on_call.shift_at(shift.until_ms).who, wanted.clone());
            }
            if shift.from_ms != i64::MIN {
                prop_assert_ne!(on_call.shift_at(shift.from_ms - 1).who, wanted);
            }
        }
    }
}
