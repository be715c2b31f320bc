//! Tokens: those of a first start, and the commands.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{PATIENCE, Server, open, run, stderr, stdout, waterwatch};

/// What a command prints that must go well.
fn done(arguments: &[&str], folder: &Path) -> String {
    let output = run(arguments, folder);
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    stdout(&output)
}

/// What a command says that must fail so.
fn failed(arguments: &[&str], folder: &Path, code: i32) -> String {
    let output = run(arguments, folder);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", stderr(&output));
    assert_eq!(stdout(&output), "");
    stderr(&output)
}

/// A folder with the database of a server that has stopped.
fn stopped() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    Server::start(folder.path(), &[]).stop();
    folder
}

/// Whether this secret is one of the database's: by SHA-256, as whoever checks it with
/// other tools would.
fn is_secret_of(data: &Path, secret: &str, name: &str) -> bool {
    let mut sum = Command::new("sha256sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut sum.stdin.take().unwrap(), secret.as_bytes()).unwrap();
    let digest = String::from_utf8(sum.wait_with_output().unwrap().stdout).unwrap();
    let wanted = "SELECT EXISTS (SELECT * FROM token
        WHERE name = ?1 AND revoked_at IS NULL AND lower(hex(digest)) = ?2)";
    open(data).query_row(wanted, [name, digest.split_whitespace().next().unwrap()], |row| row.get(0)).unwrap()
}

fn secret(folder: &Path) -> String {
    let line = fs::read_to_string(folder.join("data.sqlite.token")).unwrap();
    line.strip_suffix('\n').unwrap().to_owned()
}

#[test]
fn the_first_start_leaves_a_token_that_only_its_user_can_read_and_does_not_tell_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data.sqlite.token");
    fs::write(&file, "of another database").unwrap();
    let server = Server::start_with(folder.path(), &[], |command| {
        // Whatever the mask lets through.
        let program = command.get_program().to_owned();
        let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        let mut shell = waterwatch_in_a_shell("umask 0; exec \"$@\"");
        shell.arg(program).args(arguments).current_dir(folder.path());
        *command = shell;
    });
    assert_eq!(file.metadata().unwrap().mode() & 0o7777, 0o600);
    let first = secret(folder.path());
    assert!(is_secret_of(&server.data, &first, "admin"));
    let printed = server.running.printed();
    let logged = server.stop();
    assert!(logged.contains("made a token of an admin") && logged.contains("data.sqlite.token"), "{logged}");
    assert!(!logged.contains(&first) && !printed.contains(&first));
    let logged = Server::start(folder.path(), &[]).stop();
    assert!(!logged.contains("token"), "{logged}");
    assert_eq!(secret(folder.path()), first);
    fs::write(&file, "ww_something\n").unwrap();
    let logged = Server::start(folder.path(), &[]).stop();
    assert!(
        logged.contains("WARN the file ") && logged.contains("data.sqlite.token has no token"),
        "{logged}"
    );
    fs::write(&file, format!("ww_{}\n", "a".repeat(43))).unwrap();
    let logged = Server::start(folder.path(), &[]).stop();
    assert!(logged.contains("WARN the token in this file is not valid any more"), "{logged}");
}

fn waterwatch_in_a_shell(script: &str) -> Command {
    let mut shell = Command::new("sh");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WATERWATCH_")) {
        shell.env_remove(name);
    }
    shell.env_remove("NOTIFY_SOCKET").stdin(Stdio::null()).args(["-c", script, "sh"]);
    shell
}

/// The moment between the file and the database is among these.
#[test]
fn a_first_start_that_is_killed_at_any_moment_leaves_a_way_in() {
    // It is a moment: on a busy machine not every forty rounds hit it.
    let (mut died_between, mut round, started) = (0, 0, Instant::now());
    while round < 40 || (died_between == 0 && started.elapsed() < 2 * PATIENCE) {
        round += 1;
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data.sqlite");
        let mut child = waterwatch()
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(&data)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        if round % 2 == 0 {
            // As soon as the file is there, which is before the database knows.
            let file = folder.path().join("data.sqlite.token");
            while !file.exists() {
                assert!(started.elapsed() < 3 * PATIENCE, "there is no file");
            }
        } else {
            thread::sleep(Duration::from_millis(round % 40));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let left = fs::read_to_string(folder.path().join("data.sqlite.token")).ok();
        let server = Server::start(folder.path(), &[]);
        let now = secret(folder.path());
        assert!(is_secret_of(&server.data, &now, "admin"), "round {round}");
        died_between += usize::from(left.is_some_and(|left| left.trim_end() != now));
        assert!(!folder.path().join("data.sqlite.token.new").exists());
    }
    assert!(died_between > 0, "none died between the file and the database: nothing was tested");
}

#[test]
fn tokens_are_made_listed_and_revoked_while_no_server_runs() {
    let folder = stopped();
    let (folder, data) = (folder.path(), folder.path().join("data.sqlite"));
    let printed = done(&["token", "add", "scada", "--role", "viewer", "--may", "report"], folder);
    let made = printed.strip_suffix('\n').unwrap();
    assert!(made.len() == 46 && made.starts_with("ww_"), "{made}");
    assert!(is_secret_of(&data, made, "scada"));
    let arguments = ["token", "add", " Ana ", "--role", "operator", "--may", "acknowledge,report", "--json"];
    let made: serde_json::Value = serde_json::from_str(&done(&arguments, folder)).unwrap();
    assert!(is_secret_of(&data, made["secret"].as_str().unwrap(), "Ana"));
    assert_eq!(made["may"], serde_json::json!(["acknowledge", "report"]));
    assert_eq!(done(&["token", "revoke", "scada"], folder), "revoked scada\n");
    let listed = |more: &[&str]| -> Vec<serde_json::Value> {
        serde_json::from_str(&done(&[&["token", "list", "--json"], more].concat(), folder)).unwrap()
    };
    let names: Vec<_> = listed(&[]).iter().map(|token| token["name"].clone()).collect();
    assert_eq!(names, ["Ana", "admin"]);
    let all = listed(&["--all"]);
    assert_eq!((&all[2]["name"], &all[2]["may"]), (&"scada".into(), &serde_json::json!(["report"])));
    let me = all[2]["revoked_by"].as_str().unwrap();
    assert!(me.starts_with("user ") && all[2]["created_by"] == me, "{all:?}");
    let table = done(&["token", "list"], folder);
    assert!(table.ends_with("\n\n2 tokens; 1 revoked, which --all shows\n"), "{table}");
    for (arguments, says) in [
        (&["token", "add", "Ana", "--role", "viewer"][..], "the name Ana is taken by a token"),
        (&["token", "add", "scada", "--role", "viewer"], "is taken by a token that was revoked"),
        (&["token", "revoke", "Ben"], "there is no token Ben"),
        (&["token", "revoke", "scada"], "has revoked it already"),
        (&["token", "revoke", "admin"], "admin is the only token of an admin: add another one first"),
    ] {
        let said = failed(arguments, folder, 1);
        assert!(said.contains(says), "{said}");
    }
    for (arguments, says) in [
        (&["token", "add", "", "--role", "viewer"][..], "the name of a token is missing"),
        (&["token", "add", "a", "--role", "root"], "\"root\" is none of viewer, operator and admin"),
        (&["token", "add", "a", "--role", "viewer", "--may", "shelve"], "is none of acknowledge and report"),
        (
            &["token", "add", "a", "--role", "viewer", "--may", "acknowledge"],
            "a viewer cannot have the right",
        ),
    ] {
        let said = failed(arguments, folder, 2);
        assert!(said.contains(says), "{said}");
    }
    let history = done(&["alarm", "history", "--source", "server", "--json"], folder);
    let entries: Vec<serde_json::Value> = serde_json::from_str(&history).unwrap();
    let told: Vec<String> = entries
        .iter()
        .filter(|entry| entry["kind"].as_str().unwrap().starts_with("token_"))
        .map(|entry| format!("{} {}", entry["kind"], entry["reason"]))
        .collect();
    assert_eq!(
        told,
        [
            r#""token_added" "admin (admin, may acknowledge and report)""#,
            r#""token_added" "scada (viewer, may report)""#,
            r#""token_added" "Ana (operator, may acknowledge and report)""#,
            r#""token_revoked" "scada (viewer, may report)""#,
        ]
    );
    assert!(!history.contains("ww_"));
}

#[test]
fn a_secret_that_nobody_could_read_is_told_as_lost() {
    let folder = stopped();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut add = waterwatch();
    add.args(["token", "add", "pager", "--role", "viewer"]).current_dir(folder.path()).stdout(writer);
    let output = add.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.starts_with("waterwatch: the token pager was made, and its secret is lost"), "{said}");
    assert!(said.contains("Broken pipe") && said.contains("`waterwatch token revoke pager`"), "{said}");
    assert_eq!(done(&["token", "revoke", "pager"], folder.path()), "revoked pager\n");
}

#[test]
fn while_a_server_runs_it_is_asked_to_change_its_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    server.api();
    let (data, folder) = (folder.path().join("data.sqlite"), folder.path());
    let arguments = ["token", "add", " Ana ", "--role", "operator", "--may", "acknowledge,report", "--json"];
    let made: serde_json::Value = serde_json::from_str(&done(&arguments, folder)).unwrap();
    let expected = serde_json::json!({
        "name": "Ana", "role": "operator", "may": ["acknowledge", "report"], "secret": made["secret"],
    });
    assert_eq!(made, expected);
    assert!(is_secret_of(&data, made["secret"].as_str().unwrap(), "Ana"));
    let secret = done(&["token", "add", "ä/b ?", "--role", "viewer"], folder);
    assert!(is_secret_of(&data, secret.trim_end(), "ä/b ?"));
    assert_eq!(done(&["token", "revoke", "ä/b ?"], folder), "revoked ä/b ?\n");
    let table = done(&["token", "list"], folder);
    assert!(table.contains("Ana") && table.ends_with("2 tokens; 1 revoked, which --all shows\n"), "{table}");
    for (arguments, says) in [
        (&["token", "add", "Ana", "--role", "viewer"][..], "the name Ana is taken by a token"),
        (&["token", "revoke", "Ben"], "there is no token Ben"),
        (&["token", "revoke", ".."], "there is no token \"..\""),
        (&["token", "revoke", "admin"], "admin is the only token of an admin: add another one first"),
    ] {
        let said = failed(arguments, folder, 1);
        assert!(said.contains(says), "{said}");
    }
    server.stop();
    let server = Server::start(folder, &["--http", "off"]);
    let said = failed(&["token", "revoke", "Ana"], folder, 1);
    assert!(said.contains("or it hears no HTTP (--http off)"), "{said}");
    server.stop();
    assert!(failed(&["token", "list", "--data", "none.sqlite"], folder, 1).contains("there is no database"));
    assert!(
        failed(&["token", "add", "Ana", "--role", "viewer", "--data", "none.sqlite"], folder, 1)
            .contains("there is no database")
    );
    assert!(!folder.join("none.sqlite.lock").exists());
}
