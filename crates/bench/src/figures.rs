//! `figures`: the usual loads against a server of its own, as a table that
//! can go into ARCHITECTURE.md.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::load::{self, Outcome, Shape, Span};

/// What is measured: the latency of one station alone, stations that each
/// wait for their reply, as many as a laptop has, and gateways that send
/// for many stations.
const SHAPES: [(&str, Shape); 4] = [
    ("1 connection, 1 in flight", Shape { connections: 1, in_flight: 1, stations: 10_000 }),
    ("64 connections, 1 in flight each", Shape { connections: 64, in_flight: 1, stations: 10_000 }),
    ("1,000 connections, 1 in flight each", Shape { connections: 1_000, in_flight: 1, stations: 10_000 }),
    ("64 gateways, 4,096 in flight each", Shape { connections: 64, in_flight: 4_096, stations: 10_000 }),
];

/// Loaded before each measurement: every station is known by then.
const WARM_UP: Duration = Duration::from_secs(1);

/// Options of `figures`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The program to measure; build it with --release
    #[arg(long, default_value = "target/release/waterwatch", value_name = "FILE")]
    binary: PathBuf,
    /// Where to put the databases, on the disk that is meant [default: beside the program]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// How long each load is measured
    #[arg(long, default_value_t = 5, value_name = "T", value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// How often each load is measured, each time with a new server and database
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    repetitions: u32,
}

/// Measures each of [`SHAPES`] and prints the table.
///
/// # Errors
/// The server does not start or stop, or did not acknowledge everything.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let binary = options.binary.canonicalize().with_context(|| {
        format!("{}: build it first, with cargo build --release", options.binary.display())
    })?;
    let folder = options.folder.as_deref().or(binary.parent()).context("the program has no folder")?;
    println!(
        "| load | reports/s | p50 µs | p99 µs | server CPU µs/report | disk bytes/report | generator CPU µs/report |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for (name, shape) in SHAPES {
        let outcomes = (0..options.repetitions)
            .map(|_| repetition(&binary, folder, shape, Duration::from_secs(options.seconds)))
            .collect::<anyhow::Result<Vec<Outcome>>>()
            .with_context(|| name.to_owned())?;
        println!("{}", row(name, &outcomes));
    }
    Ok(())
}

/// One load against a new server with a new database.
fn repetition(binary: &Path, folder: &Path, shape: Shape, measured: Duration) -> anyhow::Result<Outcome> {
    let folder = tempfile::tempdir_in(folder).context("no temporary folder")?;
    let server = Server::start(binary, folder.path())?;
    let span = Span { warm_up: WARM_UP, measured, pid: Some(server.child.id()) };
    let outcome = load::measure(server.address, shape, span)
        .and_then(|outcome| outcome.check().map(|()| outcome))
        .with_context(|| format!("the server's log:\n{}", server.log()))?;
    server.stop()?;
    Ok(outcome)
}

/// The medians of one load, each of its own.
fn row(name: &str, outcomes: &[Outcome]) -> String {
    let median = |value: &dyn Fn(&Outcome) -> Option<f64>, decimals: usize| {
        let values: Option<Vec<f64>> = outcomes.iter().map(value).collect();
        values.map_or_else(|| "unknown".to_owned(), |values| format!("{:.decimals$}", median(values)))
    };
    #[expect(clippy::cast_precision_loss, reason = "microseconds for people")]
    let latency = |share: f64| median(&move |outcome| Some(outcome.latency_us(share) as f64), 0);
    format!(
        "| {name} | {} | {} | {} | {} | {} | {} |",
        median(&|outcome| Some(outcome.reports_per_s()), 0),
        latency(0.5),
        latency(0.99),
        median(&Outcome::server_cpu_us, 2),
        median(&Outcome::written_bytes, 0),
        median(&|outcome| Some(outcome.generator_cpu_us()), 2),
    )
}

/// The middle one, or the upper of the two.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A server of ours; killed when dropped.
struct Server {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

impl Server {
    fn start(binary: &Path, folder: &Path) -> anyhow::Result<Server> {
        let log = folder.join("server.log");
        let child = Command::new(binary)
            .args(["serve", "--listen", "127.0.0.1:0", "--data", "data.sqlite"])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        // Made at once, so that whatever goes wrong from here ends it.
        let mut server = Server { child, address: SocketAddr::from(([0; 4], 0)), log };
        let printed = BufReader::new(server.child.stdout.take().context("its output is piped")?);
        for line in printed.lines() {
            if let Some(address) = line?.strip_prefix("listening stations ") {
                server.address = address.parse().with_context(|| format!("it listens at \"{address}\""))?;
                return Ok(server);
            }
        }
        bail!("the server ended before it listened; its log:\n{}", server.log())
    }

    /// Stops it as systemd does.
    fn stop(mut self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("no process id")?;
        kill_process(pid, Signal::TERM)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the server ended with {status}; its log:\n{}", self.log());
        Ok(())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_else(|error| format!("(unreadable: {error})"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Ended already, or ends now: nobody is left behind either way.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_does_not_mind_an_outlier() {
        assert!((median(vec![9.0, 1_000.0, 8.0]) - 9.0).abs() < f64::EPSILON);
    }
}
