//! Looks at the database beside a running server: a read-only connection and
//! one short read transaction, which never hold up the writer.

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use thiserror::Error;
use waterwatch_core::StationId;

use super::last_date;
use super::schema::{self, Kind, SchemaError, describe};

/// The stations with what is ours alone beside the contract's columns.
const OURS: &str = "SELECT station_id, last_date, alarm1, alarm2, received_at, reports
    FROM station_status LEFT JOIN station_state USING (station_id) ORDER BY station_id";

/// The same of a database that no server of ours has taken over yet.
const CONTRACT: &str = "SELECT station_id, last_date, alarm1, alarm2, NULL, NULL
    FROM station_status ORDER BY station_id";

/// A station's last contact, as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastContact {
    /// Which station.
    pub station_id: StationId,
    /// When, as the server's clock on the wall showed it.
    pub last_date: Box<str>,
    /// When, in milliseconds UTC; `None` if a row made by hand says no time.
    pub received_at_ms: Option<i64>,
    /// The first alarm contact.
    pub alarm1: bool,
    /// The second alarm contact.
    pub alarm2: bool,
    /// How many of its reports were recorded.
    pub reports: i64,
}

/// Why the stations could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// There is no database, or it is not for us.
    #[error(transparent)]
    Database(#[from] SchemaError),
    /// A row holds what no server of ours writes.
    #[error("in the database {path}, the row of station {station} cannot be read: {column} is {value}")]
    Row {
        /// The file.
        path: PathBuf,
        /// The station's number as it is there.
        station: String,
        /// The column.
        column: &'static str,
        /// What is there.
        value: String,
    },
}

/// A database that is only looked at.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    kind: Kind,
    connection: Connection,
}

impl Reader {
    /// Opens the database at `path`.
    ///
    /// # Errors
    /// If there is none, if it is not for us, or if it may not be read.
    pub fn open(path: &Path) -> Result<Reader, SchemaError> {
        let kind = schema::existing(path)?;
        let connection = schema::open_read_only(path).map_err(|error| schema::not_read(path, error))?;
        Ok(Reader { path: path.to_owned(), kind, connection })
    }

    /// All stations of one moment, in the order of their ids. A contact whose
    /// time in UTC was not recorded is taken to be in `zone`.
    ///
    /// All are read before anything is done with them: whoever reads slowly,
    /// such as a person in a pager, would hold the transaction open, and with
    /// it the server's log, which could not be emptied meanwhile.
    ///
    /// # Errors
    /// If a row cannot be read, or SQLite cannot read the file.
    pub fn stations(&self, zone: &TimeZone) -> Result<Vec<LastContact>, ReadError> {
        let query = match self.kind {
            Kind::Empty => return Ok(Vec::new()),
            Kind::Ours => OURS,
            Kind::Contract => CONTRACT,
        };
        let not_read = |error| ReadError::from(schema::not_read(&self.path, error));
        let mut statement = self.connection.prepare(query).map_err(not_read)?;
        let mut rows = statement.query([]).map_err(not_read)?;
        let mut stations = Vec::new();
        while let Some(row) = rows.next().map_err(not_read)? {
            stations.push(self.last_contact(row, zone)?);
        }
        Ok(stations)
    }

    fn last_contact(&self, row: &Row<'_>, zone: &TimeZone) -> Result<LastContact, ReadError> {
        let value = |place: usize| row.get_ref(place).unwrap_or(ValueRef::Null);
        let unfit = |column, place| ReadError::Row {
            path: self.path.clone(),
            station: describe(value(0)),
            column,
            value: describe(value(place)),
        };
        let integer = |column, place| value(place).as_i64().map_err(|_| unfit(column, place));
        let alarm = |column, place| match integer(column, place)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(unfit(column, place)),
        };
        let last_date = value(1).as_str().map_err(|_| unfit(schema::CONTRACT[1], 1))?;
        let received_at_ms = match value(4) {
            ValueRef::Null => last_date::parse(last_date, zone),
            _ => Some(integer("received_at", 4)?),
        };
        Ok(LastContact {
            station_id: StationId::new(integer("station_id", 0)?).ok_or_else(|| unfit("station_id", 0))?,
            last_date: last_date.into(),
            received_at_ms,
            alarm1: alarm("alarm1", 2)?,
            alarm2: alarm("alarm2", 3)?,
            reports: match value(5) {
                ValueRef::Null => 0,
                _ => integer("reports", 5)?,
            },
        })
    }
}
