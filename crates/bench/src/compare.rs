//! `compare`: every peer under the same loads in one run, on one machine, in
//! turn, and what that comes to beside the goals.

mod alone;
mod fleet;
mod goals;
mod report;
mod statistics;
mod table;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use hdrhistogram::Histogram;

use self::fleet::Fleets;
use self::statistics::Spread;
use self::table::Table;
use crate::load::{self, Counts, Outcome, Span, Work};
use crate::peers::{Peer, Running, run_loop};
use crate::process::Memory;

/// Options of `compare`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The program to measure; build it with --release
    #[arg(long, default_value = "target/release/waterwatch", value_name = "FILE")]
    binary: PathBuf,
    /// Where to put the databases, on the disk that is meant [default: beside the program]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Measure only this; may be given several times
    #[arg(long, value_enum, value_name = "ROW")]
    only: Vec<Row>,
    /// Two short repetitions, to see that all works; the figures mean little
    #[arg(long)]
    quick: bool,
    /// How often each load is measured, each time with a new server [default: 5, with --quick 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    repetitions: Option<u32>,
    /// Where to write the report [default: docs/benchmarks.md, unless --quick or --only]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Row {
    /// 1,000 connections, one report in flight each
    Closed,
    /// A connection for each report, 200 at once
    Connect,
    /// 64 gateways, 4,096 reports in flight each
    Gateways,
    /// The acknowledgement at half load
    HalfLoad,
    /// What an idle connection holds in memory
    Idle,
    /// The start with a million stations
    Known,
    /// A million stations at one report a minute
    Minute,
}

/// How long things are measured and how often.
#[derive(Clone, Copy, Debug)]
struct Pacing {
    is_quick: bool,
    repetitions: u32,
    /// Before each measured span, by stations that are not measured.
    warm_up: Duration,
    /// Of the loads that peers share.
    measured: Duration,
    /// Of the load that falls due at a given rate.
    half_load: Duration,
    /// Of a million stations at one report a minute.
    minute: Duration,
}

impl Pacing {
    fn new(options: &Options) -> Pacing {
        let (repetitions, warm_up_ms, measured_ms, half_load_s, minute_s) =
            if options.quick { (2, 500, 1_000, 3, 20) } else { (5, 1_000, 5_000, 15, 130) };
        Pacing {
            is_quick: options.quick,
            repetitions: options.repetitions.unwrap_or(repetitions),
            warm_up: Duration::from_millis(warm_up_ms),
            measured: Duration::from_millis(measured_ms),
            half_load: Duration::from_secs(half_load_s),
            minute: Duration::from_secs(minute_s),
        }
    }
}

/// Everything that was measured; what was not is empty.
#[derive(Default)]
struct Measured {
    tables: Vec<Table>,
    half_load: Option<alone::HalfLoad>,
    idle: Option<alone::Idle>,
    known: Option<alone::Known>,
    minute: Option<Run>,
    /// What could not be measured and why.
    failures: Vec<String>,
}

/// The figures of one run.
#[derive(Clone, Debug)]
struct Run {
    reports_per_s: f64,
    p50_us: Option<f64>,
    p99_us: Option<f64>,
    /// How late the generator was with what was due.
    late_p99_us: Option<f64>,
    cpu_us: Option<f64>,
    written_bytes: Option<f64>,
    resident_mib: Option<f64>,
    generator_cpu_us: f64,
}

/// What runs are made with.
struct Bench {
    waterwatch: PathBuf,
    folder: PathBuf,
    fleets: Fleets,
    pacing: Pacing,
    versions: Vec<(Peer, anyhow::Result<String>)>,
}

/// Measures, prints the report and writes it.
///
/// # Errors
/// Waterwatch is not there, or something could not be measured.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    // Who needs more than that gives hears it when a connection fails.
    let _ = waterwatch::open_files::raise();
    let mut bench = Bench::new(options)?;
    let wanted = |row| options.only.is_empty() || options.only.contains(&row);
    let mut measured = Measured::default();
    for (row, plan) in table::plans() {
        if wanted(row) {
            measured.tables.push(bench.measure_table(plan, &mut measured.failures)?);
        }
    }
    let mut or_failure = |what: &str, done: anyhow::Result<()>| {
        if let Err(error) = done {
            eprintln!("{what}: {error:#}");
            measured.failures.push(format!("{what}: {error:#}"));
        }
    };
    if wanted(Row::HalfLoad) {
        let rate = table::closed_rate(&measured.tables);
        let done = bench.half_load(rate).map(|row| measured.half_load = Some(row));
        or_failure("half load", done);
    }
    if wanted(Row::Idle) {
        let done = bench.idle().map(|row| measured.idle = Some(row));
        or_failure("idle connections", done);
    }
    if wanted(Row::Known) {
        let done = bench.known().map(|row| measured.known = Some(row));
        or_failure("a million stations known", done);
    }
    if wanted(Row::Minute) {
        let done = bench.minute().map(|row| measured.minute = Some(row));
        or_failure("one report a minute", done);
    }
    let text = report::markdown(&bench, &measured)?;
    print!("{text}");
    let usual = (!options.quick && options.only.is_empty()).then(|| PathBuf::from("docs/benchmarks.md"));
    if let Some(file) = options.output.clone().or(usual) {
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    ensure!(measured.failures.is_empty(), "not everything could be measured: see \"Failed\" above");
    Ok(())
}

impl Bench {
    fn new(options: &Options) -> anyhow::Result<Bench> {
        let waterwatch = options.binary.canonicalize().with_context(|| {
            format!("{}: build it first, with cargo build --release", options.binary.display())
        })?;
        let folder =
            options.folder.as_deref().or(waterwatch.parent()).context("the program has no folder")?;
        let folder = folder.canonicalize().with_context(|| folder.display().to_string())?;
        let versions: Vec<_> = Peer::ALL.into_iter().map(|peer| (peer, peer.version(&waterwatch))).collect();
        for (peer, version) in &versions {
            if let Err(error) = version {
                eprintln!("missing: {}: {error:#}", peer.name());
            }
        }
        let fleets = Fleets::new(waterwatch.clone(), &folder)?;
        Ok(Bench { waterwatch, folder, fleets, pacing: Pacing::new(options), versions })
    }

    fn is_missing(&self, peer: Peer) -> bool {
        self.versions.iter().any(|(other, version)| *other == peer && version.is_err())
    }

    /// One load against a new server, with the stations known if it is ours.
    fn run(&mut self, peer: Peer, work: Work, measured: Duration) -> anyhow::Result<Run> {
        let folder = tempfile::tempdir_in(&self.folder).context("no temporary folder")?;
        let span = Span { warm_up: self.pacing.warm_up, measured, pid: None };
        if peer.has_database() {
            self.fleets.copy(work.shape.stations + work.shape.warm_up_stations, folder.path())?;
        }
        if peer == Peer::Sqlite {
            return Ok(Run::new(&run_loop(folder.path(), work.shape, span)?, None));
        }
        let server = peer.start(&self.waterwatch, folder.path())?;
        let (outcome, memory) = observe(&server, work, span)?;
        server.stop()?;
        Ok(Run::new(&outcome, Some(memory)))
    }
}

/// Loads a server and looks at what it holds then.
fn observe(server: &Running, work: Work, span: Span) -> anyhow::Result<(Outcome, Memory)> {
    let span = Span { pid: Some(server.pid()), ..span };
    load::measure(server.address, work, span)
        .and_then(|outcome| outcome.check().map(|()| outcome))
        .and_then(|outcome| Ok((outcome, Memory::of(server.pid())?)))
        .with_context(|| format!("the server's log:\n{}", server.log()))
}

impl Run {
    fn new(outcome: &Outcome, memory: Option<Memory>) -> Run {
        #[expect(clippy::cast_precision_loss, reason = "microseconds for people")]
        let quantile = |times_us: &Histogram<u64>, share: f64| {
            (!times_us.is_empty()).then(|| times_us.value_at_quantile(share) as f64)
        };
        let Counts { latency_us, late_us, .. } = &outcome.counts;
        Run {
            reports_per_s: outcome.reports_per_s(),
            p50_us: quantile(latency_us, 0.5),
            p99_us: quantile(latency_us, 0.99),
            late_p99_us: quantile(late_us, 0.99),
            cpu_us: outcome.server_cpu_us(),
            written_bytes: outcome.written_bytes(),
            resident_mib: memory.map(|memory| in_mib(memory.resident_bytes)),
            generator_cpu_us: outcome.generator_cpu_us(),
        }
    }
}

/// The spread of one figure over runs, if all have it.
fn spread(runs: &[Run], figure: impl Fn(&Run) -> Option<f64>) -> Option<Spread> {
    Spread::of(runs.iter().map(figure).collect::<Option<Vec<f64>>>()?)
}

#[expect(clippy::cast_precision_loss, reason = "a size for people")]
fn in_mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
