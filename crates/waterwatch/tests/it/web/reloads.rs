//! Whoever followed and is gone holds no place: a page is reloaded as often as somebody
//! likes.

use std::time::{Duration, Instant};

use reqwest::Method;
use tempfile::TempDir;

use super::sse::Stream;
use crate::api::Api;
use crate::harness::{Server, wait_for};

const PATH: &str = "/api/v1/events/stream";

/// How somebody leaves.
type Leave = fn(Stream);

/// Far less than it takes until writing to somebody who is gone fails.
const SOON: Duration = Duration::from_secs(2);

/// Waits until one more may follow.
fn wait_for_place(api: &Api, since: Instant) {
    wait_for("a place", || (api.request(Method::GET, PATH).send().unwrap().status() == 200).then_some(()));
    assert!(since.elapsed() < SOON, "after {:?}", since.elapsed());
}

#[test]
fn whoever_is_gone_holds_no_place() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &["--http-streams-max", "1"]);
    let api = server.api();
    let ways: [(&str, Leave); 3] = [
        ("closed", drop),
        ("reset", Stream::reset),
        ("closed behind what was said besides", |mut stream| {
            stream.say(b"GET /healthz HTTP/1.1\r\n");
        }),
    ];
    for (how, leave) in ways {
        let stream = Stream::open(&server, "", None);
        assert!(api.get(PATH).problem(503).contains("http_streams_max"), "{how}");
        let left = Instant::now();
        leave(stream);
        wait_for_place(&api, left);
        // That one is gone, too.
        wait_for("nobody to follow", || {
            api.metric("waterwatch_http_streams").filter(|streams| *streams == 0.0)
        });
    }
    // It hears that this is the end.
    let mut stream = Stream::open(&server, "", None);
    let left = Instant::now();
    stream.half_close();
    assert!(stream.next().is_none());
    wait_for_place(&api, left);
}

#[test]
fn a_page_that_is_reloaded_a_hundred_times_follows_each_time() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &["--http-streams-max", "8"]);
    let begun = Instant::now();
    for _ in 0..100 {
        drop(Stream::open(&server, "", None));
    }
    assert!(begun.elapsed() < Duration::from_secs(15), "they went by themselves");
    let mut stream = Stream::open(&server, "", None);
    assert_eq!(server.say(b"7 1 0\n"), "OK\n");
    assert_eq!(stream.next().unwrap().data["source"], "7");
}
