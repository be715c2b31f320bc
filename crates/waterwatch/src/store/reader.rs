//! Looks at the database beside a running server: a read-only connection and
//! one short read transaction, which never hold up the writer.

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use thiserror::Error;
use waterwatch_core::StationId;

use super::journal;
use super::last_date::{self, LastDate};
use super::schema::{self, Kind, SchemaError, describe};

/// The stations with what is ours alone beside the contract's columns.
const OURS: &str = "SELECT station_id, last_date, alarm1, alarm2, received_at, reports, sequence
    FROM station_status LEFT JOIN station_state USING (station_id) ORDER BY station_id";

/// The same of a database that no server of ours has taken over yet.
const CONTRACT: &str = "SELECT station_id, last_date, alarm1, alarm2, NULL, NULL, NULL
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
    /// The commit sequence of the last of them.
    pub sequence: i64,
}

/// The commits that no row has yet, or not every.
const JOURNAL: &str = "SELECT sequence, received_at, entries FROM journal ORDER BY sequence";

/// Why the stations could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// There is no database, or it is not for us.
    #[error(transparent)]
    Database(#[from] SchemaError),
    /// So does a commit in the journal.
    #[error("in the database {path}, the commit {sequence} of the journal cannot be read: {damage}")]
    Journal {
        /// The file.
        path: PathBuf,
        /// Which commit.
        sequence: i64,
        /// What is wrong with it.
        damage: journal::Damage,
    },
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
            Kind::Older(found) => {
                return Err(SchemaError::Older { path: self.path.clone(), found }.into());
            }
        };
        let not_read = |error| ReadError::from(schema::not_read(&self.path, error));
        // Rows and journal of one moment.
        let moment = self.connection.unchecked_transaction().map_err(not_read)?;
        let mut stations = Vec::new();
        {
            let mut statement = moment.prepare(query).map_err(not_read)?;
            let mut rows = statement.query([]).map_err(not_read)?;
            while let Some(row) = rows.next().map_err(not_read)? {
                stations.push(self.last_contact(row, zone)?);
            }
        }
        if self.kind == Kind::Ours {
            let mut statement = moment.prepare(JOURNAL).map_err(not_read)?;
            let mut commits = statement.query([]).map_err(not_read)?;
            while let Some(commit) = commits.next().map_err(not_read)? {
                self.add(commit, &mut stations).map_err(not_read)??;
            }
            // The contract's table may be behind ours, or ours behind it.
            if let Some(zone) = schema::time_zone(&moment).map_err(not_read)? {
                let mut last_date = LastDate::new(zone);
                for station in stations.iter_mut().filter(|station| station.reports > 0) {
                    if let Some(received_at_ms) = station.received_at_ms
                        && *station.last_date != *last_date.of(received_at_ms)
                    {
                        station.last_date = last_date.of(received_at_ms).into();
                    }
                }
            }
        }
        Ok(stations)
    }

    /// Adds a commit of the journal to what the rows say. `stations` are in
    /// the order of their ids.
    fn add(&self, commit: &Row<'_>, stations: &mut [LastContact]) -> rusqlite::Result<Result<(), ReadError>> {
        let (sequence, received_at_ms): (i64, i64) = (commit.get(0)?, commit.get(1)?);
        let damaged = |damage| ReadError::Journal { path: self.path.clone(), sequence, damage };
        let bytes = commit.get_ref(2)?.as_blob().unwrap_or_default();
        let entries = match journal::read(bytes, sequence) {
            Ok(entries) => entries,
            Err(damage) => return Ok(Err(damaged(damage))),
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(damage) => return Ok(Err(damaged(damage))),
            };
            let place = stations.binary_search_by_key(&entry.id, |station| station.station_id);
            if let Ok(place) = place {
                stations[place].add(&entry, received_at_ms);
            }
        }
        Ok(Ok(()))
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
            sequence: match value(6) {
                ValueRef::Null => 0,
                _ => integer("sequence", 6)?,
            },
        })
    }
}

impl LastContact {
    /// Adds reports that its row may not have yet.
    fn add(&mut self, entry: &journal::Entry, received_at_ms: i64) {
        if entry.sequence <= self.sequence {
            return;
        }
        self.received_at_ms = Some(received_at_ms);
        self.sequence = entry.sequence;
        self.reports += i64::from(entry.reports);
        (self.alarm1, self.alarm2) = (entry.alarm1, entry.alarm2);
    }
}
