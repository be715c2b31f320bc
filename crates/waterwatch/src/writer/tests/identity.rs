//! Two devices with one number, through the writer's turns.

use waterwatch_core::Settings;
use waterwatch_core::alarm::{AlarmSource, Point};
use waterwatch_core::settings::{PointOverrides, StationOverrides};

use super::turns::{self, NOTHING, Turns};
use super::*;
use crate::store::Store;
use crate::writer::simulation::disk::{Disk, Fault};

const FROM_5_ON: &str = "7 1 0 from 10.0.0.5";
const FROM_5: &str = "7 0 0 from 10.0.0.5";
const FROM_9: &str = "7 0 0 from 10.0.0.9";
const CONTESTED: &str = "7 identity raised, reports alternate between 10.0.0.5 and 10.0.0.9";
const MOVED: &str = "7 identity origin_changed, from 10.0.0.5 to 10.0.0.9";

/// Whether the alarm of this point is on.
fn is_on(turns: &Turns, point: Point) -> bool {
    let key = (AlarmSource::Station(StationId::new(7).unwrap()), point);
    turns.recorder.store.alarms().get(&key).is_some_and(waterwatch_core::alarm::Alarm::is_on)
}

/// What is remembered of the station.
fn remembers(turns: &Turns) -> bool {
    turns.recorder.store.contests().get(StationId::new(7).unwrap()).is_some()
}

#[test]
fn a_station_that_moves_is_an_event_and_no_alarm() {
    let mut turns = turns::turns();
    assert_eq!(turns.pass(1, &[FROM_5]), NOTHING);
    assert_eq!(turns.pass(60, &[FROM_9]), [MOVED]);
    assert!(remembers(&turns));
    assert_eq!(turns.pass(60, &[FROM_9]), NOTHING);
    assert_eq!(turns.pass(60, &[FROM_9]), NOTHING);
    assert!(!remembers(&turns), "the other one is forgotten after period and grace");
    assert_eq!(turns.pass(60, &[FROM_5]), ["7 identity origin_changed, from 10.0.0.9 to 10.0.0.5"]);
}

#[test]
fn two_that_take_turns_are_an_alarm_and_neither_hides_what_the_other_says() {
    let mut turns = turns::turns();
    turns.pass(1, &[FROM_9]);
    let told = turns.pass(20, &[FROM_5_ON]);
    assert_eq!(told, ["7 identity origin_changed, from 10.0.0.9 to 10.0.0.5", "7 alarm1 raised"]);
    assert_eq!(turns.pass(40, &[FROM_9]), [CONTESTED], "and alarm1 does not return");
    for _ in 0..5 {
        assert_eq!(turns.pass(20, &[FROM_5_ON]), NOTHING);
        assert_eq!(turns.pass(40, &[FROM_9]), NOTHING);
        assert!(is_on(&turns, Point::Alarm1));
    }
    assert_eq!(turns.pass(20, &[FROM_5]), ["7 alarm1 returned"], "it says off, and so does the other");
    assert_eq!(turns.pass(40, &["7 0 1 from 10.0.0.9"]), ["7 alarm2 raised"]);
    assert_eq!(turns.pass(20, &[FROM_5]), NOTHING);
    // One is switched off.
    assert_eq!(turns.pass(60, &[FROM_5]), NOTHING);
    assert_eq!(turns.pass(60, &[FROM_5]), NOTHING);
    assert_eq!(turns.pass(39, &[FROM_5]), NOTHING);
    assert_eq!(turns.pass(1, &[FROM_5]), ["7 alarm2 returned"]);
    assert_eq!(turns.pass(19, &[FROM_5]), NOTHING);
    assert_eq!(turns.pass(1, &[FROM_5]), ["7 identity returned"]);
    assert!(!remembers(&turns));
}

#[test]
fn two_behind_one_address_are_an_alarm_and_a_contact_that_chatters_is_not() {
    let contested = "7 identity raised, reports from 10.0.0.5 contradict each other faster than its period";
    let mut turns = turns::turns();
    turns.pass(1, &[FROM_5]);
    let mut told = Vec::new();
    for _ in 0..6 {
        told.extend(turns.pass(25, &[FROM_5_ON]));
        told.extend(turns.pass(35, &[FROM_5]));
    }
    let chatters = ["7 alarm1 raised", "7 alarm1 returned", "7 alarm1 raised_again"];
    assert_eq!(told[..3], chatters);
    assert_eq!(told[3..], ["7 alarm1 returned", contested, "7 alarm1 raised_again"], "on from then on");
    for _ in 0..2 {
        assert_eq!(turns.pass(60, &[FROM_5]), NOTHING);
    }
    assert_eq!(turns.pass(60, &[FROM_5]), ["7 identity returned", "7 alarm1 returned"]);

    let mut turns = turns::turns();
    turns.pass(1, &[FROM_5]);
    let mut told = Vec::new();
    for _ in 0..100 {
        told.extend(turns.pass(7, &[FROM_5_ON]));
        told.extend(turns.pass(5, &[FROM_5]));
    }
    assert!(told.contains(&"7 alarm1 chatter_started".to_owned()), "{told:?}");
    assert!(!told.iter().any(|told| told.contains("identity")), "{told:?}");
    turns.pass(60, &[FROM_5]);
    assert!(!remembers(&turns));
}

/// However the reports fall into batches.
#[test]
fn two_in_one_batch_are_seen_as_in_two() {
    let mut turns = turns::turns();
    turns.pass(1, &[FROM_5]);
    let told = turns.pass(60, &[FROM_9, FROM_5_ON, FROM_9]);
    assert_eq!(told, [MOVED, CONTESTED, "7 alarm1 raised"]);
    assert!(is_on(&turns, Point::Alarm1));
    // What says nothing new is looked at, too, in the batch that began it.
    let mut turns = turns::turns();
    assert_eq!(turns.pass(1, &[FROM_5, FROM_9, FROM_9, FROM_5, FROM_5]), [MOVED, CONTESTED]);
}

#[test]
fn a_contest_goes_on_over_a_restart_and_a_reopening() {
    let mut turns = turns::turns();
    turns.pass(1, &[FROM_5_ON]);
    turns.pass(20, &[FROM_9]);
    // The change is remembered over hours in which no server ran.
    let mut turns = turns.restart(3 * 3_600, 0);
    let told = turns.pass(40, &[FROM_5_ON]);
    assert_eq!(told, ["blind 10800 s", CONTESTED, "7 alarm1 raised_again"]);
    assert_eq!(turns.pass(20, &[FROM_9]), NOTHING);
    // What another device says on is not taken for a row that somebody changed.
    let mut turns = turns.restart(1, 0);
    assert_eq!(turns.pass(1, &[]), NOTHING);
    assert!(is_on(&turns, Point::Alarm1) && is_on(&turns, Point::Identity));
    turns.fail(Fault::Unknown(true));
    turns.pass(38, &[FROM_5_ON]);
    assert_eq!(turns.pass(20, &[FROM_9]), NOTHING);
    assert!(is_on(&turns, Point::Alarm1) && is_on(&turns, Point::Identity));
    for _ in 0..2 {
        assert_eq!(turns.pass(60, &[FROM_9]), NOTHING);
    }
    assert_eq!(turns.pass(60, &[FROM_9]), ["7 identity returned", "7 alarm1 returned"]);
}

#[test]
fn a_wall_that_jumps_begins_and_ends_nothing() {
    let mut turns = turns::turns();
    turns.pass(1, &[FROM_5_ON]);
    turns.pass(20, &[FROM_9]);
    turns.skip(3_600_000, 0);
    assert_eq!(turns.pass(40, &[FROM_5_ON]), ["clock_jumped 3600 s", CONTESTED, "7 alarm1 raised_again"]);
    turns.skip(-7_200_000, 0);
    turns.pass(20, &[FROM_9]);
    assert!(is_on(&turns, Point::Alarm1) && is_on(&turns, Point::Identity));
}

#[test]
fn silence_forgets_who_was_heard_and_ends_no_contest() {
    let mut turns = turns::turns();
    turns.pass(1, &[FROM_5]);
    turns.pass(60, &[FROM_9]);
    assert_eq!(turns.pass(181, &[]), ["7 comms raised"]);
    assert!(!remembers(&turns));
    turns.pass(1, &[FROM_9]);
    turns.pass(20, &[FROM_5_ON]);
    assert_eq!(turns.pass(40, &[FROM_9]), [CONTESTED]);
    assert_eq!(turns.pass(600, &[]), ["7 comms raised"], "a silent station returns nothing");
    assert!(is_on(&turns, Point::Identity) && is_on(&turns, Point::Alarm1));
    let mut turns = turns.restart(1, 0);
    turns.pass(1, &[]);
    assert!(is_on(&turns, Point::Identity) && is_on(&turns, Point::Alarm1), "nor does a start");
    // As every station, the other one has a whole period after it.
    assert_eq!(turns.pass(1, &[FROM_9]), ["7 comms returned"]);
    assert_eq!(turns.pass(60, &[FROM_9]), ["7 identity returned", "7 alarm1 returned"]);
}

/// A network that gives each connection another address must not fill the disk.
#[test]
fn origins_that_never_come_back_are_bounded() {
    let mut turns = turns::turns();
    let mut told = Vec::new();
    for number in 0..200 {
        let line = format!("7 0 0 from 10.1.{number}.1");
        told.extend(turns.pass(2, &[line.as_str()]));
    }
    assert_eq!(told.len(), 16, "{told:?}");
    assert!(told.iter().all(|told| told.starts_with("7 identity origin_changed")));
    turns.pass(600, &[]);
    let told = turns.pass(1, &["7 0 0 from 10.2.0.1"]);
    assert_eq!(told[0], "7 identity origin_changed, from 10.1.199.1 to 10.2.0.1 (184)");
}

#[test]
fn where_identity_is_disabled_the_last_report_counts() {
    let disabled = PointOverrides { enabled: Some(false), ..PointOverrides::default() };
    let mut fleet = StationOverrides::default();
    fleet.points[Point::Identity as usize] = disabled;
    let mut turns = Turns::start(Disk::default(), fleet);
    turns.pass(1, &[FROM_9]);
    assert_eq!(turns.pass(20, &[FROM_5_ON]), ["7 alarm1 raised"]);
    assert_eq!(turns.pass(40, &[FROM_9]), ["7 alarm1 returned"]);
    assert!(!remembers(&turns));

    // It was enabled until then.
    let mut turns = turns::turns();
    turns.pass(1, &[FROM_9]);
    turns.pass(20, &[FROM_5_ON]);
    assert_eq!(turns.pass(40, &[FROM_9]), [CONTESTED]);
    turns.settled.settings = Settings::of_fleet(fleet);
    let mut turns = turns.restart(1, 0);
    let mut told = turns.pass(1, &[]);
    told.sort();
    assert_eq!(told, ["7 alarm1 returned", "7 identity disabled"]);
    assert_eq!(turns.pass(1, &[FROM_9]), NOTHING);
    assert!(!remembers(&turns));
}
