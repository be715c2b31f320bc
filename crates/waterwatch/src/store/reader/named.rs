//! Stations by the beginning of their names, letters of ASCII in either case.
//!
//! An index has the names, in their order; lists are in that of ids. So those that few
//! have are found by the index, all at once. Of one that many have a page is read by
//! going through the stations from where it begins: the denser they are, the sooner it is
//! full. With a million stations, 10,000 by the index are 2 ms; a page by ids is less than
//! one where they are spread, and 60 ms if all of them come last.

use rusqlite::{ToSql, params};
use waterwatch_core::StationId;

use super::{ReadError, Reader};
use crate::store::schema::Kind;

impl Reader {
    /// The stations that are called like this, in the order of their ids; if there are
    /// more than so many, any of them. It costs what it gives.
    ///
    /// # Errors
    /// If SQLite cannot read the file.
    pub fn stations_named(&self, prefix: &str, stations_max: usize) -> Result<Vec<StationId>, ReadError> {
        let end = end_of(prefix);
        let mut ids = self.ids_named(BY_NAME, params![prefix, end, count(stations_max)])?;
        ids.sort_unstable();
        Ok(ids)
    }

    /// The first so many that are called like this, in the order of their ids, after one.
    ///
    /// # Errors
    /// If SQLite cannot read the file.
    pub fn stations_named_after(
        &self,
        prefix: &str,
        after: Option<StationId>,
        stations_max: usize,
    ) -> Result<Vec<StationId>, ReadError> {
        let after = after.map_or(-1, StationId::get);
        self.ids_named(BY_ID, params![prefix, end_of(prefix), count(stations_max), after])
    }

    fn ids_named(&self, query: &str, of: &[&dyn ToSql]) -> Result<Vec<StationId>, ReadError> {
        if self.kind != Kind::Ours {
            return Ok(Vec::new());
        }
        self.look(|moment| {
            let read = || -> rusqlite::Result<Vec<i64>> {
                moment.prepare_cached(query)?.query_map(of, |row| row.get(0))?.collect()
            };
            let ids = read().map_err(|error| self.not_read(error))?;
            Ok(ids.into_iter().filter_map(StationId::new).collect())
        })
    }
}

/// No name is behind it that begins like this.
fn end_of(prefix: &str) -> String {
    format!("{prefix}{}", char::MAX)
}

fn count(stations_max: usize) -> i64 {
    i64::try_from(stations_max).unwrap_or(i64::MAX)
}

/// Where the names begin is found by the index, and so is where they end.
pub(super) const BY_NAME: &str = "SELECT station_id FROM station_settings
    WHERE name COLLATE NOCASE >= ?1 AND name COLLATE NOCASE < ?2 LIMIT ?3";

/// The `+` keeps the index out of it, by which all would have to be sorted.
pub(super) const BY_ID: &str = "SELECT station_id FROM station_settings
    WHERE station_id > ?4 AND +name COLLATE NOCASE >= ?1 AND +name COLLATE NOCASE < ?2
    ORDER BY station_id LIMIT ?3";
