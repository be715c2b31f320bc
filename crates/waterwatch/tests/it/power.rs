//! Power cuts under load, again and again. `./campaign power` runs the long
//! form.
//!
//! kill -9 leaves what was written and not yet synced in the system's memory,
//! so that it is there after a restart; a power cut does not.
//!
//! Then what else a disk does: it fails for good, turns read-only, or hangs.

use std::time::Duration;

use crate::crash::{failing_disk_rounds, power_rounds, rounds, start_either};
use crate::disk::Disk;
use crate::harness::{PATIENCE, Server};
use crate::load::{Intensity, Load};
use crate::oracle::Oracle;

/// Enough for the rounds of a campaign, in bytes.
const DISK_BYTES: u64 = 256 << 20;

#[test]
fn nothing_acknowledged_is_lost_by_a_power_cut_under_load() {
    let Some(mut disk) = Disk::ext4(DISK_BYTES) else { return };
    let rounds = rounds("WATERWATCH_POWER_ROUNDS", 5);
    power_rounds(rounds, &mut disk, &start_either).unwrap();
}

/// As when it is pulled out: nothing was acknowledged that is not there when it
/// is plugged in again, and the server does not stay without a disk.
#[test]
fn a_disk_that_fails_under_load_loses_nothing() {
    let Some(mut disk) = Disk::ext4(DISK_BYTES) else { return };
    failing_disk_rounds(4, &mut disk, &start_either).unwrap();
}

/// The system makes a file system read-only when it finds an error in it.
/// Nothing can be stored then; the server must not say otherwise, and must end
/// or heal.
#[test]
fn a_disk_that_turns_read_only_under_load_loses_nothing() {
    let Some(mut disk) = Disk::ext4(32 << 20) else { return };
    let mut server = Server::start(&disk.path, &["--store-retry-s", "1"]);
    let oracle = Oracle::default();
    let intensity = Intensity {
        stations: 8,
        gateways: 1,
        in_flight: 200,
        stations_per_gateway: 1000,
        pause: Duration::ZERO,
    };
    let load = Load::start(server.address, &oracle, intensity);
    crate::harness::wait_for("the load", || (oracle.acknowledged() > 2000).then_some(()));
    // Paused, since Linux lets a sync that is under way at that moment succeed
    // without having synced.
    server.running.pause();
    disk.turn_read_only();
    server.running.resume();
    // Nobody hears OK any more, so this ends.
    load.join();
    assert_eq!(server.running.wait().code(), Some(1), "{}", server.running.logged());
    // A supervisor tries again and again.
    let mut ended = Server::try_start(&disk.path, &[], |_| ()).err().expect("nothing can be stored there");
    assert_eq!(ended.wait().code(), Some(1), "{}", ended.logged());
    disk.mount_again();
    let server = Server::start(&disk.path, &[]);
    oracle.check(&server.data).unwrap();
    assert!(oracle.report(&mut server.connect().stream, [1]));
    server.stop();
}

/// What is not synced yet is not acknowledged, however long it takes.
#[test]
fn a_disk_that_hangs_is_waited_for() {
    let Some(disk) = Disk::ext4(32 << 20) else { return };
    let server = Server::start(&disk.path, &[]);
    assert_eq!(server.say(b"1 0 1\n"), "OK\n");
    disk.freeze();
    let mut waiting = server.connect();
    waiting.send("1 1 1\n");
    // That nothing comes can only be seen over a time.
    waiting.stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let silence = std::io::Read::read(&mut waiting.stream, &mut [0]).unwrap_err();
    assert_eq!(silence.kind(), std::io::ErrorKind::WouldBlock);
    disk.thaw();
    waiting.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(waiting.reply(), "OK");
    server.stop();
}
