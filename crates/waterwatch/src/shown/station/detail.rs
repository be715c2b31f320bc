//! One station with all that is known of it.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use waterwatch_core::alarm::{AlarmSource, Point, State};

use super::{Station, StationObject};
use crate::shown::alarm::{self, AlarmObject, Standing};
use crate::shown::event::peer;
use crate::shown::span::SpanObject;
use crate::shown::time::{Clock, rfc3339};
use crate::shown::words::{AlarmPoint, AlarmState, PointQuality};
use crate::store::reader::Detail;

/// A station with what follows from its record.
#[derive(Debug)]
pub struct StationInDetail<'a> {
    /// What is recorded.
    pub detail: &'a Detail,
    /// How it stands.
    pub station: Station,
    /// Each of its points, also those at rest.
    pub points: Vec<Standing>,
    /// What time it is.
    pub clock: &'a Clock,
}

impl<'a> StationInDetail<'a> {
    /// Of what is recorded.
    #[must_use]
    pub fn new(detail: &'a Detail, clock: &'a Clock) -> StationInDetail<'a> {
        let Detail { contact, alarms, server, .. } = detail;
        let comms = alarm::comms(contact, alarms, &server.settings, clock.now_ms());
        let station = Station::new(contact.clone(), comms, alarms, server);
        let mut points: Vec<Standing> = Point::OF_STATION
            .iter()
            .map(|&point| {
                let key = (AlarmSource::Station(contact.station_id), point);
                let known = alarms.iter().find(|(of, _)| *of == key).map(|(_, alarm)| alarm.clone());
                Standing::new(
                    key,
                    known.unwrap_or_default(),
                    Some((contact, comms)),
                    alarms,
                    server,
                    clock.now_ms(),
                )
            })
            .collect();
        points.iter_mut().for_each(|point| point.add_raises(&detail.raises));
        StationInDetail { detail, station, points, clock }
    }

    /// Its alarms that are not at rest. What no server has judged has none.
    pub fn open(&self) -> impl Iterator<Item = &Standing> {
        self.points.iter().filter(|point| point.is_open() && point.state.is_some())
    }

    /// For a program.
    #[must_use]
    pub fn object(&self) -> StationDetailObject {
        let Detail { contact, origin, listener, span, spans, .. } = self.detail;
        let was_heard = contact.was_heard();
        StationDetailObject {
            station: self.station.object(self.clock),
            peer: peer(origin),
            listener: listener.clone(),
            points: self
                .points
                .iter()
                .map(|point| PointObject {
                    point: point.key.1.name(),
                    on: (point.contact || was_heard).then(|| point.contact || point.is_said_by_another()),
                    quality: point.quality.name(),
                    state: point.state.map(State::name),
                    enabled: point.is_enabled,
                })
                .collect(),
            alarms: self.open().map(Standing::object).collect(),
            unchanged_since: (span.reports > 0).then_some(span.since_ms).and_then(rfc3339),
            unchanged_reports: span.reports,
            spans: spans.iter().map(SpanObject::new).collect(),
        }
    }
}

/// One station, with all that is known of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StationDetailObject {
    /// How it stands.
    #[serde(flatten)]
    pub station: StationObject,
    /// The address that its last report came from.
    pub peer: Option<String>,
    /// The server's address that heard it.
    pub listener: Option<String>,
    /// Each of its points, also those at rest.
    pub points: Vec<PointObject>,
    /// Its alarms that are not at rest.
    pub alarms: Vec<AlarmObject>,
    /// Since when its contacts are as they are.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub unchanged_since: Option<Timestamp>,
    /// How many reports said so.
    pub unchanged_reports: i64,
    /// The times before, the newest first.
    pub spans: Vec<SpanObject>,
}

/// One point of a station.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PointObject {
    /// Which.
    #[schema(value_type = AlarmPoint)]
    pub point: &'static str,
    /// Whether it is on; null if its station was never heard.
    pub on: Option<bool>,
    /// What that is worth.
    #[schema(value_type = PointQuality)]
    pub quality: &'static str,
    /// The state of its alarm; null if it has none.
    #[schema(value_type = Option<AlarmState>)]
    pub state: Option<&'static str>,
    /// Whether it is judged at all.
    pub enabled: bool,
}
