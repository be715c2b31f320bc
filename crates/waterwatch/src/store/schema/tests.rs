use std::fs;

use tempfile::TempDir;

use super::*;

/// A folder with a database made by these statements.
fn database(statements: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.sqlite");
    Connection::open(&path).unwrap().execute_batch(statements).unwrap();
    (folder, path)
}

/// What `examine` says of it, which changes nothing.
fn examined(path: &Path) -> Result<Kind, String> {
    let before = fs::read(path).unwrap();
    let kind = existing(path).map_err(|error| error.to_string());
    assert_eq!(fs::read(path).unwrap(), before, "it was touched");
    let folder = path.parent().unwrap();
    assert_eq!(fs::read_dir(folder).unwrap().count(), 1, "something was left beside it");
    kind
}

const CONTRACT_TABLE: &str = "CREATE TABLE station_status (
    station_id INTEGER PRIMARY KEY, last_date TEXT, alarm1 INTEGER, alarm2 INTEGER);";

#[test]
fn no_file_is_no_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.sqlite");
    assert_eq!(examine(&path).unwrap(), None);
    let error = existing(&path).unwrap_err();
    assert!(!error.is_wrong_file());
    let text = error.to_string();
    assert!(text.starts_with(&format!("there is no database at {}: start the server", path.display())));
}

#[test]
fn an_empty_file_and_an_empty_database_are_empty() {
    let (_folder, path) = database("");
    fs::write(&path, "").unwrap();
    assert_eq!(examined(&path), Ok(Kind::Empty));
    let (_folder, path) = database("PRAGMA user_version = 0; CREATE TABLE t (a); DROP TABLE t; VACUUM");
    assert_ne!(path.metadata().unwrap().len(), 0);
    assert_eq!(examined(&path), Ok(Kind::Empty));
}

#[test]
fn what_create_makes_is_ours() {
    let (_folder, path) = database("");
    create(&mut Connection::open(&path).unwrap()).unwrap();
    assert_eq!(examined(&path), Ok(Kind::Ours));
    // "watw", where the file format has its application id.
    assert_eq!(&fs::read(&path).unwrap()[68..72], b"watw");
}

#[test]
fn an_old_database_that_keeps_the_contract_can_be_taken_over() {
    for table in [
        CONTRACT_TABLE,
        "CREATE TABLE station_status (station_id INT PRIMARY KEY, last_date DATETIME, alarm1, alarm2 BOOLEAN);",
        "CREATE TABLE station_status (station_id, last_date, alarm1, alarm2, PRIMARY KEY (station_id)) WITHOUT ROWID;",
    ] {
        let rows = "INSERT INTO station_status VALUES (0, '2024-01-02 03:04', 0, 1),
            (9223372036854775807, '2026-11-24 01:50', 1, 0)";
        let (_folder, path) = database(&format!("{table} {rows}; CREATE TABLE notes (text)"));
        assert_eq!(examined(&path), Ok(Kind::Contract), "{table}");
    }
}

#[test]
fn a_table_that_differs_from_the_contract_is_the_old_servers() {
    for (table, difference) in [
        (
            "(station_id INTEGER PRIMARY KEY, date_time TEXT, alarm1 INTEGER, alarm2 INTEGER)",
            "its columns are station_id, date_time, alarm1, alarm2; wanted are station_id, last_date, alarm1, alarm2",
        ),
        (
            "(station_id INTEGER PRIMARY KEY, alarm1, alarm2, last_date)",
            "its columns are station_id, alarm1, alarm2, last_date;",
        ),
        (
            "(station_id INTEGER PRIMARY KEY, last_date, alarm1, alarm2, alarm3)",
            "its columns are station_id, last_date, alarm1, alarm2, alarm3;",
        ),
        ("(station_id INTEGER, last_date, alarm1, alarm2)", "station_id is not its primary key"),
        (
            "(station_id, last_date, alarm1, alarm2, PRIMARY KEY (station_id, last_date))",
            "station_id is not its primary key",
        ),
        (
            "(station_id TEXT PRIMARY KEY, last_date, alarm1, alarm2)",
            "its column station_id is declared TEXT",
        ),
        (
            "(station_id INTEGER PRIMARY KEY, last_date, alarm1 varchar(1), alarm2)",
            "its column alarm1 is declared VARCHAR(1)",
        ),
        (
            "(station_id INTEGER PRIMARY KEY, last_date, alarm1, alarm2 FLOAT)",
            "its column alarm2 is declared FLOAT",
        ),
    ] {
        let (_folder, path) = database(&format!("CREATE TABLE station_status {table}"));
        let refusal = examined(&path).unwrap_err();
        assert!(refusal.contains(difference), "{refusal}");
        assert!(refusal.contains("it was not touched"), "{refusal}");
        let remedy = format!("waterwatch import {} --data NEW.sqlite", path.display());
        assert!(refusal.contains(&remedy), "{refusal}");
    }
}

#[test]
fn a_row_that_breaks_the_contract_is_named() {
    for (row, difference) in [
        ("-1, '2024-01-02 03:04', 0, 0", "in the row of station -1, station_id is -1"),
        ("7, '2024-01-02 03:04:05', 0, 0", "station 7, last_date is the text \"2024-01-02 03:04:05\""),
        ("7, NULL, 0, 0", "station 7, last_date is NULL"),
        ("7, x'ff', 0, 0", "station 7, last_date is a blob of 1 bytes"),
        ("7, CAST(x'ff' AS TEXT), 0, 0", "station 7, last_date is the text \"\\xff\""),
        ("7, '2024-01-02 03:04', 2, 0", "station 7, alarm1 is 2"),
        ("7, '2024-01-02 03:04', 0, 'on'", "station 7, alarm2 is the text \"on\""),
        ("7, '2024-01-02 03:04', 0.5, 0", "station 7, alarm1 is 0.5"),
        ("7, printf('%.100c', 'a'), 0, 0", "aaaa…\" of 100 bytes"),
    ] {
        let (_folder, path) = database(&format!(
            "{CONTRACT_TABLE} INSERT INTO station_status VALUES (1, '2024-01-02 03:04', 0, 0), ({row})"
        ));
        let refusal = examined(&path).unwrap_err();
        assert!(refusal.contains(difference), "{refusal}");
    }
}

#[test]
fn somebody_elses_database_is_left_alone() {
    let foreign = |reason: &str| format!("is not a waterwatch database ({reason}); it was not touched");
    for (statements, reason) in [
        (
            format!("{CONTRACT_TABLE} PRAGMA application_id = 252006674"),
            "its application_id is 0x0f055112".to_owned(),
        ),
        (
            format!("{CONTRACT_TABLE} CREATE INDEX Span_By_Age ON station_status (last_date)"),
            "it has the index span_by_age, which is not ours".to_owned(),
        ),
        ("CREATE TABLE moz_places (url)".to_owned(), "it has tables, but no station_status".to_owned()),
        (
            format!("PRAGMA application_id = {APPLICATION_ID}"),
            "it is signed as one, but its schema is 0".to_owned(),
        ),
    ] {
        let (_folder, path) = database(&statements);
        let refusal = examined(&path).unwrap_err();
        assert!(refusal.contains(&foreign(&reason)), "{refusal}");
    }
    let (_folder, path) = database("");
    fs::write(&path, "station 123 is fine, said somebody in a text file, at some length.".repeat(20))
        .unwrap();
    let refusal = examined(&path).unwrap_err();
    assert!(refusal.contains(&foreign("it is not an SQLite database at all")), "{refusal}");
    let error = examine(path.parent().unwrap()).unwrap_err();
    assert!(error.to_string().contains(&foreign("it is no regular file")), "{error}");
}

#[test]
fn a_newer_database_is_left_alone() {
    let (_folder, path) =
        database(&format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {}", VERSION + 1));
    let refusal = examined(&path).unwrap_err();
    assert!(refusal.contains("was written by a newer waterwatch (schema 6, this one knows 5)"), "{refusal}");
}

#[test]
fn a_damaged_database_is_an_error_and_no_wrong_file() {
    let (_folder, path) = database(CONTRACT_TABLE);
    let mut bytes = fs::read(&path).unwrap();
    bytes[100..].fill(0xff);
    fs::write(&path, bytes).unwrap();
    let error = existing(&path).unwrap_err();
    assert!(matches!(error, SchemaError::Unreadable { .. }), "{error}");
    assert!(!error.is_wrong_file());
}

/// Copies a database in the middle of a transaction that spilled to the
/// disk: what a power cut leaves.
fn cut_short(statements: &str, journal_end: &str) -> (TempDir, PathBuf) {
    let (folder, path) = database(statements);
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "PRAGMA cache_size = 1; BEGIN;
             UPDATE station_status SET alarm1 = 1;
             WITH RECURSIVE n (i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
             INSERT INTO station_status SELECT i, '2024-01-02 03:04', 1, 1 FROM n;",
        )
        .unwrap();
    let cut = tempfile::tempdir().unwrap();
    for end in ["", journal_end] {
        fs::copy(access::beside(&path, end), cut.path().join(format!("data.sqlite{end}"))).unwrap();
    }
    drop((connection, folder));
    let path = cut.path().join("data.sqlite");
    (cut, path)
}

#[test]
fn what_a_power_cut_left_half_written_is_brought_into_order() {
    let row = "INSERT INTO station_status VALUES (1, '2024-01-02 03:04', 0, 0);";
    for (mode, journal_end) in [("DELETE", "-journal"), ("WAL", "-wal")] {
        let (_folder, path) =
            cut_short(&format!("{CONTRACT_TABLE} {row} PRAGMA journal_mode = {mode}"), journal_end);
        assert_eq!(existing(&path).unwrap(), Kind::Contract, "{mode}");
        let connection = open_read_only(&path).unwrap();
        let rows: (i64, i64) = connection
            .query_row("SELECT count(*), sum(alarm1) FROM station_status", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap();
        assert_eq!(rows, (1, 0), "{mode}");
    }
}

#[test]
fn adopting_keeps_every_row_and_adds_ours() {
    let (_folder, path) = database(&format!(
        "{CONTRACT_TABLE} INSERT INTO station_status VALUES (5, '2026-11-24 02:46', 0, 1), (3, '2024-01-02 03:04', 1, 0)"
    ));
    let mut connection = Connection::open(&path).unwrap();
    adopt(&mut connection, &TimeZone::get("Europe/Berlin").unwrap()).unwrap();
    let mut statement = connection
        .prepare(
            "SELECT station_id, last_date, alarm1, alarm2, sequence, received_at, reports
             FROM station_status JOIN station_state USING (station_id) ORDER BY station_id",
        )
        .unwrap();
    let rows: Vec<String> = statement
        .query_map([], |row| (0..7).map(|place| row.get_ref(place).map(describe)).collect())
        .unwrap()
        .map(|values: rusqlite::Result<Vec<String>>| values.unwrap().join(", "))
        .collect();
    assert_eq!(
        rows,
        [
            "3, the text \"2024-01-02 03:04\", 1, 0, 0, 1704161040000, 0",
            "5, the text \"2026-11-24 02:46\", 0, 1, 0, 1795484760000, 0",
        ]
    );
    drop(statement);
    connection.close().unwrap();
    assert_eq!(examined(&path), Ok(Kind::Ours));
}

/// A tool that rebuilds a table drops what hangs on it.
#[test]
fn what_somebody_dropped_is_made_again() {
    let objects = |connection: &Connection| -> Vec<String> {
        let query = "SELECT type || ' ' || name || ' ' || ifnull(sql, '') FROM sqlite_schema ORDER BY 1";
        let mut statement = connection.prepare(query).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<rusqlite::Result<_>>().unwrap()
    };
    let mut connection = Connection::open_in_memory().unwrap();
    create(&mut connection).unwrap();
    let before = objects(&connection);
    assert!(restore(&mut connection).unwrap().is_empty());
    let dropped = ["span_by_age", "alarm_event_by_source", "alarm_event_is_never_deleted"];
    connection
        .execute_batch(
            "DROP INDEX span_by_age; DROP INDEX alarm_event_by_source; DROP TRIGGER alarm_event_is_never_deleted",
        )
        .unwrap();
    assert_eq!(restore(&mut connection).unwrap(), dropped);
    assert_eq!(objects(&connection), before);
}

/// Whatever version it was, it has what a new one has.
#[test]
fn each_earlier_version_becomes_what_is_made_anew() {
    let objects = |connection: &Connection| -> Vec<String> {
        let query = "SELECT type || ' ' || name || ' ' || ifnull(sql, '') FROM sqlite_schema ORDER BY 1";
        let mut statement = connection.prepare(query).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<rusqlite::Result<_>>().unwrap()
    };
    let mut new = Connection::open_in_memory().unwrap();
    create(&mut new).unwrap();
    let listener = "INSERT INTO listener (address) VALUES ('127.0.0.1:54321')";
    let since_3 = format!(
        "{listener}; {SINCE_VERSION_3} CREATE INDEX alarm_event_by_received_at ON alarm_event (received_at)"
    );
    for (version, statements) in
        [(1, ["", ""]), (2, [SINCE_VERSION_2, listener]), (3, [SINCE_VERSION_2, &since_3])]
    {
        let (_folder, path) = database(&format!(
            "{STATION_STATUS}; {STATION_STATE}; {}; {};
             INSERT INTO station_status VALUES (5, '2026-11-24 01:46', 1, 0);
             INSERT INTO station_state (station_id, sequence, received_at, reports) VALUES (5, 9, 7, 4);
             PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {version}",
            statements[0], statements[1],
        ));
        assert_eq!(examined(&path), Ok(Kind::Older(version)));
        let mut connection = Connection::open(&path).unwrap();
        migrate(&mut connection).unwrap();
        assert_eq!(objects(&connection), objects(&new), "from version {version}");
        let kept: (i64, i64, i64) = connection
            .query_row("SELECT sequence, received_at, reports FROM station_state", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .unwrap();
        assert_eq!(kept, (9, 7, 4));
        let listeners: i64 =
            connection.query_row("SELECT count(*) FROM listener", [], |row| row.get(0)).unwrap();
        assert_eq!(listeners, i64::from(version >= 2));
        drop(connection);
        assert_eq!(examined(&path), Ok(Kind::Ours));
    }
}
