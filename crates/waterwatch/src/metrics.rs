//! What Prometheus sees: how much came in and what became of it, how long that took,
//! and how full everything is that has a limit.
//!
//! One registry, made at the start, from which each part has its own counters: whoever
//! counts looks nothing up. The writer counts by the batch, never by the report. What is
//! known elsewhere anyway (the lane, the tokens, the process) is asked for only when
//! somebody looks.

mod hearing;
mod http;
mod looked_up;
mod process;
mod recording;
mod registering;
mod standing;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use prometheus_client::encoding::text;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use self::looked_up::LookedUp;
use self::process::Process;
use self::standing::Standing;
use crate::config::Limits;
use crate::health::Health;
use crate::lane::Level;
use crate::live::Live;
use crate::pulse::Pulse;
use crate::store::Tokens;

pub use self::hearing::{Connections, OpenConnection, RefusedLines};
pub use self::http::{OpenStream, Requests, Streams};
pub use self::recording::{Recording, Stands};

/// The media type of [`Metrics::text`].
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What all names begin with, but for those of the process, which are the same for every
/// program.
const PREFIX: &str = "waterwatch";

/// All metrics, and the counters of each part.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// What the writer counts.
    pub recording: Recording,
    /// Stations' connections.
    pub stations: Connections,
    /// HTTP connections.
    pub http: Connections,
    /// Lines that are refused.
    pub refused_lines: RefusedLines,
    /// HTTP requests.
    pub requests: Requests,
    /// Streams of events.
    pub streams: Streams,
}

/// What is asked for when somebody looks.
#[derive(Debug)]
pub struct Sources {
    /// Whether the writer turns, and can store.
    pub health: Arc<Health>,
    /// How full the lane is.
    pub lane: Level,
    /// Who may speak over HTTP.
    pub tokens: Tokens,
    /// How the stations and the alarms stand.
    pub live: Live,
    /// The backups, as people name them.
    pub backup: Vec<PathBuf>,
    /// How the ledger is followed.
    pub feed: Arc<Pulse>,
}

impl Metrics {
    /// All of them, at the start of a process.
    #[must_use]
    pub fn new(limits: &Limits, sources: Sources) -> Metrics {
        let mut registry = Registry::default();
        let ours = registry.sub_registry_with_prefix(PREFIX);
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        ours.register("build", "The program that runs", version);
        let refused_lines = RefusedLines::register(ours);
        let recording = Recording::register(ours, refused_lines.clone(), limits);
        let [stations, http] = hearing::register_connections(ours, ["stations", "http"]);
        let http = http.evictable(ours);
        let requests = Requests::register(ours);
        let streams = Streams::register(ours, limits.http_streams_max);
        registry.register_collector(Box::new(Standing::new(sources.live.clone())));
        registry.register_collector(Box::new(LookedUp::new(sources)));
        registry.register_collector(Box::new(Process::started(SystemTime::now())));
        Metrics { registry, recording, stations, http, refused_lines, requests, streams }
    }

    /// All of them as they are now, in the format of OpenMetrics.
    ///
    /// # Errors
    /// If a metric cannot be written as text: a mistake of the program.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests;
