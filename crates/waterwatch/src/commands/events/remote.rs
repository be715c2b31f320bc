//! What happened, as a running server has it: for whoever cannot read its database.

use serde::Deserialize;
use serde_json::value::Value;

use super::beginning;
use super::follow::{EVENTS, filters};
use crate::cli::EventsOptions;
use crate::http_client::{HttpClient, HttpError};
use crate::store::reader::UnreadableEntry;

/// Entries that are asked for at once, at most.
const PAGE: usize = 1_000;

/// What was asked for, the oldest first.
pub(super) struct Past {
    pub(super) events: Vec<Value>,
    /// Those that the server cannot read.
    pub(super) unreadable: Vec<UnreadableEntry>,
    /// Whether there is more of it.
    pub(super) has_more: bool,
}

/// A page of the ledger.
#[derive(Deserialize)]
struct Page {
    events: Vec<Value>,
    /// An older server has none.
    #[serde(default)]
    unreadable: Vec<Unreadable>,
    next: Option<String>,
}

/// An entry that the server cannot read.
#[derive(Deserialize)]
struct Unreadable {
    sequence: i64,
    why: Box<str>,
}

impl Past {
    /// Asks a server for as many as are wanted: the newest, or the first from a time or an entry on.
    pub(super) fn of(options: &EventsOptions, client: &HttpClient) -> Result<Past, HttpError> {
        let mut past = Past { events: Vec::new(), unreadable: Vec::new(), has_more: false };
        let since = options.since.map(|since| since.to_string());
        let beginning = beginning(options);
        let direction = if beginning.is_some() { "after" } else { "before" };
        let mut cursor = beginning.map(|after| after.to_string());
        let most = options.limit as usize;
        loop {
            let found = past.events.len() + past.unreadable.len();
            let limit = most.saturating_sub(found).clamp(1, PAGE).to_string();
            let mut query = filters(options);
            query.push(("limit", limit));
            query.extend(since.clone().map(|since| ("since", since)));
            query.extend(cursor.map(|cursor| (direction, cursor)));
            let query: Vec<(&str, &str)> =
                query.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let page: Page = client.get(&EVENTS, &query)?;
            past.events.extend(page.events);
            past.unreadable.extend(
                page.unreadable.into_iter().map(|Unreadable { sequence, why }| UnreadableEntry {
                    sequence,
                    received_at_ms: None,
                    why,
                }),
            );
            past.has_more = page.next.is_some();
            if past.events.len() + past.unreadable.len() >= most || !past.has_more {
                break;
            }
            cursor = page.next;
        }
        if beginning.is_none() {
            past.events.reverse();
            past.unreadable.reverse();
        }
        Ok(past)
    }
}
