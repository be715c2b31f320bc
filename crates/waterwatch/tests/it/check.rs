//! `waterwatch check`, as a monitoring system runs it.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::harness::{Server, run, stderr, stdout, wait_for};

/// How it ends, and what it says.
fn check(arguments: &[&str], folder: &Path) -> (Option<i32>, String) {
    let output = run(&[&["check"], arguments].concat(), folder);
    assert_eq!(stderr(&output), "");
    let line = stdout(&output);
    assert_eq!(line.lines().count(), 1, "{line}");
    (output.status.code(), line)
}

fn backup(folder: &Path, name: &str, hours: u64) {
    let file = File::create(folder.join(name)).unwrap();
    fs::write(folder.join(name), "rows").unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(hours * 3_600)).unwrap();
}

#[test]
fn all_is_well_or_it_says_what_is_not() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    server.api();
    let folder = folder.path();
    let fine = wait_for("the server to be ready", || {
        let (code, line) = check(&[], folder);
        (code == Some(0)).then_some(line)
    });
    assert_eq!(
        fine,
        "WATERWATCH OK - the server is ready; no alarm is unacknowledged; no station is silent | \
         unacknowledged=0;;;0 oldest_unacknowledged=0s;900;3600;0 silent=0;;;0\n"
    );
    assert_eq!(server.say(b"123 1 0\n"), "OK\n");
    let (code, line) = check(&[], folder);
    assert_eq!(code, Some(0));
    assert!(line.contains("1 alarm unacknowledged: station 123 alarm1 (high) for "), "{line}");
    let soon = ["--unacknowledged-warning", "1s"];
    let line = wait_for("the alarm to be older than a second", || {
        let (code, line) = check(&soon, folder);
        (code == Some(1)).then_some(line)
    });
    assert!(
        line.starts_with("WATERWATCH WARNING - 1 alarm unacknowledged: station 123 alarm1 (high)"),
        "{line}"
    );
    let (code, line) = check(&["--unacknowledged-critical", "1s"], folder);
    assert_eq!((code, line.starts_with("WATERWATCH CRITICAL - 1 alarm")), (Some(2), true), "{line}");
    assert_eq!(check(&[&soon[..], &["--priority", "critical"]].concat(), folder).0, Some(0));
    run(&["alarm", "ack", "123", "alarm1"], folder);
    assert_eq!(check(&soon, folder).0, Some(0));
    let whole: serde_json::Value = serde_json::from_str(&check(&["--json"], folder).1).unwrap();
    assert_eq!(whole["status"], "ok");
    assert_eq!(whole["findings"][1]["values"][1]["warning"], 900);

    // Of a server elsewhere the alarms are not known, and it is well without them.
    let address = format!("http://{}", server.api().address);
    let elsewhere = ["--server", &address, "--data", "none.sqlite"];
    let (code, line) = check(&elsewhere, folder);
    assert_eq!(code, Some(3));
    assert!(
        line.starts_with("WATERWATCH UNKNOWN - the alarms were not looked at: there is no database"),
        "{line}"
    );
    let (code, line) = check(&[&elsewhere[..], &["--no-alarms"]].concat(), folder);
    assert_eq!((code, line.as_str()), (Some(0), "WATERWATCH OK - the server is ready\n"));

    server.running.signal(Signal::STOP);
    let (code, line) = check(&["--no-alarms"], folder);
    assert_eq!(code, Some(2));
    assert!(line.contains("did not answer: it takes too long"), "{line}");
    server.running.signal(Signal::CONT);
    server.kill();
    let (code, line) = check(&[], folder);
    assert_eq!(code, Some(2));
    assert!(line.starts_with("WATERWATCH CRITICAL - no server runs: nothing was recorded since "), "{line}");
}

#[test]
fn a_server_without_http_is_seen_by_what_it_records() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &["--http", "off"]);
    wait_for("the server to say that it is alive", || {
        let (code, line) = check(&[], folder.path());
        (code == Some(0) && line.contains("the server records, and hears no HTTP")).then_some(())
    });
    server.stop();
    let (code, line) = check(&["--data", "none.sqlite", "--no-alarms"], folder.path());
    assert_eq!(code, Some(3));
    assert!(line.contains("there is no database at none.sqlite"), "{line}");
    // What is wrong with the options is not known to be bad either.
    let output = run(&["check", "--unacknowledged-warning", "soon"], folder.path());
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(run(&["check", "--help"], folder.path()).status.code(), Some(0));
}

/// It was alive a moment ago, by what it recorded.
#[test]
fn a_server_that_was_stopped_is_no_server_at_once() {
    let folder = TempDir::new().unwrap();
    Server::start(folder.path(), &[]).stop();
    let (code, line) = check(&[], folder.path());
    assert_eq!(code, Some(2), "{line}");
    assert!(line.starts_with("WATERWATCH CRITICAL - no server runs"), "{line}");
}

#[test]
fn the_newest_backup_is_what_counts() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    server.api();
    let folder = folder.path();
    wait_for("the server to be ready", || (check(&[], folder).0 == Some(0)).then_some(()));
    let age = |arguments: &[&str]| check(&[&["--backup"], arguments].concat(), folder);
    let (code, line) = age(&["of-*.sqlite"]);
    assert_eq!((code, line.contains("there is no backup of-*.sqlite")), (Some(2), true), "{line}");
    File::create(folder.join("of-today.sqlite")).unwrap();
    assert_eq!(age(&["of-*.sqlite"]).0, Some(2), "an empty file is none");
    backup(folder, "of-monday.sqlite", 50);
    let (code, line) = age(&["of-*.sqlite"]);
    assert_eq!(code, Some(2));
    assert!(line.starts_with("WATERWATCH CRITICAL - the newest backup is 2 d old"), "{line}");
    backup(folder, "of-tuesday.sqlite", 26);
    assert_eq!(age(&["of-*.sqlite"]).0, Some(1));
    assert_eq!(age(&["of-monday.sqlite", "of-tuesday.sqlite"]).0, Some(1));
    backup(folder, "of-wednesday.sqlite", 2);
    let (code, line) = age(&["of-*.sqlite"]);
    assert_eq!(code, Some(0));
    assert!(line.contains("the newest backup is 2 h old"), "{line}");
    assert!(line.contains(" backup_age=7200s;90000;176400;0") || line.contains(" backup_age=720"), "{line}");
    let ahead = File::options().write(true).open(folder.join("of-wednesday.sqlite")).unwrap();
    ahead.set_modified(SystemTime::now() + Duration::from_secs(3_600)).unwrap();
    assert_eq!(age(&["of-*.sqlite"]).0, Some(3));
    assert_eq!(age(&["nowhere/of-*.sqlite"]).0, Some(3));
}

#[test]
fn a_warning_does_not_come_after_what_is_critical() {
    let folder = TempDir::new().unwrap();
    for (arguments, says) in [
        (
            &["--unacknowledged-warning", "15m", "--unacknowledged-critical", "10m"][..],
            "--unacknowledged-warning is 15 min, and --unacknowledged-critical 10 min: a warning must come first",
        ),
        (
            &["--silent-warning", "3", "--silent-critical", "2"],
            "--silent-warning is 3, and --silent-critical 2",
        ),
        (&["--backup-warning", "72h"], "--backup-warning is 3 d, and --backup-critical 2 d"),
    ] {
        let output = run(&[&["check"], arguments].concat(), folder.path());
        let said = stderr(&output);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(3), ""), "{said}");
        assert!(said.starts_with(&format!("waterwatch: {says}")), "{said}");
    }
    let arguments =
        ["check", "--silent-warning", "2", "--silent-critical", "2", "--unacknowledged-critical", "1m"];
    let output = run(&arguments, folder.path());
    assert_eq!(stderr(&output), "", "with it is well, and what nobody says gives way");
}

#[test]
fn shells_complete_what_there_is() {
    let folder = TempDir::new().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let output = run(&["completions", shell], folder.path());
        assert!(output.status.success());
        let script = stdout(&output);
        for word in ["waterwatch", "return-to-service", "on-behalf-of", "unacknowledged-warning"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let mut bash = std::process::Command::new("bash");
    let script = stdout(&run(&["completions", "bash"], folder.path()));
    fs::write(folder.path().join("completions"), script).unwrap();
    let probe = "source ./completions && COMP_WORDS=(waterwatch alarm ou) COMP_CWORD=2 && \
                 _waterwatch waterwatch ou alarm && echo \"${COMPREPLY[@]}\"";
    let completed = bash.args(["-c", probe]).current_dir(folder.path()).output().unwrap();
    assert_eq!(stdout(&completed), "out-of-service\n", "{}", stderr(&completed));
}
