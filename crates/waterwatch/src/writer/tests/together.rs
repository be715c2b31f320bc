//! Stations that fall silent together, turn by turn under virtual time.

use waterwatch_core::Settings;
use waterwatch_core::alarm::{Alarm, AlarmSource, Point, State};
use waterwatch_core::settings::StationOverrides;

use super::turns::{NOTHING, Turns};
use super::*;
use crate::command::What;
use crate::store::{AlarmKey, Store};
use crate::writer::clock::Clock;
use crate::writer::simulation::disk::Disk;

/// Stations 1 to 4 are in the North, 5 to 9 in the South, and the others nowhere.
fn areas() -> Settings {
    let mut settings = Settings::default();
    for id in 1..10 {
        let area = if id < 5 { "North" } else { "South" };
        settings.say(StationId::new(id).unwrap(), StationOverrides::default(), Some(area));
    }
    settings
}

fn all_of(ids: std::ops::RangeInclusive<i64>) -> Vec<String> {
    ids.map(|id| format!("{id} 0 0")).collect()
}

fn lines(lines: &[String]) -> Vec<&str> {
    lines.iter().map(String::as_str).collect()
}

/// A fleet of 20 stations, of which those up to 9 are in areas; each has
/// reported just now.
fn fleet() -> Turns {
    let mut turns = Turns::with(Disk::default(), areas());
    turns.pass(1, &lines(&all_of(1..=20)));
    turns
}

impl Turns {
    /// So long, while these go on reporting each minute.
    fn pass_with(&mut self, seconds: i64, ids: std::ops::RangeInclusive<i64>) -> Vec<String> {
        let all = all_of(ids);
        let mut told = Vec::new();
        for _ in 0..seconds / 60 {
            told.extend(self.pass(60, &lines(&all)));
        }
        if seconds % 60 > 0 {
            told.extend(self.pass(seconds % 60, &[]));
        }
        told
    }

    fn comms(&self, source: AlarmSource) -> State {
        let key: AlarmKey = (source, Point::Comms);
        self.recorder.store.alarms().get(&key).map_or(State::Normal, Alarm::state)
    }

    fn station(&self, id: i64) -> State {
        self.comms(AlarmSource::Station(StationId::new(id).unwrap()))
    }

    fn north(&self) -> AlarmSource {
        AlarmSource::Area("North".into())
    }

    fn occurrence(&self, source: AlarmSource) -> i64 {
        let alarm = self.recorder.store.alarms().get(&(source, Point::Comms)).unwrap();
        alarm.occurrence.as_ref().unwrap().sequence
    }
}

fn sorted(mut told: Vec<String>) -> Vec<String> {
    told.sort();
    told
}

const NORTH_RAISED: &str = "area/North comms raised, 4 of 4 stations are out of contact";

#[test]
fn an_area_that_falls_silent_is_one_alarm() {
    let mut turns = fleet();
    assert_eq!(turns.pass_with(180, 5..=20), NOTHING);
    assert_eq!(turns.pass(1, &[]), [NORTH_RAISED, "area/North comms stands_for 1 2 3 4"]);
    assert_eq!(turns.station(2), State::Suppressed);
    assert_eq!(turns.comms(turns.north()), State::Unacknowledged);
    // Restarts change nothing.
    turns = turns.restart(5, 0);
    assert_eq!(turns.pass(1, &[]).len(), 1, "blind");
    assert_eq!(turns.pass_with(300, 5..=20), NOTHING);
    // They come back one after the other, within a period.
    assert_eq!(turns.pass(1, &["1 0 0"]), ["area/North comms heard_again 1"]);
    assert_eq!(turns.station(1), State::Normal);
    assert_eq!(turns.pass(10, &["2 0 0", "3 0 0"]), ["area/North comms heard_again 2 3"]);
    let told = turns.pass(30, &["4 0 0"]);
    assert_eq!(told, ["area/North comms off_delay_started", "area/North comms heard_again 4"]);
    assert_eq!(turns.pass(29, &[]), NOTHING);
    assert_eq!(turns.pass(2, &[]), ["area/North comms returned"]);
    assert!(turns.recorder.store.alarms().own().all(|((_, point), _)| *point == Point::Comms));
    assert_eq!(turns.comms(turns.north()), State::Normal);
}

#[test]
fn who_does_not_come_back_with_the_others_alarms_for_itself() {
    let mut turns = fleet();
    turns.pass_with(181, 5..=20);
    turns.pass(1, &["1 0 0", "2 0 0"]);
    // Two of four are too few; and the others were given a period.
    let told = turns.pass_with(61, 1..=2);
    assert_eq!(
        told,
        [
            "area/North comms off_delay_started",
            "area/North comms returned",
            "3 comms unsuppressed",
            "3 comms raised",
            "4 comms unsuppressed",
            "4 comms raised",
        ]
    );
    assert_eq!(turns.station(3), State::Unacknowledged);
    assert_eq!(turns.pass(1, &["3 0 0"]), ["3 comms returned"]);
}

#[test]
fn contacts_are_never_suppressed_and_those_last_heard_in_alarm_are_named() {
    let mut turns = fleet();
    assert_eq!(turns.pass(1, &["2 0 1", "3 1 1"]).len(), 3);
    turns.pass_with(180, 5..=20);
    let told = turns.pass(2, &[]);
    let in_alarm = "last heard in alarm: 2 (alarm2), 3 (alarm1 and alarm2)";
    assert!(told[0].ends_with(in_alarm), "{told:?}");
    assert!(told.iter().any(|line| line.starts_with("area/North comms stands_for 2 3, ")), "{told:?}");
    let key = (AlarmSource::Station(StationId::new(2).unwrap()), Point::Alarm2);
    assert_eq!(turns.recorder.store.alarms().get(&key).unwrap().state(), State::Unacknowledged);
}

#[test]
fn those_that_alarmed_just_before_are_suppressed_unless_somebody_has_taken_them() {
    let mut turns = fleet();
    // Two fall silent a minute before the others.
    turns.pass(60, &lines(&all_of(3..=20)));
    turns.pass_with(120, 5..=20);
    let told = turns.pass(1, &[]);
    // Half of the area is late by then, and only two are silent.
    assert_eq!(sorted(told), ["1 comms raised", "2 comms raised"]);
    let occurrence = turns.occurrence(AlarmSource::Station(StationId::new(1).unwrap()));
    let alarm = (AlarmSource::Station(StationId::new(1).unwrap()), Point::Comms);
    turns.order(What::Acknowledge { alarm, occurrence });
    let told = turns.pass_with(60, 5..=20);
    assert_eq!(told, [NORTH_RAISED, "area/North comms stands_for 3 4", "2 comms suppressed"]);
    assert_eq!(turns.station(1), State::Acknowledged);
    assert_eq!(turns.pass(1, &["2 0 0"]), ["2 comms off_while_hidden", "2 comms unsuppressed"]);
}

/// Whoever alarmed long before it goes on doing so, and nothing is left to do: the
/// writer sleeps until its next turn.
#[test]
fn who_alarmed_long_before_does_not_keep_the_writer_busy() {
    let mut turns = fleet();
    turns.pass_with(720, 2..=20);
    assert_eq!(turns.station(1), State::Unacknowledged);
    turns.pass_with(180, 5..=20);
    assert_eq!(turns.pass(1, &[]).len(), 2);
    assert_eq!(turns.comms(turns.north()), State::Unacknowledged);
    assert_eq!(turns.pass(1, &[]), NOTHING);
    assert_eq!(turns.station(1), State::Unacknowledged);
    assert!(turns.recorder.due() > turns.clock.instant(), "nothing is due at once");
}

#[test]
fn an_area_that_is_put_aside_or_was_taken_a_while_ago_stands_for_nobody() {
    for is_shelved in [true, false] {
        let mut turns = fleet();
        turns.pass_with(181, 5..=20);
        let alarm = (turns.north(), Point::Comms);
        let mut told = Vec::new();
        if is_shelved {
            let (until_ms, reason) = (1_008_000_000, "the carrier is at work".into());
            told = turns.order(What::Shelve { alarm, until_ms, reason });
        } else {
            let occurrence = turns.occurrence(turns.north());
            turns.order(What::Acknowledge { alarm, occurrence });
            assert_eq!(turns.pass_with(14 * 60, 5..=20), NOTHING);
        }
        told.extend(turns.pass_with(60, 5..=20));
        let raised: Vec<_> = told.iter().filter(|line| line.ends_with(" comms raised")).collect();
        assert_eq!(
            raised,
            ["1 comms raised", "2 comms raised", "3 comms raised", "4 comms raised"],
            "{told:?}"
        );
        assert_eq!(turns.pass_with(600, 5..=20), NOTHING, "nobody is suppressed once more");
    }
}

#[test]
fn who_falls_silent_long_after_the_others_alarms_for_itself() {
    let mut turns = fleet();
    turns.pass(60, &lines(&all_of(4..=20)));
    turns.pass_with(360, 4..=20);
    assert_eq!(turns.comms(turns.north()), State::Unacknowledged);
    assert_eq!(turns.station(3), State::Suppressed);
    let told = turns.pass_with(241, 5..=20);
    assert_eq!(told, ["4 comms raised"], "it is no part of what happened five minutes ago");
}

#[test]
fn all_stations_together_are_an_alarm_of_the_server_and_an_area_is_not() {
    let mut turns = fleet();
    let told = turns.pass(181, &[]);
    let server = "server comms raised, 20 of 20 stations are out of contact; the fault may be on our side";
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[0], server);
    assert!(told[1].starts_with("server comms stands_for 1 2 3 4 5 "), "{told:?}");
    // North and South are nine of twenty; with two others they are half.
    let mut turns = fleet();
    let told = turns.pass_with(181, 12..=20);
    let areas: Vec<_> = told.iter().filter(|line| line.contains(" raised")).collect();
    assert_eq!(areas.len(), 4, "{told:?}");
    assert!(areas.iter().all(|line| !line.starts_with("server")), "{told:?}");
}

/// A handful of stations without areas, as with clients of the old kind.
#[test]
fn two_that_are_silent_are_two_alarms() {
    let mut turns = Turns::with(Disk::default(), Settings::default());
    turns.pass(1, &lines(&all_of(1..=2)));
    assert_eq!(sorted(turns.pass(182, &[])), ["1 comms raised", "2 comms raised"]);
    assert_eq!(turns.pass(60, &[]), NOTHING);
}

/// What the disk costs does not grow with them, and nobody waits.
#[test]
fn a_great_fleet_that_falls_silent_is_a_few_entries() {
    let mut turns = Turns::with(Disk::default(), Settings::default());
    turns.pass(1, &lines(&all_of(1..=50_000)));
    let told = turns.pass(190, &["7 0 0"]);
    assert!(told.len() < 20, "{}", told.len());
    assert!(told.iter().all(|line| !line.contains("off_delay")), "the others follow");
    assert!(
        told[0].starts_with("server comms raised, 100 % of the stations are out of contact"),
        "{}",
        told[0]
    );
    let silent = turns.recorder.store.alarms().iter().filter(|(_, alarm)| alarm.contact).count();
    assert_eq!(silent, 49_999 + 1, "and the server's own");
    assert_eq!(turns.recorder.store.alarms().own().count(), 1);
    assert_eq!(turns.station(7), State::Normal);
    // All of them are back at once.
    let told = turns.pass(1, &lines(&all_of(1..=50_000)));
    assert_eq!(told.len(), 1, "heard again");
    assert_eq!(turns.pass(62, &["1 0 0"]), ["server comms off_delay_started", "server comms returned"]);
    assert_eq!(turns.recorder.store.alarms().iter().count(), 1, "its raises of late");
}

#[test]
fn a_doubtful_commit_changes_nothing_of_it() {
    use crate::writer::simulation::disk::Fault;
    for fault in [Fault::Unknown(true), Fault::Unknown(false)] {
        let mut turns = fleet();
        turns.pass_with(180, 5..=20);
        turns.recorder.store.fault = fault;
        let told = turns.pass(6, &[]);
        let stands: Vec<_> = told.iter().filter(|line| line.contains("stands_for")).collect();
        assert_eq!(stands, ["area/North comms stands_for 1 2 3 4"], "{fault:?}: {told:?}");
        assert_eq!(turns.station(4), State::Suppressed);
    }
}

/// Whether they are retired before it, or while the area's alarm stands for them.
#[test]
fn what_is_retired_is_no_part_of_what_is_silent_together() {
    let retire = |id| What::Retire { station: StationId::new(id).unwrap(), reason: "it is sold".into() };
    let mut turns = fleet();
    turns.order(retire(3));
    turns.order(retire(4));
    turns.order(retire(1));
    // One of one is no fault of the area.
    assert_eq!(turns.pass_with(180, 5..=20), NOTHING);
    assert_eq!(turns.pass(3, &[]), ["2 comms raised"]);

    let mut turns = fleet();
    turns.pass_with(181, 5..=20);
    assert_eq!(turns.order(retire(3)), ["3 retired, it is sold", "3 comms retired, it is sold"]);
    turns = turns.restart(1, 0);
    assert_eq!(turns.pass(1, &["1 0 0", "2 0 0"]), ["area/North comms heard_again 1 2"]);
    // One of three is too few for the area, and the retired one is not let go.
    let told = turns.pass_with(61, 1..=2);
    assert_eq!(
        told,
        [
            "area/North comms off_delay_started",
            "area/North comms returned",
            "4 comms unsuppressed",
            "4 comms raised",
        ]
    );
    let ended = "3 retirement_ended, heard again after it was retired";
    assert_eq!(turns.pass(1, &["3 0 0"]), [ended]);
}

/// What is counted from the acknowledgement goes along with the clock.
#[test]
fn a_jump_of_the_clock_lets_nobody_go_early_or_late() {
    for jump_s in [3_600, -3_600] {
        let mut turns = fleet();
        turns.pass_with(181, 5..=20);
        let occurrence = turns.occurrence(turns.north());
        turns.order(What::Acknowledge { alarm: (turns.north(), Point::Comms), occurrence });
        turns.pass_with(60, 5..=20);
        turns.skip(jump_s * 1_000, 0);
        let told = turns.pass_with(13 * 60, 5..=20);
        assert!(told.iter().all(|line| line.starts_with("clock_jumped")), "{jump_s}: {told:?}");
        let told = turns.pass_with(120, 5..=20);
        let raised = told.iter().filter(|line| line.ends_with(" comms raised")).count();
        assert_eq!(raised, 4, "{jump_s}: {told:?}");
    }
}

#[test]
fn a_jump_of_the_clock_while_they_fall_silent_changes_nothing() {
    for jump_s in [3_600, -3_600] {
        let mut turns = fleet();
        turns.pass(30, &["4 0 0"]);
        turns.pass_with(151, 5..=20);
        assert_eq!(turns.comms(turns.north()), State::Unacknowledged, "three of four");
        turns.skip(jump_s * 1_000, 0);
        let told = turns.pass_with(60, 5..=20);
        assert!(told.contains(&"area/North comms stands_for 4".to_owned()), "{jump_s}: {told:?}");
        assert_eq!(turns.station(4), State::Suppressed);
    }
}

/// An alarm that is about to be over stands for no news.
#[test]
fn who_falls_silent_as_the_others_come_back_alarms_for_itself() {
    let mut turns = fleet();
    turns.pass(1, &["4 0 0"]);
    turns.pass_with(1_200, 4..=20);
    assert_eq!(turns.station(1), State::Suppressed);
    // Station 4 fails, too; and the others are back just before that is seen.
    turns.pass_with(120, 5..=20);
    turns.pass(55, &lines(&all_of(1..=3)));
    let told = turns.pass(10, &[]);
    assert!(told.contains(&"4 comms raised".to_owned()), "{told:?}");
}

#[test]
fn those_that_alarmed_just_before_are_let_go_like_the_others() {
    let mut turns = fleet();
    turns.pass(60, &lines(&all_of(3..=20)));
    turns.pass_with(181, 5..=20);
    assert_eq!((turns.station(1), turns.station(3)), (State::Suppressed, State::Suppressed));
    let alarm = (turns.north(), Point::Comms);
    let reason = "the carrier is at work".into();
    let told = turns.order(What::Shelve { alarm, until_ms: 1_008_000_000, reason });
    let raised: Vec<_> = told.iter().filter(|line| line.ends_with(" comms raised")).collect();
    assert_eq!(raised, ["1 comms raised", "2 comms raised", "3 comms raised", "4 comms raised"], "{told:?}");
}

/// It counts on neither side, and is suppressed beside its pause.
#[test]
fn a_station_that_is_paused_falls_silent_with_the_others_without_a_word() {
    let mut turns = fleet();
    let station = StationId::new(4).unwrap();
    turns.order(What::Pause { station, until_ms: 1_003_000_000, reason: "it is winter".into() });
    turns.pass_with(180, 5..=20);
    let told = turns.pass(1, &[]);
    assert_eq!(told[0], "area/North comms raised, 3 of 3 stations are out of contact");
    assert_eq!(turns.station(4), State::OutOfService);
    let told = turns.pass_with(3_600, 5..=20);
    assert!(told.iter().all(|line| !line.contains(" raised")), "its pause is over: {told:?}");
    assert_eq!(turns.station(4), State::Suppressed);
}
