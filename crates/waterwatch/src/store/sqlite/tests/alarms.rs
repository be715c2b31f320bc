//! The ledger and the alarms' facts: recorded with what caused them, or not
//! at all.

use waterwatch_core::alarm::{Alarm, AlarmSource, Event, Kind, Point, State};

use super::*;
use crate::store::{AlarmKey, alarm_rows};

fn events(folder: &Path) -> Vec<Event> {
    let database = Connection::open(folder.join("data.sqlite")).unwrap();
    let query = format!("SELECT {} FROM alarm_event ORDER BY sequence", alarm_rows::EVENT_COLUMNS);
    let mut statement = database.prepare(&query).unwrap();
    statement.query_and_then([], alarm_rows::event).unwrap().collect::<Result<_, _>>().unwrap()
}

fn alarm1_of(number: i64) -> AlarmKey {
    (AlarmSource::Station(StationId::new(number).unwrap()), Point::Alarm1)
}

/// What a kill leaves of the database, in a folder of its own.
fn as_killed(folder: &Path) -> tempfile::TempDir {
    let left = tempfile::tempdir().unwrap();
    for name in ["data.sqlite", "data.sqlite-wal"] {
        std::fs::copy(folder.join(name), left.path().join(name)).unwrap();
    }
    left
}

/// A batch that says only this, with the sequence that is there.
fn alone(store: &SqliteStore, at_ms: i64) -> Batch {
    Batch { received_at_ms: at_ms, sequence: store.sequence(), form: Form::Journal, ..Batch::default() }
}

fn blind(sequence: i64, from_ms: i64, to_ms: i64) -> Event {
    let (mut sequence, mut events) = (sequence - 1, Vec::new());
    let mut ledger = waterwatch_core::alarm::Ledger { sequence: &mut sequence, events: &mut events };
    ledger.was_blind(from_ms, to_ms, "the server was held up");
    events.remove(0)
}

#[test]
fn what_happened_and_the_facts_survive_a_reopening_and_a_kill() {
    for form in [Form::Direct, Form::Journal] {
        let folder = tempfile::tempdir().unwrap();
        let mut store = open(folder.path());
        let mut told = Vec::new();
        // Raised and returned, raised, raised twice; and one that is fine.
        for (minute, reports) in [
            vec![(1, true), (2, true), (3, true), (4, false)],
            vec![(1, false), (2, true), (3, false), (4, false)],
            vec![(1, false), (2, true), (3, true), (4, false)],
        ]
        .into_iter()
        .enumerate()
        {
            let at_ms = BEGAN_MS + 60_000 * i64::try_from(minute).unwrap();
            let batch = batch(&store, form, at_ms, &reports);
            told.extend(batch.events.clone());
            store.commit(&batch).unwrap();
        }
        assert_eq!(events(folder.path()), told);
        let kinds: Vec<Kind> = told.iter().map(|event| event.kind).collect();
        use Kind::{Raised, RaisedAgain, Returned};
        assert_eq!(kinds, [Raised, Raised, Raised, Returned, Returned, RaisedAgain]);
        assert_eq!(store.sequence(), 12 + 6, "reports and events have one order");

        let before = known(&store);
        assert_eq!(store.alarms().len(), 3);
        let state = |store: &SqliteStore, number| store.alarms().get(&alarm1_of(number)).map(Alarm::state);
        assert_eq!(state(&store, 1), Some(State::ReturnedUnacknowledged));
        assert_eq!(state(&store, 3), Some(State::Unacknowledged));
        assert_eq!(state(&store, 4), None);
        let left = as_killed(folder.path());
        assert_eq!(known(&open(left.path())), before, "{form:?}");
        assert_eq!(events(left.path()), told);
        store.reopen().unwrap();
        assert_eq!(known(&store), before, "{form:?}");
    }
}

#[test]
fn an_alarm_at_rest_has_no_row_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    store.commit(&batch(&store, Form::Direct, BEGAN_MS, &[(1, true), (2, true)])).unwrap();
    assert_eq!(rows(&folder.path().join("data.sqlite"), &["alarm"]).len(), 2);
    let rest = Batch { alarms: vec![(alarm1_of(1), None)], ..alone(&store, BEGAN_MS) };
    store.commit(&rest).unwrap();
    assert_eq!(store.alarms().get(&alarm1_of(1)), None);
    assert_eq!(rows(&folder.path().join("data.sqlite"), &["alarm"]), ["alarm: Text(\"2 alarm1 1 4 1\")"]);
    let before = known(&store);
    store.reopen().unwrap();
    assert_eq!(known(&store), before);
}

/// In the middle of the transaction: its reports, and a first event, are
/// written by then.
#[test]
fn a_commit_that_fails_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    store.commit(&batch(&store, Form::Direct, BEGAN_MS, &[(1, true), (2, false)])).unwrap();
    let (before, recorded) = (known(&store), tables(folder.path()));
    let mut failing = batch(&store, Form::Journal, BEGAN_MS + 60_000, &[(1, false), (2, false), (3, true)]);
    assert_eq!(failing.events.len(), 2);
    failing.is_alive = true;
    failing.events.push(failing.events[0].clone());
    let error = store.commit(&failing).unwrap_err();
    assert!(matches!(error, StoreError::OutcomeUnknown(_)), "{error}");
    assert_eq!(known(&store), before);
    assert_eq!(tables(folder.path()), recorded);
    store.reopen().unwrap();
    assert_eq!(known(&store), before);
    failing.events.pop();
    store.commit(&failing).unwrap();
    assert_eq!(events(folder.path()).len(), 3);
}

#[test]
fn events_facts_and_that_the_server_is_alive_are_recorded_alone_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.sqlite");
    let mut store = open(folder.path());
    let reports = batch(&store, Form::Direct, BEGAN_MS, &[(1, true)]);
    store.commit(&reports).unwrap();
    let event = blind(store.sequence() + 1, BEGAN_MS, BEGAN_MS + 5_000);
    let batches = [
        Batch { sequence: event.sequence, events: vec![event.clone()], ..alone(&store, BEGAN_MS + 5_000) },
        Batch {
            sequence: event.sequence,
            alarms: vec![(alarm1_of(9), reports.alarms[0].1.clone())],
            ..alone(&store, BEGAN_MS + 6_000)
        },
        Batch { sequence: event.sequence, is_alive: true, ..alone(&store, BEGAN_MS + 7_000) },
    ];
    for batch in &batches {
        assert!(!batch.is_empty());
        store.commit(batch).unwrap();
        assert_eq!(store.sequence(), event.sequence);
        assert_eq!(known(&open(as_killed(folder.path()).path())), known(&store));
    }
    assert_eq!(events(folder.path()).last(), Some(&event));
    assert_eq!(store.alarms().len(), 2);
    assert_eq!(store.alive_until_ms(), Some(BEGAN_MS + 7_000));
    assert_eq!(rows(&path, &["journal"]), [""; 0]);
    assert_eq!(store.journal.commits.len(), 0);
}

/// Until when the server was alive, after each of these; and no other after a
/// kill.
#[test]
fn until_when_the_server_was_alive_is_known_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    assert_eq!(store.alive_until_ms(), None);
    let alive = |store: &SqliteStore, at_ms| Batch { is_alive: true, ..alone(store, at_ms) };
    let reports =
        |store: &SqliteStore, form, at_ms, alarm1| batch(store, form, at_ms, &[(1, alarm1), (2, false)]);
    let event = |store: &SqliteStore, at_ms| {
        let event = blind(store.sequence() + 1, BEGAN_MS, at_ms);
        Batch { sequence: event.sequence, events: vec![event], ..alone(store, at_ms) }
    };
    let mut expect = |what: &str, at_ms: i64, batch: &dyn Fn(&SqliteStore, i64) -> Batch| {
        store.commit(&batch(&store, BEGAN_MS + at_ms)).unwrap();
        assert_eq!(store.alive_until_ms(), Some(BEGAN_MS + at_ms), "{what}");
        let left = open(as_killed(folder.path()).path());
        assert_eq!(left.alive_until_ms(), Some(BEGAN_MS + at_ms), "{what}, after a kill");
    };
    expect("it says so", 0, &alive);
    expect("first reports", 1_000, &|store, at_ms| reports(store, Form::Direct, at_ms, false));
    expect("journaled ones", 2_000, &|store, at_ms| reports(store, Form::Journal, at_ms, false));
    expect("it says so later", 3_000, &alive);
    expect("a change", 4_000, &|store, at_ms| reports(store, Form::Journal, at_ms, true));
    expect("an event", 5_000, &event);
    expect("an event that tells of an earlier time", 6_000, &|store, at_ms| Batch {
        received_at_ms: at_ms,
        ..event(store, at_ms - 1_500)
    });
    expect("the clock is set back: reports", -3_600_000, &|store, at_ms| {
        reports(store, Form::Journal, at_ms, true)
    });
    expect("and on", -3_540_000, &|store, at_ms| reports(store, Form::Direct, at_ms, true));
    expect("set back again: an event", -7_200_000, &event);
}

/// One of its dates may lie ahead, and would pass for a clock that was set.
#[test]
fn an_old_servers_database_does_not_tell_when_a_server_of_ours_was_alive() {
    let folder = tempfile::tempdir().unwrap();
    Connection::open(folder.path().join("data.sqlite"))
        .unwrap()
        .execute_batch(
            "CREATE TABLE station_status (station_id INTEGER PRIMARY KEY, last_date TEXT, alarm1 INTEGER,
                 alarm2 INTEGER);
             INSERT INTO station_status VALUES (5, '2099-11-24 01:46', 0, 1), (7, '2026-11-24 01:45', 0, 1)",
        )
        .unwrap();
    let mut store = open(folder.path());
    assert_eq!((store.alive_until_ms(), store.sequence()), (None, 0));
    // Also at the next start, if nothing was reported until then.
    store.reopen().unwrap();
    assert_eq!(store.alive_until_ms(), None);
    store.commit(&Batch { is_alive: true, ..alone(&store, BEGAN_MS - 60_000) }).unwrap();
    store.reopen().unwrap();
    assert_eq!(store.alive_until_ms(), Some(BEGAN_MS - 60_000), "what it said itself");
    store.commit(&batch(&store, Form::Direct, BEGAN_MS - 30_000, &[(7, true)])).unwrap();
    store.reopen().unwrap();
    assert_eq!(store.alive_until_ms(), Some(BEGAN_MS - 30_000), "what it received last");
}

#[test]
fn what_no_server_wrote_keeps_it_from_starting_and_is_named() {
    for (statement, refusal) in [
        ("INSERT INTO server VALUES ('alive_at', 'yesterday')", "alive_at of server is \"yesterday\""),
        ("INSERT INTO server VALUES ('alive_at', '9223372036854775807')", "which no server wrote"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.sqlite");
        let mut store = open(folder.path());
        store.commit(&batch(&store, Form::Direct, BEGAN_MS, &[(1, true)])).unwrap();
        drop(store);
        Connection::open(&path).unwrap().execute_batch(statement).unwrap();
        let lock = DataLock::acquire(&path).unwrap();
        let error = SqliteStore::open(&path, lock, TimeZone::UTC, Limits::default()).unwrap_err();
        assert!(format!("{error:#}").contains(refusal), "{error:#}");
    }
}

/// Of the station of which nothing else is wrong, all that is known stays known.
#[test]
fn a_row_that_cannot_be_read_is_named_and_nothing_else_is_lost() {
    let facts = "in alarm, the row of source 1 and point the text \"alarm1\"";
    for (statement, why, is_alarm) in [
        ("UPDATE alarm SET raised_at = NULL WHERE source = 1", facts, true),
        ("UPDATE alarm SET source = -1 WHERE source = 1", "in alarm, the row of source -1", false),
        ("UPDATE alarm SET point = 'alarm9' WHERE source = 1", "point is the text \"alarm9\"", false),
        (
            "INSERT INTO silent_together VALUES (1, 5, 5, x'ff')",
            "in silent_together, the entry 1 cannot be read: stations is a blob",
            false,
        ),
        (
            "INSERT INTO station_life (station_id, retired_at) VALUES (2, 5)",
            "in station_life, the row of station 2 cannot be read",
            false,
        ),
        ("UPDATE station_state SET reports = -1 WHERE station_id = 1", "in station_state, the row of", false),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.sqlite");
        let mut store = open(folder.path());
        store.commit(&batch(&store, Form::Direct, BEGAN_MS, &[(1, true), (2, true)])).unwrap();
        let sequence = store.sequence();
        drop(store);
        let connection = Connection::open(&path).unwrap();
        assert!(connection.execute(statement, []).unwrap() > 0, "{statement}");
        let lock = DataLock::acquire(&path).unwrap();
        let store = SqliteStore::open(&path, lock, TimeZone::UTC, Limits::default()).unwrap();
        let [row] = store.unreadable() else { panic!("{statement}: {:?}", store.unreadable()) };
        assert!(row.why.contains(why), "{statement}: {}", row.why);
        assert_eq!(row.alarm, is_alarm.then(|| alarm1_of(1)), "{statement}");
        assert_eq!(store.figures().unreadable_rows, 1);
        assert_eq!((store.sequence(), store.station_count()), (sequence, 2), "{statement}");
        assert!(store.alarms().get(&alarm1_of(2)).is_some(), "{statement}");
    }
}

#[test]
fn what_was_raised_is_known_by_its_event() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    store.commit(&batch(&store, Form::Direct, BEGAN_MS, &[(1, true), (2, false)])).unwrap();
    let raised = store.alarms().get(&alarm1_of(1)).unwrap().occurrence.as_ref().unwrap().sequence;
    assert!(store.has_occurred(&alarm1_of(1), raised).unwrap());
    assert!(!store.has_occurred(&alarm1_of(1), raised - 1).unwrap(), "that is the report");
    assert!(!store.has_occurred(&alarm1_of(2), raised).unwrap(), "that is another one's");
}
