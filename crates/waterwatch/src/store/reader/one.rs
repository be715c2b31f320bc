//! One alarm, or what holds for one station, read by key: as quick with a million
//! of them as with one.

use jiff::tz::TimeZone;
use rusqlite::{OptionalExtension, Transaction, params};
use waterwatch_core::alarm::{Alarm, AlarmSource, Point, Priority};
use waterwatch_core::settings::StationSettings;
use waterwatch_core::{Settings, StationId};

use super::urgency::{open_points, priority};
use super::{KnownAlarm, LastContact, Raises, ReadError, Reader, ServerRows, Which, of_station};
use crate::store::alarm_rows;
use crate::store::alarms::AlarmKey;
use crate::store::schema::Kind;
use crate::store::settings;

/// One alarm, of one moment.
#[derive(Debug)]
pub struct OneAlarm {
    /// Whose, and about what.
    pub key: AlarmKey,
    /// Its station, if it is a station's that is known.
    pub contact: Option<LastContact>,
    /// The alarms of its source that are not at rest, in the order of their points.
    pub alarms: Vec<KnownAlarm>,
    /// How urgent it is.
    pub priority: Priority,
    /// The occurrence that is open, and the one that stands for it.
    pub raises: Raises,
    /// What the server says of itself, and of this source.
    pub server: ServerRows,
}

/// So many stations at most are looked up one by one to know how urgent their
/// silence is; of more, everything is read.
const MEMBERS_MAX: usize = 2_000;

impl Reader {
    /// One alarm, also at rest; `None` if there is no such source, or it has no such
    /// point. What is read is about its source alone, by key, but for the journal,
    /// and for whom an alarm of an area or of the server stands, where one of them
    /// may be more urgent.
    ///
    /// # Errors
    /// If a row cannot be read, or SQLite cannot read the file.
    pub fn alarm(&self, key: &AlarmKey, zone: &TimeZone) -> Result<Option<OneAlarm>, ReadError> {
        self.look(|moment| {
            if !self.knows_in(moment, &key.0, Some(key.1))? {
                return Ok(None);
            }
            let alarms = self.alarms_of(moment, &key.0)?;
            let contact = match of_station(key) {
                Some(id) => self.contacts(moment, Which::These(&[id]), zone)?.pop(),
                None => None,
            };
            let server = self.server_of_source(moment, &key.0)?;
            let known = alarms.iter().find(|(of, _)| of == key).map(|(_, alarm)| &**alarm);
            let priority = self.priority_of(moment, key, known, &alarms, &server.settings)?;
            let open = known.and_then(|alarm| alarm.occurrence.as_ref()).map(|open| open.sequence);
            let other = known.and_then(|alarm| alarm.hidden.suppressed_by);
            let raises = self.raises(moment, open.into_iter().chain(other))?;
            Ok(Some(OneAlarm { key: key.clone(), contact, alarms, priority, raises, server }))
        })
    }

    /// What holds for one station in the end. The number of its area means nothing
    /// here, so it has none.
    ///
    /// # Errors
    /// If SQLite cannot read the file.
    pub fn resolve(&self, id: StationId) -> Result<StationSettings, ReadError> {
        self.look(|moment| {
            if self.kind != Kind::Ours {
                return Ok(StationSettings::default());
            }
            let settings =
                settings::read_published_of(moment, &[id]).map_err(|error| self.of_settings(error))?;
            Ok(settings.of(id).in_area(None))
        })
    }

    /// What the server says of itself, as far as it concerns a source.
    pub(super) fn server_of_source(
        &self,
        moment: &Transaction<'_>,
        source: &AlarmSource,
    ) -> Result<ServerRows, ReadError> {
        match source {
            AlarmSource::Station(id) => self.server_for(moment, &[*id], None),
            AlarmSource::Area(name) => self.server_for(moment, &[], Some(name)),
            AlarmSource::Server => self.server_for(moment, &[], None),
        }
    }

    /// How urgent an alarm is, as [`priority`] has it from all of them. `alarms` and
    /// `settings` are those of its source.
    pub(super) fn priority_of(
        &self,
        moment: &Transaction<'_>,
        key: &AlarmKey,
        alarm: Option<&Alarm>,
        alarms: &[KnownAlarm],
        settings: &Settings,
    ) -> Result<Priority, ReadError> {
        let (source, point) = (&key.0, key.1);
        let own = settings.of_source(source).priority(point, open_points(alarms, source));
        let open = alarm.and_then(|alarm| alarm.occurrence.as_ref());
        let Some(open) = open.filter(|_| !matches!(source, AlarmSource::Station(_))) else { return Ok(own) };
        if !self.may_be_above(moment, own, settings)? {
            return Ok(own);
        }
        let members = alarm_rows::read_members(moment, open.sequence).map_err(|error| self.of_row(error))?;
        if members.len() > MEMBERS_MAX {
            let (alarms, server) = (self.alarms(moment)?, self.server(moment)?);
            let at_rest = Alarm::default();
            return Ok(priority((source, point), alarm.unwrap_or(&at_rest), &alarms, &server.settings));
        }
        let settings =
            settings::read_published_of(moment, &members).map_err(|error| self.of_settings(error))?;
        let mut most = own;
        for id in members {
            let source = AlarmSource::Station(id);
            let alarms = self.alarms_of(moment, &source)?;
            for ((_, point), _) in
                alarms.iter().filter(|(_, alarm)| alarm.hidden.suppressed_by == Some(open.sequence))
            {
                most = most.max(settings.of(id).priority(*point, open_points(&alarms, &source)));
            }
        }
        Ok(most)
    }

    /// Whether a point of any station may be more urgent than that: no member needs
    /// to be looked at where nobody has said so.
    fn may_be_above(
        &self,
        moment: &Transaction<'_>,
        own: Priority,
        settings: &Settings,
    ) -> Result<bool, ReadError> {
        if Point::OF_STATION.iter().any(|&point| settings.fleet().point(point).priority > own) {
            return Ok(true);
        }
        let mut statement = moment
            .prepare_cached("SELECT 1 FROM point_settings WHERE priority = ?1 LIMIT 1")
            .map_err(|error| self.not_read(error))?;
        for above in Priority::ALL.iter().filter(|priority| **priority > own) {
            let found: Option<i64> = statement
                .query_row(params![above.name()], |row| row.get(0))
                .optional()
                .map_err(|error| self.not_read(error))?;
            if found.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
