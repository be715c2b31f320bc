//! Which files are ours: a database that is deleted or replaced under us goes
//! on taking writes that nobody will ever find, and so does its log.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::super::access::beside;

/// What SQLite appends to the database's name for its log.
const LOG: &str = "-wal";

/// The same for the log's index.
const LOG_INDEX: &str = "-shm";

/// Appended to the database's name: a file that is there after a failed
/// write or sync until the log was emptied. A start must not append to that
/// log either, and does not know what happened in the process before.
const DOUBT: &str = ".doubt";

/// A database's files, as they were when it was opened.
#[derive(Debug)]
pub(super) struct OurFiles {
    pub(super) path: PathBuf,
    /// The file itself, where `path` may be a link to it.
    real: PathBuf,
    identity: Identity,
    /// Where SQLite keeps the log, which it finds by name alone: beside the
    /// file itself.
    pub(super) log: PathBuf,
    log_identity: Identity,
    log_index: PathBuf,
    log_index_identity: Identity,
}

/// The mark of a log that a failed write or sync may have spoiled.
#[derive(Debug)]
pub(super) struct Doubt(PathBuf);

impl Doubt {
    /// That of the database at `path`, which need not exist.
    pub(super) fn about(path: &Path) -> Doubt {
        Doubt(beside(&path.canonicalize().unwrap_or_else(|_| path.to_owned()), DOUBT))
    }

    /// Whether there is one.
    pub(super) fn is_there(&self) -> bool {
        self.0.exists()
    }

    /// Leaves it for the next start: all that can be done on a disk that
    /// fails.
    pub(super) fn leave(&self) {
        let _ = File::create(&self.0).and_then(|mark| mark.sync_all());
    }

    /// The log was emptied. A mark that stays behind makes the next start
    /// more careful, and nothing else.
    pub(super) fn clear(&self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// How our files stand.
pub(super) enum Found {
    /// As they were.
    Ours,
    /// The log was deleted or replaced.
    LogGone,
    /// Its index was. Whoever opens the database now makes another one, and
    /// neither sees what the other locks.
    LogIndexGone,
    /// The database was, as it says here.
    Lost(String),
    /// It could not be looked at.
    Unknown(io::Error),
}

/// Which file it is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl OurFiles {
    /// Those of an open database.
    pub(super) fn of(path: &Path) -> io::Result<OurFiles> {
        let real = path.canonicalize()?;
        let (log, log_index) = (beside(&real, LOG), beside(&real, LOG_INDEX));
        Ok(OurFiles {
            path: path.to_owned(),
            identity: identity(path)?,
            log_identity: identity(&log)?,
            log,
            log_index_identity: identity(&log_index)?,
            log_index,
            real,
        })
    }

    pub(super) fn look(&self) -> Found {
        let path = self.path.display();
        match identity(&self.path) {
            Ok(found) if found == self.identity => {
                if !self.log_is_ours() {
                    Found::LogGone
                } else if !is(&self.log_index, self.log_index_identity) {
                    Found::LogIndexGone
                } else {
                    Found::Ours
                }
            }
            Ok(_) => Found::Lost(format!("{path} was replaced by another file, which was left as it is")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Found::Lost(format!("{path} is gone")),
            // The folder may not be entered for now, or the like.
            Err(error) => Found::Unknown(error),
        }
    }

    fn log_is_ours(&self) -> bool {
        is(&self.log, self.log_identity)
    }

    /// Moves our log away from beside a file that is not ours: whoever opens
    /// that one next would play the log into it. Says what was done, or what
    /// a person must do. Nobody may have the database open.
    pub(super) fn save_log(&self) -> Option<String> {
        // Only the name leads elsewhere: our file is where it was, and its log
        // belongs there.
        let in_place = identity(&self.real).is_ok_and(|real| real == self.identity);
        if in_place || !self.log_is_ours() {
            return None;
        }
        Some(match self.put_log_away() {
            Ok(kept) => format!("the log of the lost one is kept as {}", kept.display()),
            Err(error) => format!(
                "move {} away before anybody opens it, for it belongs to the lost one ({error})",
                self.log.display()
            ),
        })
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
}

/// Whether that file is the one there.
fn is(path: &Path, file: Identity) -> bool {
    identity(path).is_ok_and(|found| found == file)
}

fn identity(path: &Path) -> io::Result<Identity> {
    let metadata = std::fs::metadata(path)?;
    Ok(Identity { device: metadata.dev(), inode: metadata.ino() })
}
