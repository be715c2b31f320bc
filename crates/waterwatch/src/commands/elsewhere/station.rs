//! A station as it was shown to a program, read back: as a row of a list, or in detail.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::Value;
use waterwatch_core::alarm::{AlarmSource, Aside, Point, Priority, State};
use waterwatch_core::station_life::{Retired, Visit};
use waterwatch_core::{OpenSpan, Origin, Span, StationId, StationLife};

use super::alarm::About;
use super::{read, standing};
use crate::shown::alarm::Standing;
use crate::shown::station::{Station, ToldOf};
use crate::shown::time::Clock;
use crate::store::reader::communication::{Comms, Quality};
use crate::store::reader::{Detail, LastContact};

#[derive(Deserialize)]
struct Told {
    station_id: i64,
    comms: String,
    quality: String,
    state: Option<String>,
    last_date: Option<Box<str>>,
    received_at: Option<Timestamp>,
    alarm1: Option<bool>,
    alarm2: Option<bool>,
    #[serde(default)]
    reports: i64,
    #[serde(default)]
    on_delay: Vec<String>,
    #[serde(default)]
    on_by_another: Vec<String>,
    #[serde(default)]
    disabled: Vec<String>,
    paused: Option<Paused>,
    visit: Option<Visited>,
    retired: Option<RetiredAt>,
    #[serde(flatten)]
    about: About,
}

#[derive(Deserialize)]
struct Paused {
    until: Timestamp,
    by: Box<str>,
    reason: Box<str>,
}

#[derive(Deserialize)]
struct Visited {
    since: Timestamp,
    until: Timestamp,
    by: Box<str>,
    reason: Option<Box<str>>,
}

#[derive(Deserialize)]
struct RetiredAt {
    at: Timestamp,
    by: Box<str>,
    reason: Box<str>,
}

#[derive(Deserialize)]
struct InDetail {
    peer: Option<String>,
    listener: Option<String>,
    points: Vec<PointTold>,
    alarms: Vec<Value>,
    unchanged_since: Option<Timestamp>,
    unchanged_reports: i64,
    spans: Vec<SpanTold>,
}

#[derive(Deserialize)]
struct PointTold {
    point: String,
    on: Option<bool>,
    quality: String,
    state: Option<String>,
    enabled: bool,
}

#[derive(Deserialize)]
struct SpanTold {
    first_at: Timestamp,
    last_at: Timestamp,
    alarm1: bool,
    alarm2: bool,
    reports: i64,
}

/// How a station stands, of which a server tells this; `None` if it has words that are not
/// known here.
pub(in crate::commands) fn station(row: &Value, clock: &Clock) -> Option<Station> {
    let told: Told = read(row)?;
    let told_of = ToldOf {
        comms: Comms::ALL.into_iter().find(|comms| comms.name() == told.comms)?,
        quality: quality(&told.quality)?,
        pause: told.paused.as_ref().map(|Paused { until, by, reason }| Aside {
            until_ms: until.as_millisecond(),
            by: by.clone(),
            reason: reason.clone(),
            warned: false,
        }),
        state: state(told.state.as_deref())?,
        disabled: points(&told.disabled)?,
        delayed: points(&told.on_delay)?,
        said_by_another: points(&told.on_by_another)?,
    };
    let contact = contact(&told, clock)?;
    Some(Station::told(contact, told_of, told.about.into()))
}

fn contact(told: &Told, clock: &Clock) -> Option<LastContact> {
    let received_at_ms = told.received_at.map(Timestamp::as_millisecond);
    // A row of a list has no date as it is stored; whoever looks has a clock, too.
    let local = || received_at_ms.map(|at_ms| clock.minute(at_ms).into());
    let unknown = || told.alarm1.map(|_| "unknown".into());
    let last_date = told.last_date.clone().or_else(local).or_else(unknown);
    let visit = told.visit.as_ref().map(|visit| Visit {
        since_ms: visit.since.as_millisecond(),
        until_ms: visit.until.as_millisecond(),
        by: visit.by.clone(),
        reason: visit.reason.clone(),
    });
    let retired = told.retired.as_ref().map(|retired| Retired {
        at_ms: retired.at.as_millisecond(),
        by: retired.by.clone(),
        reason: retired.reason.clone(),
    });
    Some(LastContact {
        station_id: StationId::new(told.station_id)?,
        last_date: last_date.unwrap_or_default(),
        received_at_ms,
        alarm1: told.alarm1.unwrap_or(false),
        alarm2: told.alarm2.unwrap_or(false),
        reports: told.reports,
        sequence: 0,
        life: Some(Box::new(StationLife { visit, retired })),
    })
}

/// The same with all that is known of it, and how each of its points stands.
pub(in crate::commands) fn detail(
    row: &Value,
    spans_max: usize,
    clock: &Clock,
) -> Option<(Detail, Station, Vec<Standing>)> {
    let station = station(row, clock)?;
    let told: InDetail = read(row)?;
    let open = told.alarms.iter().map(standing).collect::<Option<Vec<Standing>>>()?;
    let points = told.points.iter().map(|told| point(told, &open, &station));
    let points = points.collect::<Option<Vec<Standing>>>()?;
    let spans = told.spans.iter().take(spans_max).map(|span| Span {
        sequence: 0,
        first_at_ms: span.first_at.as_millisecond(),
        last_at_ms: span.last_at.as_millisecond(),
        alarm1: span.alarm1,
        alarm2: span.alarm2,
        reports: span.reports,
    });
    let origin = told.peer.and_then(|peer| peer.parse().ok()).map(|address| Origin::of(0, address));
    let detail = Detail {
        contact: station.contact.clone(),
        origin: origin.unwrap_or_default(),
        listener: told.listener,
        span: OpenSpan {
            sequence: 0,
            since_ms: told.unchanged_since.map_or(0, Timestamp::as_millisecond),
            reports: told.unchanged_reports,
        },
        spans: spans.collect(),
        alarms: Vec::new(),
        raises: Default::default(),
        server: Default::default(),
    };
    Some((detail, station, points))
}

/// How a point stands: as its alarm that is open, or at rest.
fn point(told: &PointTold, open: &[Standing], station: &Station) -> Option<Standing> {
    let point = Point::from_name(&told.point)?;
    let is_retired = station.is_retired();
    if let Some(open) = open.iter().find(|open| open.key.1 == point) {
        return Some(Standing { is_retired, ..open.clone() });
    }
    let by_another = station.said_by_another.contains(&point);
    Some(Standing {
        key: (AlarmSource::Station(station.contact.station_id), point),
        alarm: Default::default(),
        contact: told.on.unwrap_or(false) && !by_another,
        state: state(told.state.as_deref())?,
        is_enabled: told.enabled,
        is_retired,
        priority: Priority::High,
        quality: quality(&told.quality)?,
        about: None,
        texts: Default::default(),
        raise: None,
        stands_for_it: None,
    })
}

fn quality(name: &str) -> Option<Quality> {
    Quality::ALL.into_iter().find(|quality| quality.name() == name)
}

/// A state, or that there is none; `None` if it is not known here.
fn state(name: Option<&str>) -> Option<Option<State>> {
    match name {
        Some(name) => State::from_name(name).map(Some),
        None => Some(None),
    }
}

fn points(names: &[String]) -> Option<Vec<Point>> {
    names.iter().map(|name| Point::from_name(name)).collect()
}
