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

#[test]
fn each_ok_is_counted_once_with_its_latency() {
    let server = fake(|_| b"OK\n");
    for (connections, in_flight, stations) in [(1, 1, 1), (8, 1, 10), (3, 5_000, 1_000), (2, 100_000, 7)] {
        let shape = Shape { connections, in_flight, stations };
        let span = Span { pid: Some(std::process::id()), ..SPAN };
        let outcome = measure(server, shape, span).unwrap();
        outcome.check().unwrap();
        assert_eq!(outcome.latency_us.len(), outcome.acknowledged, "{shape:?}");
        assert!(outcome.server_cpu_us().is_some());
        assert!(outcome.table().contains("not OK                             0\n"), "{}", outcome.table());
    }
}

#[test]
fn whatever_is_not_ok_makes_the_load_fail() {
    let server = fake(|number| if number == 7 { b"ERR alarm no alarm\n" } else { b"OK\n" });
    let outcome = measure(server, Shape { connections: 2, in_flight: 16, stations: 9 }, SPAN).unwrap();
    assert_eq!(outcome.refused, 2);
    let error = outcome.check().unwrap_err().to_string();
    assert!(error.contains("2 replies were not OK"), "{error}");
}

#[test]
fn too_many_replies_are_seen() {
    let server = fake(|_| b"OK\nOK\n");
    let error = measure(server, Shape { connections: 1, in_flight: 1, stations: 1 }, SPAN).unwrap_err();
    assert!(error.to_string().contains("ended every connection"), "{error}");
}
