use std::io::Read;
use std::net::{TcpListener, TcpStream};

use clap::Parser;

use super::*;
use crate::cli::{Cli, Command};
use crate::tokens::Secret;

/// A server that answers each connection with the next of these, and gives what it
/// was asked.
fn server(answers: Vec<String>) -> (String, thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = thread::spawn(move || {
        let answer = |answer: &String| {
            let mut stream: TcpStream = listener.accept().unwrap().0;
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                asked.extend(byte);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(asked).unwrap()
        };
        answers.iter().map(answer).collect()
    });
    (address, asked)
}

fn page(sequences: &[i64], next: &str) -> String {
    let events: Vec<String> = sequences.iter().map(|sequence| event(*sequence)).collect();
    let body = format!(r#"{{"events": [{}], "next": {next}}}"#, events.join(","));
    format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{body}")
}

fn event(sequence: i64) -> String {
    format!(r#"{{"sequence": {sequence}, "source": "7", "kind": "raised"}}"#)
}

fn stream(sequences: &[i64], end: &str) -> String {
    let events: Vec<String> =
        sequences.iter().map(|of| format!("id: {of}\nevent: raised\ndata: {}\n\n", event(*of))).collect();
    let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\n\r\n: here\n\n";
    format!("{head}{}{end}", events.concat())
}

const GONE: &str = "HTTP/1.1 401 No\r\nconnection: close\r\n\r\n{\"detail\": \"it was revoked\"}";

/// What is seen of it, how it ends, and what was asked.
fn followed(arguments: &[&str], answers: Vec<String>) -> (Vec<i64>, String, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, Secret::random().unwrap().reveal()).unwrap();
    let (address, asked) = server(answers);
    let line = ["waterwatch", "events", "--follow", "--server", &address, "--token-file"];
    let line: Vec<&str> =
        line.into_iter().chain([file.to_str().unwrap()]).chain(arguments.iter().copied()).collect();
    let Command::Events(options) = Cli::try_parse_from(line).unwrap().command else { panic!("others") };
    let mut seen = Vec::new();
    let done = Follower::new(&options).follow(&mut |_, told| {
        seen.push(told.sequence);
        told.sequence < 99
    });
    let end = match done {
        Ok(()) => "enough".to_owned(),
        Err(Failure::Failed(error) | Failure::WrongInput(error)) => error.to_string(),
    };
    (seen, end, asked.join().unwrap())
}

#[test]
fn each_connection_goes_on_behind_what_was_seen() {
    let cut = format!("id: 13\nevent: raised\ndata: {}", &event(13)[..9]);
    let (seen, end, asked) = followed(
        &["--source", "area/North lift", "--kind", "raised", "--kind", "acknowledged"],
        vec![
            page(&[7], "null"),
            page(&[10], "\"10\""),
            stream(&[11, 12], &cut),
            page(&[12], "null"),
            "HTTP/1.1 503 No\r\nconnection: close\r\n\r\n{\"detail\": \"it stops\"}".to_owned(),
            page(&[12], "null"),
            stream(&[12, 13, 14], ""),
            page(&[14], "null"),
            GONE.to_owned(),
        ],
    );
    assert_eq!(seen, [11, 12, 13, 14]);
    assert!(end.contains("it was revoked"), "{end}");
    assert!(asked[0].starts_with("GET /api/v1/events?source=area%3ANorth+lift&limit=1 "), "{}", asked[0]);
    assert!(asked[1].starts_with("GET /api/v1/events?limit=1 "), "{}", asked[1]);
    let filters = "GET /api/v1/events/stream?source=area%3ANorth+lift&kind=raised%2Cacknowledged ";
    let ids: Vec<&str> = asked
        .iter()
        .filter(|asked| asked.starts_with(filters))
        .map(|asked| asked.lines().find_map(|line| line.strip_prefix("last-event-id: ")).unwrap())
        .collect();
    assert_eq!(ids, ["10", "12", "12", "14"]);
}

#[test]
fn what_happened_since_comes_first_and_once() {
    let (seen, end, asked) = followed(
        &["--since", "2026-11-24T01:10:00Z"],
        // While it is read, more happens: 12 is in a page and comes by the stream as well.
        vec![
            page(&[11], "null"),
            page(&[5, 9], "\"9\""),
            page(&[11, 12], "null"),
            stream(&[12, 99, 100], ""),
        ],
    );
    assert_eq!((seen, end.as_str()), (vec![5, 9, 11, 12, 99], "enough"));
    let page =
        |after: i64| format!("GET /api/v1/events?after={after}&limit=1000&since=2026-11-24T01%3A10%3A00Z ");
    assert!(asked[1].starts_with(&page(0)), "{}", asked[1]);
    assert!(asked[2].starts_with(&page(9)), "{}", asked[2]);
    assert!(asked[3].contains("last-event-id: 12\r\n"), "{}", asked[3]);
}

#[test]
fn an_empty_ledger_is_followed_from_its_beginning() {
    let (seen, _, asked) =
        followed(&[], vec![page(&[], "null"), stream(&[1], ""), page(&[1], "null"), GONE.to_owned()]);
    assert_eq!(seen, [1]);
    assert!(asked[1].contains("last-event-id: 0\r\n"), "{}", asked[1]);
}

#[test]
fn an_older_ledger_is_followed_from_where_it_parts_from_what_was_shown() {
    let (seen, _, asked) = followed(
        &["--after", "9"],
        vec![
            page(&[12], "null"),
            page(&[10, 12], "null"),
            stream(&[13], ""),
            // Of what was shown only 10 is there.
            page(&[], "null"),
            page(&[11], "null"),
            page(&[10], "null"),
            stream(&[11, 14], ""),
            page(&[14], "null"),
            GONE.to_owned(),
        ],
    );
    assert_eq!(seen, [10, 12, 13, 11, 14]);
    assert!(asked[1].starts_with("GET /api/v1/events?after=9&limit=1000 "), "{}", asked[1]);
    assert!(asked[6].contains("last-event-id: 10\r\n"), "{}", asked[6]);
    let (seen, end, _) = followed(&["--after", "13"], vec![page(&[12], "null")]);
    assert!(seen.is_empty() && end.starts_with("there is no entry 13 yet, the newest is 12: "), "{end}");
}

#[test]
fn an_entry_that_the_server_cannot_read_is_passed_over_once() {
    let unreadable = |of: i64| format!(r#"{{"sequence": {of}, "received_at": null, "why": "kind is x"}}"#);
    let with =
        |events: &[i64], of: i64| page(events, &format!(r#"null, "unreadable": [{}]"#, unreadable(of)));
    let sent = format!("id: 14\nevent: unreadable\ndata: {}\n\n", unreadable(14));
    let (seen, _, asked) = followed(
        &["--since", "2026-11-24T01:10:00Z"],
        vec![
            with(&[], 12),
            with(&[11, 13], 12),
            stream(&[13], &sent),
            // By which the ledger is known again.
            with(&[], 14),
            stream(&[99], ""),
        ],
    );
    assert_eq!(seen, [11, 13, 99]);
    for (asked, last) in [&asked[2], &asked[4]].into_iter().zip([13, 14]) {
        assert!(asked.contains(&format!("last-event-id: {last}\r\n")), "{asked}");
    }
}
