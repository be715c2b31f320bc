//! The bare SQLite loop: waterwatch's own store, driven directly by full
//! batches. No network, no replies: what the database gives on this disk.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use waterwatch::config::Limits;
use waterwatch::store::lock::DataLock;
use waterwatch::store::sqlite::SqliteStore;
use waterwatch::store::{Form, Store};
use waterwatch::writer::draft::Draft;
use waterwatch::writer::watch::Watch;
use waterwatch_core::silence::Now;
use waterwatch_core::{Origin, Report, Settings, StationId};

use crate::load::{Counts, Outcome, Shape, Span};
use crate::process::Usage;

/// One report in so many has an alarm that has changed, as in every load.
const CHANGE_EVERY: u64 = 997;

/// Options of `peer sqlite`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The database
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    #[command(flatten)]
    shape: Shape,
    /// Milliseconds to measure
    #[arg(long)]
    measured_ms: u64,
    /// Milliseconds to warm up
    #[arg(long)]
    warm_up_ms: u64,
}

/// Runs the loop. Says `measuring` when the measured span begins, and at its
/// end how many reports it stored in how many microseconds; then it waits
/// until its input is closed, so that what it used can be read.
///
/// # Errors
/// The database fails.
pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let lock = DataLock::acquire(&options.data)?;
    let limits = Limits::default();
    let batch_reports = limits.batch_reports_max as u64;
    let store = SqliteStore::open(&options.data, lock, TimeZone::system(), limits)?;
    let now_ms = Timestamp::now().as_millisecond();
    let now = Now { wall_ms: now_ms, steady_ms: now_ms };
    let watch = Watch::start(Settings::default(), &store, now);
    let mut bare = Loop { store, watch, draft: Draft::default(), reports: 0, batch_reports };
    let (first, shape) = (options.shape.first_id(), options.shape);
    let (warm_up, measured) = (u64::from(shape.warm_up_stations), u64::from(shape.stations));
    let warm_up = if warm_up > 0 { (first + measured, warm_up) } else { (first, measured) };
    bare.drive(warm_up, Duration::from_millis(options.warm_up_ms))?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "measuring")?;
    bare.reports = 0;
    let began = Instant::now();
    bare.drive((first, measured), Duration::from_millis(options.measured_ms))?;
    writeln!(out, "{} {}", bare.reports, began.elapsed().as_micros())?;
    std::io::stdin().lines().for_each(drop);
    Ok(())
}

struct Loop {
    store: SqliteStore,
    watch: Watch,
    draft: Draft,
    reports: u64,
    batch_reports: u64,
}

impl Loop {
    /// Stores full batches of stations in turn: `count` of them from `first`.
    fn drive(&mut self, (first, count): (u64, u64), lasts: Duration) -> anyhow::Result<()> {
        let began = Instant::now();
        while began.elapsed() < lasts {
            let now_ms = Timestamp::now().as_millisecond();
            let now = Now { wall_ms: now_ms, steady_ms: now_ms };
            self.watch.turn(now, false, self.store.sequence());
            let reports = (self.reports..self.reports + self.batch_reports)
                .map(|report| {
                    let number = i64::try_from(first + report % count)?;
                    let station_id = StationId::new(number).context("a station id")?;
                    let before = self.store.find(station_id);
                    let is_on = before.is_some_and(|(_, station)| station.alarm1);
                    let alarm1 = is_on ^ report.is_multiple_of(CHANGE_EVERY);
                    Ok(Report { station_id, alarm1, alarm2: false })
                })
                .collect::<anyhow::Result<Vec<_>>>()?;
            let all = std::iter::once((&reports[..], Origin::default()));
            self.draft.decide(&self.store, &mut self.watch, now, usize::MAX, std::iter::empty(), all);
            // As the writer records a batch of this size.
            self.draft.batch.form = Form::Journal;
            self.store.commit(&self.draft.batch)?;
            self.watch.recorded(&self.draft.batch, &self.store);
            self.reports += self.batch_reports;
        }
        Ok(())
    }
}

/// Runs the loop in a process of its own, over the database in `folder`.
///
/// # Errors
/// It fails.
pub(crate) fn run_loop(folder: &Path, shape: Shape, span: Span) -> anyhow::Result<Outcome> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["peer", "sqlite", "--data", "data.sqlite"])
        .args(["--stations", &shape.stations.to_string()])
        .args(["--warm-up-stations", &shape.warm_up_stations.to_string()])
        .args(["--measured-ms", &span.measured.as_millis().to_string()])
        .args(["--warm-up-ms", &span.warm_up.as_millis().to_string()])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start the loop")?;
    let mut said = BufReader::new(child.stdout.take().context("its output is piped")?).lines();
    let mut next = || said.next().context("the loop ended early").and_then(|line| Ok(line?));
    ensure!(next()? == "measuring", "the loop does not say what it should");
    let (before, ours) = (Usage::of(child.id())?, Usage::of(std::process::id())?);
    let result = next()?;
    let server = Usage::of(child.id())?.since(before);
    let (reports, lasted_us) = result.split_once(' ').context("two numbers")?;
    drop(child.stdin.take());
    let status = child.wait()?;
    ensure!(status.success(), "the loop ended with {status}");
    Ok(Outcome {
        lasted: Duration::from_micros(lasted_us.parse()?),
        counts: Counts { acknowledged: reports.parse()?, ..Counts::default() },
        server: Some(server),
        generator: Usage::of(std::process::id())?.since(ours),
    })
}
