//! Operators' commands, from the lane to what they are told.

use waterwatch_core::alarm::{AlarmSource, Point, Rejected, State};
use waterwatch_core::settings::Said;

use super::turns::{Turns, turns};
use super::*;
use crate::command::{Command, Done, NotDone, Outcome, What};
use crate::station_says::StationSays;
use crate::store::AlarmKey;
use crate::writer::clock::Clock;
use crate::writer::simulation::disk::Fault;

fn alarm1(id: i64) -> AlarmKey {
    (AlarmSource::Station(StationId::new(id).unwrap()), Point::Alarm1)
}

fn acknowledge(turns: &Turns, id: i64, by: &str) -> Command {
    let alarm = alarm1(id);
    let open = turns.recorder.store.alarms().get(&alarm).and_then(|alarm| alarm.occurrence.as_ref());
    let what = What::Acknowledge { alarm, occurrence: open.map_or(0, |open| open.sequence) };
    Command { what, by: by.into(), deadline: turns.clock.instant() }
}

fn done(outcome: &Outcome) -> Done {
    match outcome {
        Outcome::Done(done) => *done,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_command_comes_before_the_reports_of_its_batch_and_hears_how_it_is_after_it() {
    let mut turns = turns();
    turns.pass(1, &["1 1 0"]);
    let (outcomes, told) = turns.obey(vec![acknowledge(&turns, 1, "Ada")], &["1 0 0"]);
    assert_eq!(told, ["1 alarm1 acknowledged", "1 alarm1 returned"]);
    let done = done(&outcomes[0]);
    assert_eq!((done.state, done.occurrence.is_some()), (Some(State::Acknowledged), true));
    assert_eq!(done.sequence + 2, turns.recorder.store.sequence(), "before the report and its event");
}

#[test]
fn one_that_is_rejected_changes_nothing_of_the_others() {
    let mut turns = turns();
    turns.pass(1, &["1 1 0", "2 1 0"]);
    let until_ms = turns.clock.now().wall_ms;
    let too_late = What::Shelve { alarm: alarm1(2), until_ms, reason: "a pump is changed".into() };
    let commands = vec![
        acknowledge(&turns, 1, "Ada"),
        acknowledge(&turns, 1, "Ben"),
        Command { what: too_late, by: "Ada".into(), deadline: turns.clock.instant() },
        acknowledge(&turns, 2, "Ben"),
    ];
    let (outcomes, told) = turns.obey(commands, &["3 0 0"]);
    assert_eq!(told, ["1 alarm1 acknowledged", "2 alarm1 acknowledged"]);
    assert_eq!(done(&outcomes[0]).state, Some(State::Acknowledged));
    let at_ms = turns.clock.now().wall_ms;
    assert_eq!(outcomes[1], Outcome::Rejected(Rejected::AlreadyAcknowledged { by: "Ada".into(), at_ms }));
    assert_eq!(outcomes[2], Outcome::Rejected(Rejected::EndHasPassed));
    assert_eq!(done(&outcomes[3]).state, Some(State::Acknowledged));
}

#[test]
fn what_one_request_lists_is_one_turn_and_each_is_judged_by_itself() {
    let mut turns = turns();
    turns.pass(1, &["1 1 0", "2 1 0", "3 1 0"]);
    let twice = vec![
        acknowledge(&turns, 1, "Ada"),
        acknowledge(&turns, 1, "Ada"),
        acknowledge(&turns, 9, "Ada"),
        acknowledge(&turns, 2, "Ada"),
    ];
    let requests = vec![vec![acknowledge(&turns, 3, "Ben")], twice, vec![acknowledge(&turns, 3, "Cleo")]];
    let (outcomes, told) = turns.obey_requests(requests, &[]);
    assert_eq!(told, ["3 alarm1 acknowledged", "1 alarm1 acknowledged", "2 alarm1 acknowledged"]);
    let [ben, ada, cleo] = &outcomes[..] else { panic!("{outcomes:?}") };
    let is_done = |outcome: &Outcome| matches!(outcome, Outcome::Done(_));
    assert!(is_done(&ben[0]) && !is_done(&cleo[0]), "{outcomes:?}");
    assert_eq!(ada.iter().map(is_done).collect::<Vec<_>>(), [true, false, false, true], "{ada:?}");
    let station = StationId::new(9).unwrap();
    assert_eq!(ada[2], Outcome::Rejected(Rejected::NoSuchStation { station }));
}

#[test]
fn of_a_request_that_is_late_or_not_stored_nothing_is_done() {
    let mut turns = turns();
    turns.pass(1, &["1 1 0", "2 1 0"]);
    let both = vec![acknowledge(&turns, 1, "Ada"), acknowledge(&turns, 2, "Ada")];
    let mut one_late = both.clone();
    one_late[0].deadline += Duration::from_secs(60);
    turns.skip(1, 1);
    let (outcomes, told) = turns.obey_requests(vec![one_late], &[]);
    assert_eq!((&outcomes[0], told.len()), (&vec![Outcome::NotDone(NotDone::TooLate); 2], 0));
    let in_time = vec![acknowledge(&turns, 1, "Ada"), acknowledge(&turns, 9, "Ada")];
    turns.recorder.store.fault = Fault::Full;
    let (outcomes, told) = turns.obey_requests(vec![in_time], &[]);
    assert_eq!((&outcomes[0], told.len()), (&vec![Outcome::NotDone(NotDone::NotStored); 2], 0));
}

#[test]
fn one_whose_caller_waits_no_more_is_not_decided() {
    let mut turns = turns();
    turns.pass(1, &["1 1 0"]);
    let command = acknowledge(&turns, 1, "Ada");
    turns.skip(1, 1);
    let (outcomes, told) = turns.obey(vec![command], &[]);
    assert_eq!((&outcomes[..], told.len()), (&[Outcome::NotDone(NotDone::TooLate)][..], 0));
}

fn shelve(turns: &Turns, id: i64) -> What {
    let until_ms = turns.clock.now().wall_ms + 60_000;
    What::Shelve { alarm: alarm1(id), until_ms, reason: "a pump is changed".into() }
}

fn all_at_once(turns: &mut Turns, wanted: Vec<What>) -> Vec<Outcome> {
    let deadline = turns.clock.instant();
    let commands = wanted.into_iter().map(|what| Command { what, by: "Ada".into(), deadline });
    turns.obey(commands.collect(), &[]).0
}

#[test]
fn nothing_is_done_to_a_station_that_nobody_knows() {
    let mut turns = turns();
    let station = StationId::new(7).unwrap();
    let (alarm, until_ms) = (alarm1(7), turns.clock.now().wall_ms + 60_000);
    let reason: Box<str> = "it floods".into();
    let wanted = vec![
        shelve(&turns, 7),
        What::Unshelve { alarm: alarm.clone() },
        What::TakeOutOfService { alarm: alarm.clone(), until_ms, reason: reason.clone() },
        What::ReturnToService { alarm: alarm.clone() },
        What::Acknowledge { alarm: alarm.clone(), occurrence: 1 },
        What::Note { alarm, occurrence: None, text: reason.clone() },
        What::Pause { station, until_ms, reason: reason.clone() },
        What::Resume { station },
        What::BeginVisit { station, until_ms, reason: None },
        What::EndVisit { station },
        What::Retire { station, reason },
    ];
    let unknown = Outcome::Rejected(Rejected::NoSuchStation { station });
    for outcome in all_at_once(&mut turns, wanted) {
        assert_eq!(outcome, unknown);
    }
    // Once something is said of it, in the same batch too; and while something is kept of it.
    let mut says = StationSays::default();
    says.say("name", Said::Text("North")).unwrap();
    let say = |says| What::SetStation { station, says: Box::new(says), if_said: None };
    let wanted = vec![say(says.clone()), shelve(&turns, 7), say(StationSays::default()), shelve(&turns, 7)];
    let outcomes = all_at_once(&mut turns, wanted);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Done(_))), "{outcomes:?}");
    let wanted = vec![What::Unshelve { alarm: alarm1(7) }, shelve(&turns, 7), say(says), shelve(&turns, 7)];
    let outcomes = all_at_once(&mut turns, wanted);
    assert_eq!(outcomes[1], unknown);
    assert!(matches!(outcomes[3], Outcome::Done(_)), "{outcomes:?}");
    let unsay = vec![What::Unshelve { alarm: alarm1(7) }, say(StationSays::default()), shelve(&turns, 7)];
    assert_eq!(all_at_once(&mut turns, unsay)[2], unknown);
}

#[test]
fn what_depends_on_what_cannot_be_read_is_not_done() {
    let mut turns = turns();
    turns.pass(1, &["1 1 0"]);
    // One that is over by now is in the ledger alone.
    let over = acknowledge(&turns, 1, "Ada").what;
    let What::Acknowledge { occurrence, .. } = over else { panic!("{over:?}") };
    turns.order(over);
    turns.pass(1, &["1 0 0"]);
    turns.pass(1, &["1 1 0"]);
    let wanted = || {
        let ledger = What::Note { alarm: alarm1(1), occurrence: Some(occurrence), text: "a float".into() };
        let mut says = StationSays::default();
        says.say("name", Said::Text("North")).unwrap();
        let (area, says_of) = ("North".into(), || Box::new(says.judged().clone()));
        vec![
            ledger,
            What::SetStation {
                station: StationId::new(1).unwrap(),
                says: Box::new(says.clone()),
                if_said: None,
            },
            What::SetArea { area, says: says_of(), if_said: None },
            What::SetFleet { says: says_of(), if_said: None },
        ]
    };
    let acknowledge = acknowledge(&turns, 1, "Ada").what;
    turns.recorder.store.is_unreadable = true;
    let outcomes = all_at_once(&mut turns, wanted().into_iter().chain([acknowledge]).collect());
    assert_eq!(outcomes[..4], vec![Outcome::NotDone(NotDone::NotRead); 4]);
    assert!(matches!(outcomes[4], Outcome::Done(_)), "what is in memory is done: {outcomes:?}");
    turns.recorder.store.is_unreadable = false;
    let outcomes = all_at_once(&mut turns, wanted());
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Done(_))), "{outcomes:?}");
}

#[test]
fn what_is_not_stored_is_not_done_nor_rejected_for_what_was_not_stored() {
    for fault in [Fault::Full, Fault::Unknown(false)] {
        let mut turns = turns();
        turns.pass(1, &["1 1 0"]);
        turns.fail(fault);
        let commands = vec![acknowledge(&turns, 1, "Ada"), acknowledge(&turns, 1, "Ben")];
        let (outcomes, _) = turns.obey(commands, &[]);
        let not_stored = Outcome::NotDone(NotDone::NotStored);
        assert_eq!(outcomes, [not_stored.clone(), not_stored], "{fault:?}");
        turns.fail(Fault::None);
        let command = acknowledge(&turns, 1, "Ben");
        let (outcomes, _) = turns.obey(vec![command], &[]);
        assert_eq!(done(&outcomes[0]).state, Some(State::Acknowledged), "{fault:?}");
    }
}

#[test]
fn what_is_found_on_the_disk_after_a_doubtful_commit_is_done() {
    let mut turns = turns();
    turns.pass(1, &["1 1 0"]);
    turns.fail(Fault::Unknown(true));
    let (outcomes, told) = turns.obey(vec![acknowledge(&turns, 1, "Ada")], &[]);
    assert_eq!(done(&outcomes[0]).state, Some(State::Acknowledged));
    assert_eq!(told, ["1 alarm1 acknowledged"]);
}

/// Through the lane and the thread, beside a store that fails for good.
#[test]
fn of_a_writer_that_ends_by_a_failure_nothing_is_known() {
    let store = FaultyStore::default();
    store.durable.lock().unwrap().faults = vec![super::Fault::None, super::Fault::Unknown];
    store.durable.lock().unwrap().reopen_fails = true;
    let (lane, operators, receiver) = lane::open(1_000);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let shelve = |point| {
        let until_ms = jiff::Timestamp::now().as_millisecond() + 60_000;
        let alarm = (AlarmSource::Server, point);
        let what = What::Shelve { alarm, until_ms, reason: "a pump is changed".into() };
        Command { what, by: "Ada".into(), deadline: Instant::now() + Duration::from_secs(60) }
    };
    let writer = thread::spawn(move || {
        let (stopping, onlookers) = (CancellationToken::new(), Onlookers::default());
        run(receiver, store, Rules::of(&limits()), || {}, &stopping, onlookers)
    });
    // Nobody reports, and nothing else wakes the writer for half a second.
    let began = Instant::now();
    let outcomes =
        [Point::Comms, Point::NewStations].map(|point| runtime.block_on(operators.ask(shelve(point))));
    assert!(began.elapsed() < Duration::from_secs(30));
    assert_eq!(done(&outcomes[0]).state, Some(State::Shelved));
    assert_eq!(outcomes[1], Outcome::Unknown);
    assert!(writer.join().unwrap().is_err());
    assert_eq!(runtime.block_on(operators.ask(shelve(Point::Comms))), Outcome::NotDone(NotDone::Stopping));
    drop(lane);
}

/// Whoever invents areas and points fills nothing.
#[test]
fn what_does_not_exist_is_not_put_aside() {
    let mut turns = turns();
    let (until_ms, reason): (i64, Box<str>) = (1_001_000_000, "a pump is changed".into());
    let no_area = (AlarmSource::Area("Nowhere".into()), Point::Comms);
    let no_point = (AlarmSource::Server, Point::Alarm1);
    let of_server = (AlarmSource::Station(StationId::new(7).unwrap()), Point::NewStations);
    turns.pass(1, &["7 0 0"]);
    for alarm in [no_area, no_point, of_server] {
        let (of, point) = alarm.clone();
        let what = What::Shelve { alarm, until_ms, reason: reason.clone() };
        let deadline = turns.clock.instant() + Duration::from_secs(1);
        let (outcomes, told) = turns.obey(vec![Command { what, by: "Ana".into(), deadline }], &[]);
        assert_eq!(outcomes, [Outcome::Rejected(Rejected::NoSuchAlarm { of, point })]);
        assert!(told.iter().all(|line| !line.contains("shelved")), "{told:?}");
    }
    assert!(turns.recorder.store.alarms().is_empty());
}

#[test]
fn a_note_is_about_an_occurrence_that_there_is_or_was_and_changes_nothing() {
    let mut turns = turns();
    turns.pass(1, &["1 1 0"]);
    let first = turns.recorder.store.alarms().get(&alarm1(1)).unwrap().occurrence.clone().unwrap().sequence;
    let note = |turns: &Turns, occurrence, text: &str| {
        let what = What::Note { alarm: alarm1(1), occurrence, text: text.into() };
        Command { what, by: "Ada".into(), deadline: turns.clock.instant() }
    };
    let alarms = turns.recorder.store.alarms().clone();
    let commands = vec![
        note(&turns, None, " the pump hums "),
        note(&turns, Some(first), "still"),
        note(&turns, Some(first + 1), "no such one"),
        note(&turns, None, " "),
        note(&turns, None, &"x".repeat(501)),
    ];
    let (outcomes, told) = turns.obey(commands, &[]);
    assert_eq!(told, ["1 alarm1 note, the pump hums", "1 alarm1 note, still"]);
    let of = done(&outcomes[0]);
    assert_eq!((of.state, of.occurrence), (Some(State::Unacknowledged), Some(first)));
    let rejected = |named| Outcome::Rejected(Rejected::NoSuchOccurrence { named });
    assert_eq!(outcomes[2], rejected(Some(first + 1)));
    assert_eq!(outcomes[3], Outcome::Rejected(Rejected::Missing("a note")));
    assert_eq!(outcomes[4], Outcome::Rejected(Rejected::TooLong { what: "a note", chars_max: 500 }));
    assert_eq!(turns.recorder.store.alarms(), &alarms);
    // It is over: named it still can be.
    let command = acknowledge(&turns, 1, "Ada");
    turns.obey(vec![command], &["1 0 0"]);
    let commands = vec![note(&turns, Some(first), "the fuse was blown"), note(&turns, None, "which one?")];
    let (outcomes, told) = turns.obey(commands, &[]);
    assert_eq!((done(&outcomes[0]).occurrence, &outcomes[1]), (None, &rejected(None)));
    assert_eq!(told, ["1 alarm1 note, the fuse was blown"]);
}
