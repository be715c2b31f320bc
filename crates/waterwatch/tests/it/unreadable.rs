//! Rows that nobody can read, after somebody's hand: the server starts all the same, says
//! which they are, and forgets no alarm.

use serde_json::Value;
use tempfile::TempDir;

use crate::api::Api;
use crate::harness::{Server, open, run, stderr, stdout, wait_for};

fn state(api: &Api, id: i64) -> String {
    let alarm = api.get(&format!("/api/v1/alarms/{id}/alarm1")).ok();
    alarm["state"].as_str().unwrap().to_owned()
}

fn events(api: &Api, id: i64) -> Vec<Value> {
    let events = api.get(&format!("/api/v1/events?source={id}&after=0")).ok();
    events["events"].as_array().unwrap().clone()
}

/// What is on, what has returned and waits for somebody, what somebody has answered, what
/// is shelved, and one that is well.
const STATIONS: [i64; 5] = [1, 2, 3, 4, 5];

fn prepared(folder: &TempDir) {
    let server = Server::start(folder.path(), &[]);
    for id in STATIONS {
        assert_eq!(server.say(format!("{id} {} 0\n", i64::from(id < 5)).as_bytes()), "OK\n");
    }
    assert_eq!(server.say(b"2 0 0\n"), "OK\n");
    let api = server.api();
    wait_for("the alarms", || (state(&api, 4) == "unacknowledged").then_some(()));
    run(&["alarm", "ack", "3", "alarm1"], folder.path());
    let shelved = ["alarm", "shelve", "4", "alarm1", "--for", "1h", "--reason", "a pump is changed"];
    assert!(run(&shelved, folder.path()).status.success());
    server.stop();
}

#[test]
fn an_alarm_whose_facts_cannot_be_read_is_raised_afresh_and_said_so() {
    let folder = TempDir::new().unwrap();
    prepared(&folder);
    let connection = open(&folder.path().join("data.sqlite"));
    for statement in [
        "UPDATE alarm SET contact_since = 9223372036854775807 WHERE source <= 4",
        "INSERT INTO alarm (source, point, contact, contact_since) VALUES ('nowhere', 'alarm1', 1, 5)",
        "INSERT INTO station_life (station_id, retired_at) VALUES (5, 5)",
        "INSERT INTO fleet_settings (scope, period_s) VALUES ('fleet', 999999999)",
        "UPDATE station_status SET alarm2 = 'x' WHERE station_id = 5",
    ] {
        assert!(connection.execute(statement, []).unwrap() > 0, "{statement}");
    }
    drop(connection);

    let server = Server::start(folder.path(), &[]);
    let api = server.api();
    // Of what nobody can read nothing is shown, until the server has written what it counts as.
    wait_for("the contact to be read", || (api.get("/api/v1/alarms/5/alarm1").status == 200).then_some(()));
    let wanted = ["unacknowledged", "rtn_unacknowledged", "unacknowledged", "unacknowledged", "normal"];
    wait_for("the alarms to be raised", || {
        STATIONS.iter().zip(wanted).all(|(id, wanted)| state(&api, *id) == wanted).then_some(())
    });
    for id in 1..=4 {
        let events = events(&api, id);
        let raised = events.iter().rfind(|event| event["kind"] == "raised").unwrap();
        let reason = raised["reason"].as_str().unwrap();
        assert!(reason.contains("contact_since is 9223372036854775807"), "{reason}");
    }
    // The contact of which nobody knows is one that is on.
    wait_for("the other contact", || {
        let alarm = api.get("/api/v1/alarms/5/alarm2").ok();
        (alarm["state"] == "unacknowledged").then_some(())
    });
    // Those of no alarm that can be told are left as they are.
    assert_eq!(api.metric("waterwatch_unreadable_rows"), Some(4.0));
    for named in [
        "in alarm, the row of source 1 and point the text \"alarm1\" cannot be read",
        "source is the text \"nowhere\"",
        "in station_life, the row of station 5 cannot be read",
        "in the table fleet_settings, the row of scope fleet is ignored",
        "in station_status, the row of station 5: alarm2 is the text \"x\"",
    ] {
        server.running.wait_for_log(named);
    }
    // Whoever looks at a terminal sees it as well.
    let list = run(&["alarm", "list"], folder.path());
    assert!(list.status.success() && stdout(&list).contains("RTNUN"), "{}", stdout(&list));
    let before: Vec<usize> = STATIONS.iter().map(|id| events(&api, *id).len()).collect();
    assert_eq!(server.say(b"5 0 0\n"), "OK\n");
    server.stop();

    // Once, and not with every start.
    let server = Server::start(folder.path(), &[]);
    let api = server.api();
    wait_for("the server to be ready", || (api.get("/readyz").status == 200).then_some(()));
    for (id, before) in STATIONS[..4].iter().zip(before) {
        assert_eq!(events(&api, *id).len(), before, "{id}");
    }
    assert_eq!(api.metric("waterwatch_unreadable_rows"), Some(3.0));
    let connection = open(&server.data);
    let kept = "SELECT count(*) FROM alarm WHERE source = 'nowhere'";
    assert_eq!(connection.query_row(kept, [], |row| row.get(0)), Ok(1));
    server.stop();
}

/// Somebody has said something of it, whatever that was.
#[test]
fn a_station_whose_settings_cannot_be_meant_is_not_forgotten() {
    let folder = TempDir::new().unwrap();
    prepared(&folder);
    let connection = open(&folder.path().join("data.sqlite"));
    connection.execute("INSERT INTO station_settings (station_id, period_s) VALUES (5, 0)", []).unwrap();
    drop(connection);
    let server = Server::start(folder.path(), &[]);
    let api = server.api();
    let detail = api.delete("/api/v1/stations/5").problem(409).to_owned();
    assert!(detail.contains("something is said of station 5"), "{detail}");
    api.put("/api/v1/stations/5", &serde_json::json!({})).ok();
    api.delete("/api/v1/stations/5").ok();
    api.get("/api/v1/stations/5").problem(404);
}

#[test]
fn settings_that_cannot_be_meant_are_named_to_whoever_reads_them_and_put_right() {
    let folder = TempDir::new().unwrap();
    prepared(&folder);
    let connection = open(&folder.path().join("data.sqlite"));
    for statement in [
        "INSERT INTO station_settings (station_id, name, period_s) VALUES (4, 'Well', 60)",
        "INSERT INTO station_settings (station_id, name, period_s) VALUES (5, 'Mill', 0)",
        "INSERT INTO point_settings (scope, point, label) VALUES (5, 'alarm1', 'High level')",
        "INSERT INTO point_settings (scope, point, priority) VALUES (5, 'alarm2', 'urgent')",
        "INSERT INTO area_settings (area, grace_s) VALUES ('North', -1)",
        "INSERT INTO fleet_settings (scope, period_s) VALUES ('fleet', 999999999)",
    ] {
        connection.execute(statement, []).unwrap();
    }
    drop(connection);
    let server = Server::start(folder.path(), &[]);
    let api = server.api();
    let read = |path: &str| api.get(&format!("/api/v1/{path}")).ok();
    let of_five = read("stations/5/settings");
    assert_eq!(of_five["said"], serde_json::json!({"points": {"alarm1": {"label": "High level"}}}));
    let ignored = serde_json::json!([
        "the row of station_settings: period_s is 0; it must be a number from 1 to 604800",
        "the point_settings of alarm2: priority is the text \"urgent\"; it must be critical, high, medium or low",
    ]);
    assert_eq!(of_five["ignored"], ignored);
    assert_eq!(read("stations/settings")["stations"][1]["ignored"], ignored);
    for path in ["areas/North", "settings"] {
        let object = read(path);
        assert_eq!(object["ignored"].as_array().unwrap().len(), 1, "{object}");
        assert_eq!(object["said"], serde_json::json!({}));
    }
    let export = ["station", "export", "--fields", "name"];
    let exported = run(&export, folder.path());
    assert_eq!(
        (stdout(&exported), exported.status.code()),
        ("station_id,name\r\n4,Well\r\n5,\r\n".to_owned(), Some(1))
    );
    let said = stderr(&exported);
    assert!(
        said.contains("station 5: left out, since it cannot be meant: the row of station_settings"),
        "{said}"
    );
    assert!(
        said.ends_with("of 1 station not all is written: say it anew (station set), and export again\n"),
        "{said}"
    );

    // Whoever says anything of it puts it right.
    assert!(run(&["station", "set", "5", "name=Mill"], folder.path()).status.success());
    let of_five = read("stations/5/settings");
    assert_eq!(
        of_five["said"],
        serde_json::json!({"name": "Mill", "points": {"alarm1": {"label": "High level"}}})
    );
    assert_eq!(of_five["ignored"], serde_json::json!([]));
    assert_eq!(run(&export, folder.path()).status.code(), Some(0));
}

/// One row that nobody can read takes nothing from whoever looks at others.
#[test]
fn what_cannot_be_read_of_alarms_is_left_out_where_it_is_not_asked_for() {
    let folder = TempDir::new().unwrap();
    prepared(&folder);
    let connection = open(&folder.path().join("data.sqlite"));
    for statement in [
        "INSERT INTO silent_together (occurrence, silent_since, stations) VALUES (1, 5, x'ff')",
        "INSERT INTO silent_together (occurrence, silent_since, stations) VALUES (-1, 5, x'0105')",
        "INSERT INTO alarm (source, point, contact, contact_since) VALUES (5, 'alarm9', 1, 5)",
    ] {
        connection.execute(statement, []).unwrap();
    }
    drop(connection);
    for arguments in [
        &["alarm", "list"] as &[&str],
        &["status"],
        &["station", "list"],
        &["station", "show", "5"],
        &["alarm", "show", "5", "alarm1"],
        &["alarm", "show", "5", "comms"],
        &["alarm", "explain", "1", "alarm1"],
    ] {
        let output = run(arguments, folder.path());
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    }
    let server = Server::start(folder.path(), &[]);
    let api = server.api();
    wait_for("the server to read", || (api.get("/readyz").status == 200).then_some(()));
    for path in ["stations/5", "alarms/5/alarm1", "alarms/5/comms", "stations/1"] {
        api.get(&format!("/api/v1/{path}")).ok();
    }
}

#[test]
fn a_station_whose_row_cannot_be_read_is_named_below_the_others() {
    let folder = TempDir::new().unwrap();
    prepared(&folder);
    let connection = open(&folder.path().join("data.sqlite"));
    for statement in [
        "UPDATE station_status SET last_date = x'00' WHERE station_id = 2",
        "INSERT INTO station_status (station_id, last_date, alarm1, alarm2) VALUES (-7, '2026-11-24 02:10', 1, 0)",
    ] {
        connection.execute(statement, []).unwrap();
    }
    drop(connection);
    for arguments in [&["status"] as &[&str], &["station", "list"]] {
        let output = run(arguments, folder.path());
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        let shown = stdout(&output);
        assert!(shown.contains("\n2 stations left out: in the database "), "{shown}");
        assert!(shown.contains("the row of station -7 cannot be read: station_id is -7\n"), "{shown}");
        let json = [arguments, &["--json"]].concat();
        let output = run(&json, folder.path());
        let stations: Vec<Value> = serde_json::from_str(&stdout(&output)).unwrap();
        assert!(stations.len() >= 4 && stderr(&output).contains("2 stations left out"), "{stations:?}");
    }
    let list = run(&["alarm", "list"], folder.path());
    assert!(list.status.success(), "{}", stderr(&list));
    assert!(stdout(&list).contains("the row of station 2 cannot be read: last_date is"), "{}", stdout(&list));
    // A page has as many as were asked for.
    let page = run(&["station", "list", "--limit", "2"], folder.path());
    assert!(
        stdout(&page).contains("2 stations, and there are more: go on with --after "),
        "{}",
        stdout(&page)
    );
    // Whoever asks for it alone is told why there is none.
    let show = run(&["station", "show", "2"], folder.path());
    assert!(!show.status.success() && stderr(&show).contains("last_date is"), "{}", stderr(&show));
}
