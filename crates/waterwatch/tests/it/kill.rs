//! kill -9 under load, again and again. `./campaign kill` runs the long form.

use crate::crash::{kill_rounds, rounds, start_either};
use crate::harness::Server;
use crate::oracle::Oracle;

#[test]
fn nothing_acknowledged_is_lost_by_kill_9() {
    let rounds = rounds("WATERWATCH_KILL_ROUNDS", 20);
    kill_rounds(rounds, &start_either).unwrap();
}

/// A test of the oracle itself: each thing that it is to find.
#[test]
fn the_oracle_finds_what_is_lost_invented_or_old() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let oracle = Oracle::default();
    let mut stream = server.connect().stream;
    assert!(oracle.report(&mut stream, [1, 1, 2]));
    oracle.check(&server.data).unwrap();

    let lost = oracle.fork();
    let (_, places) = lost.send([1]);
    lost.acknowledge(&places);
    assert_eq!(lost.check(&server.data).unwrap_err(), "station 1: 3 acknowledged, 2 counted, 3 sent");
    let absent = oracle.fork();
    let (_, places) = absent.send([3]);
    absent.acknowledge(&places);
    assert_eq!(absent.check(&server.data).unwrap_err(), "station 3 was acknowledged and is not stored");
    assert_eq!(server.say(b"2 0 0\n"), "OK\n");
    let counted_twice = "station 2: 1 acknowledged, 2 counted, 1 sent";
    assert_eq!(oracle.check(&server.data).unwrap_err(), counted_twice);
    let old = oracle.fork();
    let (_, places) = old.send([1, 2]);
    old.acknowledge(&places[1..]);
    assert_eq!(server.say(b"1 0 1\n"), "OK\n");
    let error = old.check(&server.data).unwrap_err();
    assert!(error.starts_with("station 1 is (false, true), which was not sent"), "{error}");
    assert_eq!(server.say(b"9 0 1\n"), "OK\n");
    let (_, _) = oracle.send([1, 1, 1, 1, 2]);
    assert_eq!(oracle.check(&server.data).unwrap_err(), "station 9 was never sent");
}
