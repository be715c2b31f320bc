//! The store over one SQLite file that this process owns.
//!
//! Durability: WAL with `synchronous=FULL`, so a commit returns only after
//! the log is synced. An opening first moves the whole log into the database
//! and empties it: after a failed sync the kernel may call pages clean that
//! never reached the disk, and a log that begins with such pages would lose
//! everything that is appended after them.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use jiff::tz::TimeZone;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior, ffi, params};
use waterwatch_core::{Station, StationId};

use super::access::beside;
use super::last_date::{self, LastDate};
use super::lock::{DataLock, folder_of};
use super::schema::{self, Kind};
use super::{Batch, Store, StoreError};

/// How long a statement waits for another program's lock before the batch
/// counts as not stored. The writer tries again after that.
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);

/// What SQLite answers for `synchronous=FULL`: a commit returns after its
/// sync. Read back, since everything that is acknowledged rests on it.
const SYNCHRONOUS_FULL: i64 = 2;

/// How long an opening waits for readers that hold the log.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// Pages that SQLite keeps in memory, in KiB: the inner pages of a million
/// stations and the leaves in use.
const PAGE_CACHE_KIB: i64 = 32 * 1024;

/// Bytes of log that are kept after a checkpoint, so that one burst does not
/// occupy the disk for ever.
const LOG_BYTES_KEPT: i64 = 64 * 1024 * 1024;

/// What SQLite appends to the database's name for its log.
const LOG: &str = "-wal";

/// The same for the log's index.
const LOG_INDEX: &str = "-shm";

/// The states of all stations: in memory for the decisions, in SQLite for
/// good.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    zone: TimeZone,
    last_date: LastDate,
    /// `None` only while it is opened again.
    connection: Option<Connection>,
    identity: Identity,
    /// Its log's, which SQLite finds by name alone.
    log_identity: Identity,
    /// Where SQLite keeps the log: beside the file itself, also if `path` is
    /// a link to it.
    log: PathBuf,
    log_index: PathBuf,
    /// The file itself, where `path` may be a link to it.
    real: PathBuf,
    stations: HashMap<StationId, Station>,
    sequence: i64,
    _lock: DataLock,
}

/// Which file it is, whatever its name: a database that is deleted or
/// replaced under us goes on taking writes that nobody will ever find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl SqliteStore {
    /// Opens the database that `lock` keeps for this process alone, making it
    /// if there is none and taking over one that keeps the contract.
    ///
    /// # Errors
    /// If it is not for us, or if it cannot be opened, read and written.
    pub fn open(path: &Path, lock: DataLock, zone: TimeZone) -> anyhow::Result<SqliteStore> {
        let kind = schema::examine(path)?;
        let mut connection = connect(path, kind.is_none(), Log::MayStay)?;
        match kind {
            None | Some(Kind::Empty) => {
                schema::create(&mut connection)?;
                // The new file's name must survive a power cut as well.
                let folder = folder_of(path);
                File::open(folder)
                    .and_then(|folder| folder.sync_all())
                    .with_context(|| format!("cannot sync the folder {}", folder.display()))?;
                tracing::info!(data = %path.display(), "made a new database");
            }
            Some(Kind::Contract) => {
                schema::adopt(&mut connection, &zone)?;
                tracing::info!(data = %path.display(), "took over the old server's database");
            }
            Some(Kind::Ours) => {}
        }
        let (stations, sequence) = load(&connection, &zone)?;
        let real = path.canonicalize()?;
        let log = beside(&real, LOG);
        Ok(SqliteStore {
            path: path.to_owned(),
            last_date: LastDate::new(zone.clone()),
            zone,
            identity: identity(path)?,
            log_identity: identity(&log)?,
            log,
            log_index: beside(&real, LOG_INDEX),
            real,
            connection: Some(connection),
            stations,
            sequence,
            _lock: lock,
        })
    }

    /// Refuses to write if another file has our name. Our log is moved away
    /// then: it belongs to the file that is gone, and whoever opens the new
    /// one next would play it into that.
    fn check_still_ours(&mut self) -> Result<(), StoreError> {
        let path = self.path.display();
        let what = match identity(&self.path) {
            Ok(found) if found == self.identity => return self.check_log(),
            Ok(_) => format!("{path} was replaced by another file, which was left as it is"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => format!("{path} is gone"),
            // The folder may not be entered for now, or the like.
            Err(error) => return Err(StoreError::Unavailable(format!("cannot look at {path}: {error}"))),
        };
        self.connection = None;
        // Only the name leads elsewhere: our file is where it was, and its log
        // belongs there.
        let in_place = identity(&self.real).is_ok_and(|real| real == self.identity);
        if in_place || !identity(&self.log).is_ok_and(|log| log == self.log_identity) {
            return Err(StoreError::Lost(what));
        }
        let log = self.log.display();
        Err(StoreError::Lost(match self.put_log_away() {
            Ok(kept) => format!("{what}; the log of the lost one is kept as {}", kept.display()),
            Err(error) => format!(
                "{what}; move {log} away before anybody opens it, for it belongs to the lost one ({error})"
            ),
        }))
    }

    /// A log that was deleted goes on taking commits that nobody will find.
    /// As long as we have it open, what is in it can be saved.
    fn check_log(&self) -> Result<(), StoreError> {
        if identity(&self.log).is_ok_and(|found| found == self.log_identity) {
            return Ok(());
        }
        let connection = self.connection.as_ref().ok_or_else(closed)?;
        let checkpoint =
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        let busy = checkpoint.map_err(|error| {
            StoreError::OutcomeUnknown(format!("its log is gone, and could not be saved: {error}"))
        })?;
        if busy != 0 {
            // Kept open, for it is the only way to what is in the log.
            return Err(StoreError::Unavailable(
                "its log was deleted, and a program that reads the database keeps it from being saved; \
                 close that program"
                    .to_owned(),
            ));
        }
        Err(StoreError::OutcomeUnknown(format!(
            "{} was deleted or replaced; it is made anew",
            self.log.display()
        )))
    }

    fn put_log_away(&self) -> io::Result<PathBuf> {
        let kept = (1..)
            .map(|number| {
                beside(&self.log, &if number == 1 { ".lost".to_owned() } else { format!(".lost.{number}") })
            })
            .find(|kept| !kept.exists())
            .ok_or(io::ErrorKind::AlreadyExists)?;
        std::fs::rename(&self.log, &kept)?;
        // Its index is made anew from whatever log there is.
        match std::fs::remove_file(&self.log_index) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(kept),
        }
    }

    fn record(&mut self, batch: &Batch) -> rusqlite::Result<()> {
        let connection = self.connection.as_mut().ok_or(rusqlite::Error::InvalidQuery)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut status = transaction.prepare_cached(
                "INSERT INTO station_status (station_id, last_date, alarm1, alarm2) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (station_id) DO UPDATE SET
                 last_date = excluded.last_date, alarm1 = excluded.alarm1, alarm2 = excluded.alarm2",
            )?;
            let mut state = transaction.prepare_cached(
                "INSERT INTO station_state (station_id, sequence, received_at, reports) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (station_id) DO UPDATE SET
                 sequence = excluded.sequence, received_at = excluded.received_at, reports = excluded.reports",
            )?;
            for (id, station) in &batch.stations {
                let last_date = self.last_date.of(station.received_at_ms);
                status.execute(params![id.get(), last_date, station.alarm1, station.alarm2])?;
                state.execute(params![
                    id.get(),
                    station.sequence,
                    station.received_at_ms,
                    station.reports
                ])?;
            }
        }
        transaction.commit()
    }
}

impl Drop for SqliteStore {
    /// SQLite does not clear up after a file that was replaced, and the log
    /// must not be left beside the new one.
    fn drop(&mut self) {
        if self.connection.is_some()
            && let Err(StoreError::Lost(reason)) = self.check_still_ours()
        {
            tracing::error!("the database is lost: {reason}");
        }
    }
}

impl Store for SqliteStore {
    fn station(&self, id: StationId) -> Option<Station> {
        self.stations.get(&id).copied()
    }

    fn station_count(&self) -> usize {
        self.stations.len()
    }

    fn sequence(&self) -> i64 {
        self.sequence
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        assert!(batch.sequence > self.sequence, "a batch comes after what is recorded");
        self.check_still_ours()?;
        self.record(batch).map_err(|error| classify(&error))?;
        self.stations.extend(batch.stations.iter().copied());
        self.sequence = batch.sequence;
        Ok(())
    }

    fn reopen(&mut self) -> anyhow::Result<()> {
        // Closed first: a connection that saw a failed write is not trusted
        // with another one.
        self.connection = None;
        self.stations.clear();
        match schema::examine(&self.path)? {
            Some(Kind::Ours) => {}
            None => bail!("{} is gone", self.path.display()),
            Some(_) => bail!("{} is no longer the database that it was", self.path.display()),
        }
        let connection = connect(&self.path, false, Log::MustBeEmptied)?;
        (self.stations, self.sequence) = load(&connection, &self.zone)?;
        self.identity = identity(&self.path)?;
        self.log_identity = identity(&self.log)?;
        self.connection = Some(connection);
        Ok(())
    }
}

/// What is to be done with a log that a reader keeps from being emptied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Log {
    /// After a failed sync: nothing may be appended to it.
    MustBeEmptied,
    /// At a start: stations do not wait for somebody's open query. What is in
    /// the log was synced, unless the run before ended by a failed sync.
    MayStay,
}

fn connect(path: &Path, create: bool, log: Log) -> anyhow::Result<Connection> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    flags.set(OpenFlags::SQLITE_OPEN_CREATE, create);
    let connect = || -> anyhow::Result<Connection> {
        let connection = Connection::open_with_flags(path, flags)?;
        // SQLite opens what it may not write as well, and says so later.
        ensure!(
            !connection.is_readonly("main")?,
            "this user may not write it; run as its owner, or change the owner (chown)"
        );
        connection.busy_timeout(OPEN_TIMEOUT)?;
        let journal: String =
            connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
        ensure!(journal == "wal", "SQLite cannot keep a write-ahead log there (it chose {journal})");
        connection.pragma_update(None, "synchronous", "FULL")?;
        let synchronous: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0))?;
        ensure!(
            synchronous == SYNCHRONOUS_FULL,
            "SQLite does not sync each commit (synchronous = {synchronous})"
        );
        connection.pragma_update(None, "cache_size", -PAGE_CACHE_KIB)?;
        connection.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT)?;
        let busy: i64 = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy != 0 && log == Log::MayStay {
            tracing::warn!(
                "another program reads the database and does not end; its log grows until that program is closed"
            );
        } else {
            ensure!(busy == 0, "another program is reading it and does not end; close that program");
        }
        connection.busy_timeout(BUSY_TIMEOUT)?;
        Ok(connection)
    };
    connect().with_context(|| format!("cannot open the database {}", path.display()))
}

/// Reads every station, and checks what it reads.
fn load(connection: &Connection, zone: &TimeZone) -> anyhow::Result<(HashMap<StationId, Station>, i64)> {
    let mut stations = HashMap::new();
    let newest =
        connection.query_row("SELECT coalesce(max(sequence), 0) FROM station_state", [], |row| row.get(0))?;
    let mut statement = connection.prepare(
        "SELECT station_id, alarm1, alarm2, last_date, sequence, received_at, reports
         FROM station_status LEFT JOIN station_state USING (station_id)",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let number: i64 = row.get(0)?;
        let id = StationId::new(number).with_context(|| format!("the station id {number} is negative"))?;
        // A row that somebody added by hand has no state of ours yet.
        let received_at = match row.get(5)? {
            Some(received_at_ms) => received_at_ms,
            None => last_date::parse(row.get_ref(3)?.as_str()?, zone).unwrap_or(0),
        };
        let station = Station {
            alarm1: alarm(row, 1).with_context(|| format!("alarm1 of station {id}"))?,
            alarm2: alarm(row, 2).with_context(|| format!("alarm2 of station {id}"))?,
            received_at_ms: received_at,
            sequence: row.get::<_, Option<i64>>(4)?.unwrap_or(0),
            reports: row.get::<_, Option<i64>>(6)?.unwrap_or(0),
        };
        stations.insert(id, station);
    }
    Ok((stations, newest))
}

fn alarm(row: &rusqlite::Row<'_>, column: usize) -> anyhow::Result<bool> {
    match row.get::<_, i64>(column)? {
        0 => Ok(false),
        1 => Ok(true),
        other => bail!("{other} is neither 0 nor 1"),
    }
}

fn closed() -> StoreError {
    StoreError::OutcomeUnknown("the database is closed".to_owned())
}

fn identity(path: &Path) -> io::Result<Identity> {
    let metadata = std::fs::metadata(path)?;
    Ok(Identity { device: metadata.dev(), inode: metadata.ino() })
}

/// What is certain after an error of SQLite's.
fn classify(error: &rusqlite::Error) -> StoreError {
    let text = error.to_string();
    let Some(sqlite) = error.sqlite_error() else { return StoreError::OutcomeUnknown(text) };
    match sqlite.code {
        // SQLite rolls back and forgets what it wrote. Should the last frame
        // be in the log all the same, a crash may bring the batch back: more
        // is stored then than was acknowledged, never less.
        ErrorCode::DiskFull => StoreError::Unavailable("the disk is full".to_owned()),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            StoreError::Unavailable("another program holds a lock on the database".to_owned())
        }
        // The log's index could not grow: no room for it either.
        _ if sqlite.extended_code == ffi::SQLITE_IOERR_SHMSIZE => {
            StoreError::Unavailable("the disk is full".to_owned())
        }
        ErrorCode::ReadOnly => StoreError::Unavailable("the database is read-only".to_owned()),
        _ => StoreError::OutcomeUnknown(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Batch;

    fn open(folder: &Path) -> SqliteStore {
        let path = folder.join("data.sqlite");
        SqliteStore::open(&path, DataLock::acquire(&path).unwrap(), TimeZone::UTC).unwrap()
    }

    /// kill -9 cannot notice if these are lost; a power cut would.
    #[test]
    fn each_commit_is_synced() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = open(folder.path());
        let pragmas = |store: &SqliteStore| {
            let connection = store.connection.as_ref().unwrap();
            let synchronous: i64 =
                connection.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();
            let journal: String =
                connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
            (synchronous, journal)
        };
        assert_eq!(pragmas(&store), (SYNCHRONOUS_FULL, "wal".to_owned()));
        store.reopen().unwrap();
        assert_eq!(pragmas(&store), (SYNCHRONOUS_FULL, "wal".to_owned()));
    }

    #[test]
    fn what_is_committed_is_there_after_a_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = open(folder.path());
        let id = StationId::new(7).unwrap();
        let station = Station {
            alarm1: true,
            alarm2: false,
            received_at_ms: 1_795_484_760_000,
            sequence: 5,
            reports: 3,
        };
        store.commit(&Batch { stations: vec![(id, station)], sequence: 5 }).unwrap();
        store.stations.clear();
        store.reopen().unwrap();
        assert_eq!((store.station(id), store.station_count(), store.sequence()), (Some(station), 1, 5));
    }
}
