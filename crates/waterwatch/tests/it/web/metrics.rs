//! What Prometheus sees of a server to which known things happened.

use std::time::{Duration, SystemTime};

use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;

use crate::harness::{Server, run, wait_for};

#[test]
fn what_came_in_is_counted_once_by_what_became_of_it() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &["--stations-max", "2"]);
    let api = server.api();
    // Stored, repeated, stored with an alarm; one station too many; no report.
    let mut station = server.connect();
    for (line, answer) in [
        ("1 0 0", "OK"),
        ("1 0 0", "OK"),
        ("2 0 1", "OK"),
        ("3 0 0", "ERR stations_max"),
        ("1 0", "ERR fields"),
    ] {
        station.send(format!("{line}\n"));
        assert!(station.reply().starts_with(answer), "{line}");
    }
    let reports = json!([
        {"station_id": 1, "alarm1": false, "alarm2": false},
        {"station_id": 4, "alarm1": false, "alarm2": false},
    ]);
    assert_eq!(api.post("/api/v1/reports", &reports).status, 200);
    for name in ["a", "b", "../c", "d%00"] {
        api.delete(&format!("/api/v1/tokens/{name}"));
        api.get(&format!("/no/such/{name}"));
    }

    let now = |series: &str| api.metric(series);
    for (outcome, count) in [("stored", 4.0), ("refused", 2.0), ("not_stored", 0.0)] {
        let series = format!("waterwatch_reports_total{{outcome=\"{outcome}\"}}");
        assert_eq!(now(&series), Some(count), "{outcome}");
    }
    for (code, count) in [("stations_max", 2.0), ("fields", 1.0), ("tls", 0.0)] {
        let series = format!("waterwatch_refused_lines_total{{code=\"{code}\"}}");
        assert_eq!(now(&series), Some(count), "{code}");
    }
    for (series, value) in [
        ("waterwatch_batch_reports_sum", 4.0),
        ("waterwatch_batch_reports_count", 4.0),
        ("waterwatch_stations_known", 2.0),
        ("waterwatch_stations_known_max", 2.0),
        ("waterwatch_connections{kind=\"stations\"}", 1.0),
        ("waterwatch_connections_max{kind=\"http\"}", 1_024.0),
        ("waterwatch_lane_bytes", 0.0),
        ("waterwatch_commands_waiting", 0.0),
        ("waterwatch_tokens_valid", 1.0),
        ("waterwatch_can_store", 1.0),
        ("waterwatch_blind_seconds_total", 0.0),
        ("waterwatch_commit_failures_total{outcome=\"unknown\"}", 0.0),
        ("waterwatch_http_requests_total{route=\"/api/v1/reports\",method=\"POST\",status=\"200\"}", 1.0),
    ] {
        assert_eq!(now(series), Some(value), "{series}");
    }
    let at_least = |series: &str, least: f64| {
        assert!(now(series).is_some_and(|value| value >= least), "{series}: {:?}", now(series));
    };
    at_least("waterwatch_commit_duration_seconds_count", 4.0);
    at_least("waterwatch_wal_bytes", 4_096.0);
    at_least("waterwatch_events_total", 1.0);
    at_least("waterwatch_sequence", 5.0);
    at_least("process_resident_memory_bytes", 1e6);
    // What is shown follows what is recorded in a moment.
    wait_for("the alarm and the stations", || {
        let alarms = now("waterwatch_alarms{state=\"unacknowledged\",priority=\"high\"}");
        let stations = now("waterwatch_stations{comms=\"up\"}");
        (alarms == Some(1.0) && stations == Some(2.0)).then_some(())
    });
    wait_for("the alarm to get older", || {
        now("waterwatch_unacknowledged_seconds{priority=\"high\"}").filter(|seconds| *seconds > 0.0)
    });
    assert_eq!(now("waterwatch_unacknowledged_seconds{priority=\"critical\"}"), Some(0.0));

    // Whatever paths are asked for, a route is one route.
    let text = api.metrics();
    let routes: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("waterwatch_http_requests_total"))
        .filter_map(|line| line.split('"').nth(1))
        .collect();
    assert!(routes.contains(&"/api/v1/tokens/{name}") && routes.contains(&"other"), "{routes:?}");
    for of_the_path in ["such", "%00", "/tokens/a"] {
        assert!(!text.contains(of_the_path), "{of_the_path}");
    }
    let made = api.post("/api/v1/tokens", &json!({"name": "page", "role": "viewer"})).ok();
    let page = api.with_token(made["secret"].as_str());
    let stream = page.request(Method::GET, "/api/v1/events/stream").send().unwrap();
    assert_eq!(now("waterwatch_http_streams"), Some(1.0));
    assert_eq!(
        (now("waterwatch_http_streams_max"), now("waterwatch_backup_age_seconds")),
        (Some(512.0), None)
    );
    assert_eq!(api.delete("/api/v1/tokens/page").status, 200);
    wait_for("the stream to be gone", || (now("waterwatch_http_streams") == Some(0.0)).then_some(()));
    drop(stream);
    drop(station);
    wait_for("the connection to be gone", || {
        (now("waterwatch_connections{kind=\"stations\"}") == Some(0.0)).then_some(())
    });
}

/// A person is called for an alarm that nobody has answered, also once it has gone off.
#[test]
fn an_alarm_that_went_off_unanswered_gets_older_still() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let api = server.api();
    let age = || api.metric("waterwatch_unacknowledged_seconds{priority=\"high\"}").unwrap();
    assert_eq!(server.say(b"1 1 0\n"), "OK\n");
    let on = wait_for("the alarm to get older", || Some(age()).filter(|seconds| *seconds > 0.2));
    assert_eq!(server.say(b"1 0 0\n2 1 0\n"), "OK\nOK\n");
    wait_for("the older one to be off, and another one on", || {
        let count =
            |state: &str| api.metric(&format!("waterwatch_alarms{{state=\"{state}\",priority=\"high\"}}"));
        (count("rtn_unacknowledged") == Some(1.0) && count("unacknowledged") == Some(1.0)).then_some(())
    });
    assert!(age() > on, "{} {on}", age());
    for id in ["1", "2"] {
        assert!(run(&["alarm", "ack", id, "alarm1"], folder.path()).status.success());
    }
    wait_for("nothing to be left", || (age() == 0.0).then_some(()));
}

#[test]
fn the_age_of_the_newest_backup_is_told_once_there_is_one() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &["--backup", "copies-*.sqlite"]);
    let api = server.api();
    let age = || api.metric("waterwatch_backup_age_seconds");
    assert_eq!(age(), None);
    let copy = |name: &str, hours: u64| {
        std::fs::write(folder.path().join(name), "rows").unwrap();
        let file = std::fs::File::options().append(true).open(folder.path().join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(hours * 3_600)).unwrap();
    };
    copy("copies-1.sqlite", 30);
    copy("others.sqlite", 1);
    assert!(age().is_some_and(|age| (108_000.0..108_100.0).contains(&age)), "{:?}", age());
    copy("copies-2.sqlite", 2);
    assert!(age().is_some_and(|age| (7_200.0..7_300.0).contains(&age)), "{:?}", age());
}

#[test]
fn the_text_is_whole_and_every_line_of_it_can_be_read() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let text = server.api().metrics();
    let lines = text.strip_suffix("# EOF\n").expect("an end").lines();
    let is_name = |name: &str| {
        let mut letters = name.chars();
        letters.next().is_some_and(|first| first.is_ascii_alphabetic())
            && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    };
    for line in lines {
        if let Some(described) = line.strip_prefix("# ") {
            let (what, said) = described.split_once(' ').expect(line);
            let (name, said) = said.split_once(' ').expect(line);
            assert!(["HELP", "TYPE", "UNIT"].contains(&what) && is_name(name) && !said.is_empty(), "{line}");
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect(line);
        value.parse::<f64>().expect(line);
        let Some((name, labels)) = series.split_once('{') else {
            assert!(is_name(series), "{line}");
            continue;
        };
        let labels = labels.strip_suffix("\"}").expect(line);
        for label in labels.split("\",") {
            let (key, value) = label.split_once("=\"").expect(line);
            assert!(is_name(name) && is_name(key) && !value.contains(['"', '\n']), "{line}");
        }
    }
    server.api().with_token(None).get("/metrics").problem(401);
}
