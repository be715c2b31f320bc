//! A small run of the server with one fault in it, and what must hold then.

use std::fs;
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use waterwatch_faulty_disk::fault::{Act, Fault};

use crate::harness::{Running, Server, wait_for};
use crate::oracle::Oracle;

/// How long anything may take: a start, a reply or the end of the connection,
/// a stop.
const NO_HANG: Duration = Duration::from_secs(5);

/// Stations of the large database: with one report in [`APART`], nearly every
/// page is written, so that the log gets long enough for a checkpoint.
const LARGE: i64 = 40_000;
const APART: usize = 57;

/// A database to begin with, and what is known of it.
pub struct Scenario {
    /// What it is, for messages.
    pub name: &'static str,
    /// `None` is no database at all.
    folder: Option<tempfile::TempDir>,
    oracle: Oracle,
    /// The stations of each flight of reports, one flight after the other.
    flights: Vec<Vec<i64>>,
    /// How the server that is broken is to store them.
    arguments: &'static [&'static str],
}

/// Everything that says nothing new is journaled, and folded before the end.
const JOURNAL: &[&str] = &["--direct-reports-max", "0", "--direct-pages-max", "0"];

/// The log is moved into the database while the server runs, and the journal
/// is folded in a hurry.
const SHORT: &[&str] = &["--wal-bytes-max", "1048576", "--journal-bytes-max", "65536"];

impl Scenario {
    /// There is no database yet.
    pub fn fresh() -> Scenario {
        Scenario {
            name: "fresh",
            folder: None,
            oracle: Oracle::default(),
            flights: small_flights(),
            arguments: &[],
        }
    }

    /// There is one whose server was killed, with its log.
    pub fn killed() -> Scenario {
        Scenario::prepared("killed", &small_flights(), small_flights(), &[])
    }

    /// There is one with a journal whose server was killed, and the journal
    /// grows until it is folded at the end.
    pub fn journaled() -> Scenario {
        Scenario::prepared("journaled", &small_flights(), small_flights(), JOURNAL)
    }

    /// There is a large one whose server was killed. The load makes the log
    /// grow until it is moved into the database while the server runs.
    pub fn large() -> Scenario {
        let ids: Vec<i64> = (0..LARGE).collect();
        let before: Vec<_> = ids.chunks(1000).map(<[i64]>::to_vec).collect();
        let flight = |from: usize| ids.iter().copied().skip(from).step_by(APART).collect();
        Scenario::prepared("large", &before, (0..6).map(flight).collect(), SHORT)
    }

    fn prepared(
        name: &'static str,
        before: &[Vec<i64>],
        flights: Vec<Vec<i64>>,
        arguments: &'static [&'static str],
    ) -> Scenario {
        let folder = tempfile::tempdir().unwrap();
        let oracle = Oracle::default();
        let server = Server::start(folder.path(), arguments);
        let mut stream = server.connect().stream;
        for flight in before {
            assert!(oracle.report(&mut stream, flight.iter().copied()));
        }
        server.kill();
        assert!(folder.path().join("data.sqlite-wal").metadata().unwrap().len() > 0);
        Scenario { name, folder: Some(folder), oracle, flights, arguments }
    }

    /// Runs it with these faults. Returns those that happened, as the log
    /// names them.
    ///
    /// # Errors
    /// What must not be.
    pub fn run(&self, faults: &[Fault], variables: &[(&str, &Path)]) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        if let Some(prepared) = &self.folder {
            for name in ["data.sqlite", "data.sqlite-wal"] {
                fs::copy(prepared.path().join(name), folder.path().join(name)).unwrap();
            }
        }
        let oracle = self.oracle.fork();
        let (logged, ended) = self.broken_run(folder.path(), faults, variables, &oracle)?;
        let happened: Vec<String> =
            logged.lines().filter(|line| line.starts_with("faulty disk:")).map(str::to_owned).collect();
        let died = happened.iter().any(|fault| fault.contains("Kill") || fault.contains("CutPower"));
        let expected = match ended.code() {
            None => died && ended.signal() == Some(Signal::KILL.as_raw()),
            Some(0) => !died,
            Some(1) => !happened.is_empty() && !died,
            Some(_) => false,
        };
        if !expected {
            return Err(format!("it ended with {ended}:\n{logged}"));
        }
        healthy_run(folder.path(), &oracle).map_err(|error| format!("{error}; the log before:\n{logged}"))?;
        Ok(happened)
    }

    /// The run with the fault in it: its log, and how it ended.
    fn broken_run(
        &self,
        folder: &Path,
        faults: &[Fault],
        variables: &[(&str, &Path)],
        oracle: &Oracle,
    ) -> Result<(String, ExitStatus), String> {
        let started = Instant::now();
        let stays = faults.iter().any(|fault| matches!(fault.act, Act::FailFromThen(_)));
        // What stays is waited out for nothing.
        let retry_s = if stays { "0" } else { "1" };
        let server = Server::try_start(folder, &["--store-retry-s", retry_s], |command| {
            command.args(self.arguments);
            let faults: Vec<String> = faults.iter().map(Fault::to_string).collect();
            command.env("FAULTY_DISK", faults.join(","));
            command.envs(variables.iter().copied());
        });
        let mut server = match server {
            Ok(server) => server,
            Err(mut ended) => {
                let status = ended.wait();
                in_time("the start", started)?;
                return Ok((ended.logged(), status));
            }
        };
        for flight in &self.flights {
            if !report_until_acknowledged(&mut server, oracle, flight, stays)? {
                break;
            }
        }
        let stopped = Instant::now();
        if server.running.ended().is_none() {
            server.running.signal(Signal::TERM);
        }
        let status = server.running.wait();
        in_time("the stop", stopped)?;
        Ok((server.running.logged(), status))
    }
}

/// Changes and repeats of a few stations, alone and many at once.
fn small_flights() -> Vec<Vec<i64>> {
    let mut flights: Vec<Vec<i64>> = [1, 2, 1, 3, 1, 1].into_iter().map(|id| vec![id]).collect();
    flights.push((0..200).map(|station| 100 + station % 100).collect());
    flights.push(vec![2]);
    flights
}

/// Sends a flight as a station does, again until it is answered. `false` if
/// nobody will answer: the server has ended, or the fault stays.
fn report_until_acknowledged(
    server: &mut Server,
    oracle: &Oracle,
    flight: &[i64],
    stays: bool,
) -> Result<bool, String> {
    let first = Instant::now();
    loop {
        let sent = Instant::now();
        if let Ok(mut stream) = TcpStream::connect(server.address) {
            stream.set_read_timeout(Some(NO_HANG)).unwrap();
            if oracle.report(&mut stream, flight.iter().copied()) {
                return Ok(true);
            }
        }
        in_time("an answer or the end of the connection", sent)?;
        if stays || wait_for_end_or_health(&mut server.running, first)? {
            return Ok(false);
        }
    }
}

/// After a report without an answer: whether the server has ended. It may
/// still be about to.
fn wait_for_end_or_health(running: &mut Running, since: Instant) -> Result<bool, String> {
    in_time("healing", since).map_err(|error| format!("{error}:\n{}", running.logged()))?;
    std::thread::sleep(Duration::from_millis(5));
    Ok(running.ended().is_some())
}

/// The disk is good again: everything must be there, and go on.
fn healthy_run(folder: &Path, oracle: &Oracle) -> Result<(), String> {
    let data: PathBuf = folder.join("data.sqlite");
    let server = Server::start(folder, &[]);
    oracle.check(&data).map_err(|error| format!("at the start after it: {error}"))?;
    let mut stream = server.connect().stream;
    if !oracle.report(&mut stream, [1, 7]) {
        return Err(format!("it does not go on:\n{}", server.running.logged()));
    }
    server.stop();
    oracle.check(&data).map_err(|error| format!("after a clean stop: {error}"))
}

fn in_time(what: &str, since: Instant) -> Result<(), String> {
    let elapsed = since.elapsed();
    if elapsed < NO_HANG { Ok(()) } else { Err(format!("{what} took {elapsed:?}")) }
}

/// The counts that a run without a fault writes: `write 123`.
pub fn counts(scenario: &Scenario) -> Vec<(String, u64)> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("counts");
    assert!(scenario.run(&[], &[("FAULTY_DISK_COUNTS", &file)]).unwrap().is_empty());
    let text = wait_for("the counts", || fs::read_to_string(&file).ok());
    let count = |line: &str| {
        let (kind, count) = line.split_once(' ').unwrap();
        (kind.to_owned(), count.parse().unwrap())
    };
    text.lines().map(count).collect()
}
