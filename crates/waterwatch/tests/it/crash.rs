//! Crashes under load, again and again, on one database.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::disk::Disk;
use crate::harness::{Server, wait_for};
use crate::load::{Intensity, Load};
use crate::oracle::Oracle;

/// How a server is started on the database in a folder.
pub type Start<'a> = &'a dyn Fn(&Path) -> Server;

/// How long a round waits for its number of acknowledgements; a light load is
/// broken off then.
const ROUND: Duration = Duration::from_secs(1);

/// Starts a server as it comes, or every other time one that journals at any
/// load, folds at once and keeps its log short: what else takes a minute of
/// heavy load happens in every round then.
pub fn start_either(folder: &Path) -> Server {
    const HURRIED: [&str; 10] = [
        "--direct-reports-max",
        "0",
        "--direct-pages-max",
        "0",
        "--last-date-lag-s-max",
        "1",
        "--journal-bytes-max",
        "65536",
        "--wal-bytes-max",
        "1048576",
    ];
    static STARTED: AtomicU32 = AtomicU32::new(0);
    let is_hurried = STARTED.fetch_add(1, Ordering::Relaxed) % 2 == 1;
    Server::start(folder, if is_hurried { &HURRIED } else { &[] })
}

/// The rounds that a variable asks for; `otherwise` in `./test`.
pub fn rounds(variable: &str, otherwise: u32) -> u32 {
    std::env::var(variable).map_or(otherwise, |rounds| rounds.parse().expect("a number"))
}

/// kill -9, and start again.
///
/// # Errors
/// What was lost, and in which round.
pub fn kill_rounds(rounds: u32, start: Start) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    crash_rounds(rounds, folder.path(), start, |server, load| {
        server.kill();
        load.join();
    })
}

/// The power fails.
///
/// The process is stopped first, and killed after: a power cut stops all at
/// once, so that nobody hears how a sync that was under way ended. (Here they
/// would hear wrong: while a file system is shut down, Linux lets such a sync
/// succeed without having synced.)
///
/// # Errors
/// What was lost, and in which round.
pub fn power_rounds(rounds: u32, disk: &mut Disk, start: Start) -> Result<(), String> {
    let path = disk.path.clone();
    crash_rounds(rounds, &path, start, |server, load| {
        server.running.pause();
        disk.cut_power();
        server.kill();
        load.join();
        disk.mount_again();
    })
}

/// The disk fails under a server that lives on, and must end by itself.
///
/// # Errors
/// What was lost, and in which round.
pub fn failing_disk_rounds(rounds: u32, disk: &mut Disk, start: Start) -> Result<(), String> {
    let path = disk.path.clone();
    crash_rounds(rounds, &path, start, |mut server, load| {
        disk.fail();
        load.join();
        assert_eq!(server.running.wait().code(), Some(1), "{}", server.running.logged());
        disk.mount_again();
    })
}

fn crash_rounds(
    rounds: u32,
    folder: &Path,
    start: Start,
    mut crash: impl FnMut(Server, Load),
) -> Result<(), String> {
    let oracle = Oracle::default();
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let check = |server: &Server, round: u32| {
        oracle.check(&server.data).map_err(|loss| format!("after {round} rounds: {loss}"))
    };
    for round in 0..rounds {
        let server = start(folder);
        check(&server, round)?;
        let load = Load::start(server.address, &oracle, Intensity::any(&mut random));
        // After so many acknowledgements, different each round, so that the
        // crash falls into every part of the cycle.
        let after = oracle.acknowledged() + random.u64(10..4000);
        let started = Instant::now();
        wait_for("the load", || (oracle.acknowledged() >= after || started.elapsed() > ROUND).then_some(()));
        crash(server, load);
    }
    let server = start(folder);
    check(&server, rounds)?;
    server.stop();
    oracle.check(&folder.join("data.sqlite")).map_err(|loss| format!("after a clean stop: {loss}"))?;
    let totals = oracle.totals();
    println!(
        "{rounds} rounds: {} reports sent, {} acknowledged, none lost",
        totals.sent, totals.acknowledged
    );
    assert!(
        totals.acknowledged > 0 && totals.sent > totals.acknowledged,
        "no crash fell between a report and its reply: {totals:?}"
    );
    Ok(())
}
