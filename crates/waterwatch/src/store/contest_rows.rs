//! The rows of `contest`, both ways.

use rusqlite::{Connection, Row, Transaction, params};
use waterwatch_core::identity::{Contested, Moment, OTHERS_MAX, REVERSALS_MIN, Said};
use waterwatch_core::{Contest, Origin, StationId};

use super::alarm_rows::{Cells, RowError, Table};
use super::contests::Contests;
use super::unreadable::Unreadable;

/// The columns of `contest` that [`contest`] reads, in its order.
const COLUMNS: &str = "station_id, sign, sign_at, contradicts, others, alarm1_on, alarm1_on_at, alarm2_on, \
    alarm2_on_at, before, before_at, before_alarm1, before_alarm2, reversals";

/// An origin in `others`, with its last word: the sequence and the time of its
/// report, 8 bytes each, the lowest first; its contacts, a bit each; the
/// listener, 2 bytes; the peer's address as IPv6.
const OTHER_BYTES: usize = 8 + 8 + 1 + 2 + 16;

/// All that is remembered. What cannot be read is named in `unreadable`, and found out
/// again by the reports that come.
///
/// # Errors
/// What SQLite says.
pub(super) fn read(connection: &Connection, unreadable: &mut Vec<Unreadable>) -> Result<Contests, RowError> {
    let mut statement = connection.prepare(&format!("SELECT {COLUMNS} FROM contest"))?;
    let mut contests = Contests::default();
    for row in statement.query_and_then([], contest)? {
        match row {
            Ok((id, contest)) => contests.set(id, Some(contest)),
            Err(error) => unreadable.push(Unreadable::of(error.of_a_row()?)),
        }
    }
    Ok(contests)
}

fn contest(row: &Row<'_>) -> Result<(StationId, Contest), RowError> {
    let mut cells = Cells::of(row, Table::Contests);
    let id = cells.station_id()?;
    let sign = moment(&mut cells)?;
    let contradicts = cells.flag()?;
    let contested = sign.map(|sign| Contested { sign, contradicts });
    let others = cells.blob()?;
    let others = others_of(others).ok_or_else(|| cells.unfit())?;
    let said_on = [moment(&mut cells)?, moment(&mut cells)?];
    let before = moment(&mut cells)?;
    let contacts = [cells.flag()?, cells.flag()?];
    let reversals = cells.small::<u32>()?.min(REVERSALS_MIN);
    let before = before.map(|at| Said { contacts, at });
    Ok((id, Contest { others, said_on, before, reversals, contested }))
}

/// A sequence and a time, or neither.
fn moment(cells: &mut Cells<'_>) -> Result<Option<Moment>, RowError> {
    let (sequence, received_at_ms) = (cells.optional(Cells::count)?, cells.optional(Cells::time)?);
    cells.ensure(sequence.is_some() == received_at_ms.is_some(), "a report has a sequence and a time")?;
    Ok(sequence.zip(received_at_ms).map(|(sequence, received_at_ms)| Moment { received_at_ms, sequence }))
}

/// The origins in these bytes; `None` if no server wrote them.
fn others_of(bytes: &[u8]) -> Option<Vec<(Origin, Said)>> {
    let (others, rest) = bytes.as_chunks::<OTHER_BYTES>();
    if !rest.is_empty() || others.len() > OTHERS_MAX {
        return None;
    }
    others.iter().map(other_of).collect()
}

fn other_of(bytes: &[u8; OTHER_BYTES]) -> Option<(Origin, Said)> {
    let (sequence, rest) = bytes.split_first_chunk()?;
    let (received_at_ms, rest) = rest.split_first_chunk()?;
    let ([contacts], rest) = rest.split_first_chunk()?;
    let (listener, rest) = rest.split_first_chunk()?;
    let origin = Origin { listener: u16::from_le_bytes(*listener), peer: rest.try_into().ok()? };
    let sequence = i64::from_le_bytes(*sequence);
    let at = Moment { received_at_ms: i64::from_le_bytes(*received_at_ms), sequence };
    let fits = *contacts < 4 && Cells::is_count(sequence) && Cells::is_time(at.received_at_ms);
    fits.then_some((origin, Said { contacts: [contacts & 1 != 0, contacts & 2 != 0], at }))
}

fn bytes_of(others: &[(Origin, Said)]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(others.len() * OTHER_BYTES);
    for (origin, Said { contacts: [alarm1, alarm2], at }) in others {
        bytes.extend(at.sequence.to_le_bytes());
        bytes.extend(at.received_at_ms.to_le_bytes());
        bytes.push(u8::from(*alarm1) | u8::from(*alarm2) << 1);
        bytes.extend(origin.listener.to_le_bytes());
        bytes.extend(origin.peer);
    }
    bytes
}

/// Writes what is remembered of these stations now. Nothing is asked of SQLite
/// for nothing.
pub(super) fn write(
    transaction: &Transaction<'_>,
    contests: &[(StationId, Option<Contest>)],
) -> rusqlite::Result<()> {
    if contests.is_empty() {
        return Ok(());
    }
    let mut upsert = transaction.prepare_cached(&format!(
        "INSERT OR REPLACE INTO contest ({COLUMNS})
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"
    ))?;
    let mut delete = transaction.prepare_cached("DELETE FROM contest WHERE station_id = ?1")?;
    for (id, contest) in contests {
        let Some(Contest { others, said_on, before, reversals, contested }) = contest else {
            delete.execute([id.get()])?;
            continue;
        };
        let sign = contested.map(|contested| contested.sign);
        let [alarm1_on, alarm2_on] = said_on;
        let [before_alarm1, before_alarm2] = before.map_or([false; 2], |before| before.contacts);
        let before = before.map(|before| before.at);
        upsert.execute(params![
            id.get(),
            sign.map(|at| at.sequence),
            sign.map(|at| at.received_at_ms),
            contested.is_some_and(|contested| contested.contradicts),
            bytes_of(others),
            alarm1_on.map(|at| at.sequence),
            alarm1_on.map(|at| at.received_at_ms),
            alarm2_on.map(|at| at.sequence),
            alarm2_on.map(|at| at.received_at_ms),
            before.map(|at| at.sequence),
            before.map(|at| at.received_at_ms),
            before_alarm1,
            before_alarm2,
            reversals,
        ])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
