//! Databases of earlier versions.

use waterwatch_core::alarm::Point;

use super::*;

/// The tables that version 2 had.
const OLD_TABLES: [&str; 4] = ["status", "state", "span", "journal"];

#[test]
fn an_older_database_is_brought_up_to_date_and_a_copy_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.sqlite");
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "CREATE TABLE station_status (station_id INTEGER PRIMARY KEY, last_date TEXT NOT NULL,
                 alarm1 INTEGER NOT NULL, alarm2 INTEGER NOT NULL);
             CREATE TABLE station_state (station_id INTEGER PRIMARY KEY, sequence INTEGER NOT NULL,
                 received_at INTEGER NOT NULL, reports INTEGER NOT NULL) STRICT;
             INSERT INTO station_status VALUES (5, '2026-11-24 01:46', 1, 0);
             INSERT INTO station_state VALUES (5, 9, 1795484760000, 4);
             PRAGMA application_id = 2002875511; PRAGMA user_version = 1",
        )
        .unwrap();
    // Of an earlier start, and killed ones.
    for stale in ["data.sqlite.schema-1", "data.sqlite.schema-1.new"] {
        std::fs::write(folder.path().join(stale), "stale").unwrap();
    }
    let store = open(folder.path());
    let (_, station) = store.find(StationId::new(5).unwrap()).unwrap();
    assert_eq!((station.sequence, station.reports, station.alarm1), (9, 4, true));
    assert_eq!(station.span, OpenSpan::default());
    assert!(store.knew_no_alarms());
    drop(store);
    assert_eq!(schema::existing(&path).unwrap(), Kind::Ours);
    assert_eq!(schema::existing(&folder.path().join("data.sqlite.schema-1")).unwrap(), Kind::Older(1));
}

/// All that version 2 had is there afterwards, what was journaled as well.
#[test]
fn a_database_without_alarms_keeps_everything() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let chatter: Vec<(i64, bool)> = (0..40).map(|number| (number % 8, number % 3 == 0)).collect();
    store.commit(&batch(&store, Form::Direct, BEGAN_MS, &chatter)).unwrap();
    let repeats: Vec<(i64, bool)> = (0..store.station_count())
        .map(|index| store.station(Slot::new(index)))
        .map(|(id, station)| (id.get(), station.alarm1))
        .collect();
    store.commit(&batch(&store, Form::Journal, BEGAN_MS + 1_000, &repeats)).unwrap();
    let number = store.listener("127.0.0.1:54321").unwrap();
    drop(store);
    let path = folder.path().join("data.sqlite");
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "DROP TABLE alarm; DROP TABLE alarm_event; DROP TABLE station_settings; DROP TABLE area_settings;
             DROP TABLE point_settings; DROP TABLE fleet_settings; DROP TABLE silent_together; DROP TABLE station_life;
             DROP TABLE contest; DROP TABLE token; PRAGMA user_version = 2",
        )
        .unwrap();
    assert_eq!(schema::existing(&path).unwrap(), Kind::Older(2));
    let before = rows(&path, &OLD_TABLES);
    for table in OLD_TABLES {
        assert!(before.iter().any(|line| line.starts_with(table)), "{table} in {before:?}");
    }
    let mut store = open(folder.path());
    assert_eq!(rows(&path, &OLD_TABLES), before);
    assert_eq!(store.listener("127.0.0.1:54321").unwrap(), number);
    assert_eq!(store.alive_until_ms(), Some(BEGAN_MS + 1_000), "the last commit in the journal");
    assert!(store.alarms().is_empty());
    drop(store);
    let copy = folder.path().join("data.sqlite.schema-2");
    assert_eq!(schema::existing(&copy).unwrap(), Kind::Older(2));
    assert_eq!(rows(&copy, &OLD_TABLES), before);
}

/// Nothing that was judged is judged again.
#[test]
fn a_database_without_stations_that_are_silent_together_keeps_its_alarms() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.sqlite");
    let mut store = open(folder.path());
    store.commit(&batch(&store, Form::Direct, BEGAN_MS, &[(1, true), (2, false)])).unwrap();
    assert!(!store.alarms().is_empty());
    let alarms = store.alarms().clone();
    drop(store);
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "DROP TABLE silent_together; DROP TABLE station_life; DROP TABLE contest; DROP TABLE token;
             DROP TABLE fleet_settings;
             DROP INDEX alarm_event_of_many;
             ALTER TABLE alarm_event DROP COLUMN stations;
             ALTER TABLE alarm DROP COLUMN hand_over_due;
             ALTER TABLE station_settings DROP COLUMN expected_by;
             ALTER TABLE station_settings DROP COLUMN allow_from;
             INSERT INTO station_settings (station_id, name) VALUES (1, 'North lift');
             PRAGMA user_version = 3",
        )
        .unwrap();
    let before = rows(&path, &["event", "alarm"]);
    assert!(before.len() > 1, "{before:?}");
    let store = open(folder.path());
    assert!(!store.knew_no_alarms());
    assert_eq!(*store.alarms(), alarms);
    drop(store);
    assert_eq!(schema::existing(&folder.path().join("data.sqlite.schema-3")).unwrap(), Kind::Older(3));
    assert_eq!(rows(&path, &["event", "alarm"]), before);
}

#[test]
fn a_database_without_tokens_gets_a_place_for_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.sqlite");
    let mut store = open(folder.path());
    store.commit(&batch(&store, Form::Direct, BEGAN_MS, &[(1, true), (2, false)])).unwrap();
    let (alarms, sequence) = (store.alarms().clone(), store.sequence());
    drop(store);
    Connection::open(&path)
        .unwrap()
        .execute_batch("DROP TABLE token; DROP TABLE fleet_settings; PRAGMA user_version = 4")
        .unwrap();
    let before = rows(&path, &["event", "alarm", "state", "status"]);
    let store = open(folder.path());
    assert_eq!((store.alarms(), store.sequence()), (&alarms, sequence));
    assert!(store.tokens().unwrap().is_empty());
    drop(store);
    assert_eq!(schema::existing(&folder.path().join("data.sqlite.schema-4")).unwrap(), Kind::Older(4));
    assert_eq!(rows(&path, &["event", "alarm", "state", "status"]), before);
}

/// What the configuration said there is what it says, and not what people do.
#[test]
fn a_database_whose_fleet_was_the_configuration_keeps_what_people_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.sqlite");
    drop(open(folder.path()));
    let database = Connection::open(&path).unwrap();
    database
        .execute_batch(
            "DROP TABLE fleet_settings; DROP TABLE token;
             INSERT INTO point_settings (scope, point, label, enabled) VALUES
                 ('fleet', 'alarm1', 'High level', 0), ('fleet', 'new_stations', NULL, NULL),
                 ('area/North', 'alarm1', 'Pump', NULL), (7, 'alarm1', 'Gate', NULL);
             PRAGMA user_version = 4",
        )
        .unwrap();
    let mut store = open(folder.path());
    let says = |store: &SqliteStore| {
        let north = store.area_says("North").unwrap();
        let station = store.station_says(StationId::new(7).unwrap()).unwrap();
        let label = |says: &ScopeSays| says.texts(Point::Alarm1).label.as_deref().map(str::to_owned);
        (store.fleet_says().unwrap(), label(&north), label(station.judged()))
    };
    let kept = (ScopeSays::default(), Some("Pump".to_owned()), Some("Gate".to_owned()));
    assert_eq!(says(&store), kept);
    let scopes = "SELECT scope, point FROM point_settings WHERE typeof(scope) = 'text' ORDER BY scope, point";
    let rows: Vec<(String, String)> = (database.prepare(scopes).unwrap())
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let rows: Vec<String> = rows.iter().map(|(scope, point)| format!("{scope} {point}")).collect();
    assert_eq!(rows, ["area/North alarm1", "configuration alarm1", "configuration new_stations"]);
    // It is the next start's configuration that holds.
    let settled = store.settings(&Fleet::default()).unwrap();
    assert!(settled.settings.fleet().point(Point::Alarm1).enabled);
    assert_eq!(says(&store), kept);
    drop(store);
    assert_eq!(schema::existing(&folder.path().join("data.sqlite.schema-4")).unwrap(), Kind::Older(4));
}

/// Also if the process dies in between: a start judges a part at a time.
#[test]
fn what_was_on_before_the_upgrade_is_known_as_such_until_all_of_it_is_judged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.sqlite");
    assert!(!open(tempfile::tempdir().unwrap().path()).knew_no_alarms(), "a new one has nothing to judge");
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "CREATE TABLE station_status (station_id INTEGER PRIMARY KEY, last_date TEXT, alarm1 INTEGER,
                 alarm2 INTEGER);
             INSERT INTO station_status VALUES (5, '2026-11-24 01:46', 1, 1), (7, '2026-11-24 01:45', 0, 1)",
        )
        .unwrap();
    let mut store = open(folder.path());
    assert!(store.knew_no_alarms());
    let part = batch(&store, Form::Direct, BEGAN_MS + 60_000, &[(5, true), (9, true)]);
    assert!(!part.events.is_empty(), "something is in the ledger then");
    store.commit(&part).unwrap();
    store.reopen().unwrap();
    assert!(store.knew_no_alarms());
    let rest = Batch { has_found: true, sequence: store.sequence(), ..Batch::default() };
    assert!(!rest.is_empty());
    store.commit(&rest).unwrap();
    assert!(!store.knew_no_alarms());
    store.reopen().unwrap();
    assert!(!store.knew_no_alarms());
    drop(store);
    assert!(!open(folder.path()).knew_no_alarms());

    let imported = tempfile::tempdir().unwrap();
    let old = crate::store::import::OldRows::default();
    crate::store::import::write(&imported.path().join("data.sqlite"), &old).unwrap();
    assert!(open(imported.path()).knew_no_alarms());
}

#[test]
fn a_start_makes_again_what_keeps_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.sqlite");
    let mut store = open(folder.path());
    store.commit(&batch(&store, Form::Direct, BEGAN_MS, &[(1, true)])).unwrap();
    drop(store);
    let database = Connection::open(&path).unwrap();
    let dropped = "DROP TRIGGER alarm_event_is_never_changed; DROP TRIGGER alarm_event_is_never_replaced";
    database.execute_batch(dropped).unwrap();
    drop(open(folder.path()));
    for rewrite in [
        "UPDATE alarm_event SET reason = 'nothing happened'",
        "INSERT OR REPLACE INTO alarm_event SELECT * FROM alarm_event",
    ] {
        let error = database.execute_batch(rewrite).unwrap_err().to_string();
        assert!(error.contains("alarm_event is the ledger of alarms"), "{error}");
    }
}
