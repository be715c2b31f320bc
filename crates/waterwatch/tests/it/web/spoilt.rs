//! A ledger with entries that this version cannot read: whoever reads the others is told
//! of them, and goes on behind them.

use reqwest::Method;
use serde_json::Value;
use tempfile::TempDir;

use super::sse::Stream;
use crate::harness::{Server, open, run, stderr, stdout};

fn sequences(entries: &Value) -> Vec<i64> {
    entries.as_array().unwrap().iter().map(|entry| entry["sequence"].as_i64().unwrap()).collect()
}

/// Stations 1 to 4 have alarmed; the raise of 1 has lost its state, that of 2 is of a kind
/// that is not known yet, and what was recorded last is damaged.
fn prepared(folder: &TempDir) -> Vec<i64> {
    let server = Server::start(folder.path(), &[]);
    for id in 1..=4 {
        assert_eq!(server.say(format!("{id} 1 0\n{id} 0 0\n").as_bytes()), "OK\nOK\n");
    }
    server.stop();
    let connection = open(&folder.path().join("data.sqlite"));
    let trigger = "SELECT sql FROM sqlite_schema WHERE name = 'alarm_event_is_never_changed'";
    let trigger: String = connection.query_row(trigger, [], |row| row.get(0)).unwrap();
    connection.execute_batch("DROP TRIGGER alarm_event_is_never_changed").unwrap();
    let spoil = |which: &str, change: &str| -> i64 {
        let sequence = format!("SELECT max(sequence) FROM alarm_event WHERE {which}");
        let sequence = connection.query_row(&sequence, [], |row| row.get(0)).unwrap();
        let spoil = format!("UPDATE alarm_event SET {change} WHERE sequence = ?1");
        assert_eq!(connection.execute(&spoil, [sequence]), Ok(1));
        sequence
    };
    let spoilt = vec![
        spoil("source = 1 AND kind = 'raised'", "from_state = NULL"),
        spoil("source = 2 AND kind = 'raised'", "kind = 'moved_on'"),
        spoil("true", "peer = x'0102'"),
    ];
    connection.execute_batch(&trigger).unwrap();
    spoilt
}

#[test]
fn entries_that_cannot_be_read_take_nothing_from_the_others() {
    let folder = TempDir::new().unwrap();
    let spoilt = prepared(&folder);
    let server = Server::start(folder.path(), &[]);
    let api = server.api();
    let connection = open(&server.data);
    let mut statement = connection.prepare("SELECT sequence FROM alarm_event ORDER BY sequence").unwrap();
    let all: Vec<i64> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    for (way, begin, limit) in
        [("after", "after=0&", 1), ("after", "after=0&", 3), ("before", "", 1), ("before", "", 100)]
    {
        let (mut found, mut named, mut next) = (Vec::new(), Vec::new(), begin.to_owned());
        for pages in 1.. {
            assert!(pages <= all.len() + 1, "it does not end");
            let page = api.get(&format!("/api/v1/events?{next}limit={limit}")).ok();
            found.extend(sequences(&page["events"]));
            named.extend(sequences(&page["unreadable"]));
            let Some(on) = page["next"].as_str() else { break };
            next = format!("{way}={on}&");
        }
        found.extend(&named);
        found.sort_unstable();
        named.sort_unstable();
        assert_eq!((&found, &named), (&all, &spoilt), "{way} {limit}");
    }
    let page = api.get(&format!("/api/v1/events?after={}&limit=1", spoilt[1] - 1)).ok();
    let why = format!(
        "in alarm_event, the row of sequence {} cannot be read: kind is the text \"moved_on\"",
        spoilt[1]
    );
    assert_eq!(page["unreadable"][0]["why"], why);
    assert!(page["unreadable"][0]["received_at"].is_string(), "{page}");

    let csv = api.request(Method::GET, "/api/v1/events?after=0").header("accept", "text/csv").send().unwrap();
    let csv = csv.text().unwrap();
    assert_eq!(csv.lines().count(), all.len() + 1, "{csv}");
    assert_eq!(csv.lines().filter(|row| row.contains(",unreadable,")).count(), spoilt.len(), "{csv}");

    let mut stream = Stream::open(&server, "", Some(0));
    let sent = stream.until(all[all.len() - 1]);
    assert_eq!(sent.iter().map(|sent| sent.id).collect::<Vec<_>>(), all);
    for sent in sent {
        assert_eq!(sent.kind == "unreadable", spoilt.contains(&sent.id), "{sent:?}");
    }
    // Who comes back behind one goes on, with what is new as well.
    let mut stream = Stream::open(&server, "", Some(spoilt[2]));
    assert_eq!(server.say(b"9 1 0\n"), "OK\n");
    let raised = std::iter::from_fn(|| stream.next()).find(|sent| sent.kind == "raised");
    assert_eq!(raised.unwrap().data["source"], "9");
}

#[test]
fn a_story_is_told_without_what_cannot_be_read() {
    let folder = TempDir::new().unwrap();
    let spoilt = prepared(&folder);
    let server = Server::start(folder.path(), &[]);
    let api = server.api();
    let story = api.get("/api/v1/alarms/1/alarm1/explain").ok();
    assert_eq!(sequences(&story["unreadable"])[0], spoilt[0]);
    assert_eq!(story["occurrence"], spoilt[0]);
    assert_eq!(story["lines"][0]["kind"], "returned", "{story}");
    api.get("/api/v1/alarms/2/alarm1/explain").ok();
    assert_eq!(sequences(&api.get("/api/v1/events?source=2").ok()["unreadable"]), [spoilt[1]]);

    let named = format!("the row of sequence {} cannot be", spoilt[0]);
    let explained = run(&["alarm", "explain", "1", "alarm1"], folder.path());
    assert!(explained.status.success() && stdout(&explained).contains(&named), "{}", stdout(&explained));
    for arguments in [&["alarm", "history"] as &[&str], &["events"], &["alarm", "history", "--json"]] {
        let output = run(arguments, folder.path());
        let complaint = stderr(&output);
        assert!(
            output.status.success() && stdout(&output).contains("returned"),
            "{arguments:?}: {complaint}"
        );
        assert!(
            complaint.contains("3 entries of the ledger cannot be read") && complaint.contains(&named),
            "{complaint}"
        );
    }
    let page =
        run(&["alarm", "history", "--after", &(spoilt[0] - 1).to_string(), "--limit", "1"], folder.path());
    assert!(stdout(&page).contains(&format!("go on with --after {}", spoilt[0])), "{}", stdout(&page));
    server.stop();
}
