//! One station, with all that is recorded of it.

use jiff::tz::TimeZone;
use rusqlite::{OptionalExtension, Row, Transaction};
use waterwatch_core::{OpenSpan, Origin, Span, Station, StationId};

use super::contact::JOURNAL;
use super::{LastContact, Raises, ReadError, Reader, ServerRows, Which, of_station};
use crate::store::peer;
use crate::store::reader::KnownAlarm;
use crate::store::schema::Kind;

/// One station, of one moment.
#[derive(Debug)]
pub struct Detail {
    /// Its last contact.
    pub contact: LastContact,
    /// Where the last report came from.
    pub origin: Origin,
    /// The address that heard it, if it is known.
    pub listener: Option<String>,
    /// The span that lasts; no reports in it if it was heard by an older
    /// server alone.
    pub span: OpenSpan,
    /// The spans before it, the newest first.
    pub spans: Vec<Span>,
    /// Its alarms that are not at rest.
    pub alarms: Vec<KnownAlarm>,
    /// The occurrences that are open there, or stand for one of these alarms.
    pub raises: Raises,
    /// What the server says of itself.
    pub server: ServerRows,
}

impl Reader {
    /// One station, with its last `spans_max` spans; `None` if it is not known.
    ///
    /// # Errors
    /// If a row cannot be read, or SQLite cannot read the file.
    pub fn station(
        &self,
        id: StationId,
        spans_max: usize,
        zone: &TimeZone,
    ) -> Result<Option<Detail>, ReadError> {
        self.look(|moment| {
            let contact = self.contacts(moment, Which::These(&[id]), zone)?.pop();
            let Some(contact) = contact else { return Ok(None) };
            let mut alarms = self.alarms(moment)?;
            alarms.retain(|(key, _)| of_station(key) == Some(id));
            let server = self.server(moment)?;
            let open = alarms.iter().filter_map(|(_, alarm)| alarm.occurrence.as_ref());
            let others = alarms.iter().filter_map(|(_, alarm)| alarm.hidden.suppressed_by);
            let raises = self.raises(moment, open.map(|open| open.sequence).chain(others))?;
            let mut detail = Detail {
                contact,
                origin: Origin::default(),
                listener: None,
                span: OpenSpan::default(),
                spans: Vec::new(),
                alarms,
                raises,
                server,
            };
            if self.kind == Kind::Ours {
                self.complete(moment, &mut detail, spans_max)?;
            }
            Ok(Some(detail))
        })
    }

    /// Adds what only a server of ours records.
    fn complete(
        &self,
        moment: &Transaction<'_>,
        detail: &mut Detail,
        spans_max: usize,
    ) -> Result<(), ReadError> {
        let not_read = |error| self.not_read(error);
        let id = detail.contact.station_id;
        let (alarm1, alarm2) = (detail.contact.alarm1, detail.contact.alarm2);
        let state = |row: &Row<'_>| {
            Ok(Station {
                alarm1,
                alarm2,
                sequence: row.get(0)?,
                received_at_ms: row.get(1)?,
                reports: row.get(2)?,
                origin: Origin {
                    listener: row.get(3)?,
                    peer: row.get_ref(4)?.as_blob().ok().and_then(peer::of).unwrap_or_default(),
                },
                span: OpenSpan { sequence: row.get(5)?, since_ms: row.get(6)?, reports: row.get(7)? },
            })
        };
        let query = "SELECT sequence, received_at, reports, listener_id, peer, span_sequence, span_since,
            span_reports FROM station_state WHERE station_id = ?1";
        let known = moment.query_row(query, [id.get()], state).optional().map_err(not_read)?;
        let Some(mut known) = known else { return Ok(()) };
        let mut statement = moment.prepare(JOURNAL).map_err(not_read)?;
        let mut commits = statement.query([]).map_err(not_read)?;
        while let Some(commit) = commits.next().map_err(not_read)? {
            let received_at_ms: i64 = commit.get(1).map_err(not_read)?;
            self.entries(commit, |entry| {
                if entry.id == id
                    && let Some((after, over)) = entry.after(&known, received_at_ms)
                {
                    detail.spans.extend(over);
                    known = after;
                }
            })?;
        }
        (detail.origin, detail.span) = (known.origin, known.span);
        detail.listener = self.listeners(moment)?.remove(&known.origin.listener);
        let mut statement = moment
            .prepare(
                "SELECT sequence, first_at, last_at, alarm1, alarm2, reports FROM span
                 WHERE station_id = ?1 ORDER BY sequence DESC LIMIT ?2",
            )
            .map_err(not_read)?;
        let span = |row: &Row<'_>| {
            Ok(Span {
                sequence: row.get(0)?,
                first_at_ms: row.get(1)?,
                last_at_ms: row.get(2)?,
                alarm1: row.get(3)?,
                alarm2: row.get(4)?,
                reports: row.get(5)?,
            })
        };
        let spans_asked = i64::try_from(spans_max).unwrap_or(i64::MAX);
        let rows = statement.query_map((id.get(), spans_asked), span).map_err(not_read)?;
        for row in rows {
            detail.spans.push(row.map_err(not_read)?);
        }
        // What the journal ended may be among the rows already.
        detail.spans.sort_by_key(|span| std::cmp::Reverse(span.sequence));
        detail.spans.dedup_by_key(|span| span.sequence);
        detail.spans.truncate(spans_max);
        Ok(())
    }
}
