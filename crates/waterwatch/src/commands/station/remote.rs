//! What a running server has said of stations, and having it say something else: each
//! change only of what was read.

use std::time::Duration;

use anyhow::anyhow;
use serde::Deserialize;
use serde_json::{Map, Value};
use waterwatch_core::StationId;

use super::change::{Change, Wanted, after, changes, is_contradicted};
use super::tries::{PAUSE, Tries, is_away};
use crate::cli::OrderOptions;
use crate::commands::order::Order;
use crate::failure::Failure;
use crate::http_client::{HttpClient, HttpError};
use crate::said_json;
use crate::said_tag::SaidTag;
use crate::station_says::StationSays;

/// How often others may be first with a change of the same station: each time one of
/// them is done, so that this ends.
const OTHERS_FIRST_MAX: u32 = 50;

/// Who is asked.
pub(super) struct Remote {
    client: HttpClient,
    /// Who wants what is changed, as the ledger is to say.
    on_behalf_of: String,
    /// Before it is asked again, if it did not answer.
    first_pause: Duration,
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
        Ok(Remote { client: HttpClient::of(&options.server)?, on_behalf_of, first_pause: PAUSE })
    }

    /// What is said of the stations from this one on, by their ids: so many at most of
    /// whom anything is said, and `true` if those are all.
    pub(super) fn page(&self, from: StationId, limit: usize) -> Result<(Vec<Read>, bool), Failure> {
        Ok(self.page_within(from, limit, &mut Tries::new(self.first_pause))?)
    }

    /// The same; a server that does not answer is asked again.
    fn page_within(
        &self,
        from: StationId,
        limit: usize,
        tries: &mut Tries,
    ) -> Result<(Vec<Read>, bool), HttpError> {
        loop {
            match self.page_once(from, limit) {
                Err(error) if is_away(&error) && tries.again() => {}
                ended => return ended,
            }
        }
    }

    fn page_once(&self, from: StationId, limit: usize) -> Result<(Vec<Read>, bool), HttpError> {
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
        Ok(self.one_within(station, &mut Tries::new(self.first_pause))?)
    }

    fn one_within(&self, station: StationId, tries: &mut Tries) -> Result<Read, HttpError> {
        let (page, _) = self.page_within(station, 1, tries)?;
        let found = page.into_iter().next().filter(|read| read.station == station);
        Ok(found.unwrap_or_else(|| Read::nothing(station)))
    }

    /// Has this said, of whom that was read, and says what it changed itself: nothing, where
    /// others said the same first. Whoever else changes something of it meanwhile is not
    /// written over; whatever else they change stays. What is not done for certain is tried
    /// again, and so is what may be done.
    pub(super) fn change(&self, read: &Read, wanted: &[Wanted]) -> Result<Vec<Change>, Failure> {
        let look = format!("waterwatch station show {}", read.station);
        let mut current = read.clone();
        let (mut tries, mut others_first) = (Tries::new(self.first_pause), 0);
        // What a request would have changed of which no answer came.
        let mut open = None;
        loop {
            let says = after(&current.says, wanted)?;
            if says == current.says {
                return Ok(open.unwrap_or_default());
            }
            let error = match self.put(&current, &says) {
                Ok(()) => return Ok(changes(&current.says, &says)),
                Err(error) => error,
            };
            if error.is_open() {
                open = Some(changes(&current.says, &says));
            }
            let is_tried_again = if matches!(&error, HttpError::Refused(refusal) if refusal.status == 412) {
                others_first += 1;
                others_first < OTHERS_FIRST_MAX
            } else {
                (error.is_open() || is_away(&error)) && tries.again()
            };
            if !is_tried_again {
                return Err(error.of_a_change(&look));
            }
            // It may have been done, with the answer lost: what is said shows it. Where
            // that cannot be looked at, it stays open.
            current = match self.one_within(read.station, &mut tries) {
                Ok(current) => current,
                Err(_) if error.is_open() => return Err(error.of_a_change(&look)),
                Err(error) => return Err(error.into()),
            };
            if is_contradicted(&read.says, &current.says, wanted) {
                return Err(Failure::Failed(anyhow!(
                    "station {}: somebody else has changed the same settings meanwhile; look at them, and say it again",
                    read.station
                )));
            }
        }
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

#[cfg(test)]
mod tests;
