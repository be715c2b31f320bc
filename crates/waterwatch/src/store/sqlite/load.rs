//! Reads the whole database, and checks what it reads.

use std::collections::{BTreeMap, VecDeque};

use anyhow::{Context, ensure};
use jiff::tz::TimeZone;
use rusqlite::{Connection, Row, Rows};
use waterwatch_core::alarm::Kind;
use waterwatch_core::silence::{Gap, ListeningClock};
use waterwatch_core::token::Digest;
use waterwatch_core::{OpenSpan, Origin, Span, Station, StationId, Token};

use super::super::alarm_rows::{self, RowError};
use super::super::alarms::Alarms;
use super::super::contest_rows;
use super::super::contests::Contests;
use super::super::journal::{self, Entry};
use super::super::last_date;
use super::super::life_rows;
use super::super::lives::Lives;
use super::super::peer;
use super::super::schema::{self, COUNT_MAX, describe};
use super::super::stations::Stations;
use super::super::sweep::Marks;
use super::super::token_rows;
use super::super::unreadable::Unreadable;
use super::alive::Alive;

/// What a database held.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) stations: Stations,
    pub(super) alarms: Alarms,
    pub(super) lives: Lives,
    pub(super) contests: Contests,
    pub(super) tokens: Vec<(Digest, Token)>,
    /// The newest report's or event's.
    pub(super) sequence: i64,
    /// When that was received, in milliseconds UTC; `None` before the first.
    newest_ms: Option<i64>,
    pub(super) alive: Alive,
    /// The newest times in which nobody was heard, the oldest first.
    pub(super) gaps: Vec<Gap>,
    /// What was on when an older server had it is not all judged yet.
    pub(super) knew_no_alarms: bool,
    /// The commits in the journal: their sequences and bytes, the oldest
    /// first.
    pub(super) journal: VecDeque<(i64, u64)>,
    /// Stations that are in the journal: their `station_status` may be behind.
    pub(super) journaled: Marks,
    /// Those whose `station_state` is behind it.
    pub(super) behind: Marks,
    /// Spans that the journal ended.
    pub(super) spans: BTreeMap<(StationId, i64), Span>,
    /// How many spans have rows.
    pub(super) span_rows: u64,
    /// Rows that are as if they were not there.
    pub(super) unreadable: Vec<Unreadable>,
}

/// Reads every station, and then what the journal adds.
pub(super) fn load(connection: &Connection, zone: &TimeZone) -> anyhow::Result<Loaded> {
    let mut loaded = Loaded::default();
    read_stations(connection, zone, &mut loaded)?;
    loaded.stations.put_in_order();
    replay(connection, &mut loaded)?;
    read_alarms(connection, &mut loaded)?;
    loaded.lives = life_rows::read(connection, &mut loaded.unreadable)?;
    loaded.contests = contest_rows::read(connection, &mut loaded.unreadable)?;
    loaded.tokens = token_rows::read(connection)?;
    loaded.alive = Alive::read(connection, loaded.newest_ms)?;
    loaded.gaps = alarm_rows::read_gaps(connection, ListeningClock::RATES_MAX)?;
    loaded.knew_no_alarms = schema::is_unjudged(connection)?;
    let span_rows: i64 = connection.query_row("SELECT count(*) FROM span", [], |row| row.get(0))?;
    loaded.span_rows = u64::try_from(span_rows)?;
    Ok(loaded)
}

/// Both tables side by side, in the order of their ids.
fn read_stations(connection: &Connection, zone: &TimeZone, loaded: &mut Loaded) -> anyhow::Result<()> {
    let count: i64 = connection.query_row("SELECT count(*) FROM station_status", [], |row| row.get(0))?;
    loaded.stations.reserve(usize::try_from(count)?);
    let mut statuses = connection
        .prepare("SELECT station_id, alarm1, alarm2, last_date FROM station_status ORDER BY station_id")?;
    let mut states = connection.prepare(
        "SELECT station_id, sequence, received_at, reports, listener_id, peer, span_sequence, span_since,
         span_reports FROM station_state ORDER BY station_id",
    )?;
    let mut statuses = statuses.query([])?;
    let mut states = states.query([])?;
    let mut state = next_state(&mut states, loaded)?;
    while let Some(row) = statuses.next()? {
        let number: i64 = row.get(0)?;
        let Some(id) = StationId::new(number) else {
            let why = format!("in station_status, the row of station {number}: no id is negative");
            loaded.unreadable.push(Unreadable::of(why));
            continue;
        };
        // A state without a status: somebody deleted the row by hand. The
        // station is not known then.
        while state.as_ref().is_some_and(|(of, _)| *of < number) {
            state = next_state(&mut states, loaded)?;
        }
        let mut station = match state.take_if(|(of, _)| *of == number) {
            Some((_, station)) => {
                state = next_state(&mut states, loaded)?;
                station
            }
            // A status without a state: somebody added the row by hand.
            None => Station {
                received_at_ms: (row.get_ref(3)?.as_str().ok())
                    .and_then(|text| last_date::parse(text, zone))
                    .unwrap_or(0),
                ..nothing_known()
            },
        };
        let unreadable = loaded.unreadable.len();
        station.alarm1 = contact(row, 1, loaded)?;
        station.alarm2 = contact(row, 2, loaded)?;
        loaded.saw(station.sequence, station.received_at_ms);
        let slot = loaded.stations.add(id, station);
        if loaded.unreadable.len() > unreadable {
            // What it counts as is written, so that whoever looks can read it.
            loaded.journaled.insert(slot);
        }
    }
    // The sequence of a row without a status counts all the same: it was
    // given away.
    while let Some((_, station)) = state {
        loaded.saw(station.sequence, station.received_at_ms);
        state = next_state(&mut states, loaded)?;
    }
    Ok(())
}

/// The next state that can be read. A station whose state cannot is as one whose row
/// somebody added by hand.
fn next_state(states: &mut Rows<'_>, loaded: &mut Loaded) -> anyhow::Result<Option<(i64, Station)>> {
    while let Some(row) = states.next()? {
        let number: i64 = row.get(0)?;
        match read_state(row) {
            Ok(station) => return Ok(Some((number, station))),
            Err(error) => {
                // What was given away is not given again.
                let given: i64 = row.get(1).unwrap_or(0);
                if (0..=COUNT_MAX).contains(&given) {
                    loaded.sequence = loaded.sequence.max(given);
                }
                loaded.unreadable.push(Unreadable::of(format!(
                    "in station_state, the row of station {number} cannot be read: {error:#}"
                )));
            }
        }
    }
    Ok(None)
}

fn read_state(row: &Row<'_>) -> anyhow::Result<Station> {
    let address = row.get_ref(5)?.as_blob()?;
    let station = Station {
        sequence: row.get(1)?,
        received_at_ms: row.get(2)?,
        reports: row.get(3)?,
        origin: Origin {
            listener: row.get(4)?,
            peer: peer::of(address).with_context(|| format!("the peer has {} bytes", address.len()))?,
        },
        span: OpenSpan { sequence: row.get(6)?, since_ms: row.get(7)?, reports: row.get(8)? },
        ..nothing_known()
    };
    let counts = [station.sequence, station.reports, station.span.sequence, station.span.reports];
    let times = [station.received_at_ms, station.span.since_ms];
    ensure!(
        counts.iter().all(|count| (0..=COUNT_MAX).contains(count))
            && times.iter().all(|time| time.abs() <= COUNT_MAX),
        "it has a number that no server wrote"
    );
    Ok(station)
}

fn nothing_known() -> Station {
    Station {
        alarm1: false,
        alarm2: false,
        received_at_ms: 0,
        sequence: 0,
        reports: 0,
        origin: Origin::default(),
        span: OpenSpan::default(),
    }
}

/// A contact of which nobody knows is on: rather one alarm too many.
fn contact(row: &Row<'_>, column: usize, loaded: &mut Loaded) -> rusqlite::Result<bool> {
    let value = row.get_ref(column)?;
    match value.as_i64() {
        Ok(0) => return Ok(false),
        Ok(1) => return Ok(true),
        _ => {}
    }
    let (station, name) = (row.get_ref(0)?, row.as_ref().column_name(column)?);
    loaded.unreadable.push(Unreadable::of(format!(
        "in station_status, the row of station {}: {name} is {}, and becomes 1 until the station reports",
        describe(station),
        describe(value)
    )));
    Ok(true)
}

/// Adds what the journal has, commit by commit.
fn replay(connection: &Connection, loaded: &mut Loaded) -> anyhow::Result<()> {
    let mut commits =
        connection.prepare("SELECT sequence, received_at, entries FROM journal ORDER BY sequence")?;
    let mut commits = commits.query([])?;
    while let Some(row) = commits.next()? {
        let (sequence, received_at_ms): (i64, i64) = (row.get(0)?, row.get(1)?);
        ensure!(
            (0..=COUNT_MAX).contains(&sequence) && received_at_ms.abs() <= COUNT_MAX,
            "the commit {sequence} in the journal has a number that no server wrote"
        );
        let bytes = row.get_ref(2)?.as_blob()?;
        read_commit(bytes, sequence, |entry| loaded.take(entry, received_at_ms))
            .with_context(|| format!("the commit {sequence} in the journal cannot be read"))?;
        loaded.journal.push_back((sequence, bytes.len() as u64));
        loaded.saw(sequence, received_at_ms);
    }
    Ok(())
}

/// The facts of alarms, and how far the ledger goes.
fn read_alarms(connection: &Connection, loaded: &mut Loaded) -> anyhow::Result<()> {
    let mut unreadable = Vec::new();
    loaded.alarms = alarm_rows::read_readable(connection, &mut unreadable)?;
    let named = |(alarm, error): (_, RowError)| Unreadable { why: error.to_string().into(), alarm };
    loaded.unreadable.extend(unreadable.into_iter().map(named));
    let newest = alarm_rows::read_newest(connection, Kind::is_about_a_token, &mut loaded.unreadable)?;
    if let Some(event) = newest {
        loaded.saw(event.sequence, event.received_at_ms);
    }
    // A token may be added while no server runs: that has its place in the order, and
    // says nothing of when one heard. Nor does an entry that cannot be read.
    if let Some(sequence) = alarm_rows::last_sequence(connection)? {
        ensure!(
            (0..=COUNT_MAX).contains(&sequence),
            "the ledger has the sequence {sequence}, which no server gave"
        );
        loaded.sequence = loaded.sequence.max(sequence);
    }
    Ok(())
}

fn read_commit(bytes: &[u8], sequence: i64, mut take: impl FnMut(&Entry)) -> anyhow::Result<()> {
    for entry in journal::read(bytes, sequence)? {
        let entry = entry?;
        ensure!(entry.sequence <= sequence, "it has a report of after it");
        take(&entry);
    }
    Ok(())
}

impl Loaded {
    /// One more that was given a sequence, and when it was received.
    fn saw(&mut self, sequence: i64, received_at_ms: i64) {
        // What an older server heard, or a row that was made by hand, says
        // nothing of us; and one date of theirs that lies ahead would have us
        // believe that the clock was set.
        if sequence > 0 && (sequence, Some(received_at_ms)) > (self.sequence, self.newest_ms) {
            (self.sequence, self.newest_ms) = (sequence, Some(received_at_ms));
        }
    }

    /// What a journaled report says of its station, unless the station's row
    /// knows already.
    fn take(&mut self, entry: &Entry, received_at_ms: i64) {
        // Only known stations are journaled: this one was deleted by hand.
        let Some((slot, before)) = self.stations.find(entry.id) else { return };
        self.journaled.insert(slot);
        let Some((after, over)) = entry.after(before, received_at_ms) else { return };
        if let Some(span) = over {
            self.spans.insert((entry.id, span.sequence), span);
        }
        self.stations.set(slot, after);
        self.behind.insert(slot);
    }
}
