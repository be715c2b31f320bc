//! Whether the server is there, and can store and show.

use std::time::Duration;

use super::{Finding, Level};
use crate::cli::CheckOptions;
use crate::http_client::{HttpClient, found};
use crate::shown::time::Clock;
use crate::store::lock;
use crate::store::reader::{Reader, ServerRows, Which};

/// How long its answer may take: those who ask wait ten seconds for the whole.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

pub(super) fn look(options: &CheckOptions, clock: &Clock) -> Finding {
    let server = match &options.server {
        Some(server) => Ok(Some(server.clone())),
        None => found(&options.data.file),
    };
    let (status, text) = match server {
        Ok(Some(server)) => asked(HttpClient::new(server, ANSWER_WITHIN)),
        Ok(None) => seen(options, clock),
        Err(error) => (Level::Unknown, format!("{error:#}")),
    };
    Finding { what: "server", status, text, values: Vec::new() }
}

/// What it says itself; it needs no token for that.
fn asked(client: anyhow::Result<HttpClient>) -> (Level, String) {
    let client = match client {
        Ok(client) => client,
        Err(error) => return (Level::Unknown, format!("{error:#}")),
    };
    match client.get::<serde::de::IgnoredAny>(&["readyz"], &[]) {
        Ok(_) => (Level::Ok, "the server is ready".to_owned()),
        Err(error) => (Level::Critical, error.to_string()),
    }
}

/// What its database says: one that hears no HTTP says there each 30 s that it is alive,
/// if it can store that.
fn seen(options: &CheckOptions, clock: &Clock) -> (Level, String) {
    let read = || -> anyhow::Result<ServerRows> {
        Ok(Reader::open(&options.data.file)?.picture(Which::These(&[]), &clock.zone)?.server)
    };
    match read() {
        Err(error) => (Level::Unknown, format!("the server cannot be found: {error:#}")),
        // It was alive a moment ago, and has ended orderly since.
        Ok(server) if server.is_alive(clock.now_ms()) && !lock::has_ended(&options.data.file) => {
            (Level::Ok, "the server records, and hears no HTTP".to_owned())
        }
        Ok(ServerRows { alive_until_ms: Some(until_ms), .. }) => {
            let until = clock.minute_and_age(until_ms);
            (Level::Critical, format!("no server runs: nothing was recorded since {until}"))
        }
        Ok(_) => (Level::Critical, "no server runs, or ever ran, on this database".to_owned()),
    }
}
