//! Each operation on the disk fails once, or from then on, and the process
//! dies at each. `./test` takes some of the operations. `./campaign steps` takes
//! all, but of the large database, with its thousands, only every
//! `WATERWATCH_STEPS_STRIDE`-th.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use waterwatch_faulty_disk::fault::{Act, Counted, Fault, Kind};
use waterwatch_faulty_disk::vfs::codes::{
    SQLITE_CANTOPEN, SQLITE_FULL, SQLITE_IOERR_DELETE, SQLITE_IOERR_FSYNC, SQLITE_IOERR_READ,
    SQLITE_IOERR_SHMMAP, SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_TRUNCATE, SQLITE_IOERR_WRITE,
};

use crate::scenario::{Scenario, counts};

/// Runs beside each other: they wait for one another's syncs.
const AT_ONCE: usize = 3;

/// After so many that went wrong the rest is left.
const WRONG_MAX: usize = 30;

/// What each kind of operation can answer.
const FAILURES: [(Kind, i32); 9] = [
    (Kind::Open, SQLITE_CANTOPEN),
    (Kind::Read, SQLITE_IOERR_READ),
    (Kind::Write, SQLITE_IOERR_WRITE),
    (Kind::Write, SQLITE_FULL),
    (Kind::Sync, SQLITE_IOERR_FSYNC),
    (Kind::Truncate, SQLITE_IOERR_TRUNCATE),
    (Kind::Delete, SQLITE_IOERR_DELETE),
    (Kind::Shm, SQLITE_IOERR_SHMMAP),
    (Kind::Shm, SQLITE_IOERR_SHMSIZE),
];

const DEATHS: [Act; 3] = [Act::KillBefore, Act::KillWithin, Act::KillAfter];

fn failures() -> impl Iterator<Item = (Counted, Act)> {
    FAILURES.into_iter().flat_map(|(kind, code)| {
        [Act::Fail(code), Act::FailFromThen(code)].map(|act| (Counted::Kind(kind), act))
    })
}

fn deaths() -> impl Iterator<Item = (Counted, Act)> {
    DEATHS.into_iter().map(|act| (Counted::Changes, act))
}

#[test]
fn a_new_database_survives_the_failure_of_each_operation() {
    each_step(&Scenario::fresh(), failures(), 5);
}

#[test]
fn a_new_database_survives_a_death_at_each_operation() {
    each_step(&Scenario::fresh(), deaths(), 2);
}

#[test]
fn a_killed_database_survives_the_failure_of_each_operation() {
    each_step(&Scenario::killed(), failures(), 5);
}

#[test]
fn a_killed_database_survives_a_death_at_each_operation() {
    each_step(&Scenario::killed(), deaths(), 2);
}

#[test]
fn a_large_database_survives_the_failure_of_each_operation() {
    each_step(&Scenario::large(), failures(), 1700);
}

#[test]
fn a_large_database_survives_a_death_at_each_operation() {
    each_step(&Scenario::large(), deaths(), 800);
}

/// A negative control: what is acknowledged before the commit is lost by a
/// death at the right operation, and that is noticed.
#[test]
fn a_death_at_each_operation_notices_an_acknowledgement_before_the_commit() {
    let scenario = Scenario::killed();
    let loss = (1..).find_map(|number| {
        let fault = Fault { counted: Counted::Changes, number, act: Act::KillBefore };
        let hasty = ("FAULTY_DISK_STORE", Path::new("hasty"));
        match scenario.run(Some(fault), &[hasty]) {
            Ok(true) => None,
            Ok(false) => Some(None),
            Err(loss) => Some(Some(loss)),
        }
    });
    let loss = loss.flatten().expect("a loss");
    assert!(loss.contains("acknowledged"), "{loss}");
}

/// What is counted is what happens, so that no kind is left out unnoticed.
#[test]
fn every_kind_of_operation_is_there_to_fail() {
    let killed = counts(&Scenario::killed());
    let large = counts(&Scenario::large());
    println!("killed {killed:?}\nlarge {large:?}");
    assert!(killed.iter().all(|(_, count)| *count > 0), "{killed:?}");
    assert!(large.iter().all(|(_, count)| *count > 0), "{large:?}");
}

/// Runs the scenario with each fault at the operations 1, 1 + stride, … until
/// a run has no operation of that number any more.
fn each_step(scenario: &Scenario, acts: impl Iterator<Item = (Counted, Act)> + Send, stride: usize) {
    let asked = std::env::var("WATERWATCH_STEPS_STRIDE").ok().map(|text| text.parse().unwrap());
    let stride = match asked {
        Some(_) if scenario.name != "large" => 1,
        Some(asked) => asked,
        None => stride,
    };
    let (runs, started) = (AtomicU64::new(0), Instant::now());
    let wrong = Mutex::new(Vec::new());
    let acts = Mutex::new(acts);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((counted, act)) = { acts.lock().unwrap().next() } {
                    for number in (1..).step_by(stride) {
                        let fault = Fault { counted, number, act };
                        match scenario.run(Some(fault), &[]) {
                            Ok(true) => _ = runs.fetch_add(1, Ordering::Relaxed),
                            Ok(false) => break,
                            Err(error) => {
                                println!("{}, {fault}: {error}", scenario.name);
                                let mut wrong = wrong.lock().unwrap();
                                wrong.push(format!("{fault}: {error}"));
                                if wrong.len() >= WRONG_MAX {
                                    return;
                                }
                            }
                        }
                    }
                }
            });
        }
    });
    let (runs, wrong) = (runs.load(Ordering::Relaxed), wrong.into_inner().unwrap());
    println!("{}: {runs} faults in {:?}, {} wrong", scenario.name, started.elapsed(), wrong.len());
    assert!(runs > 0, "nothing was broken");
    assert!(wrong.is_empty(), "{} of {runs} went wrong, the first:\n{}", wrong.len(), wrong[0]);
}
