//! Start, stop, and who may have the database.

use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::time::Instant;

use rustix::process::Signal;

use crate::harness::{PATIENCE, Peer, Server, alarms, listening, run, stderr, wait_for, waterwatch};

#[test]
fn it_prints_a_line_for_each_listener_once_it_accepts() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--listen", "127.0.0.1:0", "--listen", "[::1]:0"]);
    let printed = wait_for("all lines", || {
        let printed = server.running.printed();
        (printed.lines().count() == 3).then_some(printed)
    });
    assert_eq!(listening(&printed).len(), 2);
    assert!(printed.lines().last().unwrap().starts_with("listening http 127.0.0.1:"), "{printed}");
    for address in listening(&printed) {
        let mut peer = Peer::connect(address);
        peer.send(format!("{} 0 1\n", address.port()));
        assert_eq!(peer.reply(), "OK");
    }
    assert_eq!(alarms(&server.data).len(), 2);
}

#[test]
fn a_signal_stops_it_within_five_seconds_and_what_was_received_is_answered() {
    for signal in [Signal::TERM, Signal::INT] {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Server::start(folder.path(), &[]);
        let mut idle = server.connect();
        let mut piece = server.connect();
        piece.send("9 1 1\n8 1 1");
        assert_eq!(piece.reply(), "OK");
        let mut old = server.connect();
        let mut gateway = server.connect();
        old.send("1-0-1");
        gateway.send("2 0 1\n".repeat(10_000));
        old.wait_until_received();
        gateway.wait_until_received();
        let started = Instant::now();
        server.running.signal(signal);
        assert_eq!(old.rest(), "OK\n");
        assert_eq!(gateway.rest(), "OK\n".repeat(10_000));
        assert_eq!(idle.rest(), "");
        assert_eq!(piece.rest(), "", "a line without its newline is not taken");
        let status = server.running.wait();
        assert!(status.success(), "{status}");
        assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
        let logged = server.running.logged();
        assert!(
            logged.contains("stopping") && !logged.contains("ERROR") && !logged.contains("WARN"),
            "{logged}"
        );
        assert_eq!(alarms(&server.data), ["1 0 1", "2 0 1", "9 1 1"]);
        assert!(!folder.path().join("data.sqlite-wal").exists(), "the log is folded into the database");
    }
}

/// A gateway that never pauses cannot hold up the end.
#[test]
fn it_stops_in_time_under_load() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path(), &[]);
    let address = server.address;
    let senders: Vec<_> = (0..4)
        .map(|number| {
            std::thread::spawn(move || {
                let mut peer = Peer::connect(address);
                let mut reader = Peer { stream: peer.stream.try_clone().unwrap() };
                let reader = std::thread::spawn(move || reader.rest().matches("OK\n").count());
                let lines = format!("{number} 0 1\n").repeat(1000);
                while peer.stream.write_all(lines.as_bytes()).is_ok() {}
                reader.join().unwrap()
            })
        })
        .collect();
    wait_for("the load to arrive", || (alarms(&server.data).len() == 4).then_some(()));
    let started = Instant::now();
    server.running.signal(Signal::TERM);
    let status = server.running.wait();
    assert!(status.success(), "{status}: {}", server.running.logged());
    assert!(started.elapsed().as_secs() < 3, "{:?}", started.elapsed());
    let logged = server.running.logged();
    assert!(!logged.contains("WARN"), "nobody is cut off:\n{logged}");
    for sender in senders {
        assert!(sender.join().unwrap() > 0);
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path(), &["--store-retry-s", "60"]);
    // Somebody holds the database, so that the stop has something to wait for.
    let database = crate::harness::open(&server.data);
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut peer = server.connect();
    peer.send("1 0 1\n");
    server.running.wait_for_log("cannot be stored");
    server.running.signal(Signal::TERM);
    server.running.wait_for_log("stopping");
    server.running.signal(Signal::TERM);
    let status = server.running.wait();
    assert!(!status.success());
    assert!(server.running.logged().contains("second signal"));
    assert_eq!(peer.rest(), "");
}

/// Another program's lock is like a full disk: no answer, and it heals.
#[test]
fn while_another_program_holds_the_database_nobody_is_answered_and_it_heals() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--store-retry-s", "1"]);
    let database = crate::harness::open(&server.data);
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(server.say(b"1 0 1\nx\n"), "");
    server.running.wait_for_log("another program holds a lock on the database");
    let mut peer = server.connect();
    peer.send("1 1 1\n");
    database.execute_batch("COMMIT").unwrap();
    assert_eq!(peer.reply(), "OK");
    assert_eq!(alarms(&server.data), ["1 1 1"]);
    server.running.wait_for_log("reports are stored again");
}

#[test]
fn a_second_server_on_the_same_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let link = folder.path().join("other-name.sqlite");
    std::os::unix::fs::symlink(&server.data, &link).unwrap();
    for name in ["data.sqlite", "other-name.sqlite"] {
        let second = run(&["serve", "--listen", "127.0.0.1:0", "--data", name], folder.path());
        assert_eq!(second.status.code(), Some(1));
        let expected = format!("is in use by another waterwatch (process {})", server.running.pid());
        assert!(stderr(&second).contains(&expected), "{}", stderr(&second));
    }
    assert_eq!(server.say(b"1 0 1\n"), "OK\n");
}

#[test]
fn what_was_acknowledged_is_there_after_a_restart_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    assert_eq!(server.say(b"1 0 1\n2 1 1\n"), "OK\nOK\n");
    server.stop();
    let server = Server::start(folder.path(), &["--stations-max", "2"]);
    assert!(server.say(b"1 1 1\n3 0 0\n").starts_with("OK\nERR stations_max"));
    assert_eq!(alarms(&server.data), ["1 1 1", "2 1 1"]);
    let sequences: String = crate::harness::open(&server.data)
        .query_row(
            "SELECT group_concat(station_id || ':' || reports)
             FROM (SELECT * FROM station_state ORDER BY sequence)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(sequences, "2:1,1:2", "the order goes on");
}

#[test]
fn a_taken_address_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let address = server.address.to_string();
    let second = run(&["serve", "--listen", &address, "--data", "other.sqlite"], folder.path());
    assert_eq!(second.status.code(), Some(1));
    let expected = format!("cannot listen for stations on {address}: Address already in use");
    assert!(stderr(&second).contains(&expected), "{}", stderr(&second));
}

#[test]
fn systemd_is_told_when_it_is_ready_and_when_it_stops() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let supervisor = UnixDatagram::bind(&path).unwrap();
    supervisor.set_read_timeout(Some(PATIENCE)).unwrap();
    let server = Server::start_with(folder.path(), &[], |command| {
        command.env("NOTIFY_SOCKET", &path);
    });
    let hear = || {
        let mut message = [0; 64];
        let length = supervisor.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..length]).trim().to_owned()
    };
    assert_eq!(hear(), "READY=1");
    server.stop();
    assert_eq!(hear(), "STOPPING=1");
}

#[test]
fn the_log_can_be_json() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--log-format", "json"]);
    let logged = server.stop();
    assert!(!logged.is_empty());
    for line in logged.lines() {
        let entry: serde_json::Value = serde_json::from_str(line).expect("each line is JSON");
        assert!(entry["level"].is_string() && entry["message"].is_string(), "{line}");
    }
}

/// A database that is deleted under the server takes no more
/// acknowledgements: they would be in a file that nobody finds.
#[test]
fn a_database_that_is_gone_takes_no_acknowledgement() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path(), &[]);
    assert_eq!(server.say(b"1 0 1\n"), "OK\n");
    std::fs::remove_file(&server.data).unwrap();
    assert_eq!(server.say(b"1 1 1\n"), "");
    assert_eq!(server.running.wait().code(), Some(1));
    assert!(server.running.logged().contains("data.sqlite is gone"), "{}", server.running.logged());
}

/// The log of the lost one lies beside the new one, which must not be
/// changed by it: neither now nor when the server starts again.
#[test]
fn a_database_that_was_replaced_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path(), &[]);
    assert_eq!(server.say(b"1 0 1\n"), "OK\n");
    let copied = run(&["backup", "copy.sqlite"], folder.path());
    assert!(copied.status.success(), "{}", stderr(&copied));
    let copy = std::fs::read(folder.path().join("copy.sqlite")).unwrap();
    let many: String = (0..5000).map(|id| format!("{id} 1 1\n")).collect();
    assert_eq!(server.say(many.as_bytes()), "OK\n".repeat(5000));

    std::fs::rename(folder.path().join("copy.sqlite"), &server.data).unwrap();
    assert_eq!(server.say(b"7 0 1\n"), "");
    assert_eq!(server.running.wait().code(), Some(1));
    let logged = server.running.logged();
    assert!(logged.contains("data.sqlite was replaced by another file, which was left as it is"), "{logged}");
    assert!(folder.path().join("data.sqlite-wal.lost").exists(), "{logged}");
    assert!(std::fs::read(&server.data).unwrap() == copy, "not a byte of it is changed");

    let server = Server::start(folder.path(), &[]);
    assert_eq!(alarms(&server.data), ["1 0 1"]);
    assert_eq!(server.say(b"2 1 1\n"), "OK\n");
    let verdict: String =
        crate::harness::open(&server.data).query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}

/// The log's reader may be gone, or its disk full: that is no reason to stop
/// hearing stations.
#[test]
fn a_log_that_cannot_be_written_does_no_harm() {
    for to in ["/dev/full", "a closed pipe"] {
        let folder = tempfile::tempdir().unwrap();
        let mut command = waterwatch();
        command.args(["serve", "--listen", "127.0.0.1:0", "--connections-max", "1", "--stations-max", "1"]);
        command.current_dir(folder.path()).stdout(std::process::Stdio::piped());
        if to == "/dev/full" {
            command.stderr(std::fs::File::options().write(true).open(to).unwrap());
        } else {
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            command.stderr(writer);
        }
        let mut server = command.spawn().unwrap();
        let mut printed = std::io::BufReader::new(server.stdout.take().unwrap());
        let mut line = String::new();
        std::io::BufRead::read_line(&mut printed, &mut line).unwrap();
        let address = *listening(&line).first().expect("it listens");
        let mut peer = Peer::connect(address);
        peer.send("1 0 1\n2 0 1\n");
        assert_eq!(peer.reply(), "OK");
        assert!(peer.reply().starts_with("ERR stations_max"), "which the log would say");
        assert_eq!(Peer::connect(address).rest(), "", "as this");
        peer.send("1 1 1\n");
        assert_eq!(peer.reply(), "OK", "with the log to {to}");
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(i32::try_from(server.id()).unwrap()).unwrap(),
            Signal::TERM,
        )
        .unwrap();
        assert!(server.wait().unwrap().success());
    }
}

/// A log that nobody takes for the moment (a paused terminal) holds up
/// nothing either, not even the end.
#[test]
fn a_log_that_nobody_reads_does_not_hold_it_up() {
    let folder = tempfile::tempdir().unwrap();
    let (_unread, mut full) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&full, true).unwrap();
    while full.write(&[b'x'; 4096]).is_ok() {}
    rustix::io::ioctl_fionbio(&full, false).unwrap();
    let mut command = waterwatch();
    command.args(["serve", "--listen", "127.0.0.1:0"]).current_dir(folder.path());
    let mut server = command.stdout(std::process::Stdio::piped()).stderr(full).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(server.stdout.take().unwrap()), &mut line)
        .unwrap();
    let mut peer = Peer::connect(*listening(&line).first().expect("it listens"));
    peer.send("1 0 1\n");
    assert_eq!(peer.reply(), "OK");
    let started = Instant::now();
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(i32::try_from(server.id()).unwrap()).unwrap(),
        Signal::TERM,
    )
    .unwrap();
    assert!(server.wait().unwrap().success());
    assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
}

/// What was acknowledged is saved from a log that somebody deletes.
#[test]
fn a_log_that_was_deleted_is_saved_and_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    assert_eq!(server.say(b"1 0 1\n2 0 1\n"), "OK\nOK\n");
    std::fs::remove_file(folder.path().join("data.sqlite-wal")).unwrap();
    assert_eq!(server.say(b"1 1 1\n"), "");
    server.running.wait_for_log("was deleted or replaced; it is made anew");
    wait_for("it to go on", || (server.say(b"3 1 1\n") == "OK\n").then_some(()));
    server.kill();
    let server = Server::start(folder.path(), &[]);
    assert_eq!(alarms(&server.data), ["1 0 1", "2 0 1", "3 1 1"]);
}

/// An open query of somebody else's is no reason to keep stations waiting.
#[test]
fn it_starts_beside_a_program_that_reads_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    assert_eq!(server.say(b"1 0 1\n"), "OK\n");
    let reader = crate::harness::open(&server.data);
    reader.execute_batch("BEGIN; SELECT * FROM station_status").unwrap();
    server.stop();
    let server = Server::start(folder.path(), &[]);
    server.running.wait_for_log("another program reads the database and does not end");
    assert_eq!(server.say(b"1 1 1\n"), "OK\n");
    assert_eq!(alarms(&server.data), ["1 1 1"]);
}

/// The old server may still have the address: its database is left alone.
#[test]
fn a_database_is_not_taken_over_while_the_address_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data.sqlite");
    rusqlite::Connection::open(&data)
        .unwrap()
        .execute_batch(
            "CREATE TABLE station_status (station_id INTEGER PRIMARY KEY, last_date TEXT, alarm1 INTEGER, alarm2 INTEGER)",
        )
        .unwrap();
    let before = std::fs::read(&data).unwrap();
    let old_server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = old_server.local_addr().unwrap().to_string();
    let output = run(&["serve", "--listen", &address], folder.path());
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert_eq!(std::fs::read(&data).unwrap(), before);
}

/// Nobody reports between the replacement and the stop.
#[test]
fn a_database_that_was_replaced_is_left_as_it_is_by_a_stop_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path(), &[]);
    assert_eq!(server.say(b"1 0 1\n"), "OK\n");
    assert!(run(&["backup", "copy.sqlite"], folder.path()).status.success());
    let many: String = (0..5000).map(|id| format!("{id} 1 1\n")).collect();
    assert_eq!(server.say(many.as_bytes()), "OK\n".repeat(5000));
    std::fs::rename(folder.path().join("copy.sqlite"), &server.data).unwrap();
    server.running.signal(Signal::TERM);
    // Until when it was alive could not be recorded.
    assert_eq!(server.running.wait().code(), Some(1));
    let logged = server.running.logged();
    assert!(logged.contains("the database is lost"), "{logged}");
    let server = Server::start(folder.path(), &[]);
    assert_eq!(alarms(&server.data), ["1 0 1"]);
}

/// What is in a deleted log can be saved only once nobody reads any more;
/// until then the server keeps it, and answers nobody.
#[test]
fn a_deleted_log_is_kept_until_it_can_be_saved() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--store-retry-s", "1"]);
    assert_eq!(server.say(b"1 0 1\n"), "OK\n");
    let reader = crate::harness::open(&server.data);
    reader.execute_batch("BEGIN; SELECT * FROM station_status").unwrap();
    assert_eq!(server.say(b"2 0 1\n"), "OK\n");
    std::fs::remove_file(folder.path().join("data.sqlite-wal")).unwrap();
    assert_eq!(server.say(b"3 0 1\n"), "");
    server.running.wait_for_log("keeps it from being saved");
    reader.execute_batch("COMMIT").unwrap();
    drop(reader);
    wait_for("it to go on", || (server.say(b"3 0 1\n") == "OK\n").then_some(()));
    server.kill();
    let server = Server::start(folder.path(), &[]);
    assert_eq!(alarms(&server.data), ["1 0 1", "2 0 1", "3 0 1"]);
}
