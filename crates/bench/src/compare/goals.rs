//! The goals, and what was measured beside each of them.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Deserialize;

use super::statistics::{Ratio, number};
use super::table::{FEW, Line, MILLION, Table, USUAL};
use super::{Measured, Row, in_mib};
use crate::peers::Peer;

/// How long a commit may wait for company.
const COMMIT_WINDOW_US: f64 = 10_000.0;

/// Why goals are not met, kept by hand.
const NOTES: &str = include_str!("../../notes.toml");

/// One goal.
pub(super) struct Goal {
    /// Its key in the notes.
    key: &'static str,
    pub(super) what: &'static str,
    pub(super) goal: &'static str,
    /// What was measured; `None` where a figure for it is missing.
    pub(super) measured: Option<String>,
    pub(super) is_met: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Notes {
    reasons: BTreeMap<String, String>,
}

/// The reasons by the goals' keys.
pub(super) struct Reasons(BTreeMap<String, String>);

impl Reasons {
    /// # Errors
    /// The notes are no TOML, or speak of a goal that there is not.
    pub(super) fn read() -> anyhow::Result<Reasons> {
        let notes: Notes = toml::from_str(NOTES).context("crates/bench/notes.toml")?;
        let goals = all(&Measured::default());
        for key in notes.reasons.keys() {
            anyhow::ensure!(
                goals.iter().any(|goal| goal.key == key),
                "crates/bench/notes.toml: there is no goal \"{key}\""
            );
        }
        Ok(Reasons(notes.reasons))
    }

    /// Why this goal is not met, if anybody has said so.
    pub(super) fn of(&self, goal: &Goal) -> &str {
        self.0.get(goal.key).map_or("not explained yet", String::as_str)
    }
}

/// What a comparison came to, and whether that is enough.
type Verdict = Option<(String, bool)>;

/// All goals, in the order in which people ask.
pub(super) fn all(measured: &Measured) -> Vec<Goal> {
    let table = |row| measured.tables.iter().find(|table| table.row == row);
    let (closed, connect, gateways) = (table(Row::Closed), table(Row::Connect), table(Row::Gateways));
    let goal = |key, what, goal, verdict: Verdict| {
        let is_met = verdict.as_ref().is_some_and(|(_, is_met)| *is_met);
        Goal { key, what, goal, measured: verdict.map(|(text, _)| text), is_met }
    };
    vec![
        goal(
            "closed",
            "1,000 connections, one report in flight each",
            "≥ 0.85 x the minimal server, ≥ 1 x Mosquitto",
            closed.and_then(|table| {
                all_of([against_minimal(table, 0.85), against(table, Peer::Mosquitto, 1.0)])
            }),
        ),
        goal(
            "connect",
            "A connection for each report, 200 at once",
            "≥ 0.95 x the minimal server",
            connect.and_then(|table| against_minimal(table, 0.95)),
        ),
        goal(
            "gateways",
            "64 gateways, 4,096 in flight each, 10 k stations",
            "≥ 0.7 x the minimal server, ≥ 5 x Redis, ≥ 25 x Mosquitto",
            gateways.and_then(|table| {
                all_of([
                    against_minimal(table, 0.7),
                    against(table, Peer::Redis, 5.0),
                    against(table, Peer::Mosquitto, 25.0),
                ])
            }),
        ),
        goal(
            "gateways-million",
            "The same over 1 M stations",
            "≥ 0.7 x the rate over 10 k",
            gateways.and_then(gateways_million),
        ),
        goal(
            "closed-million",
            "1,000 connections over 1 M stations, p99",
            "≤ 2 x the p99 over 10 k",
            closed.and_then(closed_million),
        ),
        goal(
            "half-load",
            "Acknowledgement at half load, p99",
            "≤ 10 ms (the commit window) + 3 x the p99 of the disk's own fdatasync",
            half_load(measured),
        ),
        goal(
            "idle",
            "Idle connections, as many as the open files allow",
            "at least 15,000, ≤ 3 KiB of the server's memory each",
            idle(measured),
        ),
        goal(
            "known",
            "1 M stations known",
            "≤ 200 MB resident, first acknowledgement ≤ 1.5 s",
            known(measured),
        ),
        goal(
            "minute",
            "1 M stations at one report a minute: bytes written to disk a report",
            "≤ 400",
            minute(measured),
        ),
        goal(
            "growth",
            "Server CPU a report, from 1 k to 1 M stations",
            "grows less than 2 x",
            closed.zip(gateways).and_then(|(closed, gateways)| {
                all_of([growth("1,000 connections", closed), growth("gateways", gateways)])
            }),
        ),
    ]
}

/// Met if all of them are; nothing if one of them is not known.
fn all_of<const N: usize>(verdicts: [Verdict; N]) -> Verdict {
    let verdicts: Vec<_> = verdicts.into_iter().collect::<Option<_>>()?;
    let are_met = verdicts.iter().all(|(_, is_met)| *is_met);
    let texts: Vec<String> = verdicts.into_iter().map(|(text, _)| text).collect();
    Some((texts.join(", "), are_met))
}

fn at_least(ratio: f64, of: &str, wanted: f64) -> Verdict {
    ratio.is_finite().then(|| (format!("{} {of}", Ratio(ratio)), ratio >= wanted))
}

fn against_minimal(table: &Table, wanted: f64) -> Verdict {
    let ours = table.line(Peer::Waterwatch, USUAL)?;
    let minimal = table.minimal()?;
    at_least(ours.rate() / minimal.rate(), &format!("the {}", minimal.entry.peer.name()), wanted)
}

fn against(table: &Table, peer: Peer, wanted: f64) -> Verdict {
    let ours = table.line(Peer::Waterwatch, USUAL)?;
    let theirs = table.line(peer, USUAL)?;
    let name = peer.name().split(',').next().unwrap_or_default();
    at_least(ours.rate() / theirs.rate(), name, wanted)
}

fn gateways_million(table: &Table) -> Verdict {
    let (million, usual) = (table.line(Peer::Waterwatch, MILLION)?, table.line(Peer::Waterwatch, USUAL)?);
    at_least(million.rate() / usual.rate(), "the rate over 10 k", 0.7)
}

fn closed_million(table: &Table) -> Verdict {
    let p99_ms = |stations| {
        let p99_us = table.line(Peer::Waterwatch, stations)?.spread(|run| run.p99_us)?;
        Some(p99_us.median / 1_000.0)
    };
    let (million, usual) = (p99_ms(MILLION)?, p99_ms(USUAL)?);
    let text = format!("{} ms and {} ms: {}", number(million, 1), number(usual, 1), Ratio(million / usual));
    Some((text, million <= 2.0 * usual))
}

fn half_load(measured: &Measured) -> Verdict {
    let row = measured.half_load.as_ref()?;
    let p99_us = row.p99_us()?.median;
    let allowed_us = COMMIT_WINDOW_US + 3.0 * row.disk_p99_us.median;
    let ms = |us: f64| number(us / 1_000.0, 2);
    let text = format!(
        "{} ms; allowed with the disk's {} ms: {} ms",
        ms(p99_us),
        ms(row.disk_p99_us.median),
        ms(allowed_us)
    );
    Some((text, p99_us <= allowed_us))
}

fn idle(measured: &Measured) -> Verdict {
    let row = measured.idle.as_ref()?;
    let text = format!(
        "{} connections, {} bytes each",
        number(f64::from(row.connections), 0),
        number(row.bytes_each.median, 0)
    );
    Some((text, row.connections >= 15_000 && row.bytes_each.median <= 3.0 * 1_024.0))
}

fn known(measured: &Measured) -> Verdict {
    let row = measured.known.as_ref()?;
    let (resident, used, start) = (row.resident_mib.median, row.used_mib.median, row.to_first_ok_s.median);
    let text = format!(
        "{} MiB after the first acknowledgement, {} MiB after every station has reported, {} s",
        number(resident, 0),
        number(used, 0),
        number(start, 2)
    );
    Some((text, resident.max(used) <= in_mib(200_000_000) && start <= 1.5))
}

fn minute(measured: &Measured) -> Verdict {
    let bytes = measured.minute.as_ref()?.written_bytes?;
    Some((number(bytes, 0), bytes <= 400.0))
}

fn growth(name: &str, table: &Table) -> Verdict {
    let cpu_us = |stations| -> Option<f64> {
        let line: &Line = table.line(Peer::Waterwatch, stations)?;
        Some(line.spread(|run| run.cpu_us)?.median)
    };
    let ratio = cpu_us(MILLION)? / cpu_us(FEW)?;
    Some((format!("{name} {}", Ratio(ratio)), ratio < 2.0))
}

#[cfg(test)]
mod tests {
    use super::super::Run;
    use super::super::table::Entry;
    use super::*;

    fn line(peer: Peer, stations: u32, reports_per_s: f64, p99_us: f64) -> Line {
        let run = Run {
            reports_per_s,
            p50_us: None,
            p99_us: Some(p99_us),
            cpu_us: Some(1e6 / reports_per_s),
            written_bytes: None,
            resident_mib: None,
            generator_cpu_us: 1.0,
        };
        Line { entry: Entry { peer, stations, in_flight: 1 }, runs: vec![run], missing: None }
    }

    fn closed(mosquitto: Option<f64>) -> Measured {
        let mut lines = vec![
            line(Peer::Minimal, USUAL, 100.0, 5.0),
            line(Peer::MinimalEpoll, USUAL, 120.0, 5.0),
            line(Peer::Waterwatch, USUAL, 108.0, 1_000.0),
            line(Peer::Waterwatch, MILLION, 50.0, 2_100.0),
        ];
        lines.extend(mosquitto.map(|rate| line(Peer::Mosquitto, USUAL, rate, 5.0)));
        let table = Table { row: Row::Closed, title: "", about: "", lines };
        Measured { tables: vec![table], ..Measured::default() }
    }

    fn goal(measured: &Measured, key: &str) -> (Option<String>, bool) {
        let goal = all(measured).into_iter().find(|goal| goal.key == key).unwrap();
        (goal.measured, goal.is_met)
    }

    #[test]
    fn a_goal_is_met_if_every_part_of_it_is() {
        let text = |mosquitto| Some(format!("0.90 x the minimal server (epoll), {mosquitto} Mosquitto"));
        assert_eq!(goal(&closed(Some(108.0)), "closed"), (text("1.00 x"), true));
        assert_eq!(goal(&closed(Some(200.0)), "closed"), (text("0.54 x"), false));
        assert_eq!(goal(&closed(None), "closed"), (None, false), "a part of it is not known");
        let p99 = "2.1 ms and 1.0 ms: 2.10 x".to_owned();
        assert_eq!(goal(&closed(None), "closed-million"), (Some(p99), false));
    }

    #[test]
    fn the_notes_speak_of_goals_that_there_are() {
        Reasons::read().unwrap();
    }
}
