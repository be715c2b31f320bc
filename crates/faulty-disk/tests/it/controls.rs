//! Negative controls: the crash tests must notice a server that acknowledges
//! too early. Those of `steps` have theirs there.

use std::path::Path;

use crate::crash::{kill_rounds, power_rounds};
use crate::disk::Disk;
use crate::harness::Server;

/// In so many rounds a loss must be seen. One or two are enough as a rule.
const ROUNDS: u32 = 10;

const DISK_BYTES: u64 = 64 << 20;

#[test]
fn kill_9_notices_an_acknowledgement_before_the_commit() {
    let loss = kill_rounds(ROUNDS, &hasty).unwrap_err();
    println!("{loss}");
    assert!(loss.contains("acknowledged"), "{loss}");
}

#[test]
fn a_power_cut_under_load_notices_an_acknowledgement_before_the_commit() {
    let Some(mut disk) = Disk::ext4(DISK_BYTES) else { return };
    let loss = power_rounds(ROUNDS, &mut disk, &hasty).unwrap_err();
    println!("{loss}");
    assert!(loss.contains("acknowledged"), "{loss}");
}

/// What `synchronous=OFF` does, which kill -9 cannot notice.
#[test]
fn a_power_cut_under_load_notices_that_nothing_is_synced() {
    let Some(mut disk) = Disk::ext4(DISK_BYTES) else {
        println!("SKIPPED: synchronous=OFF is not controlled here, but by the power cuts of steps alone");
        return;
    };
    let loss = power_rounds(ROUNDS, &mut disk, &|folder| start(folder, "FAULTY_DISK_SYNC", "off"));
    let loss = loss.unwrap_err();
    println!("{loss}");
}

fn hasty(folder: &Path) -> Server {
    start(folder, "FAULTY_DISK_STORE", "hasty")
}

fn start(folder: &Path, variable: &str, value: &str) -> Server {
    Server::start_with(folder, &[], |command| {
        command.env(variable, value);
    })
}
