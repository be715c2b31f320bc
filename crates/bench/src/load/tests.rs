//! The load against servers whose every answer is known.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use super::*;

const SPAN: Span = Span {
    warm_up: Duration::from_millis(20),
    measured: Duration::from_millis(200),
    // Ours, so that something is there to be read.
    pid: None,
};

/// Answers each line with what `answer` says to its number.
fn fake(answer: fn(u64) -> &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Ends with the test's process: a listener cannot be told to stop.
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let (mut buffer, mut replies, mut number) = (vec![0; 65_536], Vec::new(), 0);
                while let Ok(read @ 1..) = stream.read(&mut buffer) {
                    for _ in buffer[..read].iter().filter(|&&byte| byte == b'\n') {
                        replies.extend_from_slice(answer(number));
                        number += 1;
                    }
                    if stream.write_all(&replies).is_err() {
                        return;
                    }
                    replies.clear();
                }
            });
        }
    });
    address
}

/// Takes `hello`, answers `welcome`, then answers each message of
/// `message_bytes` with `answer`.
fn fake_messages(
    hello: Vec<u8>,
    welcome: &'static [u8],
    message_bytes: usize,
    answer: fn(&[u8]) -> Vec<u8>,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, hello) = (stream.unwrap(), hello.clone());
            thread::spawn(move || {
                let mut said = vec![0; hello.len()];
                stream.read_exact(&mut said).unwrap();
                assert_eq!(said, hello);
                stream.write_all(welcome).unwrap();
                let mut message = vec![0; message_bytes];
                while stream.read_exact(&mut message).is_ok() && stream.write_all(&answer(&message)).is_ok() {
                }
            });
        }
    });
    address
}

fn shape(connections: u32, in_flight: u32, stations: u32) -> Shape {
    Shape { connections, in_flight, stations, warm_up_stations: 0, shuffled: false }
}

fn lines(connections: u32, in_flight: u32, stations: u32) -> Work {
    Work { protocol: Protocol::Lines, shape: shape(connections, in_flight, stations), pace: Pace::Closed }
}

#[test]
fn each_ok_is_counted_once_with_its_latency() {
    let server = fake(|_| b"OK\n");
    for (connections, in_flight, stations) in [(1, 1, 1), (8, 1, 10), (3, 5_000, 1_000), (2, 100_000, 7)] {
        for warm_up_stations in [0, 3] {
            let mut work = lines(connections, in_flight, stations);
            work.shape.warm_up_stations = warm_up_stations;
            let span = Span { pid: Some(std::process::id()), ..SPAN };
            let outcome = measure(server, work, span).unwrap();
            outcome.check().unwrap();
            assert_eq!(outcome.counts.latency_us.len(), outcome.counts.acknowledged, "{work:?}");
            assert!(outcome.server_cpu_us().is_some());
            let table = outcome.table();
            assert!(table.contains("not acknowledged                   0\n"), "{table}");
        }
    }
}

#[test]
fn whatever_is_not_ok_makes_the_load_fail() {
    let server = fake(|number| if number == 7 { b"ERR alarm no alarm\n" } else { b"OK\n" });
    let outcome = measure(server, lines(2, 16, 9), SPAN).unwrap();
    assert_eq!(outcome.counts.refused, 2);
    let error = outcome.check().unwrap_err().to_string();
    assert!(error.contains("2 replies were no acknowledgement"), "{error}");
}

#[test]
fn too_many_replies_are_seen() {
    let server = fake(|_| b"OK\nOK\n");
    let error = measure(server, lines(1, 1, 1), SPAN).unwrap_err();
    assert!(error.to_string().contains("ended every connection"), "{error}");
}

#[test]
fn mqtt_says_hello_and_counts_the_acknowledgements_of_its_own_messages() {
    let (stations, in_flight) = (50, 20);
    let message = crate::protocol::mqtt::publish("s/100", 1, b"100 0 0");
    let acknowledge = |message: &[u8]| {
        assert!(message.starts_with(b"\x32\x10\x00\x05s/1"), "{}", message.escape_ascii());
        assert_eq!(message[4..9], [b"s/", &message[11..14]].concat(), "the topic names the station");
        vec![0x40, 2, message[9], message[10]]
    };
    let hello = crate::protocol::mqtt::connect("load-0");
    let broker = fake_messages(hello, &[0x20, 2, 0, 0], message.len(), acknowledge);
    let work = Work { protocol: Protocol::Mqtt, shape: shape(1, in_flight, stations), pace: Pace::Closed };
    let outcome = measure(broker, work, SPAN).unwrap();
    outcome.check().unwrap();
    assert!(outcome.counts.acknowledged > u64::from(stations), "{outcome:?}");
}

#[test]
fn a_wrong_welcome_is_no_welcome() {
    let hello = crate::protocol::mqtt::connect("load-0");
    let refusing = fake_messages(hello, &[0x20, 2, 0, 5], 1, |_| Vec::new());
    let work = Work { protocol: Protocol::Mqtt, shape: shape(1, 1, 1), pace: Pace::Closed };
    let error = format!("{:#}", measure(refusing, work, SPAN).unwrap_err());
    assert!(error.contains("not the expected welcome"), "{error}");
}

#[test]
fn at_a_given_rate_that_many_reports_are_sent() {
    let server = fake(|_| b"OK\n");
    let work = Work { pace: Pace::Open { reports_per_s: 2_000.0 }, ..lines(8, 1, 100) };
    let outcome = measure(server, work, Span { measured: Duration::from_secs(1), ..SPAN }).unwrap();
    outcome.check().unwrap();
    assert!((1_900..2_100).contains(&outcome.counts.acknowledged), "{}", outcome.counts.acknowledged);
}

#[test]
fn a_server_that_stalls_makes_every_report_late_that_fell_due_meanwhile() {
    let server = fake(|number| {
        if number == 100 {
            thread::sleep(Duration::from_millis(300));
        }
        b"OK\n"
    });
    let work = Work { pace: Pace::Open { reports_per_s: 1_000.0 }, ..lines(1, 1, 1) };
    let span = Span { warm_up: Duration::ZERO, measured: Duration::from_millis(800), pid: None };
    let outcome = measure(server, work, span).unwrap();
    let late = outcome.counts.latency_us.iter_recorded();
    let late: u64 =
        late.filter(|value| value.value_iterated_to() > 100_000).map(|v| v.count_at_value()).sum();
    // Due in the first 200 of the 300 ms: each of them waited more than 100.
    assert!((150..=260).contains(&late), "{late} reports were late");
}

#[test]
fn a_connection_for_each_report_is_closed_after_its_reply() {
    let server = fake(|number| if number == 0 { b"OK\n" } else { b"ERR second\n" });
    let work = Work { pace: Pace::Reconnect, ..lines(4, 1, 10) };
    let outcome = measure(server, work, SPAN).unwrap();
    outcome.check().unwrap();
    assert!(outcome.counts.acknowledged > 10, "{outcome:?}");
}

#[test]
fn every_station_reports_exactly_once_if_that_is_asked() {
    let server = fake(|_| b"OK\n");
    let work = Work { pace: Pace::Once, ..lines(3, 4, 100) };
    let mut once = Steady::connect(server, work).unwrap();
    once.report_once(Duration::from_secs(10)).unwrap();
    assert_eq!(once.counts().acknowledged, 100);
}
