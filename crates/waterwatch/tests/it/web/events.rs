//! The ledger, page by page: as JSON and as CSV.

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::api::Api;
use crate::harness::Server;

fn sequences(page: &Value) -> Vec<i64> {
    page["events"].as_array().unwrap().iter().map(|event| event["sequence"].as_i64().unwrap()).collect()
}

/// A cell of a row, as an entry's field becomes it.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) if text.starts_with(['=', '+', '-', '@', '\'']) => format!("'{text}"),
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

/// The rows of an export, each with all of its fields by their names.
fn rows(api: &Api, path: &str) -> Vec<Value> {
    let response = api.request(Method::GET, path).header("accept", "text/csv").send().unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/csv; charset=utf-8; header=present");
    let text = response.text().unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    let rows = reader.records().map(|row| {
        let row = row.unwrap();
        header.iter().zip(&row).map(|(name, cell)| (name.to_owned(), json!(cell))).collect()
    });
    rows.map(Value::Object).collect()
}

#[test]
fn pages_are_of_what_is_asked_for_and_none_skips_or_repeats() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let api = server.api();
    for station in 1..=5 {
        assert_eq!(server.say(format!("{station} 1 1\n{station} 0 1\n").as_bytes()), "OK\nOK\n");
    }
    let all = api.get("/api/v1/events?after=0&limit=1000").ok();
    let oldest_first = sequences(&all);
    assert!(
        oldest_first.len() >= 15 && oldest_first.is_sorted() && all["next"].is_null(),
        "{oldest_first:?}"
    );
    let newest_first: Vec<i64> = oldest_first.iter().rev().copied().collect();
    assert_eq!(sequences(&api.get("/api/v1/events").ok()), newest_first);
    for (way, wanted) in [("after", &oldest_first), ("before", &newest_first)] {
        let mut read = Vec::new();
        let mut next = if way == "after" { "after=0".to_owned() } else { String::new() };
        loop {
            let page = api.get(&format!("/api/v1/events?limit=4&{next}")).ok();
            read.extend(sequences(&page));
            let Some(on) = page["next"].as_str() else { break };
            next = format!("{way}={on}");
        }
        assert_eq!(&read, wanted, "{way}");
    }
    let of = |query: &str| api.get(&format!("/api/v1/events?{query}")).ok()["events"].clone();
    let raised = of("source=3&point=alarm1&kind=raised");
    assert_eq!(raised.as_array().unwrap().len(), 1);
    let event = &raised[0];
    assert_eq!((&event["source"], &event["kind"]), (&json!("3"), &json!("raised")));
    assert_eq!(
        of(&format!("occurrence={}", event["occurrence"])).as_array().unwrap().len(),
        2,
        "raised, and returned to normal"
    );
    let at = event["received_at"].as_str().unwrap();
    assert!(of(&format!("since={at}")).as_array().unwrap().contains(event));
    assert!(of(&format!("until={at}")).as_array().unwrap().contains(event));
    assert_eq!(of("since=2100-01-01T00:00:00Z"), json!([]));
    assert_eq!(of("until=2000-01-01T00:00:00Z"), json!([]));
    // What is left empty by mistake does not mean all.
    for asked in
        ["events?kind=", "events?kind=raised,", "alarms?state=", "stations?quality=", "stations?comms=,"]
    {
        let answer = api.get(&format!("/api/v1/{asked}"));
        assert!(answer.problem(422).contains("leave the filter out"), "{asked}: {}", answer.body);
    }
}

#[test]
fn csv_says_what_json_says() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let api = server.api();
    let lines: String = (1..=700).map(|station| format!("{station} 1 1\n")).collect();
    assert_eq!(server.say(lines.as_bytes()), "OK\n".repeat(700));
    let shelve = json!({
        "until": jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1),
        "reason": "=1+1, \"two\"", "on_behalf_of": "@Ana",
    });
    api.post("/api/v1/alarms/7/alarm1/shelve", &shelve).ok();
    // Of whoever did it, and of the token by which they did.
    for by in ["@Ana%20(by%20admin)", "@Ana", "admin"] {
        let found = api.get(&format!("/api/v1/events?by={by}&kind=shelved")).ok();
        assert_eq!(found["events"].as_array().unwrap().len(), 1, "{by}: {found}");
    }
    for by in ["Ana", "@An", "by", "min", "%25"] {
        assert_eq!(api.get(&format!("/api/v1/events?by={by}")).ok()["events"], json!([]), "{by}");
    }
    assert_eq!(api.get("/api/v1/events?by=@Ana%20(by%20admin)").ok()["events"][0]["reason"], "=1+1, \"two\"");

    let mut wanted = Vec::new();
    let mut after = Some("0".to_owned());
    while let Some(from) = after {
        let page = api.get(&format!("/api/v1/events?limit=1000&after={from}")).ok();
        wanted.extend(page["events"].as_array().unwrap().iter().cloned());
        after = page["next"].as_str().map(str::to_owned);
    }
    assert!(wanted.len() > 1_400, "more than a page: {}", wanted.len());
    let exported = rows(&api, "/api/v1/events?after=0");
    assert_eq!(exported.len(), wanted.len());
    for (row, event) in exported.iter().zip(&wanted) {
        for (name, said) in row.as_object().unwrap() {
            assert_eq!(said.as_str().unwrap(), cell(&event[name]), "{name} of {event}");
        }
        // The number of a station is in its source.
        assert_eq!(row.as_object().unwrap().len(), event.as_object().unwrap().len() - 1);
    }
    let newest_first = rows(&api, "/api/v1/events");
    assert!(newest_first.iter().eq(exported.iter().rev()));
    assert_eq!(rows(&api, "/api/v1/events?limit=1200&after=0"), exported[..1_200]);
    assert!(rows(&api, "/api/v1/events?source=9999").is_empty());
}

#[test]
fn a_query_that_is_wrong_names_its_field() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let api = server.api();
    for (query, field) in [
        ("source=pump", "source"),
        ("source=area:", "source"),
        ("point=alarm9", "point"),
        ("kind=burst", "kind"),
        ("occurrence=-1", "occurrence"),
        ("since=yesterday", "since"),
        ("until=2026-11-24", "until"),
        ("since=2026-11-24T00:00:01Z&until=2026-11-24T00:00:00Z", "until"),
        ("after=-5", "after"),
        ("before=x", "before"),
        ("after=1&before=9", "before"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=-1", "limit"),
        ("colour=red", "colour"),
    ] {
        let answer = api.get(&format!("/api/v1/events?{query}"));
        answer.problem(422);
        assert_eq!(answer.body["field"], field, "{query}: {}", answer.body);
    }
}
