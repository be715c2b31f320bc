//! The store against itself: whatever way reports are recorded, folded and
//! read again, the same is known.

use proptest::prelude::*;
use waterwatch_core::silence::Now;
use waterwatch_core::{OpenSpan, Origin, Report, Settings};

use super::*;
use crate::command::What;
use crate::store::Form;
use crate::store::reader::Reader;
use crate::store::sqlite::folding::Folding;
use crate::store::sqlite::opening::SYNCHRONOUS_FULL;
use crate::writer::draft::Draft;
use crate::writer::watch::Watch;

mod alarms;
mod lives;
mod said;
mod tokens;
mod upgrade;

fn open(folder: &Path) -> SqliteStore {
    open_with(folder, Limits::default())
}

fn open_with(folder: &Path, limits: Limits) -> SqliteStore {
    let path = folder.join("data.sqlite");
    SqliteStore::open(&path, DataLock::acquire(&path).unwrap(), TimeZone::UTC, limits).unwrap()
}

/// kill -9 cannot notice if these are lost; a power cut would.
#[test]
fn each_commit_is_synced() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let pragmas = |store: &SqliteStore| {
        let connection = &store.open.as_ref().unwrap().connection;
        let synchronous: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();
        let journal: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        (synchronous, journal)
    };
    assert_eq!(pragmas(&store), (SYNCHRONOUS_FULL, "wal".to_owned()));
    store.reopen().unwrap();
    assert_eq!(pragmas(&store), (SYNCHRONOUS_FULL, "wal".to_owned()));
}

const BEGAN_MS: i64 = 1_795_484_760_000;

/// A batch of reports `(station, alarm1)` that come at this time.
fn batch(store: &SqliteStore, form: Form, at_ms: i64, reports: &[(i64, bool)]) -> Batch {
    let report =
        |&(number, alarm1)| Report { station_id: StationId::new(number).unwrap(), alarm1, alarm2: false };
    let reports: Vec<Report> = reports.iter().map(report).collect();
    let mut peer = [0; 16];
    peer[15] = 9;
    let submission = (&reports[..], Origin { listener: 1, peer });
    let at = |ms| Now { wall_ms: ms, steady_ms: ms };
    // The server was never away.
    let mut watch = Watch::start(Settings::default(), store, at(store.alive_until_ms().unwrap_or(at_ms)));
    let mut draft = Draft::default();
    let decided = draft.decide(
        store,
        &mut watch,
        at(at_ms),
        usize::MAX,
        std::iter::empty(),
        std::iter::once(submission),
    );
    assert_eq!(decided.verdicts, [vec![]]);
    Batch { form, is_alive: false, ..draft.batch }
}

/// All that the tables say, in text: what must be the same in the end.
fn tables(folder: &Path) -> Vec<String> {
    rows(&folder.join("data.sqlite"), &["status", "state", "span", "journal", "event", "alarm", "server"])
}

/// What these tables of a database say, in text.
fn rows(path: &Path, wanted: &[&str]) -> Vec<String> {
    let database = Connection::open(path).unwrap();
    let mut lines = Vec::new();
    let queries = [
        (
            "status",
            "SELECT station_id || ' ' || last_date || ' ' || alarm1 || ' ' || alarm2 FROM station_status ORDER BY 1",
        ),
        (
            "state",
            "SELECT station_id || ' ' || sequence || ' ' || received_at || ' ' || reports || ' ' || hex(peer) || ' ' || listener_id || ' ' || span_sequence || ' ' || span_since || ' ' || span_reports FROM station_state ORDER BY 1",
        ),
        (
            "span",
            "SELECT station_id || ' ' || sequence || ' ' || first_at || ' ' || last_at || ' ' || alarm1 || ' ' || alarm2 || ' ' || reports FROM span ORDER BY 1",
        ),
        ("journal", "SELECT sequence FROM journal"),
        (
            "event",
            "SELECT sequence || ' ' || received_at || ' ' || source || ' ' || ifnull(point, '-') || ' ' || kind FROM alarm_event ORDER BY sequence",
        ),
        (
            "alarm",
            "SELECT source || ' ' || point || ' ' || contact || ' ' || ifnull(occurrence, '-') || ' ' || ifnull(raises, '-') FROM alarm ORDER BY 1",
        ),
        ("server", "SELECT name || ' ' || value FROM server ORDER BY name"),
    ];
    for (table, query) in queries.into_iter().filter(|(table, _)| wanted.contains(table)) {
        let mut statement = database.prepare(query).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, rusqlite::types::Value>(0)).unwrap();
        lines.extend(rows.map(|row| format!("{table}: {:?}", row.unwrap())));
    }
    lines
}

/// What is in memory, in text.
fn known(store: &SqliteStore) -> Vec<String> {
    let mut stations: Vec<_> = store.slots().map(|slot| *store.stations.at(slot)).collect();
    stations.sort_by_key(|(id, _)| *id);
    let mut alarms: Vec<_> = store.alarms().iter().collect();
    alarms.sort_by(|(one, _), (other, _)| one.cmp(other));
    let stations = stations.iter().map(|(id, station)| format!("{id} {station:?}"));
    let alarms = alarms.iter().map(|((source, point), alarm)| format!("{source} {point} {alarm:?}"));
    let newest = format!("{} {:?}", store.sequence(), store.alive_until_ms());
    stations.chain(alarms).chain([newest]).collect()
}

/// What one step does to a store.
#[derive(Clone, Debug)]
enum Step {
    Reports(Form, i64, Vec<(i64, bool)>),
    /// Only that the server is alive, after so long.
    Alive(i64),
    /// A station is forgotten, if it is known.
    Forget(i64),
    /// Fold so many rows of each.
    Fold(usize, usize),
    /// Drop what is folded of the journal.
    Drop,
    /// As after a failed sync, or a kill and a start.
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let form = prop_oneof![Just(Form::Direct), Just(Form::Journal)];
    // Minutes that pass, a gap, or the clock is set back.
    let passes = || prop_oneof![8 => 0..70_000_i64, 4 => Just(200_000), 1 => Just(-3_600_000)];
    let reports = prop::collection::vec((0..12_i64, prop::bool::weighted(0.1)), 1..9);
    prop_oneof![
        6 => (form, passes(), reports).prop_map(|(form, passes, reports)| Step::Reports(form, passes, reports)),
        1 => passes().prop_map(Step::Alive),
        1 => (0..12_i64).prop_map(Step::Forget),
        3 => (0..8_usize, 0..8_usize).prop_map(|(status, state)| Step::Fold(status, state)),
        1 => Just(Step::Drop),
        1 => Just(Step::Reopen),
    ]
}

fn fold(store: &mut SqliteStore, status_rows: usize, state_rows: usize) {
    let all = store.stations.places();
    let folding = Folding {
        status: store.status.slice_to(&store.stations, all, status_rows),
        state: store.state.slice_to(&store.stations, all, state_rows),
        drop_to: None,
    };
    store.write(None, &folding).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The reference writes every report's rows at once; the other journals,
    /// folds in pieces and is opened again at any point. In the end both hold
    /// the same, to the byte.
    #[test]
    fn what_is_journaled_and_folded_is_what_would_have_been_written(steps in prop::collection::vec(step(), 1..40)) {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let mut reference = open(folders[0].path());
        let mut store = open(folders[1].path());
        let mut now_ms = BEGAN_MS;
        for step in &steps {
            match step {
                Step::Reports(form, passes_ms, reports) => {
                    now_ms += passes_ms;
                    reference.commit(&batch(&reference, Form::Direct, now_ms, reports)).unwrap();
                    store.commit(&batch(&store, *form, now_ms, reports)).unwrap();
                }
                Step::Alive(passes_ms) => {
                    now_ms += passes_ms;
                    for store in [&mut reference, &mut store] {
                        let batch = Batch { received_at_ms: now_ms, sequence: store.sequence(), is_alive: true, ..Batch::default() };
                        store.commit(&batch).unwrap();
                    }
                }
                Step::Forget(number) => {
                    let id = StationId::new(*number).unwrap();
                    if reference.find(id).is_some() {
                        for store in [&mut reference, &mut store] {
                            let batch = lives::ordered(store, now_ms, &[What::Forget { station: id, if_said: None }]);
                            store.commit(&batch).unwrap();
                        }
                    }
                }
                Step::Fold(status_rows, state_rows) => fold(&mut store, *status_rows, *state_rows),
                Step::Drop => {
                    let drop_to = store.droppable(u64::MAX);
                    store.write(None, &Folding { drop_to, ..Folding::default() }).unwrap();
                }
                Step::Reopen => store.reopen().unwrap(),
            }
            prop_assert_eq!(known(&store), known(&reference));
            // Whoever looks meanwhile sees what is known, folded or not.
            let seen = Reader::open(&folders[1].path().join("data.sqlite")).unwrap().stations(&TimeZone::UTC).unwrap();
            let wanted = Reader::open(&folders[0].path().join("data.sqlite")).unwrap().stations(&TimeZone::UTC).unwrap();
            prop_assert_eq!(seen, wanted);
        }
        store.settle(Instant::now() + Duration::from_secs(60)).unwrap();
        drop((store, reference));
        prop_assert_eq!(tables(folders[1].path()), tables(folders[0].path()));
    }
}

/// Reports of these stations, all off.
fn all_off(stations: i64) -> Vec<(i64, bool)> {
    (0..stations).map(|number| (number, false)).collect()
}

#[test]
fn what_is_journaled_is_one_row_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    store.commit(&batch(&store, Form::Journal, BEGAN_MS, &all_off(100))).unwrap();
    let first = tables(folder.path());
    assert_eq!(first.iter().filter(|line| line.starts_with("journal")).count(), 0, "first reports");
    store.commit(&batch(&store, Form::Journal, BEGAN_MS + 60_000, &all_off(100))).unwrap();
    let after = tables(folder.path());
    let added: Vec<_> = after.iter().filter(|line| !first.contains(line)).collect();
    assert_eq!(added, ["journal: Integer(200)"]);
    assert_eq!(after.len(), first.len() + 1);
    // A change is written at once, with what was journaled before it.
    store.commit(&batch(&store, Form::Journal, BEGAN_MS + 120_000, &[(7, true), (8, false)])).unwrap();
    let lines = tables(folder.path());
    assert!(lines.contains(&"status: Text(\"7 2026-11-24 01:48 1 0\")".to_owned()), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("state: Text(\"7 201 1795484880000 3 ")), "{lines:?}");
    assert!(lines.contains(&"span: Text(\"7 8 1795484760000 1795484820000 0 0 2\")".to_owned()), "{lines:?}");
    assert!(lines.contains(&"status: Text(\"8 2026-11-24 01:46 0 0\")".to_owned()), "{lines:?}");
}

/// The rows follow by themselves in time, and the journal goes.
#[test]
fn what_is_due_is_folded_and_the_journal_goes() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    store.status = Sweep::new(Duration::from_millis(40), Marks::default(), 0, 0);
    store.state = Sweep::new(Duration::from_millis(80), Marks::default(), 0, 0);
    for minute in 0..3 {
        store.commit(&batch(&store, Form::Journal, BEGAN_MS + minute * 60_000, &all_off(3_000))).unwrap();
    }
    assert_eq!(store.journal.commits.len(), 2);
    let deadline = Instant::now() + Duration::from_secs(20);
    while let Some(due) = store.due() {
        assert!(Instant::now() < deadline, "it never ends");
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        store.tend().unwrap();
    }
    let lines = tables(folder.path());
    assert_eq!(lines.iter().filter(|line| line.contains("2026-11-24 01:48")).count(), 3_000);
    assert_eq!(lines.iter().filter(|line| line.starts_with("journal")).count(), 0);
    assert!(store.journal.commits.is_empty());
}

/// The journal stays about as small as it is told to, however fast it grows.
#[test]
fn a_journal_that_grows_fast_is_folded_faster() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { journal_bytes_max: 1 << 20, ..Limits::default() };
    let mut store = open_with(folder.path(), limits);
    store.commit(&batch(&store, Form::Direct, BEGAN_MS, &all_off(2_000))).unwrap();
    // A round of the status in no time; that of the state takes a minute
    // unless the journal hurries it.
    store.status = Sweep::new(Duration::ZERO, Marks::default(), store.sequence(), store.sequence());
    let mut most = 0;
    for _ in 0..600 {
        store.commit(&batch(&store, Form::Journal, BEGAN_MS, &all_off(2_000))).unwrap();
        most = most.max(store.journal.commits.iter().map(|(_, bytes)| bytes).sum::<u64>());
    }
    assert!((1 << 18..3 << 19).contains(&most), "{most} bytes of journal");
}

/// The log is emptied while commits go on, and stays about as long as it may.
#[test]
fn the_log_is_kept_short() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { wal_bytes_max: 4 << 20, ..Limits::default() };
    let mut store = open_with(folder.path(), limits);
    let log = folder.path().join("data.sqlite-wal");
    let mut most = 0;
    for round in 0..2_000 {
        store.commit(&batch(&store, Form::Direct, BEGAN_MS + round * 60_000, &all_off(200))).unwrap();
        most = most.max(std::fs::metadata(&log).unwrap().len());
    }
    assert!(most < 8 << 20, "{most} bytes of log");
    assert!(most > 2 << 20, "{most} bytes: it is emptied too often");
}

/// Somebody who reads for hours lets the log grow, and holds up nothing.
#[test]
fn a_log_that_somebody_reads_grows_and_is_emptied_later() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { wal_bytes_max: 1 << 20, ..Limits::default() };
    let mut store = open_with(folder.path(), limits);
    store.commit(&batch(&store, Form::Direct, BEGAN_MS, &all_off(200))).unwrap();
    let reader = Connection::open(folder.path().join("data.sqlite")).unwrap();
    reader.execute_batch("BEGIN; SELECT * FROM station_status").unwrap();
    let log = folder.path().join("data.sqlite-wal");
    let length = || std::fs::metadata(&log).unwrap().len();
    let mut round = 0;
    let mut commit = |store: &mut SqliteStore| {
        round += 1;
        store.commit(&batch(store, Form::Direct, BEGAN_MS + round * 60_000, &all_off(200))).unwrap();
    };
    while length() < 3 << 20 {
        commit(&mut store);
    }
    reader.execute_batch("COMMIT").unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    // Given back to the disk when it is begun afresh.
    while length() > 2 << 20 {
        assert!(Instant::now() < deadline, "{} bytes of log", length());
        commit(&mut store);
    }
}

/// A contact that chatters fills no disk.
#[test]
fn the_oldest_spans_go_when_there_are_too_many() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open_with(folder.path(), Limits { spans_max: 1_000, ..Limits::default() });
    let chatter: Vec<(i64, bool)> = (0..500).map(|number| (7, number % 2 == 0)).collect();
    let mut ended = Vec::new();
    for round in 0..6 {
        let batch = batch(&store, Form::Direct, BEGAN_MS + round, &chatter);
        store.commit(&batch).unwrap();
        ended.extend(batch.spans.iter().map(|(_, span)| span.sequence));
        if round == 3 {
            store.reopen().unwrap();
        }
    }
    let spans = |query: &str| -> i64 {
        let database = Connection::open(folder.path().join("data.sqlite")).unwrap();
        database.query_row(query, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(spans("SELECT count(*) FROM span"), 1_000);
    let oldest_kept = ended[ended.len() - 1_000];
    assert_eq!(spans("SELECT min(sequence) FROM span"), oldest_kept, "the newest are kept");
}

/// Both tables are folded sooner then, whatever else they may be behind.
#[test]
fn a_journal_that_is_nearly_full_hurries_both_tables() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { journal_bytes_max: 1 << 16, last_date_lag_s_max: 3_600, ..Limits::default() };
    let mut store = open_with(folder.path(), limits);
    store.commit(&batch(&store, Form::Direct, BEGAN_MS, &all_off(2_000))).unwrap();
    let mut most = 0;
    for minute in 1..200 {
        let reports = batch(&store, Form::Journal, BEGAN_MS + minute * 60_000, &all_off(2_000));
        store.commit(&reports).unwrap();
        most = most.max(store.journal.commits.iter().map(|(_, bytes)| bytes).sum::<u64>());
    }
    assert!((1 << 12..1 << 17).contains(&most), "{most} bytes of journal");
}

/// A slow disk has no time to move it at the end.
#[test]
fn a_long_log_stays_at_a_stop_and_is_read_by_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    store.commit(&batch(&store, Form::Direct, BEGAN_MS, &all_off(5_000))).unwrap();
    let reader = Connection::open(folder.path().join("data.sqlite")).unwrap();
    reader.execute_batch("BEGIN; SELECT * FROM station_status").unwrap();
    let log = folder.path().join("data.sqlite-wal");
    let mut round = 0;
    while std::fs::metadata(&log).unwrap().len() < CLOSE_BYTES_MAX + (4 << 20) {
        round += 1;
        store.commit(&batch(&store, Form::Direct, BEGAN_MS + round * 60_000, &all_off(5_000))).unwrap();
    }
    reader.execute_batch("COMMIT").unwrap();
    drop(reader);
    let before = known(&store);
    store.settle(Instant::now() + Duration::from_secs(60)).unwrap();
    drop(store);
    assert!(std::fs::metadata(&log).unwrap().len() > CLOSE_BYTES_MAX);
    assert_eq!(known(&open(folder.path())), before);
}
