//! Every limit, and what happens at it.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::harness::{Peer, Server, alarms, connect_from, run, stdout, stored, wait_for};

#[test]
fn a_line_of_100_kb_is_refused_once_and_closed() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let mut peer = server.connect();
    // The server may close before it has read it all.
    let sender = {
        let mut writer = Peer { stream: peer.stream.try_clone().unwrap() };
        std::thread::spawn(move || {
            use std::io::Write;
            let _ = writer.stream.write_all(&[b'7'; 100_000]);
        })
    };
    assert_eq!(
        peer.reply(),
        "ERR line_too_long more than 512 bytes without a newline; closing the connection"
    );
    assert_eq!(peer.rest(), "");
    sender.join().unwrap();
    assert_eq!(server.say(b"1 0 1\n"), "OK\n");
}

#[test]
fn line_bytes_max_can_be_set() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--line-bytes-max", "64"]);
    let line = |blanks: usize| format!("1 0 1{}\n", " ".repeat(blanks));
    assert_eq!(server.say(line(64 - 5).as_bytes()), "OK\n");
    assert!(server.say(line(64 - 4).as_bytes()).starts_with("ERR line_too_long more than 64 bytes"));
}

#[test]
fn connections_max_closes_one_too_many_without_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--connections-max", "2"]);
    let mut peers: Vec<Peer> = (0..2).map(|_| server.connect()).collect();
    for peer in &mut peers {
        peer.send("1 0 1\n");
        assert_eq!(peer.reply(), "OK");
    }
    let mut third = server.connect();
    assert_eq!(third.rest(), "");
    server.running.wait_for_log("there are 2 already (connections_max)");
    // Those inside go on, and a place that is given up is free again.
    peers[0].send("1 1 1\n");
    assert_eq!(peers[0].reply(), "OK");
    drop(peers.pop());
    wait_for("a free place", || (served(&server, "3 0 0\n") == "OK").then_some(()));
}

#[test]
fn connections_from_one_address_can_be_limited() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--connections-per-address-max", "1"]);
    let mut first = server.connect();
    first.send("1 0 1\n");
    assert_eq!(first.reply(), "OK");
    assert_eq!(server.connect().rest(), "");
    server.running.wait_for_log("there are 1 from its address already (connections_per_address_max)");
    let mut elsewhere = Peer { stream: connect_from("127.0.0.2", server.address) };
    elsewhere.send("2 0 1\n");
    assert_eq!(elsewhere.reply(), "OK");
}

#[test]
fn a_connection_without_a_whole_report_is_closed_after_the_idle_timeout() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--idle-timeout-s", "1"]);
    let started = Instant::now();
    let mut silent = server.connect();
    let mut garbage = server.connect();
    let mut piece = server.connect();
    garbage.send("x\n");
    piece.send("123 0");
    assert_eq!(silent.rest(), "");
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert!(garbage.rest().starts_with("ERR station_id"));
    assert_eq!(piece.rest(), "");
}

/// A report now and then keeps a connection; the timeout counts from it.
#[test]
fn a_connection_that_reports_is_not_idle() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--idle-timeout-s", "1"]);
    let mut peer = server.connect();
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(2500) {
        peer.send("1 0 1\n");
        assert_eq!(peer.reply(), "OK", "after {:?}", started.elapsed());
        std::thread::sleep(Duration::from_millis(400));
    }
}

#[test]
fn a_peer_that_does_not_take_its_replies_is_closed_and_holds_up_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--reply-timeout-s", "1"]);
    let peer = server.connect();
    peer.stream.set_nonblocking(true).unwrap();
    rustix::net::sockopt::set_socket_recv_buffer_size(&peer.stream, 4096).unwrap();
    // Sends without reading until the server has closed. What it sends is
    // bounded: the server stops reading long before.
    let garbage = "x\n".repeat(8192);
    let mut sent = 0;
    wait_for("the server to give up", || {
        use std::io::Write;
        match (&peer.stream).write(garbage.as_bytes()) {
            Ok(bytes) => sent += bytes,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return Some(()),
        }
        assert_eq!(served(&server, "1 0 1\n"), "OK");
        None
    });
    assert!(sent < 64 << 20, "the server went on reading: {sent} bytes");
}

/// While nothing can be stored, gateways that do not wait fill the lane; the
/// server then reads no more, their sockets fill, and nothing is lost.
#[test]
fn over_the_bytes_in_flight_the_server_stops_reading_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let limits = ["--in-flight-bytes-max", "32768", "--lane-bytes-max", "65536", "--store-retry-s", "60"];
    let server = Server::start(folder.path(), &limits);
    let database = crate::harness::open(&server.data);
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    let lines = "1 0 1\n".repeat(4096);
    let gateways: Vec<(Peer, usize)> = (0..4)
        .map(|_| {
            let peer = server.connect();
            peer.stream.set_nonblocking(true).unwrap();
            let sent = send_until_it_blocks(&peer, lines.as_bytes());
            (peer, sent)
        })
        .collect();
    // The lane is full, so that not even a new station is read.
    let mut station = server.connect();
    station.send("2 0 1\n");
    database.execute_batch("COMMIT").unwrap();
    assert_eq!(station.reply(), "OK");
    let mut reports = 1;
    for (mut peer, sent) in gateways {
        peer.stream.set_nonblocking(false).unwrap();
        peer.half_close();
        let whole = sent / 6;
        let answers = peer.rest();
        assert!(answers.starts_with(&"OK\n".repeat(whole)), "{} of {whole}", answers.len() / 3);
        reports += whole;
    }
    let counted: usize = stored(&server.data).values().map(|station| station.reports).sum();
    assert_eq!(counted, reports);
}

/// How much a peer can send before its socket is full and stays so.
fn send_until_it_blocks(peer: &Peer, lines: &[u8]) -> usize {
    use std::io::Write;
    let mut sent = 0;
    let mut blocked_since = None;
    loop {
        match (&peer.stream).write(&lines[sent % 6..]) {
            Ok(bytes) => {
                sent += bytes;
                blocked_since = None;
                assert!(sent < 64 << 20, "the server goes on reading");
            }
            Err(_) => {
                let since: Instant = *blocked_since.get_or_insert_with(Instant::now);
                // That nothing moves can only be seen over a time.
                if since.elapsed() > Duration::from_millis(300) {
                    return sent;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

/// The timer must be heard although bytes never pause.
#[test]
fn a_peer_that_sends_nothing_but_garbage_is_closed_after_the_idle_timeout() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--idle-timeout-s", "1"]);
    let mut peer = server.connect();
    let mut writer = Peer { stream: peer.stream.try_clone().unwrap() };
    let sender = std::thread::spawn(move || {
        use std::io::Write;
        while writer.stream.write_all(&b"x\n".repeat(100)).is_ok() {}
    });
    let started = Instant::now();
    assert!(peer.rest().starts_with("ERR station_id"));
    sender.join().unwrap();
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

/// The system's limit on open files bounds the connections, with some left
/// for the database.
#[test]
fn connections_stay_below_the_open_files_that_the_system_allows() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(folder.path(), &[], |command| {
        let program = command.get_program().to_owned();
        let arguments: Vec<_> = command.get_args().map(std::ffi::OsStr::to_owned).collect();
        let mut limited = std::process::Command::new("sh");
        limited.args(["-c", "ulimit -n 144; exec \"$0\" \"$@\""]).arg(program).args(arguments);
        limited.current_dir(command.get_current_dir().unwrap());
        *command = limited;
    });
    server.running.wait_for_log("connections_max=12");
    let mut peers: Vec<Peer> = (0..12).map(|_| server.connect()).collect();
    for peer in &mut peers {
        peer.send("1 0 1\n");
        assert_eq!(peer.reply(), "OK");
    }
    assert_eq!(server.connect().rest(), "");
    server.running.wait_for_log("there are 12 already");
}

#[test]
fn stations_max_refuses_new_ones_and_serves_the_known() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--stations-max", "2"]);
    assert_eq!(
        server.say(b"1 0 1\n2 0 1\n3 0 1\n1 1 1\n"),
        "OK\nOK\nERR stations_max station 3 is new, and the server already knows 2, its limit\nOK\n"
    );
    server.running.wait_for_log("stations_max");
    assert_eq!(alarms(&server.data), ["1 1 1", "2 0 1"]);
}

#[test]
fn half_open_peers_do_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--idle-timeout-s", "2"]);
    // They half-close without a word, or never say anything at all.
    let silent: Vec<Peer> = (0..200).map(|_| server.connect()).collect();
    for _ in 0..200 {
        let mut peer = server.connect();
        peer.half_close();
        assert_eq!(peer.rest(), "");
    }
    assert_eq!(served(&server, "1 0 1\n"), "OK");
    for mut peer in silent {
        assert_eq!(peer.rest(), "");
    }
}

#[test]
fn out_of_file_descriptors_it_neither_spins_nor_dies_and_serves_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let pid = Pid::from_raw(i32::try_from(server.running.pid()).unwrap());
    let open_files = std::fs::read_dir(format!("/proc/{}/fd", server.running.pid())).unwrap().count();
    let few = u64::try_from(open_files).unwrap() + 3;
    let before =
        prlimit(pid, Resource::Nofile, Rlimit { current: Some(few), maximum: Some(20_000) }).unwrap();
    let mut peers: Vec<Peer> = (0..20).map(|_| server.connect()).collect();
    server.running.wait_for_log("cannot accept connections for now");
    // Those inside are served meanwhile.
    peers[0].send("1 0 1\n");
    assert_eq!(peers[0].reply(), "OK");
    let started = (Instant::now(), cpu_time(&server));
    // CPU time can only be seen over a time.
    std::thread::sleep(Duration::from_secs(1));
    let (elapsed, used) = (started.0.elapsed(), cpu_time(&server) - started.1);
    assert!(used < elapsed / 4, "it spins: {used:?} of {elapsed:?}");
    prlimit(pid, Resource::Nofile, before).unwrap();
    for peer in &mut peers[1..] {
        peer.send("2 0 1\n");
        assert_eq!(peer.reply(), "OK");
    }
    let logged = server.stop();
    assert!(logged.matches("cannot accept").count() <= 2, "the log is flooded:\n{logged}");
}

fn cpu_time(server: &Server) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.running.pid())).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second())
}

/// The first reply on a new connection; empty if it was closed.
fn served(server: &Server, line: &str) -> String {
    use std::io::Write;
    let mut peer = server.connect();
    let _ = peer.stream.write_all(line.as_bytes());
    peer.half_close();
    peer.rest().lines().next().unwrap_or_default().to_owned()
}

#[test]
fn more_new_stations_than_may_be_within_an_hour_are_an_alarm_of_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--new-stations-per-hour-max", "2"]);
    let asked = |arguments: &[&str]| stdout(&run(arguments, folder.path()));
    assert_eq!(server.say(b"1 0 0\n2 0 0\n1 0 0\n"), "OK\nOK\nOK\n");
    assert!(asked(&["alarm", "show", "server", "new_stations"]).contains("NORM"));
    assert_eq!(server.say(b"77 0 0\n"), "OK\n", "it is recorded all the same");
    let story = asked(&["alarm", "explain", "server", "new_stations"]);
    assert!(story.starts_with("The server, new_stations (medium), occurrence "), "{story}");
    assert!(
        story.contains("raised: 3 new stations within an hour, more than 2; the last is 77.\n"),
        "{story}"
    );
    let listed = asked(&["alarm", "list"]);
    assert!(listed.contains("UNACK  medium    server  new_stations"), "{listed}");
    assert_eq!(server.say(b"77 0 1\n"), "OK\n");
    server.stop();
    let server = Server::start(folder.path(), &["--new-stations-per-hour-max", "2"]);
    assert_eq!(server.say(b"77 0 0\n"), "OK\n");
    assert!(asked(&["alarm", "list"]).contains("new_stations"), "a restart ends nothing");
    server.stop();
}
