//! What a database file is, and how it becomes ours.
//!
//! Version 5 (version 4 had no tokens, and took what the configuration says for the
//! scope `fleet`; version 3 knew nothing of stations that fall silent together, or
//! that several devices report as;
//! version 2 had no alarms and no settings; version 1 had the first four columns
//! of `station_state` and no other table of ours):
//!
//! | table | column | what |
//! | --- | --- | --- |
//! | `station_status` | `station_id`, `last_date`, `alarm1`, `alarm2` | the contract with everybody who reads the file; never more columns |
//! | `station_state` | `station_id` | the same station |
//! | | `sequence` | the commit sequence of the last report that is applied here; 0 if it came from an older server |
//! | | `received_at` | when that was, in milliseconds UTC |
//! | | `reports` | how many of its reports were recorded until then |
//! | | `listener_id`, `peer` | where that came from: a listener, 0 if not known; 4 bytes of IPv4 or 16 of IPv6, none if not known |
//! | | `span_sequence`, `span_since`, `span_reports` | the span that lasts: its first report, when that was, how many there were |
//! | `span` | `station_id`, `sequence` | a span that is over: a time in which a station went on saying the same; named by its first report |
//! | | `first_at`, `last_at`, `alarm1`, `alarm2`, `reports` | its first and last report, what they said, how many there were |
//! | `journal` | `sequence` | a commit whose reports said nothing new, by the sequence of its last report or event |
//! | | `received_at`, `entries` | when its reports were taken; what they were (`journal.rs`) |
//! | `alarm_event` | `sequence` | the ledger: what happened to alarms and to the server, in the one order of reports and events; only added to |
//! | | `event_time`, `received_at` | when it happened, and when we came to know of it, in milliseconds UTC |
//! | | `source`, `point` | whose alarm: a station's id as an integer, `area/NAME` or `server`; about what, none if about no alarm |
//! | | `occurrence` | the event that raised what it belongs to |
//! | | `kind`, `from_state`, `to_state` | what happened, and the alarm's state before and after |
//! | | `by`, `reason`, `until` | who did it, why, and until when it is to last |
//! | | `on_from`, `on_to` | when the alarm was last on while it was hidden |
//! | | `count` | how many raises it stands for, where more than one |
//! | | `listener_id`, `peer` | where the report came from that caused it, as in `station_state` |
//! | | `cause` | the report or event that caused it |
//! | | `stations` | the stations that it is about, where it is about many (`station_list.rs`) |
//! | `alarm` | `source`, `point` | an alarm that is not at rest, as in `alarm_event`; what follows are its facts |
//! | | `contact`, `contact_since`, `delay_due` | the contact, since when it is so, and when the condition follows if a delay runs |
//! | | `occurrence`, `raised_at`, `returned_at`, `raises` | the raise that is not over yet, and how many it stands for |
//! | | `acknowledged_by`, `acknowledged_at`, `realarm_due` | who answered it and when, and when it asks again |
//! | | `hand_over_due` | when it stands for others no more, since it was acknowledged |
//! | | `shelf_until`, `shelf_by`, `shelf_reason`, `shelf_warned` | the shelf that it is on |
//! | | `service_until`, `service_by`, `service_reason`, `service_warned` | the same for being out of service |
//! | | `suppressed_by` | the occurrence of the alarm that stands for it |
//! | | `on_from`, `on_to` | when it was last on since it was hidden |
//! | | `chatter_since`, `chatter_raises`, `chatter_due` | that it comes and goes too often |
//! | | `raised_lately`, `forget_due` | its raises within the window, 8 bytes each, the lowest first; when they are forgotten |
//! | `silent_together` | `entry`, `occurrence` | who shares the facts of a `comms` alarm while an occurrence stands for it; to be read in the order of the entries |
//! | | `silent_since`, `stations` | these do, silent since then; where that is empty, these do not any more |
//! | `station_life` | `station_id` | a station that is visited or retired |
//! | | `visit_since`, `visit_until`, `visit_by`, `visit_reason` | who is there, since when and until when, and what for, if that was said |
//! | | `retired_at`, `retired_by`, `retired_reason` | who retired it, when and why |
//! | `contest` | `station_id` | a station that several devices may report as; reports are named by their sequence and have the time at which they were taken beside it |
//! | | `sign`, `sign_at`, `contradicts` | the last report that showed so, if the station is contested; whether two of them share an origin |
//! | | `others` | the last word of each origin but the last report's (`contest_rows.rs`) |
//! | | `alarm1_on`, `alarm1_on_at`, `alarm2_on`, `alarm2_on_at` | the last report that said on, where the origins alone do not tell |
//! | | `before`, `before_at`, `before_alarm1`, `before_alarm2`, `reversals` | the report before the last, while the last took it back; how many did so in a row |
//! | `station_settings` | `station_id`, `name`, `area`, `location`, `access_note`, `telephones`, `tags` | what people say of a station |
//! | | `period_s`, `grace_s` | how often it reports, and how much later it may; where empty, as its area or the fleet |
//! | | `expected_by` | until when it is expected to be heard for the first time, in milliseconds UTC |
//! | | `allow_from` | from where it may report: addresses and networks, separated by blanks or commas; where empty, from anywhere |
//! | `area_settings` | `area`, `period_s`, `grace_s` | the same for the stations of an area |
//! | `fleet_settings` | `scope`, `period_s`, `grace_s` | the same as people say it for the fleet, over what the configuration says; one row, `fleet` |
//! | `point_settings` | `scope`, `point` | what is settled for a point: for a station's id, `area/NAME`, `fleet`, or `configuration`, which each start writes as the configuration says |
//! | | `enabled`, `priority`, `on_delay_s`, `off_delay_s`, `latched`, `realarm_after_s`, `chatter_raises`, `chatter_window_s` | how it is judged; where empty, as the wider scope |
//! | | `label`, `consequence`, `response`, `respond_within_min` | what tells an operator what to do |
//! | `token` | `digest` | who may speak over HTTP: the SHA-256 of a secret, which itself is nowhere |
//! | | `name`, `role`, `may_acknowledge`, `may_report` | as whom, and what they may do |
//! | | `created_at`, `created_by`, `revoked_at`, `revoked_by` | who made it and when, nobody if the server itself did; who revoked it, if somebody has |
//! | `listener` | `listener_id`, `address` | a listener by the number that origins name |
//! | `server` | `name`, `value` | what the server says of itself: `time_zone`, the zone of `last_date`; `alive_at`, when it was alive, in milliseconds UTC; `period_s` and `grace_s`, what the configuration says of the fleet; `judging`, with the value `since_upgrade` until all that was on in a database that knew no alarms is judged |
//!
//! A station's rows may be behind the journal. What is newest is its
//! `station_state` and every entry of the journal with a later sequence; its
//! contacts in `station_status` are never behind.

mod tables;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use rusqlite::types::ValueRef;
use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params,
};
use thiserror::Error;

use self::tables::{
    INDEXES_AND_TRIGGERS, OURS, SINCE_VERSION_2, SINCE_VERSION_3, SINCE_VERSION_4, SINCE_VERSION_5,
    STATION_STATE, STATION_STATUS,
};
use super::{access, last_date};

/// In the file's header, so that `file` and we know whose it is: "watw".
pub const APPLICATION_ID: i32 = 0x7761_7477;

/// The schema that this program reads and writes (`user_version`).
pub const VERSION: i32 = 5;

/// No count and no time in milliseconds comes near it; adding to one below it
/// never overflows.
pub(super) const COUNT_MAX: i64 = i64::MAX / 4;

/// The columns of the contract, in their order.
pub const CONTRACT: [&str; 4] = ["station_id", "last_date", "alarm1", "alarm2"];

/// What a database is.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing is in it yet.
    Empty,
    /// Ours, in [`VERSION`].
    Ours,
    /// Ours, in this earlier version.
    Older(i32),
    /// The old Python server's, and every row keeps the contract: it can be
    /// taken over as it is.
    Contract,
}

/// Why a database is left alone.
#[derive(Debug, Error)]
pub enum SchemaError {
    /// There is no file, where there must be one.
    #[error(
        "there is no database at {path}: start the server there (waterwatch serve --data {path}), \
         or name another with --data"
    )]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file system does not let us.
    #[error("cannot read the database {path}: {why}")]
    Inaccessible {
        /// The file.
        path: PathBuf,
        /// What keeps us from it, and what to do.
        why: String,
    },
    /// The old Python server's, in a form that differs from the contract.
    #[error(
        "{path} is a database of the old Python server that differs from today's form ({difference}); \
         it was not touched. Bring its rows over with: waterwatch import {path} --data NEW.sqlite"
    )]
    OldServer {
        /// The file.
        path: PathBuf,
        /// What differs.
        difference: String,
    },
    /// Written by an earlier version, which a server brings up to date.
    #[error(
        "{path} was written by an older waterwatch (schema {found}, this one reads {VERSION}); \
         start the server of this version on it once (waterwatch serve --data {path})"
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i32,
    },
    /// No server of ours has had it yet.
    #[error(
        "no waterwatch has used {path} yet; start the server on it once (waterwatch serve --data {path})"
    )]
    Unused {
        /// The file.
        path: PathBuf,
    },
    /// Written by a later version.
    #[error(
        "{path} was written by a newer waterwatch (schema {found}, this one knows {VERSION}); install that version or a newer one"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i32,
    },
    /// Somebody else's.
    #[error(
        "{path} is not a waterwatch database ({reason}); it was not touched. Choose another file with --data"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// How we know.
        reason: String,
    },
    /// It cannot be opened or read.
    #[error("cannot read the database {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
}

impl SchemaError {
    /// Whether the file itself is the wrong one, so that trying again, or as
    /// another user, changes nothing.
    #[must_use]
    pub fn is_wrong_file(&self) -> bool {
        matches!(
            self,
            SchemaError::OldServer { .. } | SchemaError::Newer { .. } | SchemaError::Foreign { .. }
        )
    }
}

/// Opens the database without writing to it, and says what it is. `None` if
/// there is no file.
///
/// # Errors
/// If it is not for us, or cannot be read.
pub fn examine(path: &Path) -> Result<Option<Kind>, SchemaError> {
    match std::fs::metadata(path) {
        Ok(file) if file.is_file() => look_inside(path).map(Some).map_err(explain),
        // Opening a named pipe would wait for somebody at its other end.
        Ok(_) => {
            Err(SchemaError::Foreign { path: path.to_owned(), reason: "it is no regular file".to_owned() })
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(SchemaError::Inaccessible {
            path: path.to_owned(),
            why: access::denial(path).unwrap_or_else(|| error.to_string()),
        }),
    }
}

/// The same for a database that must be there.
///
/// # Errors
/// If there is none, if it is not for us, or if it cannot be read.
pub fn existing(path: &Path) -> Result<Kind, SchemaError> {
    examine(path)?.ok_or_else(|| SchemaError::Missing { path: path.to_owned() })
}

/// Opens a database that is only read.
///
/// # Errors
/// What SQLite says.
pub fn open_read_only(path: &Path) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}

/// The error for something that SQLite could not read, with the reason if
/// the file system's permissions are it.
#[must_use]
pub fn not_read(path: &Path, source: rusqlite::Error) -> SchemaError {
    explain(unreadable(path, source))
}

fn look_inside(path: &Path) -> Result<Kind, SchemaError> {
    let unreadable = |source| unreadable(path, source);
    let connection = open_read_only(path).map_err(unreadable)?;
    match kind(&connection, path) {
        // A program died while it wrote: SQLite must bring the file into
        // order first, which any reader would do, and which needs to write.
        Err(SchemaError::Unreadable { source, .. }) if needs_recovery(&source) => {
            let read_write = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(path, read_write).map_err(unreadable)?;
            kind(&connection, path)
        }
        kind => kind,
    }
}

fn needs_recovery(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error().map(|error| error.extended_code),
        Some(
            rusqlite::ffi::SQLITE_READONLY_ROLLBACK
                | rusqlite::ffi::SQLITE_READONLY_RECOVERY
                | rusqlite::ffi::SQLITE_READONLY_CANTINIT
        )
    )
}

fn kind(connection: &Connection, path: &Path) -> Result<Kind, SchemaError> {
    let unreadable = |source| unreadable(path, source);
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let application_id = pragma("application_id").map_err(unreadable)?;
    let version = pragma("user_version").map_err(unreadable)?;
    let foreign = |reason: String| SchemaError::Foreign { path: path.to_owned(), reason };
    match application_id {
        APPLICATION_ID if version > VERSION => {
            return Err(SchemaError::Newer { path: path.to_owned(), found: version });
        }
        APPLICATION_ID if version < 1 => {
            return Err(foreign(format!("it is signed as one, but its schema is {version}")));
        }
        APPLICATION_ID if version < VERSION => return Ok(Kind::Older(version)),
        APPLICATION_ID => return Ok(Kind::Ours),
        0 => {}
        other => return Err(foreign(format!("its application_id is {other:#010x}"))),
    }
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(unreadable)?;
    if tables == 0 {
        return Ok(Kind::Empty);
    }
    let columns = columns(connection).map_err(unreadable)?;
    if columns.is_empty() {
        return Err(foreign("it has tables, but no station_status".to_owned()));
    }
    match difference(connection, &columns).map_err(unreadable)? {
        None => match in_the_way(connection).map_err(unreadable)? {
            Some(what) => Err(foreign(format!("it has the {what}, which is not ours"))),
            None => Ok(Kind::Contract),
        },
        Some(difference) => Err(SchemaError::OldServer { path: path.to_owned(), difference }),
    }
}

/// What is in the way of taking a database over: something with the name of
/// a table or an index of ours, or a trigger, which would do what we do not know of.
fn in_the_way(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let mut statement = connection.prepare("SELECT type, lower(name) FROM sqlite_schema ORDER BY name")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (kind, name): (String, String) = (row.get(0)?, row.get(1)?);
        let is_ours =
            OURS.contains(&name.as_str()) || INDEXES_AND_TRIGGERS.iter().any(|(ours, _)| *ours == name);
        if kind == "trigger" || is_ours {
            return Ok(Some(format!("{kind} {name}")));
        }
    }
    Ok(None)
}

/// A column of `station_status`.
struct Column {
    name: String,
    declared: String,
    in_primary_key: bool,
}

fn columns(connection: &Connection) -> rusqlite::Result<Vec<Column>> {
    connection
        .prepare("SELECT name, type, pk FROM pragma_table_info('station_status')")?
        .query_map([], |row| {
            Ok(Column { name: row.get(0)?, declared: row.get(1)?, in_primary_key: row.get::<_, i64>(2)? > 0 })
        })?
        .collect()
}

/// How a `station_status` that is not ours differs from the contract, if it
/// does.
fn difference(connection: &Connection, columns: &[Column]) -> rusqlite::Result<Option<String>> {
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    if names != CONTRACT {
        return Ok(Some(format!("its columns are {}; wanted are {}", names.join(", "), CONTRACT.join(", "))));
    }
    for column in columns {
        if column.in_primary_key != (column.name == "station_id") {
            return Ok(Some("station_id is not its primary key".to_owned()));
        }
        // A column that is declared as text turns our integers into text.
        let declared = column.declared.to_ascii_uppercase();
        let text =
            ["CHAR", "CLOB", "TEXT", "REAL", "FLOA", "DOUB"].iter().any(|kind| declared.contains(kind));
        if text && column.name != "last_date" {
            return Ok(Some(format!("its column {} is declared {declared}", column.name)));
        }
    }
    let mut statement =
        connection.prepare("SELECT station_id, last_date, alarm1, alarm2 FROM station_status")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        for (place, name) in CONTRACT.iter().enumerate() {
            let value = row.get_ref(place)?;
            let kept = match (*name, value) {
                ("station_id", ValueRef::Integer(id)) => id >= 0,
                ("last_date", ValueRef::Text(text)) => std::str::from_utf8(text)
                    .is_ok_and(|text| last_date::parse(text, &TimeZone::UTC).is_some()),
                ("alarm1" | "alarm2", ValueRef::Integer(alarm)) => matches!(alarm, 0 | 1),
                _ => false,
            };
            if !kept {
                let station = describe(row.get_ref(0)?);
                return Ok(Some(format!("in the row of station {station}, {name} is {}", describe(value))));
            }
        }
    }
    Ok(None)
}

/// Bytes of a text that are shown to a person: enough to recognise it.
const TEXT_BYTES_SHOWN: usize = 60;

/// A value as a person would write it.
#[must_use]
pub fn describe(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => format!("{number:?}"),
        ValueRef::Text(text) if text.len() > TEXT_BYTES_SHOWN => {
            format!("the text \"{}…\" of {} bytes", text[..TEXT_BYTES_SHOWN].escape_ascii(), text.len())
        }
        ValueRef::Text(text) => format!("the text \"{}\"", text.escape_ascii()),
        ValueRef::Blob(bytes) => format!("a blob of {} bytes", bytes.len()),
    }
}

/// Makes the tables of a new database.
///
/// # Errors
/// What SQLite says.
pub fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(STATION_STATUS)?;
    transaction.execute_batch(STATION_STATE)?;
    transaction.execute_batch(SINCE_VERSION_2)?;
    transaction.execute_batch(SINCE_VERSION_3)?;
    transaction.execute_batch(SINCE_VERSION_4)?;
    transaction.execute_batch(SINCE_VERSION_5)?;
    make_what_is_missing(&transaction)?;
    sign(&transaction)?;
    transaction.commit()
}

/// Takes over a database of [`Kind::Contract`]: its rows stay as they are,
/// and ours come beside them.
///
/// # Errors
/// What SQLite says.
pub fn adopt(connection: &mut Connection, zone: &TimeZone) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(STATION_STATE)?;
    transaction.execute_batch(SINCE_VERSION_2)?;
    transaction.execute_batch(SINCE_VERSION_3)?;
    transaction.execute_batch(SINCE_VERSION_4)?;
    transaction.execute_batch(SINCE_VERSION_5)?;
    make_what_is_missing(&transaction)?;
    {
        let mut read = transaction.prepare("SELECT station_id, last_date FROM station_status")?;
        let mut write = transaction.prepare(
            "INSERT INTO station_state (station_id, sequence, received_at, reports) VALUES (?1, 0, ?2, 0)",
        )?;
        let mut rows = read.query([])?;
        while let Some(row) = rows.next()? {
            let (id, date): (i64, String) = (row.get(0)?, row.get(1)?);
            write.execute(params![id, last_date::parse(&date, zone).unwrap_or(0)])?;
        }
    }
    set_unjudged(&transaction)?;
    sign(&transaction)?;
    transaction.commit()
}

/// Brings a database of [`Kind::Older`] to [`VERSION`].
///
/// # Errors
/// What SQLite says.
pub fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version < 2 {
        transaction.execute_batch(SINCE_VERSION_2)?;
    }
    if version < 3 {
        transaction.execute_batch(SINCE_VERSION_3)?;
        set_unjudged(&transaction)?;
    }
    if version < 4 {
        transaction.execute_batch(SINCE_VERSION_4)?;
    }
    transaction.execute_batch(SINCE_VERSION_5)?;
    make_what_is_missing(&transaction)?;
    sign(&transaction)?;
    transaction.commit()
}

/// Makes our indexes and triggers again that somebody dropped, and gives their
/// names: without a trigger the ledger could be rewritten by accident, and
/// without an index a start reads all of it.
///
/// # Errors
/// What SQLite says.
pub fn restore(connection: &mut Connection) -> rusqlite::Result<Vec<&'static str>> {
    let transaction = connection.transaction()?;
    let made = make_what_is_missing(&transaction)?;
    transaction.commit()?;
    Ok(made)
}

fn make_what_is_missing(transaction: &Transaction<'_>) -> rusqlite::Result<Vec<&'static str>> {
    let mut made = Vec::new();
    for (name, statement) in INDEXES_AND_TRIGGERS {
        let is_there: bool = transaction.query_row(
            "SELECT EXISTS (SELECT * FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE)",
            [name],
            |row| row.get(0),
        )?;
        if !is_there {
            transaction.execute_batch(statement)?;
            made.push(name);
        }
    }
    Ok(made)
}

/// Notes that the contacts in this database have not been judged yet: whoever
/// had it before knew no alarms.
///
/// # Errors
/// What SQLite says.
pub(super) fn set_unjudged(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction
        .execute("INSERT OR REPLACE INTO server (name, value) VALUES ('judging', 'since_upgrade')", [])
        .map(drop)
}

/// Whether they have not been judged yet, or not all of them.
///
/// # Errors
/// What SQLite says.
pub(super) fn is_unjudged(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT EXISTS (SELECT * FROM server WHERE name = 'judging')", [], |row| row.get(0))
}

/// Notes that all of them are judged.
///
/// # Errors
/// What SQLite says.
pub(super) fn set_judged(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM server WHERE name = 'judging'", []).map(drop)
}

/// Records the zone of `last_date`, for whoever reads without the server's
/// configuration. One that has no name is not recorded.
///
/// # Errors
/// What SQLite says.
pub fn set_time_zone(connection: &Connection, zone: &TimeZone) -> rusqlite::Result<()> {
    match zone.iana_name() {
        Some(name) => connection.execute(
            "INSERT INTO server (name, value) VALUES ('time_zone', ?1)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE value <> excluded.value",
            [name],
        ),
        None => connection.execute("DELETE FROM server WHERE name = 'time_zone'", []),
    }
    .map(drop)
}

/// The zone of `last_date`, if it is recorded and known here.
///
/// # Errors
/// What SQLite says.
pub fn time_zone(connection: &Connection) -> rusqlite::Result<Option<TimeZone>> {
    let name: Option<String> = connection
        .query_row("SELECT value FROM server WHERE name = 'time_zone'", [], |row| row.get(0))
        .optional()?;
    Ok(name.and_then(|name| TimeZone::get(&name).ok()))
}

/// The number of the listener at this address, given when it is first asked
/// for.
///
/// # Errors
/// What SQLite says, or if there are more than 65,535.
pub fn listener(connection: &mut Connection, address: &str) -> rusqlite::Result<u16> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute("INSERT OR IGNORE INTO listener (address) VALUES (?1)", [address])?;
    let number =
        transaction
            .query_row("SELECT listener_id FROM listener WHERE address = ?1", [address], |row| row.get(0))?;
    transaction.commit()?;
    Ok(number)
}

fn sign(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)
}

fn unreadable(path: &Path, source: rusqlite::Error) -> SchemaError {
    let not_a_database = source.sqlite_error_code() == Some(ErrorCode::NotADatabase);
    let path = path.to_owned();
    if not_a_database {
        return SchemaError::Foreign { path, reason: "it is not an SQLite database at all".to_owned() };
    }
    SchemaError::Unreadable { path, source }
}

/// Says what the file system's permissions have to do with it, if anything.
fn explain(error: SchemaError) -> SchemaError {
    let SchemaError::Unreadable { path, source } = error else { return error };
    let perhaps_denied = matches!(
        source.sqlite_error_code(),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied)
    );
    match perhaps_denied.then(|| access::denial(&path)).flatten() {
        Some(why) => SchemaError::Inaccessible { path, why },
        None => SchemaError::Unreadable { path, source },
    }
}

#[cfg(test)]
mod tests;
