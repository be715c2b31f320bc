//! The goals, and what was measured beside each of them.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Deserialize;

use super::statistics::{Ratio, number};
use super::table::{FEW, Line, MILLION, MINUTE, Table, USUAL};
use super::{Measured, Row};
use crate::peers::Peer;

/// How long a commit may wait for company.
const COMMIT_WINDOW_US: f64 = 10_000.0;

/// A server that acknowledges less than this share of what falls due has not
/// kept up with it; the rest allows for where the span begins and ends.
const KEEPS_UP: f64 = 0.99;

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
    /// `None` if something that it needs is missing.
    pub(super) is_met: Option<bool>,
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

/// A part of what was measured for a goal, and whether it is enough; `None` if
/// what it needs is missing.
struct Part {
    text: String,
    is_met: Option<bool>,
}

/// The parts, or nothing if the whole was not measured.
type Parts = Option<Vec<Part>>;

fn goal(key: &'static str, what: &'static str, goal: &'static str, parts: Parts) -> Goal {
    let Some(parts) = parts else { return Goal { key, what, goal, measured: None, is_met: None } };
    let is_met = if parts.iter().any(|part| part.is_met == Some(false)) {
        Some(false)
    } else {
        parts.iter().map(|part| part.is_met).collect::<Option<Vec<bool>>>().map(|_| true)
    };
    let texts: Vec<String> = parts.into_iter().map(|part| part.text).collect();
    Goal { key, what, goal, measured: Some(texts.join(", ")), is_met }
}

/// All goals, in the order in which people ask.
pub(super) fn all(measured: &Measured) -> Vec<Goal> {
    let mut goals = of_tables(measured);
    goals.extend([
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
    ]);
    goals
}

/// The goals that compare lines of tables.
fn of_tables(measured: &Measured) -> Vec<Goal> {
    let table = |row| measured.tables.iter().find(|table| table.row == row);
    let (closed, connect, gateways) = (table(Row::Closed), table(Row::Connect), table(Row::Gateways));
    let mosquitto = |table, wanted| against(table, Peer::Mosquitto, wanted);
    vec![
        goal(
            "closed",
            "1,000 connections, one report in flight each",
            "≥ 0.85 x the minimal server, ≥ 1 x Mosquitto",
            closed.map(|table| vec![against_minimal(table, 0.85), mosquitto(table, 1.0)]),
        ),
        goal(
            "connect",
            "A connection for each report, 200 at once",
            "≥ 0.95 x the minimal server",
            connect.map(|table| vec![against_minimal(table, 0.95)]),
        ),
        goal(
            "gateways",
            "64 gateways, 4,096 in flight each, 10 k stations",
            "≥ 0.7 x the minimal server, ≥ 5 x Redis, ≥ 25 x Mosquitto",
            gateways.map(|table| {
                vec![against_minimal(table, 0.7), against(table, Peer::Redis, 5.0), mosquitto(table, 25.0)]
            }),
        ),
        goal(
            "gateways-million",
            "The same over 1 M stations",
            "≥ 0.7 x the rate over 10 k",
            gateways.map(|table| vec![gateways_million(table)]),
        ),
        goal(
            "closed-million",
            "1,000 connections over 1 M stations, p99",
            "≤ 2 x the p99 over 10 k",
            closed.map(|table| vec![closed_million(table)]),
        ),
        goal(
            "growth",
            "Server CPU a report, from 1 k to 1 M stations",
            "grows less than 2 x",
            closed.zip(gateways).map(|(closed, gateways)| {
                vec![growth("1,000 connections", closed), growth("gateways", gateways)]
            }),
        ),
    ]
}

/// A ratio that must be at least so much; without its figures, what is
/// missing.
fn at_least(ratio: Option<f64>, of: &str, wanted: f64, missing: &str) -> Part {
    match ratio {
        Some(ratio) => Part { text: format!("{} {of}", Ratio(ratio)), is_met: Some(ratio >= wanted) },
        None => Part { text: format!("{of}: {missing}"), is_met: None },
    }
}

fn against_minimal(table: &Table, wanted: f64) -> Part {
    let minimal = table.minimal();
    let name = minimal.map_or("minimal server", |minimal| minimal.entry.peer.name());
    at_least(of_ours(table, minimal), &format!("the {name}"), wanted, "failed")
}

fn against(table: &Table, peer: Peer, wanted: f64) -> Part {
    let name = peer.name().split(',').next().unwrap_or_default();
    let missing = table.missing(peer).unwrap_or("no figure to compare with");
    at_least(of_ours(table, table.line(peer, USUAL)), name, wanted, missing)
}

/// Our rate as a multiple of theirs.
fn of_ours(table: &Table, theirs: Option<&Line>) -> Option<f64> {
    Some(table.line(Peer::Waterwatch, USUAL)?.rate() / theirs?.rate())
}

fn gateways_million(table: &Table) -> Part {
    let rate = |stations| table.line(Peer::Waterwatch, stations).map(Line::rate);
    let ratio = rate(MILLION).zip(rate(USUAL)).map(|(million, usual)| million / usual);
    at_least(ratio, "the rate over 10 k", 0.7, "failed")
}

fn closed_million(table: &Table) -> Part {
    let p99_ms = |stations| {
        let p99_us = table.line(Peer::Waterwatch, stations)?.spread(|run| run.p99_us)?;
        Some(p99_us.median / 1_000.0)
    };
    let Some((million, usual)) = p99_ms(MILLION).zip(p99_ms(USUAL)) else {
        return Part { text: "failed".to_owned(), is_met: None };
    };
    let ratio = Ratio(million / usual);
    let text = format!("{} ms over 1 M, {} ms over 10 k: {ratio}", number(million, 1), number(usual, 1));
    Part { text, is_met: Some(million <= 2.0 * usual) }
}

fn growth(name: &str, table: &Table) -> Part {
    let cpu_us = |stations| -> Option<f64> {
        let line: &Line = table.line(Peer::Waterwatch, stations)?;
        Some(line.spread(|run| run.cpu_us)?.median)
    };
    match cpu_us(MILLION).zip(cpu_us(FEW)) {
        Some((million, few)) => {
            Part { text: format!("{name} {}", Ratio(million / few)), is_met: Some(million < 2.0 * few) }
        }
        None => Part { text: format!("{name}: failed"), is_met: None },
    }
}

fn half_load(measured: &Measured) -> Parts {
    let row = measured.half_load.as_ref()?;
    let p99_us = row.p99_us()?.median;
    let allowed_us = COMMIT_WINDOW_US + 3.0 * row.disk_p99_us.median;
    let keeps_up = row.acknowledged_per_s()?.median >= KEEPS_UP * row.reports_per_s;
    let ms = |us: f64| number(us / 1_000.0, 2);
    let (measured, disk, allowed) = (ms(p99_us), ms(row.disk_p99_us.median), ms(allowed_us));
    let mut text = format!("{measured} ms; with the disk's {disk} ms, {allowed} ms are allowed");
    if !keeps_up {
        text.push_str("; the server does not keep up");
    }
    Some(vec![Part { text, is_met: Some(keeps_up && p99_us <= allowed_us) }])
}

fn idle(measured: &Measured) -> Parts {
    let row = measured.idle.as_ref()?;
    let connections = number(f64::from(row.connections), 0);
    let each = row.bytes_each.median;
    Some(vec![
        Part { text: format!("{connections} connections"), is_met: Some(row.connections >= 15_000) },
        Part { text: format!("{} bytes each", number(each, 0)), is_met: Some(each <= 3.0 * 1_024.0) },
    ])
}

fn known(measured: &Measured) -> Parts {
    let row = measured.known.as_ref()?;
    let resident_mb = |mib: f64| mib * f64::from(1 << 20) / 1e6;
    let (known, used) = (resident_mb(row.resident_mib.median), resident_mb(row.used_mib.median));
    let text = format!("{} MB, {} MB once all have reported", number(known, 0), number(used, 0));
    let start_s = row.to_first_ok_s.median;
    Some(vec![
        Part { text, is_met: Some(known.max(used) <= 200.0) },
        Part { text: format!("{} s", number(start_s, 2)), is_met: Some(start_s <= 1.5) },
    ])
}

fn minute(measured: &Measured) -> Parts {
    let run = measured.minute.as_ref()?;
    let bytes = run.written_bytes?;
    let keeps_up = run.reports_per_s >= KEEPS_UP * f64::from(MILLION) / MINUTE.as_secs_f64();
    let text = format!("{} at {} reports/s", number(bytes, 0), number(run.reports_per_s, 0));
    Some(vec![Part { text, is_met: Some(keeps_up && bytes <= 400.0) }])
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
            late_p99_us: None,
            cpu_us: Some(1e6 / reports_per_s),
            written_bytes: None,
            resident_mib: None,
            generator_cpu_us: 1.0,
        };
        Line { entry: Entry { peer, stations, in_flight: 1 }, runs: vec![run], missing: None }
    }

    fn table(row: Row, mosquitto: Option<f64>) -> Table {
        let mut lines = vec![
            line(Peer::Minimal, USUAL, 100.0, 5.0),
            line(Peer::MinimalEpoll, USUAL, 120.0, 5.0),
            line(Peer::Waterwatch, FEW, 110.0, 900.0),
            line(Peer::Waterwatch, USUAL, 108.0, 1_000.0),
            line(Peer::Waterwatch, MILLION, 50.0, 2_100.0),
        ];
        let mut mosquitto_line = line(Peer::Mosquitto, USUAL, mosquitto.unwrap_or_default(), 5.0);
        if mosquitto.is_none() {
            mosquitto_line.missing = Some("missing on this machine".to_owned());
        }
        lines.push(mosquitto_line);
        Table { row, title: "", about: "", lines }
    }

    fn check(measured: &Measured, key: &str, text: Option<&str>, is_met: Option<bool>) {
        let goal = all(measured).into_iter().find(|goal| goal.key == key).unwrap();
        assert_eq!((goal.measured.as_deref(), goal.is_met), (text, is_met), "{key}");
    }

    fn closed(mosquitto: Option<f64>) -> Measured {
        Measured { tables: vec![table(Row::Closed, mosquitto)], ..Measured::default() }
    }

    #[test]
    fn a_goal_is_met_if_every_part_of_it_is() {
        let minimal = "0.90 x the minimal server (epoll)";
        for (mosquitto, part, is_met) in [
            (Some(108.0), "1.00 x Mosquitto", Some(true)),
            (Some(200.0), "0.54 x Mosquitto", Some(false)),
            (None, "Mosquitto: missing on this machine", None),
        ] {
            check(&closed(mosquitto), "closed", Some(&format!("{minimal}, {part}")), is_met);
        }
    }

    #[test]
    fn a_million_stations_are_compared_with_fewer() {
        let p99 = "2.1 ms over 1 M, 1.0 ms over 10 k: 2.10 x";
        check(&closed(None), "closed-million", Some(p99), Some(false));
        check(&closed(None), "growth", None, None);
        let mut both = closed(None);
        both.tables.push(table(Row::Gateways, None));
        check(&both, "growth", Some("1,000 connections 2.20 x, gateways 2.20 x"), Some(false));
        check(&both, "gateways-million", Some("0.46 x the rate over 10 k"), Some(false));
    }

    #[test]
    fn the_notes_speak_of_goals_that_there_are() {
        Reasons::read().unwrap();
    }
}
