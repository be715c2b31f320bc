//! The loads that several peers share: who takes part, in turn.

use std::time::Duration;

use super::statistics::{Spread, number};
use super::{Bench, Row, Run, spread};
use crate::load::{Pace, Shape, Work};
use crate::peers::Peer;

/// The fleet of most loads, the small one, and the large one.
pub(super) const USUAL: u32 = 10_000;
pub(super) const FEW: u32 = 1_000;
pub(super) const MILLION: u32 = 1_000_000;

/// Further stations that warm a server up: at least as many as the most
/// connections, and few enough that a million and they are below the server's
/// `stations_max`.
pub(super) const fn warm_up_stations(stations: u32) -> u32 {
    if stations / 20 > 1_000 { stations / 20 } else { 1_000 }
}

/// A load and who takes part in it.
pub(super) struct Plan {
    row: Row,
    title: &'static str,
    about: &'static str,
    pace: Pace,
    connections: u32,
    entries: Vec<Entry>,
}

/// Who takes part, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) peer: Peer,
    pub(super) stations: u32,
    pub(super) in_flight: u32,
}

/// A load's results.
pub(super) struct Table {
    pub(super) row: Row,
    pub(super) title: &'static str,
    pub(super) about: &'static str,
    pub(super) lines: Vec<Line>,
}

/// One entry's results.
pub(super) struct Line {
    pub(super) entry: Entry,
    pub(super) runs: Vec<Run>,
    /// Why there are none.
    pub(super) missing: Option<String>,
}

/// All loads that several peers share.
pub(super) fn plans() -> Vec<(Row, Plan)> {
    [closed(), connect(), gateways()].into_iter().map(|plan| (plan.row, plan)).collect()
}

fn closed() -> Plan {
    Plan {
        row: Row::Closed,
        title: "1,000 connections, one report in flight each",
        about: "Closed loop: each connection sends its next report when the last one is acknowledged.",
        pace: Pace::Closed,
        connections: 1_000,
        entries: entries(
            1,
            &[
                (Peer::Minimal, USUAL),
                (Peer::MinimalEpoll, USUAL),
                (Peer::Reading, USUAL),
                (Peer::Discard, USUAL),
                (Peer::Waterwatch, USUAL),
                (Peer::Mosquitto, USUAL),
                (Peer::Redis, USUAL),
                (Peer::OldServer, USUAL),
                (Peer::Waterwatch, FEW),
                (Peer::Waterwatch, MILLION),
            ],
        ),
    }
}

fn connect() -> Plan {
    Plan {
        row: Row::Connect,
        title: "A connection for each report, 200 at once",
        about: "Connect, send, read the reply, close; the latency is that of the whole visit.",
        pace: Pace::Reconnect,
        connections: 200,
        entries: entries(
            1,
            &[
                (Peer::Minimal, USUAL),
                (Peer::MinimalEpoll, USUAL),
                (Peer::Discard, USUAL),
                (Peer::Waterwatch, USUAL),
                (Peer::OldServer, USUAL),
            ],
        ),
    }
}

fn gateways() -> Plan {
    let mut all = entries(
        4_096,
        &[
            (Peer::Minimal, USUAL),
            (Peer::MinimalEpoll, USUAL),
            (Peer::Reading, USUAL),
            (Peer::Discard, USUAL),
            (Peer::Waterwatch, USUAL),
            (Peer::Sqlite, USUAL),
            (Peer::Mosquitto, USUAL),
            (Peer::Redis, USUAL),
            (Peer::Waterwatch, FEW),
            (Peer::Waterwatch, MILLION),
            (Peer::Sqlite, MILLION),
        ],
    );
    // What these two reach may depend on it: their best is what counts.
    all.extend(entries(256, &[(Peer::Mosquitto, USUAL)]));
    all.extend(entries(512, &[(Peer::Redis, USUAL)]));
    Plan {
        row: Row::Gateways,
        title: "64 gateways, 4,096 reports in flight each",
        about: "Closed loop. Mosquitto and Redis are also measured with fewer in flight, in case that suits \
                them better; their better figure is the one that counts.",
        pace: Pace::Closed,
        connections: 64,
        entries: all,
    }
}

fn entries(in_flight: u32, peers: &[(Peer, u32)]) -> Vec<Entry> {
    peers.iter().map(|&(peer, stations)| Entry { peer, stations, in_flight }).collect()
}

impl Bench {
    /// Runs a plan: all entries in turn, again and again, so that whatever
    /// else changes on the machine meanwhile changes for all.
    ///
    /// # Errors
    /// None for an entry that fails: it is told among `failures`.
    pub(super) fn measure_table(&mut self, plan: Plan, failures: &mut Vec<String>) -> anyhow::Result<Table> {
        let Plan { row, title, about, pace, connections, entries } = plan;
        let mut lines: Vec<Line> = Vec::new();
        for entry in entries {
            if entry.peer.has_database() {
                self.fleets.prepare(entry.stations + warm_up_stations(entry.stations))?;
            }
            let missing = self.is_missing(entry.peer).then(|| "missing on this machine".to_owned());
            lines.push(Line { entry, runs: Vec::new(), missing });
        }
        for repetition in 1..=self.pacing.repetitions {
            for line in lines.iter_mut().filter(|line| line.missing.is_none()) {
                let Entry { peer, stations, in_flight } = line.entry;
                let warm_up_stations = warm_up_stations(stations);
                let shape = Shape { connections, in_flight, stations, warm_up_stations, shuffled: false };
                let work = Work { protocol: peer.protocol(), shape, pace };
                match self.run(peer, work, self.pacing.measured) {
                    Ok(run) => {
                        let rate = number(run.reports_per_s, 0);
                        eprintln!("{title}, {repetition}: {}: {rate}/s", line.entry.name());
                        line.runs.push(run);
                    }
                    Err(error) => {
                        eprintln!("{title}, {repetition}: {}: {error:#}", line.entry.name());
                        failures.push(format!("{title}: {}: {error:#}", line.entry.name()));
                        line.missing = Some("failed".to_owned());
                    }
                }
            }
        }
        Ok(Table { row, title, about, lines })
    }
}

impl Entry {
    /// What it is called in its table.
    pub(super) fn name(self) -> String {
        match self.stations {
            USUAL => self.peer.name().to_owned(),
            FEW => format!("{}, 1 k stations", self.peer.name()),
            stations => format!("{}, {} M stations", self.peer.name(), stations / 1_000_000),
        }
    }
}

impl Table {
    /// Why there is no line of a peer, if it should have taken part.
    pub(super) fn missing(&self, peer: Peer) -> Option<&str> {
        self.lines.iter().find(|line| line.entry.peer == peer)?.missing.as_deref()
    }

    /// The line of a peer with so many stations, if it was measured; of
    /// several, the fastest.
    pub(super) fn line(&self, peer: Peer, stations: u32) -> Option<&Line> {
        let of_peer = |line: &&Line| line.entry.peer == peer && line.entry.stations == stations;
        let lines = self.lines.iter().filter(of_peer).filter(|line| line.missing.is_none());
        lines.max_by(|one, other| one.rate().total_cmp(&other.rate()))
    }

    /// The faster one of the minimal servers.
    pub(super) fn minimal(&self) -> Option<&Line> {
        let lines = [Peer::Minimal, Peer::MinimalEpoll].map(|peer| self.line(peer, USUAL));
        lines.into_iter().flatten().max_by(|one, other| one.rate().total_cmp(&other.rate()))
    }
}

impl Line {
    /// The median of its reports a second.
    pub(super) fn rate(&self) -> f64 {
        self.spread(|run| Some(run.reports_per_s)).map_or(f64::NAN, |rate| rate.median)
    }

    pub(super) fn spread(&self, figure: impl Fn(&Run) -> Option<f64>) -> Option<Spread> {
        spread(&self.runs, figure)
    }
}

/// The rate of waterwatch in the closed loop, if that was measured.
pub(super) fn closed_rate(tables: &[Table]) -> Option<f64> {
    let closed = tables.iter().find(|table| table.row == Row::Closed)?;
    closed.line(Peer::Waterwatch, USUAL).map(Line::rate)
}

/// The work of 1,000 stations' connections.
pub(super) fn thousand_connections(stations: u32, pace: Pace) -> Work {
    let warm_up_stations = warm_up_stations(stations);
    let shape = Shape { connections: 1_000, in_flight: 1, stations, warm_up_stations, shuffled: false };
    Work { protocol: Peer::Waterwatch.protocol(), shape, pace }
}

/// How long a fleet of a million may take to be measured at all: each of its
/// stations once a minute.
pub(super) const MINUTE: Duration = Duration::from_secs(60);
