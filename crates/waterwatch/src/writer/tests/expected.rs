//! Stations that are configured and were never heard, turn by turn under virtual
//! time. It begins on 1970-01-12 at 13:46:40; a period and grace are 180 s.

use super::turns::{NOTHING, turns};
use crate::writer::simulation::disk::Fault;

const RAISED: &str = "7 comms raised, never heard; expected by 1970-01-12 13:56 UTC";

#[test]
fn a_station_that_was_never_heard_by_the_time_is_silent_until_its_first_report() {
    let mut turns = turns().expecting(&[(7, 600), (8, 600)]);
    assert_eq!(turns.pass(300, &["8 0 0"]), NOTHING);
    assert_eq!(turns.pass(150, &["8 0 0"]), NOTHING);
    assert_eq!(turns.pass(149, &["8 0 0"]), NOTHING);
    assert_eq!(turns.pass(1, &[]), [RAISED]);
    assert_eq!(turns.pass(600, &[]).iter().filter(|told| told.starts_with("7 ")).count(), 0, "told once");
    assert_eq!(turns.pass(1, &["7 0 0"]), ["7 comms returned"]);
    assert_eq!(turns.pass(180, &[]), NOTHING);
    assert_eq!(turns.pass(1, &[]), ["7 comms raised"], "a station as any other from now on");
}

/// In the batch of its first report it is heard.
#[test]
fn a_first_report_at_the_time_itself_comes_before_it() {
    let mut turns = turns().expecting(&[(7, 600)]);
    assert_eq!(turns.pass(600, &["7 0 0"]), NOTHING);
}

#[test]
fn it_is_not_raised_again_by_a_restart_and_not_kept_once_it_is_expected_later() {
    let mut turns = turns().expecting(&[(7, 600)]);
    assert_eq!(turns.pass(600, &[]), [RAISED]);
    let mut turns = turns.restart(0, 0).expecting(&[(7, 0)]);
    assert_eq!(turns.pass(600, &[]), NOTHING);
    let mut turns = turns.restart(0, 0).expecting(&[(7, 300)]);
    let told = turns.pass(1, &[]);
    assert_eq!(told.last().unwrap(), "7 comms returned, it is not expected any more, or not yet");
    assert_eq!(turns.pass(298, &[]), NOTHING);
    assert_eq!(turns.pass(1, &[]), ["7 comms raised, never heard; expected by 1970-01-12 14:11 UTC"]);
    let mut turns = turns.restart(0, 0).expecting(&[]);
    let told = turns.pass(1, &[]);
    assert!(told.last().unwrap().starts_with("7 comms returned"), "nor once nobody expects it: {told:?}");
}

#[test]
fn nobody_is_silent_before_a_period_and_grace_of_hearing_have_passed() {
    let mut turns = turns().expecting(&[(7, 600)]).restart(3_600, 0).expecting(&[(7, -3_000)]);
    let told = turns.pass(100, &[]);
    assert!(told.iter().all(|told| !told.contains("comms")), "{told:?}");
    turns.fail(Fault::Full);
    assert_eq!(turns.pass(1_000, &["1 0 0"]), NOTHING);
    turns.fail(Fault::None);
    let told = turns.pass(50, &["1 0 0"]);
    assert!(told.iter().all(|told| !told.contains("comms")), "{told:?}");
    assert_eq!(turns.pass(40, &["1 0 0"]), [RAISED]);
}

/// A person named the time; what the clock shows is what counts.
#[test]
fn a_time_on_the_wall_stays_where_it_is_when_the_clock_jumps() {
    let mut ahead = turns().expecting(&[(7, 7_200)]);
    assert_eq!(ahead.pass(200, &[]), NOTHING);
    ahead.skip(7_200_000, 0);
    assert_eq!(
        ahead.pass(1, &[]),
        ["clock_jumped 7200 s", "7 comms raised, never heard; expected by 1970-01-12 15:46 UTC"]
    );
    let mut back = turns().expecting(&[(7, 100)]);
    assert_eq!(
        back.pass(150, &[]),
        NOTHING,
        "its time has come, and the server has not heard for long enough"
    );
    back.skip(-3_600_000, 0);
    assert_eq!(back.pass(3_600 + 100 - 150 - 1, &[]), ["clock_jumped -3600 s"]);
    assert_eq!(back.pass(1, &[]), ["7 comms raised, never heard; expected by 1970-01-12 13:48 UTC"]);
}

#[test]
fn what_is_not_stored_is_raised_once_it_is() {
    for fault in [Fault::Full, Fault::Unknown(false), Fault::Unknown(true)] {
        let mut turns = turns().expecting(&[(7, 600)]);
        assert_eq!(turns.pass(599, &[]), NOTHING);
        turns.fail(fault);
        let mut told = turns.pass(1, &[]);
        turns.fail(Fault::None);
        told.extend(turns.pass(2, &[]));
        told.retain(|told| told.starts_with("7 "));
        assert_eq!(told, [RAISED], "{fault:?}");
    }
}
