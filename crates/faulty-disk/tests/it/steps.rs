//! Each operation on the disk fails once, or from then on, and the process
//! dies at each. `./test` takes some of the operations. `./campaign steps` takes
//! all, but of the large database, with its thousands, only every
//! `WATERWATCH_STEPS_STRIDE`-th.

use std::net::TcpStream;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use waterwatch_faulty_disk::fault::{Act, Counted, Fault, Kind};
use waterwatch_faulty_disk::unsynced::Takes;
use waterwatch_faulty_disk::vfs::codes::{
    SQLITE_CANTOPEN, SQLITE_FULL, SQLITE_IOERR_DELETE, SQLITE_IOERR_FSYNC, SQLITE_IOERR_READ,
    SQLITE_IOERR_SHMMAP, SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_TRUNCATE, SQLITE_IOERR_WRITE,
};

use crate::harness::Server;
use crate::oracle::Oracle;
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

const DEATHS: [Act; 5] = [
    Act::KillBefore,
    Act::KillWithin,
    Act::KillAfter,
    Act::CutPower(Takes::All),
    Act::CutPower(Takes::EveryOther),
];

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
fn a_journal_survives_the_failure_of_each_operation() {
    each_step(&Scenario::journaled(), failures(), 5);
}

/// Between the journal, the rows that follow it, and its deletion.
#[test]
fn a_journal_survives_a_death_at_each_operation() {
    each_step(&Scenario::journaled(), deaths(), 2);
}

#[test]
fn a_large_database_survives_the_failure_of_each_operation() {
    each_step(&Scenario::large(), failures(), 1700);
}

#[test]
fn a_large_database_survives_a_death_at_each_operation() {
    each_step(&Scenario::large(), deaths(), 800);
}

/// Linux takes what a sync could not write for written, and no later sync
/// writes it. Whoever goes on as if nothing had happened loses by the next
/// power cut what was acknowledged since.
#[test]
fn a_power_cut_after_a_failed_sync_takes_nothing_that_was_acknowledged() {
    let scenario = Scenario::killed();
    let stride = if std::env::var_os("WATERWATCH_STEPS_STRIDE").is_some() { 1 } else { 9 };
    let mut cuts = 0;
    for sync in 1.. {
        let act = Act::Fail(SQLITE_IOERR_FSYNC);
        let failure = Fault { counted: Counted::Kind(Kind::Sync), number: sync, act };
        let mut failed = false;
        // Another operation to begin with each time.
        for number in (1 + sync % stride..).step_by(usize::try_from(stride).unwrap()) {
            let cut = Fault { counted: Counted::Changes, number, act: Act::CutPower(Takes::All) };
            let happened =
                scenario.run(&[failure, cut], &[]).unwrap_or_else(|loss| panic!("{failure}, {cut}: {loss}"));
            let cut = happened.iter().any(|fault| fault.contains("CutPower"));
            failed = happened.iter().any(|fault| fault.contains("Fail"));
            cuts += u32::from(cut && failed);
            if !cut {
                break;
            }
        }
        if !failed {
            break;
        }
    }
    println!("{cuts} power cuts after a failed sync, nothing lost");
    assert!(cuts > 0);
}

/// The process dies after the failed sync, and the next one finds the log as
/// the system remembers it.
#[test]
fn a_log_whose_sync_failed_is_not_appended_to_by_the_next_process() {
    after_a_failed_sync_and_a_death(|_| None).unwrap();
}

/// The same while another program reads the log, which has opened it between
/// the two processes and keeps it from being emptied.
#[test]
fn a_log_whose_sync_failed_is_not_appended_to_beside_a_reader() {
    after_a_failed_sync_and_a_death(|data| {
        let reader = crate::harness::open(data);
        reader.execute_batch("BEGIN; SELECT * FROM station_status").unwrap();
        Some(reader)
    })
    .unwrap();
}

fn after_a_failed_sync_and_a_death(
    between: impl FnOnce(&Path) -> Option<rusqlite::Connection>,
) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let oracle = Oracle::default();
    let start = |faults: &[Fault]| {
        let faults: Vec<String> = faults.iter().map(Fault::to_string).collect();
        Server::try_start(folder.path(), &[], |command| {
            command.env("FAULTY_DISK_MEMORY", folder.path().join("memory"));
            command.env("FAULTY_DISK", faults.join(","));
        })
    };
    // Reports are stored until a sync fails, in a commit. Its connection is
    // closed then, which would sync again: there the process dies.
    let at = |number, act| Fault { counted: Counted::Kind(Kind::Sync), number, act };
    let failing = |number| {
        let fails = [at(number, Act::Fail(SQLITE_IOERR_FSYNC)), at(number + 1, Act::KillBefore)];
        let mut server = start(&fails).ok()?;
        let acknowledged = oracle.acknowledged();
        while let Ok(mut stream) = TcpStream::connect(server.address) {
            oracle.report(&mut stream, [1]);
        }
        server.running.wait();
        (oracle.acknowledged() > acknowledged).then_some(server.data)
    };
    let data = (1..20).find_map(failing).expect("a start and a report take fewer syncs");
    let reader = between(&data);

    // The supervisor starts it again, on a disk that is healthy for now; then
    // the power fails.
    let cut = Fault { counted: Counted::Kind(Kind::Write), number: 60, act: Act::CutPower(Takes::All) };
    match start(&[cut]) {
        Ok(mut server) => {
            let before = oracle.acknowledged();
            while oracle.report(&mut server.connect().stream, [1, 2]) {}
            server.running.wait();
            println!("{} acknowledged after the failure", oracle.acknowledged() - before);
            assert!(server.running.logged().contains("CutPower"), "{}", server.running.logged());
        }
        // It would rather not start.
        Err(mut ended) => assert_eq!(ended.wait().code(), Some(1), "{}", ended.logged()),
    }
    // A power cut ends the reader, too, and what it shared in memory: the files
    // alone are left.
    let after = tempfile::tempdir().unwrap();
    for name in ["data.sqlite", "data.sqlite-wal"] {
        std::fs::copy(folder.path().join(name), after.path().join(name)).unwrap();
    }
    drop(reader);
    let server = Server::start(after.path(), &[]);
    oracle.check(&server.data)
}

/// Negative controls: a death at the right operation loses what is
/// acknowledged before its commit, a power cut what is never synced; and that
/// is noticed.
#[test]
fn deaths_at_each_operation_notice_what_is_acknowledged_too_early() {
    let scenario = Scenario::killed();
    for (act, variable, value) in [
        (Act::KillBefore, "FAULTY_DISK_STORE", "hasty"),
        (Act::CutPower(Takes::All), "FAULTY_DISK_STORE", "hasty"),
        (Act::CutPower(Takes::All), "FAULTY_DISK_SYNC", "off"),
    ] {
        let loss = (1..).find_map(|number| {
            let fault = Fault { counted: Counted::Changes, number, act };
            match scenario.run(&[fault], &[(variable, Path::new(value))]) {
                Ok(happened) if happened.is_empty() => Some(None),
                Ok(_) => None,
                Err(loss) => Some(Some(loss)),
            }
        });
        let loss = loss.flatten().unwrap_or_else(|| panic!("{variable}={value}: no loss was noticed"));
        println!("{variable}={value}, {act:?}: {}", loss.lines().next().unwrap());
    }
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
                        match scenario.run(&[fault], &[]) {
                            Ok(happened) if happened.is_empty() => break,
                            Ok(_) => _ = runs.fetch_add(1, Ordering::Relaxed),
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
