//! Stations that were never heard before, turn by turn under virtual time.

use super::turns::{NOTHING, Turns, turns};
use crate::store::Store;
use crate::writer::simulation::disk::Fault;

const RAISED: &str = "server new_stations raised, 4 new stations within an hour, more than 3; the last is 4";

/// Silence is another matter: these report all the time.
fn pass(turns: &mut Turns, minutes: i64, lines: &[&str]) -> Vec<String> {
    (0..minutes).flat_map(|_| turns.pass(60, lines)).collect()
}

#[test]
fn more_than_may_be_within_an_hour_are_an_alarm_and_recorded_all_the_same() {
    let mut turns = turns().with_new_stations_max(3);
    let mut lines = vec!["1 0 0", "2 0 0", "3 0 0"];
    assert_eq!(turns.pass(1, &lines), NOTHING);
    assert_eq!(pass(&mut turns, 20, &lines), NOTHING, "a station is new once");
    lines.push("4 0 0");
    assert_eq!(turns.pass(1, &lines), [RAISED]);
    lines.push("5 0 0");
    assert_eq!(turns.pass(1, &lines), NOTHING, "told once");
    assert_eq!(turns.recorder.store.station_count(), 5);
    // The first three fall out of the hour.
    assert_eq!(pass(&mut turns, 38, &lines), NOTHING);
    assert_eq!(pass(&mut turns, 3, &lines), ["server new_stations returned"]);
    assert_eq!(pass(&mut turns, 60, &lines), NOTHING);
}

#[test]
fn a_few_each_hour_are_no_alarm() {
    let mut turns = turns().with_new_stations_max(3);
    let mut lines = Vec::new();
    for station in 1..=12 {
        lines.push(format!("{station} 0 0"));
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(pass(&mut turns, 21, &lines), NOTHING, "{station}");
    }
}

#[test]
fn a_restart_counts_anew_and_ends_nothing_before_an_hour_has_passed() {
    let mut turns = turns().with_new_stations_max(3);
    let lines = ["1 0 0", "2 0 0", "3 0 0", "4 0 0"];
    assert_eq!(turns.pass(1, &lines), [RAISED]);
    let mut turns = turns.restart(0, 0);
    assert_eq!(pass(&mut turns, 60, &lines), NOTHING, "known already, and raised already");
    assert_eq!(pass(&mut turns, 2, &lines), ["server new_stations returned"]);
}

/// The batch that raises it is not stored, or nobody knows whether it is.
#[test]
fn what_is_not_stored_is_not_counted_and_what_is_stored_is_counted_once() {
    for fault in [Fault::Full, Fault::Unknown(false), Fault::Unknown(true)] {
        let mut turns = turns().with_new_stations_max(3);
        turns.pass(1, &["1 0 0", "2 0 0"]);
        turns.fail(fault);
        let mut told = turns.pass(1, &["3 0 0", "4 0 0"]);
        turns.fail(Fault::None);
        told.extend(turns.pass(1, &["3 0 0", "4 0 0"]));
        told.retain(|told| told.starts_with("server"));
        assert_eq!(told, [RAISED], "{fault:?}");
    }
}

#[test]
fn those_that_were_forgotten_had_come_in_all_the_same() {
    let mut turns = turns().with_new_stations_max(3);
    turns.pass(1, &["1 0 0", "2 0 0"]);
    let forget =
        crate::command::What::Forget { station: waterwatch_core::StationId::new(1).unwrap(), if_said: None };
    turns.order(forget);
    assert_eq!(turns.pass(1, &["3 0 0", "4 0 0"]), [RAISED]);
}
