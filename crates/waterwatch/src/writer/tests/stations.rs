//! Pauses, visits and retirements.

use waterwatch_core::alarm::Rejected;

use super::turns::{NOTHING, Turns, naming, turns};
use super::*;
use crate::command::{Command, Outcome, What, comms_of};
use crate::writer::clock::Clock;
use crate::writer::simulation::disk::Fault;

fn station(number: i64) -> StationId {
    StationId::new(number).unwrap()
}

fn pause(turns: &Turns, number: i64, for_s: i64) -> What {
    let until_ms = turns.clock.now().wall_ms + for_s * 1_000;
    What::Pause { station: station(number), until_ms, reason: "it is winter".into() }
}

fn visit(turns: &Turns, number: i64, for_s: i64) -> What {
    let until_ms = turns.clock.now().wall_ms + for_s * 1_000;
    What::BeginVisit { station: station(number), until_ms, reason: None }
}

fn retire(number: i64) -> What {
    What::Retire { station: station(number), reason: "it is sold".into() }
}

fn rejected(turns: &mut Turns, what: What) -> Rejected {
    let command = Command { what, by: "Ben".into(), deadline: turns.clock.instant() };
    match turns.obey(vec![command], &[]).0.remove(0) {
        Outcome::Rejected(rejected) => rejected,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_paused_station_is_silent_without_an_alarm_until_the_end_of_the_pause() {
    let mut turns = turns();
    turns.pass(1, &["1 0 0", "2 0 0"]);
    let paused = "comms taken_out_of_service, it is winter";
    // Also one that nobody has ever heard.
    turns.name(9);
    for number in [1, 9] {
        assert_eq!(turns.order(pause(&turns, number, 3_600)), [format!("{number} {paused}")]);
    }
    assert_eq!(turns.pass(100, &["2 0 0"]), NOTHING);
    assert_eq!(turns.pass(85, &["2 0 0"]), ["1 comms on_while_hidden"]);
    turns = turns.restart(1, 0);
    assert_eq!(turns.pass(1_600, &["2 1 0"]), ["2 comms raised", "2 alarm1 raised", "2 comms returned"]);
    let told = turns.pass(20, &["2 1 0"]);
    assert_eq!(told, ["1 comms service_expiring", "9 comms service_expiring"]);
    turns.pass(1_700, &["2 1 0"]);
    let told = turns.pass(100, &["2 1 0"]);
    assert_eq!(told, ["1 comms service_expired", "1 comms raised", "9 comms service_expired"]);
    assert!(turns.recorder.store.alarms().get(&comms_of(station(9))).is_none());
}

#[test]
fn a_pause_hides_silence_alone_and_lasts_a_year_at_most() {
    let mut turns = turns();
    turns.pass(1, &["1 0 0"]);
    turns.order(pause(&turns, 1, 366 * 86_400));
    assert_eq!(turns.pass(1, &["1 1 0"]), ["1 alarm1 raised"]);
    let too_long = pause(&turns, 1, 367 * 86_400);
    let max_ms = waterwatch_core::settings::PAUSE_MAX_MS;
    assert_eq!(rejected(&mut turns, too_long), Rejected::EndTooFar { max_ms });
    let resumed = turns.order(What::Resume { station: station(1) });
    assert_eq!(resumed, ["1 comms returned_to_service"]);
    assert_eq!(rejected(&mut turns, What::Resume { station: station(1) }), Rejected::NotPaused);
}

#[test]
fn what_is_raised_during_a_visit_says_so_until_its_time_is_over_also_through_a_restart() {
    let mut turns = turns();
    turns.pass(1, &["1 0 0", "2 0 0"]);
    assert_eq!(turns.order(visit(&turns, 1, 600)), ["1 visit_began"]);
    assert_eq!(
        turns.pass(1, &["1 1 0", "2 1 0"]),
        ["1 alarm1 raised, during the visit of Ada", "2 alarm1 raised"]
    );
    assert_eq!(turns.pass(1, &["1 0 0", "2 1 0"]), ["1 alarm1 returned"], "that nobody is called for");
    turns = turns.restart(1, 0);
    assert_eq!(turns.pass(1, &["1 1 0", "2 1 0"]), ["1 alarm1 raised_again, during the visit of Ada"]);
    assert_eq!(
        turns.pass(590, &["1 1 1", "2 1 0"]),
        [
            "2 comms raised",
            "1 comms raised, during the visit of Ada",
            "1 alarm2 raised, during the visit of Ada",
            "1 comms returned",
            "2 comms returned"
        ]
    );
    assert_eq!(turns.pass(10, &["1 1 1", "2 1 0"]), ["1 visit_ended, the time of Ada was over"]);
    assert_eq!(turns.pass(1, &["1 1 0"]), ["1 alarm2 returned"]);
    assert_eq!(turns.pass(1, &["1 1 1"]), ["1 alarm2 raised_again"]);
    assert!(turns.recorder.store.lives().is_empty());
}

/// Whatever is heard in the turn in which it ends is of after it.
#[test]
fn a_visit_ends_by_its_time_also_while_the_server_is_away() {
    let mut turns = turns();
    turns.pass(1, &["1 0 0"]);
    turns.order(visit(&turns, 1, 60));
    turns = turns.restart(60, 0);
    assert_eq!(
        turns.pass(1, &["1 1 0"])[..],
        ["blind 60 s", "1 visit_ended, the time of Ada was over", "1 alarm1 raised"]
    );
}

#[test]
fn a_retired_station_is_closed_and_its_silence_is_not_judged() {
    let mut turns = turns();
    turns.pass(1, &["1 1 0", "2 0 0", "3 1 0"]);
    // So many others that three are no fault of all.
    let others: Vec<String> = (10..30).map(|id| format!("{id} 0 0")).collect();
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    let pass = |turns: &mut Turns| (0..10).flat_map(|_| turns.pass(100, &others)).collect::<Vec<_>>();
    turns.pass(1, &others);
    turns.order(visit(&turns, 1, 3_600));
    turns.order(pause(&turns, 3, 3_600));
    // One that is silent already, too, but for the third, which is paused.
    let told = pass(&mut turns);
    assert!(told.contains(&"2 comms raised".to_owned()), "{told:?}");
    assert!(told.contains(&"3 comms on_while_hidden".to_owned()), "{told:?}");
    for (number, told) in [
        (
            1,
            vec![
                "1 visit_ended, the station is retired",
                "1 retired, it is sold",
                "1 alarm1 retired, it is sold",
                "1 comms retired, it is sold",
            ],
        ),
        (2, vec!["2 retired, it is sold", "2 comms retired, it is sold"]),
        (3, vec!["3 retired, it is sold", "3 alarm1 retired, it is sold", "3 comms retired, it is sold"]),
    ] {
        assert_eq!(turns.order(retire(number)), told);
    }
    let again = pause(&turns, 2, 60);
    assert_eq!(rejected(&mut turns, again), Rejected::StationRetired);
    assert_eq!(pass(&mut turns), NOTHING);
    let mut turns = turns.restart(1, 0);
    assert_eq!(pass(&mut turns), NOTHING, "what was on is not found again, and nobody is silent");
    assert!(turns.recorder.store.alarms().is_empty());
}

#[test]
fn a_retired_station_that_reports_is_watched_again_and_raises_what_is_on() {
    for restarts in [false, true] {
        let mut turns = turns();
        turns.pass(1, &["1 1 0", "2 0 0"]);
        turns.order(retire(1));
        turns.order(retire(2));
        if restarts {
            turns = turns.restart(1, 0);
        }
        // It says just what was known.
        assert_eq!(
            turns.pass(30, &["1 1 0"]),
            ["1 retirement_ended, heard again after it was retired", "1 alarm1 raised"],
            "{restarts}"
        );
        assert_eq!(turns.pass(1, &["1 1 0"]), NOTHING);
        assert_eq!(turns.pass(179, &[]), NOTHING);
        assert_eq!(turns.pass(2, &[]), ["1 comms raised"], "{restarts}");
        // Long after it was last asked for.
        assert_eq!(
            turns.pass(600, &["2 0 0"]),
            ["2 retirement_ended, heard again after it was retired"],
            "{restarts}"
        );
        assert_eq!(turns.pass(179, &[]), NOTHING);
        assert_eq!(turns.pass(2, &[]), ["2 comms raised"], "{restarts}");
    }
}

#[test]
fn a_retirement_that_was_a_mistake_is_ended_by_hand_and_what_is_on_raises() {
    for (restarts, waits_s) in [(false, 1), (true, 1), (false, 600), (true, 600)] {
        let mut turns = turns();
        turns.pass(1, &["1 1 0", "2 0 0"]);
        turns.order(retire(1));
        if restarts {
            turns = turns.restart(1, 0);
        }
        turns.pass(waits_s, &["2 0 0"]);
        let resume = |number| What::Resume { station: station(number) };
        let raised = "1 alarm1 raised, on already when its retirement was ended";
        assert_eq!(turns.order(resume(1)), ["1 retirement_ended", raised]);
        // Its silence is judged again, by when it was last heard.
        let told: Vec<String> = (0..7).flat_map(|_| turns.pass(30, &["2 0 0"])).collect();
        assert_eq!(told, ["1 comms raised"], "{restarts} {waits_s}");
        assert_eq!(rejected(&mut turns, resume(1)), Rejected::NotPaused);
    }
    // Retired and resumed at once.
    let mut turns = turns();
    turns.pass(1, &["1 1 0"]);
    let deadline = turns.clock.instant();
    let commands = [retire(1), What::Resume { station: station(1) }];
    let commands = commands.map(|what| Command { what, by: "Ada".into(), deadline });
    let told = turns.obey(commands.to_vec(), &[]).1;
    assert_eq!(told.last().unwrap(), "1 alarm1 raised, on already when its retirement was ended");
}

#[test]
fn a_station_that_nobody_has_heard_can_be_retired_and_then_heard() {
    let mut turns = turns();
    turns.name(7);
    assert_eq!(turns.order(retire(7)), ["7 retired, it is sold"]);
    let ended = "7 retirement_ended, heard again after it was retired";
    assert_eq!(turns.pass(1, &["7 0 1"]), [ended, "7 alarm2 raised"]);
    turns.pass(179, &[]);
    assert_eq!(turns.pass(2, &[]), ["7 comms raised"]);
}

/// Retired and heard in one batch, due in the batch of its retirement, and
/// retired again and again: it has one deadline.
#[test]
fn a_station_that_is_retired_at_the_worst_moment_is_judged_once() {
    let mut turns = turns();
    turns.pass(1, &["1 0 0", "2 0 0"]);
    let told = |turns: &mut Turns, number: i64, lines: &[&str]| {
        let command = Command { what: retire(number), by: "Ada".into(), deadline: turns.clock.instant() };
        turns.obey(vec![command], lines).1
    };
    turns.pass(180, &[]);
    // Both are due with the next turn, and only one alarms.
    turns.skip(500, 500);
    assert_eq!(told(&mut turns, 1, &[]), ["1 retired, it is sold", "2 comms raised"]);
    for _ in 0..3 {
        assert_eq!(turns.pass(1, &["1 0 0"]).len(), 1);
        assert_eq!(
            told(&mut turns, 1, &["1 0 0"]),
            ["1 retired, it is sold", "1 retirement_ended, heard again after it was retired"]
        );
        turns.order(retire(1));
    }
    assert_eq!(turns.pass(1, &["1 0 0"]).len(), 1);
    turns.pass(178, &[]);
    assert_eq!(turns.pass(3, &[]), ["1 comms raised"]);
}

#[test]
fn a_retirement_that_is_not_stored_did_not_happen() {
    for fault in [Fault::Full, Fault::Unknown(false)] {
        let mut turns = turns();
        turns.pass(1, &["1 1 0"]);
        turns.fail(fault);
        let command = Command { what: retire(1), by: "Ada".into(), deadline: turns.clock.instant() };
        assert!(matches!(turns.obey(vec![command], &[]).0[..], [Outcome::NotDone(_)]));
        turns.fail(Fault::None);
        let told: Vec<_> =
            turns.pass(200, &[]).into_iter().filter(|told| !told.starts_with("blind")).collect();
        assert_eq!(told, ["1 comms raised"], "{fault:?}");
    }
}

#[test]
fn stations_that_nobody_has_heard_are_bounded() {
    let mut turns = turns().with_stations_max(3);
    turns.pass(1, &["1 0 0"]);
    for number in 10..13 {
        turns.name(number);
    }
    let one_more = Rejected::StationsMax { station: station(13), stations_max: 3 };
    assert_eq!(rejected(&mut turns, naming(13)), one_more);
    turns.order(retire(12));
    turns.order(retire(1));
}

#[test]
fn a_station_that_is_expected_is_not_missed_while_it_is_paused_nor_once_it_is_retired() {
    let mut turns = turns().expecting(&[(7, 600), (8, 600)]);
    turns.order(pause(&turns, 7, 1_200));
    turns.order(retire(8));
    let never_heard = "never heard; expected by 1970-01-12 13:56 UTC";
    let told = turns.pass(1_199, &[]);
    assert_eq!(told, [format!("7 comms on_while_hidden, {never_heard}")]);
    assert_eq!(turns.pass(2, &[]), ["7 comms service_expired", "7 comms raised"]);
    assert_eq!(turns.order(retire(7)), ["7 retired, it is sold", "7 comms retired, it is sold"]);
    assert_eq!(turns.pass(300, &[]), NOTHING);
    let mut turns = turns.restart(1, 0);
    assert_eq!(turns.pass(1_000, &[]), NOTHING);
}

/// One that is due in the batch in which it is retired.
#[test]
fn a_station_that_is_retired_when_it_was_expected_is_not_missed() {
    let mut turns = turns().expecting(&[(7, 600), (8, 600)]);
    turns.pass(599, &[]);
    turns.skip(500, 500);
    turns.turn(&[]);
    turns.skip(500, 500);
    let told = turns.order(retire(7));
    assert_eq!(told[0], "7 retired, it is sold");
    assert!(told[1].starts_with("8 comms raised") && told.len() == 2, "{told:?}");
}

fn forget(number: i64) -> What {
    What::Forget { station: station(number), if_said: None }
}

#[test]
fn a_station_that_nobody_has_named_is_forgotten_with_all_that_is_open() {
    let mut turns = turns();
    turns.pass(1, &["1 1 0", "2 0 0", "3 0 0"]);
    turns.order(visit(&turns, 1, 3_600));
    let told = turns.order(forget(1));
    assert_eq!(told, ["1 visit_ended, the station is forgotten", "1 forgotten", "1 alarm1 forgotten"]);
    let store = &turns.recorder.store;
    assert!(store.find(station(1)).is_none() && store.alarms().is_empty() && store.lives().is_empty());
    assert_eq!(store.station_count(), 2);
    assert_eq!(rejected(&mut turns, forget(1)), Rejected::NoSuchStation { station: station(1) });
    // Nobody misses it, also not after a start.
    turns.pass(100, &["2 0 0", "3 0 0"]);
    assert_eq!(turns.pass(100, &["2 0 0", "3 0 0"]), NOTHING);
    let mut turns = turns.restart(1, 0);
    turns.pass(100, &["2 0 0", "3 0 0"]);
    assert_eq!(turns.pass(100, &["2 0 0", "3 0 0"]), NOTHING);
    // What it says is new, and its silence is judged once.
    assert_eq!(turns.pass(1, &["1 1 0"]), ["1 alarm1 raised"]);
    turns.pass(179, &["2 0 0", "3 0 0"]);
    assert_eq!(turns.pass(2, &["2 0 0", "3 0 0"]), ["1 comms raised"]);
    // One that is silent, and one that nobody ever heard and somebody paused.
    assert_eq!(turns.order(forget(1)), ["1 forgotten", "1 alarm1 forgotten", "1 comms forgotten"]);
    turns.name(9);
    turns.order(pause(&turns, 9, 3_600));
    turns.order(What::SetStation { station: station(9), says: Box::default(), if_said: None });
    assert_eq!(turns.order(forget(9)), ["9 forgotten", "9 comms forgotten"]);
    assert_eq!(rejected(&mut turns, forget(9)), Rejected::NoSuchStation { station: station(9) });
}

/// Of one batch each command knows what the one before did.
#[test]
fn a_station_that_is_just_forgotten_is_not_known() {
    let mut turns = turns();
    turns.pass(1, &["1 1 0"]);
    let deadline = turns.clock.instant();
    let wanted = [forget(1), pause(&turns, 1, 3_600), naming(1), pause(&turns, 1, 3_600)];
    let commands = wanted.into_iter().map(|what| Command { what, by: "Ada".into(), deadline }).collect();
    let (outcomes, _) = turns.obey(commands, &[]);
    assert_eq!(outcomes[1], Outcome::Rejected(Rejected::NoSuchStation { station: station(1) }));
    let is_done = |outcome: &Outcome| matches!(outcome, Outcome::Done(_));
    assert_eq!(outcomes.iter().map(is_done).collect::<Vec<_>>(), [true, false, true, true]);
}

/// Another station takes its place, at the moment in which its own deadline was due.
#[test]
fn whoever_takes_the_place_of_a_forgotten_station_has_nothing_of_it() {
    let mut turns = turns();
    turns.pass(1, &["1 0 0", "2 0 0", "3 0 0"]);
    turns.order(retire(1));
    turns.pass(178, &["2 0 0"]);
    let told = |turns: &mut Turns, number: i64, lines: &[&str]| {
        let command = Command { what: forget(number), by: "Ada".into(), deadline: turns.clock.instant() };
        turns.obey(vec![command], lines).1
    };
    // The first is retired, and the third is due with this turn or the next.
    assert_eq!(told(&mut turns, 1, &["8 0 0", "2 0 0"]), ["1 forgotten"]);
    turns.skip(1_500, 1_500);
    assert_eq!(told(&mut turns, 3, &["9 0 1", "2 0 0"]), ["3 forgotten", "9 alarm2 raised"]);
    assert_eq!((turns.recorder.store.station_count(), turns.recorder.store.places()), (3, 3));
    assert_eq!(turns.pass(170, &["2 0 0"]), NOTHING);
    let mut told = turns.pass(20, &["2 0 0"]);
    told.sort();
    assert_eq!(told, ["8 comms raised", "9 comms raised"]);
}

#[test]
fn a_station_that_is_forgotten_and_reports_at_once_is_new() {
    let mut turns = turns().with_stations_max(2);
    turns.pass(1, &["1 1 0", "2 0 0"]);
    let command = |what| Command { what, by: "Ada".into(), deadline: turns.clock.instant() };
    let commands = vec![command(forget(1)), command(forget(1)), command(forget(2))];
    let (outcomes, told) = turns.obey(commands, &["1 1 0", "3 0 0", "2 0 0"]);
    let no_such = Rejected::NoSuchStation { station: station(1) };
    assert!(matches!(&outcomes[1], Outcome::Rejected(rejected) if *rejected == no_such), "{outcomes:?}");
    assert_eq!(told, ["1 forgotten", "1 alarm1 forgotten", "2 forgotten", "1 alarm1 raised"]);
    let store = &turns.recorder.store;
    assert_eq!(store.find(station(1)).unwrap().1.reports, 1);
    assert!(store.find(station(3)).is_some() && store.find(station(2)).is_none(), "no more than two");
}

#[test]
fn what_somebody_has_named_is_not_forgotten() {
    let mut turns = turns();
    turns.pass(1, &["1 0 0"]);
    let mut says = crate::station_says::StationSays::default();
    says.say("name", waterwatch_core::settings::Said::Text("North lift")).unwrap();
    let named = What::SetStation { station: station(1), says: Box::new(says), if_said: None };
    let unnamed = What::SetStation { station: station(1), says: Box::default(), if_said: None };
    // Also in the batch in which that is said.
    for (first, is_named) in [(named, true), (forget(1), true), (unnamed, false)] {
        let command = |what| Command { what, by: "Ada".into(), deadline: turns.clock.instant() };
        let (outcomes, _) = turns.obey(vec![command(first), command(forget(1))], &[]);
        let refused = Outcome::Rejected(Rejected::StationNamed { station: station(1) });
        assert_eq!(outcomes[1] == refused, is_named, "{outcomes:?}");
    }
    assert!(turns.recorder.store.find(station(1)).is_none());
}

#[test]
fn one_that_is_not_stored_is_not_forgotten() {
    for fault in [Fault::Full, Fault::Unknown(false), Fault::Unknown(true)] {
        let mut turns = turns();
        turns.pass(1, &["1 1 0", "2 0 0"]);
        turns.fail(fault);
        let command = Command { what: forget(1), by: "Ada".into(), deadline: turns.clock.instant() };
        let (outcomes, _) = turns.obey(vec![command], &[]);
        turns.fail(Fault::None);
        let is_stored = fault == Fault::Unknown(true);
        assert_eq!(matches!(outcomes[..], [Outcome::Done(_)]), is_stored, "{fault:?}: {outcomes:?}");
        turns.pass(100, &["2 0 0"]);
        let told = turns.pass(100, &["2 0 0"]);
        let told: Vec<_> = told.into_iter().filter(|told| !told.starts_with("blind")).collect();
        let wanted: &[&str] = if is_stored { &[] } else { &["1 comms raised"] };
        assert_eq!(told, wanted, "{fault:?}");
    }
}
