//! The log on standard error: text for people, JSON for machines.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tracing_subscriber::EnvFilter;

/// How a log line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

/// Starts the log. The level is `info`, or what `WATERWATCH_LOG` says, such
/// as `debug` or `waterwatch::intake=debug`.
pub fn start(format: LogFormat) {
    let filter = EnvFilter::builder()
        .with_default_directive(tracing::Level::INFO.into())
        .with_env_var("WATERWATCH_LOG")
        .from_env_lossy();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => builder.with_target(false).with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}

/// Lets one message of a kind through at a time, so that whoever floods the
/// server does not flood its log.
#[derive(Debug)]
pub struct Seldom {
    every: Duration,
    state: Mutex<Option<(Instant, u64)>>,
}

impl Seldom {
    /// One message each ten seconds: often enough to see that it goes on.
    pub const EVERY: Duration = Duration::from_secs(10);

    /// One message each `every`.
    #[must_use]
    pub const fn new(every: Duration) -> Seldom {
        Seldom { every, state: Mutex::new(None) }
    }

    /// Runs `log` unless a message came less than `every` ago. It is given
    /// the number of messages that were held back since the last one.
    pub fn say(&self, log: impl FnOnce(u64)) {
        let now = Instant::now();
        let held_back = {
            let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            match &mut *state {
                Some((last, held_back)) if now.duration_since(*last) < self.every => {
                    *held_back += 1;
                    return;
                }
                Some((_, held_back)) => {
                    let held_back = *held_back;
                    *state = Some((now, 0));
                    held_back
                }
                None => {
                    *state = Some((now, 0));
                    0
                }
            }
        };
        log(held_back);
    }
}
