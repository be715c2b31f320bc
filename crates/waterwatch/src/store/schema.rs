//! What a database file is, and how it becomes ours.
//!
//! Version 1:
//!
//! | table | column | what |
//! | --- | --- | --- |
//! | `station_status` | `station_id`, `last_date`, `alarm1`, `alarm2` | the contract with everybody who reads the file; never more columns |
//! | `station_state` | `station_id` | the same station |
//! | | `sequence` | the commit sequence of its last report; 0 if it came from an older server |
//! | | `received_at` | when that was, in milliseconds UTC |
//! | | `reports` | how many of its reports were recorded |

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior, params};
use thiserror::Error;

use super::{access, last_date};

/// In the file's header, so that `file` and we know whose it is: "watw".
pub const APPLICATION_ID: i32 = 0x7761_7477;

/// The schema that this program reads and writes (`user_version`).
pub const VERSION: i32 = 1;

/// The table of the contract, as it is made in a new database.
const STATION_STATUS: &str = "CREATE TABLE station_status (
    station_id INTEGER PRIMARY KEY,
    last_date TEXT NOT NULL,
    alarm1 INTEGER NOT NULL,
    alarm2 INTEGER NOT NULL
)";

/// What is ours alone.
const STATION_STATE: &str = "CREATE TABLE station_state (
    station_id INTEGER PRIMARY KEY,
    sequence INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    reports INTEGER NOT NULL
) STRICT";

/// The columns of the contract, in their order.
pub const CONTRACT: [&str; 4] = ["station_id", "last_date", "alarm1", "alarm2"];

/// What a database is.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing is in it yet.
    Empty,
    /// Ours, in [`VERSION`].
    Ours,
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
        None if has_our_names(connection).map_err(unreadable)? => {
            Err(foreign("it has a table station_state that is not ours, or a trigger".to_owned()))
        }
        None => Ok(Kind::Contract),
        Some(difference) => Err(SchemaError::OldServer { path: path.to_owned(), difference }),
    }
}

/// Whether something is in the way of taking a database over: a table with
/// the name of ours, or a trigger, which would do what we do not know of.
fn has_our_names(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row(
        "SELECT count(*) > 0 FROM sqlite_schema WHERE name = 'station_state' OR type = 'trigger'",
        [],
        |row| row.get(0),
    )
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
    sign(&transaction)?;
    transaction.commit()
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
