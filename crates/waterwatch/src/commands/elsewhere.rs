//! What a running server shows, for whoever cannot read its database: read back into what
//! the tables here are made of.

mod alarm;
mod event;
mod station;

use anyhow::anyhow;
use serde::Deserialize;
use serde_json::value::Value;
use waterwatch_core::alarm::{AlarmSource, Point};

use crate::cli::LookOptions;
use crate::failure::Failure;
use crate::http_client::{HttpClient, HttpError};
use crate::store::reader::UnreadableEntry;

pub(super) use self::alarm::standing;
pub(super) use self::event::event;
pub(super) use self::station::{detail, station};

/// Rows that are asked for at once, at most.
const PAGE: usize = 1_000;

/// What is asked for.
pub(super) type Query = Vec<(&'static str, String)>;

/// A server that was named.
pub(super) struct Elsewhere(HttpClient);

/// Rows as the server writes them, so that fields that are newer than we are stay.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) rows: Vec<Value>,
    /// Entries of the ledger among them that it cannot read.
    pub(super) unreadable: Vec<UnreadableEntry>,
    /// Whether there are more.
    pub(super) has_more: bool,
}

impl Elsewhere {
    /// The server that was named; `None`: the database is read.
    pub(super) fn of(look: &LookOptions) -> Result<Option<Elsewhere>, Failure> {
        look.server().map(|server| HttpClient::of(&server).map(Elsewhere)).transpose()
    }

    /// The same with a client that is there.
    pub(super) fn at(client: HttpClient) -> Elsewhere {
        Elsewhere(client)
    }

    /// Whether anything is known there of a source: of a station or an area its silence is,
    /// and of what is forgotten what happened.
    pub(super) fn knows(&self, source: &AlarmSource) -> Result<bool, Failure> {
        let written = written(source);
        if *source == AlarmSource::Server
            || self.find(&["alarms", &written, Point::Comms.name()], &Query::new())?.is_some()
        {
            return Ok(true);
        }
        Ok(!self.events(&vec![("source", written)], None, 1)?.rows.is_empty())
    }

    /// The first of these sources of which nothing is known there.
    pub(super) fn first_unknown(
        &self,
        sources: impl IntoIterator<Item = AlarmSource>,
    ) -> Result<Option<AlarmSource>, Failure> {
        for source in sources {
            if !self.knows(&source)? {
                return Ok(Some(source));
            }
        }
        Ok(None)
    }

    /// What is at `path`.
    pub(super) fn get(&self, path: &[&str], query: &Query) -> Result<Value, Failure> {
        self.0.get(&in_api(path), &borrowed(query)).map_err(of_looking)
    }

    /// What is at `path`; `None` if there is no such thing.
    pub(super) fn find(&self, path: &[&str], query: &Query) -> Result<Option<Value>, Failure> {
        match self.0.get(&in_api(path), &borrowed(query)) {
            Err(HttpError::Refused(refusal)) if refusal.status == 404 => Ok(None),
            found => found.map(Some).map_err(of_looking),
        }
    }

    /// The `rows` of a list, page by page, `after` a place in it, until there are so many.
    pub(super) fn rows(
        &self,
        rows: &str,
        query: &Query,
        after: Option<String>,
        most: usize,
    ) -> Result<Rows, Failure> {
        self.pages(rows, query, "after", after, most)
    }

    /// The entries of the ledger that fit, the oldest first: those behind `beginning`, or
    /// the newest.
    pub(super) fn events(&self, query: &Query, beginning: Option<i64>, most: usize) -> Result<Rows, Failure> {
        let direction = if beginning.is_some() { "after" } else { "before" };
        let cursor = beginning.map(|after| after.to_string());
        let mut events = self.pages("events", query, direction, cursor, most)?;
        if beginning.is_none() {
            events.rows.reverse();
            events.unreadable.reverse();
        }
        Ok(events)
    }

    fn pages(
        &self,
        rows: &str,
        query: &Query,
        direction: &'static str,
        mut cursor: Option<String>,
        most: usize,
    ) -> Result<Rows, Failure> {
        let mut all = Rows::default();
        loop {
            let mut query = query.clone();
            query.push(("limit", (most - all.len()).min(PAGE).to_string()));
            query.extend(cursor.take().map(|cursor| (direction, cursor)));
            let mut page = self.get(&[rows], &query)?;
            let Value::Array(more) = page[rows].take() else { return Err(self.strange()) };
            all.rows.extend(more);
            all.unreadable.extend(unreadable_of(&page));
            cursor = page["next"].as_str().map(str::to_owned);
            all.has_more = cursor.is_some();
            if all.len() >= most || !all.has_more {
                return Ok(all);
            }
        }
    }

    /// That it says what is not understood here.
    pub(super) fn strange(&self) -> Failure {
        Failure::Failed(HttpError::Strange { server: self.0.server().clone(), status: 200 }.into())
    }
}

impl Rows {
    /// How many were found.
    fn len(&self) -> usize {
        self.rows.len() + self.unreadable.len()
    }
}

/// Entries of the ledger that the server cannot read, beside those that it shows; an older
/// server names none.
pub(super) fn unreadable_of(page: &Value) -> Vec<UnreadableEntry> {
    let of = |entry: &Value| {
        let (sequence, why) = (entry["sequence"].as_i64()?, entry["why"].as_str()?.into());
        Some(UnreadableEntry { sequence, received_at_ms: None, why })
    };
    page["unreadable"].as_array().into_iter().flatten().filter_map(of).collect()
}

/// A source as a server is asked for it.
pub(super) fn written(source: &AlarmSource) -> String {
    match source {
        AlarmSource::Area(name) => format!("area:{name}"),
        source => source.to_string(),
    }
}

/// Words with commas between them, if there are any.
pub(super) fn listed<'a>(
    name: &'static str,
    words: impl Iterator<Item = &'a str>,
) -> Option<(&'static str, String)> {
    let words: Vec<&str> = words.collect();
    (!words.is_empty()).then(|| (name, words.join(",")))
}

/// What is read back of one row.
pub(super) fn read<T: for<'de> Deserialize<'de>>(row: &Value) -> Option<T> {
    T::deserialize(row).ok()
}

fn in_api<'a>(path: &[&'a str]) -> Vec<&'a str> {
    ["api", "v1"].iter().chain(path).copied().collect()
}

fn borrowed(query: &Query) -> Vec<(&str, &str)> {
    query.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

/// How a command ends that only looks.
fn of_looking(error: HttpError) -> Failure {
    match error {
        HttpError::Refused(refusal) if refusal.status == 422 => Failure::WrongInput(anyhow!(refusal)),
        error => Failure::Failed(error.into()),
    }
}
