//! What is done only if something is still said, or nothing yet.

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::api::{Answer, Api};
use crate::harness::{Server, wait_for};

fn ask(
    api: &Api,
    method: Method,
    path: &str,
    condition: (&'static str, &str),
    body: Option<&Value>,
) -> Answer {
    let request = api.request(method, path).header(condition.0, condition.1);
    Api::send(match body {
        Some(body) => request.json(body),
        None => request,
    })
}

#[test]
fn whoever_puts_only_if_nothing_is_said_writes_over_nothing() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let api = server.api();
    for path in ["/api/v1/stations/7", "/api/v1/areas/North", "/api/v1/settings"] {
        let put = |condition: &str, period_s: u32| {
            let body = json!({"period_s": period_s});
            ask(&api, Method::PUT, path, ("if-none-match", condition), Some(&body))
        };
        put("*", 60).ok();
        let late = put("*", 61);
        assert!(late.problem(412).contains("already"), "{}", late.body);
        assert_eq!(late.body["field"], "If-None-Match");
        let tag = put("\"7\"", 61);
        assert!(tag.problem(400).contains("can only be *"), "{}", tag.body);
        let said = if path.contains("stations") { "/api/v1/stations/7/settings" } else { path };
        assert_eq!(api.get(said).ok()["said"], json!({"period_s": 60}));
        api.put(path, &json!({})).ok();
        put("*", 62).ok();
    }
}

#[test]
fn a_station_is_forgotten_only_if_what_was_read_of_it_is_still_said() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let api = server.api();
    assert_eq!(server.say(b"7 0 0\n"), "OK\n");
    let tag = || {
        let settings = api.request(Method::GET, "/api/v1/stations/7/settings").send().unwrap();
        settings.headers()["etag"].to_str().unwrap().to_owned()
    };
    let forget = |tag: &str| ask(&api, Method::DELETE, "/api/v1/stations/7", ("if-match", tag), None);
    let nothing = tag();
    api.put("/api/v1/stations/7", &json!({"name": "Lift"})).ok();
    assert!(forget(&nothing).problem(412).contains("has changed"));
    // It is what was read, and keeps the station.
    forget(&tag()).problem(409);
    forget("x").problem(400);
    api.put("/api/v1/stations/7", &json!({})).ok();
    wait_for("it to be there", || (api.get("/api/v1/stations/7").status == 200).then_some(()));
    forget(&nothing).ok();
    api.get("/api/v1/stations/7").problem(404);
}

#[test]
fn a_condition_that_is_not_gone_by_is_refused() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let api = server.api();
    assert_eq!(server.say(b"7 1 0\n"), "OK\n");
    for (method, path, condition) in [
        (Method::POST, "/api/v1/stations/7/retire", "if-match"),
        (Method::DELETE, "/api/v1/stations/7", "if-none-match"),
        (Method::DELETE, "/api/v1/tokens/x", "if-match"),
    ] {
        let answer = ask(&api, method, path, (condition, "*"), None);
        assert!(answer.problem(400).contains("nothing here goes by"), "{path}: {}", answer.body);
        assert_eq!(answer.body["field"], condition);
    }
    // Whoever only looks hears what there is.
    ask(&api, Method::GET, "/api/v1/stations/7", ("if-none-match", "*"), None).ok();
}
