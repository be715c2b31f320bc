//! Hostile peers beside honest stations, which must not notice much.
//! `./campaign hostile` runs the long form.
//!
//! What is compared: honest stations report at a fixed rate, far below what
//! the server takes, and a report counts if its `OK` comes within [`IN_TIME`]
//! of the moment at which it was due. The same is measured undisturbed and
//! under attack, in turn, and the medians are compared. The attackers live on
//! the same cores, so that what they send is limited: a flood that eats all
//! of this machine's time in the test itself would say nothing of the server.

mod attack;
mod honest;

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::harness::{Server, wait_for};
use attack::Attack;
use honest::Honest;

/// How late an `OK` may be.
const IN_TIME: Duration = Duration::from_secs(1);

/// Of the undisturbed rate.
const LEFT: f64 = 0.9;

/// Measurements of each kind, and how long each takes in `./test`;
/// `WATERWATCH_HOSTILE_S` sets another length.
const REPETITIONS: usize = 3;
const MEASURED_S: u64 = 1;

/// Connections of the patient attackers.
const CONNECTIONS: usize = 3000;

/// Memory of its own that the server may have: what it has without them, and
/// what a connection may hold that never completes a line. (Seen: 2 MiB, and
/// 4 KiB each.)
const RSS_ANON_BYTES_MAX: u64 = (16 << 20) + CONNECTIONS as u64 * (8 << 10);

/// Open files of the server that runs out of them.
const FEW_FILES: u64 = 200;

#[test]
fn thousands_of_slow_peers_do_not_disturb() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    compare(&server, "slow", &|| Attack::slow(server.address, CONNECTIONS));
}

#[test]
fn thousands_of_silent_peers_do_not_disturb() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    compare(&server, "silent", &|| Attack::silent(server.address, CONNECTIONS));
}

#[test]
fn a_flood_of_garbage_under_load_does_not_disturb() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    compare(&server, "garbage", &|| Attack::garbage(server.address));
}

/// Those who are connected are served while others take all that is left.
#[test]
fn file_descriptors_that_run_out_do_not_disturb() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let pid = Pid::from_raw(i32::try_from(server.running.pid()).unwrap());
    prlimit(pid, Resource::Nofile, Rlimit { current: Some(FEW_FILES), maximum: Some(FEW_FILES) }).unwrap();
    compare(&server, "descriptors", &|| {
        let attack = Attack::pushing(server.address, 2 * usize::try_from(FEW_FILES).unwrap());
        wait_for("the files to run out", || (open_files(&server) >= FEW_FILES - 1).then_some(()));
        attack
    });
    server.running.wait_for_log("cannot accept connections for now");
}

/// Measures honest stations with and without the attack.
fn compare(server: &Server, name: &str, attack: &dyn Fn() -> Attack) {
    let seconds =
        std::env::var("WATERWATCH_HOSTILE_S").map_or(MEASURED_S, |seconds| seconds.parse().unwrap());
    let span = Duration::from_secs(seconds);
    let mut honest = Honest::connect(server.address);
    // The first reports make the stations known.
    honest.report_for(span / 4);
    let (mut undisturbed, mut disturbed) = (Vec::new(), Vec::new());
    let mut memory_bytes = 0;
    for _ in 0..REPETITIONS {
        undisturbed.push(honest.report_for(span));
        let attack = attack();
        disturbed.push(honest.report_for(span));
        memory_bytes = memory_bytes.max(rss_anon_bytes(server));
        drop(attack);
        wait_for("the attackers to be gone", || (open_files(server) < 100).then_some(()));
    }
    let (without, with) = (honest::median(&undisturbed), honest::median(&disturbed));
    println!("{name}: undisturbed {without}, attacked {with}, {} MiB of memory", memory_bytes >> 20);
    honest.end(&server.data);
    assert!(without.a_second > 0.8 * honest::OFFERED_A_SECOND, "this machine is too busy to measure");
    assert!(with.a_second >= LEFT * without.a_second, "undisturbed {without}, attacked {with}");
    assert!(memory_bytes <= RSS_ANON_BYTES_MAX, "{memory_bytes} bytes of memory");
}

fn open_files(server: &Server) -> u64 {
    std::fs::read_dir(format!("/proc/{}/fd", server.running.pid())).unwrap().count() as u64
}

/// What the server has allocated and touched.
fn rss_anon_bytes(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.running.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Sleeps until a moment; nothing if it is over.
fn sleep_until(moment: Instant) {
    thread::sleep(moment.saturating_duration_since(Instant::now()));
}
