//! What is wrong is named, and little of it is said again.

use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;

use crate::harness::Server;

/// Longer than anything that may be said.
const LONG: usize = 12_000;

#[test]
fn no_problem_repeats_all_of_what_was_sent_or_a_secret() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let (api, secret) = (server.api(), server.token());
    let long = "x".repeat(LONG);
    let order = json!({"occurrence": 1, "until": "2099-01-01T00:00:00Z", "reason": long});
    let answers = [
        api.put("/api/v1/stations/7", &json!({"name": long})),
        api.put("/api/v1/stations/7", &json!({ &*long: 1 })),
        api.put("/api/v1/stations/7", &json!({"tags": [long]})),
        api.put("/api/v1/stations/7", &json!({"allow_from": [long]})),
        api.put("/api/v1/stations/7", &json!({"period_s": long})),
        api.put("/api/v1/stations/7", &json!({"points": {"alarm1": {"priority": long}}})),
        api.put("/api/v1/stations/7", &json!({"points": { &*long: {} }})),
        api.put(&format!("/api/v1/areas/{long}"), &json!({})),
        api.post("/api/v1/alarms/7/alarm1/shelve", &order),
        api.post("/api/v1/alarms/7/alarm1/note", &json!({ &*long: long })),
        api.post("/api/v1/reports", &json!({"station_id": long, "alarm1": true, "alarm2": true})),
        api.post("/api/v1/tokens", &json!({"name": long, "role": "viewer"})),
        api.post("/api/v1/tokens", &json!({"name": secret, "role": "viewer"})),
        api.post("/api/v1/tokens", &json!({"name": "x", "role": secret})),
        api.delete(&format!("/api/v1/tokens/{secret}")),
        api.delete(&format!("/api/v1/tokens/{long}")),
        api.get(&format!("/api/v1/alarms/area:{long}/comms")),
        api.get(&format!("/api/v1/alarms/{long}/comms")),
        api.get(&format!("/api/v1/stations?q={long}")),
        api.get(&format!("/api/v1/stations?state={long}")),
        api.get(&format!("/api/v1/stations?{long}=1")),
        api.get(&format!("/api/v1/stations?token={secret}")),
        api.get(&format!("/api/v1/refused?code={long}")),
        api.get(&format!("/api/v1/events?source={long}&kind={long}")),
    ];
    for (place, answer) in answers.iter().enumerate() {
        let body = answer.body.to_string();
        assert!(answer.status >= 400 && body.len() < 1_500, "{place}: {} {body:.2000}", answer.status);
        assert!(!body.contains(&secret) && !body.contains(&long[..200]), "{place}: {body}");
    }
    assert!(!server.running.logged().contains(&secret));
    let other = api.with_token(Some("ww_other"));
    let refused = other.request(Method::GET, "/api/v1/stations").send().unwrap().text().unwrap();
    assert!(!refused.contains("ww_other"), "{refused}");
}

#[test]
fn a_mistyped_setting_of_a_point_is_told_which_there_are() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let api = server.api();
    for (path, point, has_delays) in
        [("/api/v1/stations/7", "alarm1", true), ("/api/v1/areas/North", "comms", false)]
    {
        let answer = api.put(path, &json!({"points": {point: {"prioritty": "low"}}}));
        let detail = answer.problem(422);
        assert!(detail.contains("there are enabled, priority") && detail.ends_with("respond_within_min"));
        assert_eq!(detail.contains("on_delay_s"), has_delays, "{detail}");
        assert!(!detail.contains("period_s") && !detail.contains("telephones"), "{detail}");
        assert_eq!(answer.body["field"], format!("points.{point}.prioritty"));
    }
    let typo = api.put("/api/v1/stations/7", &json!({"nmae": "x"}));
    assert!(typo.problem(422).contains("telephones"), "{}", typo.body);
}
