//! The log on standard error: text for people, JSON for machines.
//!
//! It is written by a thread of its own. Whoever reads it may be slow, gone,
//! or a full disk: lines are dropped then, and nothing else happens.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

use crate::terminal;

/// Lines that wait for a slow reader; the newest are dropped beyond.
const LINES_WAITING_MAX: usize = 4096;

/// Writes what waits when it is dropped.
static WRITER: Mutex<Option<WorkerGuard>> = Mutex::new(None);

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

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct LogOptions {
    /// How the log on standard error is written [default: text]
    #[arg(long, env = "WATERWATCH_LOG_FORMAT", value_name = "FORMAT", ignore_case = true)]
    pub log_format: Option<LogFormat>,
}

/// Starts the log. The level is `info`, or what `WATERWATCH_LOG` says, such
/// as `debug` or `waterwatch::intake=debug`.
pub fn start(format: LogFormat) {
    let filter = EnvFilter::builder()
        .with_default_directive(tracing::Level::INFO.into())
        .with_env_var("WATERWATCH_LOG")
        .from_env_lossy();
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(LINES_WAITING_MAX)
        .lossy(true)
        .finish(std::io::stderr());
    *WRITER.lock().unwrap_or_else(PoisonError::into_inner) = Some(guard);
    // A line that cannot be written must not be told on standard error.
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).log_internal_errors(false);
    match format {
        LogFormat::Text => {
            builder.with_target(false).with_ansi(terminal::has_colours(&std::io::stderr())).init();
        }
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}

/// How long what waits may take to be written at the end: part of the five
/// seconds that a stop may take.
const FINISH_WITHIN: Duration = Duration::from_millis(1500);

/// Writes what waits, for at most 1.5 s; the log is over then.
pub fn finish() {
    let Some(guard) = WRITER.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
    // Elsewhere, since the guard itself may wait for whoever does not read.
    let (finished, done) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || {
        drop(guard);
        drop(finished);
    });
    let _ = done.recv_timeout(FINISH_WITHIN);
}

/// Ends the process at once, with what the log says of it.
pub fn exit(code: i32) -> ! {
    finish();
    std::process::exit(code)
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
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
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
