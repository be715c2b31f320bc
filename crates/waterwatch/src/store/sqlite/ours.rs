//! Whether the file is still ours, and what is certain after an error.

use rusqlite::{ErrorCode, ffi};

use super::SqliteStore;
use super::file::{Doubt, Found};
use crate::store::StoreError;

impl SqliteStore {
    /// Refuses to write if another file has our name.
    pub(super) fn check_still_ours(&mut self) -> Result<(), StoreError> {
        match self.files.look() {
            Found::Ours => Ok(()),
            Found::LogGone => Err(self.save_deleted_log()),
            Found::LogIndexGone => Err(StoreError::OutcomeUnknown(format!(
                "{}-shm was deleted or replaced; it is made anew",
                self.files.path.display()
            ))),
            Found::Lost(what) => {
                self.open = None;
                Err(StoreError::Lost(match self.files.save_log() {
                    Some(saved) => format!("{what}; {saved}"),
                    None => what,
                }))
            }
            Found::Unknown(error) => {
                Err(StoreError::Unavailable(format!("cannot look at {}: {error}", self.files.path.display())))
            }
        }
    }

    /// A log that was deleted goes on taking commits that nobody will find.
    /// As long as we have it open, what is in it can be saved.
    fn save_deleted_log(&self) -> StoreError {
        let Some(open) = &self.open else { return closed() };
        let busy: i64 =
            match open.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)) {
                Ok(busy) => busy,
                Err(error) => {
                    return StoreError::OutcomeUnknown(format!(
                        "its log is gone, and could not be saved: {error}"
                    ));
                }
            };
        if busy != 0 {
            // Kept open, for it is the only way to what is in the log.
            return StoreError::Unavailable(
                "its log was deleted, and a program that reads the database keeps it from being saved; \
                 close that program"
                    .to_owned(),
            );
        }
        StoreError::OutcomeUnknown(format!(
            "{} was deleted or replaced; it is made anew",
            self.files.log.display()
        ))
    }

    /// Leaves a mark for the next start if the log may be spoiled, should
    /// there be no other way for this process than to end.
    pub(super) fn noted<T>(&self, done: Result<T, StoreError>) -> Result<T, StoreError> {
        if matches!(done, Err(StoreError::OutcomeUnknown(_))) {
            Doubt::about(&self.files.path).leave();
        }
        done
    }
}

pub(super) fn closed() -> StoreError {
    StoreError::OutcomeUnknown("the database is closed".to_owned())
}

/// What is certain after an error of SQLite's.
pub(super) fn classify(error: &rusqlite::Error) -> StoreError {
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
