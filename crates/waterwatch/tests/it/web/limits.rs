//! Requests that are huge, slow, or very many: each has a clear answer, and
//! stations are heard meanwhile.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;

use super::sse::Stream;
use crate::api::Api;
use crate::harness::{PATIENCE, Server, connect_from, wait_for};

fn connect(api: &Api) -> TcpStream {
    let stream = TcpStream::connect(api.address).expect("the server accepts");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// All that comes until the end.
fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("neither a byte nor an end: {error}"),
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn a_body_that_is_too_large_or_no_json_is_refused() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &["--http-body-bytes-max", "2048"]);
    let api = server.api();
    let post = |body: String, media_type: &'static str| {
        Api::send(api.request(Method::POST, "/api/v1/reports").header("content-type", media_type).body(body))
    };
    let huge = post(format!("[{}]", " ".repeat(900_000)), "application/json");
    assert!(huge.problem(413).contains("2048 bytes"), "{}", huge.body);
    post("{}".to_owned(), "text/plain").problem(415);
    post("{".to_owned(), "application/json").problem(400);
    let report = || json!({"station_id": 7, "alarm1": true, "alarm2": false});
    let with = |name: &'static str, value: &'static str| {
        Api::send(api.request(Method::POST, "/api/v1/reports").header(name, value).json(&report()))
    };
    assert!(with("content-encoding", "gzip").problem(415).contains("content-encoding"));
    assert!(with("expect", "a miracle").problem(417).contains("100-continue"));
    assert_eq!(with("content-encoding", "identity").status, 200);
    post("[] []".to_owned(), "application/json").problem(400);
    let deep = post("[".repeat(2_000), "application/json");
    deep.problem(422);
    assert_eq!(deep.body["field"].as_str().unwrap().len(), 100);
    // The same without saying how long it is.
    let mut stream = connect(&api);
    let token = server.token();
    write!(
        stream,
        "POST /api/v1/reports HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
        token.trim()
    )
    .unwrap();
    let chunk = format!("400\r\n{}\r\n", " ".repeat(0x400));
    for _ in 0..8 {
        // It may have been cut off by then.
        let _ = stream.write_all(chunk.as_bytes());
    }
    assert!(rest(&mut stream).starts_with("HTTP/1.1 413 "));
}

#[test]
fn whoever_is_slow_is_cut_off_and_told_so() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &["--http-head-timeout-s", "1", "--http-timeout-s", "1"]);
    let api = server.api();
    let started = Instant::now();
    let (mut idle, mut head, mut body) = (connect(&api), connect(&api), connect(&api));
    head.write_all(b"GET /healthz HTTP/1.1\r\nhost:").unwrap();
    let token = server.token();
    write!(
        body,
        "POST /api/v1/reports HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: 100\r\n\r\n{{",
        token.trim()
    )
    .unwrap();
    let slow = rest(&mut body);
    assert!(slow.starts_with("HTTP/1.1 408 ") && slow.contains("http_timeout_s"), "{slow}");
    rest(&mut head);
    rest(&mut idle);
    assert!(started.elapsed() < PATIENCE / 2);
    // Also one that was answered and then says nothing more.
    let mut kept = connect(&api);
    kept.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    assert!(rest(&mut kept).starts_with("HTTP/1.1 200 OK"));
}

#[test]
fn whoever_asks_and_says_no_more_is_answered() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let mut stream = connect(&server.api());
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(rest(&mut stream).starts_with("HTTP/1.1 200 OK"));
}

#[test]
fn a_token_that_is_revoked_while_its_request_arrives_does_nothing() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let admin = server.api();
    let order = json!({"name": "gateway", "role": "viewer", "may": ["report"]});
    let made = admin.post("/api/v1/tokens", &order).ok();
    let body = json!({"station_id": 7, "alarm1": true, "alarm2": false}).to_string();
    let mut stream = connect(&admin);
    write!(
        stream,
        "POST /api/v1/reports HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
        made["secret"].as_str().unwrap(),
        body.len()
    )
    .unwrap();
    // The server asks for the body once it has let the token in.
    let mut asked = [0; 25];
    stream.read_exact(&mut asked).unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(admin.delete("/api/v1/tokens/gateway").status, 200);
    stream.write_all(body.as_bytes()).unwrap();
    let answer = rest(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("revoked"), "{answer}");
    assert_eq!(crate::harness::alarms(&server.data), Vec::<String>::new());
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let api = server.api();
    for head in [format!("x: {}\r\n", "y".repeat(100_000)), "x: y\r\n".repeat(100)] {
        let mut stream = connect(&api);
        let _ = stream.write_all(format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{head}\r\n").as_bytes());
        let answer = rest(&mut stream);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    assert_eq!(api.get("/healthz").status, 200);
}

#[test]
fn thousands_of_idle_connections_hold_up_neither_operators_nor_stations() {
    let folder = TempDir::new().unwrap();
    // Nothing but others who come ends an idle one.
    let server =
        Server::start(folder.path(), &["--http-connections-max", "200", "--http-head-timeout-s", "60"]);
    let api = server.api();
    let mut stream = Stream::open(&server, "", None);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for from in ["127.0.0.2", "127.0.0.3"] {
            let (to, done) = (api.address, &done);
            scope.spawn(move || {
                let mut idle = VecDeque::new();
                while !done.load(Ordering::Relaxed) {
                    let mut stream = connect_from(from, to);
                    // Some are cut off before they say that they are somebody.
                    let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nauthorization: Bearer ww_");
                    idle.push_back(stream);
                    if idle.len() > 1_000 {
                        idle.pop_front();
                    }
                    // They are elsewhere, and take none of this machine's processors.
                    thread::sleep(Duration::from_millis(1));
                }
            });
        }
        wait_for("places to be wanted by a thousand", || {
            api.metric("waterwatch_http_connections_evicted_total").filter(|evicted| *evicted >= 1_000.0)
        });
        for station in 0..20 {
            // A connection of its own each time.
            let asked = Instant::now();
            server.api().get("/api/v1/alarms").ok();
            assert!(asked.elapsed() < Duration::from_secs(1), "answered after {:?}", asked.elapsed());
            assert_eq!(server.say(format!("{station} 1 0\n").as_bytes()), "OK\n");
        }
        done.store(true, Ordering::Relaxed);
    });
    // Whoever has shown a token has kept their place meanwhile.
    assert_eq!(stream.next().unwrap().data["source"], "0");
    assert!(api.metric("waterwatch_connections{kind=\"http\"}").unwrap() <= 200.0);
    server.running.wait_for_log("closed an HTTP connection without a valid token for one that came");
}

#[test]
fn who_comes_when_all_are_open_and_have_tokens_is_told_so() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &["--http-connections-max", "2"]);
    let api = server.api();
    let mut first = Stream::open(&server, "", None);
    // One that has shown a token is not closed for strangers, also of its own address.
    let mut strangers: Vec<TcpStream> = (0..5).map(|_| connect(&api)).collect();
    for stranger in &mut strangers[..4] {
        assert_eq!(rest(stranger), "");
    }
    let _second = Stream::open(&server, "", None);
    assert_eq!(rest(&mut strangers[4]), "");
    assert_eq!(server.say(b"7 1 0\n"), "OK\n");
    assert_eq!(first.next().unwrap().data["source"], "7");
    let refused = rest(&mut connect(&api));
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("http_connections_max"), "{refused}");
    server.running.wait_for_log("http_connections_max are open, all with valid tokens");
}

#[test]
fn a_stopping_server_answers_what_was_asked_and_closes_the_rest() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let api = server.api();
    let idle: Vec<TcpStream> = (0..50).map(|_| connect(&api)).collect();
    let mut half = connect(&api);
    half.write_all(b"POST /api/v1/reports HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n").unwrap();
    let started = Instant::now();
    let log = server.stop();
    assert!(started.elapsed() < Duration::from_secs(5), "{log}");
    drop(idle);
}

#[test]
fn http_can_be_off_and_an_address_that_is_taken_is_named() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &["--http", "off"]);
    assert_eq!(server.say(b"7 0 0\n"), "OK\n");
    assert!(!server.running.printed().contains("http"), "{}", server.running.printed());
    server.stop();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut ended = Server::try_start(folder.path(), &["--http", &address], |_| ()).err().expect("it ends");
    assert_eq!(ended.wait().code(), Some(1));
    assert!(ended.logged().contains(&format!("cannot listen for HTTP on {address}")), "{}", ended.logged());
}
