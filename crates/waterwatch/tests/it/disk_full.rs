//! A full disk: nothing is acknowledged that is not stored, nothing is
//! refused, and it heals by itself once there is room. `./campaign disk-full`
//! runs the long form.

use std::time::{Duration, Instant};

use crate::disk::Disk;
use crate::harness::{Peer, Server, alarms, integrity, wait_for};
use crate::load::{Intensity, Load};
use crate::oracle::Oracle;

/// Stations that ask on while the disk is full, and a gateway whose stations
/// are always new, so that the database must grow.
const PERSISTENT: Intensity = Intensity {
    stations: 8,
    gateways: 1,
    in_flight: 500,
    stations_per_gateway: 1_000_000,
    pause: Duration::from_millis(20),
};

#[test]
fn a_full_disk_acknowledges_nothing_and_heals() {
    let Some(disk) = Disk::tmpfs(2 << 20) else { return };
    let server = Server::start(&disk.path, &["--store-retry-s", "1"]);
    assert_eq!(server.say(b"1 0 0\n"), "OK\n");
    disk.fill();
    // The log may still have room within its last page: new stations fill it.
    let mut stored: Vec<String> = Vec::new();
    let mut id = 1000;
    loop {
        let mut peer = server.connect();
        let ids: Vec<String> = (0..500).map(|number| format!("{} 1 0", id + number)).collect();
        peer.send(ids.join("\n") + "\n");
        peer.half_close();
        let answer = peer.rest();
        if answer.is_empty() {
            break;
        }
        assert_eq!(answer, "OK\n".repeat(500), "all of a batch or nothing");
        assert!(id < 100_000, "more is acknowledged than the disk can hold");
        stored.extend(ids);
        id += 500;
    }
    server.running.wait_for_log("the disk is full");
    // A line that is wrong beside one that cannot be stored: no reply at all.
    assert_eq!(server.say(b"x\n2 1 1\n"), "");
    // A line that is wrong alone is refused as ever.
    assert!(server.say(b"x\n").starts_with("ERR station_id"));
    // Whoever watches sees it, and what was left unanswered.
    let api = server.api();
    assert_eq!(api.metric("waterwatch_can_store"), Some(0.0));
    assert_eq!(api.metric("waterwatch_reports_total{outcome=\"not_stored\"}"), Some(501.0));
    assert_eq!(api.metric("waterwatch_refused_lines_total{code=\"station_id\"}"), Some(2.0));
    let failed = api.metric("waterwatch_commit_failures_total{outcome=\"not_done\"}");
    assert!(failed.is_some_and(|count| count >= 2.0), "{failed:?}");

    // It heals while a station waits.
    let mut waiting = server.connect();
    waiting.send("3 1 1\n");
    disk.make_room();
    let healed = waiting.reply();
    let answer = if healed.is_empty() { retry(&server, "3 1 1\n") } else { healed };
    assert_eq!(answer, "OK");
    server.running.wait_for_log("reports are stored again");
    assert_eq!(api.metric("waterwatch_can_store"), Some(1.0));

    stored.extend(["1 0 0".to_owned(), "3 1 1".to_owned()]);
    stored.sort_by_key(|row| row.split(' ').next().unwrap().parse::<i64>().unwrap());
    assert_eq!(alarms(&server.data), stored, "exactly what was acknowledged");
    let data = server.data.clone();
    let logged = server.stop();
    assert_eq!(integrity(&data), "ok");
    assert!(logged.matches("cannot be stored").count() <= 3, "the log is flooded:\n{logged}");
}

#[test]
fn it_stops_in_time_on_a_full_disk() {
    let Some(disk) = Disk::tmpfs(2 << 20) else { return };
    let mut server = Server::start(&disk.path, &["--store-retry-s", "60"]);
    disk.fill();
    let lines: Vec<String> = (0..20_000).map(|id| format!("{id} 0 1\n")).collect();
    let mut peer = server.connect();
    let mut writer = Peer { stream: peer.stream.try_clone().unwrap() };
    let sender = std::thread::spawn(move || {
        use std::io::Write;
        let _ = writer.stream.write_all(lines.concat().as_bytes());
    });
    server.running.wait_for_log("the disk is full");
    let started = Instant::now();
    server.running.signal(rustix::process::Signal::TERM);
    let status = server.running.wait();
    assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
    assert!(status.success(), "{status}");
    let acknowledged = peer.rest();
    assert!(!acknowledged.contains("ERR"));
    sender.join().unwrap();
    assert_eq!(acknowledged.matches("OK\n").count(), alarms(&server.data).len());
    assert_eq!(integrity(&server.data), "ok");
}

/// Sends the line on new connections until it is answered.
fn retry(server: &Server, line: &str) -> String {
    wait_for("an answer", || {
        let answer = server.say(line.as_bytes());
        (!answer.is_empty()).then(|| answer.trim_end().to_owned())
    })
}

/// `WATERWATCH_DISK_FULL_S` says for how long.
#[test]
fn a_disk_that_stays_full_under_load_loses_nothing_and_heals() {
    let full_s = std::env::var("WATERWATCH_DISK_FULL_S").map_or(3, |seconds| seconds.parse().unwrap());
    let Some(disk) = Disk::ext4(32 << 20) else { return };
    let server = Server::start(&disk.path, &["--store-retry-s", "1"]);
    let oracle = Oracle::default();
    let load = Load::stubborn(server.address, &oracle, PERSISTENT);
    wait_for("the load", || (oracle.acknowledged() > 5000).then_some(()));
    disk.fill();
    server.running.wait_for_log("the disk is full");
    let (since, before) = (Instant::now(), oracle.totals());
    while since.elapsed() < Duration::from_secs(full_s) {
        // Time is what is tested: it stays full for so long.
        std::thread::sleep(Duration::from_millis(100));
    }
    let after = oracle.totals();
    disk.make_room();
    let healed = oracle.acknowledged() + 5000;
    wait_for("reports to be stored again", || (oracle.acknowledged() > healed).then_some(()));
    load.stop();
    oracle.check(&server.data).unwrap();
    let data = server.data.clone();
    let logged = server.stop();
    oracle.check(&data).unwrap();
    let said = logged.matches("cannot be stored").count();
    let (sent, acknowledged) = (after.sent - before.sent, after.acknowledged - before.acknowledged);
    println!(
        "full for {full_s} s: {sent} reports sent meanwhile, {acknowledged} acknowledged, none lost; said {said} times"
    );
    assert!(acknowledged < sent, "the disk was not full");
    // Once a minute if it lasts; a batch that still fits ends it, too.
    assert!(said as u64 <= 3 + full_s * 2, "the log is flooded: {said} times");
}

/// The power of a full disk fails, or somebody kills the server: there is no
/// start on it, but everything is there once there is room.
#[test]
fn a_server_that_is_killed_on_a_full_disk_under_load_loses_nothing() {
    let Some(disk) = Disk::ext4(32 << 20) else { return };
    let server = Server::start(&disk.path, &["--store-retry-s", "1"]);
    let oracle = Oracle::default();
    let load = Load::start(server.address, &oracle, PERSISTENT);
    wait_for("the load", || (oracle.acknowledged() > 5000).then_some(()));
    disk.fill();
    server.running.wait_for_log("the disk is full");
    server.kill();
    load.join();
    match Server::try_start(&disk.path, &[], |_| ()) {
        // What is left of the log may be all the room that a start needs.
        Ok(server) => server.kill(),
        Err(mut ended) => assert_eq!(ended.wait().code(), Some(1), "{}", ended.logged()),
    }
    disk.make_room();
    let server = Server::start(&disk.path, &[]);
    oracle.check(&server.data).unwrap();
    assert!(oracle.report(&mut server.connect().stream, [1]));
    server.stop();
}
