//! What clients of every shape send, byte for byte, and what they are
//! answered: `docs/protocol.md` against the real server.

use std::time::{Duration, Instant};

use crate::harness::{Peer, Server, alarms};

#[test]
fn the_table_of_client_shapes() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    // What is sent, before the peer ends its side; what is answered.
    let table: &[(&[u8], &str)] = &[
        (b"1 0 1\n", "OK\n"),
        (b"2 0 1\r\n", "OK\n"),
        (b"3-0-1\n", "OK\n"),
        (b" \t4\t0 \t1 \n", "OK\n"),
        (b"0000000000000000005 1 0\n", "OK\n"),
        (b"9223372036854775807 1 1\n", "OK\n"),
        (b"0 0 0\n", "OK\n"),
        (b"6-0-1", "OK\n"),
        (b"7 0 1", "OK\n"),
        (b"8 0 1 ", "OK\n"),
        (b"9 0 1\n10 1 1\n11 0 0\n", "OK\nOK\nOK\n"),
        (b"12 0 1\n13 1 1", "OK\nOK\n"),
        (b"", ""),
        (b"\n", "ERR empty the line is empty; send ID ALARM1 ALARM2\n"),
        (b"20 0\n", "ERR fields 2 fields in \"20 0\"; send three: ID ALARM1 ALARM2\n"),
        (b"20 0", "ERR fields 2 fields in \"20 0\"; send three: ID ALARM1 ALARM2\n"),
        (
            b"20-0 1\n",
            "ERR separator cannot tell the fields of \"20-0 1\" apart; separate them by blanks, or by one dash each\n",
        ),
        (
            b"9223372036854775808 0 1\n",
            "ERR station_id station id \"9223372036854775808\" is not a whole number from 0 to 9223372036854775807\n",
        ),
        (b"20 0 2\n", "ERR alarm alarm2 is \"2\"; send 0 (off) or 1 (on)\n"),
        (
            b"20 0 1 t=1700000000\n",
            "ERR reserved field \"t=1700000000\" is reserved for a later version; send ID ALARM1 ALARM2 alone\n",
        ),
        (
            b"21 0 1\nx\n22 1 0\n",
            "OK\nERR station_id station id \"x\" is not a whole number from 0 to 9223372036854775807\nOK\n",
        ),
        (
            b"23 0 1\nGET / HTTP/1.1\r\nHost: here\r\n\r\n24 0 1\n",
            "OK\nERR http this port is for stations, not for HTTP; closing the connection\n",
        ),
        (
            b"\x16\x03\x01\x02\x00\x01\x00",
            "ERR tls this port speaks plain text, not TLS; closing the connection\n",
        ),
        (
            b"25 0 1\n26\x00 0 1\n27 0 1\n",
            "OK\nERR binary byte 0x00 in column 3 is not text; closing the connection\n",
        ),
        (b"28 0 \xc3\xa9\n", "ERR binary byte 0xc3 in column 6 is not text; closing the connection\n"),
    ];
    for (sent, answered) in table {
        assert_eq!(server.say(sent), *answered, "after \"{}\"", sent.escape_ascii());
    }
    let expected: Vec<&str> =
        "0 0 0, 1 0 1, 2 0 1, 3 0 1, 4 0 1, 5 1 0, 6 0 1, 7 0 1, 8 0 1, 9 0 1, 10 1 1, 11 0 0, \
         12 0 1, 13 1 1, 21 0 1, 22 1 0, 23 0 1, 25 0 1, 9223372036854775807 1 1"
            .split(", ")
            .collect();
    assert_eq!(alarms(&server.data), expected);
    server.stop();
}

/// The contract's own words: the columns, their order and their form.
#[test]
fn station_status_is_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let zone = "Pacific/Auckland";
    let server = Server::start(folder.path(), &["--time-zone", zone]);
    let local_minute = || jiff::Timestamp::now().in_tz(zone).unwrap().strftime("%Y-%m-%d %H:%M").to_string();
    let before = local_minute();
    assert_eq!(server.say(b"123 0 1\n"), "OK\n");
    let after = local_minute();
    let rows = server.rows();
    assert!(
        rows == [format!("123 {before} 0 1")] || rows == [format!("123 {after} 0 1")],
        "{rows:?} at {before} to {after}"
    );
    let database = crate::harness::open(&server.data);
    let columns: String = database
        .query_row(
            "SELECT group_concat(name || ' ' || type || ' ' || pk, ', ') FROM pragma_table_info('station_status')",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(columns, "station_id INTEGER 1, last_date TEXT 0, alarm1 INTEGER 0, alarm2 INTEGER 0");
    let types: String = database
        .query_row(
            "SELECT typeof(station_id) || typeof(last_date) || typeof(alarm1) || typeof(alarm2) FROM station_status",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(types, "integertextintegerinteger");
    let header =
        |pragma: &str| database.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!((header("application_id"), header("user_version")), (0x7761_7477, 5));
    // A known station is updated, a new one inserted.
    assert_eq!(server.say(b"123 1 0\n7 0 0\n"), "OK\nOK\n");
    assert_eq!(alarms(&server.data), ["7 0 0", "123 1 0"]);
}

#[test]
fn a_client_without_newlines_is_answered_after_a_short_quiet_and_may_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let mut peer = server.connect();
    let started = Instant::now();
    peer.send("123-0-1");
    assert_eq!(peer.reply(), "OK");
    let waited = started.elapsed();
    assert!(waited >= Duration::from_millis(50), "taken after {waited:?}: a line could still have gone on");
    peer.send("123-1-1");
    assert_eq!(peer.reply(), "OK");
    // Its late line end belongs to the report before; the next is its own.
    peer.send("\r\n");
    peer.send("124 0 0\n");
    assert_eq!(peer.reply(), "OK");
    peer.send("\n");
    assert_eq!(peer.reply(), "ERR empty the line is empty; send ID ALARM1 ALARM2");
    assert_eq!(alarms(&server.data), ["123 1 1", "124 0 0"]);
}

#[test]
fn after_the_first_newline_a_piece_is_a_report_only_with_its_newline_or_an_orderly_end() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--idle-timeout-s", "1"]);
    // Longer than the quiet, and then given up as idle: never taken.
    let mut silent = server.connect();
    silent.send("1 0 0\n2 1 1");
    assert_eq!(silent.rest(), "OK\n");
    // A reset discards the piece.
    let mut reset = server.connect();
    reset.send("3 0 0\n");
    assert_eq!(reset.reply(), "OK");
    reset.send("4 1 1");
    rustix::net::sockopt::set_socket_linger(&reset.stream, Some(Duration::ZERO)).unwrap();
    drop(reset);
    // An orderly end completes it.
    assert_eq!(server.say(b"5 0 0\n6 1 1"), "OK\nOK\n");
    let data = server.data.clone();
    server.stop();
    assert_eq!(alarms(&data), ["1 0 0", "3 0 0", "5 0 0", "6 1 1"]);
}

#[test]
fn a_client_that_sends_and_closes_without_reading_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    for (id, line) in [(1, "1 0 1"), (2, "2-0-1"), (3, "3 0 1 "), (4, "4 0 1\n")] {
        let mut peer = server.connect();
        peer.send(line);
        drop(peer);
        crate::harness::wait_for("the report to be stored", || {
            alarms(&server.data).contains(&format!("{id} 0 1")).then_some(())
        });
    }
}

#[test]
fn the_same_bytes_cut_at_every_place_give_the_same_reports() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let in_lines = b"101 0 1\r\n102-1-0\nrubbish\n103\t1 1\n";
    let answers = server.say(in_lines);
    assert_eq!(answers.lines().count(), 4);
    for cut in 1..in_lines.len() {
        let mut peer = server.connect();
        peer.send(&in_lines[..cut]);
        peer.send(&in_lines[cut..]);
        peer.half_close();
        assert_eq!(peer.rest(), answers, "cut at {cut}");
    }
    for shape in [b"104-0-1".as_slice(), b"104 0 1 "] {
        for cut in 1..shape.len() {
            let mut peer = server.connect();
            peer.send(&shape[..cut]);
            // A pause shorter than the quiet; longer by accident, it changes
            // nothing here, since no beginning is a report by itself.
            std::thread::sleep(Duration::from_millis(10));
            peer.send(&shape[cut..]);
            assert_eq!(peer.reply(), "OK", "cut at {cut}");
            peer.half_close();
            assert_eq!(peer.rest(), "", "cut at {cut}");
        }
    }
    assert_eq!(alarms(&server.data), ["101 0 1", "102 1 0", "103 1 1", "104 0 1"]);
}

/// In line mode a pause means nothing, however long it is against the quiet.
#[test]
fn a_pause_within_a_line_means_nothing_after_the_first_newline() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let rest = b"2 0 1\n";
    // All at once, so that the pauses run side by side.
    let mut peers: Vec<(usize, Peer)> = (1..rest.len())
        .map(|cut| {
            let mut peer = server.connect();
            peer.send("1 0 1\n");
            assert_eq!(peer.reply(), "OK");
            peer.send(&rest[..cut]);
            (cut, peer)
        })
        .collect();
    // The pause itself is what is tested: three times the quiet.
    std::thread::sleep(Duration::from_millis(150));
    for (cut, peer) in &mut peers {
        peer.send(&rest[*cut..]);
        peer.half_close();
        assert_eq!(peer.rest(), "OK\n", "cut at {cut}");
    }
}

#[test]
fn a_writer_of_one_byte_a_second_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let mut peer = server.connect();
    for byte in b"7 0 1\n" {
        peer.send([*byte]);
        // The slowness itself is what is tested.
        std::thread::sleep(Duration::from_secs(1));
    }
    assert_eq!(peer.reply(), "OK");
    assert_eq!(alarms(&server.data), ["7 0 1"]);
}

#[test]
fn thousands_of_lines_without_waiting_are_answered_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let lines = 50_000;
    let mut peer = server.connect();
    let mut writer = Peer { stream: peer.stream.try_clone().unwrap() };
    let sender = std::thread::spawn(move || {
        let mut bytes = String::new();
        for line in 0..lines {
            // Each hundredth is wrong, and says which one it is.
            if line % 100 == 99 {
                bytes.push_str(&format!("{line} 0 9\n"));
            } else {
                bytes.push_str(&format!("{} {} 0\n", line % 1000, line % 2));
            }
        }
        writer.send(bytes);
        writer.half_close();
    });
    let answers = peer.rest();
    sender.join().unwrap();
    let answers: Vec<&str> = answers.lines().collect();
    assert_eq!(answers.len(), lines);
    for (line, answer) in answers.iter().enumerate() {
        let expected =
            if line % 100 == 99 { "ERR alarm alarm2 is \"9\"; send 0 (off) or 1 (on)" } else { "OK" };
        assert_eq!(*answer, expected, "line {line}");
    }
    assert_eq!(alarms(&server.data).len(), 990);
}

#[test]
fn a_thousand_stations_at_once_are_each_acknowledged_and_stored() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let mut peers: Vec<Peer> = (0..1000).map(|_| server.connect()).collect();
    for (id, peer) in peers.iter_mut().enumerate() {
        peer.send(format!("{id} {} {}\n", id % 2, id / 2 % 2));
    }
    for peer in &mut peers {
        assert_eq!(peer.reply(), "OK");
    }
    let expected: Vec<String> = (0..1000).map(|id| format!("{id} {} {}", id % 2, id / 2 % 2)).collect();
    assert_eq!(alarms(&server.data), expected);
}

#[test]
fn injection_strings_are_refused_and_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    assert_eq!(server.say(b"1 0 1\n"), "OK\n");
    for line in [
        "1; DROP TABLE station_status;--",
        "1'; DROP TABLE station_status; -- 0 1",
        "1 0 1; DROP TABLE station_status",
        "1 0 1 OR 1=1",
        "1 0 1'); DELETE FROM station_status; --",
        "(SELECT 1) 0 1",
        "1/**/0/**/1",
        "0x1 0 1",
        "1e3 0 1",
        "+1 0 1",
        "%s %s %s",
        "NULL 0 1",
    ] {
        let answer = server.say(format!("{line}\n").as_bytes());
        assert!(
            answer.starts_with("ERR ") && answer.lines().count() == 1,
            "\"{line}\" was answered \"{answer}\""
        );
    }
    assert_eq!(alarms(&server.data), ["1 0 1"]);
}

#[test]
fn a_peer_cannot_write_to_the_terminal_of_whoever_reads_its_reply() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    assert_eq!(
        server.say(b"\x1b[2J\x07 0 1\n"),
        "ERR station_id station id \"\\x1b[2J\\x07\" is not a whole number from 0 to 9223372036854775807\n"
    );
}
