//! One station, with all that is recorded of it.

use jiff::tz::TimeZone;
use rusqlite::Transaction;
use waterwatch_core::alarm::AlarmSource;
use waterwatch_core::{OpenSpan, Origin, Span, StationId};

use super::{LastContact, Raises, ReadError, Reader, ServerRows, Which};
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
    /// One station, with its last `spans_max` spans; `None` if it is not known. What
    /// is read is about it alone, by key, but for the journal.
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
            let source = AlarmSource::Station(id);
            let alarms = self.alarms_of(moment, &source)?;
            let server = self.server_of_source(moment, &source)?;
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
        let id = detail.contact.station_id;
        let Some((known, over)) = self.state_of(moment, id)? else { return Ok(()) };
        (detail.origin, detail.span) = (known.origin, known.span);
        detail.listener = self.listeners(moment)?.remove(&known.origin.listener);
        detail.spans = self.spans_over(moment, id, over, i64::MIN..=i64::MAX, spans_max)?;
        Ok(())
    }
}
