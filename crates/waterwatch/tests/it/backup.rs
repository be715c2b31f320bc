//! `waterwatch backup`, and that what it made can be restored.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rusqlite::Connection;
use tempfile::tempdir;

use crate::database::{allow, insert, make, names};
use crate::harness::{Server, alarms, open, rows, run, stderr, stdout};

fn backup(folder: &Path, file: &str) -> Output {
    run(&["backup", file], folder)
}

/// Why it was refused, with exit code 1.
fn refusal(folder: &Path, file: &str) -> String {
    let output = backup(folder, file);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
    stderr(&output)
}

#[test]
fn the_copy_is_one_file_that_holds_everything() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data.sqlite");
    // Its rows are in the log alone, as long as this connection lasts.
    let server = make(&data, &[(1, 0, 1, 3), (2, 1, 0, 3), (3, 0, 0, 3)]);
    allow(&data, 0o640);
    let before = names(folder.path());
    let output = backup(folder.path(), "copy.sqlite");
    assert!(output.status.success(), "{}", stderr(&output));
    let copy = folder.path().join("copy.sqlite");
    let metadata = copy.metadata().unwrap();
    assert_eq!(stdout(&output), format!("3 stations, {} bytes: copy.sqlite\n", metadata.len()));
    assert_eq!(metadata.permissions().mode() & 0o777, 0o640);
    assert_eq!(names(folder.path()), [vec!["copy.sqlite".to_owned()], before].concat());

    // Alone in a folder that nobody may write, it is whole.
    let elsewhere = tempdir().unwrap();
    let alone = elsewhere.path().join("alone.sqlite");
    fs::rename(&copy, &alone).unwrap();
    assert_eq!(rows(&alone), rows(&data));
    assert_eq!(names(elsewhere.path()), ["alone.sqlite"]);
    let journal: String = open(&alone).pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(journal, "delete");
    drop(server);
}

#[test]
fn copies_under_a_busy_writer_are_each_of_one_moment() {
    const STATIONS: i64 = 5_000;
    let folder = tempdir().unwrap();
    let server = make(&folder.path().join("data.sqlite"), &[]);
    server.execute_batch("BEGIN").unwrap();
    for id in 0..STATIONS {
        insert(&server, &(id, 0, 0, 3));
    }
    server.execute_batch("UPDATE station_state SET sequence = 0; COMMIT").unwrap();
    // Refused at once if anything held the writer up.
    server.busy_timeout(Duration::ZERO).unwrap();
    let done = AtomicBool::new(false);
    let copies = ["first.sqlite", "second.sqlite", "third.sqlite"];
    let commits = thread::scope(|scope| {
        let done = &done;
        let writer = scope.spawn(move || {
            let mut commits = 0;
            while !done.load(Ordering::Relaxed) {
                server.execute("UPDATE station_state SET sequence = sequence + 1", []).unwrap();
                commits += 1;
            }
            commits
        });
        let outputs = copies.map(|copy| backup(folder.path(), copy));
        done.store(true, Ordering::Relaxed);
        for output in outputs {
            assert!(output.status.success(), "{}", stderr(&output));
            assert!(stdout(&output).starts_with("5000 stations, "), "{}", stdout(&output));
        }
        writer.join().unwrap()
    });
    let mut last = 0;
    for copy in copies {
        let (least, most): (i64, i64) = open(&folder.path().join(copy))
            .query_row("SELECT min(sequence), max(sequence) FROM station_state", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap();
        assert_eq!(least, most, "{copy} mixes two moments");
        assert!(least >= last && least <= commits, "{copy}");
        last = least;
    }
    assert!(last > 0, "the writer was not busy");
}

#[test]
fn nothing_is_overwritten() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    let _server = make(&path.join("data.sqlite"), &[(1, 0, 0, 3)]);
    fs::write(path.join("theirs"), "theirs").unwrap();
    std::os::unix::fs::symlink("nowhere", path.join("link")).unwrap();
    fs::create_dir(path.join("folder")).unwrap();
    fs::write(path.join("old.sqlite-wal"), "a log of another database").unwrap();
    let before = names(path);
    for (file, reason) in [
        ("theirs", "theirs exists already, and is not overwritten"),
        ("link", "link exists already"),
        ("folder", "folder exists already"),
        ("data.sqlite", "data.sqlite is the database itself"),
        ("folder/../data.sqlite", "folder/../data.sqlite is the database itself"),
        ("data.sqlite-wal", "data.sqlite-wal belongs to the database itself"),
        ("data.sqlite-journal", "data.sqlite-journal belongs to the database itself"),
        ("data.sqlite.lock", "data.sqlite.lock belongs to the database itself"),
        ("old.sqlite", "old.sqlite-wal is left of another database"),
        ("nowhere/copy.sqlite", "there is no folder nowhere"),
    ] {
        let said = refusal(path, file);
        assert!(said.contains(reason), "{file}: {said}");
    }
    assert_eq!(names(path), before);
    assert_eq!(fs::read_to_string(path.join("theirs")).unwrap(), "theirs");
}

#[test]
fn what_is_no_database_of_ours_is_not_copied() {
    let folder = tempdir().unwrap();
    assert!(refusal(folder.path(), "copy.sqlite").contains("there is no database at data.sqlite"));
    let data = folder.path().join("data.sqlite");
    fs::write(&data, "").unwrap();
    assert!(refusal(folder.path(), "copy.sqlite").contains("data.sqlite is empty"));
    Connection::open(&data).unwrap().execute_batch("CREATE TABLE moz_places (url)").unwrap();
    let output = backup(folder.path(), "copy.sqlite");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("is not a waterwatch database"), "{}", stderr(&output));
    assert_eq!(names(folder.path()), ["data.sqlite"]);
}

#[test]
fn an_old_servers_database_can_be_copied_before_it_is_taken_over() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data.sqlite");
    let old = Connection::open(&data).unwrap();
    old.execute_batch(
        "CREATE TABLE station_status (station_id INTEGER PRIMARY KEY, last_date, alarm1, alarm2);
         INSERT INTO station_status VALUES (9, '2024-01-02 03:04', 0, 1)",
    )
    .unwrap();
    assert!(backup(folder.path(), "copy.sqlite").status.success());
    assert_eq!(rows(&folder.path().join("copy.sqlite")), ["9 2024-01-02 03:04 0 1"]);
}

#[test]
fn a_damaged_database_leaves_no_copy() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data.sqlite");
    let stations: Vec<_> = (0..500).map(|id| (id, 0, 0, 3)).collect();
    drop(make(&data, &stations));
    let mut bytes = fs::read(&data).unwrap();
    // Where the last page says where its rows are.
    let rows_at = bytes.len() - 4096 + 8;
    bytes[rows_at..rows_at + 20].fill(0xff);
    fs::write(&data, bytes).unwrap();
    let said = refusal(folder.path(), "copy.sqlite");
    assert!(said.contains("the copy of data.sqlite was not kept: the new file is damaged"), "{said}");
    assert!(!names(folder.path()).iter().any(|name| name.starts_with("copy")), "{said}");
}

#[test]
fn a_copy_that_was_killed_is_no_hindrance() {
    let folder = tempdir().unwrap();
    let _server = make(&folder.path().join("data.sqlite"), &[(1, 0, 0, 3)]);
    let left = folder.path().join("copy.sqlite.partial");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("database"), "half of it").unwrap();
    fs::write(left.join("database-journal"), "half of it").unwrap();
    assert!(backup(folder.path(), "copy.sqlite").status.success());
    assert!(!left.exists());
}

/// Why docs/operations.md says to remove the log before a copy is put in its
/// place.
#[test]
fn a_copy_is_restored_beside_no_log() {
    let folder = tempdir().unwrap();
    let data = folder.path().join("data.sqlite");
    let server = make(&data, &[(1, 0, 0, 3)]);
    assert!(backup(folder.path(), "copy.sqlite").status.success());
    // A server that is killed leaves its log behind.
    server.execute("UPDATE station_status SET alarm1 = 1", []).unwrap();
    fs::copy(folder.path().join("data.sqlite-wal"), folder.path().join("left-wal")).unwrap();
    drop(server);

    fs::copy(folder.path().join("copy.sqlite"), &data).unwrap();
    assert_eq!(alarms(&data), ["1 0 0"]);
    fs::rename(folder.path().join("left-wal"), folder.path().join("data.sqlite-wal")).unwrap();
    assert_eq!(alarms(&data), ["1 1 0"], "the old log was played into the copy");
}

#[test]
fn a_running_server_is_copied_and_restored() {
    let folder = tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    server.say(b"1 0 1\n2 1 0\n");
    let output = backup(folder.path(), "copy.sqlite");
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).starts_with("2 stations, "), "{}", stdout(&output));
    server.say(b"1 0 0\n3 0 0\n");
    server.kill();

    for left in ["data.sqlite-wal", "data.sqlite-shm"] {
        let _ = fs::remove_file(folder.path().join(left));
    }
    fs::copy(folder.path().join("copy.sqlite"), folder.path().join("data.sqlite")).unwrap();
    let server = Server::start(folder.path(), &[]);
    assert_eq!(alarms(&server.data), ["1 0 1", "2 1 0"]);
    server.say(b"1 1 1\n");
    assert_eq!(alarms(&server.data), ["1 1 1", "2 1 0"]);
    server.stop();
}
