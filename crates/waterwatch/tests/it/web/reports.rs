//! Reports by HTTP.

use serde_json::json;
use tempfile::TempDir;

use crate::harness::{Server, alarms, open, wait_for};

#[test]
fn reports_are_stored_before_they_are_answered() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &["--stations-max", "3"]);
    let api = server.api();
    let one = json!({"station_id": 123, "alarm1": false, "alarm2": true});
    assert_eq!(
        api.post("/api/v1/reports", &one).ok()["results"],
        json!([{"stored": true, "code": null, "detail": null}])
    );
    let many = json!([
        {"station_id": "9223372036854775807", "alarm1": true, "alarm2": false},
        {"station_id": 5, "alarm1": false, "alarm2": false},
        {"station_id": 6, "alarm1": false, "alarm2": false},
    ]);
    let answer = api.post("/api/v1/reports", &many).ok();
    let stored: Vec<bool> = answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["stored"].as_bool().unwrap())
        .collect();
    assert_eq!(stored, [true, true, false]);
    assert_eq!(answer["results"][2]["code"], "stations_max");
    let data = server.data.clone();
    server.kill();
    assert_eq!(alarms(&data), ["5 0 0", "123 0 1", "9223372036854775807 1 0"]);
}

#[test]
fn a_report_that_is_wrong_is_named_and_none_of_its_request_is_stored() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let api = server.api();
    let good = json!({"station_id": 1, "alarm1": false, "alarm2": false});
    for (wrong, status, field) in [
        (json!({"station_id": -1, "alarm1": false, "alarm2": false}), 422, Some("station_id")),
        (json!([good, {"station_id": -1, "alarm1": false, "alarm2": false}]), 422, Some("[1].station_id")),
        (json!([good, {"station_id": "x", "alarm1": false, "alarm2": false}]), 422, Some("[1].station_id")),
        (json!([good, {"station_id": 2, "alarm1": 1, "alarm2": false}]), 422, Some("[1].alarm1")),
        (json!({"station_id": 2, "alarm1": true}), 422, Some("alarm2")),
        (json!({"station_id": 2, "alarm1": true, "alarm2": true, "level_mm": 7}), 422, Some("level_mm")),
        (json!([]), 422, None),
        // Not by their places.
        (json!([[7, true, false]]), 422, Some("[0]")),
        (json!("1 0 0"), 422, None),
        (json!(vec![&good; 1001]), 422, None),
    ] {
        let answer = api.post("/api/v1/reports", &wrong);
        answer.problem(status);
        assert_eq!(answer.body["field"].as_str(), field, "{}", answer.body);
    }
    assert_eq!(alarms(&server.data), Vec::<String>::new());
    assert_eq!(api.post("/api/v1/reports", &json!(vec![&good; 1000])).status, 200);
    wait_for("the report to be there", || (alarms(&server.data) == ["1 0 0"]).then_some(()));
}

#[test]
fn what_was_refused_is_listed_with_where_it_came_from() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    assert!(server.say(b"123 0\n").starts_with("ERR fields"));
    let lines = server.api().get("/api/v1/refused").ok()["lines"].clone();
    assert_eq!(lines.as_array().unwrap().len(), 1);
    assert_eq!((&lines[0]["code"], &lines[0]["text"]), (&json!("fields"), &json!("123 0")));
    let none = |query: &str| server.api().get(&format!("/api/v1/refused?{query}")).ok()["lines"] == json!([]);
    assert!(none("code=empty,http") && none("peer=10.0.0.1") && !none("code=empty,fields&peer=127.0.0.1"));
    for (query, field) in [
        ("peer=here", "peer"),
        ("colour=red", "colour"),
        ("code=fields&limit=7", "limit"),
        ("code=fields,nonsense", "code"),
    ] {
        let answer = server.api().get(&format!("/api/v1/refused?{query}"));
        answer.problem(422);
        assert_eq!(answer.body["field"], field, "{}", answer.body);
    }
    let nonsense = server.api().get("/api/v1/refused?code=nonsense");
    assert!(nonsense.problem(422).contains("stations_max, not_allowed"), "{}", nonsense.body);
    assert_eq!((&lines[0]["peer"], &lines[0]["listener"]), (&json!("127.0.0.1"), &json!("127.0.0.1:0")));
}

/// What the ledger says of the silence of a station, kind and reason.
fn of_silence(server: &Server, station: i64) -> Vec<(String, String)> {
    let database = open(&server.data);
    let mut statement = database
        .prepare("SELECT kind, coalesce(reason, '') FROM alarm_event WHERE source = ?1 AND point = 'comms' ORDER BY sequence")
        .unwrap();
    let entries = statement.query_map([station], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    entries.map(Result::unwrap).collect()
}

#[test]
fn reports_that_are_refused_over_http_are_listed_and_told_of_a_silent_station() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &["--period-s", "1", "--grace-s", "4"]);
    let api = server.api();
    let gateway = json!({"name": "gateway", "role": "viewer", "may": ["report"]});
    let secret = api.post("/api/v1/tokens", &gateway).ok()["secret"].as_str().unwrap().to_owned();
    let gateway = api.with_token(Some(&secret));
    assert_eq!(server.say(b"7 0 0\n8 0 0\n"), "OK\nOK\n");
    for station in [7, 8] {
        api.put(&format!("/api/v1/stations/{station}"), &json!({"allow_from": ["10.0.0.1"]})).ok();
    }
    let report = |station: i64| json!({"station_id": station, "alarm1": true, "alarm2": false});
    let refused = |body| {
        let results = gateway.post("/api/v1/reports", &body).ok()["results"].clone();
        let codes = results.as_array().unwrap().iter().map(|result| result["code"].clone());
        codes.collect::<Vec<_>>()
    };
    assert_eq!(refused(json!([report(7)])), [json!("not_allowed")]);
    assert_eq!(server.say(b"7 1 0\n").split(' ').nth(1), Some("not_allowed"));
    let lines = api.get("/api/v1/refused").ok()["lines"].clone();
    let told = |line: &serde_json::Value| {
        let [code, peer, text, token] = ["code", "peer", "text", "token"].map(|name| line[name].clone());
        let listener = line["listener"].as_str().unwrap().starts_with("http ");
        (code, peer, text, token, listener)
    };
    let wanted = |token, over_http| (json!("not_allowed"), json!("127.0.0.1"), json!("7"), token, over_http);
    assert_eq!(lines.as_array().unwrap().len(), 2);
    assert_eq!(told(&lines[0]), wanted(json!(null), false), "the newest first");
    assert_eq!(told(&lines[1]), wanted(json!("gateway"), true));

    const WHY: &str = "sending, but refused: ";
    let silence = wait_for("the silence of 7", || of_silence(&server, 7).into_iter().next());
    assert!(silence.0 == "raised" && silence.1.starts_with(WHY), "{silence:?}");
    // The other one is silent without a word, and then sends.
    let silence = wait_for("the silence of 8", || of_silence(&server, 8).into_iter().next());
    assert!(silence.0 == "raised" && !silence.1.starts_with(WHY), "{silence:?}");
    assert_eq!(refused(json!(report(8))), [json!("not_allowed")]);
    let sends = wait_for("it to be told", || of_silence(&server, 8).into_iter().nth(1));
    assert!(sends.0 == "sending_refused" && sends.1.starts_with(WHY), "{sends:?}");
}
