//! Opens the file so that it can be trusted, and keeps a copy of one that is
//! about to change its form.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use rusqlite::{Connection, OpenFlags};

use super::super::lock::folder_of;
use super::super::{access, backup};

/// How long a statement waits for another program's lock before the batch
/// counts as not stored. The writer tries again after that.
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);

/// What SQLite answers for `synchronous=FULL`: a commit returns after its
/// sync. Read back, since everything that is acknowledged rests on it.
pub(super) const SYNCHRONOUS_FULL: i64 = 2;

/// How long an opening waits for readers that hold the log.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// Pages that SQLite keeps in memory, in KiB: the inner pages of a million
/// stations and the leaves in use.
const PAGE_CACHE_KIB: i64 = 32 * 1024;

/// What is to be done with a log that a reader keeps from being emptied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Log {
    /// After a failed sync: nothing may be appended to it.
    MustBeEmptied,
    /// At a start: stations do not wait for somebody's open query. What is in
    /// the log was synced, unless the run before ended by a failed sync.
    MayStay,
}

/// Opens the database for the writer alone, its log emptied.
///
/// # Errors
/// If it may not be written, or would not be durable.
pub(super) fn connect(path: &Path, create: bool, log: Log, wal_bytes_max: u64) -> anyhow::Result<Connection> {
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
        sync_in_full(&connection)?;
        connection.pragma_update(None, "cache_size", -PAGE_CACHE_KIB)?;
        // What a log grew to beyond its limit is given back to the disk once
        // it is begun afresh; below it, a file that is there is written to
        // faster than one that grows.
        connection.pragma_update(None, "journal_size_limit", wal_bytes_max.cast_signed())?;
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

/// Has each commit synced, and each checkpoint.
///
/// # Errors
/// SQLite does not.
pub(super) fn sync_in_full(connection: &Connection) -> anyhow::Result<()> {
    connection.pragma_update(None, "synchronous", "FULL")?;
    let synchronous: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0))?;
    ensure!(
        synchronous == SYNCHRONOUS_FULL,
        "SQLite does not sync each commit (synchronous = {synchronous})"
    );
    Ok(())
}

/// Copies a database of an older version before it is brought up to date: a
/// newer one cannot be read by the program that was there before.
pub(super) fn keep_a_copy(path: &Path, version: i32) -> anyhow::Result<()> {
    let copy = access::beside(path, &format!(".schema-{version}"));
    let new = access::beside(&copy, ".new");
    let make = || -> anyhow::Result<()> {
        // Of a try that was killed.
        if new.exists() {
            std::fs::remove_file(&new)?;
        }
        backup::backup(path, &new)?;
        // In place of one of an earlier try: what was reported since must not
        // be missing in it.
        std::fs::rename(&new, &copy)?;
        File::open(folder_of(&copy))?.sync_all()?;
        Ok(())
    };
    make().with_context(|| format!("cannot keep a copy of {}", path.display()))?;
    tracing::info!(copy = %copy.display(), "brings the database up to date; a copy of it as it was is kept");
    Ok(())
}
