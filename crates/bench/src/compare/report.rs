//! The report: what a reader of docs/benchmarks.md sees.

use std::fmt::Write;

use jiff::Timestamp;

use super::goals::{self, Reasons};
use super::statistics::{Ratio, Spread, decimals, number};
use super::table::{Line, Table};
use super::{Bench, Measured, Run};
use crate::machine;
use crate::peers::Peer;

/// The whole report.
///
/// # Errors
/// The notes cannot be read.
pub(super) fn markdown(bench: &Bench, measured: &Measured) -> anyhow::Result<String> {
    let mut text = String::new();
    head(&mut text, bench)?;
    goals(&mut text, measured, &Reasons::read()?)?;
    for table in &measured.tables {
        loads(&mut text, table)?;
    }
    alone(&mut text, measured)?;
    peers(&mut text, bench)?;
    text.push_str(METHOD);
    if !measured.failures.is_empty() {
        text.push_str("\n## Failed\n\n");
        for failure in &measured.failures {
            writeln!(text, "- {}", failure.trim().replace('\n', "\n  "))?;
        }
    }
    Ok(text)
}

fn head(text: &mut String, bench: &Bench) -> anyhow::Result<()> {
    text.push_str(
        "# Benchmarks\n\n\
         How many reports waterwatch takes, how fast it answers, what that costs, and how\n\
         others do under the same loads. Written by one command, which starts every\n\
         server itself:\n\n\
         ```\n\
         cargo build --release -p waterwatch -p waterwatch-bench\n\
         cargo run --release -p waterwatch-bench -- compare\n\
         ```\n\n",
    );
    let pacing = bench.pacing;
    if pacing.is_quick {
        text.push_str(
            "**A quick run (`--quick`): it shows that everything works. Its spans are too short for its\n\
             figures to mean anything.**\n\n",
        );
    }
    writeln!(
        text,
        "Measured on {}, {} repetitions of {} s each, all servers in turn.\n",
        Timestamp::now().strftime("%Y-%m-%d"),
        pacing.repetitions,
        pacing.measured.as_secs()
    )?;
    text.push_str("| machine | |\n| --- | --- |\n");
    for (name, value) in machine::describe(&bench.folder) {
        writeln!(text, "| {name} | {value} |")?;
    }
    Ok(())
}

fn goals(text: &mut String, measured: &Measured, reasons: &Reasons) -> anyhow::Result<()> {
    text.push_str(
        "\n## Goals\n\n| what | goal | measured | | reason if not met |\n| --- | --- | --- | --- | --- |\n",
    );
    for goal in goals::all(measured) {
        let value = goal.measured.as_deref().unwrap_or("not measured in this run");
        let (verdict, reason) = match goal.is_met {
            None => ("–", ""),
            Some(true) => ("met", ""),
            Some(false) => ("**not met**", reasons.of(&goal)),
        };
        writeln!(text, "| {} | {} | {value} | {verdict} | {reason} |", goal.what, goal.goal)?;
    }
    Ok(())
}

/// One load's table.
fn loads(text: &mut String, table: &Table) -> anyhow::Result<()> {
    writeln!(text, "\n## {}\n\n{}\n", table.title, table.about)?;
    let minimal = table.minimal();
    if let Some(minimal) = minimal {
        writeln!(text, "The minimal server is here: {}.\n", minimal.entry.name())?;
    }
    text.push_str(
        "| server | in flight each | reports/s | x minimal | p50 ms | p99 ms | CPU µs/report | disk bytes/report | resident MiB | generator CPU µs/report |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for line in &table.lines {
        let name = line.entry.name();
        if let Some(missing) = &line.missing {
            writeln!(text, "| {name} | {} | **{missing}** | | | | | | | |", line.entry.in_flight)?;
            continue;
        }
        let in_flight = match line.entry.peer {
            Peer::Sqlite => "full batches".to_owned(),
            _ => number(f64::from(line.entry.in_flight), 0),
        };
        let ratio = minimal.map_or_else(unknown, |minimal| Ratio(line.rate() / minimal.rate()).to_string());
        writeln!(text, "| {name} | {in_flight} | {} |", cells(line, &ratio))?;
    }
    Ok(())
}

/// From the rate to the generator.
fn cells(line: &Line, ratio: &str) -> String {
    let cell = |figure: &dyn Fn(&Run) -> Option<f64>, decimals| {
        line.spread(figure).map_or_else(unknown, |spread| spread.text(decimals))
    };
    let short = |figure: &dyn Fn(&Run) -> Option<f64>, decimals| {
        line.spread(figure).map_or_else(unknown, |spread| number(spread.median, decimals))
    };
    [
        cell(&|run| Some(run.reports_per_s), 0),
        ratio.to_owned(),
        short(&|run| run.p50_us.map(in_ms), 2),
        cell(&|run| run.p99_us.map(in_ms), 2),
        line.spread(|run| run.cpu_us).map_or_else(unknown, |cpu| cpu.text(decimals(cpu.median))),
        short(&|run| run.written_bytes, 1),
        short(&|run| run.resident_mib, 0),
        line.spread(|run| Some(run.generator_cpu_us))
            .map_or_else(unknown, |cpu| number(cpu.median, decimals(cpu.median))),
    ]
    .join(" | ")
}

/// What was measured of waterwatch alone.
fn alone(text: &mut String, measured: &Measured) -> anyhow::Result<()> {
    let ms = |spread: Spread| {
        let Spread { min, median, max } = spread;
        Spread { min: in_ms(min), median: in_ms(median), max: in_ms(max) }.text(2)
    };
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut row = |what: &str, value: String| rows.push((what.to_owned(), value));
    if let Some(half) = &measured.half_load {
        row("half load: reports due a second", number(half.reports_per_s, 0));
        row(
            "half load: reports acknowledged a second",
            half.acknowledged_per_s().map_or_else(unknown, |spread| spread.text(0)),
        );
        row("half load: acknowledgement p99, ms", half.p99_us().map_or_else(unknown, ms));
        row(
            "half load: how late the generator sent itself, p99, ms",
            half.late_p99_us().map_or_else(unknown, ms),
        );
        row("half load: 4 KiB append and fdatasync p99, ms", ms(half.disk_p99_us));
        row("half load: samples of that", number(as_f64(half.disk_samples), 0));
    }
    if let Some(idle) = &measured.idle {
        row("idle connections", number(f64::from(idle.connections), 0));
        row("idle: bytes of the server's memory each", idle.bytes_each.text(0));
    }
    if let Some(known) = &measured.known {
        row("1 M stations: start to first acknowledgement, s", known.to_first_ok_s.text(2));
        row("1 M stations: resident then, MiB", known.resident_mib.text(0));
        row("1 M stations: resident after every station has reported, MiB", known.used_mib.text(0));
    }
    if let Some(run) = &measured.minute {
        let figure =
            |value: Option<f64>, decimals| value.map_or_else(unknown, |value| number(value, decimals));
        row("1 M stations, one report a minute: reports/s", number(run.reports_per_s, 0));
        row("1 M stations, one report a minute: disk bytes/report", figure(run.written_bytes, 1));
        row("1 M stations, one report a minute: CPU µs/report", figure(run.cpu_us, 2));
        row("1 M stations, one report a minute: p99, ms", figure(run.p99_us.map(in_ms), 2));
        row(
            "1 M stations, one report a minute: how late the generator sent itself, p99, ms",
            figure(run.late_p99_us.map(in_ms), 2),
        );
        row("1 M stations, one report a minute: resident, MiB", figure(run.resident_mib, 0));
    }
    if !rows.is_empty() {
        text.push_str("\n## waterwatch alone\n\n| what | measured |\n| --- | ---: |\n");
    }
    for (what, value) in rows {
        writeln!(text, "| {what} | {value} |")?;
    }
    Ok(())
}

fn peers(text: &mut String, bench: &Bench) -> anyhow::Result<()> {
    text.push_str("\n## The servers\n\n| server | version | what it does here |\n| --- | --- | --- |\n");
    for (peer, version) in &bench.versions {
        let version = match version {
            Ok(version) => version.clone(),
            Err(error) => format!("**missing**: {error:#}"),
        };
        writeln!(text, "| {} | {version} | {} |", peer.name(), peer.about())?;
    }
    Ok(())
}

fn unknown() -> String {
    "–".to_owned()
}

fn in_ms(us: f64) -> f64 {
    us / 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "a count for people")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

const METHOD: &str = "
## How it is measured

- One generator process with one thread makes every load, over epoll, and shares the processors with
  the server. What it uses itself is in the last column: a server that leaves it less is slowed down
  by that, as by clients on the same machine.
- Every run has a new server process. All take turns, and again, so that whatever else changes on the
  machine changes for all. Figures are medians over the repetitions, with the least and the most in
  brackets. Nothing counts unless every report of the run was acknowledged.
- CPU is that of all threads of the server, from its process' own clock (nanoseconds). Disk bytes are
  `write_bytes` of `/proc/PID/io`: what the process caused to be written, checkpoints included.
- The minimal servers count newlines, many bytes at a time: with thousands of reports in one read they
  spend next to nothing on each. Whoever must know what a report says cannot; what reading alone costs
  is the line of the minimal server that reads reports.
- One report in 997 has an alarm that has changed.
- Stations report in the order of their ids, as behind gateways; at one report a minute they are shuffled,
  since independent stations have no order and neighbours that are written together cost less.
- `last_date` has minutes, so repeats within a minute change nothing there, and a short run would never
  see a minute pass. Therefore the stations of a run are known from a database whose last contacts lie
  70 s back, as in a fleet that goes on reporting, and the warm-up is done by other stations (5 % more, at least 1,000). So in each
  measured span the first report of every station changes `last_date`, as it does after the minute
  changes; in 5 s that is twelve times as often as the clock does it. The row of one report a minute
  lasts for minutes anyway.
- At half load and at one report a minute the reports fall due at equal distances, whatever is answered,
  and the latency counts from the moment at which a report was due. The generator wakes up by whole
  milliseconds; how late it was itself is told beside the latency, which contains it.
- Connections that come and go are closed by the generator and come from many addresses of loopback:
  from one alone the ports would run out, and the search for them would be measured.
- The disk is asked during the half load, in a thread of the generator: a 4 KiB append and fdatasync to a
  file beside the database, about three hundred times a second.
- Memory of an idle connection is the growth of the server's anonymous memory (`RssAnon`), after a load
  has gone over a few connections; what the system holds for each socket is not in it.
";
