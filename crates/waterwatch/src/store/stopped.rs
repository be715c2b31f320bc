//! The database of a server that does not run, opened to change something in it by
//! hand: nothing else of it becomes another, and the next start finds it as if only
//! that had happened.

use std::path::Path;

use anyhow::{Context, ensure};
use jiff::tz::TimeZone;

use super::access;
use super::lock::DataLock;
use super::schema::{self, Kind, SchemaError};
use super::sqlite::SqliteStore;
use crate::config::Limits;

/// Opens the database at `path`, and keeps it from everybody else meanwhile.
///
/// # Errors
/// [`InUse`](super::lock::InUse) if a server runs, [`SchemaError`] if there is no
/// database of this version, and if it is another user's or cannot be opened.
pub fn open(path: &Path) -> anyhow::Result<SqliteStore> {
    match schema::existing(path)? {
        Kind::Ours => {}
        // Bringing it up to date is for the server, which knows its configuration.
        Kind::Older(found) => return Err(SchemaError::Older { path: path.to_owned(), found }.into()),
        Kind::Contract | Kind::Empty => return Err(SchemaError::Unused { path: path.to_owned() }.into()),
    }
    // What is made beside it (lock, log) would be ours, and the server could not open it.
    let owner = access::other_owner(path);
    ensure!(
        owner.is_none(),
        "the database {} belongs to {owner}; run as {owner}",
        path.display(),
        owner = owner.unwrap_or_default()
    );
    let lock = DataLock::acquire(path)?;
    // The zone in which the server writes dates: journaled ones may be among what is
    // written by the way.
    let zone = schema::open_read_only(path)
        .and_then(|connection| schema::time_zone(&connection))
        .map_err(|error| schema::not_read(path, error))
        .context("cannot read the server's zone")?
        .unwrap_or_else(TimeZone::system);
    // How much of the past is kept is for the server to say.
    let limits = Limits { spans_max: u64::MAX, ..Limits::default() };
    SqliteStore::open(path, lock, zone, limits)
}
