//! Following the ledger: what the server sends, from one connection to the next without
//! a gap or a repetition, since each goes on behind the last entry that was seen.

use std::io::{BufReader, Write};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use reqwest::Method;
use serde::Deserialize;
use serde_json::value::Value;
use waterwatch_core::alarm::{AlarmSource, Point};

use super::seen::{Mark, Seen};
use super::stream::Stream;
use super::told::Told;
use crate::backoff;
use crate::cli::EventsOptions;
use crate::commands::alarm;
use crate::commands::elsewhere::{Query, listed, written};
use crate::failure::Failure;
use crate::http_client::{HttpClient, HttpError};
use crate::shown::text::plain;

/// The wait after a connection that ended, and the longest one.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

const EVENTS: [&str; 3] = ["api", "v1", "events"];
const STREAM: [&str; 4] = ["api", "v1", "events", "stream"];

/// Entries that are asked for at once.
const PAGE: &str = "1000";

/// Whoever follows.
pub(super) struct Follower<'a> {
    options: &'a EventsOptions,
    /// What is wanted, as the server is asked for it.
    filters: Query,
    /// The entry behind which it goes on.
    at: i64,
    /// What was shown of late.
    seen: Seen,
    /// The server has just said that its ledger is the one that was followed until now.
    is_known: bool,
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
pub(super) fn filters(options: &EventsOptions) -> Query {
    let mut filters = Query::from_iter(options.source.as_ref().map(|source| ("source", written(source))));
    filters.extend(options.point.map(|point| ("point", Point::name(point).to_owned())));
    filters.extend(listed("kind", options.kind.iter().map(|kind| kind.name())));
    filters
}

impl<'a> Follower<'a> {
    pub(super) fn new(options: &'a EventsOptions) -> Follower<'a> {
        Follower {
            options,
            filters: filters(options),
            at: 0,
            seen: Seen::default(),
            is_known: false,
            has_complained: false,
        }
    }

    /// Shows what happens until nobody wants more. A server that is away is waited for,
    /// once it was there.
    pub(super) fn follow(mut self, see: &mut See<'_>) -> Result<(), Failure> {
        let client = HttpClient::of(&self.options.server)?;
        let failed = |error: HttpError| Failure::Failed(error.into());
        if let Some(source) = self.unknown(&client).map_err(failed)? {
            return Err(alarm::unknown(source, None));
        }
        if !self.begin(&client, see)? {
            return Ok(());
        }
        let mut failures = 0;
        loop {
            let (at, began) = (self.at, Instant::now());
            // It may be elsewhere by now, on a port that it chose itself.
            let why = match HttpClient::of(&self.options.server) {
                Ok(client) => match self.same_ledger(&client).and_then(|()| self.connection(&client, see)) {
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
            self.is_known = false;
            // A stream that is well says something at least each so often.
            if self.at > at || began.elapsed() >= LONGEST_WAIT {
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
    fn begin(&mut self, client: &HttpClient, see: &mut See<'_>) -> Result<bool, Failure> {
        let newest = newest(client)?;
        let newest_at = newest.as_ref().map_or(0, |newest| newest.sequence);
        let EventsOptions { since, after, .. } = self.options;
        if let Some(after) = after.filter(|after| *after > newest_at) {
            return Err(Failure::Failed(anyhow!(
                "there is no entry {after} yet, the newest is {newest_at}: the number is of another server, or an \
                 older backup was restored"
            )));
        }
        if since.is_some() || after.is_some() {
            self.at = after.unwrap_or(0);
            if !self.past(client, see)? {
                return Ok(false);
            }
        }
        self.at = self.at.max(newest_at);
        newest.into_iter().for_each(|newest| self.seen.add(newest));
        self.is_known = true;
        Ok(true)
    }

    /// Shows what was recorded behind the entry where it is. Whether anybody wants more.
    fn past(&mut self, client: &HttpClient, see: &mut See<'_>) -> Result<bool, HttpError> {
        let since = self.options.since.map(|since| since.to_string());
        let mut after = self.at.to_string();
        loop {
            let mut query: Vec<(&str, &str)> = vec![("after", &after), ("limit", PAGE)];
            query.extend(since.as_deref().map(|since| ("since", since)));
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
                None => return Ok(true),
            }
        }
    }

    /// Goes back to where the ledger parts from what was shown: while the server was away
    /// an older backup may have been restored, and other entries have those numbers now.
    fn same_ledger(&mut self, client: &HttpClient) -> Result<(), HttpError> {
        if std::mem::replace(&mut self.is_known, true) {
            return Ok(());
        }
        let has = |mark: &Mark| -> Result<bool, HttpError> {
            let after = (mark.sequence - 1).to_string();
            let page: Page = client.get(&EVENTS, &[("after", &after), ("limit", "1")])?;
            Ok(page.entries().first().and_then(Mark::of).as_ref() == Some(mark))
        };
        if self.seen.forget_what_is_gone(has)? {
            return Ok(());
        }
        let restored = "another ledger is there than was shown, as when an older backup was restored";
        let on = match self.seen.last() {
            Some(last) => {
                self.at = last;
                format!("what was shown after entry {last} is not in it; going on behind that entry")
            }
            None => {
                let newest = newest(client)?;
                self.at = newest.as_ref().map_or(0, |newest| newest.sequence);
                newest.into_iter().for_each(|newest| self.seen.add(newest));
                "it has nothing of what was shown; going on with what happens from now on".to_owned()
            }
        };
        complain(&format!("{restored}: {on}"));
        Ok(())
    }

    /// Shows what comes by one connection.
    fn connection(&mut self, client: &HttpClient, see: &mut See<'_>) -> Result<Ended, HttpError> {
        let query: Vec<(&str, &str)> =
            self.filters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let request = client
            .request(Method::GET, &STREAM, &query)
            .header("accept", "text/event-stream")
            .header("last-event-id", self.at.to_string());
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
        let Ok(entry) = serde_json::from_str::<Value>(event) else { return true };
        let Some(mark) = Mark::of(&entry).filter(|mark| mark.sequence > self.at) else { return true };
        if let Ok(told) = Told::deserialize(&entry) {
            self.at = told.sequence;
            self.seen.add(mark);
            return see(event, &told);
        }
        // Else it is something that a newer server sends.
        if let Ok(Unreadable { why }) = Unreadable::deserialize(&entry) {
            self.at = mark.sequence;
            self.seen.add(mark);
            complain(&format!("an entry of the ledger cannot be read, and is left out: {}", plain(&why)));
        }
        true
    }
}

/// The newest entry of all, if there is any.
fn newest(client: &HttpClient) -> Result<Option<Mark>, HttpError> {
    let page: Page = client.get(&EVENTS, &[("limit", "1")])?;
    Ok(page.entries().first().and_then(Mark::of))
}

/// Says it to whoever may be there to read it.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "waterwatch: {text}");
}

#[cfg(test)]
mod tests;
