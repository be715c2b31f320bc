//! Somebody moves or removes files under a server that is reported to. What
//! `lifecycle` has of this is about single reports.

use std::fs;
use std::path::Path;

use crate::harness::{Server, integrity, wait_for};
use crate::load::{Intensity, Load};
use crate::oracle::Oracle;

/// A gateway and some stations that never pause.
const BUSY: Intensity = Intensity {
    stations: 8,
    gateways: 1,
    in_flight: 200,
    stations_per_gateway: 1000,
    pause: std::time::Duration::ZERO,
};

/// Starts a server in `folder`, and a load that is under way.
fn under_load(folder: &Path, oracle: &Oracle) -> (Server, Load) {
    let server = Server::start(folder, &[]);
    let load = Load::start(server.address, oracle, BUSY);
    let enough = oracle.acknowledged() + 3000;
    wait_for("the load", || (oracle.acknowledged() > enough).then_some(()));
    (server, load)
}

#[test]
fn a_folder_that_is_moved_away_under_load_and_back_loses_nothing() {
    let parent = tempfile::tempdir().unwrap();
    let (folder, elsewhere) = (parent.path().join("data"), parent.path().join("elsewhere"));
    fs::create_dir(&folder).unwrap();
    let oracle = Oracle::default();
    let (mut server, load) = under_load(&folder, &oracle);
    fs::rename(&folder, &elsewhere).unwrap();
    load.join();
    assert_eq!(server.running.wait().code(), Some(1), "{}", server.running.logged());
    // Wherever it is, all of it is there.
    let there = Server::start(&elsewhere, &[]);
    oracle.check(&there.data).unwrap();
    there.kill();
    fs::rename(&elsewhere, &folder).unwrap();
    let server = Server::start(&folder, &[]);
    oracle.check(&server.data).unwrap();
    server.stop();
}

#[test]
fn a_database_that_is_removed_with_all_its_files_under_load_takes_no_acknowledgement() {
    let folder = tempfile::tempdir().unwrap();
    let (mut server, load) = under_load(folder.path(), &Oracle::default());
    for end in ["", "-wal", "-shm"] {
        fs::remove_file(folder.path().join(format!("data.sqlite{end}"))).unwrap();
    }
    // It ends, since nobody hears OK any more.
    load.join();
    assert_eq!(server.running.wait().code(), Some(1), "{}", server.running.logged());
    let oracle = Oracle::default();
    let server = Server::start(folder.path(), &[]);
    assert!(oracle.report(&mut server.connect().stream, [1, 2, 1]));
    oracle.check(&server.data).unwrap();
}

/// The index of the log is shared by all who have the database open; whoever
/// opens it after that shares another one.
#[test]
fn an_index_that_is_removed_under_load_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let oracle = Oracle::default();
    let (server, load) = under_load(folder.path(), &oracle);
    fs::remove_file(folder.path().join("data.sqlite-shm")).unwrap();
    let enough = oracle.acknowledged() + 3000;
    wait_for("the load to go on", || (oracle.acknowledged() > enough || load.ended()).then_some(()));
    // Somebody looks, and copies.
    assert_eq!(integrity(&server.data), "ok");
    crate::harness::stored(&server.data);
    let copied = crate::harness::run(&["backup", "copy.sqlite"], folder.path());
    assert!(copied.status.success(), "{}", crate::harness::stderr(&copied));
    let enough = oracle.acknowledged() + 3000;
    wait_for("the load to go on", || (oracle.acknowledged() > enough || load.ended()).then_some(()));
    server.kill();
    load.join();
    let server = Server::start(folder.path(), &[]);
    oracle.check(&server.data).unwrap();
    server.stop();
}
