//! What a station went on saying, and when: rows and journal of one moment.

use std::ops::RangeInclusive;

use rusqlite::{OptionalExtension, Row, Transaction, params};
use waterwatch_core::{OpenSpan, Origin, Span, Station, StationId};

use super::contact::JOURNAL;
use super::{ReadError, Reader, Which};
use crate::store::peer;
use crate::store::schema::Kind;

/// What a station went on saying within some time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    /// The span that lasts, if it began by the end of that time.
    pub open: Option<Span>,
    /// The spans that are over, the newest first.
    pub spans: Vec<Span>,
    /// Whether there are earlier ones within that time.
    pub is_cut: bool,
}

impl Reader {
    /// The spans of a station that lie within a time, wholly or in part, at most so
    /// many and the newest; `None` if the station is not known. Times are
    /// milliseconds UTC. It goes through the spans of this station that are not
    /// older, of which the server keeps a limited number, and through the journal.
    ///
    /// # Errors
    /// If a row cannot be read, or SQLite cannot read the file.
    pub fn spans(
        &self,
        id: StationId,
        from_ms: i64,
        to_ms: i64,
        spans_max: usize,
    ) -> Result<Option<Timeline>, ReadError> {
        self.look(|moment| {
            if self.kind != Kind::Ours {
                let known = self.contacts(moment, Which::These(&[id]), &jiff::tz::TimeZone::UTC)?;
                return Ok(known.first().map(|_| Timeline::default()));
            }
            let Some((known, over)) = self.state_of(moment, id)? else {
                let known = self.contacts(moment, Which::These(&[id]), &jiff::tz::TimeZone::UTC)?;
                return Ok(known.first().map(|_| Timeline::default()));
            };
            let open = Span {
                sequence: known.span.sequence,
                first_at_ms: known.span.since_ms,
                last_at_ms: known.received_at_ms,
                alarm1: known.alarm1,
                alarm2: known.alarm2,
                reports: known.span.reports,
            };
            let is_within = open.reports > 0 && open.first_at_ms <= to_ms && open.last_at_ms >= from_ms;
            let mut spans =
                self.spans_over(moment, id, over, from_ms..=to_ms, spans_max.saturating_add(1))?;
            let is_cut = spans.len() > spans_max;
            spans.truncate(spans_max);
            Ok(Some(Timeline { open: is_within.then_some(open), spans, is_cut }))
        })
    }

    /// The state of a station with what the journal adds to it, and the spans that
    /// this ended; `None` if no server of ours has heard it.
    pub(super) fn state_of(
        &self,
        moment: &Transaction<'_>,
        id: StationId,
    ) -> Result<Option<(Station, Vec<Span>)>, ReadError> {
        let not_read = |error| self.not_read(error);
        let state = |row: &Row<'_>| {
            Ok(Station {
                sequence: row.get(0)?,
                received_at_ms: row.get(1)?,
                reports: row.get(2)?,
                origin: Origin {
                    listener: row.get(3)?,
                    peer: row.get_ref(4)?.as_blob().ok().and_then(peer::of).unwrap_or_default(),
                },
                span: OpenSpan { sequence: row.get(5)?, since_ms: row.get(6)?, reports: row.get(7)? },
                alarm1: row.get(8)?,
                alarm2: row.get(9)?,
            })
        };
        let query = "SELECT sequence, received_at, reports, listener_id, peer, span_sequence, span_since,
            span_reports, alarm1, alarm2 FROM station_state JOIN station_status USING (station_id)
            WHERE station_id = ?1";
        let known = moment.query_row(query, [id.get()], state).optional().map_err(not_read)?;
        let Some(mut known) = known else { return Ok(None) };
        let mut ended = Vec::new();
        let mut statement = moment.prepare_cached(JOURNAL).map_err(not_read)?;
        let mut commits = statement.query([]).map_err(not_read)?;
        while let Some(commit) = commits.next().map_err(not_read)? {
            let received_at_ms: i64 = commit.get(1).map_err(not_read)?;
            self.entries(commit, |entry| {
                if entry.id == id
                    && let Some((after, over)) = entry.after(&known, received_at_ms)
                {
                    ended.extend(over);
                    known = after;
                }
            })?;
        }
        Ok(Some((known, ended)))
    }

    /// The spans of a station that are over and lie within a time, at most so many,
    /// the newest first; `ended` are those that only the journal knows.
    pub(super) fn spans_over(
        &self,
        moment: &Transaction<'_>,
        id: StationId,
        ended: Vec<Span>,
        within_ms: RangeInclusive<i64>,
        spans_max: usize,
    ) -> Result<Vec<Span>, ReadError> {
        let (from_ms, to_ms) = within_ms.into_inner();
        let mut spans = ended;
        spans.retain(|span| span.first_at_ms <= to_ms && span.last_at_ms >= from_ms);
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
        let asked = i64::try_from(spans_max).unwrap_or(i64::MAX);
        let read = || -> rusqlite::Result<Vec<Span>> {
            let mut statement = moment.prepare_cached(
                "SELECT sequence, first_at, last_at, alarm1, alarm2, reports FROM span
                 WHERE station_id = ?1 AND first_at <= ?2 AND last_at >= ?3 ORDER BY sequence DESC LIMIT ?4",
            )?;
            statement.query_map(params![id.get(), to_ms, from_ms, asked], span)?.collect()
        };
        spans.extend(read().map_err(|error| self.not_read(error))?);
        // What the journal ended may be among the rows already.
        spans.sort_by_key(|span| std::cmp::Reverse(span.sequence));
        spans.dedup_by_key(|span| span.sequence);
        spans.truncate(spans_max);
        Ok(spans)
    }
}
