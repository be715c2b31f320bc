//! `waterwatch status`, as the operator sees it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Output, Stdio};

use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::tempdir;

use crate::database::{allow, insert, make, names, run_bound};
use crate::harness::{Running, Server, run, stderr, stdout, wait_for, waterwatch};

fn status(folder: &Path) -> Output {
    run(&["status"], folder)
}

fn json(folder: &Path) -> Vec<Value> {
    let output = run(&["status", "--json"], folder);
    assert!(output.status.success(), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).expect("an array")
}

#[test]
fn the_table_shows_stations_in_alarm_first_and_sums_up() {
    let folder = tempdir().unwrap();
    let _server = make(
        &folder.path().join("data.sqlite"),
        &[(1, 0, 0, 3), (2, 0, 1, 200), (30, 0, 0, 7_510), (4, 1, 1, 400_000), (5, 0, 0, -3_600)],
    );
    let output = status(folder.path());
    assert!(output.status.success(), "{}", stderr(&output));
    insta::with_settings!({filters => vec![(r"\d+ s +", "few s      ")]}, {
        insta::assert_snapshot!(stdout(&output), @"
        STATION  LAST CONTACT      AGO        COMMS  STATE  ALARMS
              2  2026-11-24 01:50  3 min      late   ?      alarm2?
              4  2026-11-24 01:50  4 d        late   ?      alarm1? alarm2?
              5  2026-11-24 01:50  ahead      late   NORM?  -?
             30  2026-11-24 01:50  2 h 5 min  late   NORM?  -?
              1  2026-11-24 01:50  few s      up     NORM   -

        5 stations, 3 alarms, 4 late (? is what was last known)
        ");
    });
    assert_eq!(stderr(&output), "");
}

#[test]
fn json_has_every_field() {
    let folder = tempdir().unwrap();
    let server = make(&folder.path().join("data.sqlite"), &[(7, 0, 0, 3), (i64::MAX, 1, 0, 90)]);
    let stations = json(folder.path());
    assert_eq!(stations.len(), 2);
    let first = stations[0].as_object().unwrap();
    let fields: Vec<&str> = first.keys().map(String::as_str).collect();
    let mut wanted = [
        "station_id",
        "id",
        "comms",
        "quality",
        "state",
        "last_date",
        "received_at",
        "age_s",
        "alarm1",
        "alarm2",
        "reports",
        "on_delay",
        "on_by_another",
        "disabled",
        "name",
        "area",
        "location",
        "access_note",
        "telephones",
        "expected_by",
        "paused",
        "visit",
        "retired",
    ];
    wanted.sort_unstable();
    assert_eq!(fields, wanted);
    assert_eq!(first["station_id"], i64::MAX);
    assert_eq!(first["last_date"], "2026-11-24 01:50");
    assert_eq!((&first["comms"], &first["quality"]), (&Value::from("late"), &Value::from("stale")));
    // A row made by hand: no server has judged it.
    assert_eq!(first["state"], Value::Null);
    assert_eq!((&first["alarm1"], &first["alarm2"]), (&Value::Bool(true), &Value::Bool(false)));
    assert_eq!(first["reports"], 3);
    assert!((90..110).contains(&first["age_s"].as_i64().unwrap()), "{first:?}");
    let received_at: i64 = server
        .query_row("SELECT received_at FROM station_state WHERE station_id = ?1", [i64::MAX], |row| {
            row.get(0)
        })
        .unwrap();
    let text = first["received_at"].as_str().unwrap();
    assert!(text.ends_with('Z'), "{text}");
    assert_eq!(text.parse::<jiff::Timestamp>().unwrap().as_millisecond(), received_at);
}

#[test]
fn an_empty_database_says_so() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("data.sqlite"), "").unwrap();
    assert_eq!(stdout(&status(folder.path())), "no station has reported yet\n");
    assert_eq!(json(folder.path()), [Value::Null; 0]);
    fs::remove_file(folder.path().join("data.sqlite")).unwrap();
    let _server = make(&folder.path().join("data.sqlite"), &[]);
    assert_eq!(stdout(&status(folder.path())), "no station has reported yet\n");
    assert_eq!(json(folder.path()), [Value::Null; 0]);
}

#[test]
fn rows_made_by_hand_and_by_the_old_server_are_shown() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data.sqlite");
    let server = make(&data, &[]);
    server.execute("INSERT INTO station_status VALUES (8, 'yesterday', 1, 0)", []).unwrap();
    let stations = json(folder.path());
    assert_eq!(stations[0]["received_at"], Value::Null);
    assert_eq!(stations[0]["age_s"], Value::Null);
    assert!(stdout(&status(folder.path())).contains("8  yesterday     unknown  new    ?      alarm1?\n"));
    server.execute("UPDATE station_status SET alarm1 = 'x'", []).unwrap();
    let output = status(folder.path());
    assert_eq!(output.status.code(), Some(0));
    let said = stdout(&output);
    assert!(said.contains("the row of station 8 cannot be read: alarm1 is the text \"x\""), "{said}");

    drop(server);
    fs::remove_file(&data).unwrap();
    let old = Connection::open(&data).unwrap();
    old.execute_batch(
        "CREATE TABLE station_status (station_id INTEGER PRIMARY KEY, last_date, alarm1, alarm2);
         INSERT INTO station_status VALUES (9, '2024-01-02 03:04', 0, 1)",
    )
    .unwrap();
    assert_eq!(json(folder.path())[0]["last_date"], "2024-01-02 03:04");
    assert!(stdout(&status(folder.path())).contains("1 station, 1 alarm, 1 late"));
}

#[test]
fn no_database_says_where_it_was_looked_for() {
    let folder = tempdir().unwrap();
    let output = status(folder.path());
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stderr(&output),
        "waterwatch: there is no database at data.sqlite: start the server there \
         (waterwatch serve --data data.sqlite), or name another with --data\n"
    );
    assert!(names(folder.path()).is_empty());
}

#[test]
fn the_wrong_kind_of_file_is_wrong_input() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data.sqlite");
    fs::write(&data, "status: all fine".repeat(100)).unwrap();
    for make_it_wrong in [
        "",
        "CREATE TABLE moz_places (url)",
        "CREATE TABLE station_status (station_id INTEGER PRIMARY KEY, date_time, alarm1, alarm2)",
        "PRAGMA application_id = 2002875511; PRAGMA user_version = 99",
    ] {
        if !make_it_wrong.is_empty() {
            fs::remove_file(&data).unwrap();
            Connection::open(&data).unwrap().execute_batch(make_it_wrong).unwrap();
        }
        let output = status(folder.path());
        assert_eq!(output.status.code(), Some(2), "{make_it_wrong}: {}", stderr(&output));
        assert!(stderr(&output).starts_with("waterwatch: data.sqlite "), "{}", stderr(&output));
    }
}

#[test]
fn a_writer_in_the_middle_of_its_work_and_a_reader_do_not_wait_for_each_other() {
    let folder = tempdir().unwrap();
    let server = make(&folder.path().join("data.sqlite"), &[(1, 0, 0, 3)]);
    server.execute_batch("BEGIN IMMEDIATE; UPDATE station_status SET alarm1 = 1").unwrap();
    assert_eq!(json(folder.path())[0]["alarm1"], false);
    server.execute_batch("COMMIT").unwrap();
    assert_eq!(json(folder.path())[0]["alarm1"], true);
}

#[test]
fn who_may_not_read_it_is_told_who_may() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data.sqlite");
    let arguments = ["status", "--data", data.to_str().unwrap()];
    let denied = |what: &str| {
        let output = run_bound(&arguments, folder.path())?;
        assert_eq!(output.status.code(), Some(1), "{what}");
        let said = stderr(&output);
        assert!(said.contains("cannot read the database"), "{what}: {said}");
        assert!(said.contains("permission denied"), "{what}: {said}");
        if rustix::process::geteuid().is_root() {
            assert!(said.trim_end().ends_with("run as user root"), "{what}: {said}");
        }
        Some(said)
    };
    drop(make(&data, &[(1, 0, 0, 3)]));
    allow(folder.path(), 0o755);
    allow(&data, 0o000);
    denied("the file may not be read");
    allow(&data, 0o644);
    // A stopped server's database needs a -wal and a -shm, also for reading.
    assert_eq!(names(folder.path()), ["data.sqlite"]);
    allow(folder.path(), 0o555);
    if let Some(said) = denied("the folder may not be written") {
        assert!(said.contains("-wal and -shm"), "{said}");
    }
    allow(folder.path(), 0o600);
    denied("the folder may not be entered");
    allow(folder.path(), 0o755);
}

#[test]
fn who_may_read_a_running_servers_files_needs_no_more() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data.sqlite");
    let _server = make(&data, &[(1, 0, 0, 3)]);
    allow(folder.path(), 0o555);
    let output = run_bound(&["status", "--data", data.to_str().unwrap()], folder.path());
    allow(folder.path(), 0o755);
    if let Some(output) = output {
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(stdout(&output).ends_with("1 station, no alarms\n"));
    }
}

#[test]
fn a_reader_that_has_seen_enough_ends_it_quietly() {
    let folder = tempdir().unwrap();
    let server = make(&folder.path().join("data.sqlite"), &[]);
    // Far more than a pipe holds.
    server.execute_batch("BEGIN").unwrap();
    for id in 0..20_000 {
        insert(&server, &(id, 0, 0, 3));
    }
    server.execute_batch("COMMIT").unwrap();
    for arguments in [&["status"][..], &["status", "--json"], &["status", "--watch"]] {
        let mut child = waterwatch()
            .args(arguments)
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        assert_eq!(stderr(&output), "", "{arguments:?}");
    }
}

#[test]
fn watching_goes_on_over_a_failure_until_interrupted() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data.sqlite");
    drop(make(&data, &[(1, 0, 0, 3)]));
    let mut command = waterwatch();
    command.args(["status", "--json", "--watch"]).current_dir(folder.path());
    let mut watch = Running::start(command);
    let rounds = |watch: &Running| -> Vec<Vec<Value>> {
        watch.printed().lines().map(|line| serde_json::from_str(line).expect("an array a line")).collect()
    };
    wait_for("the first round", || (!rounds(&watch).is_empty()).then_some(()));

    // As when a backup is restored: gone for a while, then another file.
    let away = folder.path().join("away.sqlite");
    drop(make(&away, &[(1, 1, 0, 3), (2, 0, 0, 3)]));
    fs::remove_file(&data).unwrap();
    watch.wait_for_log("there is no database at data.sqlite");
    let seen = rounds(&watch).len();
    fs::rename(&away, &data).unwrap();
    let next = wait_for("a round after the failure", || rounds(&watch).into_iter().nth(seen));
    assert_eq!(next.len(), 2);
    assert_eq!(next[0]["alarm1"], true);
    wait_for("one more round", || rounds(&watch).into_iter().nth(seen + 1));
    assert_eq!(watch.logged().lines().count(), 1, "{}", watch.logged());

    watch.signal(Signal::INT);
    watch.wait();
}

#[test]
fn watching_a_table_shows_it_again() {
    let folder = tempdir().unwrap();
    let _server = make(&folder.path().join("data.sqlite"), &[(1, 0, 0, 3)]);
    let mut command = waterwatch();
    command.args(["status", "--watch"]).current_dir(folder.path());
    let watch = Running::start(command);
    wait_for("two rounds", || (watch.printed().matches("1 station, no alarms\n").count() == 2).then_some(()));
    assert!(!watch.printed().contains('\x1b'), "a pipe is no terminal");
}

#[test]
fn watching_nothing_fails_at_once() {
    let folder = tempdir().unwrap();
    let output = run(&["status", "--watch"], folder.path());
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_report_is_seen_while_the_server_runs() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    assert_eq!(stdout(&status(folder.path())), "no station has reported yet\n");
    server.say(b"123 0 1\n");
    server.say(b"7 0 0\n");
    let stations = json(folder.path());
    assert_eq!(stations.len(), 2);
    assert_eq!(stations[0]["station_id"], 123);
    assert_eq!(stations[0]["alarm2"], true);
    assert_eq!(stations[0]["reports"], 1);
    assert!(stations[0]["age_s"].as_i64().unwrap() < 60);
    assert!(stdout(&status(folder.path())).ends_with("\n2 stations, 1 alarm, 1 unacknowledged\n"));
    server.stop();
    assert_eq!(json(folder.path()).len(), 2);
}
