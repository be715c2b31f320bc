//! What is asked: alarms and stations, in pages, with filters.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::api::Api;
use crate::harness::{Server, open, run, stdout, wait_for};

/// The alarms that this query lists, once it lists so many.
fn listed(api: &Api, query: &str, count: usize) -> Vec<Value> {
    let mut alarms = Vec::new();
    wait_for("the alarms to be listed", || {
        let answer = api.get(&format!("/api/v1/alarms?{query}"));
        (answer.status == 200).then(|| alarms = answer.body["alarms"].as_array().unwrap().clone())?;
        (alarms.len() == count).then_some(())
    });
    alarms
}

fn words(objects: &[Value], field: &str) -> Vec<String> {
    objects.iter().map(|object| object[field].as_str().unwrap_or("null").to_owned()).collect()
}

/// A server with areas: 1 and 2 in North, 3 in South and called "South lift".
fn with_areas(folder: &TempDir, arguments: &[&str]) -> Server {
    Server::start(folder.path(), &[]).stop();
    let database = open(&folder.path().join("data.sqlite"));
    for (id, name, area) in
        [(1, "North lift", "North"), (2, "North well", "North"), (3, "South lift", "South")]
    {
        database
            .execute(
                "INSERT INTO station_settings (station_id, name, area) VALUES (?1, ?2, ?3)",
                (id, name, area),
            )
            .unwrap();
    }
    database
        .execute("INSERT INTO point_settings (scope, point, priority, label) VALUES (2, 'alarm2', 'critical', 'high level')", [])
        .unwrap();
    drop(database);
    Server::start(folder.path(), arguments)
}

#[test]
fn an_alarm_is_listed_within_a_second_of_its_report() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let api = server.api();
    listed(&api, "", 0);
    let reported = Instant::now();
    assert_eq!(server.say(b"7 1 0\n"), "OK\n");
    let alarms = listed(&api, "", 1);
    assert!(reported.elapsed() < Duration::from_secs(1), "{:?}", reported.elapsed());
    let shown = run(&["alarm", "list", "--json"], folder.path());
    let shown: Value = serde_json::from_str(&stdout(&shown)).unwrap();
    assert_eq!(Value::Array(alarms), shown, "the terminal shows the same");
    let one = api.get("/api/v1/alarms/7/alarm1").ok();
    assert_eq!(one, shown[0]);
}

#[test]
fn alarms_are_listed_the_worst_first_and_by_each_filter() {
    let folder = TempDir::new().unwrap();
    let server = with_areas(&folder, &[]);
    let api = server.api();
    server.say(b"1 1 0\n");
    server.say(b"3 1 0\n2 1 1\n3 0 0\n9 1 0\n");
    let alarms = listed(&api, "", 5);
    let is = |alarms: &[Value]| {
        let sources = words(alarms, "source").into_iter().zip(words(alarms, "point"));
        sources.map(|(source, point)| format!("{source} {point}")).collect::<Vec<_>>()
    };
    let all = ["2 alarm2", "1 alarm1", "2 alarm1", "9 alarm1", "3 alarm1"];
    assert_eq!(is(&alarms), all);
    assert_eq!((&alarms[0]["label"], &alarms[0]["priority"]), (&json!("high level"), &json!("critical")));
    assert_eq!((&alarms[4]["name"], &alarms[4]["area"]), (&json!("South lift"), &json!("South")));
    assert_eq!(words(&alarms, "quality"), ["good"; 5]);
    for (query, wanted) in [
        ("state=rtn_unacknowledged", &all[4..]),
        ("state=unacknowledged,rtn_unacknowledged", &all[..]),
        ("priority=critical", &all[..1]),
        ("area=South", &all[4..]),
        ("area=Nowhere", &[]),
        ("active=false", &all[4..]),
        ("active=true&priority=high&area=North", &all[1..3]),
    ] {
        assert_eq!(is(&listed(&api, query, wanted.len())), wanted, "{query}");
    }
    let mut paged = Vec::new();
    let mut next = String::new();
    loop {
        let page = api.get(&format!("/api/v1/alarms?limit=2{next}")).ok();
        paged.extend(is(page["alarms"].as_array().unwrap()));
        match page["next"].as_str() {
            Some(after) => next = format!("&after={after}"),
            None => break,
        }
    }
    assert_eq!(paged, all);
    let counts = api.get("/api/v1/alarms?limit=1").ok()["counts"].clone();
    assert_eq!(counts[0], json!({"state": "unacknowledged", "priority": "critical", "count": 1}));
    assert_eq!(counts.as_array().unwrap().len(), 3);
    for (query, field) in [
        ("state=bad", "state"),
        ("priority=urgent", "priority"),
        ("active=maybe", "active"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("after=zz", "after"),
        ("colour=red", "colour"),
    ] {
        let answer = api.get(&format!("/api/v1/alarms?{query}"));
        answer.problem(422);
        assert_eq!(answer.body["field"], field, "{}", answer.body);
    }
}

#[test]
fn an_alarm_is_explained_as_at_the_terminal() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let api = server.api();
    server.say(b"7 1 0\n");
    let occurrence = listed(&api, "", 1)[0]["occurrence"].as_i64().unwrap();
    api.post("/api/v1/alarms/7/alarm1/acknowledge", &json!({"occurrence": occurrence})).ok();
    let told = api.get("/api/v1/alarms/7/alarm1/explain").ok();
    let shown = run(&["alarm", "explain", "7", "alarm1", "--json"], folder.path());
    let mut shown: Value = serde_json::from_str(&stdout(&shown)).unwrap();
    // Both say how long ago.
    let mut told_now = told.clone();
    told_now["now"] = Value::Null;
    shown["now"] = Value::Null;
    assert_eq!(told_now, shown);
    assert!(told["lines"].to_string().contains("acknowledged by admin"), "{told}");
    assert_eq!(
        api.get(&format!("/api/v1/alarms/7/alarm1/explain?occurrence={occurrence}")).ok()["lines"],
        told["lines"]
    );
    let other = api.get("/api/v1/alarms/7/alarm1/explain?occurrence=1000");
    assert!(other.problem(404).contains(&format!("the last one is {occurrence}")), "{}", other.body);
    api.get("/api/v1/alarms/7/alarm2/explain").problem(404);
    api.get("/api/v1/alarms/8/alarm1").problem(404);
    api.get("/api/v1/alarms/area:Nowhere/comms").problem(404);
}

#[test]
fn stations_are_listed_by_each_filter_and_in_pages() {
    let folder = TempDir::new().unwrap();
    let server = with_areas(&folder, &["--period-s", "1", "--grace-s", "604800"]);
    let api = server.api();
    server.say(b"1 1 0\n12 0 0\n123 0 0\n9223372036854775807 0 0\n");
    let ids = |query: &str| {
        let stations = api.get(&format!("/api/v1/stations?{query}")).ok()["stations"].clone();
        words(stations.as_array().unwrap(), "id")
    };
    let all = ["1", "2", "3", "12", "123", "9223372036854775807"];
    wait_for("all to be listed", || (ids("") == all).then_some(()));
    for (query, wanted) in [
        ("state=unacknowledged", vec!["1"]),
        ("area=North", vec!["1", "2"]),
        ("unnamed=true", vec!["12", "123", "9223372036854775807"]),
        ("unnamed=false", vec!["1", "2", "3"]),
        ("comms=new", vec!["2", "3"]),
        ("quality=never", vec!["2", "3"]),
        ("q=12", vec!["12", "123"]),
        ("q=NORTH", vec!["1", "2"]),
        ("q=south+l", vec!["3"]),
        ("q=x", vec![]),
        ("limit=2&after=3", vec!["12", "123"]),
    ] {
        wait_for(query, || (ids(query) == wanted).then_some(()));
    }
    // Late after a second without a report.
    wait_for("all to be late", || {
        (ids("comms=late") == ["1", "12", "123", "9223372036854775807"]).then_some(())
    });
    assert_eq!(ids("quality=stale").len(), 4);
    let page = api.get("/api/v1/stations?limit=4").ok();
    assert_eq!(page["next"], "12");
    assert_eq!(
        (&page["stations"][0]["name"], &page["stations"][0]["alarms"]),
        (&json!("North lift"), &json!(1))
    );
    for (query, field) in
        [("comms=gone", "comms"), ("quality=bad", "quality"), ("q=", "q"), ("after=x", "after")]
    {
        let answer = api.get(&format!("/api/v1/stations?{query}"));
        answer.problem(422);
        assert_eq!(answer.body["field"], field, "{}", answer.body);
    }
}

#[test]
fn one_station_is_shown_with_its_timeline() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let api = server.api();
    server.say(b"7 1 0\n");
    server.say(b"7 0 0\n");
    let detail = api.get("/api/v1/stations/7").ok();
    let shown = run(&["station", "show", "7", "--json"], folder.path());
    let mut shown: Value = serde_json::from_str(&stdout(&shown)).unwrap();
    let mut same = detail.clone();
    (same["age_s"], shown["age_s"]) = (Value::Null, Value::Null);
    assert_eq!(same, shown);
    let timeline = api.get("/api/v1/stations/7/spans").ok();
    assert_eq!(timeline["spans"].as_array().unwrap().len(), 1, "{timeline}");
    api.get("/api/v1/stations/8").problem(404);
    api.get("/api/v1/stations/8/spans").problem(404);
    let later = "from=2030-01-01T00:00:00Z";
    assert_eq!(
        api.get(&format!("/api/v1/stations/7/spans?{later}")).problem(422),
        "it must not be after `to`"
    );
    let none = api.get("/api/v1/stations/7/spans?from=2001-01-01T00:00:00Z&to=2001-01-02T00:00:00Z").ok();
    assert_eq!(none["spans"], json!([]));
}
