//! An alarm for a program.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use waterwatch_core::alarm::{Alarm, State};
use waterwatch_core::settings::PointTexts;

use super::{Standing, station_id};
use crate::shown::time::rfc3339;
use crate::shown::words::{AlarmPoint, AlarmPriority, AlarmState, PointQuality};

/// One alarm as it stands.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AlarmObject {
    /// Whose: a station's id, `area/NAME` or `server`.
    pub source: String,
    /// The station's id as a number, if it is a station's. Those above 2^53 - 1 are exact
    /// in `source` alone for programs that have no larger integers.
    pub station_id: Option<i64>,
    /// What its station is called.
    pub name: Option<String>,
    /// The area that its station is in.
    pub area: Option<String>,
    /// What it is about.
    #[schema(value_type = AlarmPoint)]
    pub point: &'static str,
    /// What its contact means, such as "high level".
    pub label: Option<String>,
    /// Its state; null if its contact is on and no server has judged that, if it is disabled,
    /// or its station is retired or was never heard.
    #[schema(value_type = Option<AlarmState>)]
    pub state: Option<&'static str>,
    /// Whether its contact is judged at all.
    pub enabled: bool,
    /// How urgent it is.
    #[schema(value_type = AlarmPriority)]
    pub priority: &'static str,
    /// What its contact is worth.
    #[schema(value_type = PointQuality)]
    pub quality: &'static str,
    /// Whether it is on, delays included.
    pub on: bool,
    /// Whether its contact is on, as its station reported last.
    pub contact: bool,
    /// Since when the contact is so.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub contact_since: Option<Timestamp>,
    /// Until when an on-delay or off-delay runs.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub delay_until: Option<Timestamp>,
    /// The occurrence that is open: the sequence of the entry that raised it.
    pub occurrence: Option<i64>,
    /// When it was raised.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub raised_at: Option<Timestamp>,
    /// What was said when it was raised.
    pub raised_because: Option<String>,
    /// When it returned to normal, while nobody has acknowledged it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub returned_at: Option<Timestamp>,
    /// When it was acknowledged.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub acknowledged_at: Option<Timestamp>,
    /// Who acknowledged it.
    pub acknowledged_by: Option<String>,
    /// When it asks again, if it is still on then.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub realarm_at: Option<Timestamp>,
    /// How many raises the occurrence stands for.
    pub raises: Option<u32>,
    /// Since when it comes and goes too often.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub chattering_since: Option<Timestamp>,
    /// Until when it is shelved.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub shelved_until: Option<Timestamp>,
    /// Who shelved it.
    pub shelved_by: Option<String>,
    /// Why it is shelved.
    pub shelved_reason: Option<String>,
    /// Until when it is out of service.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub out_of_service_until: Option<Timestamp>,
    /// Who took it out of service.
    pub out_of_service_by: Option<String>,
    /// Why it is out of service.
    pub out_of_service_reason: Option<String>,
    /// The occurrence of another alarm that stands for it.
    pub suppressed_by: Option<i64>,
    /// Whose that is.
    pub suppressed_by_source: Option<String>,
    /// From when on it was on while it was hidden.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub was_on_from: Option<Timestamp>,
    /// Until when it was; null if it still is.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub was_on_to: Option<Timestamp>,
    /// What happens if nobody comes.
    pub consequence: Option<String>,
    /// What is to be done.
    pub response: Option<String>,
    /// How soon somebody must have come, in minutes.
    pub respond_within_min: Option<u32>,
    /// Where its station is.
    pub location: Option<String>,
    /// How somebody gets in.
    pub access_note: Option<String>,
    /// Whom to call.
    pub telephones: Option<String>,
}

impl Standing {
    /// For a program.
    #[must_use]
    pub fn object(&self) -> AlarmObject {
        let owned = |text: Option<&str>| text.map(ToOwned::to_owned);
        let Standing { key: (source, point), alarm, contact, state, is_enabled, priority, quality, .. } =
            self;
        let about = self.about.as_ref();
        let PointTexts { label, consequence, response, respond_within_min } = &self.texts;
        let contact_since_ms = self.contact_since_ms();
        let Alarm { contact: _, contact_since_ms: _, delay_due_ms, occurrence, hidden, chatter } = &**alarm;
        let occurrence = occurrence.as_ref();
        let acknowledged = occurrence.and_then(|occurrence| occurrence.acknowledged.as_ref());
        let (shelf, service) = (hidden.shelf.as_ref(), hidden.service.as_ref());
        AlarmObject {
            source: source.to_string(),
            station_id: station_id(source),
            name: owned(about.and_then(|about| about.name.as_deref())),
            area: owned(about.and_then(|about| about.area.as_deref())),
            point: point.name(),
            label: owned(label.as_deref()),
            state: state.map(State::name),
            enabled: *is_enabled,
            priority: priority.name(),
            quality: quality.name(),
            on: alarm.is_on() || self.is_not_judged(),
            contact: *contact,
            contact_since: (contact_since_ms != 0).then_some(contact_since_ms).and_then(rfc3339),
            delay_until: delay_due_ms.and_then(rfc3339),
            occurrence: occurrence.map(|occurrence| occurrence.sequence),
            raised_at: occurrence.and_then(|occurrence| rfc3339(occurrence.raised_at_ms)),
            raised_because: owned(self.raised_because()),
            returned_at: occurrence.and_then(|occurrence| occurrence.returned_at_ms).and_then(rfc3339),
            acknowledged_at: acknowledged.and_then(|acknowledged| rfc3339(acknowledged.at_ms)),
            acknowledged_by: owned(acknowledged.map(|acknowledged| &*acknowledged.by)),
            realarm_at: occurrence.and_then(|occurrence| occurrence.realarm_due_ms).and_then(rfc3339),
            raises: occurrence.map(|occurrence| occurrence.raises),
            chattering_since: chatter.chattering.and_then(|chattering| rfc3339(chattering.since_ms)),
            shelved_until: shelf.and_then(|shelf| rfc3339(shelf.until_ms)),
            shelved_by: owned(shelf.map(|shelf| &*shelf.by)),
            shelved_reason: owned(shelf.map(|shelf| &*shelf.reason)),
            out_of_service_until: service.and_then(|service| rfc3339(service.until_ms)),
            out_of_service_by: owned(service.map(|service| &*service.by)),
            out_of_service_reason: owned(service.map(|service| &*service.reason)),
            suppressed_by: hidden.suppressed_by,
            suppressed_by_source: self.stands_for_it.as_ref().map(|raise| raise.source.to_string()),
            was_on_from: hidden.was_on.and_then(|was_on| rfc3339(was_on.from_ms)),
            was_on_to: hidden.was_on.and_then(|was_on| was_on.to_ms).and_then(rfc3339),
            consequence: owned(consequence.as_deref()),
            response: owned(response.as_deref()),
            respond_within_min: *respond_within_min,
            location: owned(about.and_then(|about| about.location.as_deref())),
            access_note: owned(about.and_then(|about| about.access_note.as_deref())),
            telephones: owned(about.and_then(|about| about.telephones.as_deref())),
        }
    }
}
