//! Rotas in which nobody has duty, turn by turn under virtual time.

use jiff::civil::{date, time};
use jiff::tz::TimeZone;
use waterwatch_core::calling::{Contact, ContactId, Cycle, Duty, HandOver, Plan, Rota, RotaId};
use waterwatch_core::silence::Now;

use super::turns::{NOTHING, Turns, turns};
use crate::plan::CurrentPlan;
use crate::writer::simulation::disk::Fault;

/// 2026-01-01 00:00 in UTC.
const NEW_YEAR_MS: i64 = 1_767_225_600_000;
const HOUR_MS: i64 = 3_600_000;

/// Each has twelve hours from new year on, and is told two hours before a gap.
fn plan(rotas: &[(&str, &[&str])]) -> Plan {
    let contact = |name: &str| ContactId::new(name).unwrap();
    let at = |hour| HandOver::daily(time(hour, 0, 0, 0));
    let rota = |(name, turns): &(&str, &[&str])| {
        let turns = turns.iter().map(|who| (*who != "nobody").then(|| contact(who))).collect();
        let hand_overs = (Cycle::Day, vec![at(0), at(12)]);
        let rota = Rota::new(TimeZone::UTC, hand_overs, turns, date(2026, 1, 1), None).unwrap();
        let duty = Duty { rota, fallback: contact("boss"), warn_before_ms: 2 * HOUR_MS };
        (RotaId::new(name).unwrap(), duty)
    };
    let boss = Contact { name: "The boss".into(), zone: TimeZone::UTC, ways: Vec::new(), quiet: None };
    Plan {
        contacts: [(contact("boss"), boss)].into(),
        rotas: rotas.iter().map(rota).collect(),
        ..Plan::default()
    }
}

fn at(hour: i64) -> Now {
    Now { wall_ms: NEW_YEAR_MS + hour * HOUR_MS, steady_ms: 50_000 }
}

/// What is said of duty within so many minutes.
fn pass(turns: &mut Turns, minutes: i64) -> Vec<String> {
    let mut told = turns.pass(minutes * 60, &[]);
    told.retain(|told| told.starts_with("server on_call"));
    told
}

const GAP: &str = "server on_call raised, nobody has duty in the rota main from Thu 2026-01-01 12:00 +00:00 \
    until Fri 2026-01-02 00:00 +00:00: The boss stands in";

#[test]
fn a_gap_is_an_alarm_before_it_is_there_and_until_it_is_over() {
    let plan = CurrentPlan::fixed(plan(&[("main", &["ana", "nobody"])]));
    let mut turns = turns().on_call(plan.clone(), at(9));
    assert_eq!(pass(&mut turns, 59), NOTHING);
    assert_eq!(pass(&mut turns, 2), [GAP]);
    // After a restart it is known, also in the gap, and told once.
    let mut turns = turns.on_call(plan.clone(), at(13));
    assert_eq!(pass(&mut turns, 600), NOTHING);
    assert_eq!(pass(&mut turns, 61), ["server on_call returned"]);
    // The next one.
    let mut turns = turns.on_call(plan, at(33));
    assert_eq!(pass(&mut turns, 61).len(), 1);
}

#[test]
fn who_is_found_ends_the_alarm_at_once_and_another_plan_raises_another() {
    let gap = plan(&[("main", &["ana", "nobody"]), ("night", &["nobody", "ana"]), ("well", &["ana"])]);
    let current = CurrentPlan::fixed(gap.clone());
    let mut turns = turns().on_call(current.clone(), at(11));
    assert_eq!(
        pass(&mut turns, 1),
        ["server on_call raised, nobody has duty in the rota night now until Thu 2026-01-01 12:00 +00:00: \
             The boss stands in; and there is a gap in 1 other rota"]
    );
    current.replace(plan(&[("main", &["ana", "ben"])]));
    assert_eq!(turns.pass(1, &[]), ["server on_call returned"]);
    current.replace(plan(&[("main", &["ana", "nobody"])]));
    assert_eq!(turns.pass(1, &[]), [GAP]);
    // Without any rota nobody can be missing.
    current.replace(Plan::default());
    assert_eq!(turns.pass(1, &[]), ["server on_call returned"]);
    assert_eq!(pass(&mut turns, 200), NOTHING);
}

#[test]
fn what_is_not_stored_is_told_again_and_what_is_stored_is_told_once() {
    for fault in [Fault::Full, Fault::Unknown(false), Fault::Unknown(true)] {
        let current = CurrentPlan::fixed(plan(&[("main", &["ana", "nobody"])]));
        let mut turns = turns().on_call(current, at(9));
        assert_eq!(pass(&mut turns, 59), NOTHING);
        turns.fail(fault);
        let mut told = pass(&mut turns, 2);
        turns.fail(Fault::None);
        told.extend(pass(&mut turns, 2));
        assert_eq!(told, [GAP], "{fault:?}");
    }
}
