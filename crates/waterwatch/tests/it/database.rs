//! Databases made by hand, for what needs no server, and users who may not
//! read them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, params};
use waterwatch::store::schema;

use crate::harness::{Server, run, stderr, waterwatch};

/// A user that owns nothing.
const NOBODY: u32 = 65_534;

/// One station's row: id, alarms, and how long ago its contact was.
pub(crate) type Station = (i64, u8, u8, i64);

/// Makes a database of today's schema with these stations, as a server
/// leaves it: with a log to come. The connection goes on as the server's.
pub(crate) fn make(path: &Path, stations: &[Station]) -> Connection {
    let mut database = Connection::open(path).expect("a database");
    database.pragma_update(None, "journal_mode", "WAL").expect("a log");
    schema::create(&mut database).expect("our schema");
    for station in stations {
        insert(&database, station);
    }
    database
}

/// Adds a station. Its `last_date` is any: it is shown as it is stored.
pub(crate) fn insert(database: &Connection, &(id, alarm1, alarm2, age_s): &Station) {
    let received_at = Timestamp::now() - SignedDuration::from_secs(age_s);
    database
        .execute(
            "INSERT INTO station_status VALUES (?1, '2026-11-24 01:50', ?2, ?3)",
            params![id, alarm1, alarm2],
        )
        .expect("a row");
    database
        .execute(
            "INSERT INTO station_state (station_id, sequence, received_at, reports) VALUES (?1, ?1, ?2, 3)",
            params![id, received_at.as_millisecond()],
        )
        .expect("a row");
}

/// The names in a folder, in order.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    names.sort();
    names
}

/// Sets what its owner and others may do with a file or folder.
pub(crate) fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("permissions");
}

/// Runs the program as somebody whom permissions bind: as root, who may do
/// anything, it is started as nobody. `None` if nobody cannot reach it.
pub(crate) fn run_bound(arguments: &[&str], folder: &Path) -> Option<Output> {
    if !rustix::process::geteuid().is_root() {
        return Some(run(arguments, folder));
    }
    let bound = |command: &mut Command| -> std::io::Result<Output> {
        command.uid(NOBODY).gid(NOBODY).current_dir("/").output()
    };
    if !bound(waterwatch().arg("--version")).is_ok_and(|output| output.status.success()) {
        println!("skipped: another user cannot reach the program");
        return None;
    }
    Some(bound(waterwatch().args(arguments)).expect("the program starts"))
}

/// What an old server's database is, and what `serve` does with it.
#[test]
fn serve_takes_over_a_database_that_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data.sqlite");
    let database = Connection::open(&data).unwrap();
    database
        .execute_batch(
            "CREATE TABLE station_status (station_id INTEGER PRIMARY KEY, last_date TEXT, alarm1 INTEGER, alarm2 INTEGER);
             INSERT INTO station_status VALUES (7, '2026-11-24 01:50', 0, 1), (8, '2026-11-24 01:51', 1, 0);",
        )
        .unwrap();
    drop(database);
    let server = Server::start(folder.path(), &[]);
    assert_eq!(server.say(b"8 0 0\n9 1 1\n"), "OK\nOK\n");
    assert_eq!(crate::harness::alarms(&data), ["7 0 1", "8 0 0", "9 1 1"]);
    assert!(server.rows()[0].starts_with("7 2026-11-24 01:50"), "{:?}", server.rows());
    assert!(server.stop().contains("took over the old server's database"));
}

#[test]
fn serve_refuses_an_old_database_that_differs_and_names_the_way() {
    let rows = [
        "station_id INTEGER PRIMARY KEY, date_time TEXT, alarm1 INTEGER, alarm2 INTEGER); \
         INSERT INTO station_status VALUES (7, '2026-11-24 01:50:31', 0, 1)",
        "station_id INTEGER PRIMARY KEY, last_date TEXT, alarm1 TEXT, alarm2 TEXT); \
         INSERT INTO station_status VALUES (7, '2026-11-24 01:50', '0', '1')",
        "station_id INTEGER PRIMARY KEY, last_date TEXT, alarm1 INTEGER, alarm2 INTEGER); \
         INSERT INTO station_status VALUES (7, '2026-11-24 01:50:31', 0, 1)",
    ];
    for table in rows {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data.sqlite");
        Connection::open(&data)
            .unwrap()
            .execute_batch(&format!("CREATE TABLE station_status ({table}"))
            .unwrap();
        let before = fs::read(&data).unwrap();
        let output = run(&["serve", "--listen", "127.0.0.1:0"], folder.path());
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("waterwatch import data.sqlite --data NEW.sqlite"), "{said}");
        assert_eq!(fs::read(&data).unwrap(), before, "untouched");
        assert_eq!(names(folder.path()), ["data.sqlite", "data.sqlite.lock"]);
    }
}

/// A table or a trigger in the way is seen before anything is changed.
#[test]
fn serve_refuses_an_old_database_with_something_in_the_way() {
    for in_the_way in [
        "CREATE TABLE station_state (x)",
        "CREATE TRIGGER t BEFORE INSERT ON station_status BEGIN SELECT RAISE(IGNORE); END",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data.sqlite");
        Connection::open(&data)
            .unwrap()
            .execute_batch(&format!(
                "CREATE TABLE station_status (station_id INTEGER PRIMARY KEY, last_date TEXT, alarm1 INTEGER, \
                 alarm2 INTEGER); {in_the_way}"
            ))
            .unwrap();
        let before = fs::read(&data).unwrap();
        let output = run(&["serve", "--listen", "127.0.0.1:0"], folder.path());
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert_eq!(fs::read(&data).unwrap(), before, "untouched");
    }
}

/// A restored file whose owner was not set: said at the start, not to every
/// station in turn.
#[test]
fn serve_refuses_a_database_that_it_may_not_write() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data.sqlite");
    drop(make(&data, &[(7, 0, 1, 60)]));
    fs::set_permissions(&data, Permissions::from_mode(0o444)).unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().expect("a name")];
    let Some(output) = run_bound(&arguments, folder.path()) else { return };
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("this user may not write it"), "{said}");
}

/// Whatever the mask of whoever starts it.
#[test]
fn new_files_are_their_owners_alone_and_those_that_are_there_are_left_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    rustix::process::umask(rustix::fs::Mode::empty());
    let mode = |end: &str| {
        let path = folder.path().join(format!("data.sqlite{end}"));
        path.metadata().unwrap_or_else(|error| panic!("{end}: {error}")).permissions().mode() & 0o777
    };
    let server = Server::start(folder.path(), &[]);
    assert_eq!(server.say(b"7 1 0\n"), "OK\n");
    let copied = run(&["backup", "data.sqlite.copy"], folder.path());
    assert!(copied.status.success(), "{}", stderr(&copied));
    for end in ["", "-wal", "-shm", ".lock", ".token", ".copy"] {
        assert_eq!(mode(end), 0o600, "{end}");
    }
    server.stop();
    let data = folder.path().join("data.sqlite");
    fs::set_permissions(&data, Permissions::from_mode(0o644)).unwrap();
    let server = Server::start(folder.path(), &[]);
    assert_eq!(server.say(b"7 0 0\n"), "OK\n");
    assert_eq!([mode(""), mode("-wal"), mode(".lock")], [0o644, 0o644, 0o600]);
}
