//! The writer: one thread that takes what waits, decides it on copies,
//! records it in one transaction, and only then tells.
//!
//! It knows no socket and no SQL. It is the only caller of [`Store::commit`].

pub mod draft;
mod judgement;
mod pace;
mod quota;
pub mod watch;

use std::thread;
use std::time::{Duration, Instant};

use self::draft::Draft;
use self::pace::Pace;
use self::watch::Watch;
use crate::config::Limits;
use crate::lane::{Submission, Submissions, Taken, Verdict};
use crate::store::{Batch, Store, StoreError};
use anyhow::{Context, bail};
use jiff::Timestamp;
use rustix::time::ClockId;
use tokio_util::sync::CancellationToken;
use waterwatch_core::Settings;
use waterwatch_core::silence::Now;

/// How long the writer waits for reports at a time.
const TURN: Duration = Duration::from_millis(Watch::TURN_MS.cast_unsigned());

/// How far apart the two clocks may be read, in milliseconds: far less than a
/// wall may stray, far more than reading takes.
const APART_MAX_MS: i64 = 20;

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
    settings: Settings,
    hang_up: impl Fn(),
    stopping: &CancellationToken,
) -> anyhow::Result<()> {
    let watch = Watch::start(settings, &store, now());
    let trouble = Trouble::default();
    let mut recorder =
        Recorder { store, watch, limits, hang_up, stopping, trouble, unstored: false, doubtful: false };
    let mut draft = Draft::default();
    let mut pace = Pace::new(limits);
    let mut found = false;
    loop {
        let taken = submissions.take(limits.batch_reports_max, pace.company(), Some(recorder.due()));
        let now = now();
        recorder.turn(now);
        if !found {
            let is_all = draft.found(&recorder.store, &recorder.watch, now);
            found = recorder.record(&draft.batch)? && is_all;
        }
        let taken = match taken {
            Taken::Batch(taken) => taken,
            Taken::Nothing if recorder.watch.is_due() => Vec::new(),
            Taken::Nothing => {
                recorder.tend()?;
                continue;
            }
            Taken::End => break,
        };
        let reports = taken.iter().map(|submission| (&submission.reports[..], submission.origin));
        let verdicts = draft.decide(&recorder.store, &mut recorder.watch, now, limits.stations_max, reports);
        draft.batch.form = pace.form(draft.batch.changes.len(), Instant::now());
        // Not stored: the connections end unanswered and the stations send
        // again; what is due stays due.
        if recorder.record(&draft.batch)? {
            tell(taken, verdicts);
        }
    }
    recorder.end(&mut draft)
}

/// The clocks of this moment.
fn now() -> Now {
    loop {
        let steady_ms = steady_ms();
        let now = Now { wall_ms: Timestamp::now().as_millisecond(), steady_ms };
        // A process that is stopped between the two would see a wall that
        // jumps.
        if self::steady_ms() - steady_ms <= APART_MAX_MS {
            return now;
        }
    }
}

fn steady_ms() -> i64 {
    let steady = rustix::time::clock_gettime(ClockId::Boottime);
    steady.tv_sec * 1_000 + steady.tv_nsec / 1_000_000
}

/// Records batches, and does what is to be done when that fails.
struct Recorder<'a, S, H> {
    store: S,
    watch: Watch,
    limits: &'a Limits,
    hang_up: H,
    stopping: &'a CancellationToken,
    trouble: Trouble,
    /// A batch since the last turn was not stored, or not at once: what came
    /// meanwhile is not heard.
    unstored: bool,
    /// The last commit may have failed or not.
    doubtful: bool,
}

impl<S: Store, H: Fn()> Recorder<'_, S, H> {
    fn turn(&mut self, now: Now) {
        // Also if the store was well meanwhile: a disk may have room for its
        // own small works and none for a batch.
        let unstored = std::mem::take(&mut self.unstored) || self.trouble.since.is_some();
        self.watch.turn(now, unstored, self.store.sequence());
    }

    /// Whether the batch is durable, or there is nothing in it. If not, nothing
    /// of it is stored, or it is not known.
    fn record(&mut self, batch: &Batch) -> anyhow::Result<bool> {
        if batch.is_empty() {
            self.watch.nothing_followed(&self.store);
            return Ok(true);
        }
        let recorded = self.commit(batch)?;
        self.unstored |= !recorded;
        Ok(recorded)
    }

    fn commit(&mut self, batch: &Batch) -> anyhow::Result<bool> {
        let started = Instant::now();
        loop {
            match self.store.commit(batch) {
                Ok(()) => {
                    self.trouble.over();
                    self.doubtful = false;
                    self.watch.recorded(batch, &self.store);
                    return Ok(true);
                }
                Err(StoreError::Unavailable(reason)) => {
                    self.trouble.goes_on(&reason);
                    // Also if it is stored in the end: nobody was heard meanwhile.
                    self.unstored = true;
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

    /// When the next turn is due at the latest: at once while something has
    /// fallen due that did not fit into the last batch.
    fn due(&self) -> Instant {
        let now = Instant::now();
        let turn = if self.watch.is_due() { self.no_oftener(now) } else { now + TURN };
        self.tend_due().map_or(turn, |due| due.min(turn))
    }

    /// When there is something to do for the store.
    fn tend_due(&self) -> Option<Instant> {
        self.store.due().map(|due| self.no_oftener(due))
    }

    /// While nothing can be stored, no oftener than batches are tried.
    fn no_oftener(&self, due: Instant) -> Instant {
        self.trouble.met.map_or(due, |last| due.max(last + RETRY_EVERY))
    }

    /// Does what is due for the store, if anything is.
    fn tend(&mut self) -> anyhow::Result<()> {
        if self.tend_due().is_none_or(|due| due > Instant::now()) {
            return Ok(());
        }
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

    /// The last that is recorded: until when the server was alive.
    fn end(mut self, draft: &mut Draft) -> anyhow::Result<()> {
        let now = now();
        self.turn(now);
        draft.last(&self.store, &mut self.watch, now);
        let recorded = self.record(&draft.batch);
        self.settle();
        recorded.map(drop)
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
        self.store.reopen().context("the database cannot be opened again")?;
        self.watch.read(&self.store);
        Ok(())
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
mod simulation;
#[cfg(test)]
mod tests;
