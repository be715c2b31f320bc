//! `waterwatch simulate`, against the real server and against one whose
//! every answer the test knows.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::process::Signal;

use crate::harness::{self, Running, Server, wait_for, waterwatch};

/// A server that counts, refuses whom it is told to, and stores nothing.
struct Fake {
    address: SocketAddr,
    heard: Arc<Heard>,
}

#[derive(Default)]
struct Heard {
    connections: AtomicU64,
    acknowledged: AtomicU64,
    refused: AtomicU64,
    ids: Mutex<BTreeSet<u64>>,
}

impl Fake {
    /// Answers with what `answer` says to a station's id; `None` closes the
    /// connection.
    fn start(answer: fn(u64) -> Option<&'static str>) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let heard = Arc::new(Heard::default());
        let shared = Arc::clone(&heard);
        // Both kinds of thread end with the test's process at the latest: a
        // listener cannot be told to stop waiting.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, heard) = (stream.expect("a connection"), Arc::clone(&shared));
                heard.connections.fetch_add(1, Ordering::Relaxed);
                thread::spawn(move || Fake::serve(&stream, &heard, answer));
            }
        });
        Fake { address, heard }
    }

    fn serve(mut stream: &TcpStream, heard: &Heard, answer: fn(u64) -> Option<&'static str>) {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let fields: Vec<u64> = line.split(' ').map(|field| field.parse().expect("a number")).collect();
            let [id, 0 | 1, 0 | 1] = fields[..] else { panic!("no report: {line}") };
            heard.ids.lock().expect("no panic").insert(id);
            let Some(reply) = answer(id) else { return };
            let count = if reply == "OK" { &heard.acknowledged } else { &heard.refused };
            count.fetch_add(1, Ordering::Relaxed);
            if writeln!(stream, "{reply}").is_err() {
                return;
            }
        }
    }

    fn acknowledged(&self) -> u64 {
        self.heard.acknowledged.load(Ordering::Relaxed)
    }

    fn refused(&self) -> u64 {
        self.heard.refused.load(Ordering::Relaxed)
    }
}

/// Starts a fleet against `server` with `arguments` besides.
fn simulate(server: SocketAddr, arguments: &[&str]) -> Running {
    let mut command = waterwatch();
    command.arg("simulate").arg("--server").arg(server.to_string()).args(arguments);
    Running::start(command)
}

/// The first number of the summary's line with this name.
fn summed(printed: &str, name: &str) -> u64 {
    let line = printed.lines().find_map(|line| line.strip_prefix(name)).expect(name);
    line.split_whitespace().next().expect("a number").parse().expect(printed)
}

#[test]
fn every_answer_is_counted_as_what_it_is_and_an_interrupt_ends_it() {
    let server = Fake::start(|id| Some(if id % 5 == 0 { "ERR stations_max no more stations" } else { "OK" }));
    let mut fleet = simulate(server.address, &["--stations", "20", "--every", "50ms", "--first-id", "100"]);
    wait_for("every station several times", || {
        (server.acknowledged() > 100 && server.refused() > 20 && server.heard.ids.lock().unwrap().len() == 20)
            .then_some(())
    });
    fleet.signal(Signal::INT);
    let status = fleet.wait();

    let printed = fleet.printed();
    assert!(status.success(), "{status}\n{printed}{}", fleet.logged());
    assert_eq!(summed(&printed, "acknowledged"), server.acknowledged());
    assert_eq!(summed(&printed, "refused"), server.refused());
    assert_eq!(summed(&printed, "failed"), 0, "{printed}");
    assert_eq!(summed(&printed, "heard"), 16);
    assert!(printed.contains(": stations_max no more stations\n"), "{printed}");
    assert!(fleet.logged().contains("the first refused: \"1"), "{}", fleet.logged());
    let ids: Vec<u64> = server.heard.ids.lock().unwrap().iter().copied().collect();
    assert_eq!(ids, (100..120).collect::<Vec<u64>>());
    assert_eq!(server.heard.connections.load(Ordering::Relaxed), 20, "each keeps its connection");
}

#[test]
fn a_server_that_closes_unanswered_is_tried_again() {
    let server = Fake::start(|id| (id != 2).then_some("OK"));
    let mut fleet = simulate(server.address, &["--stations", "2", "--every", "20ms"]);
    wait_for("a second try of station 2", || {
        (server.heard.connections.load(Ordering::Relaxed) >= 3 && server.acknowledged() > 0).then_some(())
    });
    fleet.signal(Signal::TERM);
    let status = fleet.wait();

    let printed = fleet.printed();
    assert!(status.success(), "{status}\n{printed}{}", fleet.logged());
    assert!(summed(&printed, "failed") >= 1, "{printed}");
    assert_eq!(summed(&printed, "heard"), 1);
    assert!(printed.contains("the first failed: "), "{printed}");
}

#[test]
fn without_a_server_it_fails_and_says_why() {
    // Bound and never listened on: nobody else gets the port meanwhile.
    let nobody = tokio::net::TcpSocket::new_v4().unwrap();
    nobody.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = nobody.local_addr().unwrap();
    let mut fleet = simulate(address, &["--stations", "3", "--every", "10ms", "--run-for", "200ms"]);
    let status = fleet.wait();

    assert_eq!(status.code(), Some(1));
    let logged = fleet.logged();
    assert!(logged.contains("no report was acknowledged: Connection refused"), "{logged}");
    assert!(logged.contains("does the server run there?"), "{logged}");
    assert_eq!(summed(&fleet.printed(), "acknowledged"), 0);
    assert!(summed(&fleet.printed(), "failed") >= 3);
}

#[test]
fn a_fleet_that_does_not_fit_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, sentence) in [
        (["--stations", "2", "--first-id", "9223372036854775807"], "would pass the largest station id"),
        (["--stations", "4294967295", "--first-id", "1"], "open files"),
        (["--stations", "1", "--every", "100us"], "out of range"),
        (["--stations", "1", "--server", "nowhere"], "write it like 127.0.0.1:54321"),
    ] {
        let output = harness::run(&[&["simulate"], &arguments[..]].concat(), folder.path());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(harness::stderr(&output).contains(sentence), "{}", harness::stderr(&output));
    }
}

#[test]
fn the_server_knows_each_simulated_station_as_it_last_reported() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let mut fleet = simulate(server.address, &["--stations", "50", "--every", "20ms"]);
    // Contacts change every few hundred periods: some are on by then.
    wait_for("each station, and an alarm that is on", || {
        let alarms = harness::alarms(&server.data);
        (alarms.len() == 50 && alarms.iter().any(|row| !row.ends_with(" 0 0"))).then_some(())
    });
    fleet.signal(Signal::INT);
    let status = fleet.wait();
    let printed = fleet.printed();
    assert!(status.success(), "{status}\n{printed}{}", fleet.logged());
    assert_eq!(summed(&printed, "refused"), 0);
    assert_eq!(summed(&printed, "failed"), 0);

    let data = server.data.clone();
    server.stop();
    let on = |alarm: usize| {
        harness::alarms(&data).iter().filter(|row| row.split(' ').nth(alarm) == Some("1")).count()
    };
    assert!(
        printed.contains(&format!("alarm1 at {}, alarm2 at {},", on(1), on(2))),
        "{:?}\n{printed}",
        harness::alarms(&data)
    );
}
