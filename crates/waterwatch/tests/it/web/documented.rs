//! The examples of docs/api.md, as they stand there, against the real server.

use reqwest::Method;
use serde_json::Value;
use tempfile::TempDir;

use crate::api::Api;
use crate::harness::{Server, wait_for};

/// What stands in fences.
fn blocks(text: &str) -> Vec<Vec<&str>> {
    let parts = text.split("\n```").enumerate().filter(|(number, _)| number % 2 == 1);
    parts.map(|(_, block)| block.lines().skip(1).collect()).collect()
}

/// The names of fields in what may be JSON with something left out.
fn names(text: &str) -> Vec<&str> {
    let before_colons = text.split("\":").collect::<Vec<_>>();
    let names = before_colons.iter().take(before_colons.len() - 1);
    names.filter_map(|before| before.rsplit('"').next()).collect()
}

#[test]
fn the_examples_of_the_documentation_work() {
    let text = include_str!("../../../../../docs/api.md");
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let api = server.api();
    assert_eq!(server.say(b"123 1 0\n"), "OK\n");
    let occurrence = wait_for("the alarm", || {
        api.get("/api/v1/alarms/123/alarm1").body["occurrence"].as_i64().map(|open| open.to_string())
    });
    let mut tried = 0;
    for block in blocks(text) {
        let Some((method, path)) = block[0].split_once(' ') else { continue };
        if !path.starts_with('/') {
            continue;
        }
        let rest = block[1..].join("\n").replace("4711", &occurrence);
        let method: Method = method.parse().unwrap();
        let request = api.request(method.clone(), path);
        let answer = if method == Method::GET {
            Api::send(request)
        } else {
            let body: Value = serde_json::from_str(&rest).expect("the body of an example is JSON");
            Api::send(request.json(&body))
        };
        let said = answer.ok().to_string();
        if method == Method::GET {
            for name in names(&rest) {
                assert!(said.contains(&format!("\"{name}\":")), "{path} has no {name}: {said}");
            }
        }
        tried += 1;
    }
    assert!(tried >= 5, "{tried} examples");
}
