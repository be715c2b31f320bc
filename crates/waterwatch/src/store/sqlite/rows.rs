//! The rows of one transaction: every statement that the server writes with.

use rusqlite::{CachedStatement, Transaction, params};
use waterwatch_core::{Origin, Span, Station, StationId};

use super::super::last_date::LastDate;
use super::super::peer;

/// Upserts of rows of `station_status`.
pub(super) struct StatusRows<'t> {
    statement: CachedStatement<'t>,
    last_date: &'t mut LastDate,
}

impl<'t> StatusRows<'t> {
    pub(super) fn of(
        transaction: &'t Transaction<'_>,
        last_date: &'t mut LastDate,
    ) -> rusqlite::Result<StatusRows<'t>> {
        let statement = transaction.prepare_cached(
            "INSERT INTO station_status (station_id, last_date, alarm1, alarm2) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (station_id) DO UPDATE SET
             last_date = excluded.last_date, alarm1 = excluded.alarm1, alarm2 = excluded.alarm2",
        )?;
        Ok(StatusRows { statement, last_date })
    }

    pub(super) fn write(&mut self, id: StationId, station: &Station) -> rusqlite::Result<()> {
        let last_date = self.last_date.of(station.received_at_ms);
        self.statement.execute(params![id.get(), last_date, station.alarm1, station.alarm2]).map(drop)
    }
}

/// Upserts of rows of `station_state`.
pub(super) struct StateRows<'t>(CachedStatement<'t>);

impl<'t> StateRows<'t> {
    pub(super) fn of(transaction: &'t Transaction<'_>) -> rusqlite::Result<StateRows<'t>> {
        let statement = transaction.prepare_cached(
            "INSERT INTO station_state (station_id, sequence, received_at, reports, listener_id, peer,
             span_sequence, span_since, span_reports) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT (station_id) DO UPDATE SET
             sequence = excluded.sequence, received_at = excluded.received_at, reports = excluded.reports,
             listener_id = excluded.listener_id, peer = excluded.peer, span_sequence = excluded.span_sequence,
             span_since = excluded.span_since, span_reports = excluded.span_reports",
        )?;
        Ok(StateRows(statement))
    }

    pub(super) fn write(&mut self, id: StationId, station: &Station) -> rusqlite::Result<()> {
        let Origin { listener, peer: address } = &station.origin;
        let span = &station.span;
        let row = params![
            id.get(),
            station.sequence,
            station.received_at_ms,
            station.reports,
            listener,
            peer::bytes(address),
            span.sequence,
            span.since_ms,
            span.reports
        ];
        self.0.execute(row).map(drop)
    }
}

/// Writes a span that is over. One that is there already, since the journal
/// that it came from is being read again, stays one.
pub(super) fn write_span(transaction: &Transaction<'_>, id: StationId, span: &Span) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO span (station_id, sequence, first_at, last_at, alarm1, alarm2, reports)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            id.get(),
            span.sequence,
            span.first_at_ms,
            span.last_at_ms,
            span.alarm1,
            span.alarm2,
            span.reports
        ])
        .map(drop)
}

/// Spans of a station that is forgotten and are deleted with it, at most: they hold up a
/// commit.
const FORGOTTEN_SPANS_MAX: i64 = 512;

/// Deletes what is kept of a station, but for its part in the ledger; returns how many
/// spans that were. If there were more of them than are deleted at once, the newest go,
/// and the others as the oldest of all do.
pub(super) fn forget(transaction: &Transaction<'_>, id: StationId) -> rusqlite::Result<u64> {
    for table in [
        "DELETE FROM station_status WHERE station_id = ?1",
        "DELETE FROM station_state WHERE station_id = ?1",
    ] {
        transaction.prepare_cached(table)?.execute([id.get()])?;
    }
    let spans = transaction
        .prepare_cached(
            "DELETE FROM span WHERE station_id = ?1 AND sequence IN
             (SELECT sequence FROM span WHERE station_id = ?1 ORDER BY sequence DESC LIMIT ?2)",
        )?
        .execute(params![id.get(), FORGOTTEN_SPANS_MAX])?;
    Ok(spans as u64)
}

/// Deletes the oldest spans, so many.
pub(super) fn drop_spans(transaction: &Transaction<'_>, spans: u64) -> rusqlite::Result<u64> {
    let spans = i64::try_from(spans).unwrap_or(i64::MAX);
    let dropped = transaction
        .prepare_cached(
            "DELETE FROM span WHERE (station_id, sequence) IN
             (SELECT station_id, sequence FROM span ORDER BY sequence LIMIT ?1)",
        )?
        .execute([spans])?;
    Ok(dropped as u64)
}

/// Writes one commit to the journal.
pub(super) fn write_journal(
    transaction: &Transaction<'_>,
    sequence: i64,
    received_at_ms: i64,
    entries: &[u8],
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT INTO journal (sequence, received_at, entries) VALUES (?1, ?2, ?3)")?
        .execute(params![sequence, received_at_ms, entries])
        .map(drop)
}

/// Deletes the commits up to this one from the journal.
pub(super) fn drop_journal(transaction: &Transaction<'_>, up_to: i64) -> rusqlite::Result<()> {
    transaction.prepare_cached("DELETE FROM journal WHERE sequence <= ?1")?.execute([up_to]).map(drop)
}
