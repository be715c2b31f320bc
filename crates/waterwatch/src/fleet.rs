//! `waterwatch simulate`: a fleet of stations that behaves as real ones do,
//! for trying a server out and for seeing how it stands a load.
//!
//! One thread plays all stations; each is a small task with its own
//! connection, phase and contacts (`station`). What they live through is
//! counted in one place (`tally`). Nothing here knows the server's insides:
//! the fleet sees what a station sees.

mod contact;
mod progress;
mod room;
mod station;
mod tally;

use std::cell::RefCell;
use std::io::{Write, stdout};
use std::net::{SocketAddr, ToSocketAddrs};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use waterwatch_core::StationId;

use self::progress::Progress;
use self::station::Station;
use self::tally::Tally;
use crate::cli::SimulateOptions;
use crate::failure::Failure;
use crate::server_address::ServerAddress;

/// The shortest period: what the timer can tell apart.
const PERIOD_MIN: Duration = Duration::from_millis(1);

/// The longest period, a year: nobody waits that long, and every sum of
/// times stays far from where it would overflow.
const PERIOD_MAX: Duration = Duration::from_secs(366 * 86_400);

/// New connections a second at most while the fleet starts: well below what
/// a listening socket's queue takes, so that a short period is no storm.
const CONNECTS_PER_S_MAX: u32 = 5_000;

/// How long the last answers may take when the fleet is told to stop.
const STOP_WAIT: Duration = Duration::from_secs(2);

/// What all stations share.
struct Fleet {
    /// What was asked for.
    options: SimulateOptions,
    /// Where the server may be, in the order in which to try.
    addresses: Vec<SocketAddr>,
    /// What became of the reports.
    tally: RefCell<Tally>,
    /// Told when no station shall begin another report.
    stop: CancellationToken,
}

/// Plays the fleet until its time is over or somebody interrupts it, then
/// prints the summary.
///
/// # Errors
/// A [`Failure::WrongInput`] if the fleet does not fit (ids, open files,
/// period). A [`Failure::Failed`] if no
/// report was ever acknowledged.
pub fn run(options: SimulateOptions) -> Result<(), Failure> {
    check_period(options.every)?;
    let first = room::first_id(options.first_id, options.stations)?;
    room::raise_open_files(options.stations)?;
    let fleet = Rc::new(Fleet {
        addresses: resolve(&options.server)?,
        options,
        tally: RefCell::new(Tally::new()),
        stop: CancellationToken::new(),
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let started = Instant::now();
    LocalSet::new().block_on(&runtime, play(&fleet, first))?;

    let (mut tally, server) = (fleet.tally.borrow_mut(), &fleet.options.server);
    tally.give_up_open();
    // Whoever closed the pipe has seen enough.
    let _ = stdout().write_all(tally.summary(server, fleet.options.stations, started.elapsed()).as_bytes());
    match tally.nothing_acknowledged() {
        Some(why) => Err(Failure::Failed(anyhow!("{server}: no report was acknowledged: {why}"))),
        None => Ok(()),
    }
}

/// Starts every station and waits for the end.
async fn play(fleet: &Rc<Fleet>, first: StationId) -> anyhow::Result<()> {
    let options = &fleet.options;
    // Before the first station starts, so that an early interrupt ends with
    // the summary as well.
    let interrupt = signal(SignalKind::interrupt()).context("cannot hear SIGINT")?;
    let terminate = signal(SignalKind::terminate()).context("cannot hear SIGTERM")?;
    let mut stations = JoinSet::new();
    let mut dice = fastrand::Rng::new();
    let ramp = ramp(options.every, options.stations);
    let start = Instant::now();
    for place in 0..options.stations {
        let id = StationId::new(first.get() + i64::from(place)).context("the last id was checked")?;
        let source = room::source(fleet.addresses[0], place, options.stations);
        let begins = start + ramp.mul_f64(dice.f64());
        stations.spawn_local(Station::new(Rc::clone(fleet), id, source, begins, dice.fork()).live());
    }
    let mut progress = Progress::new(options.stations);
    tokio::select! {
        () = progress.watch(&fleet.tally) => {}
        () = end(options.run_for, interrupt, terminate) => {}
    }
    fleet.stop.cancel();
    // Whoever is still without an answer then is cut off, and counted as such.
    let _ = tokio::time::timeout(STOP_WAIT, async { while stations.join_next().await.is_some() {} }).await;
    progress.finish(&fleet.tally.borrow());
    Ok(())
}

/// Returns when the run shall end: its time is over, or it is interrupted.
async fn end(run_for: Option<Duration>, mut interrupt: Signal, mut terminate: Signal) {
    let time_over = async {
        match run_for {
            Some(span) => tokio::time::sleep(span).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = time_over => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Over how long the stations begin: one period, as if each had been started
/// at some moment of its own; longer if that were too many a second.
fn ramp(period: Duration, stations: u32) -> Duration {
    period.max(Duration::from_secs_f64(f64::from(stations) / f64::from(CONNECTS_PER_S_MAX)))
}

fn check_period(period: Duration) -> Result<(), Failure> {
    if (PERIOD_MIN..=PERIOD_MAX).contains(&period) {
        return Ok(());
    }
    Err(Failure::WrongInput(anyhow!("--every {period:?} is out of range: from 1ms to 366 days")))
}

/// Looked up once, since a fleet is played for minutes.
fn resolve(server: &ServerAddress) -> anyhow::Result<Vec<SocketAddr>> {
    let found = (server.host.as_str(), server.port).to_socket_addrs();
    let addresses: Vec<SocketAddr> =
        found.with_context(|| format!("the address of {server} cannot be found"))?.collect();
    ensure!(!addresses.is_empty(), "the name {server} has no address");
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_begins_within_its_period_or_a_few_seconds() {
        assert_eq!(ramp(Duration::from_secs(60), 20_000), Duration::from_secs(60));
        assert_eq!(ramp(Duration::from_millis(100), 20_000), Duration::from_secs(4));
        assert_eq!(ramp(Duration::from_millis(100), 10), Duration::from_millis(100));
    }
}
