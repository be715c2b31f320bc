//! What happened, as a running server has it: for whoever cannot read its database.

use serde::Deserialize;
use serde_json::value::Value;

use super::follow::{EVENTS, filters};
use crate::cli::EventsOptions;
use crate::http_client::{HttpClient, HttpError};

/// Entries that are asked for at once, at most.
const PAGE: usize = 1_000;

/// What was asked for, the oldest first.
pub(super) struct Past {
    pub(super) events: Vec<Value>,
    /// Whether there is more of it.
    pub(super) has_more: bool,
}

/// A page of the ledger.
#[derive(Deserialize)]
struct Page {
    events: Vec<Value>,
    next: Option<String>,
}

impl Past {
    /// Asks a server for as many as are wanted: the newest, or the first from a time on.
    pub(super) fn of(options: &EventsOptions, client: &HttpClient) -> Result<Past, HttpError> {
        let mut past = Past { events: Vec::new(), has_more: false };
        let since = options.since.map(|since| since.to_string());
        let direction = if since.is_some() { "after" } else { "before" };
        let mut cursor = since.is_some().then(|| "0".to_owned());
        let most = options.limit as usize;
        loop {
            let limit = (most - past.events.len()).min(PAGE).to_string();
            let mut query = filters(options);
            query.push(("limit", limit));
            query.extend(since.clone().map(|since| ("since", since)));
            query.extend(cursor.map(|cursor| (direction, cursor)));
            let query: Vec<(&str, &str)> =
                query.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let page: Page = client.get(&EVENTS, &query)?;
            past.events.extend(page.events);
            past.has_more = page.next.is_some();
            if past.events.len() >= most || !past.has_more {
                break;
            }
            cursor = page.next;
        }
        if since.is_none() {
            past.events.reverse();
        }
        Ok(past)
    }
}
