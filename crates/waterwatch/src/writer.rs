//! The writer: one thread that takes what waits, decides it on copies,
//! records it in one transaction, and only then tells.
//!
//! It knows no socket and no SQL. It is the only caller of [`Store::commit`].

mod pace;

use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use waterwatch_core::wire::Refusal;
use waterwatch_core::{Novelty, Report, Source, Span, Station, StationId};

use self::pace::Pace;
use crate::config::Limits;
use crate::lane::{Submission, Submissions, Taken, Verdict};
use crate::log::Seldom;
use crate::store::{Batch, Change, Slot, Store, StoreError};

/// How long to wait before a batch that found no room is tried again: short
/// enough that nobody notices the healing, long enough to cost nothing.
const RETRY_EVERY: Duration = Duration::from_millis(100);

/// How long it may have been impossible to store until a batch is no longer
/// tried once the server is stopping: it must end within five seconds, with
/// time left to answer and to close the file.
const RETRY_WHILE_STOPPING: Duration = Duration::from_secs(1);

/// Stations that are looked for together: a million of them are in no cache,
/// and the processor waits for many of them at once only if nothing else
/// comes between.
const FOUND_TOGETHER: usize = 32;

/// How long the end may take to fold what is journaled; the next start does
/// the rest.
const SETTLE: Duration = Duration::from_millis(700);

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
                let verdicts = draft.decide(&recorder.store, &taken, now_ms, limits.stations_max);
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

/// The batch that is being decided, on copies. Made anew for each batch, in
/// the memory of the one before.
#[derive(Debug, Default)]
struct Draft {
    batch: Batch,
    /// For each station that is known, where its change is in the batch, if
    /// it is there: what stands here is right only if that change is this
    /// station's.
    places: Vec<u32>,
    /// The same for stations that are new in the batch.
    new: HashMap<StationId, u32>,
}

impl Draft {
    /// Decides these submissions; returns a verdict for each.
    fn decide<S: Store>(
        &mut self,
        store: &S,
        taken: &[Submission],
        now_ms: i64,
        stations_max: usize,
    ) -> Vec<Verdict> {
        self.batch.changes.clear();
        self.batch.spans.clear();
        self.new.clear();
        self.batch.received_at_ms = now_ms;
        self.batch.sequence = store.sequence();
        let verdicts = taken
            .iter()
            .map(|submission| {
                let mut refused = Verdict::new();
                for (part, reports) in submission.reports.chunks(FOUND_TOGETHER).enumerate() {
                    let mut found = [None; FOUND_TOGETHER];
                    for (found, report) in found.iter_mut().zip(reports) {
                        *found = store.find(report.station_id);
                    }
                    for (place, (&report, known)) in reports.iter().zip(found).enumerate() {
                        let heard = self.hear(store, known, report, submission.source, stations_max);
                        if let Err(refusal) = heard {
                            refused.push((part * FOUND_TOGETHER + place, refusal));
                        }
                    }
                }
                refused
            })
            .collect();
        let reports = self.batch.sequence - store.sequence();
        self.batch.reports = usize::try_from(reports).expect("a batch is bounded");
        verdicts
    }

    fn hear<S: Store>(
        &mut self,
        store: &S,
        known: Option<(Slot, &Station)>,
        report: Report,
        source: Source,
        stations_max: usize,
    ) -> Result<(), Refusal> {
        let id = report.station_id;
        let place = match known {
            Some((slot, _)) => self.places.get(slot.index()).copied().filter(|&place| {
                self.batch.changes.get(place as usize).is_some_and(|change| change.slot == Some(slot))
            }),
            None => self.new.get(&id).copied(),
        };
        let Batch { changes, spans, sequence, received_at_ms, .. } = &mut self.batch;
        if let Some(place) = place {
            *sequence += 1;
            changes[place as usize].hear(report, source, *received_at_ms, *sequence, |span| {
                spans.push((place, span));
            });
            return Ok(());
        }
        if known.is_none() && store.station_count() + self.new.len() >= stations_max {
            return Err(no_more_stations(id, stations_max));
        }
        *sequence += 1;
        let (station, novelty) =
            Station::hear(known.map(|(_, before)| before), report, source, *received_at_ms, *sequence);
        let place = u32::try_from(changes.len()).expect("a batch is bounded");
        if let (Some((_, before)), true) = (known, novelty > Novelty::Repeats)
            && let Some(span) = before.span_until_now()
        {
            spans.push((place, span));
        }
        changes.push(Change { id, slot: known.map(|(slot, _)| slot), station, reports: 1, novelty });
        match known {
            Some((slot, _)) => {
                if self.places.len() <= slot.index() {
                    self.places.resize(store.station_count(), 0);
                }
                self.places[slot.index()] = place;
            }
            None => drop(self.new.insert(id, place)),
        }
        Ok(())
    }
}

impl Change {
    /// One more report of the same station. `over` is told the span that it
    /// ended, if it did.
    fn hear(
        &mut self,
        report: Report,
        source: Source,
        received_at_ms: i64,
        sequence: i64,
        over: impl FnOnce(Span),
    ) {
        let before = self.station;
        let (station, novelty) = Station::hear(Some(&before), report, source, received_at_ms, sequence);
        if novelty > Novelty::Repeats
            && let Some(span) = before.span_until_now()
        {
            over(span);
        }
        self.station = station;
        self.reports += 1;
        self.novelty = self.novelty.max(novelty);
    }
}

fn no_more_stations(station_id: StationId, stations_max: usize) -> Refusal {
    static NO_MORE_STATIONS: Seldom = Seldom::new(Seldom::EVERY);
    NO_MORE_STATIONS.say(|held_back| {
        tracing::warn!(%station_id, stations_max, held_back, "refused a new station: stations_max are known");
    });
    Refusal::StationsMax { station_id, stations_max }
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
            Ok(()) => self.trouble.over(),
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
