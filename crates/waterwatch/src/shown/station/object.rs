//! A station for a program.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use waterwatch_core::alarm::{Aside, State};
use waterwatch_core::station_life::{Retired, Visit};

use super::Station;
use crate::shown::time::{Clock, rfc3339};
use crate::shown::words::{AlarmPoint, AlarmState, CommsState, PointQuality};

/// One station as it stands.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StationObject {
    /// Its number. Those above 2^53 - 1 are exact in `id` alone for programs that have no
    /// larger integers.
    pub station_id: i64,
    /// The same as a text.
    pub id: String,
    /// What it is called.
    pub name: Option<String>,
    /// The area that it is in.
    pub area: Option<String>,
    /// Whether it is heard.
    #[schema(value_type = CommsState)]
    pub comms: &'static str,
    /// What its contacts are worth.
    #[schema(value_type = PointQuality)]
    pub quality: &'static str,
    /// The worst of its alarms; null if that is not known. `normal` is only what was last
    /// known where `quality` is not `good`.
    #[schema(value_type = Option<AlarmState>)]
    pub state: Option<&'static str>,
    /// Its last contact as it is stored: local to the server; null if it was never heard.
    pub last_date: Option<String>,
    /// When it was heard last; null if a row made by hand says no time.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub received_at: Option<Timestamp>,
    /// How many seconds ago that was; null if that lies ahead of the clock.
    pub age_s: Option<i64>,
    /// Whether its first contact is on, as last reported; null if it was never heard.
    pub alarm1: Option<bool>,
    /// Whether its second contact is on, as last reported; null if it was never heard.
    pub alarm2: Option<bool>,
    /// How many of its reports were recorded.
    pub reports: i64,
    /// The points whose on-delay runs: on, and no alarm yet.
    #[schema(value_type = Vec<AlarmPoint>)]
    pub on_delay: Vec<&'static str>,
    /// The points that are on by what another device said, although the last
    /// report says off.
    #[schema(value_type = Vec<AlarmPoint>)]
    pub on_by_another: Vec<&'static str>,
    /// The points that are not judged.
    #[schema(value_type = Vec<AlarmPoint>)]
    pub disabled: Vec<&'static str>,
    /// Where it is.
    pub location: Option<String>,
    /// How somebody gets in.
    pub access_note: Option<String>,
    /// Whom to call.
    pub telephones: Option<String>,
    /// When it is expected to be heard for the first time, at the latest.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expected_by: Option<Timestamp>,
    /// That it is paused, if it is.
    pub paused: Option<PausedObject>,
    /// Who is there, if somebody is.
    pub visit: Option<VisitObject>,
    /// That it was retired, if it was.
    pub retired: Option<RetiredObject>,
}

/// A pause: the station's silence raises nothing.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PausedObject {
    /// When that ends.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// Who paused it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// Somebody is at the station.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct VisitObject {
    /// Since when.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// When that ends at the latest.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// Who said so.
    pub by: String,
    /// What for, if they said so.
    pub reason: Option<String>,
}

/// The station is no more.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RetiredObject {
    /// Since when.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
    /// Who retired it.
    pub by: String,
    /// Why.
    pub reason: String,
}

impl From<&Aside> for PausedObject {
    fn from(Aside { until_ms, by, reason, warned: _ }: &Aside) -> PausedObject {
        PausedObject { until: rfc3339(*until_ms), by: by.to_string(), reason: reason.to_string() }
    }
}

impl From<&Visit> for VisitObject {
    fn from(Visit { since_ms, until_ms, by, reason }: &Visit) -> VisitObject {
        let reason = reason.as_deref().map(ToOwned::to_owned);
        VisitObject { since: rfc3339(*since_ms), until: rfc3339(*until_ms), by: by.to_string(), reason }
    }
}

impl From<&Retired> for RetiredObject {
    fn from(Retired { at_ms, by, reason }: &Retired) -> RetiredObject {
        RetiredObject { at: rfc3339(*at_ms), by: by.to_string(), reason: reason.to_string() }
    }
}

impl Station {
    /// For a program.
    #[must_use]
    pub fn object(&self, clock: &Clock) -> StationObject {
        let was_heard = self.contact.was_heard();
        let owned = |text: &Option<Box<str>>| text.as_deref().map(ToOwned::to_owned);
        StationObject {
            station_id: self.contact.station_id.get(),
            id: self.contact.station_id.to_string(),
            name: owned(&self.about.name),
            area: owned(&self.about.area),
            comms: self.comms.name(),
            quality: self.quality().name(),
            state: self.state.map(State::name),
            last_date: was_heard.then(|| self.contact.last_date.to_string()),
            received_at: self.contact.received_at_ms.and_then(rfc3339),
            age_s: self.age_s(clock),
            alarm1: was_heard.then_some(self.contact.alarm1),
            alarm2: was_heard.then_some(self.contact.alarm2),
            reports: self.contact.reports,
            on_delay: self.delayed.iter().map(|point| point.name()).collect(),
            on_by_another: self.said_by_another.iter().map(|point| point.name()).collect(),
            disabled: self.disabled.iter().map(|point| point.name()).collect(),
            location: owned(&self.about.location),
            access_note: owned(&self.about.access_note),
            telephones: owned(&self.about.telephones),
            expected_by: self.about.expected_by_ms.and_then(rfc3339),
            paused: self.pause.as_ref().map(PausedObject::from),
            visit: self.contact.visit(clock.now_ms()).map(VisitObject::from),
            retired: self.contact.retired().map(RetiredObject::from),
        }
    }
}
