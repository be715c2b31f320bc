//! Moves the log into the database off the commit path, and keeps it short.
//!
//! A thread with a connection of its own moves what is in the log while the
//! writer goes on. It never comes to an end that way, since the writer always
//! is a little ahead; so when little is left, the writer itself moves the
//! rest, in milliseconds, and its next commit begins the log afresh.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::super::StoreError;
use super::opening::sync_in_full;
use super::ours::classify;
use crate::log::Seldom;

/// Bytes of the log for each page in it: SQLite's default page and its frame.
const PAGE_BYTES: u64 = 4096 + 24;

/// Bytes of the log that are always left alone.
const BYTES_MIN: u64 = 4 << 20;

/// Pages that the writer moves itself: some milliseconds.
const REST_PAGES: i64 = 256;

/// Passes of the thread in a row: each leaves less than the one before, unless
/// the writer is faster than the disk.
const PASSES_MAX: u32 = 4;

/// How long the writer waits for the thread when the log has reached its
/// limit. Beyond that the log may grow: stations do not wait for somebody who
/// reads the database for hours.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Looks after the log of one open database.
#[derive(Debug)]
pub(super) struct Checkpointer {
    bytes_max: u64,
    /// How many pages are in the log, as the last commit left it.
    pages: Arc<AtomicU32>,
    /// Below that nothing is done.
    begin_at: u64,
    ask: Option<SyncSender<()>>,
    work: Arc<Work>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Work {
    stage: Mutex<Stage>,
    changed: Condvar,
}

/// How far the thread is.
#[derive(Debug, Default)]
enum Stage {
    #[default]
    Idle,
    Asked,
    /// It has moved all but so many pages.
    Moved(i64),
    Failed(StoreError),
}

impl Checkpointer {
    /// Watches the log of `connection`, the writer's, to the database at
    /// `path`.
    pub(super) fn start(
        connection: &mut Connection,
        path: &Path,
        bytes_max: u64,
    ) -> anyhow::Result<Checkpointer> {
        let pages = Arc::new(AtomicU32::new(0));
        let seen = Arc::clone(&pages);
        // In place of SQLite's own checkpoints, which would run within a
        // commit.
        connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
            seen.store(u32::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))?;
        let own = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )
        .context("a second connection, for the log")?;
        // SQLite finds the log by its name, at the first look: now it is the
        // one that the writer has.
        own.query_row("PRAGMA schema_version", [], |_| Ok(()))?;
        // What it moves is synced before the log is begun afresh.
        sync_in_full(&own)?;
        let work = Arc::new(Work::default());
        let (ask, asked) = mpsc::sync_channel(1);
        let thread = {
            let work = Arc::clone(&work);
            thread::Builder::new().name("checkpointer".to_owned()).spawn(move || {
                while asked.recv().is_ok() {
                    work.set(passes(&own));
                }
            })?
        };
        Ok(Checkpointer {
            bytes_max,
            pages,
            begin_at: begin_at(connection, bytes_max),
            ask: Some(ask),
            work,
            thread: Some(thread),
        })
    }

    /// Whether the writer has something to do for the log.
    pub(super) fn is_due(&self) -> bool {
        match *self.work.stage() {
            Stage::Failed(_) => true,
            Stage::Asked => false,
            Stage::Idle | Stage::Moved(_) => self.bytes() >= self.begin_at,
        }
    }

    /// Between two commits of the writer's: does what is to be done by now,
    /// and no more.
    ///
    /// # Errors
    /// The thread failed to sync. What it failed to sync may be the writer's,
    /// too.
    pub(super) fn tend(&mut self, connection: &Connection) -> Result<(), StoreError> {
        self.hear_of_failure()?;
        let bytes = self.bytes();
        if bytes < self.begin_at {
            return Ok(());
        }
        let is_full = bytes >= self.bytes_max;
        if is_full {
            self.work.wait(PAUSE_MAX);
        }
        let stage = std::mem::take(&mut *self.work.stage());
        let rest = match stage {
            Stage::Idle => {
                self.ask();
                return Ok(());
            }
            Stage::Asked => {
                *self.work.stage() = Stage::Asked;
                if is_full {
                    self.let_grow(bytes);
                }
                return Ok(());
            }
            Stage::Moved(rest) => rest,
            // Just now.
            failed @ Stage::Failed(_) => {
                *self.work.stage() = failed;
                return self.hear_of_failure();
            }
        };
        if rest > REST_PAGES && !is_full {
            self.ask();
            return Ok(());
        }
        if self.move_the_rest(connection)? {
            // The next commit begins the log afresh.
            self.pages.store(0, Ordering::Relaxed);
            self.begin_at = begin_at(connection, self.bytes_max);
        } else {
            self.say_that_it_grows("a program that reads the database keeps it from being emptied");
            self.let_grow(bytes);
        }
        Ok(())
    }

    /// What the thread failed at, however long the log is.
    fn hear_of_failure(&mut self) -> Result<(), StoreError> {
        let mut stage = self.work.stage();
        if !matches!(*stage, Stage::Failed(_)) {
            return Ok(());
        }
        let Stage::Failed(error) = std::mem::take(&mut *stage) else { return Ok(()) };
        drop(stage);
        let StoreError::Unavailable(reason) = error else { return Err(error) };
        self.say_that_it_grows(&reason);
        self.let_grow(self.bytes());
        Ok(())
    }

    /// Frees the log on a disk that is full, if that is possible: then there
    /// is room in it.
    ///
    /// # Errors
    /// Those of [`Checkpointer::tend`].
    pub(super) fn make_room(&mut self, connection: &Connection) -> Result<(), StoreError> {
        self.work.wait(PAUSE_MAX);
        self.hear_of_failure()?;
        if !matches!(*self.work.stage(), Stage::Asked) {
            self.move_the_rest(connection)?;
        }
        Ok(())
    }

    /// Moves what is left. False if a reader needs the log as it is.
    fn move_the_rest(&self, connection: &Connection) -> Result<bool, StoreError> {
        match pass(connection) {
            Ok(rest) => Ok(rest == 0),
            Err(error) => match classify(&error) {
                StoreError::Unavailable(_) => Ok(false),
                other => Err(other),
            },
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        u64::from(self.pages.load(Ordering::Relaxed)) * PAGE_BYTES
    }

    fn ask(&self) {
        *self.work.stage() = Stage::Asked;
        let asked = self.ask.as_ref().is_some_and(|ask| ask.try_send(()).is_ok());
        if !asked {
            let reason = "the thread that looks after the log is gone".to_owned();
            *self.work.stage() = Stage::Failed(StoreError::OutcomeUnknown(reason));
        }
    }

    /// Looks again when it has grown by another quarter.
    fn let_grow(&mut self, bytes: u64) {
        self.begin_at = bytes + self.bytes_max / 4;
    }

    fn say_that_it_grows(&self, reason: &str) {
        static GROWS: Seldom = Seldom::new(Seldom::EVERY);
        GROWS.say(|held_back| {
            tracing::warn!(
                reason,
                bytes = self.bytes(),
                wal_bytes_max = self.bytes_max,
                held_back,
                "the log grows"
            );
        });
    }
}

impl Drop for Checkpointer {
    /// Ends the thread, and with it its connection: the writer's must be the
    /// last to close.
    fn drop(&mut self) {
        self.ask = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was told when it happened.
            let _ = thread.join();
        }
    }
}

impl Work {
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, stage: Stage) {
        *self.stage() = stage;
        self.changed.notify_all();
    }

    /// Waits until the thread is done with what it was asked for.
    fn wait(&self, at_most: Duration) {
        let until = Instant::now() + at_most;
        let mut stage = self.stage();
        while matches!(*stage, Stage::Asked) {
            let Some(left) = until.checked_duration_since(Instant::now()) else { return };
            (stage, _) = self.changed.wait_timeout(stage, left).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Up to which length the log of this database is left alone: what moves it
/// writes each page once, so a log of four times the database costs a quarter
/// more, and a longer one only takes longer to read after a crash.
fn begin_at(connection: &Connection, bytes_max: u64) -> u64 {
    let latest = bytes_max / 4 * 3;
    let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap_or(i64::MAX);
    u64::try_from(pages).unwrap_or(0).saturating_mul(4 * PAGE_BYTES).clamp(BYTES_MIN.min(latest), latest)
}

/// Moves what is in the log, and then what came meanwhile, until little comes.
fn passes(connection: &Connection) -> Stage {
    let mut rest = i64::MAX;
    for _ in 0..PASSES_MAX {
        match pass(connection) {
            Ok(left) => rest = left,
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {}
            Err(error) => return Stage::Failed(classify(&error)),
        }
        if rest <= REST_PAGES {
            break;
        }
    }
    Stage::Moved(rest)
}

/// Moves what is in the log and waits for nobody; returns how many pages are
/// left in it.
fn pass(connection: &Connection) -> rusqlite::Result<i64> {
    let (busy, log, moved): (bool, i64, i64) =
        connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
    // Another program is at it: what it leaves is not known.
    Ok(if busy { i64::MAX } else { log - moved })
}
