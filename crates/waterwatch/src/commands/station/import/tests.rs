use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use super::*;
use crate::http_client::HttpClient;

/// How an import ends that the server answers so.
fn ended(status: u16, changed: u64, stations: u64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let answering = thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        assert!(stream.read(&mut [0; 8192]).unwrap() > 0);
        let answer = format!(
            "HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: 16\r\n\r\n{{\"detail\": \"No\"}} "
        );
        stream.write_all(answer.as_bytes()).unwrap();
    });
    let client = HttpClient::new(server, Duration::from_secs(20)).unwrap();
    let error = client.get::<serde_json::Value>(&["x"], &[]).unwrap_err();
    answering.join().unwrap();
    match cut_off(error.of_a_change("look"), changed, stations) {
        Failure::Failed(error) => format!("1 {error:#}"),
        Failure::WrongInput(error) => format!("2 {error:#}"),
    }
}

#[test]
fn only_what_may_be_done_later_is_to_be_imported_again() {
    for (status, code, (changed, stations), were) in [
        (401, 1, (0, 1), "0 of 1 station was"),
        (403, 1, (1, 3), "1 of 3 stations was"),
        (404, 1, (0, 3), "0 of 3 stations were"),
        (422, 2, (2, 3), "2 of 3 stations were"),
    ] {
        assert_eq!(ended(status, changed, stations), format!("{code} No; {were} changed before"));
    }
    for status in [412, 429, 503, 504] {
        let said = ended(status, 2, 3);
        let again = "; 2 of 3 stations were changed before: import the same again, and it goes on there";
        assert!(said.starts_with("1 No") && said.ends_with(again), "{said}");
    }
}
