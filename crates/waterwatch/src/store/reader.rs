//! Looks at the database beside a running server: a read-only connection and
//! one short read transaction, which never hold up the writer.
//!
//! All that is asked for is read before anything is done with it: whoever reads
//! slowly, such as a person in a pager, would hold the transaction open, and
//! with it the server's log, which could not be emptied meanwhile.

pub mod about;
pub mod communication;
mod contact;
mod entries;
mod ledger;
mod named;
mod of_many;
mod one;
mod raises;
mod said;
mod spans;
mod station;
pub mod urgency;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use jiff::tz::TimeZone;
use rusqlite::{Connection, OptionalExtension, ToSql, Transaction};
use thiserror::Error;
use waterwatch_core::alarm::{Alarm, AlarmSource, Point};
use waterwatch_core::settings::StationSettings;
use waterwatch_core::{Settings, StationId, Token};

use super::alarm_rows::{self, RowError, Source};
use super::alarms::AlarmKey;
use super::journal;
use super::schema::{self, Kind, SchemaError};
use super::settings;
use super::token_rows;

pub use self::about::{About, StationAbout};
pub use self::contact::{LastContact, LeftOut};
pub use self::entries::{Entry, UnreadableEntry};
pub use self::ledger::{Asked, Page, Past, Window};
pub use self::one::OneAlarm;
pub use self::raises::{Raise, Raises, Suppressed};
pub use self::said::{SaidForArea, SaidForFleet, SaidOfOne, SaidOfStation, SaidOfStations, WhoseSaid};
pub use self::spans::Timeline;
pub use self::station::Detail;

/// Why it could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// There is no database, or it is not for us.
    #[error(transparent)]
    Database(#[from] SchemaError),
    /// A commit in the journal is not what a server writes.
    #[error("in the database {path}, the commit {sequence} of the journal cannot be read: {damage}")]
    Journal {
        /// The file.
        path: PathBuf,
        /// Which commit.
        sequence: i64,
        /// What is wrong with it.
        damage: journal::Damage,
    },
    /// A row of a station holds what no server of ours writes.
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
    /// So does a row of the settings.
    #[error("in the database {path}: {error:#}")]
    Settings {
        /// The file.
        path: PathBuf,
        /// Which row, and what is wrong with it.
        error: anyhow::Error,
    },
    /// So does a row of a visit or a retirement.
    #[error("in the database {path}: {error:#}")]
    Life {
        /// The file.
        path: PathBuf,
        /// Which row, and what is wrong with it.
        error: anyhow::Error,
    },
    /// So does a row of an alarm or of the ledger.
    #[error("in the database {path}: {error}")]
    Alarm {
        /// The file.
        path: PathBuf,
        /// Which row, and what is wrong with it.
        error: RowError,
    },
}

/// How many statements a reader keeps prepared: all that are used again.
const STATEMENTS_MAX: usize = 64;

/// How many steps SQLite takes between two looks at the deadline: well below a
/// millisecond's worth.
const STEPS_BETWEEN: i32 = 1_000;

/// How long is waited for a lock where there is no hurry.
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// A database that is only looked at.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    kind: Kind,
    connection: Connection,
}

/// Which stations are asked for.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    /// These, in the order of their ids, each once.
    These(&'a [StationId]),
    /// Those after this one, at most so many.
    After {
        /// `None`: from the first.
        station: Option<StationId>,
        /// At most so many.
        stations_max: usize,
    },
    /// Those that have an alarm which is not at rest, a contact on, or a point
    /// that is disabled.
    InAlarm,
}

impl Which<'_> {
    /// All stations.
    pub const ALL: Which<'static> = Which::After { station: None, stations_max: usize::MAX };
}

/// An alarm that is not at rest; many may share their facts.
pub type KnownAlarm = (AlarmKey, Arc<Alarm>);

/// What is recorded, of one moment.
#[derive(Debug, Default)]
pub struct Picture {
    /// The stations that were asked for, in the order of their ids.
    pub stations: Vec<LastContact>,
    /// All alarms that are not at rest, in the order of their sources and points.
    pub alarms: Vec<KnownAlarm>,
    /// What the server says of itself.
    pub server: ServerRows,
    /// The stations that were asked for and whose rows cannot be read: one of them takes
    /// nothing from whoever looks at the others.
    pub left_out: LeftOut,
}

/// What the server says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerRows {
    /// How it judges stations.
    pub settings: Settings,
    /// Until when it was last seen alive, in milliseconds UTC; `None` if it
    /// never said.
    pub alive_until_ms: Option<i64>,
    /// What people say of stations and points.
    pub about: About,
}

impl Reader {
    /// Opens the database at `path`.
    ///
    /// # Errors
    /// If there is none, if it is not for us, or if it may not be read.
    pub fn open(path: &Path) -> Result<Reader, SchemaError> {
        let kind = schema::existing(path)?;
        let connection = schema::open_read_only(path).map_err(|error| schema::not_read(path, error))?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        Ok(Reader { path: path.to_owned(), kind, connection })
    }

    /// Until when what is read must be read: later SQLite gives up. `None`: there
    /// is no hurry.
    ///
    /// # Errors
    /// What SQLite says.
    pub(super) fn set_deadline(&mut self, deadline: Option<Instant>) -> rusqlite::Result<()> {
        let wait = deadline.map_or(BUSY_WAIT, |deadline| deadline.saturating_duration_since(Instant::now()));
        self.connection.busy_timeout(wait)?;
        let is_over = deadline.map(|deadline| move || Instant::now() >= deadline);
        self.connection.progress_handler(STEPS_BETWEEN, is_over)
    }

    /// Whether a server of this version has written the database.
    pub(super) fn is_of_server(&self) -> bool {
        self.kind == Kind::Ours
    }

    /// All stations of one moment, in the order of their ids. A contact whose
    /// time in UTC was not recorded is taken to be in `zone`.
    ///
    /// # Errors
    /// If a row cannot be read, or SQLite cannot read the file.
    pub fn stations(&self, zone: &TimeZone) -> Result<Vec<LastContact>, ReadError> {
        self.look(|moment| self.contacts(moment, Which::ALL, zone))
    }

    /// Stations and alarms of one moment. A contact whose time in UTC was not
    /// recorded is taken to be in `zone`.
    ///
    /// # Errors
    /// If a row cannot be read, or SQLite cannot read the file.
    pub fn picture(&self, which: Which<'_>, zone: &TimeZone) -> Result<Picture, ReadError> {
        self.look(|moment| self.picture_of(moment, which, zone))
    }

    fn picture_of(
        &self,
        moment: &Transaction<'_>,
        which: Which<'_>,
        zone: &TimeZone,
    ) -> Result<Picture, ReadError> {
        let (alarms, server) = (self.alarms(moment)?, self.server(moment)?);
        let mut left_out = LeftOut::default();
        let mut contacts = |which: Which<'_>| self.contacts_but(moment, which, zone, &mut left_out);
        let stations = match which {
            Which::InAlarm if has_disabled(server.settings.fleet()) => contacts(Which::ALL)?,
            Which::InAlarm => {
                let mut ids = self.not_at_rest(moment, &server.settings)?;
                ids.extend(alarms.iter().filter_map(|(key, _)| of_station(key)));
                ids.sort_unstable();
                ids.dedup();
                contacts(Which::These(&ids))?
            }
            which => contacts(which)?,
        };
        Ok(Picture { stations, alarms, server, left_out })
    }

    /// Whether there is such a source: a station that has reported or is
    /// configured, an area that is configured, or whatever the ledger or an
    /// alarm names. With a point: whether it has that one.
    ///
    /// # Errors
    /// If a row cannot be read, or SQLite cannot read the file.
    pub fn knows(&self, source: &AlarmSource, point: Option<Point>) -> Result<bool, ReadError> {
        self.look(|moment| self.knows_in(moment, source, point))
    }

    fn knows_in(
        &self,
        moment: &Transaction<'_>,
        source: &AlarmSource,
        point: Option<Point>,
    ) -> Result<bool, ReadError> {
        if point.is_some_and(|point| !Point::of(source).contains(&point)) {
            return Ok(false);
        }
        let exists = |query: &str, of: &[&dyn ToSql]| -> Result<bool, ReadError> {
            let found: Option<i64> = moment
                .query_row(query, of, |row| row.get(0))
                .optional()
                .map_err(|error| self.not_read(error))?;
            Ok(found.is_some())
        };
        let is_configured = match source {
            AlarmSource::Station(id) => {
                !self.contacts(moment, Which::These(&[*id]), &TimeZone::UTC)?.is_empty()
            }
            // All that an area has by itself is that its stations are silent.
            AlarmSource::Area(name)
                if self.kind == Kind::Ours && point.is_none_or(|of| of == Point::Comms) =>
            {
                exists("SELECT 1 FROM area_settings WHERE area = ?1", &[name])?
                    || exists("SELECT 1 FROM station_settings WHERE area = ?1 LIMIT 1", &[name])?
            }
            AlarmSource::Area(_) => false,
            AlarmSource::Server => point.is_none_or(|of| matches!(of, Point::NewStations | Point::OnCall)),
        };
        if is_configured || self.kind != Kind::Ours {
            return Ok(is_configured);
        }
        let (source, point) = (Source(source), point.map(Point::name));
        for table in ["alarm", "alarm_event"] {
            let query =
                format!("SELECT 1 FROM {table} WHERE source = ?1 AND (?2 IS NULL OR point = ?2) LIMIT 1");
            if exists(&query, &[&source, &point])? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// One read transaction.
    fn look<T>(&self, read: impl FnOnce(&Transaction<'_>) -> Result<T, ReadError>) -> Result<T, ReadError> {
        if let Kind::Older(found) = self.kind {
            return Err(SchemaError::Older { path: self.path.clone(), found }.into());
        }
        read(&self.connection.unchecked_transaction().map_err(|error| self.not_read(error))?)
    }

    fn alarms(&self, moment: &Transaction<'_>) -> Result<Vec<KnownAlarm>, ReadError> {
        if self.kind != Kind::Ours {
            return Ok(Vec::new());
        }
        let alarms = alarm_rows::read_alarms(moment).map_err(|error| self.of_row(error))?;
        let mut alarms: Vec<KnownAlarm> =
            alarms.iter().map(|(key, alarm)| (key, Arc::clone(alarm))).collect();
        alarms.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        Ok(alarms)
    }

    /// The alarms of one source, in the order of their points.
    fn alarms_of(
        &self,
        moment: &Transaction<'_>,
        source: &AlarmSource,
    ) -> Result<Vec<KnownAlarm>, ReadError> {
        if self.kind != Kind::Ours {
            return Ok(Vec::new());
        }
        let alarms = alarm_rows::read_alarms_of(moment, source).map_err(|error| self.of_row(error))?;
        Ok(alarms.into_iter().map(|(key, alarm)| (key, Arc::new(alarm))).collect())
    }

    /// The stations that have a contact on, or a point that is disabled.
    fn not_at_rest(
        &self,
        moment: &Transaction<'_>,
        settings: &Settings,
    ) -> Result<Vec<StationId>, ReadError> {
        let ids = |query: &str| -> Result<Vec<StationId>, ReadError> {
            let read = || -> rusqlite::Result<Vec<i64>> {
                moment.prepare(query)?.query_map([], |row| row.get(0))?.collect()
            };
            let numbers = read().map_err(|error| self.not_read(error))?;
            Ok(numbers.into_iter().filter_map(StationId::new).collect())
        };
        if let Kind::Empty | Kind::Older(_) = self.kind {
            return Ok(Vec::new());
        }
        let mut found = ids("SELECT station_id FROM station_status WHERE alarm1 <> 0 OR alarm2 <> 0")?;
        if self.kind == Kind::Ours {
            let settled = ids("SELECT station_id FROM station_settings
                 UNION SELECT scope FROM point_settings WHERE typeof(scope) = 'integer'")?;
            found.extend(settled.into_iter().filter(|id| has_disabled(settings.of(*id))));
        }
        Ok(found)
    }

    /// All tokens, those that were revoked too, in the order of their names.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn tokens(&self) -> anyhow::Result<Vec<Token>> {
        if self.kind != Kind::Ours {
            return Ok(Vec::new());
        }
        let read = token_rows::read(&self.connection)
            .with_context(|| format!("cannot read the tokens in the database {}", self.path.display()))?;
        Ok(read.into_iter().map(|(_, token)| token).collect())
    }

    fn server(&self, moment: &Transaction<'_>) -> Result<ServerRows, ReadError> {
        if self.kind != Kind::Ours {
            return Ok(ServerRows::default());
        }
        let settings = settings::read_published(moment).map_err(|error| self.of_settings(error))?;
        Ok(ServerRows { settings, alive_until_ms: self.alive_until_ms(moment)?, about: self.about(moment)? })
    }

    /// The same, as far as it concerns these stations and this area.
    fn server_for(
        &self,
        moment: &Transaction<'_>,
        ids: &[StationId],
        area: Option<&str>,
    ) -> Result<ServerRows, ReadError> {
        if self.kind != Kind::Ours {
            return Ok(ServerRows::default());
        }
        let settings = settings::read_published_of(moment, ids).map_err(|error| self.of_settings(error))?;
        let about = self.about_of(moment, ids, area)?;
        Ok(ServerRows { settings, alive_until_ms: self.alive_until_ms(moment)?, about })
    }

    fn alive_until_ms(&self, moment: &Transaction<'_>) -> Result<Option<i64>, ReadError> {
        let text: Option<String> = moment
            .query_row("SELECT value FROM server WHERE name = 'alive_at'", [], |row| row.get(0))
            .optional()
            .map_err(|error| self.not_read(error))?;
        Ok(text.and_then(|text| text.parse().ok()))
    }

    fn of_settings(&self, error: anyhow::Error) -> ReadError {
        ReadError::Settings { path: self.path.clone(), error }
    }

    /// The addresses of the listeners by their numbers.
    fn listeners(&self, moment: &Transaction<'_>) -> Result<HashMap<u16, String>, ReadError> {
        let read = || -> rusqlite::Result<HashMap<u16, String>> {
            let mut statement = moment.prepare("SELECT listener_id, address FROM listener")?;
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        };
        read().map_err(|error| self.not_read(error))
    }

    pub(super) fn not_read(&self, error: rusqlite::Error) -> ReadError {
        schema::not_read(&self.path, error).into()
    }

    fn of_row(&self, error: RowError) -> ReadError {
        match error {
            RowError::Unreadable(error) => self.not_read(error),
            error => ReadError::Alarm { path: self.path.clone(), error },
        }
    }
}

/// Whether one of a station's points is not judged.
fn has_disabled(settings: &StationSettings) -> bool {
    Point::OF_STATION.iter().any(|&point| !settings.point(point).enabled)
}

fn of_station(key: &AlarmKey) -> Option<StationId> {
    match key.0 {
        AlarmSource::Station(id) => Some(id),
        AlarmSource::Area(_) | AlarmSource::Server => None,
    }
}

#[cfg(test)]
mod tests;
