//! `waterwatch alarm …` and `waterwatch station …`, as an operator sees them.

use std::path::Path;

use rusqlite::Connection;
use serde_json::Value;
use tempfile::tempdir;

use crate::database::make;
use crate::harness::{Server, run, stderr, stdout, wait_for};

/// What a command prints that must succeed.
fn said(folder: &Path, arguments: &[&str]) -> String {
    let output = run(arguments, folder);
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    assert_eq!(stderr(&output), "", "{arguments:?}");
    stdout(&output)
}

fn json(folder: &Path, arguments: &[&str]) -> Value {
    let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
    serde_json::from_str(&said(folder, &arguments)).expect("JSON")
}

/// The sequences of an array of entries.
fn sequences(entries: &Value) -> Vec<i64> {
    entries.as_array().unwrap().iter().map(|entry| entry["sequence"].as_i64().unwrap()).collect()
}

#[test]
fn a_raise_is_listed_once_it_is_acknowledged_and_its_story_told_over_a_restart() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    assert_eq!(said(folder.path(), &["alarm", "list"]), "no alarms\n");
    // A first report that is on raises: no earlier 0 is needed.
    assert_eq!(server.say(b"123 1 0\n"), "OK\n");
    let alarms = json(folder.path(), &["alarm", "list"]);
    assert_eq!(alarms.as_array().unwrap().len(), 1);
    let alarm = &alarms[0];
    assert_eq!((&alarm["station_id"], &alarm["point"]), (&Value::from(123), &Value::from("alarm1")));
    assert_eq!((&alarm["state"], &alarm["quality"]), (&Value::from("unacknowledged"), &Value::from("good")));
    let occurrence = alarm["occurrence"].as_i64().unwrap();

    server.stop();
    let server = Server::start(folder.path(), &[]);
    assert_eq!(json(folder.path(), &["alarm", "list"])[0]["occurrence"], occurrence);
    assert_eq!(server.say(b"123 0 0\n123 1 0\n123 0 1\n"), "OK\nOK\nOK\n");
    let alarms = json(folder.path(), &["alarm", "list", "--station", "123"]);
    let states: Vec<&str> =
        alarms.as_array().unwrap().iter().map(|alarm| alarm["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["unacknowledged", "rtn_unacknowledged"], "worst first");
    assert_eq!(alarms[1]["raises"], 2);

    let story = said(folder.path(), &["alarm", "explain", "123", "alarm1"]);
    insta::with_settings!({filters => vec![
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d\d:\d\d", "[time]"),
        (r"\d+ s;", "[few] s;"),
        (r"occurrence \d+", "occurrence [number]"),
        // Where the machine takes its time over the restart.
        (r"(?m)^\[time\]  the server could hear nobody.*\n", ""),
    ]}, {
        insta::assert_snapshot!(story, @"
        Station 123, alarm1 (high), occurrence [number]
        [time]  raised: its report from 127.0.0.1 said that the contact is on.
        [time]  returned to normal after [few] s; nobody had acknowledged.
        [time]  raised again: its report from 127.0.0.1 said that the contact is on. Nobody had acknowledged, so it is the same occurrence (raise 2).
        [time]  returned to normal after [few] s; nobody had acknowledged.
        It has returned to normal and waits for somebody to acknowledge it.
        ");
    });
    let told = json(folder.path(), &["alarm", "explain", "123", "alarm1"]);
    assert_eq!((&told["occurrence"], &told["is_open"]), (&Value::from(occurrence), &Value::Bool(true)));
    assert_eq!(told["lines"][0]["kind"], "raised");
    let lines = told["lines"].as_array().unwrap();
    assert_eq!(lines.iter().filter(|line| line["kind"] != "blind").count(), 4);

    let shown = said(folder.path(), &["alarm", "show", "123", "alarm2"]);
    assert!(
        shown.starts_with("Station 123, alarm2 (high)\n  state           unacknowledged (UNACK)\n"),
        "{shown}"
    );
    assert_eq!(json(folder.path(), &["alarm", "show", "123", "comms"])["state"], "normal");
    let status = said(folder.path(), &["status"]);
    assert!(status.contains("up     UNACK  alarm2\n"), "{status}");
    server.stop();
}

#[test]
fn pages_of_the_history_fit_together() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    for _ in 0..4 {
        server.say(b"1 1 0\n1 0 0\n2 0 1\n2 0 0\n");
    }
    // What it says of its own hearing depends on the machine, and may come at any time.
    server.stop();
    let all = sequences(&json(folder.path(), &["alarm", "history", "--after", "0"]));
    let own = sequences(&json(folder.path(), &["alarm", "history", "--source", "server", "--after", "0"]));
    assert_eq!(all.len() - own.len(), 16);
    assert!(all.is_sorted());
    let mut paged = Vec::new();
    loop {
        let after = paged.last().copied().unwrap_or(0).to_string();
        let page = sequences(&json(folder.path(), &["alarm", "history", "--limit", "3", "--after", &after]));
        assert!(page.len() <= 3);
        if page.is_empty() {
            break;
        }
        paged.extend(page);
        assert!(paged.len() <= all.len(), "no entry comes twice: {paged:?}");
    }
    assert_eq!(paged, all);
    let history = |more: &[&str]| {
        let arguments: Vec<&str> = ["alarm", "history"].into_iter().chain(more.iter().copied()).collect();
        sequences(&json(folder.path(), &arguments))
    };
    assert_eq!(history(&["--limit", "5"]), all[all.len() - 5..], "the newest, oldest first");
    assert_eq!(history(&["--since", "1h", "--limit", "5"]), all[..5], "the first from there on");
    assert_eq!(history(&["--until", "1h"]), [0; 0]);
    assert_eq!(history(&["--station", "2"]).len(), 8);
    assert_eq!(history(&["--station", "2", "--point", "alarm1"]), [0; 0]);
    assert_eq!(history(&["--point", "alarm1"]).len(), 8);
    let text = said(folder.path(), &["alarm", "history", "--limit", "2", "--after", "0"]);
    assert!(text.ends_with(&format!("\nthere are more: go on with --after {}\n", all[1])), "{text}");
}

/// What had happened by then: also what came to be known later, and however the
/// clock went meanwhile.
#[test]
fn a_history_that_ends_at_a_time_has_all_that_had_happened_by_then() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    server.stop();
    let data = folder.path().join("data.sqlite");
    let database = Connection::open(&data).unwrap();
    let add = |sequence: i64, event_time: &str, received_at: &str, kind: &str, until: Option<&str>| {
        database
            .execute(
                "INSERT INTO alarm_event (sequence, event_time, received_at, source, point, kind, from_state,
                     to_state, until, listener_id, peer)
                 VALUES (?1, unixepoch(?2) * 1000, unixepoch(?3) * 1000, iif(?5 IS NULL, 7, 'server'),
                     iif(?5 IS NULL, 'alarm1', NULL), ?4, iif(?5 IS NULL, 'normal', NULL),
                     iif(?5 IS NULL, 'normal', NULL), unixepoch(?5) * 1000, 0, x'')",
                rusqlite::params![sequence, event_time, received_at, kind, until],
            )
            .unwrap();
    };
    add(1_001, "2030-01-01 10:00:00", "2030-01-01 10:00:00", "raised", None);
    add(1_002, "2030-01-01 11:00:00", "2030-01-01 11:00:00", "returned", None);
    add(1_003, "2030-01-01 13:00:00", "2030-01-01 13:00:00", "raised", None);
    add(1_004, "2030-01-01 11:30:00", "2030-01-01 13:30:00", "blind", Some("2030-01-01 13:30:00"));
    add(1_005, "2030-01-01 14:00:00", "2030-01-01 14:00:00", "returned", None);
    let until = |time: &str, more: &[&str]| {
        let arguments: Vec<&str> =
            ["alarm", "history", "--until", time].into_iter().chain(more.iter().copied()).collect();
        let mut sequences = sequences(&json(folder.path(), &arguments));
        sequences.retain(|sequence| *sequence > 1_000);
        sequences
    };
    assert_eq!(until("2030-01-01T12:00:00Z", &[]), [1_001, 1_002, 1_004]);
    assert_eq!(until("2030-01-01T12:00:00Z", &["--limit", "2"]), [1_002, 1_004]);
    assert_eq!(until("2030-01-01T12:00:00Z", &["--limit", "2", "--after", "1000"]), [1_001, 1_002]);
    assert_eq!(until("2030-01-01T11:00:00Z", &["--source", "7"]), [1_001, 1_002]);
    assert_eq!(until("2030-01-01T15:00:00Z", &["--limit", "1"]), [1_005]);
    // The clock is set back by two hours.
    add(1_006, "2030-01-01 14:10:00", "2030-01-01 11:10:00", "clock_jumped", Some("2030-01-01 11:10:00"));
    add(1_007, "2030-01-01 11:20:00", "2030-01-01 11:20:00", "raised", None);
    assert_eq!(until("2030-01-01T12:00:00Z", &[]), [1_001, 1_002, 1_004, 1_007]);
}

#[test]
fn the_stations_are_listed_in_pages_and_shown_with_their_past() {
    let folder = tempdir().unwrap();
    // Each for itself.
    let alone = ["--period-s", "1", "--grace-s", "1", "--all-silent-percent", "0"];
    let server = Server::start(folder.path(), &alone);
    server.say(b"1 0 0\n2 0 0\n2 0 1\n30 0 0\n");
    let ids = |more: &[&str]| -> Vec<i64> {
        let arguments: Vec<&str> = ["station", "list"].into_iter().chain(more.iter().copied()).collect();
        let stations = json(folder.path(), &arguments);
        stations.as_array().unwrap().iter().map(|station| station["station_id"].as_i64().unwrap()).collect()
    };
    assert_eq!(ids(&[]), [1, 2, 30]);
    assert_eq!(ids(&["--limit", "2"]), [1, 2]);
    assert_eq!(ids(&["--limit", "2", "--after", "2"]), [30]);
    let text = said(folder.path(), &["station", "list", "--limit", "1"]);
    assert!(text.ends_with("\n1 station, and there are more: go on with --after 1\n"), "{text}");

    let station = json(folder.path(), &["station", "show", "2"]);
    assert_eq!((&station["alarm2"], &station["peer"]), (&Value::Bool(true), &Value::from("127.0.0.1")));
    assert_eq!(station["listener"], "127.0.0.1:0");
    assert_eq!(station["alarms"][0]["point"], "alarm2");
    assert_eq!(
        (&station["spans"][0]["reports"], &station["spans"][0]["alarm2"]),
        (&Value::from(1), &Value::Bool(false))
    );
    assert_eq!(station["unchanged_reports"], 1);

    // Asked of the file: a process for each look takes a slow machine's processors,
    // so that the server comes late to its turns and counts itself as blind.
    wait_for("all to be silent", || {
        let database = crate::harness::open(&server.data);
        let silent = "SELECT count(*) FROM alarm WHERE point = 'comms' AND contact = 1";
        let silent: i64 = database.query_row(silent, [], |row| row.get(0)).unwrap();
        (silent == 3).then_some(())
    });
    assert_eq!(ids(&["--comms", "silent"]), [1, 2, 30]);
    assert_eq!(ids(&["--quality", "good"]), [0; 0]);
    assert_eq!(ids(&["--quality", "stale", "--limit", "1", "--after", "1"]), [2]);
    let status = said(folder.path(), &["status"]);
    assert!(
        status.contains("3 stations, 4 alarms, 4 unacknowledged, 3 silent (? is what was last known)\n"),
        "{status}"
    );
    assert!(status.lines().nth(1).unwrap().ends_with("silent  UNACK  alarm2?"), "{status}");
    let story = said(folder.path(), &["alarm", "explain", "1", "comms"]);
    let raise = story.lines().find(|line| !line.contains("hear nobody") && line.starts_with("20")).unwrap();
    assert!(raise.contains("  raised: nothing was heard of the station since 20"), "{story}");
    assert!(raise.ends_with(", for its period and grace."), "{story}");
    server.stop();
}

#[test]
fn what_is_not_there_is_said_and_wrong_usage_is_another_matter() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    server.say(b"1 0 1\n");
    let occurrence = json(folder.path(), &["alarm", "list"])[0]["occurrence"].to_string();
    let last = format!("4711 is no occurrence of alarm2 of station 1; the last one is {occurrence}");
    for (arguments, code, reason) in [
        (&["alarm", "show", "9", "alarm1"][..], 1, "no such station: nothing is known of station 9; `"),
        (&["station", "show", "9"], 1, "no such station: nothing is known of station 9; `"),
        (&["alarm", "show", "area/Typo", "comms"], 1, "area Typo has no comms of which anything is recorded"),
        (
            &["alarm", "show", "server", "alarm2"],
            1,
            "the server has no alarm2; it has comms, new_stations and on_call",
        ),
        (&["alarm", "list", "--source", "424242"], 1, "no such station: nothing is known of station 424242"),
        (&["alarm", "list", "--source", "area/Typo"], 1, "nothing is recorded of area Typo"),
        (&["alarm", "history", "--since", "1h", "--until", "2h"], 2, "is later than --until"),
        (&["alarm", "explain", "1", "alarm1"], 1, "alarm1 of station 1 was never raised"),
        (&["alarm", "explain", "1", "alarm2", "--occurrence", "4711"], 1, &last),
        (
            &["alarm", "explain", "9", "alarm2", "--occurrence", &occurrence],
            1,
            "no such station: nothing is known of station 9",
        ),
        (&["alarm", "explain", "9", "alarm2", "--json"], 1, "no such station"),
        (&["alarm", "explain", "area/Typo", "comms"], 1, "area Typo has no comms of which"),
        (&["alarm", "history", "--source", "9"], 1, "no such station: nothing is known of station 9"),
        (&["alarm", "history", "--source", "area/Typo", "--json"], 1, "nothing is recorded of area Typo"),
        (
            &["alarm", "show", "1", "alarm3"],
            2,
            "there is no point \"alarm3\"; there are alarm1, alarm2, comms, identity, new_stations and on_call",
        ),
        (
            &["alarm", "explain", "1", "new_stations"],
            1,
            "station 1 has no new_stations; it has alarm1, alarm2, comms and identity",
        ),
        (&["alarm", "show", "area/North", "alarm1"], 1, "area North has no alarm1; it has comms"),
        (
            &["alarm", "show", "North", "comms"],
            2,
            "\"North\" has no alarms; write a station's id such as 123",
        ),
        (
            &["alarm", "history", "--since", "yesterday"],
            2,
            "\"yesterday\" is no time; write it like 2026-11-24",
        ),
        (&["alarm", "history", "--limit", "0"], 2, "0 is not in 1..=100000"),
        (&["alarm", "list", "--state", "bad"], 2, "there is no state \"bad\"; there are normal (NORM), "),
        (&["alarm", "list", "--state", "UNACK", "--all"], 2, "cannot be used with"),
        (
            &["alarm", "list", "--priority", "urgent"],
            2,
            "\"urgent\" is none of low, medium, high and critical",
        ),
        (&["station", "show", "x"], 2, "\"x\" is no station's id"),
        (&["station", "list", "--comms", "gone"], 2, "none of silent, late, new, up, paused and retired"),
        (&["alarm", "list", "--data", "none.sqlite"], 1, "there is no database at none.sqlite"),
    ] {
        let output = run(arguments, folder.path());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(reason), "{arguments:?}: {}", stderr(&output));
        assert_eq!(stdout(&output), "", "{arguments:?}");
    }
    server.stop();
}

#[test]
fn lists_are_of_what_fits_all_that_is_asked() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let api = server.api();
    let says = |name: &str, area: &str, priority: &str| serde_json::json!({"name": name, "area": area, "points": {"alarm1": {"priority": priority}}});
    api.put("/api/v1/stations/12", &says("Mill", "North", "critical")).ok();
    api.put("/api/v1/stations/13", &says("Harbour", "South", "low")).ok();
    assert_eq!(server.say(b"12 1 0\n13 1 0\n13 0 0\n7 1 0\n12 0 0\n120 0 0\n"), "OK\n".repeat(6));
    let listed = |arguments: &[&str]| -> Vec<i64> {
        let listed = json(folder.path(), arguments);
        listed.as_array().unwrap().iter().map(|one| one["station_id"].as_i64().unwrap()).collect()
    };
    let stations = |filter: &[&str]| listed(&[&["station", "list"], filter].concat());
    for (filter, wanted) in [
        (&[][..], &[7, 12, 13, 120][..]),
        (&["--area", "North"], &[12]),
        (&["--unnamed"], &[7, 120]),
        (&["--state", "UNACK"], &[7]),
        (&["--state", "UNACK", "--state", "rtn_unacknowledged"], &[7, 12]),
        (&["--q", "12"], &[12, 120]),
        (&["--q", "har"], &[13]),
        (&["--q", "arb"], &[]),
        (&["--unnamed", "--comms", "up", "--q", "1"], &[120]),
        (&["--unnamed", "--limit", "1"], &[7]),
    ] {
        assert_eq!(stations(filter), wanted, "{filter:?}");
    }
    let alarms = |filter: &[&str]| listed(&[&["alarm", "list"], filter].concat());
    for (filter, wanted) in [
        (&[][..], &[7, 12][..]),
        (&["--priority", "critical"], &[12]),
        (&["--priority", "critical", "--priority", "high"], &[7, 12]),
        (&["--area", "North"], &[12]),
        (&["--area", "South"], &[]),
        (&["--active"], &[7]),
        (&["--active", "--area", "North"], &[]),
    ] {
        assert_eq!(alarms(filter), wanted, "{filter:?}");
    }
    server.stop();
}

#[test]
fn databases_without_alarms_have_none() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data.sqlite");
    let nothing = |what: &str| {
        assert_eq!(said(folder.path(), &["alarm", "list"]), "no alarms\n", "{what}");
        assert_eq!(json(folder.path(), &["alarm", "list", "--all"]), Value::Array(Vec::new()), "{what}");
        assert_eq!(json(folder.path(), &["alarm", "history"]), Value::Array(Vec::new()), "{what}");
        assert_eq!(said(folder.path(), &["alarm", "history"]), "nothing is recorded there\n", "{what}");
        let output = run(&["alarm", "explain", "9", "alarm2"], folder.path());
        assert_eq!(output.status.code(), Some(1), "{what}");
    };
    std::fs::write(&data, "").unwrap();
    nothing("nothing in it yet");
    assert_eq!(said(folder.path(), &["station", "list"]), "no stations\n");
    let old = Connection::open(&data).unwrap();
    old.execute_batch(
        "CREATE TABLE station_status (station_id INTEGER PRIMARY KEY, last_date, alarm1, alarm2);
         INSERT INTO station_status VALUES (9, '2024-01-02 03:04', 0, 0)",
    )
    .unwrap();
    nothing("the old server's");
    drop(old);
    std::fs::remove_file(&data).unwrap();
    let _server = make(&data, &[(1, 0, 0, 3)]);
    nothing("ours");
}

#[test]
fn a_contact_that_no_server_has_judged_is_listed_and_never_said_to_be_well() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data.sqlite");
    let is_listed = |what: &str| {
        let list = said(folder.path(), &["alarm", "list"]);
        assert!(
            list.lines().nth(1).unwrap().starts_with("?      high           9  alarm2  -      -    "),
            "{list}"
        );
        assert!(list.contains("the contact is on, and no server has judged it yet\n"), "{what}: {list}");
        assert!(list.ends_with("\n1 alarm: 1 on and not judged yet\n"), "{what}: {list}");
        let alarm = &json(folder.path(), &["alarm", "list"])[0];
        assert_eq!((&alarm["state"], &alarm["contact"]), (&Value::Null, &Value::Bool(true)), "{what}");
        let list = said(folder.path(), &["alarm", "list", "--state", "UNACK"]);
        assert_eq!(list, "no alarms; 1 not shown: 1 on and not judged yet (--all shows them)\n", "{what}");
        let shown = said(folder.path(), &["alarm", "show", "9", "alarm2"]);
        assert!(shown.contains("  state           ? (the contact is on"), "{what}: {shown}");
        assert!(shown.contains("  contact         on"), "{what}: {shown}");
        assert_eq!(json(folder.path(), &["alarm", "show", "9", "alarm2"])["state"], Value::Null, "{what}");
        assert_eq!(json(folder.path(), &["alarm", "show", "9", "alarm1"])["state"], "normal", "{what}");
        let station = json(folder.path(), &["station", "show", "9"]);
        assert_eq!(
            (&station["state"], &station["alarms"]),
            (&Value::Null, &Value::Array(Vec::new())),
            "{what}"
        );
    };
    let old = Connection::open(&data).unwrap();
    old.execute_batch(
        "CREATE TABLE station_status (station_id INTEGER PRIMARY KEY, last_date, alarm1, alarm2);
         INSERT INTO station_status VALUES (9, '2024-01-02 03:04', 0, 1), (10, '2024-01-02 03:04', 0, 0)",
    )
    .unwrap();
    is_listed("the old server's");
    drop(old);
    std::fs::remove_file(&data).unwrap();
    let _server = make(&data, &[(9, 0, 1, 3), (10, 0, 0, 3)]);
    is_listed("ours, before it judged");
}

#[test]
fn what_was_never_raised_is_told_as_far_as_it_is_recorded() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path(), &["--on-delay-s", "600"]);
    server.say(b"1 0 1\n");
    let story = said(folder.path(), &["alarm", "explain", "1", "alarm2"]);
    assert!(story.starts_with("Station 1, alarm2 (high), never raised\n"), "{story}");
    assert!(
        story.contains(" said that the contact is on; it is raised if that lasts for 10 min.\n"),
        "{story}"
    );
    assert!(story.contains("\nIt was never raised. The contact is on since 20"), "{story}");
    assert!(story.ends_with(" if that lasts.\n"), "{story}");
    assert_eq!(json(folder.path(), &["alarm", "explain", "1", "alarm2"])["occurrence"], Value::Null);
    let status = said(folder.path(), &["status"]);
    assert!(status.contains("  alarm2 (on-delay)\n"), "{status}");
    assert!(status.ends_with("\n1 station, no alarms, 1 with an on-delay running\n"), "{status}");
    server.stop();
}

#[test]
fn a_silence_is_told_from_the_report_that_it_began_with() {
    let folder = tempdir().unwrap();
    let database = make(&folder.path().join("data.sqlite"), &[(7, 0, 0, 30)]);
    // Heard 20 times until 01:00:00, silent, and heard again from sequence 40 on.
    database
        .execute_batch(
            "UPDATE station_state SET sequence = 41, span_sequence = 40, span_since = 1795484400000,
                 span_reports = 2;
             INSERT INTO span VALUES (7, 5, 1795480000000, 1795482000000, 0, 0, 20);
             INSERT INTO alarm_event
                 (sequence, event_time, received_at, source, point, occurrence, kind, from_state, to_state,
                  listener_id, peer, cause)
             VALUES
                 (30, 1795482180000, 1795482180000, 7, 'comms', 30, 'raised', 'normal', 'unacknowledged',
                  0, x'', 29),
                 (39, 1795484400000, 1795484400000, 7, 'comms', 30, 'returned', 'unacknowledged', 'normal',
                  0, x'', 40)",
        )
        .unwrap();
    let raise = || {
        let story = json(folder.path(), &["alarm", "explain", "7", "comms"]);
        story["lines"][0]["text"].as_str().unwrap().to_owned()
    };
    let text = raise();
    assert!(text.starts_with("raised: nothing was heard of the station since 2026-11-2"), "{text}");
    assert!(text.ends_with(", for its period and grace."), "{text}");
    // A span that goes on over the silence has no time for the report in it.
    database.execute_batch("UPDATE station_state SET span_sequence = 6").unwrap();
    assert_eq!(raise(), "raised: nothing was heard of the station for its period and grace.");
}

#[test]
fn what_is_disabled_is_said_to_be_with_its_contact() {
    let folder = tempdir().unwrap();
    let database = make(&folder.path().join("data.sqlite"), &[(1, 0, 0, 3), (2, 1, 0, 3)]);
    let settle = |scope: &str| {
        let settled =
            format!("INSERT INTO point_settings (scope, point, enabled) VALUES ({scope}, 'alarm1', 0)");
        database.execute_batch(&settled).unwrap();
    };
    settle("2");
    assert_eq!(said(folder.path(), &["alarm", "list"]), "no alarms; 1 point disabled, 1 of them on\n");
    settle("1");
    assert_eq!(said(folder.path(), &["alarm", "list"]), "no alarms; 2 points disabled, 1 of them on\n");
    assert_eq!(said(folder.path(), &["alarm", "list", "--source", "1"]), "no alarms; 1 point disabled\n");
    database.execute_batch("DELETE FROM point_settings").unwrap();
    settle("'fleet'");
    assert_eq!(said(folder.path(), &["alarm", "list"]), "no alarms; 2 points disabled, 1 of them on\n");
    let all = said(folder.path(), &["alarm", "list", "--all"]);
    assert!(all.lines().nth(1).unwrap().starts_with("disabled  high           2  alarm1  "), "{all}");
    let alarm = json(folder.path(), &["alarm", "show", "2", "alarm1"]);
    assert_eq!(
        (&alarm["state"], &alarm["enabled"], &alarm["contact"]),
        (&Value::Null, &Value::Bool(false), &Value::Bool(true))
    );
    let shown = said(folder.path(), &["alarm", "show", "2", "alarm1"]);
    assert!(shown.contains("  state           disabled: its contact is not judged\n"), "{shown}");
    assert!(shown.contains("  contact         on\n"), "{shown}");
    let station = said(folder.path(), &["station", "show", "1"]);
    assert!(station.contains("  alarm1       off, good (disabled)\n"), "{station}");
    let status = said(folder.path(), &["status"]);
    assert!(status.contains("up     NORM   alarm1 (disabled)\n"), "{status}");
    assert!(status.ends_with("\n2 stations, no alarms, 2 with a disabled point, 1 of them on\n"), "{status}");
    assert_eq!(json(folder.path(), &["status"])[0]["disabled"], Value::from(vec!["alarm1"]));
}

#[test]
fn a_station_that_is_configured_and_was_never_heard_is_new() {
    let folder = tempdir().unwrap();
    let database = make(&folder.path().join("data.sqlite"), &[(2, 0, 0, 3), (9, 0, 0, 3)]);
    database
        .execute_batch("INSERT INTO station_settings (station_id, area) VALUES (5, 'North'), (9, NULL)")
        .unwrap();
    let ids = |more: &[&str]| -> Vec<i64> {
        let arguments: Vec<&str> = ["station", "list"].into_iter().chain(more.iter().copied()).collect();
        let stations = json(folder.path(), &arguments);
        stations.as_array().unwrap().iter().map(|station| station["station_id"].as_i64().unwrap()).collect()
    };
    assert_eq!(ids(&[]), [2, 5, 9]);
    assert_eq!(ids(&["--limit", "1", "--after", "2"]), [5]);
    assert_eq!(ids(&["--limit", "1"]), [2]);
    assert_eq!(ids(&["--comms", "new"]), [5]);
    let list = said(folder.path(), &["station", "list"]);
    assert!(list.contains("      5  new    ?      ?   -                 never  (North)\n"), "{list}");
    let station = json(folder.path(), &["station", "show", "5"]);
    for field in ["state", "last_date", "received_at", "age_s", "alarm1", "alarm2"] {
        assert_eq!(station[field], Value::Null, "{field}");
    }
    let station = said(folder.path(), &["station", "show", "5"]);
    assert!(
        station.starts_with("Station 5 (North): new, ?\n  last report  never: it has not reported yet"),
        "{station}"
    );
    assert!(station.contains("  alarm1       ?, never (?)\n"), "{station}");
    assert_eq!(json(folder.path(), &["alarm", "show", "5", "alarm1"])["state"], Value::Null);
    assert_eq!(said(folder.path(), &["alarm", "list"]), "no alarms\n");
    assert_eq!(said(folder.path(), &["alarm", "list", "--source", "area/North"]), "no alarms\n");
    assert_eq!(json(folder.path(), &["alarm", "show", "area/North", "comms"])["state"], "normal");
    let status = said(folder.path(), &["status"]);
    assert!(
        status.ends_with("\n3 stations, no alarms, 1 never heard (? is what was last known)\n"),
        "{status}"
    );
}

#[test]
fn a_row_that_no_server_wrote_is_named() {
    let folder = tempdir().unwrap();
    let server = make(&folder.path().join("data.sqlite"), &[(1, 0, 0, 3)]);
    server
        .execute_batch(
            "INSERT INTO alarm_event (sequence, event_time, received_at, source, kind, listener_id, peer)
             VALUES (1, 0, 0, 'server', 'exploded', 0, x'')",
        )
        .unwrap();
    let output = run(&["alarm", "history"], folder.path());
    assert_eq!(output.status.code(), Some(0), "the others are shown all the same");
    assert_eq!(
        stderr(&output),
        "waterwatch: 1 entry of the ledger cannot be read, and is left out: in alarm_event, the row of \
         sequence 1 cannot be read: kind is the text \"exploded\"\n"
    );
}

#[test]
fn a_station_is_shown_with_what_is_only_in_the_journal() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path(), &["--direct-reports-max", "0", "--direct-pages-max", "0"]);
    server.say(b"5 0 1\n");
    let recorded = || -> (i64, i64) {
        let database = crate::harness::open(&server.data);
        let of = |query| database.query_row(query, [], |row| row.get(0)).unwrap();
        (of("SELECT reports FROM station_state WHERE station_id = 5"), of("SELECT count(*) FROM journal"))
    };
    for _ in 0..3 {
        server.say(b"5 0 1\n");
    }
    assert_eq!(recorded(), (1, 3), "the row is behind the journal");
    let station = json(folder.path(), &["station", "show", "5"]);
    assert_eq!((&station["reports"], &station["unchanged_reports"]), (&Value::from(4), &Value::from(4)));
    assert_eq!(json(folder.path(), &["station", "list", "--limit", "1"])[0]["reports"], 4);
    assert_eq!(station["alarms"][0]["state"], "unacknowledged");
    server.stop();
}

#[test]
fn a_station_is_judged_by_what_is_settled_for_it() {
    let folder = tempdir().unwrap();
    let database = make(&folder.path().join("data.sqlite"), &[(1, 0, 0, 30), (2, 1, 0, 30), (3, 0, 0, 30)]);
    database
        .execute_batch(
            "INSERT INTO server VALUES ('period_s', '10'), ('grace_s', '0');
             INSERT INTO area_settings VALUES ('North', 300, NULL);
             INSERT INTO station_settings (station_id, area) VALUES (2, 'North');
             INSERT INTO station_settings (station_id, period_s) VALUES (3, 20);
             INSERT INTO point_settings (scope, point, priority) VALUES ('fleet', 'alarm1', 'low');
             INSERT INTO point_settings (scope, point, priority) VALUES (2, 'alarm2', 'critical');
             INSERT INTO point_settings (scope, point, enabled) VALUES ('area/North', 'alarm1', 0);",
        )
        .unwrap();
    let stations = json(folder.path(), &["station", "list"]);
    let comms: Vec<&str> =
        stations.as_array().unwrap().iter().map(|station| station["comms"].as_str().unwrap()).collect();
    assert_eq!(comms, ["late", "up", "late"]);
    let priority = |id, point| json(folder.path(), &["alarm", "show", id, point])["priority"].clone();
    assert_eq!(
        [priority("1", "alarm1"), priority("1", "alarm2"), priority("2", "alarm1"), priority("2", "alarm2")],
        ["low", "high", "low", "critical"]
    );
    // Its contact is on, and nobody is to care.
    let station = json(folder.path(), &["station", "show", "2"]);
    assert_eq!((&station["state"], &station["points"][0]["state"]), (&Value::from("normal"), &Value::Null));
    assert!(said(folder.path(), &["station", "show", "2"]).contains("  alarm1       on, good (disabled)\n"));

    // As the server does, which says so in its log.
    database.execute_batch("UPDATE area_settings SET period_s = -1").unwrap();
    assert_eq!(json(folder.path(), &["station", "list"])[1]["comms"], "late", "that row is ignored");
    assert_eq!(priority("2", "alarm2"), "critical");
}
