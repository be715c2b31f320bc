use std::io::{Read as _, Write};
use std::net::TcpListener;
use std::thread;

use waterwatch_core::settings::Told;

use super::*;

/// What a server does instead of answering.
const HANGS_UP: u16 = 0;
/// It hangs up, and for a while nobody is there.
const RESTARTS: u16 = 1;

/// What a server is asked for, one after the other, and what it answers.
type Script = &'static [(&'static str, u16, &'static str)];

/// A server that does so.
fn scripted(script: Script) -> (Remote, thread::JoinHandle<()>) {
    let mut listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client =
        HttpClient::new(format!("http://{address}").parse().unwrap(), Duration::from_secs(20)).unwrap();
    let answering = thread::spawn(move || {
        for (asked, status, body) in script {
            let mut stream = listener.accept().unwrap().0;
            let mut head = [0; 8192];
            let length = stream.read(&mut head).unwrap();
            let head = String::from_utf8_lossy(&head[..length]).into_owned();
            assert!(head.starts_with(asked), "{asked}: {head}");
            match *status {
                HANGS_UP => {}
                RESTARTS => {
                    drop((stream, listener));
                    thread::sleep(10 * FIRST_PAUSE);
                    listener = TcpListener::bind(address).unwrap();
                }
                status => {
                    let length = body.len();
                    let answer = format!(
                        "HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
                    );
                    stream.write_all(answer.as_bytes()).unwrap();
                }
            }
        }
    });
    (Remote { client, on_behalf_of: "Ana".to_owned(), first_pause: FIRST_PAUSE }, answering)
}

/// A server that restarts is away for as long as ten of these; all pauses are 31.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

const LOOK: &str = "GET /api/v1/stations/settings?limit=1&after=6 ";
const PUT: &str = "PUT /api/v1/stations/7?on_behalf_of=Ana ";
const PAGE: &str = "GET /api/v1/stations/settings?limit=9&after=6 ";
const NOTHING: &str = r#"{"stations": [], "next": null}"#;
const NORTH: &str =
    r#"{"stations": [{"station_id": 7, "said": {"name": "North"}, "tag": "a"}], "next": null}"#;
const SOUTH: &str =
    r#"{"stations": [{"station_id": 7, "said": {"name": "South"}, "tag": "b"}], "next": "7"}"#;
const OTHER: &str = r#"{"stations": [{"station_id": 7, "said": {"area": "A"}, "tag": "c"}], "next": null}"#;

/// Names station 7 `North`, of whom nothing was said.
fn named(script: Script) -> Result<Vec<Change>, String> {
    let (remote, answering) = scripted(script);
    let wanted = [Wanted { field: "name".to_owned(), to: Some(Told::Text("North".to_owned())) }];
    let read = Read::nothing(StationId::new(7).unwrap());
    let changed = remote.change(&read, &wanted);
    answering.join().unwrap();
    changed.map_err(said)
}

fn said(failure: Failure) -> String {
    match failure {
        Failure::Failed(error) | Failure::WrongInput(error) => format!("{error:#}"),
    }
}

#[test]
fn what_was_not_done_is_tried_again_and_what_may_have_been_is_looked_at() {
    let name = [Change { field: "name".to_owned(), from: None, to: Some(Told::Text("North".to_owned())) }];
    for script in [
        &[(PUT, 200, "{}")][..],
        &[(PUT, 503, r#"{"detail": "no room"}"#), (LOOK, 200, NOTHING), (PUT, 200, "{}")],
        // Done, and the answer was lost.
        &[(PUT, 504, r#"{"detail": "not known"}"#), (LOOK, 200, NORTH)],
        // It restarts, before or after it was done, and again while it is looked at.
        &[(PUT, RESTARTS, ""), (LOOK, 200, NOTHING), (PUT, 200, "{}")],
        &[(PUT, HANGS_UP, ""), (LOOK, RESTARTS, ""), (LOOK, 200, NORTH)],
        // It took its time: it was on its way while the second request was.
        &[(PUT, HANGS_UP, ""), (LOOK, 200, NOTHING), (PUT, 412, r#"{"detail": "x"}"#), (LOOK, 200, NORTH)],
        // Somebody has changed something else.
        &[(PUT, 412, r#"{"detail": "changed"}"#), (LOOK, 200, OTHER), (PUT, 200, "{}")],
    ] {
        let changed = named(script);
        assert_eq!(changed.as_deref(), Ok(&name[..]), "{script:?}");
    }
    for script in [
        &[(PUT, 412, r#"{"detail": "changed"}"#), (LOOK, 200, NORTH)][..],
        &[(PUT, 412, r#"{"detail": "changed"}"#), (LOOK, 503, r#"{"detail": "busy"}"#), (LOOK, 200, NORTH)],
        &[(PUT, 503, r#"{"detail": "no room"}"#), (LOOK, 200, NORTH)],
    ] {
        assert_eq!(named(script).as_deref(), Ok(&[][..]), "others said the same: {script:?}");
    }
    let touched = named(&[(PUT, 412, r#"{"detail": "changed"}"#), (LOOK, 200, SOUTH)]);
    assert!(touched.unwrap_err().contains("somebody else has changed the same settings meanwhile"));
    let forbidden = named(&[(PUT, 403, r#"{"detail": "not for a viewer"}"#)]);
    assert_eq!(forbidden.unwrap_err(), "not for a viewer");
}

#[test]
fn what_is_read_is_asked_for_again_while_the_server_restarts() {
    let station = StationId::new(7).unwrap();
    let (remote, answering) = scripted(&[
        (LOOK, RESTARTS, ""),
        (LOOK, 503, r#"{"detail": "busy"}"#),
        (LOOK, 200, NORTH),
        (PAGE, HANGS_UP, ""),
        (PAGE, 200, SOUTH),
        (LOOK, 403, r#"{"detail": "not for a viewer"}"#),
    ]);
    assert_eq!(remote.one(station).map_err(said).unwrap().tag.as_deref(), Some("a"));
    let (page, is_last) = remote.page(station, 9).map_err(said).unwrap();
    assert_eq!((page.len(), is_last), (1, false));
    assert_eq!(remote.one(station).map_err(said).unwrap_err(), "not for a viewer");
    answering.join().unwrap();
}

#[test]
fn what_ends_without_an_answer_is_not_known_if_it_may_be_done() {
    const AWAY: (&str, u16, &str) = (LOOK, HANGS_UP, "");
    const BUSY: (&str, u16, &str) = (PUT, 503, r#"{"detail": "no room"}"#);
    let open = named(&[(PUT, HANGS_UP, ""), AWAY, AWAY, AWAY, AWAY, AWAY]).unwrap_err();
    assert!(
        open.contains("whether it was done is not known: `waterwatch station show 7` shows it"),
        "{open}"
    );
    let open = named(&[
        (PUT, 504, r#"{"detail": "whether it is stored is not known"}"#),
        (LOOK, 403, r#"{"detail": "revoked"}"#),
    ]);
    assert_eq!(open.unwrap_err(), "whether it is stored is not known (`waterwatch station show 7` shows it)");
    // Nothing was done.
    let away = named(&[BUSY, AWAY, AWAY, AWAY, AWAY, AWAY]).unwrap_err();
    assert!(away.contains("did not answer") && !away.contains("not known"), "{away}");
}
