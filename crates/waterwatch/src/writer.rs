//! The writer: one thread that takes what waits, decides it on copies,
//! records it in one transaction, and only then tells.
//!
//! It knows no socket and no SQL. It is the only caller of [`Store::commit`].

pub mod draft;
mod pace;

use std::thread;
use std::time::{Duration, Instant};

use self::draft::Draft;
use self::pace::Pace;
use crate::config::Limits;
use crate::lane::{Submission, Submissions, Taken, Verdict};
use crate::store::{Batch, Store, StoreError};
use anyhow::{Context, bail};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

/// How long to wait before a batch that found no room is tried again: short
/// enough that nobody notices the healing, long enough to cost nothing.
const RETRY_EVERY: Duration = Duration::from_millis(100);

/// How long it may have been impossible to store until a batch is no longer
/// tried once the server is stopping: it must end within five seconds, with
/// time left to answer and to close the file.
const RETRY_WHILE_STOPPING: Duration = Duration::from_secs(1);

/// How long the end may take to fold what is journaled; the next start does
/// the rest.
const SETTLE: Duration = Duration::from_secs(1);

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
    store: S,
    limits: &Limits,
    hang_up: impl Fn(),
    stopping: &CancellationToken,
) -> anyhow::Result<()> {
    let mut recorder =
        Recorder { store, limits, hang_up, stopping, trouble: Trouble::default(), doubtful: false };
    let mut draft = Draft::default();
    let mut pace = Pace::new(limits);
    loop {
        let due = recorder.due();
        match submissions.take(limits.batch_reports_max, pace.company(), due) {
            Taken::Batch(taken) => {
                let now_ms = Timestamp::now().as_millisecond();
                let reports = taken.iter().map(|submission| (&submission.reports[..], submission.source));
                let verdicts = draft.decide(&recorder.store, now_ms, limits.stations_max, reports);
                if draft.batch.changes.is_empty() {
                    tell(taken, verdicts);
                    continue;
                }
                draft.batch.form = pace.form(draft.batch.changes.len(), Instant::now());
                // Not stored: the connections end unanswered and the stations
                // send again.
                if recorder.record(&draft.batch)? { tell(taken, verdicts) } else { drop(taken) }
            }
            Taken::Nothing => recorder.tend()?,
            Taken::End => break,
        }
    }
    recorder.settle();
    Ok(())
}

/// Records batches, and does what is to be done when that fails.
struct Recorder<'a, S, H> {
    store: S,
    limits: &'a Limits,
    hang_up: H,
    stopping: &'a CancellationToken,
    trouble: Trouble,
    /// The last commit may have failed or not.
    doubtful: bool,
}

impl<S: Store, H: Fn()> Recorder<'_, S, H> {
    /// Whether the batch is durable. If not, nothing of it is stored, or it is
    /// not known.
    fn record(&mut self, batch: &Batch) -> anyhow::Result<bool> {
        let started = Instant::now();
        loop {
            match self.store.commit(batch) {
                Ok(()) => {
                    self.trouble.over();
                    self.doubtful = false;
                    return Ok(true);
                }
                Err(StoreError::Unavailable(reason)) => {
                    self.trouble.goes_on(&reason);
                    let given_up =
                        self.stopping.is_cancelled() && self.trouble.lasts() >= RETRY_WHILE_STOPPING;
                    if given_up || started.elapsed() >= self.limits.store_retry() {
                        return Ok(false);
                    }
                    thread::sleep(RETRY_EVERY);
                }
                Err(error) => {
                    self.recover(error)?;
                    return Ok(false);
                }
            }
        }
    }

    /// When there is something to do for the store.
    fn due(&self) -> Option<Instant> {
        let due = self.store.due()?;
        // While nothing can be stored, no oftener than batches are tried.
        Some(self.trouble.met.map_or(due, |last| due.max(last + RETRY_EVERY)))
    }

    fn tend(&mut self) -> anyhow::Result<()> {
        match self.store.tend() {
            Ok(wrote) => {
                self.doubtful &= !wrote;
                self.trouble.over();
            }
            Err(StoreError::Unavailable(reason)) => self.trouble.goes_on(&reason),
            Err(error) => self.recover(error)?,
        }
        Ok(())
    }

    fn settle(&mut self) {
        if let Err(error) = self.store.settle(Instant::now() + SETTLE) {
            // All is in the journal, which the next start reads.
            tracing::warn!(%error, "what is journaled could not be folded before the end");
        }
    }

    /// Nobody is told anything: the connections end, and the state is read
    /// from the disk again.
    fn recover(&mut self, error: StoreError) -> anyhow::Result<()> {
        (self.hang_up)();
        let reason = match error {
            StoreError::Lost(reason) => bail!("the database is lost: {reason}"),
            StoreError::OutcomeUnknown(reason) | StoreError::Unavailable(reason) => reason,
        };
        anyhow::ensure!(!self.doubtful, "the database failed twice in a row: {reason}");
        self.doubtful = true;
        tracing::error!(%reason, "a commit may have failed; opening the database again");
        self.store.reopen().context("the database cannot be opened again")
    }
}

fn tell(taken: Vec<Submission>, verdicts: Vec<Verdict>) {
    for (submission, verdict) in taken.into_iter().zip(verdicts) {
        submission.answer.send(verdict);
    }
}

/// A time in which nothing can be stored: said when it begins, now and then
/// while it lasts, and when it is over.
#[derive(Debug, Default)]
struct Trouble {
    since: Option<Instant>,
    said: Option<Instant>,
    /// When it was last met.
    met: Option<Instant>,
}

impl Trouble {
    /// How often it is said again while it lasts.
    const SAY_EVERY: Duration = Duration::from_secs(60);

    fn goes_on(&mut self, reason: &str) {
        let now = Instant::now();
        let since = *self.since.get_or_insert(now);
        self.met = Some(now);
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
            (self.said, self.met) = (None, None);
            tracing::info!(after_s = since.elapsed().as_secs(), "reports are stored again");
        }
    }
}

#[cfg(test)]
mod tests;
