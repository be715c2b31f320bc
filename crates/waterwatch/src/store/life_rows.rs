//! The rows of stations that are visited or retired, both ways. What is read is
//! checked: a database may come from anywhere.

use anyhow::{Context, bail, ensure};
use rusqlite::{Connection, Row, Transaction, params};
use waterwatch_core::station_life::{Retired, Visit};
use waterwatch_core::{StationId, StationLife};

use super::lives::Lives;
use super::schema::COUNT_MAX;
use super::unreadable::Unreadable;

const COLUMNS: &str = "station_id, visit_since, visit_until, visit_by, visit_reason, retired_at, \
    retired_by, retired_reason";

/// All of them. What cannot be read, or holds what no server writes, is named in
/// `unreadable`: whoever may be retired is watched until somebody says so again.
///
/// # Errors
/// What SQLite says.
pub fn read(connection: &Connection, unreadable: &mut Vec<Unreadable>) -> anyhow::Result<Lives> {
    let mut statement = connection.prepare(&format!("SELECT {COLUMNS} FROM station_life"))?;
    let mut rows = statement.query([])?;
    let mut lives = Vec::new();
    while let Some(row) = rows.next()? {
        match station(row) {
            Ok((id, life)) => lives.push((id, Some(life))),
            Err(error) => unreadable.push(Unreadable::of(format!("{error:#}"))),
        }
    }
    let mut read = Lives::default();
    read.apply(&lives);
    Ok(read)
}

/// What holds of one station, if people said something of it as a whole.
///
/// # Errors
/// What SQLite says.
pub fn read_of(connection: &Connection, id: StationId) -> anyhow::Result<Option<StationLife>> {
    let query = format!("SELECT {COLUMNS} FROM station_life WHERE station_id = ?1");
    let mut statement = connection.prepare_cached(&query)?;
    let mut rows = statement.query([id.get()])?;
    // What cannot be read is as if it were not there, for the server as well.
    Ok(rows.next()?.and_then(|row| station(row).ok()).map(|(_, life)| life))
}

fn station(row: &Row<'_>) -> anyhow::Result<(StationId, StationLife)> {
    let number: i64 = row.get(0)?;
    let read = || {
        let id = StationId::new(number).context("no station has a negative id")?;
        anyhow::Ok((id, life(row)?))
    };
    read().with_context(|| format!("in station_life, the row of station {number} cannot be read"))
}

fn life(row: &Row<'_>) -> anyhow::Result<StationLife> {
    let time = |place: usize| -> anyhow::Result<Option<i64>> {
        let time_ms: Option<i64> = row.get(place)?;
        ensure!(time_ms.is_none_or(|ms| ms.abs() <= COUNT_MAX), "it has a time that no server wrote");
        Ok(time_ms)
    };
    let text = |place: usize| row.get::<_, Option<Box<str>>>(place);
    let visit = match (time(1)?, time(2)?, text(3)?) {
        (Some(since_ms), Some(until_ms), Some(by)) => {
            Some(Visit { since_ms, until_ms, by, reason: text(4)? })
        }
        (None, None, None) => None,
        _ => bail!("a visit has a beginning, an end and a name"),
    };
    let retired = match (time(5)?, text(6)?, text(7)?) {
        (Some(at_ms), Some(by), Some(reason)) => Some(Retired { at_ms, by, reason }),
        (None, None, None) => None,
        _ => bail!("whoever retired it did so at a time, by name and for a reason"),
    };
    ensure!(visit.is_some() || retired.is_some(), "it says nothing");
    Ok(StationLife { visit, retired })
}

/// Writes those that a batch changed; nothing is prepared for nothing.
pub(super) fn write(
    transaction: &Transaction<'_>,
    lives: &[(StationId, Option<StationLife>)],
) -> rusqlite::Result<()> {
    if lives.is_empty() {
        return Ok(());
    }
    let mut upsert = transaction.prepare_cached(&format!(
        "INSERT OR REPLACE INTO station_life ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
    ))?;
    let mut delete = transaction.prepare_cached("DELETE FROM station_life WHERE station_id = ?1")?;
    for (id, life) in lives {
        match life {
            Some(StationLife { visit, retired }) => {
                let (visit, retired) = (visit.as_ref(), retired.as_ref());
                upsert.execute(params![
                    id.get(),
                    visit.map(|visit| visit.since_ms),
                    visit.map(|visit| visit.until_ms),
                    visit.map(|visit| &visit.by),
                    visit.and_then(|visit| visit.reason.as_ref()),
                    retired.map(|retired| retired.at_ms),
                    retired.map(|retired| &retired.by),
                    retired.map(|retired| &retired.reason),
                ])?
            }
            None => delete.execute([id.get()])?,
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rusqlite::TransactionBehavior;

    use super::*;
    use crate::store::schema;

    fn database() -> (tempfile::TempDir, Connection) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.sqlite");
        let lock = crate::store::lock::DataLock::acquire(&path).unwrap();
        drop(
            crate::store::sqlite::SqliteStore::open(
                &path,
                lock,
                jiff::tz::TimeZone::UTC,
                crate::config::Limits::default(),
            )
            .unwrap(),
        );
        assert_eq!(schema::existing(&path).unwrap(), schema::Kind::Ours);
        (folder, Connection::open(&path).unwrap())
    }

    #[test]
    fn what_is_written_is_read() {
        let (_folder, mut connection) = database();
        let visit = Visit { since_ms: 1, until_ms: 2, by: "Ana".into(), reason: None };
        let retired = Retired { at_ms: 3, by: "Ben".into(), reason: "sold".into() };
        let lives = [
            (StationId::new(0).unwrap(), Some(StationLife { visit: Some(visit.clone()), retired: None })),
            (StationId::MAX, Some(StationLife { visit: None, retired: Some(retired.clone()) })),
            (
                StationId::new(5).unwrap(),
                Some(StationLife {
                    visit: Some(Visit { reason: Some("a pump".into()), ..visit }),
                    retired: Some(retired),
                }),
            ),
            (StationId::new(6).unwrap(), None),
        ];
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        write(&transaction, &lives).unwrap();
        transaction.commit().unwrap();
        let mut wanted = Lives::default();
        wanted.apply(&lives);
        assert_eq!(read(&connection, &mut Vec::new()).unwrap(), wanted);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        write(&transaction, &[(StationId::MAX, None)]).unwrap();
        transaction.commit().unwrap();
        assert_eq!(read(&connection, &mut Vec::new()).unwrap().len(), 2);
    }

    #[test]
    fn what_no_server_writes_is_refused() {
        let (_folder, connection) = database();
        for (row, why) in [
            ("-1, NULL, NULL, NULL, NULL, 1, 'Ben', 'sold'", "no station has a negative id"),
            ("1, 1, NULL, 'Ana', NULL, NULL, NULL, NULL", "a visit has a beginning, an end and a name"),
            ("1, NULL, NULL, NULL, NULL, 1, 'Ben', NULL", "whoever retired it did so"),
            ("1, NULL, NULL, NULL, NULL, 9223372036854775807, 'Ben', 'sold'", "no server wrote"),
            ("1, NULL, NULL, NULL, NULL, NULL, NULL, NULL", "it says nothing"),
        ] {
            connection.execute(&format!("INSERT INTO station_life VALUES ({row})"), []).unwrap();
            let mut unreadable = Vec::new();
            assert_eq!(read(&connection, &mut unreadable).unwrap(), Lives::default());
            let [Unreadable { why: error, alarm: None }] = &unreadable[..] else { panic!("{unreadable:?}") };
            assert!(error.contains(why) && error.contains("in station_life, the row"), "{error}");
            connection.execute("DELETE FROM station_life", []).unwrap();
        }
    }
}
