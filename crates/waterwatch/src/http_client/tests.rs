use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::thread;

use super::*;
use crate::cli::DataOption;

/// Somebody who answers each connection with these bytes, and closes it; gives what the
/// last one asked.
fn answering(bytes: &'static str) -> (SocketAddr, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = thread::spawn(move || {
        let mut stream: TcpStream = listener.accept().unwrap().0;
        let mut asked = [0; 4096];
        let length = stream.read(&mut asked).unwrap();
        stream.write_all(bytes.as_bytes()).unwrap();
        String::from_utf8_lossy(&asked[..length]).into_owned()
    });
    (address, asked)
}

fn client(address: SocketAddr, within: Duration) -> HttpClient {
    HttpClient::new(format!("http://{address}").parse().unwrap(), within).unwrap()
}

fn get(address: SocketAddr) -> HttpError {
    client(address, Duration::from_secs(5)).get::<serde_json::Value>(&["healthz"], &[]).unwrap_err()
}

#[test]
fn a_server_is_named_by_where_it_is_alone() {
    for text in ["http://127.0.0.1:8321", "http://[::1]:81/", "http://water.example"] {
        assert_eq!(text.parse::<ServerUrl>().unwrap().to_string(), text.trim_end_matches('/'));
    }
    for (text, says) in [
        ("https://water.example", "https is not spoken by these commands"),
        ("127.0.0.1:8321", "is no address"),
        ("ftp://water.example", "is no address of a server"),
        ("http://water.example/api", "is more than where a server is"),
        ("http://Ana:secret@water.example", "is more than where a server is"),
        ("http://water.example/?a", "is more than where a server is"),
        ("", "is no address"),
    ] {
        let said = text.parse::<ServerUrl>().unwrap_err();
        assert!(said.contains(says) && said.contains("http://127.0.0.1:8321"), "{text}: {said}");
    }
}

/// Any name is one segment of the path, and the token goes along.
#[test]
fn what_is_asked_for_is_what_was_named() {
    let (address, asked) = answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
    let secret = Secret::parse(&format!("ww_{}", "a".repeat(43))).unwrap();
    let file = PathBuf::from("token");
    let client = HttpClient { token: Some((secret, file)), ..client(address, Duration::from_secs(5)) };
    let path = ["api", "v1", "alarms", "area:Süd/1 ?#%", "comms"];
    client.get::<serde_json::Value>(&path, &[("since", "a&b=c")]).unwrap();
    let asked = asked.join().unwrap();
    let line = "GET /api/v1/alarms/area:S%C3%BCd%2F1%20%3F%23%25/comms?since=a%26b%3Dc HTTP/1.1\r\n";
    assert!(asked.starts_with(line), "{asked}");
    assert!(asked.to_lowercase().contains("authorization: bearer ww_aaaa"), "{asked}");
}

#[test]
fn what_is_not_known_is_told_from_what_was_not_done() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = get(nobody);
    assert!(!error.is_open());
    assert!(
        error.to_string().starts_with(&format!("no server answers at http://{nobody}: Connection refused"))
    );

    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let waiting = client(silent.local_addr().unwrap(), Duration::from_millis(200));
    let error = waiting.get::<serde_json::Value>(&["healthz"], &[]).unwrap_err();
    assert!(error.is_open(), "{error}");
    assert!(error.to_string().ends_with("did not answer: it takes too long"), "{error}");

    for (answer, is_open, says) in [
        ("", true, "did not answer: "),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}", true, "did not answer: "),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", true, "is no waterwatch"),
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nhi", true, "(HTTP status 404)"),
        ("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n", true, "302"),
        (
            "HTTP/1.1 503 No\r\ncontent-length: 40\r\n\r\n{\"detail\":\"too many others wait: again\"}",
            false,
            "too many others wait",
        ),
        ("HTTP/1.1 504 No\r\ncontent-length: 22\r\n\r\n{\"detail\":\"not known\"}  ", true, "not known"),
    ] {
        let error = get(answering(answer).0);
        assert_eq!(error.is_open(), is_open, "{answer}: {error}");
        assert!(error.to_string().contains(says), "{answer}: {error}");
    }
}

#[test]
fn an_answer_that_is_too_long_is_told_as_such() {
    let bytes = usize::try_from(BODY_BYTES_MAX).unwrap() + 1;
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\n\r\n\"{}\"", "x".repeat(bytes - 2));
    let error = get(answering(answer.leak()).0);
    assert!(error.is_open(), "it may have been done");
    assert!(error.to_string().ends_with("has more than 16777216 bytes, and was not read"), "{error}");
}

#[test]
fn a_problem_is_a_sentence_that_names_the_field_and_what_to_do() {
    let server: ServerUrl = "http://127.0.0.1:1".parse().unwrap();
    let refused = |status, body: &str| {
        let file = Some(PathBuf::from("data.sqlite.token"));
        HttpError::of_answer(&server, status, body.as_bytes(), file)
    };
    let until = refused(422, r#"{"detail": "the end must lie ahead", "field": "until"}"#);
    assert_eq!(until.to_string(), "until: the end must lie ahead");
    assert!(matches!(until.of_a_change(""), Failure::WrongInput(_)));
    assert_eq!(
        refused(401, r#"{"detail": "it was revoked"}"#).to_string(),
        "the server does not take the token in data.sqlite.token: it was revoked; --token-file names another one"
    );
    let Failure::Failed(lost) = refused(504, r#"{"detail": "it is not known: look again"}"#)
        .of_a_change("waterwatch alarm show 1 alarm1")
    else {
        panic!("not the usage is wrong")
    };
    assert_eq!(lost.to_string(), "it is not known: look again (`waterwatch alarm show 1 alarm1` shows it)");
    let lost = HttpError::Lost { server: server.clone(), why: "it takes too long".to_owned() };
    let Failure::Failed(lost) = lost.of_a_change("waterwatch token list") else { panic!("nor here") };
    assert_eq!(
        lost.to_string(),
        "the server at http://127.0.0.1:1 did not answer: it takes too long; whether it was done is not known: \
         `waterwatch token list` shows it"
    );
    // What a server says moves no cursor.
    assert_eq!(refused(409, r#"{"detail": "a\u001b[2J"}"#).to_string(), "a\u{fffd}[2J");
}

#[test]
fn where_no_server_or_no_token_is_it_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data.sqlite");
    let file = folder.path().join("mine");
    let said = |server: Option<&str>, token_file: Option<&Path>| {
        let options = ServerOptions {
            data: DataOption { file: data.clone() },
            server: server.map(|server| server.parse().unwrap()),
            token_file: token_file.map(ToOwned::to_owned),
        };
        match HttpClient::of(&options) {
            Ok(client) => client.server().to_string(),
            Err(Failure::Failed(error) | Failure::WrongInput(error)) => format!("{error:#}"),
        }
    };
    assert!(said(None, None).starts_with("there is no database "));
    std::fs::write(&data, "").unwrap();
    assert!(said(None, None).starts_with("no server runs on the database "), "{}", said(None, None));
    endpoint::write(&data, "127.0.0.1:7".parse().unwrap()).unwrap();
    assert!(said(None, None).contains("data.sqlite.token: put a token into one"), "{}", said(None, None));
    tokens::file::write(&data, &Secret::random().unwrap()).unwrap();
    assert_eq!(said(None, None), "http://127.0.0.1:7");
    // The token of one server is not for another one.
    assert_eq!(
        said(Some("http://127.0.0.1:8"), None),
        "--server needs --token-file, the file with a token of that server"
    );
    std::fs::write(&file, "a secret\n").unwrap();
    assert!(said(None, Some(&file)).contains("mine has no token"), "{}", said(None, Some(&file)));
    std::fs::write(&file, format!("{}\n", Secret::random().unwrap().reveal())).unwrap();
    assert_eq!(said(Some("http://127.0.0.1:8"), Some(&file)), "http://127.0.0.1:8");
    if !rustix::process::geteuid().is_root() {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o0)).unwrap();
        assert!(said(None, Some(&file)).contains("cannot read the token file"));
    }
}
