//! The alarms: which are open, one of them, and its story.

use axum::Json;
use axum::extract::{Extension, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waterwatch_core::StationId;
use waterwatch_core::alarm::{AlarmSource, Priority, State as AlarmState};

use super::words::Word;
use super::{number_or_none, read};
use crate::live::{AlarmQuery, AlarmRow, Cursor, View};
use crate::shown;
use crate::shown::alarm::{AlarmObject, Standing, occurrences};
use crate::shown::story::{Story, StoryObject, no_such_occurrence};
use crate::shown::time::Clock;
use crate::store::reader::communication::Quality;
use crate::web::extract::{AlarmParams, AlarmPath, List, QueryString};
use crate::web::problem::{Kind, Problem};
use crate::web::{Deadline, Web};

/// Which alarms are asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AlarmsQuery {
    /// Only in these states, with commas between them; `normal` is one that is about to be an alarm.
    #[serde(default)]
    #[param(value_type = Option<Vec<shown::words::AlarmState>>, style = Form, explode = false, min_items = 1)]
    state: List<Word<AlarmState>>,
    /// Only with these priorities, with commas between them.
    #[serde(default)]
    #[param(value_type = Option<Vec<shown::words::AlarmPriority>>, style = Form, explode = false, min_items = 1)]
    priority: List<Word<Priority>>,
    /// Only of the stations of this area, and its own.
    #[param(example = "North")]
    area: Option<String>,
    /// Only those whose contact is on, or off.
    active: Option<bool>,
    /// At most so many, 1 to 1,000.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000, example = 100)]
    limit: Option<usize>,
    /// Those after this place: `next` of the page before.
    after: Option<String>,
}

/// A page of the open alarms.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AlarmsObject {
    /// The worst state first, then the most urgent, then the oldest.
    alarms: Vec<AlarmObject>,
    /// Where the next page goes on: `after`; null if this is the last.
    next: Option<String>,
    /// How many alarms are open in all, whatever was asked for.
    counts: Vec<CountObject>,
}

/// How many alarms there are of a kind.
#[derive(Debug, Serialize, ToSchema)]
struct CountObject {
    /// In this state.
    #[schema(value_type = shown::words::AlarmState)]
    state: &'static str,
    /// With this priority.
    #[schema(value_type = shown::words::AlarmPriority)]
    priority: &'static str,
    /// So many.
    count: usize,
}

/// How many rows a page has if nobody says how many.
pub(super) const PAGE: usize = 100;

/// How many rows are asked for.
pub(super) fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    let limit = asked.unwrap_or(PAGE);
    let is_fit = (1..=crate::live::PAGE_MAX).contains(&limit);
    let unfit = || Problem::unfit("limit", format!("it must be from 1 to {}", crate::live::PAGE_MAX));
    is_fit.then_some(limit).ok_or_else(unfit)
}

/// The alarms that are open
///
/// Those that are on, or wait for somebody, or are hidden, or are about to be on: the worst state first, then the
/// most urgent, then the oldest.
#[utoipa::path(get, path = "/alarms", tag = "alarms", params(AlarmsQuery), responses((status = 200, body = AlarmsObject)))]
pub(super) async fn list(
    State(web): State<Web>,
    Extension(deadline): Extension<Deadline>,
    QueryString(asked): QueryString<AlarmsQuery>,
) -> Result<Json<AlarmsObject>, Problem> {
    let after = asked.after.as_deref().map(str::parse::<Cursor>).transpose();
    let query = AlarmQuery {
        state: asked.state.0.into_iter().map(|Word(state)| state).collect(),
        priority: asked.priority.0.into_iter().map(|Word(priority)| priority).collect(),
        area: asked.area.map(Into::into),
        active: asked.active,
        kind: Vec::new(),
        after: after.map_err(|error| Problem::unfit("after", error.to_string()))?,
        limit: limit(asked.limit)?,
    };
    let clock = Clock::system();
    let is_well = web.health.trouble().is_none();
    let (mut standings, next, counts) = web
        .look(deadline, move |view| {
            let page = view.alarms(&query);
            let standings = page.alarms.into_iter().map(|row| standing(view, row, is_well, &clock));
            (standings.collect::<Vec<Standing>>(), page.next, counts(view))
        })
        .await?;
    let mut ids: Vec<StationId> = standings.iter().filter_map(|standing| station(&standing.key.0)).collect();
    ids.sort_unstable();
    ids.dedup();
    let named: Vec<i64> = standings.iter().flat_map(|standing| occurrences(&standing.alarm)).collect();
    let (about, raises) =
        read(&web, deadline, move |reader| Ok((reader.about_these(&ids)?, reader.raises_of(&named)?)))
            .await?;
    for standing in &mut standings {
        let (source, point) = &standing.key;
        standing.about = about.station(source).cloned();
        standing.texts = about.point(source, *point);
        standing.add_raises(&raises);
    }
    let alarms = standings.iter().map(Standing::object).collect();
    Ok(Json(AlarmsObject { alarms, next: next.map(|next| next.to_string()), counts }))
}

fn station(source: &AlarmSource) -> Option<StationId> {
    match source {
        AlarmSource::Station(id) => Some(*id),
        AlarmSource::Area(_) | AlarmSource::Server => None,
    }
}

/// How an alarm stands, by what is published: what people say of it is added later.
fn standing(view: &View<'_>, row: AlarmRow, is_well: bool, clock: &Clock) -> Standing {
    let AlarmRow { key, alarm, priority } = row;
    let of_station = station(&key.0).and_then(|id| view.station(id, clock.now_ms()));
    let heard = of_station.and_then(|station| station.heard);
    let reported = heard.and_then(|heard| match key.1 {
        waterwatch_core::alarm::Point::Alarm1 => Some(heard.alarm1),
        waterwatch_core::alarm::Point::Alarm2 => Some(heard.alarm2),
        _ => None,
    });
    let quality = match of_station {
        Some(station) if key.1.is_contact() => station.quality,
        Some(station) if station.heard.is_none() => Quality::Never,
        // What the server itself judges is as good as it is alive.
        _ if !is_well => Quality::Stale,
        _ => Quality::Good,
    };
    let state = alarm.state();
    Standing {
        contact: reported.unwrap_or(alarm.contact),
        state: Some(state),
        is_enabled: true,
        is_retired: station(&key.0)
            .is_some_and(|id| view.life(id).is_some_and(|life| life.retired.is_some())),
        priority,
        quality,
        about: None,
        texts: Default::default(),
        raise: None,
        stands_for_it: None,
        key,
        alarm,
    }
}

fn counts(view: &View<'_>) -> Vec<CountObject> {
    let mut counts: Vec<_> = view.alarm_counts().into_iter().collect();
    counts.sort_by_key(|((state, priority), _)| {
        (shown::alarm::rank_if_known(*state), std::cmp::Reverse(*priority))
    });
    let known = counts.into_iter().filter_map(|((state, priority), count)| {
        let state = state.filter(|_| count > 0)?.name();
        Some(CountObject { state, priority: priority.name(), count })
    });
    known.collect()
}

/// One alarm
///
/// With all of its facts, also if it is at rest.
#[utoipa::path(get, path = "/alarms/{source}/{point}", tag = "alarms",
    params(AlarmParams),
    responses((status = 200, body = AlarmObject)))]
pub(super) async fn one(
    State(web): State<Web>,
    Extension(deadline): Extension<Deadline>,
    AlarmPath(key): AlarmPath,
) -> Result<Json<AlarmObject>, Problem> {
    let clock = Clock::system();
    let (zone, asked) = (clock.zone.clone(), key.clone());
    let found = read(&web, deadline, move |reader| reader.alarm(&asked, &zone)).await?;
    let found = found.ok_or_else(|| unknown(&key))?;
    Ok(Json(Standing::of_one(&found, clock.now_ms()).0.object()))
}

/// Which occurrence is told.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExplainQuery {
    /// The occurrence; without it, the current or last one.
    #[serde(default, deserialize_with = "number_or_none")]
    #[param(value_type = Option<i64>, minimum = 1)]
    occurrence: Option<i64>,
}

/// The story of an alarm
///
/// What led to it, what happened in which order, and how it stands now: as sentences, and as data.
#[utoipa::path(get, path = "/alarms/{source}/{point}/explain", tag = "alarms",
    params(AlarmParams, ExplainQuery),
    responses((status = 200, body = StoryObject)))]
pub(super) async fn explain(
    State(web): State<Web>,
    Extension(deadline): Extension<Deadline>,
    AlarmPath(key): AlarmPath,
    QueryString(ExplainQuery { occurrence }): QueryString<ExplainQuery>,
) -> Result<Json<StoryObject>, Problem> {
    let clock = Clock::system();
    let (zone, asked) = (clock.zone.clone(), key.clone());
    let past = read(&web, deadline, move |reader| {
        let is_known = reader.knows(&asked.0, Some(asked.1))?;
        Ok(if is_known { Some(reader.past(&asked, occurrence, &zone)?) } else { None })
    });
    match past.await?.ok_or_else(|| unknown(&key))? {
        Ok(past) => Ok(Json(Story::new(&key, &past, &clock).object())),
        Err(last) => {
            let problem = Problem::new(Kind::NotFound, no_such_occurrence(&key, occurrence, last));
            Err(if occurrence.is_some() { problem.of_field("occurrence") } else { problem })
        }
    }
}

fn unknown((source, point): &crate::store::AlarmKey) -> Problem {
    Problem::new(Kind::NotFound, shown::unknown(source, Some(*point)))
}
