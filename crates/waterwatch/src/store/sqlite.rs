//! The store over one SQLite file that this process owns.
//!
//! Durability: WAL with `synchronous=FULL`, so a commit returns only after
//! the log is synced. An opening first moves the whole log into the database
//! and empties it: after a failed sync the kernel may call pages clean that
//! never reached the disk, and a log that begins with such pages would lose
//! everything that is appended after them.
//!
//! Write-behind: a batch that is journaled is one row, and its stations' rows
//! are behind until a [`Sweep`] comes by. There are two, since `last_date` is
//! promised within seconds and our own table is not.

mod alive;
mod checkpoint;
mod committing;
mod file;
mod folding;
mod load;
mod opening;
mod ours;
mod recording;
mod rows;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use jiff::tz::TimeZone;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use waterwatch_core::settings::{Fleet, ScopeSays};
use waterwatch_core::silence::Gap;
use waterwatch_core::{Span, Station, StationId};

use self::alive::Alive;
use self::checkpoint::Checkpointer;
use self::file::{Doubt, OurFiles};
use self::folding::Journal;
use self::load::Loaded;
use self::opening::{Log, connect, keep_a_copy};
use super::alarm_rows;
use super::alarms::{AlarmKey, Alarms};
use super::board::Board;
use super::contests::Contests;
use super::last_date::LastDate;
use super::lives::Lives;
use super::lock::{DataLock, folder_of, make_private};
use super::schema::{self, Kind};
use super::settings::{self, Misfits, Settled};
use super::stations::{Slot, Stations};
use super::sweep::{Marks, Sweep};
use super::tokens::Tokens;
use super::unreadable::Unreadable;
use super::{Batch, Figures, Store, StoreError};
use crate::config::Limits;
use crate::station_says::StationSays;

/// How long our own table may be behind: each round writes all its pages, so
/// as long as the journal that bridges it stays small.
const STATE_PERIOD: Duration = Duration::from_secs(60);

/// The least time between two transactions that only fold: each costs a sync.
const TEND_EVERY: Duration = Duration::from_millis(50);

/// Bytes of the log that are moved into the database at the end: a slow disk
/// takes a second or two for them.
const CLOSE_BYTES_MAX: u64 = 32 << 20;

/// Rows of the settings that cannot be meant and are named in the log, each:
/// a table that was filled by a wrong program must not fill the log.
const IGNORED_NAMED_MAX: usize = 20;

/// The states of all stations: in memory for the decisions, in SQLite for
/// good.
#[derive(Debug)]
pub struct SqliteStore {
    files: OurFiles,
    zone: TimeZone,
    limits: Limits,
    last_date: LastDate,
    /// `None` only while it is opened again.
    open: Option<Open>,
    stations: Stations,
    alarms: Alarms,
    lives: Lives,
    contests: Contests,
    tokens: Tokens,
    sequence: i64,
    alive: Alive,
    /// As the ledger had them when it was opened.
    gaps: Vec<Gap>,
    knew_no_alarms: bool,
    status: Sweep,
    state: Sweep,
    journal: Journal,
    /// Spans that the journal ended and that have no row yet.
    spans: BTreeMap<(StationId, i64), Span>,
    /// How many have one; one that was written twice counts twice.
    span_rows: u64,
    /// Transactions that folded something, and the time that took.
    folds: u64,
    fold_time: Duration,
    /// When the last transaction was, of whatever kind.
    wrote: Instant,
    disk_was_full: bool,
    /// Rows that could not be read when it was opened, and are still there.
    unreadable: Vec<Unreadable>,
    /// The same of the settings.
    ignored: usize,
    _lock: DataLock,
}

/// The open database. The log's thread closes its connection first.
#[derive(Debug)]
struct Open {
    checkpointer: Checkpointer,
    connection: Connection,
}

impl SqliteStore {
    /// Opens the database that `lock` keeps for this process alone, making it
    /// if there is none, taking over one that keeps the contract, and bringing
    /// an older one of ours up to date.
    ///
    /// # Errors
    /// If it is not for us, or if it cannot be opened, read and written.
    pub fn open(path: &Path, lock: DataLock, zone: TimeZone, limits: Limits) -> anyhow::Result<SqliteStore> {
        let kind = schema::examine(path)?;
        if let Some(Kind::Older(version)) = kind {
            keep_a_copy(path, version)?;
        }
        if kind.is_none() {
            make_private(path).with_context(|| format!("cannot make the database {}", path.display()))?;
        }
        let doubt = Doubt::about(path);
        let log = if doubt.is_there() { Log::MustBeEmptied } else { Log::MayStay };
        let mut connection = connect(path, kind.is_none(), log, limits.wal_bytes_max)?;
        doubt.clear();
        match kind {
            None | Some(Kind::Empty) => {
                schema::create(&mut connection)?;
                // The new file's name must survive a power cut as well.
                let folder = folder_of(path);
                File::open(folder)
                    .and_then(|folder| folder.sync_all())
                    .with_context(|| format!("cannot sync the folder {}", folder.display()))?;
                tracing::info!(data = %path.display(), "made a new database");
            }
            Some(Kind::Contract) => {
                schema::adopt(&mut connection, &zone)?;
                tracing::info!(data = %path.display(), "took over the old server's database");
            }
            Some(Kind::Older(_)) => schema::migrate(&mut connection)?,
            Some(Kind::Ours) => {
                for name in schema::restore(&mut connection)? {
                    tracing::warn!(
                        "{name} was missing in the database, and is made again: somebody dropped it"
                    );
                }
            }
        }
        schema::set_time_zone(&connection, &zone)?;
        let loaded = load(&connection, path, &zone)?;
        let files = OurFiles::of(path)?;
        let checkpointer = Checkpointer::start(&mut connection, path, limits.wal_bytes_max)?;
        let mut store = SqliteStore {
            files,
            last_date: LastDate::new(zone.clone()),
            zone,
            open: Some(Open { checkpointer, connection }),
            stations: Stations::default(),
            alarms: Alarms::default(),
            lives: Lives::default(),
            contests: Contests::default(),
            tokens: Tokens::default(),
            sequence: 0,
            alive: Alive::default(),
            gaps: Vec::new(),
            knew_no_alarms: false,
            status: Sweep::new(limits.last_date_round(), Marks::default(), 0, 0),
            state: Sweep::new(STATE_PERIOD, Marks::default(), 0, 0),
            journal: Journal::default(),
            spans: BTreeMap::new(),
            span_rows: 0,
            folds: 0,
            fold_time: Duration::ZERO,
            wrote: Instant::now(),
            disk_was_full: false,
            unreadable: Vec::new(),
            ignored: 0,
            limits,
            _lock: lock,
        };
        store.take(loaded);
        Ok(store)
    }

    fn connection(&self) -> anyhow::Result<&Connection> {
        self.open.as_ref().map(|open| &open.connection).context("the database is closed")
    }

    /// What was read is what is known.
    fn take(&mut self, loaded: Loaded) {
        self.stations = loaded.stations;
        self.alarms = loaded.alarms;
        self.lives = loaded.lives;
        self.contests = loaded.contests;
        self.tokens.replace(loaded.tokens);
        self.sequence = loaded.sequence;
        self.alive = loaded.alive;
        self.gaps = loaded.gaps;
        self.knew_no_alarms = loaded.knew_no_alarms;
        // The oldest commit in the journal is what is still to be folded.
        let folded_to = loaded.journal.front().map_or(loaded.sequence, |(sequence, _)| sequence - 1);
        self.status = Sweep::new(self.limits.last_date_round(), loaded.journaled, folded_to, loaded.sequence);
        self.state = Sweep::new(STATE_PERIOD, loaded.behind, folded_to, loaded.sequence);
        self.journal = Journal::of(loaded.journal, loaded.spans.len());
        self.spans = loaded.spans;
        self.span_rows = loaded.span_rows;
        Unreadable::complain(&loaded.unreadable);
        self.unreadable = loaded.unreadable;
    }
}

impl Drop for SqliteStore {
    /// SQLite does not clear up after a file that was replaced, and the log
    /// must not be left beside the new one.
    fn drop(&mut self) {
        if self.open.is_some()
            && let Err(StoreError::Lost(reason)) = self.check_still_ours()
        {
            tracing::error!("the database is lost: {reason}");
        }
    }
}

impl Store for SqliteStore {
    fn find(&self, id: StationId) -> Option<(Slot, &Station)> {
        self.stations.find(id)
    }

    fn station_count(&self) -> usize {
        self.stations.len()
    }

    fn places(&self) -> usize {
        self.stations.places()
    }

    fn is_vacant(&self, slot: Slot) -> bool {
        self.stations.is_vacant(slot)
    }

    fn station(&self, slot: Slot) -> (StationId, &Station) {
        let (id, station) = self.stations.at(slot);
        (*id, station)
    }

    fn board(&self) -> Arc<Board> {
        self.stations.board()
    }

    fn alarms(&self) -> &Alarms {
        &self.alarms
    }

    fn lives(&self) -> &Lives {
        &self.lives
    }

    fn contests(&self) -> &Contests {
        &self.contests
    }

    fn tokens(&self) -> Option<&Tokens> {
        Some(&self.tokens)
    }

    fn sequence(&self) -> i64 {
        self.sequence
    }

    fn alive_until_ms(&self) -> Option<i64> {
        self.alive.until_ms()
    }

    fn gaps(&self, gaps_max: usize) -> Vec<Gap> {
        self.gaps[self.gaps.len().saturating_sub(gaps_max)..].to_vec()
    }

    fn knew_no_alarms(&self) -> bool {
        self.knew_no_alarms
    }

    fn listener(&mut self, address: &str) -> anyhow::Result<u16> {
        let open = self.open.as_mut().context("the database is closed")?;
        schema::listener(&mut open.connection, address)
            .with_context(|| format!("cannot record the listener {address}"))
    }

    fn settings(&mut self, fleet: &Fleet) -> anyhow::Result<Settled> {
        let open = self.open.as_mut().context("the database is closed")?;
        settings::publish(&mut open.connection, fleet).context("cannot record the settings of the fleet")?;
        let (settled, ignored) = settings::read(&open.connection, fleet)
            .context("cannot read the settings of stations and areas")?;
        self.ignored = ignored.len();
        for ignored in ignored.iter().take(IGNORED_NAMED_MAX) {
            tracing::warn!("{ignored}");
        }
        if ignored.len() > IGNORED_NAMED_MAX {
            tracing::warn!(rows = ignored.len(), "more rows of the settings are ignored than are named here");
        }
        if let Some(overridden) = settings::overridden(&open.connection, fleet) {
            tracing::info!("what was said for the fleet holds instead of the configuration: {overridden}");
        }
        Ok(settled)
    }

    fn has_occurred(&self, alarm: &AlarmKey, occurrence: i64) -> anyhow::Result<bool> {
        Ok(alarm_rows::has_occurred(self.connection()?, alarm, occurrence)?)
    }

    fn station_says(&self, id: StationId) -> anyhow::Result<StationSays> {
        settings::read_station(self.connection()?, id, Misfits::Fail)
    }

    fn area_says(&self, name: &str) -> anyhow::Result<ScopeSays> {
        settings::read_area(self.connection()?, name, Misfits::Fail)
    }

    fn fleet_says(&self) -> anyhow::Result<ScopeSays> {
        settings::read_fleet(self.connection()?, Misfits::Fail)
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        assert!(batch.sequence >= self.sequence, "a batch comes after what is recorded");
        let done = self.commit_with_what_is_due(batch);
        self.noted(done)
    }

    fn due(&self) -> Option<Instant> {
        let stations = self.stations.places();
        let soon = self.wrote + TEND_EVERY;
        let log = self.open.as_ref().is_some_and(|open| open.checkpointer.is_due()).then_some(soon);
        let droppable = self.droppable(1).map(|_| soon);
        let sweeps = self.status.due(stations).into_iter().chain(self.state.due(stations));
        sweeps.chain(log).chain(droppable).min().map(|due| due.max(soon))
    }

    fn tend(&mut self) -> Result<bool, StoreError> {
        let done = self.fold_what_is_due();
        self.noted(done)
    }

    fn unreadable(&self) -> &[Unreadable] {
        &self.unreadable
    }

    fn figures(&self) -> Figures {
        Figures {
            journal_bytes: self.journal.bytes(),
            wal_bytes: self.open.as_ref().map_or(0, |open| open.checkpointer.bytes()),
            folds: self.folds,
            fold_time: self.fold_time,
            unreadable_rows: self.unreadable.len() + self.ignored,
        }
    }

    fn settle(&mut self, until: Instant) -> Result<(), StoreError> {
        let done = self.fold_all(until);
        if let Some(Open { checkpointer, connection }) = &self.open
            && checkpointer.bytes() > CLOSE_BYTES_MAX
        {
            // Closing would move it all; the next start has the time.
            let _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        }
        self.noted(done)
    }

    fn reopen(&mut self) -> anyhow::Result<()> {
        // Closed first: a connection that saw a failed write is not trusted
        // with another one.
        self.open = None;
        self.stations = Stations::default();
        self.alarms = Alarms::default();
        self.lives = Lives::default();
        self.contests = Contests::default();
        let path = self.files.path.clone();
        match schema::examine(&path)? {
            Some(Kind::Ours) => {}
            None => bail!("{} is gone", path.display()),
            Some(_) => bail!("{} is no longer the database that it was", path.display()),
        }
        let mut connection = connect(&path, false, Log::MustBeEmptied, self.limits.wal_bytes_max)?;
        Doubt::about(&path).clear();
        let loaded = load(&connection, &path, &self.zone)?;
        self.files = OurFiles::of(&path)?;
        let checkpointer = Checkpointer::start(&mut connection, &path, self.limits.wal_bytes_max)?;
        self.open = Some(Open { checkpointer, connection });
        self.disk_was_full = false;
        self.take(loaded);
        Ok(())
    }
}

/// Reads what is recorded. What no server wrote is not guessed at, and what may be an
/// alarm is one.
fn load(connection: &Connection, path: &Path, zone: &TimeZone) -> anyhow::Result<Loaded> {
    load::load(connection, zone).map_err(|error| {
        anyhow!(
            "the database {} cannot be trusted: {error:#}. Nothing was changed: correct or delete what is named, \
             or restore a backup, and start the server again",
            path.display()
        )
    })
}

#[cfg(test)]
mod tests;
