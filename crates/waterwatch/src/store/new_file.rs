//! A database file that appears whole or not at all: made in a folder
//! `FILE.partial` beside its place, checked, synced, and then given its name,
//! which no other file may have.
//!
//! A folder, since SQLite keeps files of its own beside a database. Its name
//! is fixed: what a killed run left is found, and removed, by the next run
//! that makes the same file, and people see what it is.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::access::{SIDE_FILES, beside};
use super::lock::{folder_of, make_private};
use super::schema::{self, Kind};

/// Nobody else's business while it is made.
const FOLDER_MODE: u32 = 0o700;

/// The mode bits that let others put something into a folder.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// A database that is being made.
#[derive(Debug)]
pub struct NewFile {
    target: PathBuf,
    folder: PathBuf,
    _lock: File,
}

/// What a database must hold before it gets its name.
#[derive(Debug)]
pub struct Expected {
    /// What it is.
    pub kind: Kind,
    /// Rows in `station_status`.
    pub stations: u64,
}

impl NewFile {
    /// Begins the file that will be `target`.
    ///
    /// # Errors
    /// If there is something at `target` already, or its folder does not let
    /// us.
    pub fn beside(target: &Path) -> anyhow::Result<NewFile> {
        refuse_existing(target)?;
        let folder = beside(target, ".partial");
        match DirBuilder::new().mode(FOLDER_MODE).create(&folder) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => refuse_strange_folder(&folder)?,
            Err(error) => {
                return Err(error).with_context(|| {
                    format!("cannot write into the folder {}", folder_of(target).display())
                });
            }
        }
        let lock = lock(&folder, target)?;
        remove_database(&folder);
        make_private(&database_in(&folder)).with_context(|| format!("cannot make {}", target.display()))?;
        Ok(NewFile { target: target.to_owned(), folder, _lock: lock })
    }

    /// Where it is made.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        database_in(&self.folder)
    }

    /// Checks the file against what is expected, makes it durable, and gives
    /// it its name. Returns its size in bytes.
    ///
    /// Nobody may have it open: a connection of this process would lose its
    /// locks.
    ///
    /// # Errors
    /// If it is not as expected; nothing is at its place then. If it could
    /// not be synced or named.
    pub fn put_in_place(self, expected: &Expected, permissions: Option<Permissions>) -> anyhow::Result<u64> {
        let path = self.path();
        check(&path, expected)?;
        for end in SIDE_FILES {
            ensure!(!beside(&path, end).exists(), "a file {end} was left beside the new database");
        }
        let target = self.target.display();
        if let Some(permissions) = permissions {
            fs::set_permissions(&path, permissions)
                .with_context(|| format!("cannot set the permissions of {target}"))?;
        }
        let file = File::open(&path).with_context(|| format!("cannot sync {target}"))?;
        file.sync_all().with_context(|| format!("cannot sync {target}"))?;
        let bytes = file.metadata().with_context(|| format!("cannot look at {target}"))?.len();
        name_without_replacing(&path, &self.target)?;
        File::open(folder_of(&self.target))
            .and_then(|folder| folder.sync_all())
            .with_context(|| format!("{target} is there, but its folder cannot be synced"))?;
        Ok(bytes)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        remove_database(&self.folder);
        // What cannot be removed now, the next run removes.
        let _ = fs::remove_file(lock_in(&self.folder));
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Makes sure that there is nothing at `target`, nor what SQLite would take
/// for a part of it.
///
/// # Errors
/// Names what is there.
pub fn refuse_existing(target: &Path) -> anyhow::Result<()> {
    ensure!(target.file_name().is_some(), "{} names no file", target.display());
    let is_there = |path: &Path| match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("cannot look at {}", path.display())),
    };
    ensure!(
        !is_there(target)?,
        "{} exists already, and is not overwritten; name another file",
        target.display()
    );
    for end in SIDE_FILES {
        let left = beside(target, end);
        ensure!(
            !is_there(&left)?,
            "{} is left of another database, and SQLite would take it for a part of {}; \
             move it away or name another file",
            left.display(),
            target.display()
        );
    }
    let folder = folder_of(target);
    ensure!(folder.is_dir(), "there is no folder {}", folder.display());
    Ok(())
}

/// A folder that was there already must be one that a killed run of ours
/// left: in a place where others may write, it could be theirs, or lead
/// anywhere.
fn refuse_strange_folder(folder: &Path) -> anyhow::Result<()> {
    let found = folder.symlink_metadata().with_context(|| format!("cannot look at {}", folder.display()))?;
    let ours = found.is_dir()
        && found.uid() == rustix::process::geteuid().as_raw()
        && found.mode() & WRITABLE_BY_OTHERS == 0;
    ensure!(
        ours,
        "{} is in the way, and is not what an earlier run left; look at it, and remove it",
        folder.display()
    );
    Ok(())
}

fn database_in(folder: &Path) -> PathBuf {
    folder.join("database")
}

fn lock_in(folder: &Path) -> PathBuf {
    folder.join("lock")
}

/// One run at a time makes a file; the kernel gives the lock back when a run
/// is killed.
fn lock(folder: &Path, target: &Path) -> anyhow::Result<File> {
    let path = lock_in(folder);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("another waterwatch is making {} at this moment", target.display())
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

/// Removes what we make in the folder, and nothing that somebody else put
/// there.
fn remove_database(folder: &Path) {
    let database = database_in(folder);
    for end in SIDE_FILES {
        let _ = fs::remove_file(beside(&database, end));
    }
    let _ = fs::remove_file(database);
}

/// Reads the whole file back, as whoever needs it one day will.
fn check(path: &Path, expected: &Expected) -> anyhow::Result<()> {
    let kind = schema::existing(path).map_err(|error| anyhow::anyhow!("the new file is damaged: {error}"))?;
    ensure!(kind == expected.kind, "the new file is damaged: it is {kind:?}, not {:?}", expected.kind);
    let connection = schema::open_read_only(path)?;
    let found: String =
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).context("checking it")?;
    ensure!(found == "ok", "the new file is damaged: {found}");
    let stations: i64 = connection.query_row("SELECT count(*) FROM station_status", [], |row| row.get(0))?;
    ensure!(
        u64::try_from(stations) == Ok(expected.stations),
        "the new file holds {stations} stations, and not {}",
        expected.stations
    );
    Ok(())
}

/// Gives `path` the name `target`, unless something has it.
fn name_without_replacing(path: &Path, target: &Path) -> anyhow::Result<()> {
    let named = match renameat_with(CWD, path, CWD, target, RenameFlags::NOREPLACE) {
        // The file system (NFS, for one) or the kernel does not know how.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => link_without_replacing(path, target),
        named => named.map_err(std::io::Error::from),
    };
    match named {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{} came into being meanwhile, and is not overwritten", target.display())
        }
        named => named.with_context(|| format!("cannot give the new file its name {}", target.display())),
    }
}

/// The same where a link must do: it never replaces a file either.
fn link_without_replacing(path: &Path, target: &Path) -> std::io::Result<()> {
    fs::hard_link(path, target)?;
    fs::remove_file(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    fn made(new: &NewFile) -> Expected {
        schema::create(&mut Connection::open(new.path()).unwrap()).unwrap();
        Expected { kind: Kind::Ours, stations: 0 }
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn it_appears_under_its_name_alone() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("new.sqlite");
        let new = NewFile::beside(&target).unwrap();
        let expected = made(&new);
        assert_eq!(names(folder.path()), ["new.sqlite.partial"]);
        let bytes = new.put_in_place(&expected, None).unwrap();
        assert_eq!(names(folder.path()), ["new.sqlite"]);
        assert_eq!(target.metadata().unwrap().len(), bytes);
    }

    #[test]
    fn one_that_is_not_as_expected_never_appears() {
        let folder = tempfile::tempdir().unwrap();
        for spoil in [
            |_: &Path, expected: &mut Expected| expected.stations = 1,
            |_: &Path, expected: &mut Expected| expected.kind = Kind::Contract,
            |path: &Path, _: &mut Expected| fs::write(path, "no database").unwrap(),
        ] {
            let new = NewFile::beside(&folder.path().join("new.sqlite")).unwrap();
            let mut expected = made(&new);
            spoil(&new.path(), &mut expected);
            new.put_in_place(&expected, None).unwrap_err();
            assert_eq!(names(folder.path()), [""; 0]);
        }
    }

    /// Where others may write, a folder with our name may lead anywhere.
    #[test]
    fn a_folder_that_is_not_ours_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("new.sqlite");
        let victim = folder.path().join("victim");
        fs::create_dir(&victim).unwrap();
        fs::write(victim.join("database"), "theirs").unwrap();
        let partial = folder.path().join("new.sqlite.partial");
        std::os::unix::fs::symlink(&victim, &partial).unwrap();
        let error = NewFile::beside(&target).unwrap_err();
        assert!(error.to_string().contains("is in the way"), "{error}");
        fs::remove_file(&partial).unwrap();
        fs::create_dir(&partial).unwrap();
        fs::set_permissions(&partial, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
        NewFile::beside(&target).unwrap_err();
        assert_eq!(fs::read_to_string(victim.join("database")).unwrap(), "theirs");
    }

    #[test]
    fn a_file_that_comes_meanwhile_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("new.sqlite");
        let new = NewFile::beside(&target).unwrap();
        let expected = made(&new);
        fs::write(&target, "theirs").unwrap();
        let error = new.put_in_place(&expected, None).unwrap_err();
        assert!(error.to_string().ends_with("and is not overwritten"), "{error}");
        assert_eq!(fs::read_to_string(&target).unwrap(), "theirs");
        assert_eq!(names(folder.path()), ["new.sqlite"]);
    }

    #[test]
    fn a_link_does_where_a_rename_cannot() {
        let folder = tempfile::tempdir().unwrap();
        let (path, target) = (folder.path().join("made"), folder.path().join("target"));
        fs::write(&path, "ours").unwrap();
        link_without_replacing(&path, &target).unwrap();
        assert_eq!(names(folder.path()), ["target"]);
        fs::write(&path, "second").unwrap();
        let error = link_without_replacing(&path, &target).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&target).unwrap(), "ours");
    }

    #[test]
    fn two_do_not_make_one_file_and_what_a_killed_run_left_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("new.sqlite");
        let first = NewFile::beside(&target).unwrap();
        let error = NewFile::beside(&target).unwrap_err();
        assert!(error.to_string().contains("at this moment"), "{error}");
        drop(first);

        let left = folder.path().join("new.sqlite.partial");
        fs::create_dir(&left).unwrap();
        for name in ["lock", "database", "database-wal", "database-shm"] {
            fs::write(left.join(name), "left by a killed run").unwrap();
        }
        let new = NewFile::beside(&target).unwrap();
        let expected = made(&new);
        new.put_in_place(&expected, None).unwrap();
        assert_eq!(names(folder.path()), ["new.sqlite"]);
    }

    #[test]
    fn what_is_left_of_another_database_is_not_taken_for_a_part() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("new.sqlite");
        for end in SIDE_FILES {
            fs::write(beside(&target, end), "").unwrap();
            let error = NewFile::beside(&target).unwrap_err();
            assert!(error.to_string().contains("left of another database"), "{error}");
            fs::remove_file(beside(&target, end)).unwrap();
        }
        let error = NewFile::beside(&folder.path().join("none/new.sqlite")).unwrap_err();
        assert!(error.to_string().starts_with("there is no folder"), "{error}");
    }
}
