//! What time brings, turn by turn under virtual time.

use super::turns::{NOTHING, Turns, delayed, turns};
use super::*;
use crate::writer::simulation::disk::{Disk, Fault};
use waterwatch_core::settings::{FleetTogether, StationOverrides};
use waterwatch_core::{OpenSpan, Settings, Together};

#[test]
fn a_raise_and_a_return_are_in_the_batch_of_their_report() {
    let mut turns = turns();
    assert_eq!(turns.pass(1, &["1 0 0", "2 1 0"]), ["2 alarm1 raised"]);
    assert_eq!(
        turns.pass(1, &["1 0 1", "1 0 0", "2 1 1"]),
        ["1 alarm2 raised", "1 alarm2 returned", "2 alarm2 raised"]
    );
    assert_eq!(turns.pass(1, &["1 0 0", "2 1 1"]), NOTHING, "nothing new");
}

#[test]
fn silence_is_noticed_after_period_and_grace_and_ends_with_a_report() {
    let mut turns = turns();
    turns.pass(1, &["1 0 0", "2 0 0"]);
    assert_eq!(turns.pass(60, &["2 0 0"]), NOTHING);
    assert_eq!(turns.pass(120, &[]), NOTHING, "to the second");
    assert_eq!(turns.pass(1, &[]), ["1 comms raised"]);
    assert_eq!(turns.pass(59, &["2 0 0"]), NOTHING);
    assert_eq!(turns.pass(150, &["1 0 0"]), ["1 comms returned"], "raised once");
    assert_eq!(turns.pass(31, &[]), ["2 comms raised"]);
    assert_eq!(turns.pass(149, &[]), NOTHING);
    assert_eq!(turns.pass(1, &[]), ["1 comms raised"], "and once more");
}

#[test]
fn what_is_due_stays_due_until_it_is_stored() {
    let mut turns = turns();
    turns.pass(1, &["1 0 0"]);
    turns.pass(179, &[]);
    turns.fail(Fault::Full);
    assert_eq!(turns.pass(600, &[]), NOTHING);
    turns.fail(Fault::None);
    // Of the time blind nothing counted: the deadline is where it was.
    let told = turns.pass(3, &[]);
    assert!(told[0].starts_with("blind ") && told[1..] == ["1 comms raised"], "{told:?}");
}

#[test]
fn ten_minutes_without_room_make_nobody_silent_and_one_entry() {
    let mut turns = turns();
    turns.pass(1, &["1 0 0"]);
    turns.pass(30, &[]);
    turns.fail(Fault::Full);
    turns.pass(600, &["1 0 0"]);
    turns.fail(Fault::None);
    let told = turns.pass(100, &["1 0 0"]);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("blind "), "{told:?}");
}

#[test]
fn a_commit_that_hangs_and_a_machine_that_sleeps_are_told_once_and_are_nobodys_silence() {
    for asleep_s in [10, 3_600, 86_400] {
        let mut turns = turns();
        turns.pass(1, &["1 0 0"]);
        turns.pass(170, &[]);
        turns.skip(asleep_s * 1_000, asleep_s * 1_000);
        assert_eq!(turns.pass(5, &["1 0 0"]), [format!("blind {asleep_s} s")]);
        assert_eq!(turns.pass(150, &[]), NOTHING);
    }
}

#[test]
fn what_was_recorded_although_nobody_knew_is_not_told_twice() {
    for is_recorded in [true, false] {
        let mut turns = turns();
        turns = Turns::start(turns.recorder.store, delayed(60));
        assert_eq!(turns.pass(1, &["1 1 0"]), ["1 alarm1 on_delay_started"]);
        turns.skip(3_600_000, 0);
        turns.fail(Fault::Unknown(is_recorded));
        let told: Vec<_> =
            turns.pass(58, &[]).into_iter().filter(|told| !told.starts_with("blind")).collect();
        assert_eq!(told, ["clock_jumped 3600 s"], "{is_recorded}");
        assert_eq!(turns.pass(2, &[]), ["1 alarm1 raised"], "{is_recorded}");
    }
}

#[test]
fn a_wall_that_jumps_raises_nothing_and_hides_nothing() {
    for jump_s in [3_600, -3_600] {
        let mut turns = turns();
        turns = Turns::start(turns.recorder.store, delayed(60));
        turns.pass(1, &["1 1 0", "2 0 0"]);
        turns.pass(1, &[]);
        turns.skip(jump_s * 1_000, 0);
        assert_eq!(turns.pass(57, &["1 1 0"]), [format!("clock_jumped {jump_s} s")]);
        assert_eq!(turns.pass(3, &[]), ["1 alarm1 raised"], "{jump_s}");
        assert_eq!(turns.pass(118, &[]), NOTHING);
        assert_eq!(turns.pass(2, &[]), ["2 comms raised"], "{jump_s}");
    }
}

#[test]
fn a_wall_that_was_set_back_while_the_server_was_away_delays_no_alarm() {
    let mut turns = turns();
    turns = Turns::start(turns.recorder.store, delayed(60));
    turns.pass(1, &["1 1 0"]);
    let mut turns = turns.restart(10, -3_600);
    assert_eq!(turns.pass(1, &[]), ["blind 0 s", "clock_jumped -3590 s"]);
    let told = turns.pass(60, &["1 1 0"]);
    assert_eq!(told, ["1 alarm1 raised"]);
}

#[test]
fn a_delay_fires_in_time_and_goes_on_over_a_restart() {
    let mut turns = Turns::start(Disk::default(), delayed(90));
    assert_eq!(
        turns.pass(1, &["1 1 0", "2 1 0"]),
        ["1 alarm1 on_delay_started", "2 alarm1 on_delay_started"]
    );
    assert_eq!(turns.pass(60, &["1 0 0", "2 1 0"]), ["1 alarm1 on_delay_cancelled"]);
    // It passed while the server was away: it fires at the start.
    let mut turns = turns.restart(40, 0);
    assert_eq!(turns.pass(1, &[]), ["blind 40 s", "2 alarm1 raised"]);
}

#[test]
fn a_restart_is_nobodys_silence_and_one_entry() {
    for gone_s in [1, 3_600, 86_400] {
        let mut turns = turns();
        turns.pass(1, &["1 0 0", "2 0 0"]);
        turns.pass(100, &["2 0 0"]);
        for _ in 0..2 {
            turns = turns.restart(gone_s, 0);
            let told = turns.pass(10, &["2 0 0"]);
            assert_eq!(told.len(), usize::from(gone_s > 2), "{told:?}");
        }
        // Of station 1 the server had listened for 120 s until here, in three
        // parts.
        assert_eq!(turns.pass(57, &[]), NOTHING, "{gone_s}");
        assert_eq!(turns.pass(4, &[]), ["1 comms raised"], "{gone_s}");
        let mut turns = turns.restart(gone_s, 0);
        turns.pass(5, &[]);
        assert_eq!(
            turns.pass(5, &["1 0 0"]),
            ["1 comms returned"],
            "still silent after the restart, {gone_s}"
        );
    }
}

#[test]
fn what_was_on_before_the_upgrade_is_raised_once_also_if_the_first_try_is_not_stored() {
    for fault in [Fault::None, Fault::Full, Fault::Unknown(false), Fault::Unknown(true)] {
        let mut disk = Disk::default();
        let station = Station {
            alarm1: true,
            alarm2: false,
            received_at_ms: 900_000_000,
            sequence: 0,
            reports: 0,
            origin: Origin::default(),
            span: OpenSpan::default(),
        };
        disk.leave(StationId::new(5).unwrap(), station);
        disk.leave(StationId::new(6).unwrap(), Station { alarm1: false, ..station });
        let mut turns = Turns::start(disk, StationOverrides::default());
        turns.fail(fault);
        let mut told = turns.pass(1, &[]);
        turns.fail(Fault::None);
        told.extend(turns.pass(1, &["5 1 0", "6 0 0"]));
        told.retain(|told| !told.starts_with("blind"));
        assert_eq!(told, ["5 alarm1 raised, on since before the upgrade"], "{fault:?}");
        assert_eq!(turns.restart(1, 0).pass(1, &[]), NOTHING, "{fault:?}");
    }
}

/// 20,000 stations fall silent at once: so many in each batch, and those that
/// report meanwhile are heard.
#[test]
fn a_fleet_that_falls_silent_holds_up_no_report() {
    let lines: Vec<String> = (1..=20_000).map(|id| format!("{id} 0 0")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let never = Together { share_percent: 0, ..Together::default() };
    let alone = Settings::default().with_together(FleetTogether { area: never, all: never });
    let mut turns = Turns::with(Disk::default(), alone);
    turns.pass(1, &lines);
    turns.pass(170, &["7 0 0"]);
    let (mut told, mut batches) = (Vec::new(), 0);
    while told.len() < 19_999 {
        let now = turns.pass(1, &["7 0 0"]);
        assert!(now.len() <= 2 * 1_024, "two turns");
        batches += usize::from(!now.is_empty());
        told.extend(now);
        assert!(batches < 20_000 / 1_024 + 20, "{}", told.len());
    }
    let silent: std::collections::BTreeSet<_> = told.iter().collect();
    assert_eq!(silent.len(), 19_999, "each once");
    assert!(!told.contains(&"7 comms raised".to_owned()));
}
