//! `waterwatch client`: runs at a station, and reports its status file.
//!
//! The loop has two states. It waits, until the next report is due or the
//! file says something else, and it reports, one connection and one line at a
//! time, so that reports arrive in the order in which they were made. A
//! report that was not acknowledged makes the next one due sooner; what is
//! then sent is what the file says then. What is in the file is judged by
//! `status_file`, the server is spoken to by `exchange`, and what is worth a
//! line in the log is decided by `journal`.

mod changes;
mod exchange;
mod journal;
mod status_file;

use std::future::pending;
use std::time::Duration;

use anyhow::anyhow;
use tokio::select;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};
use waterwatch_core::Report;
use waterwatch_core::wire::Reply;

use self::changes::Changes;
use self::exchange::{Deadlines, Outcome, exchange};
use self::journal::{Journal, in_words};
use self::status_file::{Reading, StatusFile};
use crate::backoff;
use crate::cli::ClientOptions;
use crate::failure::Failure;
use crate::server_address::ServerAddress;

/// How long the file is left alone after the first sign of a change: saving
/// it makes several signs within milliseconds, and they are one report. Too
/// short to matter to an alarm.
const DEBOUNCE: Duration = Duration::from_millis(100);

/// How long a report that is on its way may still take once the client is
/// told to stop: enough for an answer over a slow link, and short enough for
/// whoever waits for the end.
const FINISH_WITHIN: Duration = Duration::from_secs(2);

/// The wait after a first failure, before chance shortens it: a server that
/// restarts is back within seconds.
const BACKOFF_FIRST: Duration = Duration::from_secs(1);

/// Stands for a time too far away for the clock to count to.
const FAR_AWAY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Reports a station's status file, once or until it is told to stop.
///
/// # Errors
/// With `--once`, if the file is wrong or the report was not acknowledged;
/// without it neither ends the client.
pub fn run(options: ClientOptions) -> Result<(), Failure> {
    let server = options.server;
    crate::log::start(options.log.log_format.unwrap_or_default());
    let file = StatusFile { path: options.status, stale_after: options.stale_after };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = if options.once {
        runtime.block_on(report_once(&file, &server))
    } else {
        runtime.block_on(report_until_stopped(file, server, options.every))
    };
    // A look-up of a name that hangs in the system is not waited for.
    runtime.shutdown_background();
    done
}

async fn report_once(file: &StatusFile, server: &ServerAddress) -> Result<(), Failure> {
    let report = match file.look().await {
        Reading::Fresh(report) => report,
        Reading::Stale => {
            return Err(anyhow!("{}; it is not reported", journal::stale(file)).into());
        }
        Reading::Wrong(wrong) => return Err(Failure::wrong_input(wrong)),
    };
    match exchange(server, report, Deadlines::default()).await {
        Ok(Reply::Ok) => {
            info!("{server} acknowledged {report}");
            Ok(())
        }
        Ok(Reply::Refused { code, sentence }) => {
            Err(anyhow!("{server} refused {report}: {code}: {sentence}").into())
        }
        Err(trouble) => Err(anyhow!("{server} did not acknowledge {report}: {trouble}").into()),
    }
}

async fn report_until_stopped(
    file: StatusFile,
    server: ServerAddress,
    every: Duration,
) -> Result<(), Failure> {
    let stop = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stop_on_signal = async {
        select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stop.cancel();
        pending::<()>().await;
    };
    info!("reporting {} to {server} every {} and at each change", file.path.display(), in_words(every));
    let client = Client {
        // Watched before it is read, so that no change falls in between.
        changes: Changes::of(&file.path),
        journal: Journal::new(file.clone(), server.clone()),
        file,
        server,
        every,
        stop: stop.clone(),
        last_reading: None,
        failures: 0,
    };
    select! {
        () = client.run() => {}
        () = stop_on_signal => {}
    }
    info!("stopped");
    Ok(())
}

/// The client's loop and what it remembers from one report to the next.
struct Client {
    file: StatusFile,
    server: ServerAddress,
    every: Duration,
    stop: CancellationToken,
    changes: Changes,
    journal: Journal,
    /// What the file said when it was last looked at.
    last_reading: Option<Reading>,
    /// How many attempts in a row have failed.
    failures: u32,
}

impl Client {
    /// Waits and reports by turns, until told to stop. The first report is
    /// due at once.
    async fn run(mut self) {
        let mut due = Instant::now();
        while let Some(reading) = self.next_reading(due).await {
            due = match reading {
                Reading::Fresh(report) => self.report(report).await,
                Reading::Stale | Reading::Wrong(_) => later(Instant::now(), self.every),
            };
        }
    }

    /// Waits until a report is due or the file says something else than
    /// before, and gives what it says. `None`: time to stop.
    async fn next_reading(&mut self, due: Instant) -> Option<Reading> {
        loop {
            let is_due = select! {
                biased;
                () = self.stop.cancelled() => return None,
                () = sleep_until(due) => true,
                () = self.changes.hint() => false,
            };
            if !is_due {
                sleep(DEBOUNCE).await;
                // Hints until here are answered by the look that follows.
                self.changes.forget_hints();
            }
            let reading = self.file.look().await;
            let says_something_else = self.last_reading.as_ref() != Some(&reading);
            if says_something_else {
                self.journal.reading(self.last_reading.as_ref(), &reading);
                self.last_reading = Some(reading.clone());
            }
            if is_due || says_something_else {
                return Some(reading);
            }
            debug!("{} was touched and says the same", self.file.path.display());
        }
    }

    /// Sends one report, and says when the next one is due.
    async fn report(&mut self, report: Report) -> Instant {
        let started = Instant::now();
        let Some(outcome) = self.exchange(report).await else {
            return started;
        };
        self.journal.outcome(report, &outcome, self.failures);
        if outcome.is_ok() {
            // Refused counts as well: the same line is never sent again, but
            // what the file says a period later is a new report.
            self.failures = 0;
            return later(started, self.every);
        }
        let delay = backoff::delay(BACKOFF_FIRST, self.every, self.failures, backoff::random());
        self.failures = self.failures.saturating_add(1);
        debug!("trying again in {}", in_words(delay));
        // An attempt may itself take long; the next is still not more than a
        // period after it began.
        later(Instant::now(), delay).min(later(started, self.every))
    }

    /// One exchange with the server. `None`: told to stop, and it would not
    /// finish.
    async fn exchange(&self, report: Report) -> Option<Outcome> {
        let out_of_time = async {
            self.stop.cancelled().await;
            sleep(FINISH_WITHIN).await;
        };
        select! {
            outcome = exchange(&self.server, report, Deadlines::default()) => Some(outcome),
            () = out_of_time => None,
        }
    }
}

/// `span` after `start`, also where the clock cannot count so far.
fn later(start: Instant, span: Duration) -> Instant {
    start.checked_add(span).unwrap_or_else(|| start + FAR_AWAY)
}
