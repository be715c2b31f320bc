//! The rows of an old Python server's database, and the new database made of
//! them.

mod values;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use jiff::tz::TimeZone;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, Row, ffi, params};
use thiserror::Error;
use waterwatch_core::StationId;

use super::lock::DataLock;
use super::new_file::{Expected, NewFile};
use super::schema::{self, Kind, SchemaError, describe};

/// Bad rows that are named. Whoever has more has one mistake in all of them,
/// or another file than was meant.
const BAD_ROWS_NAMED: usize = 100;

/// What the old servers called the column of the date, the contract's name
/// first.
const DATE_COLUMNS: [&str; 2] = ["last_date", "date_time"];

/// What could be read of an old database.
#[derive(Debug, Default)]
pub struct OldRows {
    stations: BTreeMap<StationId, OldRow>,
    bad: Vec<BadRow>,
    bad_count: usize,
}

#[derive(Debug)]
struct OldRow {
    last_date: String,
    received_at_ms: i64,
    alarm1: bool,
    alarm2: bool,
    /// Where it was found, for the case that a second row is the same
    /// station.
    place: Place,
}

/// Which row it is, in the words of the old database.
#[derive(Clone, Debug)]
struct Place {
    rowid: Option<i64>,
    station: String,
}

/// A row that cannot come over.
#[derive(Debug)]
pub struct BadRow {
    place: Place,
    column: &'static str,
    value: String,
    why: String,
}

/// Why nothing can be read of an old database.
#[derive(Debug, Error)]
pub enum OldError {
    /// There is no such file.
    #[error("there is no file {0}")]
    Missing(PathBuf),
    /// It is something else.
    #[error("{path} is no database of an old server: {reason}")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// How we know.
        reason: String,
    },
    /// It is today's.
    #[error("{0} is a database of waterwatch already; start the server on it (waterwatch serve --data {0})")]
    Ours(PathBuf),
    /// The old server was killed while it wrote.
    #[error(
        "the old server died while it wrote to {0}, and {0}-journal holds what must be undone; \
         nothing was changed. Start the old server on it once, with that file beside it, and stop it again"
    )]
    HalfWritten(PathBuf),
    /// It may not be read, or is damaged.
    #[error(transparent)]
    Unreadable(SchemaError),
}

impl OldError {
    /// Whether the file itself is the wrong one.
    #[must_use]
    pub fn is_wrong_file(&self) -> bool {
        match self {
            OldError::Unreadable(error) => error.is_wrong_file(),
            _ => true,
        }
    }
}

/// Reads the old database at `path`, whose dates are in `zone`, without
/// changing it.
///
/// # Errors
/// If it is no old server's database or cannot be read. Rows that cannot be
/// read are no error here.
pub fn read(path: &Path, zone: &TimeZone) -> Result<OldRows, OldError> {
    let foreign = |reason: &str| OldError::Foreign { path: path.to_owned(), reason: reason.to_owned() };
    match std::fs::metadata(path) {
        Ok(file) if file.is_file() => {}
        Ok(_) => return Err(foreign("it is no regular file")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(OldError::Missing(path.to_owned()));
        }
        // Opening it fails for the same reason.
        Err(_) => {}
    }
    let not_read = |error: rusqlite::Error| match error.sqlite_error() {
        Some(sqlite) if sqlite.code == ErrorCode::NotADatabase => {
            foreign("it is not an SQLite database at all")
        }
        Some(sqlite) if sqlite.code == ErrorCode::DatabaseCorrupt => foreign("it is damaged"),
        Some(sqlite) if sqlite.extended_code == ffi::SQLITE_READONLY_ROLLBACK => {
            OldError::HalfWritten(path.to_owned())
        }
        _ => OldError::Unreadable(schema::not_read(path, error)),
    };
    let connection = schema::open_read_only(path).map_err(not_read)?;
    let application_id: i32 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(not_read)?;
    if application_id == schema::APPLICATION_ID {
        return Err(OldError::Ours(path.to_owned()));
    }
    let query = query(&connection).map_err(not_read)?.map_err(|reason| foreign(&reason))?;
    let mut rows = OldRows::default();
    let mut statement = connection.prepare(&query).map_err(not_read)?;
    let mut found = statement.query([]).map_err(not_read)?;
    while let Some(row) = found.next().map_err(not_read)? {
        rows.take(row, zone);
    }
    Ok(rows)
}

/// The query for the columns wherever they stand, made of our own names
/// only; or what is missing.
fn query(connection: &Connection) -> rusqlite::Result<Result<String, String>> {
    let columns: Vec<String> = connection
        .prepare("SELECT lower(name) FROM pragma_table_info('station_status') ORDER BY cid")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    if columns.is_empty() {
        return Ok(Err("it has no table station_status".to_owned()));
    }
    let has = |name: &str| columns.iter().any(|column| column == name);
    let date = DATE_COLUMNS.into_iter().find(|name| has(name));
    let (Some(date), true) = (date, ["station_id", "alarm1", "alarm2"].into_iter().all(has)) else {
        return Ok(Err(format!(
            "its station_status has the columns {}; wanted are station_id, last_date (or date_time), \
             alarm1 and alarm2",
            columns.join(", ")
        )));
    };
    // Views have no rowid, nor have tables that are made so.
    let rowids: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM pragma_table_list('station_status') WHERE type = 'table' AND wr = 0)",
        [],
        |row| row.get(0),
    )?;
    let rowid = if rowids { "rowid" } else { "NULL" };
    Ok(Ok(format!("SELECT {rowid}, station_id, {date}, alarm1, alarm2 FROM station_status")))
}

impl OldRows {
    /// How many stations can come over.
    #[must_use]
    pub fn stations(&self) -> usize {
        self.stations.len()
    }

    /// How many rows cannot.
    #[must_use]
    pub fn bad_count(&self) -> usize {
        self.bad_count
    }

    /// Those that cannot, each with its reason: the first of them, if they
    /// are very many.
    #[must_use]
    pub fn bad(&self) -> &[BadRow] {
        &self.bad
    }

    fn take(&mut self, row: &Row<'_>, zone: &TimeZone) {
        let value = |place: usize| row.get_ref(place).unwrap_or(ValueRef::Null);
        let place = Place { rowid: value(0).as_i64().ok(), station: describe(value(1)) };
        let bad = |column, at: usize, why: &str| BadRow {
            place: place.clone(),
            column,
            value: describe(value(at)),
            why: why.to_owned(),
        };
        let read = || {
            let id = values::station_id(value(1))
                .ok_or_else(|| bad("station_id", 1, values::STATION_ID_WANTED))?;
            let (last_date, received_at_ms) =
                values::date(value(2), zone).ok_or_else(|| bad("the date", 2, values::DATE_WANTED))?;
            let alarm1 = values::alarm(value(3)).ok_or_else(|| bad("alarm1", 3, values::ALARM_WANTED))?;
            let alarm2 = values::alarm(value(4)).ok_or_else(|| bad("alarm2", 4, values::ALARM_WANTED))?;
            Ok((id, OldRow { last_date, received_at_ms, alarm1, alarm2, place: place.clone() }))
        };
        match read() {
            Ok((id, row)) => self.keep(id, row),
            Err(bad) => self.leave_out(bad),
        }
    }

    /// Keeps the newest contact of a station: an older one says nothing of
    /// how it is now. Of two that are equally old the first stays.
    fn keep(&mut self, id: StationId, row: OldRow) {
        let older = match self.stations.entry(id) {
            Entry::Vacant(entry) => {
                entry.insert(row);
                return;
            }
            Entry::Occupied(mut entry) if entry.get().received_at_ms < row.received_at_ms => {
                entry.insert(row)
            }
            Entry::Occupied(_) => row,
        };
        let kept = &self.stations[&id];
        let why = format!("{} is the same station, with a contact that is not older", kept.place);
        let value = older.place.station.clone();
        self.leave_out(BadRow { place: older.place, column: "station_id", value, why });
    }

    fn leave_out(&mut self, row: BadRow) {
        self.bad_count += 1;
        if self.bad.len() < BAD_ROWS_NAMED {
            self.bad.push(row);
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rowid {
            Some(rowid) => write!(f, "row {rowid} (station {})", self.station),
            None => write!(f, "the row of station {}", self.station),
        }
    }
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BadRow { place, column, value, why } = self;
        write!(f, "{place}: {column} is {value}; {why}")
    }
}

/// Makes the new database at `path`, where nothing may be, of the rows that
/// can come over.
///
/// # Errors
/// If a server or another import is at work there, if there is something
/// already, or if it cannot be written. Nothing is at `path` then.
pub fn write(path: &Path, old: &OldRows) -> anyhow::Result<()> {
    let _lock = DataLock::acquire(path)?;
    let new = NewFile::beside(path)?;
    fill(&new.path(), old).with_context(|| format!("cannot write {}", path.display()))?;
    new.put_in_place(&Expected { kind: Kind::Ours, stations: old.stations.len() as u64 }, None)?;
    Ok(())
}

fn fill(path: &Path, old: &OldRows) -> rusqlite::Result<()> {
    let mut connection = Connection::open(path)?;
    schema::create(&mut connection)?;
    let transaction = connection.transaction()?;
    {
        let mut status = transaction.prepare(
            "INSERT INTO station_status (station_id, last_date, alarm1, alarm2) VALUES (?1, ?2, ?3, ?4)",
        )?;
        // Sequence and reports count what this server hears itself.
        let mut state = transaction.prepare(
            "INSERT INTO station_state (station_id, sequence, received_at, reports) VALUES (?1, 0, ?2, 0)",
        )?;
        for (id, row) in &old.stations {
            status.execute(params![id.get(), row.last_date, row.alarm1, row.alarm2])?;
            state.execute(params![id.get(), row.received_at_ms])?;
        }
    }
    schema::set_unjudged(&transaction)?;
    transaction.commit()?;
    connection.close().map_err(|(_, error)| error)
}
