//! Settings by HTTP: what is said of stations, for areas and for the fleet, and what
//! holds.

use std::{fs, thread};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::api::{Answer, Api};
use crate::harness::{Server, open};

/// All that can be said of a station.
fn whole() -> Value {
    json!({
        "name": "North lift", "area": "North", "location": "Mill Lane 4",
        "access_note": "the key is at the gate", "telephones": "Ana 01 234",
        "tags": ["pump", "old"], "expected_by": "2026-11-24T18:30:00Z",
        "allow_from": ["127.0.0.0/8", "2001:db8::/32"], "period_s": 120, "grace_s": 0,
        "points": {
            "alarm1": {
                "enabled": true, "priority": "critical", "on_delay_s": 5, "off_delay_s": 6, "latched": false,
                "realarm_after_s": 0, "chatter_raises": 8, "chatter_window_s": 90, "label": "high level",
                "consequence": "overflow", "response": "start pump 2", "respond_within_min": 30,
            },
            "comms": {"priority": "low"},
        },
    })
}

#[test]
fn what_is_said_of_a_station_holds_at_once_and_can_be_put_again() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let api = server.api();
    let put = |body: &Value| api.put("/api/v1/stations/7", body).ok()["sequence"].as_i64().unwrap();
    let settings = || api.get("/api/v1/stations/7/settings").ok();
    assert_eq!(settings()["said"], json!({}), "of a station that was never heard");
    let sequence = put(&whole());
    assert_eq!(settings()["said"], whole());
    assert_eq!(put(&settings()["said"]), sequence, "the same again changes nothing");
    // It is judged by it: `alarm1` waits for its delay.
    assert_eq!(server.say(b"7 1 1\n"), "OK\n");
    let raised: Vec<String> = open(&server.data)
        .prepare("SELECT point FROM alarm_event WHERE source = 7 AND kind = 'raised'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(raised, ["alarm2"]);
    let (by, reason): (String, String) = open(&server.data)
        .query_row(
            "SELECT \"by\", reason FROM alarm_event WHERE source = 7 AND kind = 'settings_changed'",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert!(by == "admin" && reason.contains("period_s unset -> 120"), "{by}: {reason}");

    // All that is said is replaced; null is left out.
    put(
        &json!({"name": "Lift", "area": null, "tags": [], "points": {"alarm1": {"label": null}, "alarm2": {}}}),
    );
    assert_eq!(settings()["said"], json!({"name": "Lift"}));
    put(&json!({}));
    assert_eq!(settings()["said"], json!({}));
    for table in ["station_settings", "point_settings WHERE scope = 7"] {
        let query = format!("SELECT count(*) FROM {table}");
        let rows: i64 = open(&server.data).query_row(&query, [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 0, "{table}");
    }
}

#[test]
fn the_narrowest_scope_that_says_anything_holds_and_is_named() {
    let folder = TempDir::new().unwrap();
    let config = "[fleet]\nperiod_s = 90\n\n[points.alarm1]\npriority = \"low\"\nlabel = \"Level\"\non_delay_s = 300\n";
    fs::write(folder.path().join("waterwatch.toml"), config).unwrap();
    let server = Server::start(folder.path(), &["--config", "waterwatch.toml", "--listen", "127.0.0.1:0"]);
    let api = server.api();
    let fleet = json!({"points": {"alarm1": {"label": "High level", "on_delay_s": 200}}});
    api.put("/api/v1/settings", &fleet).ok();
    let area = json!({"grace_s": 30, "points": {"alarm1": {"on_delay_s": 100}}});
    api.put("/api/v1/areas/North%20shore", &area).ok();
    api.put("/api/v1/stations/7", &json!({"area": "North shore", "points": {"alarm1": {"enabled": false}}}))
        .ok();

    let holds = |path: &str| api.get(path).ok()["holds"].clone();
    let held = |value: Value, from: &str| json!({"value": value, "from": from});
    let station = holds("/api/v1/stations/7/settings");
    assert_eq!(station["period_s"], held(json!(90), "configuration"));
    assert_eq!(station["grace_s"], held(json!(30), "area"));
    let alarm1 = &station["points"]["alarm1"];
    assert_eq!(alarm1["enabled"], held(json!(false), "station"));
    assert_eq!(alarm1["on_delay_s"], held(json!(100), "area"));
    assert_eq!(alarm1["label"], held(json!("High level"), "fleet"));
    assert_eq!(alarm1["priority"], held(json!("low"), "configuration"));
    assert_eq!(alarm1["latched"], held(json!(false), "default"), "since its priority is low");
    assert_eq!(station["points"]["alarm2"]["latched"], held(json!(true), "default"));
    assert_eq!(station["points"]["alarm2"]["label"], Value::Null, "nobody says it");
    assert_eq!(station["points"]["comms"]["on_delay_s"], Value::Null, "it has none");

    let shore = api.get("/api/v1/areas/North%20shore").ok();
    assert_eq!((&shore["said"], &shore["stations"]), (&area, &json!(1)));
    assert_eq!(shore["holds"]["points"]["alarm1"]["enabled"], held(json!(true), "default"));
    let all = api.get("/api/v1/settings").ok();
    assert_eq!(all["said"], fleet);
    let configured = &all["configured"];
    assert_eq!(
        (&configured["period_s"], &configured["points"]["alarm1"]["label"]),
        (&json!(90), &json!("Level"))
    );
    assert_eq!(all["holds"]["points"]["alarm1"]["on_delay_s"], held(json!(200), "fleet"));
    assert_eq!(all["holds"]["grace_s"], held(json!(120), "configuration"));
    // What is no longer said comes from elsewhere again.
    api.put("/api/v1/settings", &json!({})).ok();
    assert_eq!(
        holds("/api/v1/settings")["points"]["alarm1"]["on_delay_s"],
        held(json!(300), "configuration")
    );
}

/// What settings are read as: what is said, and the tag of it.
fn read(api: &Api, path: &str) -> (Value, String) {
    let response = api.request(Method::GET, path).send().unwrap();
    let tag = response.headers()["etag"].to_str().unwrap().to_owned();
    (response.json::<Value>().unwrap()["said"].clone(), tag)
}

/// Puts settings if they still have one of these tags.
fn put_if(api: &Api, path: &str, tags: &str, body: &Value) -> Answer {
    Api::send(api.request(Method::PUT, path).header("if-match", tags).json(body))
}

#[test]
fn what_has_changed_since_it_was_read_is_not_written_over() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let api = server.api();
    for (path, put) in [
        ("/api/v1/stations/7/settings", "/api/v1/stations/7"),
        ("/api/v1/areas/North", "/api/v1/areas/North"),
        ("/api/v1/settings", "/api/v1/settings"),
    ] {
        let [first, second] = [60, 61].map(|period_s| json!({"period_s": period_s}));
        let (said, nothing) = read(&api, path);
        assert_eq!(said, json!({}));
        put_if(&api, put, &nothing, &first).ok();
        let late = put_if(&api, put, &nothing, &second);
        assert_eq!(
            late.problem(412),
            "what is said there has changed since it was read: read it again, and change that"
        );
        assert_eq!(late.body["type"], "urn:waterwatch:problem:changed");
        let (said, tag) = read(&api, path);
        assert_eq!(said, first);
        put_if(&api, put, &format!("W/{tag}"), &second).problem(412);
        assert_eq!(
            put_if(&api, put, "7", &second).problem(400),
            "write it as the ETag was, with its quotes, or leave it out"
        );
        assert_eq!(read(&api, path), (first, tag.clone()));
        put_if(&api, put, &format!("{nothing}, {tag}"), &second).ok();
        put_if(&api, put, "*", &json!({})).ok();
        assert_eq!(read(&api, path), (json!({}), nothing));
    }
}

#[test]
fn of_many_who_change_what_they_read_one_does() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let api = server.api();
    for round in 0..5 {
        let (_, tag) = read(&api, "/api/v1/stations/7/settings");
        let put = |number: u32| {
            let body = json!({"period_s": 100 * round + number});
            put_if(&api, "/api/v1/stations/7", &tag, &body).status
        };
        let put = &put;
        let answers: Vec<u16> = thread::scope(|scope| {
            let all: Vec<_> = (1..=8).map(|number| scope.spawn(move || put(number))).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let count = |status| answers.iter().filter(|of| **of == status).count();
        assert_eq!((count(200), count(412)), (1, 7), "{answers:?}");
    }
}

#[test]
fn areas_are_listed_by_name_page_by_page() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let api = server.api();
    for (id, area) in [(1, "West"), (2, "North"), (3, "West")] {
        api.put(&format!("/api/v1/stations/{id}"), &json!({"area": area})).ok();
    }
    // One that has no stations, and one that has, of which both something is said.
    for area in ["East", "West"] {
        api.put(&format!("/api/v1/areas/{area}"), &json!({"points": {"alarm1": {"label": "x"}}})).ok();
    }
    let row = |name: &str, stations: u32| json!({"name": name, "stations": stations});
    let first = api.get("/api/v1/areas?limit=2").ok();
    assert_eq!(first, json!({"areas": [row("East", 0), row("North", 1)], "next": "North"}));
    let second = api.get("/api/v1/areas?limit=2&after=North").ok();
    assert_eq!(second, json!({"areas": [row("West", 2)], "next": null}));
    api.get("/api/v1/areas?limit=0").problem(422);
}

#[test]
fn a_setting_that_cannot_be_meant_is_named_and_nothing_of_it_is_taken() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let api = server.api();
    let point = |name: &str, value: Value| json!({"name": "x", "points": {"alarm1": {name: value}}});
    for (body, field) in [
        (json!({"name": "x", "color": "red"}), "color"),
        (json!({"name": "x", "color": null}), "color"),
        (json!({"name": "x", "points.alarm1.label": "x"}), "points.alarm1.label"),
        (json!({"name": ""}), "name"),
        (json!({"name": ["x"]}), "name"),
        (json!({"name": "x", "period_s": 0}), "period_s"),
        (json!({"name": "x", "period_s": 1.5}), "period_s"),
        (json!({"name": "x", "period_s": true}), "period_s"),
        (json!({"name": "x", "tags": "pump, old"}), "tags"),
        (json!({"name": "x", "tags": ["pump", "a,b"]}), "tags[1]"),
        (json!({"name": "x", "tags": [[]]}), "tags[0]"),
        (json!({"name": "x", "tags": vec!["a"; 21]}), "tags"),
        (json!({"name": "x", "allow_from": ["10.0.0.1", "10.0.0.1 10.0.0.2"]}), "allow_from[1]"),
        (json!({"name": "x", "expected_by": 1_795_482_600_000_i64}), "expected_by"),
        (json!({"name": "x", "expected_by": "1970-01-01T00:00:00Z"}), "expected_by"),
        (json!({"name": "x", "points": []}), "points"),
        (json!({"name": "x", "points": {"alarm1": 1}}), "points.alarm1"),
        (json!({"name": "x", "points": {"new_stations": {}}}), "points.new_stations"),
        (json!({"name": "x", "points": {"comms": {"on_delay_s": 1}}}), "points.comms.on_delay_s"),
        (point("on_delay_s", json!(-1)), "points.alarm1.on_delay_s"),
        (point("enabled", json!(1)), "points.alarm1.enabled"),
        (point("priority", json!("urgent")), "points.alarm1.priority"),
        (point("label", json!("a\u{1b}[2J")), "points.alarm1.label"),
        (point("tags", json!(["x"])), "points.alarm1.tags"),
    ] {
        let answer = api.put("/api/v1/stations/7", &body);
        answer.problem(422);
        assert_eq!(answer.body["field"], field, "{body}: {}", answer.body);
    }
    for path in ["/api/v1/areas/North", "/api/v1/settings"] {
        for field in ["name", "area", "tags", "allow_from", "expected_by"] {
            let answer = api.put(path, &json!({"period_s": 60, field: "x"}));
            assert_eq!((answer.problem(422), &answer.body["field"]).1, field, "{}", answer.body);
        }
        assert_eq!(api.get(path).ok()["said"], json!({}));
    }
    assert_eq!(api.put("/api/v1/areas/%20", &json!({})).body["field"], "area");
    api.put("/api/v1/stations/7", &json!([])).problem(422);
    assert_eq!(api.get("/api/v1/stations/7/settings").ok()["said"], json!({}));
}
