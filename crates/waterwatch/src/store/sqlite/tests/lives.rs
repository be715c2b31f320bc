//! Visits and retirements: recorded with what the ledger says of them.

use std::time::{Duration, Instant};

use waterwatch_core::settings::StationOverrides;

use super::*;
use crate::command::Command;

/// A batch of what operators want and of reports, as they are decided.
pub(super) fn ordered(store: &SqliteStore, at_ms: i64, whats: &[What]) -> Batch {
    let at = Now { wall_ms: at_ms, steady_ms: at_ms };
    // Of one of them something is said: it is known, also if it was never heard.
    let mut settings = Settings::default();
    settings.say(StationId::new(70).unwrap(), StationOverrides::default(), None);
    let mut watch = Watch::start(settings, store, at);
    let mut draft = Draft::default();
    let deadline = Instant::now() + Duration::from_secs(60);
    let command = |what: &What| Command { what: what.clone(), by: "Ana".into(), deadline };
    let commands: Vec<Command> = whats.iter().map(command).collect();
    let decided = draft.decide(store, &mut watch, at, usize::MAX, commands.iter(), std::iter::empty());
    assert!(decided.obeyed.iter().all(Result::is_ok), "{decided:?}");
    draft.batch
}

#[test]
fn visits_and_retirements_survive_a_reopening_and_end_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    store.commit(&batch(&store, Form::Direct, BEGAN_MS, &[(1, true), (2, false)])).unwrap();
    let [one, two, never_heard] = [1, 2, 70].map(|number| StationId::new(number).unwrap());
    let until_ms = BEGAN_MS + 3_600_000;
    let begins = ordered(
        &store,
        BEGAN_MS + 1_000,
        &[
            What::Retire { station: one, reason: "it is sold".into() },
            What::BeginVisit { station: two, until_ms, reason: None },
            What::BeginVisit { station: never_heard, until_ms, reason: Some("it is wired".into()) },
        ],
    );
    store.commit(&begins).unwrap();
    let lives = store.lives().clone();
    assert_eq!((lives.len(), lives.is_retired(one)), (3, true));
    assert!(store.alarms().is_empty(), "what is retired is closed with it");
    store.reopen().unwrap();
    assert_eq!(*store.lives(), lives);
    drop(store);
    let mut store = open(folder.path());
    assert_eq!(*store.lives(), lives);
    assert_eq!(store.sequence(), begins.sequence);
    let seen = Reader::open(&folder.path().join("data.sqlite")).unwrap().stations(&TimeZone::UTC).unwrap();
    let seen: Vec<_> = seen.iter().map(|seen| (seen.station_id, seen.life.as_deref())).collect();
    let wanted: Vec<_> = lives.iter().map(|(id, life)| (id, Some(life))).collect();
    assert_eq!(seen, wanted, "also one that was never heard");
    // It says what was last known, under whatever load.
    store.commit(&batch(&store, Form::Journal, BEGAN_MS + 2_000, &[(1, true)])).unwrap();
    let ends = ordered(
        &store,
        BEGAN_MS + 3_000,
        &[What::EndVisit { station: two }, What::EndVisit { station: never_heard }],
    );
    store.commit(&ends).unwrap();
    assert!(store.lives().is_empty());
    assert_eq!(store.alarms().len(), 1, "the retired one has raised");
    let alarms = store.alarms().clone();
    drop(store);
    let store = open(folder.path());
    assert!(store.lives().is_empty());
    assert_eq!(*store.alarms(), alarms);
}

#[test]
fn of_a_station_that_is_forgotten_the_ledger_alone_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let [one, two, three] = [1, 2, 3].map(|number| StationId::new(number).unwrap());
    store.commit(&batch(&store, Form::Direct, BEGAN_MS, &[(1, false), (2, false), (3, true)])).unwrap();
    // A span each, a journal in which they are, and all else that is kept of a station.
    for (after_ms, on) in [(1_000, true), (2_000, false)] {
        store.commit(&batch(&store, Form::Direct, BEGAN_MS + after_ms, &[(1, on), (2, on)])).unwrap();
    }
    store.commit(&batch(&store, Form::Journal, BEGAN_MS + 3_000, &[(1, false), (2, false)])).unwrap();
    let until_ms = BEGAN_MS + 3_600_000;
    let visit = What::BeginVisit { station: one, until_ms, reason: None };
    let pause = What::Pause { station: one, until_ms, reason: "winter".into() };
    store.commit(&ordered(&store, BEGAN_MS + 4_000, &[visit, pause])).unwrap();
    let spans = store.span_rows;
    let all = rows(&folder.path().join("data.sqlite"), &["status", "state", "span", "alarm"]);
    assert!(all.iter().any(|row| row.starts_with("span: Text(\"1 ")), "{all:?}");

    store
        .commit(&ordered(&store, BEGAN_MS + 5_000, &[What::Forget { station: one, if_said: None }]))
        .unwrap();
    assert!(store.find(one).is_none() && store.lives().is_empty());
    assert_eq!((store.station_count(), store.places()), (2, 3));
    assert_eq!(store.span_rows, spans - 2);
    let left = rows(&folder.path().join("data.sqlite"), &["status", "state", "span", "alarm"]);
    let is_of_others = |row: &&String| !row.contains("Text(\"1 ");
    assert_eq!(left, all.iter().filter(is_of_others).cloned().collect::<Vec<_>>());
    let events = rows(&folder.path().join("data.sqlite"), &["event"]);
    assert!(events.last().unwrap().contains(" 1 comms forgotten"), "{events:?}");
    // The journal that has it brings nothing back.
    store.reopen().unwrap();
    assert!(store.find(one).is_none() && store.find(two).is_some());
    // It is new should it report; and so is whoever takes its place.
    for number in [9, 1] {
        let heard = batch(&store, Form::Journal, BEGAN_MS + 6_000, &[(number, false)]);
        assert_eq!(heard.changes[0].novelty, waterwatch_core::Novelty::First);
        store.commit(&heard).unwrap();
    }
    assert_eq!(store.find(one).unwrap().1.reports, 1);
    let before = known(&store);
    drop(store);
    let store = open(folder.path());
    assert_eq!(known(&store), before);
    assert!(store.find(three).is_some_and(|(_, station)| station.alarm1));
}

/// What the journal ended of it is of before.
#[test]
fn a_station_that_is_forgotten_and_reports_at_once_has_no_past() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let one = StationId::new(1).unwrap();
    let commit = |store: &mut SqliteStore, after_ms| {
        let heard = batch(store, Form::Journal, BEGAN_MS + after_ms, &[(1, false)]);
        store.commit(&heard).unwrap();
    };
    commit(&mut store, 0);
    commit(&mut store, 1_000);
    // After a gap: its span is over, and has no row yet.
    commit(&mut store, 400_000);
    assert_eq!((store.spans.len(), store.span_rows), (1, 0));
    let mut again = ordered(&store, BEGAN_MS + 401_000, &[What::Forget { station: one, if_said: None }]);
    let elsewhere = tempfile::tempdir().unwrap();
    let new = batch(&open(elsewhere.path()), Form::Journal, BEGAN_MS + 401_000, &[(1, true)]);
    again.changes = new.changes;
    again.changes[0].station.sequence = again.sequence + 1;
    (again.reports, again.sequence) = (1, again.sequence + 1);
    store.commit(&again).unwrap();
    assert_eq!((store.spans.len(), store.span_rows), (0, 0));
    assert_eq!(rows(&folder.path().join("data.sqlite"), &["span"]), [""; 0]);
}
