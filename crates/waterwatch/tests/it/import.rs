//! `waterwatch import`: what the old Python servers left, brought over.

use std::fs;
use std::path::Path;
use std::process::Output;

use rusqlite::Connection;
use tempfile::{TempDir, tempdir};
use waterwatch::store::lock::DataLock;

use crate::database::names;
use crate::harness::{Server, alarms, open, rows, run, stderr, stdout};

const TABLE: &str = "CREATE TABLE station_status (station_id PRIMARY KEY, last_date, alarm1, alarm2);";

/// A folder with an old database made by these statements.
fn old(statements: &str) -> TempDir {
    let folder = tempdir().expect("a folder");
    let database = Connection::open(folder.path().join("old.sqlite")).expect("a database");
    database.execute_batch(statements).expect("statements that SQLite takes");
    folder
}

/// Imports it in Berlin's time, and checks that it was only read.
fn import(folder: &Path, arguments: &[&str]) -> Output {
    let old = folder.join("old.sqlite");
    let before = fs::read(&old).ok();
    let all = [&["import", "old.sqlite", "--data", "new.sqlite", "--time-zone", "Europe/Berlin"], arguments];
    let output = run(&all.concat(), folder);
    assert_eq!(fs::read(&old).ok(), before, "the old database was changed");
    output
}

/// Why it is wrong, with exit code 2 and nothing left behind.
fn refusal(folder: &Path, arguments: &[&str]) -> String {
    let before = names(folder);
    let output = import(folder, arguments);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
    assert_eq!(names(folder), before);
    stderr(&output)
}

/// What is ours alone: id, sequence, `received_at`, reports.
fn states(folder: &Path) -> Vec<[i64; 4]> {
    let database = open(&folder.join("new.sqlite"));
    let mut statement = database
        .prepare("SELECT station_id, sequence, received_at, reports FROM station_state ORDER BY station_id")
        .expect("our columns");
    let states = statement
        .query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]))
        .expect("our columns");
    states.map(|state| state.expect("integers")).collect()
}

#[test]
fn rows_of_every_old_form_come_over() {
    let folder = old(&format!(
        "{TABLE} INSERT INTO station_status VALUES
            (3, '2026-11-24 02:46', 0, 1),
            ('0123', '2026-11-24T02:46:07', '1', '0'),
            (9223372036854775807, '2026-11-24 02:46:07.123456', 1.0, 0.0),
            (0, ' 2026-07-01 02:46 ', ' 1', '1 ')"
    ));
    let output = import(folder.path(), &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output), "4 stations imported, 0 rows left out: new.sqlite\n");
    assert_eq!(
        rows(&folder.path().join("new.sqlite")),
        [
            "0 2026-07-01 02:46 1 1",
            "3 2026-11-24 02:46 0 1",
            "123 2026-11-24 02:46 1 0",
            "9223372036854775807 2026-11-24 02:46 1 0",
        ]
    );
    assert_eq!(
        states(folder.path()),
        [
            [0, 0, 1_782_866_760_000, 0],
            [3, 0, 1_795_484_760_000, 0],
            [123, 0, 1_795_484_767_000, 0],
            [i64::MAX, 0, 1_795_484_767_123, 0],
        ]
    );
    assert_eq!(names(folder.path()), ["new.sqlite", "new.sqlite.lock", "old.sqlite"]);
}

#[test]
fn columns_may_stand_anywhere_and_be_declared_as_anything() {
    for table in [
        "CREATE TABLE station_status (id INTEGER PRIMARY KEY, alarm2 TEXT, alarm1 REAL, date_time DATETIME, station_id VARCHAR(20))",
        "CREATE TABLE Station_Status (Station_ID TEXT PRIMARY KEY, Date_Time, note, Alarm1 BOOLEAN, Alarm2) WITHOUT ROWID",
        "CREATE TABLE station_status (station_id INTEGER PRIMARY KEY, last_date TEXT, alarm1 INTEGER, alarm2 INTEGER)",
    ] {
        let date = if table.contains("last_date") { "last_date" } else { "date_time" };
        let folder = old(&format!(
            "{table}; INSERT INTO station_status (station_id, {date}, alarm1, alarm2)
             VALUES (5, '2024-01-02 03:04', 1, 0)"
        ));
        let output = import(folder.path(), &[]);
        assert!(output.status.success(), "{table}: {}", stderr(&output));
        assert_eq!(stdout(&output), "1 station imported, 0 rows left out: new.sqlite\n");
        assert_eq!(rows(&folder.path().join("new.sqlite")), ["5 2024-01-02 03:04 1 0"], "{table}");
    }
}

const GOOD_AND_BAD: &str = "INSERT INTO station_status VALUES
    (1, '2024-01-02 03:04', 0, 0),
    ('7x', '2024-01-02 03:04', 0, 0),
    (3, '2024-01-02', 0, 0),
    (4, '2024-01-02 03:04', 2, 0),
    (5, '2024-01-02 03:04', 0, NULL),
    ('06', '2024-01-02 03:04', 1, 0),
    (6, '2024-01-02 03:05', 0, 1),
    ('006', '2024-01-02 03:03', 1, 1);";

const NAMED: &str = "\
row 2 (station the text \"7x\"): station_id is the text \"7x\"; it must be a number from 0 to 9223372036854775807
row 3 (station 3): the date is the text \"2024-01-02\"; it must be a date like 2026-11-24 01:50, with or without seconds
row 4 (station 4): alarm1 is 2; it must be 0 or 1
row 5 (station 5): alarm2 is NULL; it must be 0 or 1
row 6 (station the text \"06\"): station_id is the text \"06\"; row 7 (station 6) is the same station, with a contact that is not older
row 8 (station the text \"006\"): station_id is the text \"006\"; row 7 (station 6) is the same station, with a contact that is not older
";

#[test]
fn bad_rows_are_named_and_nothing_is_imported() {
    let folder = old(&format!("{TABLE} {GOOD_AND_BAD}"));
    assert_eq!(
        refusal(folder.path(), &[]),
        format!(
            "{NAMED}waterwatch: nothing was imported, since 6 rows of old.sqlite cannot be read; \
             mend them there, or leave them out with --skip-bad\n"
        )
    );
}

#[test]
fn bad_rows_are_left_out_if_asked() {
    let folder = old(&format!("{TABLE} {GOOD_AND_BAD}"));
    let output = import(folder.path(), &["--skip-bad"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stderr(&output), NAMED);
    assert_eq!(stdout(&output), "2 stations imported, 6 rows left out: new.sqlite\n");
    assert_eq!(rows(&folder.path().join("new.sqlite")), ["1 2024-01-02 03:04 0 0", "6 2024-01-02 03:05 0 1"]);
}

#[test]
fn very_many_bad_rows_are_counted() {
    let folder = old(&format!(
        "{TABLE} WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
         INSERT INTO station_status SELECT i, 'never', 0, 0 FROM n"
    ));
    let said = refusal(folder.path(), &[]);
    assert_eq!(said.lines().count(), 100 + 2);
    assert!(said.contains("\nand 900 more\nwaterwatch: nothing was imported, since 1000 rows"), "{said}");
}

#[test]
fn the_wrong_file_is_wrong_input() {
    let missing = tempdir().unwrap();
    assert!(refusal(missing.path(), &[]).contains("there is no file old.sqlite"));

    let text = tempdir().unwrap();
    fs::write(text.path().join("old.sqlite"), "123 0 1\n".repeat(100)).unwrap();
    assert!(refusal(text.path(), &[]).contains("it is not an SQLite database at all"));

    let inner = tempdir().unwrap();
    fs::create_dir(inner.path().join("old.sqlite")).unwrap();
    assert!(refusal(inner.path(), &[]).contains("it is no regular file"));

    for (statements, reason) in [
        ("", "it has no table station_status"),
        ("CREATE TABLE stations (id)", "it has no table station_status"),
        (
            "CREATE TABLE station_status (station_id, alarm1, alarm2)",
            "its station_status has the columns station_id, alarm1, alarm2; wanted are",
        ),
        (
            "CREATE TABLE station_status (last_date, date_time, station_id, alarm1)",
            "its station_status has the columns last_date, date_time, station_id, alarm1; wanted are",
        ),
    ] {
        let said = refusal(old(statements).path(), &[]);
        assert!(said.contains(&format!("old.sqlite is no database of an old server: {reason}")), "{said}");
    }

    let ours = tempdir().unwrap();
    drop(crate::database::make(&ours.path().join("old.sqlite"), &[(1, 0, 0, 3)]));
    assert!(refusal_of_ours(ours.path()).contains("old.sqlite is a database of waterwatch already"));

    let folder = old(TABLE);
    assert!(refusal(folder.path(), &["--time-zone", "Nowhere"]).contains("time"));
}

/// As [`refusal`]; a reader of a database with a log leaves the log's files.
fn refusal_of_ours(folder: &Path) -> String {
    let output = import(folder, &[]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(!folder.join("new.sqlite").exists());
    stderr(&output)
}

#[test]
fn a_database_that_its_server_left_half_written_is_not_mended_here() {
    let folder = old(&format!("{TABLE} INSERT INTO station_status VALUES (1, '2024-01-02 03:04', 0, 0)"));
    let writer = open(&folder.path().join("old.sqlite"));
    writer
        .execute_batch(
            "PRAGMA cache_size = 1; BEGIN;
             WITH RECURSIVE n (i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
             INSERT INTO station_status SELECT i, '2024-01-02 03:04', 1, 1 FROM n;",
        )
        .unwrap();
    let cut = tempdir().unwrap();
    for name in ["old.sqlite", "old.sqlite-journal"] {
        fs::copy(folder.path().join(name), cut.path().join(name)).unwrap();
    }
    let said = refusal(cut.path(), &[]);
    assert!(said.contains("the old server died while it wrote to old.sqlite"), "{said}");
}

#[test]
fn nothing_is_overwritten() {
    let folder = old(TABLE);
    fs::write(folder.path().join("new.sqlite"), "theirs").unwrap();
    let output = import(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("new.sqlite exists already"), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(folder.path().join("new.sqlite")).unwrap(), "theirs");
    assert_eq!(names(folder.path()), ["new.sqlite", "old.sqlite"]);
}

#[test]
fn a_server_that_is_about_to_make_it_is_not_disturbed() {
    let folder = old(TABLE);
    let lock = DataLock::acquire(&folder.path().join("new.sqlite")).unwrap();
    let output = import(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("is in use by another waterwatch"), "{}", stderr(&output));
    drop(lock);
    assert!(import(folder.path(), &[]).status.success());
    assert_eq!(rows(&folder.path().join("new.sqlite")), [""; 0]);
}

#[test]
fn a_server_goes_on_with_what_came_over() {
    let folder = old(&format!(
        "{TABLE} INSERT INTO station_status VALUES ('007', '2024-01-02 03:04:05', '1', 0), (8, '2024-01-02 03:04', 0, 0)"
    ));
    let output = run(&["import", "old.sqlite", "--data", "data.sqlite"], folder.path());
    assert!(output.status.success(), "{}", stderr(&output));
    let server = Server::start(folder.path(), &[]);
    assert_eq!(alarms(&server.data), ["7 1 0", "8 0 0"]);
    server.say(b"8 0 1\n");
    assert_eq!(alarms(&server.data), ["7 1 0", "8 0 1"]);
    server.stop();
}
