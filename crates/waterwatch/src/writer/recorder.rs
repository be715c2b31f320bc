//! One turn of the writer: what is heard and what is due is decided on copies,
//! recorded in one transaction, and only then given out; and what happens when
//! that fails.
//!
//! It knows no thread and no lane, and its time is given: tests and the
//! simulation drive it turn by turn.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio_util::sync::CancellationToken;
use waterwatch_core::silence::Now;
use waterwatch_core::{Origin, Report};

use super::clock::Clock;
use super::command;
use super::draft::{Decided, Draft};
use super::pace::Pace;
use super::trouble::Trouble;
use super::watch::Watch;
use crate::config::Limits;
use crate::health::Health;
use crate::lane::{Awaited, Verdict};
use crate::live::Publisher;
use crate::metrics::{Recording, Stands};
use crate::plan::CurrentPlan;
use crate::store::{Settled, Store, StoreError};

/// How long the writer waits for reports at a time.
const TURN: Duration = Duration::from_millis(Watch::TURN_MS.cast_unsigned());

/// How long to wait before a batch that found no room is tried again: short
/// enough that nobody notices the healing, long enough to cost nothing.
pub(super) const RETRY_EVERY: Duration = Duration::from_millis(100);

/// How long it may have been impossible to store until a batch is no longer
/// tried once the server is stopping: it must end within five seconds, with
/// time left to answer and to close the file.
const RETRY_WHILE_STOPPING: Duration = Duration::from_secs(1);

/// How long the end may take to fold what is journaled; the next start does
/// the rest.
const SETTLE: Duration = Duration::from_secs(1);

/// Decides and records, turn by turn.
pub(super) struct Recorder<S, C, H> {
    pub(super) store: S,
    pub(super) watch: Watch,
    pub(super) draft: Draft,
    clock: C,
    limits: Limits,
    hang_up: H,
    stopping: CancellationToken,
    publisher: Publisher,
    pace: Pace,
    trouble: Trouble,
    /// Alarms whose facts could not be read are raised.
    raised: bool,
    /// What was found at the start is judged.
    found: bool,
    /// A batch since the last turn was not stored, or not at once: what came
    /// meanwhile is not heard.
    unstored: bool,
    /// The last commit may have failed or not.
    doubtful: bool,
    health: Arc<Health>,
    counts: Recording,
}

impl<S: Store, C: Clock, H: Fn()> Recorder<S, C, H> {
    pub(super) fn start(
        store: S,
        settled: impl Into<Settled>,
        clock: C,
        limits: Limits,
        hang_up: H,
        stopping: CancellationToken,
        mut publisher: Publisher,
    ) -> Recorder<S, C, H> {
        let Settled { settings, expected_by, allow_from, named } = settled.into();
        publisher.start(named, &store, &settings);
        Recorder {
            watch: Watch::start(settings, &store, clock.now())
                .with_new_stations_max(limits.new_stations_per_hour_max)
                .expecting(expected_by, &store)
                .allowing(allow_from),
            store,
            draft: Draft::default(),
            clock,
            pace: Pace::new(&limits),
            limits,
            hang_up,
            stopping,
            publisher,
            trouble: Trouble::default(),
            raised: false,
            found: false,
            unstored: false,
            doubtful: false,
            health: Arc::default(),
            counts: Recording::default(),
        }
    }

    /// The same; how it goes is told there.
    #[must_use]
    pub(super) fn with_health(self, health: Arc<Health>) -> Recorder<S, C, H> {
        Recorder { health, ..self }
    }

    /// The same; somebody must have duty in these rotas.
    #[must_use]
    pub(super) fn on_call(mut self, plan: CurrentPlan) -> Recorder<S, C, H> {
        self.watch = self.watch.on_call(plan, &self.store);
        self
    }

    /// The same; what it does is counted there.
    #[must_use]
    pub(super) fn counting(self, counts: Recording) -> Recorder<S, C, H> {
        Recorder { counts, ..self }
    }

    /// One turn, with the requests of operators and the reports that came since the
    /// last one. Every command hears what became of it. Gives a verdict for each
    /// that was heard once all is durable; `None`: it is not stored.
    ///
    /// # Errors
    /// When the database cannot be trusted or opened again. Of the commands it
    /// is not known then.
    pub(super) fn once<'r>(
        &mut self,
        requests: Vec<Awaited>,
        heard: impl ExactSizeIterator<Item = (&'r [Report], Origin)>,
    ) -> anyhow::Result<Option<Vec<Verdict>>> {
        let now = self.clock.now();
        self.turn(now);
        self.health.turns(!self.trouble.is_there());
        self.find(now)?;
        let requests = command::in_time(requests, self.clock.instant());
        if requests.is_empty() && heard.len() == 0 && !self.watch.is_due() {
            self.tend()?;
            self.count_stands();
            return Ok(Some(Vec::new()));
        }
        let Recorder { store, watch, draft, limits, pace, .. } = self;
        let wanted = requests.iter().flat_map(|awaited| &awaited.commands);
        let Decided { obeyed, verdicts } =
            draft.decide(store, watch, now, limits.stations_max, wanted, heard);
        draft.batch.form = pace.form(draft.batch.changes.len(), self.clock.instant());
        // Not stored: the connections end unanswered and the stations send
        // again; what is due stays due.
        let is_stored = self.record();
        self.count(is_stored.as_ref().is_ok_and(|is_stored| *is_stored), &verdicts);
        let is_stored = is_stored?;
        // What is read from the disk again shows whether it was, in the end.
        let is_there = is_stored || self.store.sequence() >= self.draft.batch.sequence;
        command::tell(requests, obeyed, is_there);
        Ok(is_stored.then_some(verdicts))
    }

    /// Counts what was heard, and how it stands now.
    fn count(&self, is_stored: bool, verdicts: &[Verdict]) {
        let accepted = self.draft.batch.reports;
        match is_stored {
            true => self.counts.heard(accepted, verdicts),
            false => self.counts.dropped(accepted + verdicts.iter().map(Vec::len).sum::<usize>()),
        }
        self.count_stands();
    }

    fn count_stands(&self) {
        self.counts.stands(&Stands {
            sequence: self.store.sequence(),
            stations: self.store.station_count(),
            blind_ms: self.watch.blind_ms(),
            figures: self.store.figures(),
        });
    }

    /// The last that is recorded: until when the server was alive.
    ///
    /// # Errors
    /// Those of [`Recorder::once`].
    pub(super) fn end(&mut self) -> anyhow::Result<()> {
        let now = self.clock.now();
        self.turn(now);
        self.find(now)?;
        self.draft.last(&self.store, &mut self.watch, now);
        let recorded = self.record();
        self.settle();
        recorded.map(drop)
    }

    /// When the next turn is due at the latest: at once while something has
    /// fallen due that did not fit into the last batch.
    pub(super) fn due(&self) -> Instant {
        let now = self.clock.instant();
        let turn = if self.watch.is_due() { self.no_oftener(now) } else { now + TURN };
        self.tend_due().map_or(turn, |due| due.min(turn))
    }

    /// How long a commit may wait for company.
    pub(super) fn company(&self) -> Duration {
        self.pace.company()
    }

    /// Whether nothing can be stored just now.
    #[cfg(test)]
    pub(super) fn is_in_trouble(&self) -> bool {
        self.trouble.is_there()
    }

    /// Whether what is shown is to be made anew with the next turn.
    #[cfg(test)]
    pub(super) fn is_to_publish(&self) -> bool {
        self.publisher.is_behind()
    }

    pub(super) fn turn(&mut self, now: Now) {
        // Also if the store was well meanwhile: a disk may have room for its
        // own small works and none for a batch.
        let unstored = std::mem::take(&mut self.unstored) || self.trouble.is_there();
        self.watch.turn(now, unstored, self.store.sequence());
        self.publisher.turn(&self.store, self.watch.settings());
        if let Some(late_ms) = self.watch.late_ms() {
            self.counts.late(late_ms);
        }
    }

    /// Raises alarms whose facts could not be read; whether that is done.
    fn raise_unreadable(&mut self, now: Now) -> anyhow::Result<bool> {
        if self.store.unreadable().is_empty() {
            return Ok(true);
        }
        self.draft.raise_unreadable(&self.store, &self.watch, now);
        // Rows of no alarm are named, and nothing follows from them.
        if self.draft.batch.is_empty() { Ok(true) } else { self.record() }
    }

    /// Judges what was found at the start, a batch a turn until that is all.
    fn find(&mut self, now: Now) -> anyhow::Result<()> {
        if !self.raised {
            self.raised = self.raise_unreadable(now)?;
        }
        if !self.found {
            let is_all = self.draft.found(&self.store, &self.watch, now);
            self.found = self.record()? && is_all;
        }
        Ok(())
    }

    /// Whether the draft is durable, or there is nothing in it. If not, nothing
    /// of it is stored, or it is not known.
    pub(super) fn record(&mut self) -> anyhow::Result<bool> {
        if self.draft.batch.is_empty() {
            self.watch.nothing_followed(&self.store);
            return Ok(true);
        }
        let recorded = self.commit()?;
        self.unstored |= !recorded;
        Ok(recorded)
    }

    fn commit(&mut self) -> anyhow::Result<bool> {
        let started = self.clock.instant();
        loop {
            let tried = self.clock.instant();
            match self.store.commit(&self.draft.batch) {
                Ok(()) => {
                    let now = self.clock.instant();
                    self.counts.committed(&self.draft.batch, now.duration_since(tried));
                    self.trouble.over(now);
                    self.health.turns(true);
                    self.doubtful = false;
                    self.watch.recorded(&self.draft.batch, &self.store);
                    self.publisher.recorded(&self.draft.batch, &self.store, self.watch.settings());
                    return Ok(true);
                }
                Err(StoreError::Unavailable(reason)) => {
                    let now = self.clock.instant();
                    self.trouble.goes_on(&reason, now);
                    self.health.turns(false);
                    self.counts.not_done();
                    // Also if it is stored in the end: nobody was heard meanwhile.
                    self.unstored = true;
                    let given_up =
                        self.stopping.is_cancelled() && self.trouble.lasts(now) >= RETRY_WHILE_STOPPING;
                    if given_up || now.duration_since(started) >= self.limits.store_retry() {
                        return Ok(false);
                    }
                    self.clock.sleep(RETRY_EVERY);
                }
                Err(error) => {
                    self.recover(error)?;
                    if self.store.sequence() >= self.draft.batch.sequence {
                        // It was recorded all the same.
                        self.watch.settle(&self.draft.batch.said, &self.store);
                        self.publisher.said(&self.draft.batch.said, self.watch.settings());
                    }
                    return Ok(false);
                }
            }
        }
    }

    /// When there is something to do for the store.
    fn tend_due(&self) -> Option<Instant> {
        self.store.due().map(|due| self.no_oftener(due))
    }

    /// While nothing can be stored, no oftener than batches are tried.
    fn no_oftener(&self, due: Instant) -> Instant {
        self.trouble.met().map_or(due, |last| due.max(last + RETRY_EVERY))
    }

    /// Does what is due for the store, if anything is.
    fn tend(&mut self) -> anyhow::Result<()> {
        let now = self.clock.instant();
        if self.tend_due().is_none_or(|due| due > now) {
            return Ok(());
        }
        match self.store.tend() {
            Ok(wrote) => {
                self.doubtful &= !wrote;
                self.trouble.over(self.clock.instant());
            }
            Err(StoreError::Unavailable(reason)) => self.trouble.goes_on(&reason, self.clock.instant()),
            Err(error) => self.recover(error)?,
        }
        Ok(())
    }

    fn settle(&mut self) {
        if let Err(error) = self.store.settle(self.clock.instant() + SETTLE) {
            // All is in the journal, which the next start reads.
            tracing::warn!(%error, "what is journaled could not be folded before the end");
        }
    }

    /// Nobody is told anything: the connections end, and the state is read
    /// from the disk again.
    fn recover(&mut self, error: StoreError) -> anyhow::Result<()> {
        (self.hang_up)();
        self.counts.unknown();
        let reason = match error {
            StoreError::Lost(reason) => bail!("the database is lost: {reason}"),
            StoreError::OutcomeUnknown(reason) | StoreError::Unavailable(reason) => reason,
        };
        anyhow::ensure!(!self.doubtful, "the database failed twice in a row: {reason}");
        self.doubtful = true;
        tracing::error!(%reason, "a commit may have failed; opening the database again");
        self.store.reopen().context("the database cannot be opened again")?;
        self.watch.read(&self.store);
        // What cannot be read any more is not forgotten either.
        self.raised = false;
        self.publisher.renew();
        Ok(())
    }
}
