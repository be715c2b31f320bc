//! Entries of the ledger as they are read, those that cannot be read among them.
//!
//! One row that a newer version wrote, or that was damaged, takes nothing from whoever
//! reads the others: it keeps its place, and is named there.

use rusqlite::{Row, ToSql, Transaction};
use waterwatch_core::alarm::Event;

use super::ledger::Page;
use super::{ReadError, Reader};
use crate::store::alarm_rows::{self, EVENT_COLUMNS, RowError};

/// An entry of the ledger, or the place of one that cannot be read.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// One that can.
    Read(Event),
    /// One that cannot.
    Unreadable(UnreadableEntry),
}

/// An entry that cannot be read: of a newer version, or damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableEntry {
    /// Its place in the ledger.
    pub sequence: i64,
    /// When it came to be known, in milliseconds UTC, if that can be read.
    pub received_at_ms: Option<i64>,
    /// What is wrong with it.
    pub why: Box<str>,
}

impl Entry {
    /// Its place in the ledger.
    #[must_use]
    pub fn sequence(&self) -> i64 {
        match self {
            Entry::Read(event) => event.sequence,
            Entry::Unreadable(entry) => entry.sequence,
        }
    }

    /// How many bytes it takes, about.
    fn weight(&self) -> usize {
        let more = match self {
            Entry::Read(event) => {
                let stations = event.stations.as_ref().map_or(0, |stations| size_of_val(&**stations));
                stations + event.reason.as_ref().map_or(0, |reason| reason.len())
            }
            Entry::Unreadable(entry) => entry.why.len(),
        };
        size_of::<Event>() + more
    }
}

impl UnreadableEntry {
    fn of(row: &Row<'_>, error: &RowError) -> rusqlite::Result<UnreadableEntry> {
        let number = |column| row.get_ref(column).ok().and_then(|value| value.as_i64().ok());
        let received_at_ms = number("received_at").filter(|time_ms| alarm_rows::is_time(*time_ms));
        Ok(UnreadableEntry { sequence: row.get("sequence")?, received_at_ms, why: error.to_string().into() })
    }
}

impl Page {
    /// All of its entries, those that cannot be read in their places.
    #[must_use]
    pub fn into_entries(self) -> Vec<Entry> {
        let read = self.events.into_iter().map(Entry::Read);
        let mut entries: Vec<Entry> =
            read.chain(self.unreadable.into_iter().map(Entry::Unreadable)).collect();
        entries.sort_by_key(Entry::sequence);
        entries
    }

    /// The sequence of its last entry, whether that can be read or not.
    #[must_use]
    pub fn last(&self) -> Option<i64> {
        let read = self.events.last().map(|event| event.sequence);
        read.max(self.unreadable.last().map(|entry| entry.sequence))
    }

    /// How many entries it has, with those that cannot be read.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len() + self.unreadable.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Those that can be read, and those that cannot, each in their order.
pub(super) fn split(entries: impl IntoIterator<Item = Entry>) -> (Vec<Event>, Vec<UnreadableEntry>) {
    let (mut events, mut unreadable) = (Vec::new(), Vec::new());
    for entry in entries {
        match entry {
            Entry::Read(event) => events.push(event),
            Entry::Unreadable(entry) => unreadable.push(entry),
        }
    }
    (events, unreadable)
}

/// What entries are read by.
pub(super) type Names<'a> = &'a [(&'a str, &'a dyn ToSql)];

impl Reader {
    /// The entries that fit and can be read; the others are added to `unreadable`.
    pub(super) fn entries_of(
        &self,
        moment: &Transaction<'_>,
        conditions: &str,
        names: Names<'_>,
        unreadable: &mut Vec<UnreadableEntry>,
    ) -> Result<Vec<Event>, ReadError> {
        let (entries, _) = self.entries_within(moment, conditions, names, usize::MAX)?;
        let (events, more) = split(entries);
        unreadable.extend(more);
        Ok(events)
    }

    /// The entries that fit, as far as they take no more than so many bytes, and one at
    /// least; and whether that ended them.
    pub(super) fn entries_within(
        &self,
        moment: &Transaction<'_>,
        conditions: &str,
        names: Names<'_>,
        bytes_max: usize,
    ) -> Result<(Vec<Entry>, bool), ReadError> {
        let query = format!("SELECT {EVENT_COLUMNS} FROM alarm_event WHERE {conditions}");
        let mut statement = moment.prepare(&query).map_err(|error| self.not_read(error))?;
        let mut rows = statement.query(names).map_err(|error| self.not_read(error))?;
        let (mut entries, mut bytes) = (Vec::new(), 0);
        while let Some(row) = rows.next().map_err(|error| self.not_read(error))? {
            let entry = entry(row).map_err(|error| self.not_read(error))?;
            bytes += entry.weight();
            if bytes > bytes_max && !entries.is_empty() {
                return Ok((entries, true));
            }
            entries.push(entry);
        }
        Ok((entries, false))
    }
}

/// The entry in a row that begins with [`EVENT_COLUMNS`].
pub(super) fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    match alarm_rows::event(row) {
        Ok(event) => Ok(Entry::Read(event)),
        Err(error) => UnreadableEntry::of(row, &error.of_a_row()?).map(Entry::Unreadable),
    }
}
