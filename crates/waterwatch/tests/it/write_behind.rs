//! What is journaled is recorded, and reaches the tables in time.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::harness::{Server, integrity, open, rows, stored, wait_for};

/// As under heavy load: all that says nothing new is journaled.
const HEAVY: [&str; 4] = ["--direct-reports-max", "0", "--direct-pages-max", "0"];

/// So many stations, all reported once and an hour ago.
const STATIONS: i64 = 300;

/// A database that is known from an hour ago.
fn an_hour_later(folder: &Path) {
    let server = Server::start(folder, &["--time-zone", "UTC"]);
    assert_eq!(server.say(reports("0 1").as_bytes()), "OK\n".repeat(300));
    server.stop();
    open(&folder.join("data.sqlite"))
        .execute_batch(
            "UPDATE station_status SET last_date = strftime('%Y-%m-%d %H:%M', last_date, '-1 hour');
             UPDATE station_state SET received_at = received_at - 3600000, span_since = span_since - 3600000",
        )
        .unwrap();
}

/// A report of each station.
fn reports(alarms: &str) -> String {
    (0..STATIONS).map(|id| format!("{id} {alarms}\n")).collect()
}

fn journaled(data: &Path) -> i64 {
    open(data).query_row("SELECT count(*) FROM journal", [], |row| row.get(0)).unwrap()
}

/// How many rows of the contract's table have a `last_date` of today's last
/// minutes.
fn up_to_date(data: &Path) -> usize {
    let minute = |back: i64| {
        let then = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(60 * back);
        then.strftime("%Y-%m-%d %H:%M").to_string()
    };
    let minutes = [minute(0), minute(1)];
    rows(data).iter().filter(|row| minutes.iter().any(|minute| row.contains(minute))).count()
}

#[test]
fn status_shows_it_at_once_and_the_table_in_time() {
    let folder = tempfile::tempdir().unwrap();
    an_hour_later(folder.path());
    let arguments = [&HEAVY[..], &["--last-date-lag-s-max", "2", "--time-zone", "UTC"]].concat();
    let server = Server::start(folder.path(), &arguments);
    let reported = Instant::now();
    assert_eq!(server.say(reports("0 1").as_bytes()), "OK\n".repeat(300));
    assert!(journaled(&server.data) > 0, "it was written at once");
    assert!(stored(&server.data).values().all(|station| station.reports == 2));
    wait_for("last_date to follow", || (up_to_date(&server.data) == 300).then_some(()));
    let lag = reported.elapsed();
    assert!(lag < Duration::from_secs(4), "last_date was {lag:?} behind");
    // A change is there with its OK.
    assert_eq!(server.say(b"7 1 1\n8 0 1\n"), "OK\nOK\n");
    assert!(rows(&server.data)[7].ends_with(" 1 1"), "{}", rows(&server.data)[7]);
    server.stop();
}

#[test]
fn a_stop_folds_it_and_a_start_after_a_kill_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    an_hour_later(folder.path());
    let server = Server::start(folder.path(), &[&HEAVY[..], &["--time-zone", "UTC"]].concat());
    let data = server.data.clone();
    for _ in 0..3 {
        assert_eq!(server.say(reports("0 1").as_bytes()), "OK\n".repeat(300));
    }
    server.kill();
    assert!(journaled(&data) > 0);
    assert!(stored(&data).values().all(|station| station.reports == 4), "status reads it without a server");

    let server = Server::start(folder.path(), &["--time-zone", "UTC"]);
    assert!(stored(&data).values().all(|station| station.reports == 4), "nothing is counted twice");
    assert_eq!(server.say(reports("0 1").as_bytes()), "OK\n".repeat(300));
    server.stop();
    assert_eq!((journaled(&data), up_to_date(&data)), (0, 300));
    let tables = open(&data);
    let counted = |query: &str| tables.query_row(query, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(counted("SELECT sum(reports) FROM station_state"), 5 * STATIONS);
    // The hour in which nothing was heard is a gap between two spans.
    assert_eq!(counted("SELECT count(*) FROM span WHERE reports = 1 AND first_at = last_at"), STATIONS);
    assert_eq!(counted("SELECT sum(span_reports) FROM station_state"), 4 * STATIONS);
    assert_eq!(integrity(&data), "ok");
}

/// One that this program cannot read must not be passed over: acknowledged
/// reports are in it.
#[test]
fn a_journal_that_cannot_be_read_keeps_the_server_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    an_hour_later(folder.path());
    let data = folder.path().join("data.sqlite");
    open(&data).execute("INSERT INTO journal VALUES (77, 0, x'0909')", []).unwrap();
    let mut ended =
        Server::try_start(folder.path(), &[], |_| ()).err().expect("it cannot know what is there");
    assert_eq!(ended.wait().code(), Some(1));
    let logged = ended.logged();
    assert!(logged.contains("the commit 77 in the journal cannot be read"), "{logged}");
}
