//! What people say while the server runs, turn by turn under virtual time.

use proptest::prelude::*;
use waterwatch_core::alarm::Rejected;
use waterwatch_core::settings::{Said, ScopeSays, StationOverrides};

use super::turns::{NOTHING, Turns, turns};
use super::*;
use crate::command::{Command, Outcome, What};
use crate::said_tag::SaidTag;
use crate::station_says::StationSays;
use crate::writer::clock::Clock;
use crate::writer::saying::AREAS_MAX;
use crate::writer::simulation::disk::{Disk, Fault};

fn station(station: i64, fields: &[(&str, Said<'_>)]) -> What {
    let mut says = StationSays::default();
    fields.iter().for_each(|(field, said)| says.say(field, *said).unwrap());
    What::SetStation { station: StationId::new(station).unwrap(), says: Box::new(says), if_said: None }
}

fn scope(fields: &[(&str, Said<'_>)]) -> Box<ScopeSays> {
    let mut says = ScopeSays::default();
    fields.iter().for_each(|(field, said)| says.say(field, *said).unwrap());
    Box::new(says)
}

const DISABLED: (&str, Said<'_>) = ("points.alarm1.enabled", Said::Flag(false));

/// The entries of a turn, without those that say what was changed.
fn follows(turns: &mut Turns, what: What) -> Vec<String> {
    let mut told = turns.order(what);
    told.extend(turns.pass(1, &[]));
    told.retain(|told| !told.contains("settings_changed"));
    told
}

/// Why something is rejected, of which nothing is recorded.
fn rejected(turns: &mut Turns, what: What) -> Rejected {
    let command = Command { what, by: "Ada".into(), deadline: turns.clock.instant() };
    let (outcomes, told) = turns.obey(vec![command], &[]);
    assert_eq!(told, NOTHING);
    match outcomes.into_iter().next() {
        Some(Outcome::Rejected(rejected)) => rejected,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_became_other_is_in_the_ledger_and_the_same_again_is_nothing() {
    let mut turns = turns();
    let says = [("name", Said::Text("North lift")), ("period_s", Said::Number(120))];
    let told = turns.order(station(7, &says));
    assert_eq!(told, ["7 settings_changed, name unset -> \"North lift\", period_s unset -> 120"]);
    assert_eq!(turns.order(station(7, &says)), NOTHING, "done, and nothing was to be done");
    assert_eq!(
        turns.order(station(7, &says[..1])),
        ["7 settings_changed, period_s 120 -> unset"],
        "what is left out is not said any more"
    );
    let area =
        What::SetArea { area: " North ".into(), says: scope(&[("grace_s", Said::Number(0))]), if_said: None };
    assert_eq!(turns.order(area), ["area/North settings_changed, grace_s unset -> 0"]);
    let fleet = What::SetFleet { says: scope(&[("grace_s", Said::Number(9))]), if_said: None };
    assert_eq!(turns.order(fleet), ["server settings_changed, grace_s unset -> 9"]);
    // Only while that is said which was read.
    let if_said = |what: What, tags: &[&[(&str, Said<'_>)]]| match what {
        What::SetStation { station, says, .. } => {
            let of = |fields: &&[(&str, Said<'_>)]| {
                let mut says = StationSays::default();
                fields.iter().for_each(|(field, said)| says.say(field, *said).unwrap());
                SaidTag::of(&says.told())
            };
            What::SetStation { station, says, if_said: Some(tags.iter().map(of).collect()) }
        }
        what => what,
    };
    assert_eq!(rejected(&mut turns, if_said(station(7, &says), &[&[], &says])), Rejected::SaidOtherwise);
    assert_eq!(
        rejected(&mut turns, if_said(station(7, &says[..1]), &[])),
        Rejected::SaidOtherwise,
        "the same, too"
    );
    assert_eq!(
        turns.order(if_said(station(7, &says), &[&says[..1]])),
        ["7 settings_changed, period_s unset -> 120"]
    );
    assert_eq!(
        turns.order(if_said(station(7, &says[..1]), &[&[], &says])),
        ["7 settings_changed, period_s 120 -> unset"]
    );
    // Of one batch each knows what the one before said.
    let commands = vec![station(7, &[]), station(7, &says[..1]), station(7, &says[..1])].into_iter();
    let deadline = turns.clock.instant();
    let commands = commands.map(|what| Command { what, by: "Ada".into(), deadline }).collect();
    let (_, told) = turns.obey(commands, &[]);
    let again = [
        "7 settings_changed, name \"North lift\" -> unset",
        "7 settings_changed, name unset -> \"North lift\"",
    ];
    assert_eq!(told, again);
}

#[test]
fn what_is_said_for_many_is_followed_in_slices_between_the_reports() {
    let mut turns = turns();
    let stations: Vec<String> = (1..=10).map(|id| format!("{id} 0 0")).collect();
    turns.pass(1, &stations.iter().map(String::as_str).collect::<Vec<_>>());
    let sooner = scope(&[("period_s", Said::Number(10)), ("grace_s", Said::Number(0))]);
    turns.order(What::SetFleet { says: sooner, if_said: None });
    let mut slices = 0;
    while turns.recorder.watch.is_settling() {
        assert_eq!(turns.turn(&["11 1 0"]).len(), usize::from(slices == 0), "a report waits for none of it");
        slices += 1;
    }
    assert_eq!(slices, 3);
    let told = turns.pass(15, &[]);
    let raised = told.iter().any(|told| told.starts_with("server comms raised"));
    assert!(raised, "all are silent by what holds now: {told:?}");
    // Said again and again it is no more to do.
    for grace_s in 0..100 {
        turns.order(What::SetFleet { says: scope(&[("grace_s", Said::Number(grace_s))]), if_said: None });
    }
    for _ in 0..10 {
        turns.turn(&[]);
    }
    assert!(!turns.recorder.watch.is_settling());
}

#[test]
fn an_area_without_a_name_and_a_person_without_one_are_rejected() {
    let mut turns = turns();
    let deadline = turns.clock.instant();
    let area = What::SetArea { area: " ".into(), says: scope(&[DISABLED]), if_said: None };
    let commands = vec![
        Command { what: area, by: "Ada".into(), deadline },
        Command { what: station(7, &[DISABLED]), by: " ".into(), deadline },
    ];
    let (outcomes, _) = turns.obey(commands, &[]);
    assert!(matches!(&outcomes[0], Outcome::Rejected(Rejected::Unfit(unfit)) if unfit.name == "area"));
    assert_eq!(outcomes[1], Outcome::Rejected(Rejected::Missing("a name")));
    assert_eq!(turns.recorder.watch.settings(), &waterwatch_core::Settings::default());
}

#[test]
fn areas_of_one_batch_count_for_the_limit() {
    let mut settings = waterwatch_core::Settings::default();
    for area in 1..AREAS_MAX {
        settings.say_for_area(&format!("area {area}"), Some(StationOverrides::default()));
    }
    let mut turns = Turns::with(Disk::default(), settings);
    let area =
        |name: &str, fields: &[_]| What::SetArea { area: name.into(), says: scope(fields), if_said: None };
    let wanted = [
        area("North", &[DISABLED]),
        area("South", &[DISABLED]),
        area("North", &[("grace_s", Said::Number(9))]),
        area("South", &[]),
        area("North", &[]),
        area("South", &[DISABLED]),
    ];
    let deadline = turns.clock.instant();
    let commands = wanted.into_iter().map(|what| Command { what, by: "Ada".into(), deadline }).collect();
    let (outcomes, _) = turns.obey(commands, &[]);
    let is_done = |outcome: &Outcome| matches!(outcome, Outcome::Done(_));
    assert_eq!(outcomes[1], Outcome::Rejected(Rejected::AreasMax { areas_max: AREAS_MAX }));
    assert_eq!(outcomes.iter().map(is_done).collect::<Vec<_>>(), [true, false, true, true, true, true]);
    assert_eq!(turns.recorder.watch.settings().areas_said(), AREAS_MAX);
}

#[test]
fn a_point_that_is_disabled_closes_its_alarm_and_one_that_is_enabled_raises_it() {
    for (narrow, wide) in [
        (station(7, &[DISABLED]), station(7, &[])),
        (
            What::SetFleet { says: scope(&[DISABLED]), if_said: None },
            What::SetFleet { says: scope(&[]), if_said: None },
        ),
    ] {
        let mut turns = turns();
        assert_eq!(turns.pass(1, &["7 1 0"]), ["7 alarm1 raised"]);
        assert_eq!(follows(&mut turns, narrow), ["7 alarm1 disabled"]);
        assert_eq!(turns.pass(1, &["7 0 0"]), NOTHING);
        assert_eq!(turns.pass(1, &["7 1 0"]), NOTHING);
        assert_eq!(follows(&mut turns, wide), ["7 alarm1 raised, on already when the settings were changed"]);
        assert_eq!(turns.pass(1, &["7 0 0"]), ["7 alarm1 returned"]);
    }
}

/// It was last heard at 0 s; its period is 60 s and its grace 120 s.
#[test]
fn a_deadline_is_where_a_new_period_puts_it() {
    let periods =
        |period_s, grace_s| [("period_s", Said::Number(period_s)), ("grace_s", Said::Number(grace_s))];
    let mut shorter = turns();
    assert_eq!(shorter.pass(1, &["7 0 0"]), NOTHING);
    assert_eq!(follows(&mut shorter, station(7, &periods(20, 10))), NOTHING);
    assert_eq!(shorter.pass(29, &[]), NOTHING);
    assert_eq!(shorter.pass(1, &[]), ["7 comms raised"]);

    let mut longer = turns();
    longer.pass(1, &["7 0 0"]);
    assert_eq!(follows(&mut longer, station(7, &periods(300, 10))), NOTHING);
    assert_eq!(longer.pass(308, &[]), NOTHING);
    assert_eq!(longer.pass(2, &[]), ["7 comms raised"]);

    let mut passed = turns();
    passed.pass(1, &["7 0 0"]);
    passed.pass(100, &[]);
    assert_eq!(
        follows(&mut passed, station(7, &periods(20, 10))),
        ["7 comms raised"],
        "it has passed already"
    );

    let mut unjudged = turns();
    unjudged.pass(1, &["7 0 0"]);
    let never = [("points.comms.enabled", Said::Flag(false))];
    assert_eq!(follows(&mut unjudged, station(7, &never)), NOTHING);
    assert_eq!(unjudged.pass(400, &[]), NOTHING);
    assert_eq!(follows(&mut unjudged, station(7, &[])), ["7 comms raised"]);
    assert_eq!(follows(&mut unjudged, station(7, &never)), ["7 comms disabled"]);
}

#[test]
fn what_an_area_says_holds_for_whoever_is_in_it() {
    let mut turns = turns();
    turns.pass(1, &["7 1 0", "8 1 0"]);
    let north = [("area", Said::Text("North"))];
    assert_eq!(follows(&mut turns, station(7, &north)), NOTHING);
    let says = What::SetArea { area: "North".into(), says: scope(&[DISABLED]), if_said: None };
    assert_eq!(follows(&mut turns, says), ["7 alarm1 disabled"]);
    assert_eq!(follows(&mut turns, station(8, &north)), ["8 alarm1 disabled"]);
    let raised = "7 alarm1 raised, on already when the settings were changed";
    assert_eq!(follows(&mut turns, station(7, &[("area", Said::Text("South"))])), [raised]);
}

/// Stations 1 to 3 are in the North when they fall silent.
#[test]
fn a_station_that_is_moved_counts_where_it_is() {
    let mut turns = turns();
    turns.pass(1, &["1 0 0", "2 0 0", "3 0 0", "4 0 0", "5 0 0", "6 0 0", "7 0 0", "8 0 0"]);
    for id in 1..=6 {
        turns.order(station(id, &[("area", Said::Text("South"))]));
    }
    for id in 1..=3 {
        turns.order(station(id, &[("area", Said::Text("North"))]));
    }
    let mut told = Vec::new();
    for _ in 0..4 {
        told.extend(turns.pass(60, &["4 0 0", "5 0 0", "6 0 0", "7 0 0", "8 0 0"]));
    }
    assert!(told[0].starts_with("area/North comms raised, 3 of 3 stations"), "{told:?}");
    assert!(told[1].starts_with("area/North comms stands_for 1 2 3"), "{told:?}");
    // The area is no more: each alarms for itself.
    let mut told = Vec::new();
    for id in 1..=3 {
        told.extend(follows(&mut turns, station(id, &[])));
    }
    told.extend(turns.pass(70, &["4 0 0", "5 0 0", "6 0 0", "7 0 0", "8 0 0"]));
    for id in 1..=3 {
        assert!(told.contains(&format!("{id} comms raised")), "{told:?}");
    }
    assert!(told.contains(&"area/North comms returned".to_owned()), "{told:?}");
}

#[test]
fn a_station_is_expected_and_heard_from_where_it_is_said() {
    let mut turns = turns();
    let by_ms = turns.clock.now().wall_ms;
    let by = |by_ms| [("expected_by", Said::Number(by_ms))];
    // A time of this century, long before which the server listens: it is silent once
    // that has come.
    let century_ms = 1_795_000_000_000;
    turns.skip(century_ms - by_ms, 0);
    turns.pass(400, &[]);
    let told = follows(&mut turns, station(7, &by(century_ms + 402_000)));
    assert_eq!(told, NOTHING);
    assert_eq!(turns.pass(2, &[]).len(), 1, "its time has come");
    let told = follows(&mut turns, station(7, &by(century_ms + 900_000)));
    assert_eq!(told, ["7 comms returned, it is not expected any more, or not yet"]);
    let told = turns.pass(600, &[]);
    assert!(told[0].starts_with("7 comms raised, never heard; expected by "), "{told:?}");

    assert_eq!(follows(&mut turns, station(8, &[("allow_from", Said::Text("10.0.0.5"))])), NOTHING);
    turns.pass(1, &["8 1 0 from 10.0.0.6"]);
    assert!(turns.recorder.store.find(StationId::new(8).unwrap()).is_none());
    assert_eq!(turns.pass(1, &["8 1 0 from 10.0.0.5"]), ["8 alarm1 raised"]);
    follows(&mut turns, station(8, &[]));
    let told = turns.pass(1, &["8 0 0 from 10.0.0.6"]);
    assert!(told.contains(&"8 alarm1 returned".to_owned()), "{told:?}");
}

#[test]
fn what_is_not_stored_does_not_hold_and_what_is_does_whatever_was_told() {
    for (fault, holds) in [(Fault::Full, false), (Fault::Unknown(false), false), (Fault::Unknown(true), true)]
    {
        let mut turns = turns();
        turns.pass(1, &["7 1 0"]);
        turns.fail(fault);
        let command =
            Command { what: station(7, &[DISABLED]), by: "Ada".into(), deadline: turns.clock.instant() };
        let (outcomes, _) = turns.obey(vec![command], &[]);
        assert_eq!(matches!(outcomes[..], [Outcome::Done(_)]), holds, "{fault:?}");
        turns.fail(Fault::None);
        turns.pass(5, &[]);
        assert_eq!(turns.recorder.store.alarms().is_empty(), holds, "{fault:?}");
        let settled = turns.recorder.store.book.settled(StationOverrides::default());
        assert_eq!(turns.recorder.watch.settled(), settled);
    }
}

fn a_scope() -> impl Strategy<Value = ScopeSays> {
    let period = proptest::option::of(prop_oneof![Just(60_i64), Just(120)]);
    let flag = || proptest::option::of(any::<bool>());
    (period, flag(), flag()).prop_map(|(period_s, alarm1, comms)| {
        let mut says = ScopeSays::default();
        for (field, said) in [
            ("period_s", period_s.map(Said::Number)),
            ("points.alarm1.enabled", alarm1.map(Said::Flag)),
            ("points.comms.enabled", comms.map(Said::Flag)),
        ] {
            said.into_iter().for_each(|said| says.say(field, said).unwrap());
        }
        says
    })
}

fn a_saying() -> impl Strategy<Value = What> {
    let area = || proptest::sample::select(vec!["North", "South", "West"]);
    let texts = (proptest::option::of(area()), any::<bool>(), any::<bool>());
    prop_oneof![
        1 => a_scope().prop_map(|says| What::SetFleet { says: Box::new(says), if_said: None }),
        2 => (area(), a_scope()).prop_map(|(area, says)| What::SetArea { area: area.into(), says: Box::new(says), if_said: None }),
        6 => (0..8_i64, texts, a_scope()).prop_map(|(id, (area, expected, allowed), judged)| {
            let mut says = StationSays::default().judged_by(judged);
            area.into_iter().for_each(|area| says.say("area", Said::Text(area)).unwrap());
            if expected {
                says.say("expected_by", Said::Number(1_000_000_000_000)).unwrap();
            }
            if allowed {
                says.say("allow_from", Said::Text("0.0.0.0/0, ::/0")).unwrap();
            }
            What::SetStation { station: StationId::new(id).unwrap(), says: Box::new(says), if_said: None }
        }),
    ]
}

proptest! {
    /// Whatever is said while it runs, it is as after a start on the same rows: what
    /// is settled, and what is in alarm.
    #[test]
    fn whatever_is_said_it_is_as_after_a_start(
        sayings in proptest::collection::vec((a_saying(), 1..90_i64), 1..12),
    ) {
        let mut running = turns();
        running.pass(1, &["1 1 0", "2 0 0", "3 1 1", "4 0 0", "5 0 0"]);
        for (what, seconds) in sayings {
            running.order(what);
            running.pass(seconds, &["1 1 0", "2 1 0", "3 0 1", "6 0 0"]);
        }
        running.pass(2, &[]);
        let settled = running.recorder.store.book.settled(StationOverrides::default());
        prop_assert_eq!(running.recorder.watch.settled(), settled);
        let alarms = running.recorder.store.alarms().clone();
        let mut restarted = running.restart_as_settled(0);
        let told = restarted.turn(&[]);
        prop_assert_eq!((told, restarted.recorder.store.alarms()), (Vec::<String>::new(), &alarms));
    }
}
