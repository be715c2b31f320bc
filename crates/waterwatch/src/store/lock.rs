//! One process owns the database: a lock on a file beside it.
//!
//! The database itself is never opened outside SQLite: closing it again would
//! drop the locks that SQLite holds on it.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use thiserror::Error;

/// Nobody else's business: whoever can open the file can lock it, and so
/// keep the server from starting.
const LOCK_MODE: u32 = 0o600;

/// Makes the empty file of a database, which its owner alone can read, whatever the
/// process's mask: SQLite gives what it keeps beside a database the mode of that. One
/// that is there is left as it is.
///
/// # Errors
/// If it cannot be made.
pub fn make_private(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(LOCK_MODE).open(path) {
        Ok(file) => file.set_permissions(Permissions::from_mode(LOCK_MODE)),
        // Also a link that leads nowhere yet.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Another process has the database.
#[derive(Debug, Error)]
#[error(
    "the database {data} is in use by another waterwatch{owner}; stop that one first, or choose another file \
     with --data", data = data.display()
)]
pub struct InUse {
    /// Which database.
    pub data: PathBuf,
    /// ` (process 123)`, if it says so.
    owner: String,
}

/// Held as long as the process writes to the database; the kernel releases
/// it however the process ends.
#[derive(Debug)]
pub struct DataLock {
    _file: File,
}

impl DataLock {
    /// Locks the database at `data`, which need not exist yet.
    ///
    /// # Errors
    /// [`InUse`] if another process has it, or if the lock file cannot be made.
    pub fn acquire(data: &Path) -> anyhow::Result<DataLock> {
        let path = lock_path(data)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(LOCK_MODE)
            .open(&path)
            .with_context(|| format!("cannot open the lock file {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                // Who has it is a help, not a need.
                let _ = file.read_to_string(&mut owner);
                let owner = owner.trim();
                let owner = if owner.is_empty() { String::new() } else { format!(" (process {owner})") };
                return Err(InUse { data: data.to_owned(), owner }.into());
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
        // A full disk must not keep the server from starting: who owns the
        // lock is written for people only.
        let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(DataLock { _file: file })
    }
}

/// Whether the process that had the database last is gone, as far as can be seen, and
/// this user may know. The lock itself is not tried: a server that just starts would
/// find it taken.
#[must_use]
pub fn has_ended(data: &Path) -> bool {
    let owner = lock_path(data).ok().and_then(|path| std::fs::read_to_string(path).ok());
    let process: Option<u32> = owner.and_then(|owner| owner.trim().parse().ok());
    process.is_some_and(|process| !Path::new("/proc").join(process.to_string()).exists())
}

/// The lock of the file that `data` really is, so that two names of one
/// database have one lock.
fn lock_path(data: &Path) -> anyhow::Result<PathBuf> {
    let real = match data.canonicalize() {
        Ok(real) => real,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = folder_of(data);
            // A link to a database that is yet to be made, which SQLite will
            // make where the link points.
            if let Ok(target) = data.read_link() {
                return lock_path(&folder.join(target));
            }
            let name = data.file_name().with_context(|| format!("{} names no file", data.display()))?;
            folder
                .canonicalize()
                .with_context(|| format!("the folder {} of the database", folder.display()))?
                .join(name)
        }
        Err(error) => return Err(error).with_context(|| format!("cannot look at {}", data.display())),
    };
    let mut name = real.into_os_string();
    name.push(".lock");
    Ok(PathBuf::from(name))
}

/// The folder that a file lies in.
#[must_use]
pub fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_has_one_owner_under_all_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let (data, link) = (folder.path().join("data.sqlite"), folder.path().join("link.sqlite"));
        std::os::unix::fs::symlink("data.sqlite", &link).unwrap();
        // Before it is made, and after.
        for _ in 0..2 {
            let _lock = DataLock::acquire(&link).unwrap();
            let refusal = DataLock::acquire(&data).unwrap_err().to_string();
            assert!(refusal.contains(&format!("(process {})", std::process::id())), "{refusal}");
            std::fs::write(&data, "").unwrap();
        }
        DataLock::acquire(&data).unwrap();
    }
}
