//! Following the ledger: what the server sends, from one connection to the next without
//! a gap or a repetition, since each goes on behind the last entry that was seen.

use std::io::{BufReader, Write};
use std::thread;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde::Deserialize;
use serde_json::value::Value;
use waterwatch_core::alarm::{AlarmSource, Point};

use super::stream::Stream;
use super::told::Told;
use crate::backoff;
use crate::cli::EventsOptions;
use crate::commands::alarm;
use crate::failure::Failure;
use crate::http_client::{HttpClient, HttpError};
use crate::shown::text::plain;

/// The wait after a connection that ended, and the longest one.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

pub(super) const EVENTS: [&str; 3] = ["api", "v1", "events"];
const STREAM: [&str; 4] = ["api", "v1", "events", "stream"];

/// Entries that are asked for at once.
const PAGE: &str = "1000";

/// Whoever follows.
pub(super) struct Follower<'a> {
    options: &'a EventsOptions,
    /// What is wanted, as the server is asked for it.
    filters: Vec<(&'static str, String)>,
    /// The entry behind which it goes on.
    seen: i64,
    /// Somebody was told that the server is away.
    has_complained: bool,
}

/// Shows an entry: as the server wrote it, and read. Whether anybody wants more.
pub(super) type See<'a> = dyn FnMut(&str, &Told) -> bool + 'a;

/// A page of the ledger.
#[derive(Deserialize)]
struct Page {
    events: Vec<Value>,
    /// Those that the server cannot read; an older one has none.
    #[serde(default)]
    unreadable: Vec<Value>,
    next: Option<String>,
}

impl Page {
    /// All of them, in the order of the ledger.
    fn entries(self) -> Vec<Value> {
        let mut entries = self.events;
        entries.extend(self.unreadable);
        entries.sort_by_key(sequence);
        entries
    }
}

/// An entry that the server cannot read.
#[derive(Deserialize)]
struct Unreadable {
    sequence: i64,
    why: String,
}

fn sequence(entry: &Value) -> Option<i64> {
    entry["sequence"].as_i64()
}

/// How a connection ended.
enum Ended {
    /// Nobody wants more.
    Enough,
    /// The server closed it, or it broke.
    Cut(String),
}

/// What is wanted, as a server is asked for it.
pub(super) fn filters(options: &EventsOptions) -> Vec<(&'static str, String)> {
    let mut filters = Vec::new();
    if let Some(source) = &options.source {
        let source = match source {
            AlarmSource::Area(name) => format!("area:{name}"),
            source => source.to_string(),
        };
        filters.push(("source", source));
    }
    filters.extend(options.point.map(|point| ("point", Point::name(point).to_owned())));
    if !options.kind.is_empty() {
        let kinds: Vec<&str> = options.kind.iter().map(|kind| kind.name()).collect();
        filters.push(("kind", kinds.join(",")));
    }
    filters
}

impl<'a> Follower<'a> {
    pub(super) fn new(options: &'a EventsOptions) -> Follower<'a> {
        Follower { options, filters: filters(options), seen: 0, has_complained: false }
    }

    /// Shows what happens until nobody wants more. A server that is away is waited for,
    /// once it was there.
    pub(super) fn follow(mut self, see: &mut See<'_>) -> Result<(), Failure> {
        let client = HttpClient::of(&self.options.server)?;
        let failed = |error: HttpError| Failure::Failed(error.into());
        if let Some(source) = self.unknown(&client).map_err(failed)? {
            return Err(alarm::unknown(source, None));
        }
        if !self.begin(&client, see).map_err(failed)? {
            return Ok(());
        }
        let mut failures = 0;
        loop {
            let (seen, began) = (self.seen, Instant::now());
            // It may be elsewhere by now, on a port that it chose itself.
            let why = match HttpClient::of(&self.options.server) {
                Ok(client) => match self.connection(&client, see) {
                    Ok(Ended::Enough) => return Ok(()),
                    Ok(Ended::Cut(why)) => why,
                    // What the server says of us does not get better by asking again.
                    Err(HttpError::Refused(refusal)) if refusal.status < 500 => {
                        return Err(Failure::Failed(refusal.into()));
                    }
                    Err(error) => error.to_string(),
                },
                Err(Failure::Failed(error) | Failure::WrongInput(error)) => format!("{error:#}"),
            };
            // A stream that is well says something at least each so often.
            if self.seen > seen || began.elapsed() >= LONGEST_WAIT {
                failures = 0;
            }
            if failures == 1 {
                self.has_complained = true;
                complain(&format!("{why}; trying again"));
            }
            thread::sleep(backoff::delay(FIRST_WAIT, LONGEST_WAIT, failures, backoff::random()));
            failures = failures.saturating_add(1);
        }
    }

    /// The source that is followed, if the server knows nothing of it: nobody waits for
    /// what a mistyped one does.
    fn unknown(&self, client: &HttpClient) -> Result<Option<&'a AlarmSource>, HttpError> {
        let asked = self.filters.iter().find(|(name, _)| *name == "source");
        let (Some(source), Some((_, written))) = (&self.options.source, asked) else { return Ok(None) };
        let [api, version, events] = EVENTS;
        let has_entry: Page = client.get(&[api, version, events], &[("source", written), ("limit", "1")])?;
        if !has_entry.events.is_empty() || *source == AlarmSource::Server {
            return Ok(None);
        }
        // Stations and areas have it as soon as anything is known of them.
        let its_comms = [api, version, "alarms", written, Point::Comms.name()];
        match client.get::<Value>(&its_comms, &[]) {
            Err(HttpError::Refused(refusal)) if refusal.status == 404 => Ok(Some(source)),
            found => found.map(|_| None),
        }
    }

    /// Where it begins: behind the newest entry of all, and before that what is wanted of
    /// the past. Whether anybody wants more.
    fn begin(&mut self, client: &HttpClient, see: &mut See<'_>) -> Result<bool, HttpError> {
        let newest: Page = client.get(&EVENTS, &[("limit", "1")])?;
        let newest = newest.entries().last().and_then(sequence).unwrap_or(0);
        if let Some(since) = self.options.since {
            let since = since.to_string();
            let mut after = "0".to_owned();
            loop {
                let mut query: Vec<(&str, &str)> =
                    vec![("since", &since), ("after", &after), ("limit", PAGE)];
                query.extend(self.filters.iter().map(|(name, value)| (*name, value.as_str())));
                let page: Page = client.get(&EVENTS, &query)?;
                let next = page.next.clone();
                for entry in page.entries() {
                    if !self.see(&entry.to_string(), see) {
                        return Ok(false);
                    }
                }
                match next {
                    Some(next) => after = next,
                    None => break,
                }
            }
        }
        self.seen = self.seen.max(newest);
        Ok(true)
    }

    /// Shows what comes by one connection.
    fn connection(&mut self, client: &HttpClient, see: &mut See<'_>) -> Result<Ended, HttpError> {
        let query: Vec<(&str, &str)> =
            self.filters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let request = client
            .request(Method::GET, &STREAM, &query)
            .header("accept", "text/event-stream")
            .header("last-event-id", self.seen.to_string());
        let response = client.open(request)?;
        let server = client.server();
        if std::mem::take(&mut self.has_complained) {
            complain(&format!("the server at {server} is there again"));
        }
        let mut stream = Stream::new(BufReader::new(response));
        loop {
            match stream.next() {
                Ok(Some(event)) => {
                    if !self.see(&event, see) {
                        return Ok(Ended::Enough);
                    }
                }
                Ok(None) => return Ok(Ended::Cut(format!("the server at {server} ended the connection"))),
                Err(error) => return Ok(Ended::Cut(format!("the connection to {server} broke: {error}"))),
            }
        }
    }

    /// Shows an entry, unless it was seen.
    fn see(&mut self, event: &str, see: &mut See<'_>) -> bool {
        match serde_json::from_str::<Told>(event) {
            Ok(told) if told.sequence > self.seen => {
                self.seen = told.sequence;
                see(event, &told)
            }
            Ok(_) => true,
            Err(_) => {
                self.pass_over(event);
                true
            }
        }
    }

    /// One that the server cannot read is named. All else is something that a newer
    /// server sends.
    fn pass_over(&mut self, entry: &str) {
        if let Ok(Unreadable { sequence, why }) = serde_json::from_str(entry)
            && sequence > self.seen
        {
            self.seen = sequence;
            complain(&format!("an entry of the ledger cannot be read, and is left out: {}", plain(&why)));
        }
    }
}

/// Says it to whoever may be there to read it.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "waterwatch: {text}");
}

#[cfg(test)]
mod tests {
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
        let head =
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\n\r\n: here\n\n";
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
                "HTTP/1.1 503 No\r\nconnection: close\r\n\r\n{\"detail\": \"it stops\"}".to_owned(),
                stream(&[12, 13, 14], ""),
                GONE.to_owned(),
            ],
        );
        assert_eq!(seen, [11, 12, 13, 14]);
        assert!(end.contains("it was revoked"), "{end}");
        assert!(asked[0].starts_with("GET /api/v1/events?source=area%3ANorth+lift&limit=1 "), "{}", asked[0]);
        assert!(asked[1].starts_with("GET /api/v1/events?limit=1 "), "{}", asked[1]);
        let filters = "GET /api/v1/events/stream?source=area%3ANorth+lift&kind=raised%2Cacknowledged ";
        let ids: Vec<&str> = asked[2..]
            .iter()
            .map(|asked| {
                assert!(asked.starts_with(filters), "{asked}");
                asked.lines().find_map(|line| line.strip_prefix("last-event-id: ")).unwrap()
            })
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
        let page = "GET /api/v1/events?since=2026-11-24T01%3A10%3A00Z&after=";
        assert!(asked[1].starts_with(&format!("{page}0&limit=1000 ")), "{}", asked[1]);
        assert!(asked[2].starts_with(&format!("{page}9&limit=1000 ")), "{}", asked[2]);
        assert!(asked[3].contains("last-event-id: 12\r\n"), "{}", asked[3]);
    }

    #[test]
    fn an_entry_that_the_server_cannot_read_is_passed_over_once() {
        let unreadable =
            |of: i64| format!(r#"{{"sequence": {of}, "received_at": null, "why": "kind is x"}}"#);
        let page =
            |events: &[i64], of: i64| page(events, &format!(r#"null, "unreadable": [{}]"#, unreadable(of)));
        let sent = format!("id: 14\nevent: unreadable\ndata: {}\n\n", unreadable(14));
        let (seen, _, asked) = followed(
            &["--since", "2026-11-24T01:10:00Z"],
            vec![page(&[], 12), page(&[11, 13], 12), stream(&[13], &sent), stream(&[99], "")],
        );
        assert_eq!(seen, [11, 13, 99]);
        for (asked, last) in asked[2..].iter().zip([13, 14]) {
            assert!(asked.contains(&format!("last-event-id: {last}\r\n")), "{asked}");
        }
    }

    #[test]
    fn an_empty_ledger_is_followed_from_its_beginning() {
        let (seen, _, asked) = followed(&[], vec![page(&[], "null"), stream(&[1], ""), GONE.to_owned()]);
        assert_eq!(seen, [1]);
        assert!(asked[1].contains("last-event-id: 0\r\n"), "{}", asked[1]);
    }
}
