//! The writer: one thread that takes what waits, decides it on copies,
//! records it in one transaction, and only then tells.
//!
//! It knows no socket and no SQL. It is the only caller of [`Store::commit`].

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use waterwatch_core::wire::Refusal;
use waterwatch_core::{Station, StationId};

use crate::config::Limits;
use crate::lane::{Submission, Submissions, Verdict};
use crate::log::Seldom;
use crate::store::{Batch, Store, StoreError};

/// How long to wait before a batch that found no room is tried again: short
/// enough that nobody notices the healing, long enough to cost nothing.
const RETRY_EVERY: Duration = Duration::from_millis(100);

/// How long it may have been impossible to store until a batch is no longer
/// tried once the server is stopping: it must end within five seconds, with
/// time left to answer and to close the file.
const RETRY_WHILE_STOPPING: Duration = Duration::from_secs(1);

/// Runs until the intake is gone and everything taken is recorded.
///
/// `hang_up` closes every connection: what it acknowledged is durable, what
/// it waits for will be sent again. `stopping` ends retries early.
///
/// # Errors
/// When the database cannot be trusted or opened again: whoever supervises
/// the process must start it afresh.
pub fn run<S: Store>(
    mut submissions: Submissions,
    mut store: S,
    limits: &Limits,
    hang_up: impl Fn(),
    stopping: &CancellationToken,
) -> anyhow::Result<()> {
    let mut trouble = Trouble::default();
    let mut doubtful = false;
    while let Some(taken) = submissions.take(limits.batch_reports_max) {
        let decided = decide(&store, &taken, Timestamp::now().as_millisecond(), limits.stations_max);
        if decided.batch.stations.is_empty() {
            tell(taken, decided.verdicts);
            continue;
        }
        match record(&mut store, &decided.batch, limits.store_retry(), stopping, &mut trouble) {
            Ok(()) => {
                doubtful = false;
                tell(taken, decided.verdicts);
            }
            // Nothing was stored: the connections end unanswered and the
            // stations send again.
            Err(StoreError::Unavailable(_)) => drop(taken),
            Err(StoreError::Lost(reason)) => {
                drop(taken);
                hang_up();
                bail!("the database is lost: {reason}");
            }
            Err(StoreError::OutcomeUnknown(reason)) => {
                drop(taken);
                hang_up();
                anyhow::ensure!(!doubtful, "the database failed twice in a row: {reason}");
                doubtful = true;
                tracing::error!(%reason, "a commit may have failed; opening the database again");
                store.reopen().context("the database cannot be opened again")?;
            }
        }
    }
    Ok(())
}

/// A batch, decided on copies and not yet recorded.
struct Decided {
    batch: Batch,
    /// One for each submission, in their order.
    verdicts: Vec<Verdict>,
}

fn decide<S: Store>(store: &S, taken: &[Submission], now_ms: i64, stations_max: usize) -> Decided {
    static NO_MORE_STATIONS: Seldom = Seldom::new(Seldom::EVERY);
    let mut sequence = store.sequence();
    let mut changed: BTreeMap<StationId, Station> = BTreeMap::new();
    let mut known = store.station_count();
    let verdicts = taken
        .iter()
        .map(|submission| {
            let mut refused = Verdict::new();
            for (place, &report) in submission.reports.iter().enumerate() {
                let station_id = report.station_id;
                let before = changed.get(&station_id).copied().or_else(|| store.station(station_id));
                if before.is_none() {
                    if known >= stations_max {
                        NO_MORE_STATIONS.say(|held_back| {
                            tracing::warn!(%station_id, stations_max, held_back,
                                "refused a new station: stations_max are known");
                        });
                        refused.push((place, Refusal::StationsMax { station_id, stations_max }));
                        continue;
                    }
                    known += 1;
                }
                sequence += 1;
                changed.insert(station_id, Station::hear(before.as_ref(), report, now_ms, sequence));
            }
            refused
        })
        .collect();
    Decided { batch: Batch { stations: changed.into_iter().collect(), sequence }, verdicts }
}

/// Commits, and tries again for a while as long as it is certain that
/// nothing was stored.
fn record<S: Store>(
    store: &mut S,
    batch: &Batch,
    retry: Duration,
    stopping: &CancellationToken,
    trouble: &mut Trouble,
) -> Result<(), StoreError> {
    let started = Instant::now();
    loop {
        match store.commit(batch) {
            Ok(()) => {
                trouble.over();
                return Ok(());
            }
            Err(StoreError::Unavailable(reason)) => {
                trouble.goes_on(&reason);
                let given_up = stopping.is_cancelled() && trouble.lasts() >= RETRY_WHILE_STOPPING;
                if given_up || started.elapsed() >= retry {
                    return Err(StoreError::Unavailable(reason));
                }
                thread::sleep(RETRY_EVERY);
            }
            Err(other) => return Err(other),
        }
    }
}

fn tell(taken: Vec<Submission>, verdicts: Vec<Verdict>) {
    for (submission, verdict) in taken.into_iter().zip(verdicts) {
        // A connection that is gone does not hear it; its reports are stored.
        let _ = submission.verdict.send(verdict);
    }
}

/// A time in which nothing can be stored: said when it begins, now and then
/// while it lasts, and when it is over.
#[derive(Debug, Default)]
struct Trouble {
    since: Option<Instant>,
    said: Option<Instant>,
}

impl Trouble {
    /// How often it is said again while it lasts.
    const SAY_EVERY: Duration = Duration::from_secs(60);

    fn goes_on(&mut self, reason: &str) {
        let now = Instant::now();
        let since = *self.since.get_or_insert(now);
        if self.said.is_none_or(|said| now.duration_since(said) >= Self::SAY_EVERY) {
            self.said = Some(now);
            tracing::error!(
                reason,
                for_s = now.duration_since(since).as_secs(),
                "reports cannot be stored; they stay unanswered and stations will send them again"
            );
        }
    }

    fn lasts(&self) -> Duration {
        self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn over(&mut self) {
        if let Some(since) = self.since.take() {
            self.said = None;
            tracing::info!(after_s = since.elapsed().as_secs(), "reports are stored again");
        }
    }
}

#[cfg(test)]
mod tests;
