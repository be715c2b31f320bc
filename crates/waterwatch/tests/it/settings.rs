//! What is settled for the fleet in the configuration, and for stations and
//! areas in the database.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::{Server, open, run, stderr, stdout, wait_for};
use crate::ledger::{kinds, ledger};

fn with_config(folder: &Path, config: &str) -> Server {
    fs::write(folder.join("waterwatch.toml"), config).unwrap();
    Server::start(folder, &["--config", "waterwatch.toml", "--listen", "127.0.0.1:0"])
}

/// The database of a server that has stopped, with these rows.
fn settled(folder: &Path, statements: &str) -> PathBuf {
    let server = Server::start(folder, &[]);
    let data = server.data.clone();
    server.stop();
    open(&data).execute_batch(statements).unwrap();
    data
}

#[test]
fn the_file_settles_how_points_are_judged() {
    let folder = tempfile::tempdir().unwrap();
    let config =
        "[points.alarm1]\npriority = \"low\"\nlabel = \"High level\"\n\n[points.alarm2]\non_delay_s = 1\n";
    let server = with_config(folder.path(), config);
    assert_eq!(server.say(b"7 1 1\n7 0 1\n"), "OK\nOK\n");
    // One of low priority waits for nobody.
    assert_eq!(kinds(&server.data, "7/alarm1"), ["raised", "returned"]);
    let label: String = open(&server.data)
        .query_row(
            "SELECT label FROM point_settings WHERE scope = 'configuration' AND point = 'alarm1'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(label, "High level");
    // By time alone, and only once the delay is over.
    assert_eq!(kinds(&server.data, "7/alarm2")[0], "on_delay_started");
    wait_for("the delay", || {
        (kinds(&server.data, "7/alarm2") == ["on_delay_started", "raised"]).then_some(())
    });
    let logged = server.stop();
    assert!(
        logged.contains("less than two periods"),
        "a delay that rests on one report is warned of: {logged}"
    );
}

#[test]
fn the_database_settles_it_for_an_area_and_a_station() {
    let folder = tempfile::tempdir().unwrap();
    let data = settled(
        folder.path(),
        "INSERT INTO area_settings (area, period_s, grace_s) VALUES ('North', 1, 0);
             INSERT INTO station_settings (station_id, area) VALUES (7, 'North');
             INSERT INTO point_settings (scope, point, enabled) VALUES (8, 'alarm1', 0);
             INSERT INTO point_settings (scope, point, on_delay_s) VALUES (9, 'alarm1', 60), (8, 'alarm1', 60)
             ON CONFLICT DO UPDATE SET on_delay_s = excluded.on_delay_s;",
    );
    let server = Server::start(folder.path(), &[]);
    assert_eq!(server.say(b"7 0 0\n8 1 1\n"), "OK\nOK\n");
    wait_for("the silence", || (kinds(&data, "7/comms") == ["raised"]).then_some(()));
    assert_eq!(kinds(&data, "8/comms"), [""; 0]);
    assert_eq!(kinds(&data, "8/alarm1"), [""; 0], "it is not judged");
    assert_eq!(kinds(&data, "8/alarm2"), ["raised"]);
    let logged = server.stop();
    let warning = "on_delay_s of alarm1 is 60 s, less than two periods of 60 s: it rests on a single report \
                   (for 2 stations, station 8 among them)";
    assert!(logged.contains(warning), "{logged}");
}

/// One mistyped row must not leave all stations unheard.
#[test]
fn a_row_of_the_database_that_cannot_be_meant_is_ignored_and_named_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let data = settled(
        folder.path(),
        "INSERT INTO station_settings (station_id, period_s) VALUES (7, 0);
             INSERT INTO point_settings (scope, point, priority) VALUES (7, 'alarm1', 'urgent');
             INSERT INTO point_settings (scope, point, enabled) VALUES (7, 'alarm2', 0);",
    );
    let server = Server::start(folder.path(), &[]);
    assert_eq!(server.say(b"7 1 1\n"), "OK\n");
    assert_eq!(kinds(&data, "7/alarm1"), ["raised"]);
    assert_eq!(kinds(&data, "7/alarm2"), [""; 0], "the rest of it holds");
    let logged = server.stop();
    for complaint in [
        "in the table station_settings, the row of station_id 7 is ignored: period_s is 0",
        "in the table point_settings, the row of scope 7 and point the text",
    ] {
        assert!(logged.contains(complaint), "{complaint}: {logged}");
    }
}

#[test]
fn a_point_that_is_no_longer_judged_is_closed_at_the_next_start_and_judged_again_later() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    assert_eq!(server.say(b"7 1 0\n"), "OK\n");
    let data = server.data.clone();
    server.stop();
    let server = with_config(folder.path(), "[points.alarm1]\nenabled = false\n");
    wait_for("it to be closed", || (kinds(&data, "7/alarm1") == ["raised", "disabled"]).then_some(()));
    assert_eq!(server.say(b"7 0 0\n7 1 0\n"), "OK\nOK\n");
    assert_eq!(kinds(&data, "7/alarm1").len(), 2, "it is not judged");
    server.stop();
    let server = with_config(folder.path(), "");
    wait_for("it to be judged", || {
        (kinds(&data, "7/alarm1") == ["raised", "disabled", "raised"]).then_some(())
    });
    // Since when it says so, not since when it is judged.
    let raised = ledger(&data).into_iter().rfind(|entry| entry.alarm == "7/alarm1").unwrap();
    assert!(raised.event_time < raised.received_at, "{raised:?}");
    server.stop();
}

#[test]
fn wrong_settings_are_named_with_their_place() {
    let folder = tempfile::tempdir().unwrap();
    for (config, complaint) in [
        (
            "[points.alarm1]\npriority = \"urgent\"\n",
            "\"urgent\" is no priority; write critical, high, medium or low",
        ),
        ("[points.alarm3]\n", "alarm3"),
        ("[points.alarm1]\ndelay_s = 1\n", "line 2, column 1"),
        ("[points.comms]\non_delay_s = 1\n", "in [points.comms]: on_delay_s is 1; it must be left out"),
        ("[points.alarm2]\nchatter_raises = 33\n", "in [points.alarm2]: chatter_raises is 33; it must be"),
        ("[points.alarm1]\nchatter_window_s = 59\n", "it must be a number from 60 to 2678400"),
        (
            "[points.alarm1]\nrespond_within_min = 0\n",
            "in [points.alarm1]: respond_within_min is 0; it must be",
        ),
        ("[points.alarm2]\nlabel = \"\"\n", "label of [points.alarm2] must have from 1 to 500 characters"),
        ("[fleet]\nperiod_s = 0\n", "period_s = 0 is out of range"),
    ] {
        fs::write(folder.path().join("waterwatch.toml"), config).unwrap();
        let output = run(&["serve", "--config", "waterwatch.toml"], folder.path());
        assert_eq!(output.status.code(), Some(2), "{config}: {}", stderr(&output));
        assert!(stderr(&output).contains(complaint), "{config}: {}", stderr(&output));
    }
}

#[test]
fn a_station_is_heard_from_its_own_addresses_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data = settled(
        folder.path(),
        "INSERT INTO station_settings (station_id, allow_from) VALUES
                 (7, '10.20.0.0/16, 10.21.0.7'), (8, '10.20.0.0/16 127.0.0.1'), (9, 'here')",
    );
    let server = Server::start(folder.path(), &[]);
    assert_eq!(
        server.say(b"8 0 0\n7 1 0\n9 0 0\n"),
        "OK\nERR not_allowed station 7 may not report from this address; its allow_from says from which\nOK\n"
    );
    let stations: String = open(&data)
        .query_row("SELECT group_concat(station_id) FROM station_status", [], |row| row.get(0))
        .unwrap();
    assert_eq!(stations, "8,9", "nothing is recorded of what is refused");
    assert_eq!(kinds(&data, "7/alarm1"), [""; 0]);
    server.running.wait_for_log("WARN refused a report: the address is not in the station's allow_from");
    server.running.wait_for_log("until then the station may report from anywhere");
    server.stop();
}

#[test]
fn a_station_that_was_never_heard_by_its_time_is_silent() {
    let folder = tempfile::tempdir().unwrap();
    let expected = "INSERT INTO station_settings (station_id, expected_by) VALUES (7, 1577836800000)";
    let data = settled(folder.path(), expected);
    let fast = ["--period-s", "1", "--grace-s", "0"];
    let server = Server::start(folder.path(), &fast);
    wait_for("the silence", || (kinds(&data, "7/comms") == ["raised"]).then_some(()));
    let raised = ledger(&data).into_iter().find(|entry| entry.alarm == "7/comms").unwrap();
    assert_eq!(raised.reason.as_deref(), Some("never heard; expected by 2020-01-01 00:00 UTC"));
    server.stop();
    let server = Server::start(folder.path(), &["--period-s", "3600"]);
    server.say(b"7 0 0\n");
    assert_eq!(kinds(&data, "7/comms"), ["raised", "returned"], "a restart raises nothing again");
    server.stop();
}

#[test]
fn what_people_say_of_stations_and_points_is_shown_to_whoever_looks() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[points.alarm1]\nlabel = \"Alarm\"\nconsequence = \"Overflows\"\nrespond_within_min = 60\n\
                  [points.comms]\npriority = \"low\"\n[points.alarm2]\npriority = \"critical\"\n";
    let data = settled(
        folder.path(),
            "INSERT INTO area_settings (area, period_s, grace_s) VALUES ('North', 1, 0);
             INSERT INTO station_settings (station_id, name, area, location, access_note, telephones) VALUES
                 (7, 'Mill lane lift station number one', 'North', '48.1 N 11.5 E', 'key at the gate', '+49 170 1');
             INSERT INTO station_settings (station_id, name, expected_by) VALUES (8, 'Well', 4000000000000);
             INSERT INTO point_settings (scope, point, label, response) VALUES
                 ('area/North', 'alarm1', 'Flood', 'Start pump 2'), (7, 'alarm1', 'High level', NULL);",
    );
    let server = with_config(folder.path(), config);
    assert_eq!(server.say(b"7 1 1\n9 1 0\n"), "OK\nOK\n");
    wait_for("the silence", || (kinds(&data, "7/comms") == ["raised"]).then_some(()));
    let asked = |arguments: &[&str]| stdout(&run(arguments, folder.path()));

    let shown = asked(&["alarm", "show", "7", "alarm1"]);
    let headline = "Station 7, Mill lane lift station number one (North), alarm1 \"High level\" (high)\n";
    assert!(shown.starts_with(headline), "{shown}");
    let ends = "\n  consequence     Overflows\n  response        Start pump 2\n  respond within  60 min\n  \
                location        48.1 N 11.5 E\n  access          key at the gate\n  telephones      +49 170 1\n";
    assert!(shown.ends_with(ends), "the station, its area, the fleet: {shown}");
    let json: serde_json::Value =
        serde_json::from_str(&asked(&["alarm", "show", "7", "alarm1", "--json"])).unwrap();
    for (name, said) in [
        ("name", "Mill lane lift station number one"),
        ("area", "North"),
        ("label", "High level"),
        ("consequence", "Overflows"),
        ("response", "Start pump 2"),
        ("location", "48.1 N 11.5 E"),
        ("access_note", "key at the gate"),
        ("telephones", "+49 170 1"),
    ] {
        assert_eq!(json[name], said, "{name}");
    }
    assert_eq!(json["respond_within_min"], 60);
    let other: serde_json::Value =
        serde_json::from_str(&asked(&["alarm", "show", "9", "alarm1", "--json"])).unwrap();
    assert_eq!((&other["label"], &other["name"]), (&"Alarm".into(), &serde_json::Value::Null));

    // Silence is as urgent as what is open there, in each command.
    assert!(asked(&["alarm", "show", "7", "comms"]).contains("comms (critical)"));
    assert!(asked(&["alarm", "explain", "7", "comms"]).contains("(North), comms (critical), occurrence"));
    let listed = asked(&["alarm", "list"]);
    let silent = listed.lines().find(|line| line.contains(" comms ")).unwrap();
    assert!(silent.starts_with("UNACK   critical"), "{listed}");

    // Two contacts that are on and stale are as wide as those columns get.
    for (table, widest_max) in
        [(asked(&["alarm", "list"]), 80), (asked(&["station", "list"]), 86), (asked(&["status"]), 86)]
    {
        assert!(table.contains("  Mill lane lift stat…\n"), "{table}");
        let lines = table.lines().filter(|line| line.contains("Mill lane") || line.contains("NAME"));
        let widest = lines.map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= widest_max, "{widest}: {table}");
    }
    let listed = asked(&["station", "list"]);
    let never = listed.lines().find(|line| line.contains("Well")).unwrap();
    assert!(never.contains("new") && never.contains("Well; expected by 2096-10-02 "), "{listed}");
    let shown = asked(&["station", "show", "8"]);
    assert!(shown.starts_with("Station 8, Well: new, ?\n"), "{shown}");
    assert!(shown.contains("it has not reported yet; expected by 2096-10-02 "), "{shown}");
    server.stop();
    open(&data)
        .execute_batch("UPDATE station_settings SET expected_by = 1577836800000, area = 'North'")
        .unwrap();
    let server = with_config(folder.path(), config);
    wait_for("the silence", || (kinds(&data, "8/comms") == ["raised"]).then_some(()));
    let listed = asked(&["station", "list"]);
    let never = listed.lines().find(|line| line.contains("Well")).unwrap();
    assert!(never.contains("silent") && never.contains("never heard, expected by 20"), "{listed}");
    assert!(asked(&["status"]).contains(", 1 never heard"), "silent, and never heard");
    let json: serde_json::Value = serde_json::from_str(&asked(&["station", "show", "8", "--json"])).unwrap();
    assert_eq!((&json["quality"], &json["expected_by"]), (&"never".into(), &"2020-01-01T00:00:00Z".into()));
    assert!(
        asked(&["station", "show", "8"]).contains("  alarm1       ?, never (?)\n"),
        "unknown is no good news"
    );
    server.stop();
}
