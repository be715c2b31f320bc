//! What a running server has said of stations, and having it say something else: each
//! change only of what was read.

use std::thread;
use std::time::Duration;

use anyhow::anyhow;
use serde::Deserialize;
use serde_json::{Map, Value};
use waterwatch_core::StationId;

use super::change::{Change, Wanted, after, changes, is_untouched};
use crate::cli::OrderOptions;
use crate::commands::order::Order;
use crate::failure::Failure;
use crate::http_client::{HttpClient, HttpError};
use crate::said_json;
use crate::said_tag::SaidTag;
use crate::station_says::StationSays;

/// How often a change is tried that was not done for certain, or of which it is not
/// known: with the pauses between, some 15 s, as long as a server needs that restarts.
const TRIES_MAX: u32 = 6;

/// How often others may be first with a change of the same station: each time one of
/// them is done, so that this ends.
const OTHERS_FIRST_MAX: u32 = 50;

/// The first pause between two tries; each is twice as long as the one before.
const PAUSE: Duration = Duration::from_millis(500);

/// Who is asked.
pub(super) struct Remote {
    client: HttpClient,
    /// Who wants what is changed, as the ledger is to say.
    on_behalf_of: String,
}

/// What is said of a station, as it was read.
#[derive(Clone, Debug)]
pub(super) struct Read {
    pub(super) station: StationId,
    pub(super) says: StationSays,
    tag: Option<String>,
}

/// A page of them.
#[derive(Deserialize)]
struct Page {
    stations: Vec<Row>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Row {
    station_id: i64,
    said: Map<String, Value>,
    tag: String,
}

/// An answer of which no more is needed than that it is there.
#[derive(Deserialize)]
struct Put {}

impl Remote {
    pub(super) fn of(options: &OrderOptions) -> Result<Remote, Failure> {
        let on_behalf_of = Order::of(options).on_behalf_of;
        Ok(Remote { client: HttpClient::of(&options.server)?, on_behalf_of })
    }

    /// What is said of the stations from this one on, by their ids: so many at most of
    /// whom anything is said, and `true` if those are all.
    pub(super) fn page(&self, from: StationId, limit: usize) -> Result<(Vec<Read>, bool), Failure> {
        let limit = limit.to_string();
        let after = from.get().checked_sub(1).filter(|after| *after >= 0).map(|after| after.to_string());
        let mut query = vec![("limit", limit.as_str())];
        query.extend(after.as_ref().map(|after| ("after", after.as_str())));
        let page: Page = self.client.get(&["api", "v1", "stations", "settings"], &query)?;
        let is_last = page.next.is_none();
        let read = page.stations.into_iter().map(|row| self.read_row(row)).collect::<Result<_, _>>()?;
        Ok((read, is_last))
    }

    fn read_row(&self, row: Row) -> Result<Read, HttpError> {
        let strange = || HttpError::Strange { server: self.client.server().clone(), status: 200 };
        let station = StationId::new(row.station_id).ok_or_else(strange)?;
        let says = said_json::said(&row.said).map_err(|_| strange())?;
        Ok(Read { station, says, tag: Some(row.tag) })
    }

    /// What is said of one station.
    pub(super) fn one(&self, station: StationId) -> Result<Read, Failure> {
        let (page, _) = self.page(station, 1)?;
        let found = page.into_iter().next().filter(|read| read.station == station);
        Ok(found.unwrap_or_else(|| Read::nothing(station)))
    }

    /// Has this said, of whom that was read, and says what became other. Whoever else
    /// changes something of it meanwhile is not written over; whatever else they change
    /// stays. What is not done for certain is tried again, and so is what may be done.
    pub(super) fn change(&self, read: &Read, wanted: &[Wanted]) -> Result<Vec<Change>, Failure> {
        let mut current = read.clone();
        let (mut tries, mut others_first, mut pause) = (0, 0, PAUSE);
        loop {
            let says = after(&current.says, wanted)?;
            if says == current.says {
                break;
            }
            let error = match self.put(&current, &says) {
                Ok(()) => break,
                Err(error) => error,
            };
            let has_changed = matches!(&error, HttpError::Refused(refusal) if refusal.status == 412);
            let count = if has_changed { &mut others_first } else { &mut tries };
            *count += 1;
            let may_be_tried = has_changed || error.is_open() || is_not_done(&error);
            if tries == TRIES_MAX || others_first == OTHERS_FIRST_MAX || !may_be_tried {
                let look = format!("waterwatch station show {}", read.station);
                return Err(error.of_a_change(&look));
            }
            if !has_changed {
                thread::sleep(pause);
                pause *= 2;
            }
            // It may have been done, with the answer lost: what is said shows it.
            current = self.one(read.station)?;
            let done = after(&current.says, wanted)? == current.says;
            if !done && !is_untouched(&read.says, &current.says, wanted) {
                return Err(Failure::Failed(anyhow!(
                    "station {}: somebody else has changed the same settings meanwhile; look at them, and say it again",
                    read.station
                )));
            }
        }
        Ok(changes(&read.says, &after(&read.says, wanted)?))
    }

    fn put(&self, current: &Read, says: &StationSays) -> Result<(), HttpError> {
        let station = current.station.to_string();
        let path = ["api", "v1", "stations", &station];
        let body = said_json::object(says);
        // Nothing that is said has a tag, too.
        let tag = current.tag.clone().unwrap_or_else(|| SaidTag::of(&[]).to_string());
        let Put {} = self.client.put_if(&path, &[("on_behalf_of", &self.on_behalf_of)], &tag, &body)?;
        Ok(())
    }
}

impl Read {
    /// Of one of which nothing is said.
    pub(super) fn nothing(station: StationId) -> Read {
        Read { station, says: StationSays::default(), tag: None }
    }
}

/// Whether it was not done for certain, and may be soon.
fn is_not_done(error: &HttpError) -> bool {
    match error {
        HttpError::Unreached { .. } => true,
        HttpError::Refused(refusal) => refusal.status == 503,
        HttpError::Lost { .. } | HttpError::TooLong { .. } | HttpError::Strange { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write};
    use std::net::TcpListener;

    use waterwatch_core::settings::Told;

    use super::*;

    /// A server that is asked for these, one after the other, and answers so.
    fn scripted(script: &'static [(&'static str, u16, &'static str)]) -> (Remote, thread::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let client = HttpClient::new(server, Duration::from_secs(20)).unwrap();
        let answering = thread::spawn(move || {
            for (asked, status, body) in script {
                let mut stream = listener.accept().unwrap().0;
                let mut head = [0; 8192];
                let length = stream.read(&mut head).unwrap();
                let head = String::from_utf8_lossy(&head[..length]).into_owned();
                assert!(head.starts_with(asked), "{asked}: {head}");
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
                );
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        (Remote { client, on_behalf_of: "Ana".to_owned() }, answering)
    }

    const LOOK: &str = "GET /api/v1/stations/settings?limit=1&after=6 ";
    const PUT: &str = "PUT /api/v1/stations/7?on_behalf_of=Ana ";
    const NOTHING: &str = r#"{"stations": [], "next": null}"#;
    const NORTH: &str =
        r#"{"stations": [{"station_id": 7, "said": {"name": "North"}, "tag": "a"}], "next": null}"#;
    const SOUTH: &str =
        r#"{"stations": [{"station_id": 7, "said": {"name": "South"}, "tag": "b"}], "next": "7"}"#;
    const OTHER: &str =
        r#"{"stations": [{"station_id": 7, "said": {"area": "A"}, "tag": "c"}], "next": null}"#;

    /// Names station 7 `North`, of whom nothing was said.
    fn named(script: &'static [(&'static str, u16, &'static str)]) -> Result<Vec<Change>, String> {
        let (remote, answering) = scripted(script);
        let wanted = [Wanted { field: "name".to_owned(), to: Some(Told::Text("North".to_owned())) }];
        let read = Read::nothing(StationId::new(7).unwrap());
        let changed = remote.change(&read, &wanted);
        answering.join().unwrap();
        changed.map_err(|failure| match failure {
            Failure::Failed(error) | Failure::WrongInput(error) => format!("{error:#}"),
        })
    }

    #[test]
    fn what_was_not_done_is_tried_again_and_what_may_have_been_is_looked_at() {
        let name =
            [Change { field: "name".to_owned(), from: None, to: Some(Told::Text("North".to_owned())) }];
        for script in [
            &[(PUT, 200, "{}")][..],
            &[(PUT, 503, r#"{"detail": "no room"}"#), (LOOK, 200, NOTHING), (PUT, 200, "{}")],
            // Done, and the answer was lost.
            &[(PUT, 504, r#"{"detail": "not known"}"#), (LOOK, 200, NORTH)],
            &[(PUT, 412, r#"{"detail": "changed"}"#), (LOOK, 200, NORTH)],
            // Somebody has changed something else.
            &[(PUT, 412, r#"{"detail": "changed"}"#), (LOOK, 200, OTHER), (PUT, 200, "{}")],
        ] {
            let changed = named(script);
            assert_eq!(changed.as_deref(), Ok(&name[..]), "{script:?}");
        }
        let touched = named(&[(PUT, 412, r#"{"detail": "changed"}"#), (LOOK, 200, SOUTH)]);
        assert!(touched.unwrap_err().contains("somebody else has changed the same settings meanwhile"));
        let forbidden = named(&[(PUT, 403, r#"{"detail": "not for a viewer"}"#)]);
        assert_eq!(forbidden.unwrap_err(), "not for a viewer");
    }
}
