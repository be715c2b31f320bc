//! Whose alarm a row is about.

use rusqlite::types::{ToSql, ToSqlOutput};
use waterwatch_core::alarm::AlarmSource;

/// How an area is written in a source.
pub(super) const AREA: &str = "area/";

/// How waterwatch itself is.
pub(super) const SERVER: &str = "server";

/// A source as it is stored: a station's id as an integer, the others as text.
#[derive(Debug)]
pub struct Source<'a>(pub &'a AlarmSource);

impl ToSql for Source<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            AlarmSource::Station(id) => id.get().into(),
            AlarmSource::Area(name) => format!("{AREA}{name}").into(),
            AlarmSource::Server => SERVER.into(),
        })
    }
}
