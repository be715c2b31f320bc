//! What the writer counts: by the batch, never by the report.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::RefusedLines;
use super::registering::{by, limit, registered, with_unit};
use crate::config::Limits;
use crate::lane::Verdict;
use crate::store::{Batch, Figures};

/// From a disk that does nothing but say yes to one that hangs, in seconds.
const COMMIT_SECONDS: [f64; 16] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// From a station alone to the largest batch, in reports.
const BATCH_REPORTS: [f64; 9] = [1.0, 4.0, 16.0, 64.0, 256.0, 1_024.0, 4_096.0, 16_384.0, 65_536.0];

/// The writer turns each half second, so one second is well; a minute is a disk that
/// hung.
const LATE_SECONDS: [f64; 8] = [0.1, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0];

type Seconds = Counter<f64, AtomicU64>;

/// What the writer counts; a copy counts the same.
#[derive(Clone, Debug)]
pub struct Recording {
    stored: Counter,
    refused: Counter,
    not_stored: Counter,
    refused_lines: RefusedLines,
    events: Counter,
    commit_seconds: Histogram,
    batch_reports: Histogram,
    not_done: Counter,
    unknown: Counter,
    late_seconds: Histogram,
    blind_seconds: Seconds,
    sequence: Gauge,
    stations_known: Gauge,
    journal_bytes: Gauge,
    wal_bytes: Gauge,
    unreadable_rows: Gauge,
    folds: Counter,
    fold_seconds: Seconds,
}

/// Counts what nobody sees.
impl Default for Recording {
    fn default() -> Recording {
        Recording::register(&mut Registry::default(), RefusedLines::default(), &Limits::default())
    }
}

impl Recording {
    /// Counts those reports there, too, that are refused.
    pub(super) fn register(
        registry: &mut Registry,
        refused_lines: RefusedLines,
        limits: &Limits,
    ) -> Recording {
        let to = registry;
        let [stored, refused, not_stored] = by(
            to,
            "reports",
            "Reports by what became of them: stored; refused; not_stored, which is answered nothing, so that the \
             station sends again",
            "outcome",
            ["stored", "refused", "not_stored"],
        );
        let events = registered(to, "events", "Entries written into the ledger", Counter::default());
        let help = "How long a commit takes that is done: one transaction, one sync";
        let commit_seconds =
            with_unit(to, "commit_duration", help, Unit::Seconds, Histogram::new(COMMIT_SECONDS));
        let help = "Reports that are stored by one commit";
        let batch_reports = registered(to, "batch_reports", help, Histogram::new(BATCH_REPORTS));
        let help = "Commits that failed: not_done, for certain (each try again counts); unknown, so that the \
                    database was opened again";
        let [not_done, unknown] = by(to, "commit_failures", help, "outcome", ["not_done", "unknown"]);
        let help = "How late the first of what is due is, when the writer looks";
        let late_seconds = with_unit(to, "lateness", help, Unit::Seconds, Histogram::new(LATE_SECONDS));
        let help = "Time in which nobody could be heard, as the ledger has it; also that before this start in \
                    which no server ran";
        let blind_seconds = with_unit(to, "blind", help, Unit::Seconds, Seconds::default());
        let help = "The newest sequence that is recorded, of a report or an event";
        let sequence = registered(to, "sequence", help, Gauge::default());
        let stations_known =
            registered(to, "stations_known", "Stations that have reported", Gauge::default());
        limit(to, "stations_known_max", "Stations that may be known (stations_max)", limits.stations_max);
        let help = "What is journaled and not folded yet";
        let journal_bytes = with_unit(to, "journal", help, Unit::Bytes, Gauge::default());
        let help = "What may be journaled (journal_bytes_max)";
        limit(to, "journal_bytes_max", help, limits.journal_bytes_max);
        let help = "What is in SQLite's log and not moved into the database yet";
        let wal_bytes = with_unit(to, "wal", help, Unit::Bytes, Gauge::default());
        let help =
            "Rows of the database that cannot be read, and are as if they were not there; the log names them";
        let unreadable_rows = registered(to, "unreadable_rows", help, Gauge::default());
        let help = "At what length of the log the writer waits for it to be moved (wal_bytes_max)";
        limit(to, "wal_bytes_max", help, limits.wal_bytes_max);
        let folds =
            registered(to, "folds", "Transactions that folded something of the journal", Counter::default());
        let help = "Time that folding took, within transactions";
        let fold_seconds = with_unit(to, "fold", help, Unit::Seconds, Seconds::default());
        Recording {
            stored,
            refused,
            not_stored,
            refused_lines,
            events,
            commit_seconds,
            batch_reports,
            not_done,
            unknown,
            late_seconds,
            blind_seconds,
            sequence,
            stations_known,
            journal_bytes,
            wal_bytes,
            unreadable_rows,
            folds,
            fold_seconds,
        }
    }

    /// What connections have sent is decided and durable; `accepted` of it are stored.
    pub fn heard(&self, accepted: usize, verdicts: &[Verdict]) {
        if accepted > 0 {
            self.stored.inc_by(accepted as u64);
            self.batch_reports.observe(count(accepted));
        }
        for (_, refusal) in verdicts.iter().flatten() {
            self.refused.inc();
            self.refused_lines.count(refusal);
        }
    }

    /// So many reports were taken, and are not stored, or that is not known: none of
    /// them is answered.
    pub fn dropped(&self, reports: usize) {
        self.not_stored.inc_by(reports as u64);
    }

    /// A commit was done, and took so long.
    pub fn committed(&self, batch: &Batch, took: Duration) {
        self.commit_seconds.observe(took.as_secs_f64());
        if !batch.events.is_empty() {
            self.events.inc_by(batch.events.len() as u64);
        }
    }

    /// A commit was not done, for certain.
    pub fn not_done(&self) {
        self.not_done.inc();
    }

    /// It is not known of a commit whether it was done.
    pub fn unknown(&self) {
        self.unknown.inc();
    }

    /// What is due is looked at; the first of it is so late.
    pub fn late(&self, late_ms: i64) {
        self.late_seconds.observe(Duration::from_millis(late_ms.max(0).unsigned_abs()).as_secs_f64());
    }

    /// How it stands after a turn.
    pub fn stands(&self, stands: &Stands) {
        let Stands { sequence, stations, blind_ms, figures } = stands;
        self.sequence.set(*sequence);
        self.stations_known.set(i64::try_from(*stations).unwrap_or(i64::MAX));
        set(&self.blind_seconds, Duration::from_millis(blind_ms.max(&0).unsigned_abs()));
        self.journal_bytes.set(i64::try_from(figures.journal_bytes).unwrap_or(i64::MAX));
        self.wal_bytes.set(i64::try_from(figures.wal_bytes).unwrap_or(i64::MAX));
        self.unreadable_rows.set(i64::try_from(figures.unreadable_rows).unwrap_or(i64::MAX));
        self.folds.inner().store(figures.folds, Ordering::Relaxed);
        set(&self.fold_seconds, figures.fold_time);
    }
}

/// How it stands after a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stands {
    /// The newest sequence that is recorded.
    pub sequence: i64,
    /// How many stations have reported.
    pub stations: usize,
    /// How long nobody was heard, in milliseconds.
    pub blind_ms: i64,
    /// What the store says of itself.
    pub figures: Figures,
}

#[expect(clippy::cast_precision_loss, reason = "what one batch has is far below 2^53")]
fn count(reports: usize) -> f64 {
    reports as f64
}

/// Sets a counter that is counted elsewhere.
fn set(counter: &Seconds, time: Duration) {
    counter.inner().store(time.as_secs_f64().to_bits(), Ordering::Relaxed);
}
