//! `waterwatch events`: what happened, and what happens.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Running, Server, open, run, stderr, stdout, wait_for, waterwatch};

fn following(arguments: &[&str], folder: &Path) -> Running {
    let mut command = waterwatch();
    command.args(["events", "--follow"]).args(arguments).current_dir(folder);
    Running::start(command)
}

/// The sequences of the ledger's entries about station 123.
fn ledger(data: &Path) -> Vec<i64> {
    let database = open(data);
    let mut statement =
        database.prepare("SELECT sequence FROM alarm_event WHERE source = 123 ORDER BY sequence").unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Those that a follower has printed, whole lines only.
fn printed(running: &Running) -> Vec<i64> {
    let printed = running.printed();
    let lines = printed.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    lines.map(|line| serde_json::from_str::<Value>(line).unwrap()["sequence"].as_i64().unwrap()).collect()
}

#[test]
fn who_follows_sees_each_entry_once_whatever_becomes_of_the_server() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let mut server = Server::start(folder, &[]);
    server.api();
    assert_eq!(server.say(b"123 1 0\n9 1 1\n"), "OK\nOK\n");
    let since = following(&["--since", "1h", "--source", "123", "--json"], folder);
    wait_for("what happened before", || (!printed(&since).is_empty()).then_some(()));
    let people = following(&["--since", "1h"], folder);
    wait_for("sentences", || people.printed().contains("station 9 alarm2: raised").then_some(()));
    for round in 0..3 {
        assert!(run(&["alarm", "ack", "123", "alarm1"], folder).status.success());
        assert_eq!(server.say(b"123 0 0\n"), "OK\n");
        if round == 1 {
            server.stop();
        } else {
            server.kill();
        }
        server = Server::start(folder, &[]);
        server.api();
        assert_eq!(server.say(b"123 1 0\n"), "OK\n");
    }
    let all = wait_for("all that happened", || {
        let all = ledger(&server.data);
        (printed(&since).last() == all.last()).then_some(all)
    });
    assert_eq!(printed(&since), all);
    wait_for("all of it in sentences", || {
        let told = people.printed();
        (told.matches("station 123 alarm1: acknowledged (occurrence ").count() == 3).then_some(())
    });
    assert!(people.printed().contains(" (by admin)\n"), "{}", people.printed());
}

#[test]
fn nobody_waits_for_what_a_mistyped_source_does() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let api = server.api();
    assert_eq!(server.say(b"123 0 0\n"), "OK\n");
    api.put("/api/v1/areas/North%20lift", &serde_json::json!({"grace_s": 60})).ok();
    for (source, why) in [
        ("999", "no such station: nothing is known of station 999"),
        ("area/Nroth", "nothing is recorded of area Nroth"),
    ] {
        let output = run(&["events", "--follow", "--source", source], folder.path());
        assert_eq!(output.status.code(), Some(1), "{source}");
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
    }
    // Of these nothing has happened yet, but for the settings.
    let sources = ["123", "area/North lift", "server"];
    let followers = sources.map(|source| following(&["--source", source, "--json"], folder.path()));
    wait_for("their streams", || (api.metric("waterwatch_http_streams") == Some(3.0)).then_some(()));
    drop(followers);
}

/// Puts a backup in the place of the database, as the documents say.
fn restore(backup: &Path, data: &Path) {
    for beside in ["-wal", "-shm"] {
        let mut name = data.as_os_str().to_owned();
        name.push(beside);
        // It may have been put away at a clean end.
        let _ = std::fs::remove_file(name);
    }
    std::fs::copy(backup, data).unwrap();
}

#[test]
fn who_follows_is_told_that_an_older_backup_was_restored() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let server = Server::start(folder, &[]);
    let api = server.api();
    assert_eq!(server.say(b"123 1 0\n"), "OK\n");
    let follower = following(&["--after", "0", "--source", "123", "--json"], folder);
    wait_for("what happened before", || (!printed(&follower).is_empty()).then_some(()));
    wait_for("its stream", || (api.metric("waterwatch_http_streams") == Some(1.0)).then_some(()));
    assert!(run(&["backup", "older.sqlite"], folder).status.success());
    let common = ledger(&server.data);
    for _ in 0..3 {
        assert_eq!(server.say(b"123 0 0\n123 0 1\n"), "OK\nOK\n");
        assert_eq!(server.say(b"123 1 0\n"), "OK\n");
    }
    let lost = ledger(&server.data);
    wait_for("what will be lost", || (printed(&follower) == lost).then_some(()));
    let data = server.data.clone();
    server.stop();
    restore(&folder.join("older.sqlite"), &data);
    let server = Server::start(folder, &[]);
    server.api();
    // Among these are the numbers of what was lost.
    assert_eq!(server.say(b"123 0 0\n"), "OK\n");
    assert_eq!(server.say(b"123 1 0\n"), "OK\n");
    let last = *common.last().unwrap();
    let restored = format!("what was shown after entry {last} is not in it; going on behind that entry");
    wait_for("it to be said", || follower.logged().contains(&restored).then_some(()));
    let now = ledger(&server.data);
    let all: Vec<i64> = lost.iter().copied().chain(now[common.len()..].iter().copied()).collect();
    assert!(all.len() > lost.len());
    wait_for("all that happens now", || (printed(&follower) == all).then_some(()));
    let output = run(&["events", "--follow", "--after", "999999"], folder);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("there is no entry 999999 yet, the newest is "), "{}", stderr(&output));
}

#[test]
fn what_happened_is_read_without_a_server() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    assert_eq!(server.say(b"123 1 0\n9 1 1\n"), "OK\nOK\n");
    server.kill();
    let folder = folder.path();
    let output = run(&["events", "--source", "123", "--kind", "raised"], folder);
    let told = stdout(&output);
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("station 123 alarm1: raised (occurrence "), "{told}");
    assert!(told.contains("); now unacknowledged; from 127.0.0.1"), "{told}");
    let output = run(&["events", "--json", "--since", "1h"], folder);
    let all: Vec<Value> = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(all.iter().filter(|event| event["kind"] == "raised").count(), 3);
    assert!(stdout(&run(&["events", "--limit", "1"], folder)).contains("\nthere are earlier ones: "));
    let first = stdout(&run(&["events", "--after", "0", "--limit", "1"], folder));
    assert!(first.contains("\nthere are more: go on with --after "), "{first}");
    for (arguments, code, says) in [
        (&["events", "--source", "7"][..], 1, "no such station"),
        (&["events", "--kind", "rised"], 2, "nothing of the kind \"rised\" happens"),
        (&["events", "--follow", "--limit", "3"], 2, "cannot be used with"),
        (&["events", "--server", "http://127.0.0.1:1"], 2, "--server needs --token-file"),
        (&["events", "--follow"], 1, "no server runs on the database"),
    ] {
        let output = run(arguments, folder);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(stderr(&output).contains(says), "{arguments:?}: {}", stderr(&output));
    }
}

/// What was printed; of JSON whatever the order of its fields is.
fn said(output: &std::process::Output) -> Value {
    let text = stdout(output);
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

#[test]
fn what_happened_elsewhere_is_what_its_database_has() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let api = server.api();
    for _ in 0..3 {
        assert_eq!(server.say(b"123 1 0\n9 1 1\n123 0 0\n9 0 0\n"), "OK\n".repeat(4));
    }
    let token = server.data.with_file_name("data.sqlite.token");
    let folder = folder.path();
    let asked: [&[&str]; 7] = [
        &["events"],
        &["events", "--limit", "4"],
        &["events", "--since", "1h", "--limit", "3", "--source", "123"],
        &["events", "--kind", "raised", "--kind", "returned", "--point", "alarm1"],
        &["events", "--json", "--limit", "2"],
        &["events", "--after", "2", "--limit", "2", "--kind", "raised,returned"],
        &["events", "--after", "0", "--since", "1h"],
    ];
    for arguments in asked {
        let here = run(arguments, folder);
        let elsewhere = waterwatch()
            .args(arguments)
            .env("WATERWATCH_SERVER_URL", format!("http://{}", api.address))
            .env("WATERWATCH_TOKEN_FILE", &token)
            .current_dir("/")
            .output()
            .unwrap();
        assert!(elsewhere.status.success(), "{arguments:?}: {}", stderr(&elsewhere));
        assert_eq!(said(&elsewhere), said(&here), "{arguments:?}");
    }
}
