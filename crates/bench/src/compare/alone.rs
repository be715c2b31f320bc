//! What is measured of waterwatch alone.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use waterwatch::config::Limits;
use waterwatch::open_files;

use super::statistics::Spread;
use super::table::{MILLION, MINUTE, USUAL, thousand_connections, warm_up_stations};
use super::{Bench, Run, in_mib, observe, spread};
use crate::disk::DiskProbe;
use crate::load::{Pace, Shape, Span, Steady, Work};
use crate::peers::Peer;
use crate::process::Memory;
use crate::protocol::Protocol;

/// Files that are no connections of the load: ours and the server's.
const FILES_RESERVED: u32 = 200;

/// More connections than this find no port of their own on one address.
const CONNECTIONS_MAX: u32 = 27_000;

/// How long a server may take to answer so many new connections.
const ANSWER_WAIT: Duration = Duration::from_secs(60);

/// How long a server is left alone before its memory is looked at.
const SETTLE: Duration = Duration::from_secs(1);

/// The acknowledgement at half load.
pub(super) struct HalfLoad {
    pub(super) reports_per_s: f64,
    pub(super) runs: Vec<Run>,
    /// The disk's own p99 while the load ran.
    pub(super) disk_p99_us: Spread,
    pub(super) disk_samples: u64,
}

/// Connections that have nothing to say.
pub(super) struct Idle {
    pub(super) connections: u32,
    /// The server's own memory for each.
    pub(super) bytes_each: Spread,
}

/// A start with a million stations.
pub(super) struct Known {
    pub(super) to_first_ok_s: Spread,
    /// After the first acknowledgement, and after every station has reported.
    pub(super) resident_mib: Spread,
    pub(super) used_mib: Spread,
}

impl Bench {
    /// Half the rate of the closed loop, whatever is answered, while the disk
    /// is asked what it takes itself.
    pub(super) fn half_load(&mut self, closed_rate: Option<f64>) -> anyhow::Result<HalfLoad> {
        let closed_rate = match closed_rate {
            Some(rate) => rate,
            None => {
                let work = thousand_connections(USUAL, Pace::Closed);
                self.run(Peer::Waterwatch, work, self.pacing.measured)?.reports_per_s
            }
        };
        let reports_per_s = closed_rate / 2.0;
        let work = thousand_connections(USUAL, Pace::Open { reports_per_s });
        let span = Span { warm_up: self.pacing.warm_up, measured: self.pacing.half_load, pid: None };
        let (mut runs, mut disk_p99_us, mut disk_samples) = (Vec::new(), Vec::new(), 0);
        for repetition in 1..=self.pacing.repetitions {
            let folder = tempfile::tempdir_in(&self.folder)?;
            self.fleets.copy(work.shape.stations + work.shape.warm_up_stations, folder.path())?;
            let server = Peer::Waterwatch.start(&self.waterwatch, folder.path())?;
            let probe = DiskProbe::start(folder.path())?;
            let observed = observe(&server, work, span);
            let disk_us = probe.stop()?;
            let (outcome, memory) = observed?;
            server.stop()?;
            let run = Run::new(&outcome, Some(memory));
            eprintln!("half load, {repetition}: p99 {:.0} µs", run.p99_us.unwrap_or(f64::NAN));
            runs.push(run);
            #[expect(clippy::cast_precision_loss, reason = "microseconds for people")]
            disk_p99_us.push(disk_us.value_at_quantile(0.99) as f64);
            disk_samples += disk_us.len();
        }
        let disk_p99_us = Spread::of(disk_p99_us).context("no repetition")?;
        Ok(HalfLoad { reports_per_s, runs, disk_p99_us, disk_samples })
    }

    /// As many connections as the open files allow; each reports once.
    pub(super) fn idle(&mut self) -> anyhow::Result<Idle> {
        // A share of the files is for those who speak HTTP, and the generator has as many.
        let limits = open_files::within(&Limits::default());
        let connections =
            u32::try_from(limits.connections_max)?.saturating_sub(FILES_RESERVED).min(CONNECTIONS_MAX);
        let mut bytes_each = Vec::new();
        for repetition in 1..=self.pacing.repetitions {
            let folder = tempfile::tempdir_in(&self.folder)?;
            self.fleets.copy(connections, folder.path())?;
            let server = Peer::Waterwatch.start(&self.waterwatch, folder.path())?;
            // So that what the first connections and commits need once is not
            // counted as theirs.
            let few = Shape {
                connections: 64,
                in_flight: 1,
                stations: connections,
                warm_up_stations: 0,
                shuffled: false,
            };
            let work = Work { protocol: Protocol::Lines, shape: few, pace: Pace::Once };
            Steady::connect(server.address, work)?.report_once(ANSWER_WAIT)?;
            thread::sleep(SETTLE);
            let before = Memory::of(server.pid())?.anonymous_bytes;
            let work = Work { shape: Shape { connections, ..few }, ..work };
            let mut idle = Steady::connect(server.address, work)?;
            idle.report_once(ANSWER_WAIT)?;
            thread::sleep(SETTLE);
            let grown = Memory::of(server.pid())?.anonymous_bytes.saturating_sub(before);
            #[expect(clippy::cast_precision_loss, reason = "bytes for people")]
            let each = grown as f64 / f64::from(connections);
            eprintln!("{connections} idle connections, {repetition}: {each:.0} bytes each");
            bytes_each.push(each);
            drop(idle);
            server.stop()?;
        }
        Ok(Idle { connections, bytes_each: Spread::of(bytes_each).context("no repetition")? })
    }

    /// Starts with a million stations until the first acknowledgement, and
    /// then lets each of them report.
    pub(super) fn known(&mut self) -> anyhow::Result<Known> {
        let stations = MILLION + warm_up_stations(MILLION);
        let (mut to_first_ok_s, mut resident_mib, mut used_mib) = (Vec::new(), Vec::new(), Vec::new());
        for repetition in 1..=self.pacing.repetitions {
            let folder = tempfile::tempdir_in(&self.folder)?;
            self.fleets.copy(stations, folder.path())?;
            let began = Instant::now();
            let server = Peer::Waterwatch.start(&self.waterwatch, folder.path())?;
            let shape =
                Shape { connections: 64, in_flight: 256, stations, warm_up_stations: 0, shuffled: false };
            let mut stream = TcpStream::connect(server.address)?;
            stream.write_all(format!("{} 0 0\n", shape.first_id()).as_bytes())?;
            let mut reply = [0; 3];
            stream.read_exact(&mut reply)?;
            ensure!(reply == *b"OK\n", "the first reply is {}", reply.escape_ascii());
            to_first_ok_s.push(began.elapsed().as_secs_f64());
            resident_mib.push(in_mib(Memory::of(server.pid())?.resident_bytes));
            let work = Work { protocol: Protocol::Lines, shape, pace: Pace::Once };
            Steady::connect(server.address, work)?.report_once(10 * ANSWER_WAIT)?;
            used_mib.push(in_mib(Memory::of(server.pid())?.resident_bytes));
            server.stop()?;
            eprintln!(
                "a million stations known, {repetition}: {:.3} s",
                to_first_ok_s[to_first_ok_s.len() - 1]
            );
        }
        let of = |values| Spread::of(values).context("no repetition");
        Ok(Known {
            to_first_ok_s: of(to_first_ok_s)?,
            resident_mib: of(resident_mib)?,
            used_mib: of(used_mib)?,
        })
    }

    /// A million stations, each with a report a minute: once, for minutes.
    pub(super) fn minute(&mut self) -> anyhow::Result<Run> {
        let Shape { stations, warm_up_stations, .. } = thousand_connections(MILLION, Pace::Closed).shape;
        // All that are known report, and warm up themselves, each once: so a
        // fleet is measured that goes on reporting, and not one that comes
        // back after a while, when every first report ends a span.
        let fleet = stations + warm_up_stations;
        let reports_per_s = f64::from(fleet) / MINUTE.as_secs_f64();
        let mut work = thousand_connections(MILLION, Pace::Open { reports_per_s });
        (work.shape.stations, work.shape.warm_up_stations) = (fleet, 0);
        // In the order of their ids, neighbours would be written together.
        work.shape.shuffled = true;
        eprintln!("a million stations at one report a minute, for {:?}", self.pacing.minute);
        let folder = tempfile::tempdir_in(&self.folder)?;
        self.fleets.copy(fleet, folder.path())?;
        let server = Peer::Waterwatch.start(&self.waterwatch, folder.path())?;
        let warm_up =
            if self.pacing.minute > MINUTE { MINUTE + 5 * self.pacing.warm_up } else { self.pacing.warm_up };
        let span = Span { warm_up, measured: self.pacing.minute, pid: None };
        let (outcome, memory) = observe(&server, work, span)?;
        server.stop()?;
        Ok(Run::new(&outcome, Some(memory)))
    }
}

impl HalfLoad {
    pub(super) fn p99_us(&self) -> Option<Spread> {
        spread(&self.runs, |run| run.p99_us)
    }

    /// How late the generator was itself.
    pub(super) fn late_p99_us(&self) -> Option<Spread> {
        spread(&self.runs, |run| run.late_p99_us)
    }

    /// What was acknowledged; less than was due if the server does not keep
    /// up.
    pub(super) fn acknowledged_per_s(&self) -> Option<Spread> {
        spread(&self.runs, |run| Some(run.reports_per_s))
    }
}
