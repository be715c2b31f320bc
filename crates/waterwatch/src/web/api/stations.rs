//! The stations: all of them, one, and what it went on saying.

mod by_name;

use axum::Json;
use axum::extract::{Extension, State};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waterwatch_core::StationId;
use waterwatch_core::alarm::{AlarmSource, Point, State as AlarmState};

use super::alarms::limit;
use super::read;
use super::words::Word;
use crate::live::{StationQuery, StationRow, View};
use crate::shown::span::TimelineObject;
use crate::shown::station::{PausedObject, RetiredObject, StationDetailObject, StationInDetail, VisitObject};
use crate::shown::time::{Clock, rfc3339};
use crate::shown::words;
use crate::store::reader::StationAbout;
use crate::store::reader::communication::{Comms, Quality};
use crate::web::extract::{List, QueryString, StationParams, StationPath, digits_schema, time_or_none};
use crate::web::problem::{Kind, Problem};
use crate::web::{Deadline, Web};

/// Which stations are asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StationsQuery {
    /// Only those whose worst alarm is in one of these states, with commas between them.
    #[serde(default)]
    #[param(value_type = Option<Vec<words::AlarmState>>, style = Form, explode = false, min_items = 1)]
    state: List<Word<AlarmState>>,
    /// Only those that are heard in one of these ways, with commas between them.
    #[serde(default)]
    #[param(value_type = Option<Vec<words::CommsState>>, style = Form, explode = false, min_items = 1)]
    comms: List<Word<Comms>>,
    /// Only those whose contacts are of this quality, with commas between several.
    #[serde(default)]
    #[param(value_type = Option<Vec<words::PointQuality>>, style = Form, explode = false, min_items = 1)]
    quality: List<Word<Quality>>,
    /// Only in this area.
    #[param(example = "North")]
    area: Option<String>,
    /// Only those that report without being configured, or only the others.
    unnamed: Option<bool>,
    /// Only those whose id or name begins like this; letters of ASCII in either case.
    #[param(example = "12", min_length = 1, max_length = 100, pattern = r"\S")]
    q: Option<String>,
    /// At most so many, 1 to 1,000.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000, example = 100)]
    limit: Option<usize>,
    /// Those after this station: `next` of the page before.
    #[param(schema_with = digits_schema)]
    after: Option<String>,
}

/// A page of stations.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StationsObject {
    /// In the order of their ids.
    stations: Vec<StationRowObject>,
    /// Where the next page goes on: `after`; null if this is the last.
    next: Option<String>,
}

/// One station in a list; `GET /stations/{id}` has all of it.
#[derive(Debug, Serialize, ToSchema)]
struct StationRowObject {
    /// Its number. Those above 2^53 - 1 are exact in `id` alone for programs that have no larger integers.
    station_id: i64,
    /// The same as a text.
    id: String,
    /// What it is called.
    name: Option<String>,
    /// The area that it is in.
    area: Option<String>,
    /// Where it is.
    location: Option<String>,
    /// Whether it reports without being configured.
    unnamed: bool,
    /// Whether it is heard.
    #[schema(value_type = words::CommsState)]
    comms: &'static str,
    /// What its contacts are worth.
    #[schema(value_type = words::PointQuality)]
    quality: &'static str,
    /// The worst of its alarms; null if that is not known. `normal` is only what was last known where
    /// `quality` is not `good`.
    #[schema(value_type = Option<words::AlarmState>)]
    state: Option<&'static str>,
    /// How many of its alarms are neither normal nor hidden.
    alarms: u8,
    /// When it was heard last; null if it never was, or that is not known.
    #[schema(value_type = Option<String>, format = DateTime)]
    received_at: Option<Timestamp>,
    /// How many seconds ago that was; null if that lies ahead of the clock.
    age_s: Option<i64>,
    /// Whether its first contact is on, as last reported; null if it was never heard.
    alarm1: Option<bool>,
    /// Whether its second contact is on, as last reported; null if it was never heard.
    alarm2: Option<bool>,
    /// That its silence raises nothing for a while, if so.
    paused: Option<PausedObject>,
    /// Who is there, if somebody is.
    visit: Option<VisitObject>,
    /// That it is no more, if so.
    retired: Option<RetiredObject>,
}

/// The stations
///
/// By their ids. Those that were never heard are there if anything is known of them.
#[utoipa::path(get, path = "/stations", tag = "stations", params(StationsQuery), responses((status = 200, body = StationsObject)))]
pub(super) async fn list(
    State(web): State<Web>,
    Extension(deadline): Extension<Deadline>,
    QueryString(asked): QueryString<StationsQuery>,
) -> Result<Json<StationsObject>, Problem> {
    let after = asked.after.as_deref().map(station_after);
    let query = StationQuery {
        comms: asked.comms.0.into_iter().map(|Word(comms)| comms).collect(),
        quality: asked.quality.0.into_iter().map(|Word(quality)| quality).collect(),
        state: asked.state.0.into_iter().map(|Word(state)| state).collect(),
        area: asked.area.map(Into::into),
        unnamed: asked.unnamed,
        within: None,
        after: after.transpose()?,
        limit: limit(asked.limit)?,
    };
    let Page { mut stations, has_more } = match &asked.q {
        Some(called) => by_name::page(&web, deadline, query, called).await?,
        None => look(&web, deadline, query).await?,
    };
    let ids: Vec<StationId> =
        stations.iter().filter_map(|station| StationId::new(station.station_id)).collect();
    let about = read(&web, deadline, move |reader| reader.about_these(&ids)).await?;
    for station in &mut stations {
        let id = StationId::new(station.station_id);
        if let Some(about) = id.and_then(|id| about.stations.get(&id)) {
            station.say(about);
        }
    }
    let next = stations.last().filter(|_| has_more).map(|last| last.id.clone());
    Ok(Json(StationsObject { stations, next }))
}

/// What is published of a page of stations.
#[derive(Debug, Default)]
struct Page {
    stations: Vec<StationRowObject>,
    has_more: bool,
}

async fn look(web: &Web, deadline: Deadline, query: StationQuery) -> Result<Page, Problem> {
    let see = move |view: &View<'_>| {
        let clock = Clock::system();
        let page = view.stations(&query, clock.now_ms());
        let stations = page.stations.iter().map(|row| StationRowObject::new(view, row, &clock));
        Page { stations: stations.collect(), has_more: page.has_more }
    };
    web.look(deadline, see).await
}

impl StationRowObject {
    fn new(view: &View<'_>, row: &StationRow, clock: &Clock) -> StationRowObject {
        let received_at_ms = row.heard.and_then(|heard| heard.received_at_ms);
        let life = if row.has_life { view.life(row.id) } else { None };
        let comms = (AlarmSource::Station(row.id), Point::Comms);
        let paused = match row.comms {
            Comms::Paused => view.alarm(&comms).and_then(|row| row.alarm.hidden.service.clone()),
            _ => None,
        };
        StationRowObject {
            station_id: row.id.get(),
            id: row.id.to_string(),
            name: None,
            area: None,
            location: None,
            unnamed: !row.is_named && row.heard.is_some(),
            comms: row.comms.name(),
            quality: row.quality.name(),
            state: row.state.map(AlarmState::name),
            alarms: row.alarms,
            received_at: received_at_ms.and_then(rfc3339),
            age_s: received_at_ms.and_then(|ms| clock.age_s(ms)),
            alarm1: row.heard.map(|heard| heard.alarm1),
            alarm2: row.heard.map(|heard| heard.alarm2),
            paused: paused.as_ref().map(PausedObject::from),
            visit: life.and_then(|life| life.visit_at(clock.now_ms())).map(VisitObject::from),
            retired: life.and_then(|life| life.retired.as_ref()).map(RetiredObject::from),
        }
    }

    fn say(&mut self, about: &StationAbout) {
        let owned = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
        (self.name, self.area, self.location) =
            (owned(&about.name), owned(&about.area), owned(&about.location));
    }
}

/// Spans that are shown with a station.
const SPANS_SHOWN: usize = 20;

/// One station
///
/// With all that is known of it: its last contact, its points, its alarms, and what it went on saying.
#[utoipa::path(get, path = "/stations/{id}", tag = "stations",
    params(StationParams),
    responses((status = 200, body = StationDetailObject)))]
pub(super) async fn one(
    State(web): State<Web>,
    Extension(deadline): Extension<Deadline>,
    StationPath(id): StationPath,
) -> Result<Json<StationDetailObject>, Problem> {
    let clock = Clock::system();
    let zone = clock.zone.clone();
    let detail = read(&web, deadline, move |reader| reader.station(id, SPANS_SHOWN, &zone)).await?;
    let detail = detail.ok_or_else(|| unknown(id))?;
    Ok(Json(StationInDetail::new(&detail, &clock).object()))
}

/// Which time is asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SpansQuery {
    /// From then on, RFC 3339; without it, a day before `to`.
    #[serde(default, deserialize_with = "time_or_none")]
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Until then, RFC 3339; without it, until now.
    #[serde(default, deserialize_with = "time_or_none")]
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// At most so many, the newest, 1 to 1,000.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000, example = 100)]
    limit: Option<usize>,
}

/// How far a timeline goes back if nobody says how far.
const DAY_MS: i64 = 86_400_000;

/// The timeline of a station
///
/// A span is a time in which it went on saying the same. A gap between two is a time in which it was not heard.
#[utoipa::path(get, path = "/stations/{id}/spans", tag = "stations",
    params(StationParams, SpansQuery),
    responses((status = 200, body = TimelineObject)))]
pub(super) async fn spans(
    State(web): State<Web>,
    Extension(deadline): Extension<Deadline>,
    StationPath(id): StationPath,
    QueryString(asked): QueryString<SpansQuery>,
) -> Result<Json<TimelineObject>, Problem> {
    let to_ms = asked.to.map_or_else(|| Clock::system().now_ms(), Timestamp::as_millisecond);
    let from_ms = asked.from.map_or(to_ms.saturating_sub(DAY_MS), Timestamp::as_millisecond);
    if from_ms > to_ms {
        return Err(Problem::unfit("from", "it must not be after `to`"));
    }
    let limit = limit(asked.limit)?;
    let timeline = read(&web, deadline, move |reader| reader.spans(id, from_ms, to_ms, limit)).await?;
    timeline.map(|timeline| Json(TimelineObject::from(&timeline))).ok_or_else(|| unknown(id))
}

fn unknown(id: StationId) -> Problem {
    Problem::new(Kind::NotFound, format!("nothing is known of station {id}"))
}

/// After which station a page begins.
pub(super) fn station_after(after: &str) -> Result<StationId, Problem> {
    StationId::from_digits(after.as_bytes())
        .ok_or_else(|| Problem::unfit("after", "it must be a station's id, as `next` of the page before"))
}
