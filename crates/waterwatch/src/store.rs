//! Where states are kept: the narrow seam between the writer and the disk.
//!
//! Nothing but `store/` knows SQL. The writer is the only caller of
//! [`Store::commit`]; whoever only looks (`waterwatch status`) has a reader of
//! its own.

pub mod access;
pub mod alarm_rows;
pub mod alarms;
pub mod backup;
pub mod board;
mod contest_rows;
pub mod contests;
pub mod import;
pub mod journal;
pub mod last_date;
pub mod life_rows;
pub mod lives;
pub mod lock;
pub mod new_file;
pub mod peer;
pub mod reader;
pub mod readers;
pub mod schema;
pub mod settings;
pub mod sqlite;
pub mod station_list;
pub mod stations;
pub mod stopped;
pub mod sweep;
pub mod together_rows;
pub mod token_rows;
pub mod tokens;
mod unreadable;

use std::sync::Arc;
use std::time::{Duration, Instant};

use thiserror::Error;
#[cfg(doc)]
use waterwatch_core::alarm::Kind;
use waterwatch_core::alarm::{Alarm, Event};
use waterwatch_core::settings::{Fleet, ScopeSays};
use waterwatch_core::silence::Gap;
use waterwatch_core::token::Digest;
use waterwatch_core::{Contest, Novelty, Settings, Span, Station, StationId, StationLife, Token};

pub use alarms::{AlarmKey, Alarms, SilentTogether};
pub use board::Board;
pub use contests::Contests;
pub use lives::Lives;
pub use settings::{AllowFrom, NewSays, Settled};
pub use stations::Slot;
pub use tokens::Tokens;
pub use unreadable::Unreadable;

use crate::station_says::StationSays;

/// Holds every station's state, durably.
///
/// A trait because of its other implementations: the faulty store of the
/// writer's tests, and those that measure or break the server on purpose.
/// Later a database that several nodes share is one more.
pub trait Store {
    /// What is known of a station, and its place, if it is known.
    fn find(&self, id: StationId) -> Option<(Slot, &Station)>;

    /// How many stations are known.
    fn station_count(&self) -> usize;

    /// Their places are all below that. By default nobody is ever forgotten.
    fn places(&self) -> usize {
        self.station_count()
    }

    /// Whether nobody is at a place: its station was forgotten.
    fn is_vacant(&self, _slot: Slot) -> bool {
        false
    }

    /// The places of all stations that are known.
    fn slots(&self) -> impl Iterator<Item = Slot> {
        (0..self.places()).map(Slot::new).filter(|slot| !self.is_vacant(*slot))
    }

    /// The station at a place; who was there last if it is vacant.
    fn station(&self, slot: Slot) -> (StationId, &Station);

    /// The stations' last contacts, for whoever looks while they change: another
    /// one after each [`Store::reopen`]. By default nobody is on it: a store that
    /// only measures is looked at by nobody.
    fn board(&self) -> Arc<Board> {
        Arc::default()
    }

    /// All alarms that are not at rest.
    fn alarms(&self) -> &Alarms;

    /// All stations that are visited or retired. By default none is: a store
    /// that only measures takes no commands.
    fn lives(&self) -> &Lives {
        Lives::NONE
    }

    /// What is remembered of stations that several devices may report as.
    fn contests(&self) -> &Contests;

    /// All tokens, those that are revoked too. What this gives is shared: copies of it
    /// follow what is committed, and what is read after a reopening. By default nobody
    /// may speak over HTTP, and nothing is kept of it.
    fn tokens(&self) -> Option<&Tokens> {
        None
    }

    /// Whether this sequence is that of an event which raised this alarm.
    ///
    /// # Errors
    /// If it cannot be read.
    fn has_occurred(&self, _alarm: &AlarmKey, _occurrence: i64) -> anyhow::Result<bool> {
        Ok(false)
    }

    /// Rows that cannot be read, and are as if they were not there. Those with an alarm
    /// are replaced by the next batch that has that alarm.
    fn unreadable(&self) -> &[Unreadable] {
        &[]
    }

    /// The sequence of the newest report or event that is recorded; 0 if there
    /// is none.
    fn sequence(&self) -> i64;

    /// Until when a server that had this database was last seen alive, in
    /// milliseconds UTC; `None` if none ever was.
    fn alive_until_ms(&self) -> Option<i64>;

    /// The newest times, `gaps_max` at most and the oldest first, in which the
    /// wall went on and nobody was heard: what the ledger has of the kinds
    /// [`Kind::Blind`] and [`Kind::ClockJumped`], from the event's time to its
    /// end. Asked once at a start.
    fn gaps(&self, _gaps_max: usize) -> Vec<Gap> {
        Vec::new()
    }

    /// Whether the database came from a server that knew no alarms, and what
    /// was on there is not all judged yet: no batch with
    /// [`has_found`](Batch::has_found) is recorded.
    fn knew_no_alarms(&self) -> bool {
        false
    }

    /// The number by which reports name the listener at this address, the
    /// same after each start.
    ///
    /// # Errors
    /// If it cannot be recorded.
    fn listener(&mut self, address: &str) -> anyhow::Result<u16>;

    /// What is settled for each station, with what the configuration says of
    /// the fleet, which is recorded for those who only read.
    ///
    /// # Errors
    /// If it cannot be read or recorded.
    fn settings(&mut self, fleet: &Fleet) -> anyhow::Result<Settled> {
        Ok(Settings::of_fleet(fleet.overrides).into())
    }

    /// What people say of a station, by its rows; empty if they say nothing.
    /// Whoever only measures takes no commands, and has none.
    ///
    /// # Errors
    /// If it cannot be read; an [`Unfit`](waterwatch_core::settings::Unfit), if something
    /// of it cannot be meant.
    fn station_says(&self, _id: StationId) -> anyhow::Result<StationSays> {
        Ok(StationSays::default())
    }

    /// What they say for the stations of an area.
    ///
    /// # Errors
    /// Those of [`Store::station_says`].
    fn area_says(&self, _name: &str) -> anyhow::Result<ScopeSays> {
        Ok(ScopeSays::default())
    }

    /// What they say for the fleet.
    ///
    /// # Errors
    /// Those of [`Store::station_says`].
    fn fleet_says(&self) -> anyhow::Result<ScopeSays> {
        Ok(ScopeSays::default())
    }

    /// Records the whole batch in one transaction. Only after `Ok`, which
    /// means that it survives a power cut, do [`Store::find`],
    /// [`Store::alarms`], [`Store::lives`], [`Store::contests`] and
    /// [`Store::sequence`] answer with it.
    ///
    /// # Errors
    /// See [`StoreError`]: what is certain differs.
    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError>;

    /// When [`Store::tend`] is to be called if nothing is committed before;
    /// `None` if there is nothing to do.
    fn due(&self) -> Option<Instant> {
        None
    }

    /// Does what a commit would have done by the way: folds what is journaled,
    /// and looks after the log. Whether that took a transaction, which shows
    /// that the disk takes one.
    ///
    /// # Errors
    /// Those of [`Store::commit`]; nothing that was acknowledged is at stake.
    fn tend(&mut self) -> Result<bool, StoreError> {
        Ok(false)
    }

    /// What it says of itself, for those who watch over the server. Asked after each
    /// turn, so it costs nothing.
    fn figures(&self) -> Figures {
        Figures::default()
    }

    /// Before the end: folds what is journaled, as far as there is time. The
    /// next start does the rest.
    ///
    /// # Errors
    /// Those of [`Store::tend`].
    fn settle(&mut self, _until: Instant) -> Result<(), StoreError> {
        Ok(())
    }

    /// Forgets all that is in memory, opens the database again and reads it
    /// afresh. Needed after [`StoreError::OutcomeUnknown`].
    ///
    /// # Errors
    /// If the database cannot be opened and read.
    fn reopen(&mut self) -> anyhow::Result<()>;
}

/// How much waits to be moved to its place, and what moving it has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// What is journaled and not folded yet.
    pub journal_bytes: u64,
    /// What is in the log and not in the database yet.
    pub wal_bytes: u64,
    /// Transactions that folded something, since the start.
    pub folds: u64,
    /// The time that this took within them.
    pub fold_time: Duration,
    /// Rows that cannot be read, of the settings as well.
    pub unreadable_rows: usize,
}

/// What one commit records.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// When its reports were taken, in milliseconds UTC.
    pub received_at_ms: i64,
    /// The sequence of its last report or event.
    pub sequence: i64,
    /// How many reports it has.
    pub reports: usize,
    /// Each station that reported, once, in the order of its first report.
    pub changes: Vec<Change>,
    /// Stations of which nothing is kept any more but the ledger, each with the place
    /// that it had if it was heard. One that reports in the same batch does so after
    /// that, and is new.
    pub forgotten: Vec<(StationId, Option<Slot>)>,
    /// The spans that are over, each with the place of its station in
    /// `changes`.
    pub spans: Vec<(u32, Span)>,
    /// What happened to alarms, in its order.
    pub events: Vec<Event>,
    /// The facts of each alarm that is another one after it, once; `None`: it
    /// is at rest.
    pub alarms: Vec<(AlarmKey, Option<Alarm>)>,
    /// Stations that fell silent while another alarm stands for it: they share
    /// their facts, and are not in `alarms`.
    pub silent_together: Vec<SilentTogether>,
    /// What holds of each station of which people said something else, once;
    /// `None`: nothing does any more.
    pub lives: Vec<(StationId, Option<StationLife>)>,
    /// What is remembered of each station that several devices may report as
    /// and of which something else is after it, once; `None`: nothing.
    pub contests: Vec<(StationId, Option<Contest>)>,
    /// What is known of each token that was added or revoked, after it.
    pub tokens: Vec<(Digest, Token)>,
    /// What people say anew, in the order in which they said it. It holds from
    /// the next batch on.
    pub said: Vec<NewSays>,
    /// How the reports that say nothing new are recorded.
    pub form: Form,
    /// Whether it is recorded that the server is alive at
    /// [`received_at_ms`](Self::received_at_ms).
    pub is_alive: bool,
    /// Whether all that was found at the start is judged with this batch.
    pub has_found: bool,
}

/// What a batch does to one station.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which station.
    pub id: StationId,
    /// Its place, if it was known.
    pub slot: Option<Slot>,
    /// What is known of it after the batch.
    pub station: Station,
    /// How many of its reports are in the batch.
    pub reports: u32,
    /// The most that was new in any of them.
    pub novelty: Novelty,
}

/// How reports that say nothing new are recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Each station's rows are written at once.
    #[default]
    Direct,
    /// The batch is one row of the journal, and the stations' rows follow
    /// later, many at a time.
    Journal,
}

impl Batch {
    /// Whether there is nothing to record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
            && self.forgotten.is_empty()
            && self.events.is_empty()
            && self.alarms.is_empty()
            && self.silent_together.is_empty()
            && self.lives.is_empty()
            && self.contests.is_empty()
            && self.tokens.is_empty()
            && self.said.is_empty()
            && !self.is_alive
            && !self.has_found
    }

    /// How many places are vacant after it that were not.
    #[must_use]
    pub fn vacated(&self) -> usize {
        self.forgotten.iter().filter(|(_, slot)| slot.is_some()).count()
    }

    /// Whether the rows of this station are written at once. What is news is,
    /// at any load; and a station's first report could not be journaled, for
    /// the journal only adds to rows.
    #[must_use]
    pub fn writes_at_once(&self, change: &Change) -> bool {
        self.form == Form::Direct || change.novelty >= Novelty::Changes
    }
}

/// Why a batch was not recorded.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Nothing was recorded, for certain: no room on the disk, or another
    /// program holds a lock. The same batch may be tried again.
    #[error("{0}")]
    Unavailable(String),
    /// It may have been recorded or not: a write or a sync failed. Nothing in
    /// memory counts any more.
    #[error("{0}")]
    OutcomeUnknown(String),
    /// The database was deleted or replaced under us. Nothing was recorded,
    /// and nothing may be written any more: what is there now is not ours.
    #[error("{0}")]
    Lost(String),
}
