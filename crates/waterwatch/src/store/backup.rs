//! A consistent copy of the database, also while the server writes to it.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::access::{SIDE_FILES, beside};
use super::new_file::{Expected, NewFile, refuse_existing};
use super::schema::{self, Kind};

/// All pages in one step. Between two steps the copy of a database that is
/// written to would begin again from its first page, and a busy server writes
/// several times a second: the copy would never end. One step holds up
/// nobody: the server goes on writing to its log meanwhile.
const ALL_PAGES: i32 = -1;

/// What a backup holds.
#[derive(Clone, Copy, Debug)]
pub struct Copied {
    /// How many stations.
    pub stations: u64,
    /// How large the file is.
    pub bytes: u64,
}

/// Copies the database at `data` to `target`, which must not exist. The copy
/// is one file that stands alone, was read back, and survives a power cut.
///
/// # Errors
/// A [`schema::SchemaError`] if there is no database of ours at `data`; else
/// why the copy could not be made. Nothing is at `target` then.
pub fn backup(data: &Path, target: &Path) -> anyhow::Result<Copied> {
    let kind = schema::existing(data)?;
    refuse_own_files(data, target)?;
    refuse_existing(target)?;
    ensure!(kind != Kind::Empty, "{} is empty: there is nothing to copy yet", data.display());
    let new = NewFile::beside(target)?;
    let stations = copy(data, &new.path()).with_context(|| format!("cannot copy {}", data.display()))?;
    // Whoever may not read the database may not read its copy.
    let permissions = data.metadata().context("cannot look at the database")?.permissions();
    let bytes = new
        .put_in_place(&Expected { kind, stations }, Some(permissions))
        .with_context(|| format!("the copy of {} was not kept", data.display()))?;
    Ok(Copied { stations, bytes })
}

/// Refuses the names that belong to the database itself, also those of files
/// that are not there at the moment: SQLite would take the copy for them.
fn refuse_own_files(data: &Path, target: &Path) -> anyhow::Result<()> {
    let same = |path: &Path| match (path.canonicalize(), target.canonicalize()) {
        (Ok(path), Ok(target)) => path == target,
        _ => false,
    };
    ensure!(!same(data), "{} is the database itself; name another file for its copy", target.display());
    let real = data.canonicalize().with_context(|| format!("cannot look at {}", data.display()))?;
    let folder = super::lock::folder_of(target).canonicalize();
    let Some((folder, name)) = folder.ok().zip(target.file_name()) else { return Ok(()) };
    let wanted = folder.join(name);
    if SIDE_FILES.iter().chain(&[".lock"]).any(|end| beside(&real, end) == wanted) {
        bail!("{} belongs to the database itself; name another file for its copy", target.display());
    }
    Ok(())
}

/// Copies all pages as of one moment; returns the number of stations then.
fn copy(data: &Path, path: &Path) -> anyhow::Result<u64> {
    let source = schema::open_read_only(data)?;
    // The copy joins this transaction, so the stations are counted in the
    // very pages that are copied.
    let moment = source.unchecked_transaction()?;
    let stations: i64 = moment.query_row("SELECT count(*) FROM station_status", [], |row| row.get(0))?;
    let mut copy = Connection::open(path)?;
    match Backup::new(&source, &mut copy)?.step(ALL_PAGES)? {
        StepResult::Done => {}
        // A server that keeps no log, such as the old one, may hold a lock.
        other => bail!("another program holds a lock on it ({other:?}); try again"),
    }
    drop(moment);
    // With the header of a database that has a log comes the need for one;
    // the copy is to be a single file.
    let journal: String = copy.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get(0))?;
    ensure!(journal == "delete", "the copy could not be made a single file (its journal is {journal})");
    copy.close().map_err(|(_, error)| error)?;
    Ok(u64::try_from(stations)?)
}
