//! What operators do at a terminal, through a running server.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Server, open, run, stderr, stdout, waterwatch};

/// What a command prints that must go well.
pub fn done(arguments: &[&str], folder: &Path) -> String {
    let output = run(arguments, folder);
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    assert_eq!(stderr(&output), "");
    stdout(&output)
}

/// What a command says that must fail so.
pub fn failed(arguments: &[&str], folder: &Path, code: i32) -> String {
    let output = run(arguments, folder);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {} {}", stdout(&output), stderr(&output));
    assert_eq!(stdout(&output), "");
    stderr(&output)
}

/// What the ledger has of a kind: by whom, and why.
fn entries(server: &Server, kind: &str) -> Vec<(String, Option<String>)> {
    let database = open(&server.data);
    let mut statement =
        database.prepare("SELECT \"by\", reason FROM alarm_event WHERE kind = ?1 ORDER BY sequence").unwrap();
    let rows = statement.query_map([kind], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

/// A server where `alarm1` of station 123 was raised, and that occurrence.
fn raised() -> (TempDir, Server, i64) {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    // The commands find the server by what it leaves beside its database.
    server.api();
    assert_eq!(server.say(b"123 1 0\n"), "OK\n");
    let occurrence = open(&server.data)
        .query_row("SELECT occurrence FROM alarm WHERE source = 123 AND point = 'alarm1'", [], |row| {
            row.get(0)
        })
        .unwrap();
    (folder, server, occurrence)
}

#[test]
fn whoever_acknowledges_hears_which_occurrence_and_is_in_the_ledger() {
    let (folder, server, occurrence) = raised();
    let folder = folder.path();
    let other = (occurrence + 1).to_string();
    let said = failed(&["alarm", "ack", "123", "alarm1", "--occurrence", &other], folder, 1);
    assert_eq!(
        said,
        format!("waterwatch: occurrence {other} is not open: the one that is open is {occurrence}\n")
    );
    assert_eq!(entries(&server, "acknowledged"), []);
    let printed = done(&["alarm", "ack", "123", "alarm1", "--on-behalf-of", "Ana"], folder);
    assert_eq!(printed, format!("station 123 alarm1: acknowledged (occurrence {occurrence})\n"));
    assert_eq!(entries(&server, "acknowledged"), [("Ana (by admin)".to_owned(), None)]);
    let said = failed(&["alarm", "ack", "123", "alarm1"], folder, 1);
    assert_eq!(said, "waterwatch: Ana (by admin) has acknowledged it already\n");

    // Gone, and raised once more: whoever runs it is named by itself.
    assert_eq!(server.say(b"123 0 0\n123 1 0\n123 0 0\n"), "OK\nOK\nOK\n");
    let mut ack = waterwatch();
    ack.args(["alarm", "ack", "123", "alarm1", "--json"]).env("SUDO_USER", "ben").current_dir(folder);
    let output = ack.output().unwrap();
    let printed: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let second = printed["acknowledged"].as_i64().unwrap();
    assert!(second > occurrence);
    assert_eq!(
        (&printed["source"], &printed["station_id"], &printed["point"]),
        (&"123".into(), &123.into(), &"alarm1".into())
    );
    assert_eq!((&printed["state"], &printed["occurrence"]), (&"normal".into(), &Value::Null));
    assert_eq!(entries(&server, "acknowledged")[1].0, "ben (by admin)");
    let said = failed(&["alarm", "ack", "123", "alarm1"], folder, 1);
    assert_eq!(
        said,
        "waterwatch: station 123 alarm1: there is nothing to acknowledge, no occurrence is open\n"
    );
    let said = failed(&["alarm", "ack", "area/North", "comms"], folder, 1);
    assert!(said.contains("area North has no comms of which anything is recorded"), "{said}");
}

#[test]
fn alarms_are_set_aside_and_taken_back_and_say_how_they_stand() {
    let (folder, server, _) = raised();
    let folder = folder.path();
    let by = ["--on-behalf-of", "Ana"];
    let ask = |arguments: &[&str]| done(&[arguments, &by].concat(), folder);
    // The times are local: which they are is not guessed here.
    let without_time = |printed: &str| {
        let (before, after) = printed.split_once("until ").unwrap();
        format!("{before}until …{}", &after["2026-11-24 18:00".len()..])
    };
    let alarm = ["123", "alarm1", "--for", "2h", "--reason", "pump"];
    let shelved = ask(&[&["alarm", "shelve"][..], &alarm].concat());
    assert_eq!(without_time(&shelved), "station 123 alarm1: shelved until …\n");
    let until = ["123", "alarm1", "--until", "2099-01-01", "--reason", "pump"];
    let said = failed(&[&["alarm", "out-of-service"][..], &until].concat(), folder, 2);
    assert!(said.starts_with("waterwatch: until: the end may be at most"), "{said}");
    let out = ask(&[&["alarm", "out-of-service"][..], &alarm].concat());
    assert_eq!(without_time(&out), "station 123 alarm1: out of service until …\n");
    // It is hidden by what comes first.
    let shelved = ask(&[&["alarm", "shelve"][..], &alarm].concat());
    assert_eq!(without_time(&shelved), "station 123 alarm1: shelved until …; now out of service\n");
    assert_eq!(
        ask(&["alarm", "return-to-service", "123", "alarm1"]),
        "station 123 alarm1: returned to service; now shelved\n"
    );
    let printed = ask(&["alarm", "unshelve", "123", "alarm1"]);
    assert!(
        printed.starts_with("station 123 alarm1: unshelved; now unacknowledged (occurrence "),
        "{printed}"
    );
    assert!(failed(&["alarm", "unshelve", "123", "alarm1"], folder, 1).contains("not shelved"));
    assert_eq!(entries(&server, "unshelved"), [("Ana (by admin)".to_owned(), None)]);

    let station = ["123", "--for", "90m", "--reason", "winter"];
    let paused = ask(&[&["station", "pause"][..], &station].concat());
    assert_eq!(without_time(&paused), "station 123: paused until …\n");
    assert_eq!(ask(&["station", "resume", "123"]), "station 123: resumed; now normal\n");
    let visited = ask(&[&["station", "visit"][..], &station].concat());
    assert_eq!(without_time(&visited), "station 123: Ana is there until …\n");
    assert_eq!(ask(&["station", "visit", "123", "--end"]), "station 123: nobody is there any more\n");
    assert_eq!(ask(&["station", "retire", "123", "--reason", "filled in"]), "station 123: retired\n");
    assert_eq!(ask(&["station", "resume", "123"]), "station 123: resumed\n");
    assert_eq!(ask(&["station", "retire", "123", "--reason", "filled in"]), "station 123: retired\n");
    assert_eq!(entries(&server, "retired")[0], ("Ana (by admin)".to_owned(), Some("filled in".to_owned())));
    let said = failed(&["station", "retire", "123", "--reason", "filled in"], folder, 1);
    assert_eq!(said, "waterwatch: Ana (by admin) has retired it already\n");
    assert_eq!(ask(&["station", "forget", "123"]), "station 123: forgotten\n");
    assert_eq!(entries(&server, "forgotten"), [("Ana (by admin)".to_owned(), None)]);
    let said = failed(&["station", "forget", "123"], folder, 1);
    assert_eq!(
        said,
        "waterwatch: station 123 is not known: nothing of it is recorded, and nothing is said of it (its settings)\n"
    );
}

#[test]
fn a_note_is_about_the_occurrence_that_is_open_or_the_one_that_is_named() {
    let (folder, server, occurrence) = raised();
    let folder = folder.path();
    fn note<'a>(more: &[&'a str]) -> Vec<&'a str> {
        [&["alarm", "note", "123", "alarm1", "--on-behalf-of", "Ana", "--text"][..], more].concat()
    }
    let printed = done(&note(&["Ben is on his way"]), folder);
    assert_eq!(printed, format!("station 123 alarm1: noted (occurrence {occurrence})\n"));
    // Over, it has to be named.
    done(&["alarm", "ack", "123", "alarm1"], folder);
    assert_eq!(server.say(b"123 0 0\n"), "OK\n");
    let said = failed(&note(&["too late"]), folder, 2);
    assert!(said.starts_with("waterwatch: occurrence: "), "{said}");
    let number = occurrence.to_string();
    let printed = done(&note(&["the switch hung", "--occurrence", &number, "--json"]), folder);
    let printed: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((&printed["noted"], &printed["state"]), (&occurrence.into(), &"normal".into()));
    let said = failed(&note(&[" "]), folder, 2);
    assert!(said.starts_with("waterwatch: text: "), "{said}");
    let by = |text: &str| ("Ana (by admin)".to_owned(), Some(text.to_owned()));
    assert_eq!(entries(&server, "note"), [by("Ben is on his way"), by("the switch hung")]);
    let story = done(&["alarm", "explain", "123", "alarm1"], folder);
    assert!(story.contains("the switch hung"), "{story}");
}

#[test]
fn what_cannot_be_meant_is_wrong_usage() {
    let folder = TempDir::new().unwrap();
    for (arguments, says) in [
        (&["alarm", "shelve", "123", "alarm1", "--reason", "x"][..], "--for <DURATION>|--until <TIME>"),
        (&["alarm", "shelve", "123", "alarm1", "--for", "2h"], "--reason <TEXT>"),
        (
            &["alarm", "shelve", "1", "alarm1", "--for", "2h", "--until", "2099-01-01", "--reason", "x"],
            "cannot be used with",
        ),
        (&["alarm", "shelve", "1", "alarm1", "--until", "2h", "--reason", "x"], "\"2h\" is no time"),
        (&["station", "visit", "123"], "--end"),
        (&["station", "visit", "123", "--end", "--reason", "x"], "cannot be used with"),
        (&["alarm", "ack", "123", "alarm1", "--server", "https://water.example"], "https is not spoken"),
        (&["alarm", "ack", "123", "alarm1", "--server", "http://127.0.0.1:1"], "--server needs --token-file"),
    ] {
        let said = failed(arguments, folder.path(), 2);
        assert!(said.contains(says), "{arguments:?}: {said}");
    }
}

#[test]
fn who_is_not_let_hears_which_token_it_was_and_what_to_do() {
    let (folder, server, _) = raised();
    let folder = folder.path();
    let secret = done(&["token", "add", "wall", "--role", "viewer"], folder);
    fs::write(folder.join("wall.token"), secret).unwrap();
    let ack = ["alarm", "ack", "123", "alarm1", "--token-file", "wall.token"];
    let said = failed(&ack, folder, 1);
    assert!(said.contains("the token \"wall\" does not allow this"), "{said}");
    assert!(said.ends_with("it is in wall.token, and --token-file names another one\n"), "{said}");
    assert_eq!(done(&["token", "revoke", "wall"], folder), "revoked wall\n");
    let said = failed(&ack, folder, 1);
    assert!(said.starts_with("waterwatch: the server does not take the token in wall.token: "), "{said}");
    // Named by its address it is the same server.
    let address = format!("http://{}", server.api().address);
    let arguments =
        ["alarm", "ack", "123", "alarm1", "--server", &address, "--token-file", "data.sqlite.token"];
    assert!(
        done(&[&arguments[..], &["--data", "elsewhere.sqlite"]].concat(), folder).contains("acknowledged")
    );
}

#[test]
fn where_no_server_is_nothing_is_done_and_it_says_so() {
    let (folder, server, _) = raised();
    let folder = folder.path();
    let ack = ["alarm", "ack", "123", "alarm1"];
    let port = server.api().address;
    server.kill();
    // Whoever has its port by now is not even spoken to, and shown no token.
    let stranger = std::net::TcpListener::bind(port).unwrap();
    stranger.set_nonblocking(true).unwrap();
    let said = failed(&ack, folder, 1);
    assert!(said.starts_with("waterwatch: no server runs on the database data.sqlite"), "{said}");
    assert!(stranger.accept().is_err());
    Server::start(folder, &[]).stop();
    let said = failed(&ack, folder, 1);
    assert!(said.contains("no server runs on the database data.sqlite, or it hears no HTTP"), "{said}");
    let said = failed(&[&ack[..], &["--data", "none.sqlite"]].concat(), folder, 1);
    assert!(said.contains("there is no database none.sqlite"), "{said}");
}
