//! Two devices with one number, as an operator sees them.

use std::io::{Read, Write};
use std::net::Shutdown;

use tempfile::tempdir;

use crate::harness::{PATIENCE, Server, alarms, connect_from, run, stderr, stdout, wait_for};
use crate::ledger::{self, kinds, ledger};

/// Says something from an address of this machine, and gives the reply.
fn say_from(server: &Server, address: &str, line: &str) -> String {
    let mut socket = connect_from(address, server.address);
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(line.as_bytes()).unwrap();
    socket.shutdown(Shutdown::Write).unwrap();
    let mut reply = String::new();
    socket.read_to_string(&mut reply).unwrap();
    reply
}

fn said(server: &Server, arguments: &[&str]) -> String {
    let output = run(arguments, server.data.parent().unwrap());
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    stdout(&output)
}

#[test]
fn two_addresses_in_turn_are_an_alarm_that_names_both_and_hide_nothing_of_each_other() {
    let folder = tempdir().unwrap();
    let short = ["--period-s", "5", "--grace-s", "1"];
    let server = Server::start(folder.path(), &short);
    for (address, line) in [("127.0.0.1", "7 1 0\n"), ("127.0.0.2", "7 0 0\n"), ("127.0.0.1", "7 1 0\n")] {
        assert_eq!(say_from(&server, address, line), "OK\n");
    }
    assert_eq!(say_from(&server, "127.0.0.2", "7 0 0\n"), "OK\n");
    assert_eq!(alarms(&server.data), ["7 0 0"], "the contract has what was reported last");
    let identity: Vec<_> =
        ledger(&server.data).into_iter().filter(|entry| entry.alarm == "7/identity").collect();
    let told: Vec<_> = identity.iter().map(|entry| (&*entry.kind, entry.reason.as_deref())).collect();
    assert_eq!(
        told,
        [
            ("origin_changed", Some("from 127.0.0.1 to 127.0.0.2")),
            ("raised", Some("reports alternate between 127.0.0.1 and 127.0.0.2"))
        ]
    );
    assert_eq!(kinds(&server.data, "7/alarm1"), ["raised", "returned", "raised_again"]);
    ledger::check(&server.data).unwrap();

    // Killed and started again, the server knows it all.
    server.kill();
    let server = Server::start(folder.path(), &short);
    assert_eq!(say_from(&server, "127.0.0.2", "7 0 0\n"), "OK\n");
    assert_eq!(kinds(&server.data, "7/alarm1"), ["raised", "returned", "raised_again"]);
    let list = said(&server, &["alarm", "list"]);
    let line = |point: &str| list.lines().find(|line| line.contains(point)).unwrap_or_default();
    assert!(line("alarm1").starts_with("UNACK"), "{list}");
    assert!(line("alarm1").contains("the last report says off, another device said on"), "{list}");
    assert!(line("identity").starts_with("UNACK  medium"), "{list}");
    assert!(line("identity").contains("several devices report as this station"), "{list}");
    assert!(said(&server, &["status"]).contains("  UNACK  alarm1 (another device said on)\n"));
    let station = said(&server, &["station", "show", "7"]);
    assert!(
        station
            .contains("  alarm1       on, good (UNACK; the last report says off, another device said on)\n"),
        "{station}"
    );
    let story = said(&server, &["alarm", "explain", "7", "identity"]);
    for sentence in [
        "its reports come from elsewhere (from 127.0.0.1 to 127.0.0.2).",
        "raised: reports alternate between 127.0.0.1 and 127.0.0.2.",
        "It is on, and nobody has acknowledged it.",
    ] {
        assert!(story.contains(sentence), "{story}");
    }

    // One of them is switched off.
    wait_for("the other alone to be heard", || {
        assert_eq!(say_from(&server, "127.0.0.2", "7 0 0\n"), "OK\n");
        kinds(&server.data, "7/identity").ends_with(&["returned".to_owned()]).then_some(())
    });
    assert!(kinds(&server.data, "7/alarm1").ends_with(&["returned".to_owned()]));
    ledger::check(&server.data).unwrap();
    let remembered: i64 = crate::harness::open(&server.data)
        .query_row("SELECT count(*) FROM contest", [], |row| row.get(0))
        .unwrap();
    assert_eq!(remembered, 0);
    server.stop();
}
