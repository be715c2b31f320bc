//! The ledger as it grows, for open pages and for programs that wait for something:
//! server-sent events.

use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use waterwatch_core::alarm::Kind as EventKind;

use super::events::{newest, point_asked, sequence, source_asked};
use super::words::Word;
use crate::shown;
use crate::shown::event::EventObject;
use crate::store::reader::Asked;
use crate::web::access::Caller;
use crate::web::asker::Asker;
use crate::web::extract::{List, QueryString, source_schema};
use crate::web::following::Following;
use crate::web::problem::{Kind, Problem};
use crate::web::{Deadline, Web};

/// By which a browser says what it has seen last.
const LAST_EVENT_ID: &str = "last-event-id";

/// How long a sequence may be ahead of what is known to be recorded: whoever reads
/// the ledger, or has done something, knows of it a moment before that is told.
const AHEAD: Duration = Duration::from_millis(500);

/// What is followed.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StreamQuery {
    /// Only of this source: a station's id, area:NAME or server. What is said of many stations at once is of each.
    #[param(schema_with = source_schema, example = "123")]
    source: Option<String>,
    /// Only of this point.
    #[param(value_type = Option<shown::words::AlarmPoint>)]
    point: Option<String>,
    /// Only of these kinds, with commas between them.
    #[serde(default)]
    #[param(value_type = Option<Vec<shown::words::EventKind>>, style = Form, explode = false, min_items = 1)]
    kind: List<Word<EventKind>>,
    /// Only of this area, and of the stations that are in it.
    area: Option<String>,
    /// From after this sequence on; else only what is recorded from now on. `Last-Event-ID` goes before.
    #[param(minimum = 0)]
    after: Option<i64>,
}

/// Follow the ledger
///
/// Server-sent events: `id` is the entry's sequence, `event` its kind, `data` the entry. Whoever was cut off sends the
/// last id as `Last-Event-ID` (browsers do so by themselves), and misses and repeats nothing. An id without data
/// says up to where there was nothing to tell; an entry that this version cannot read is the event `unreadable`. Every
/// 15 s something comes. A reader who takes nothing for `reply_timeout_s` is cut off; one who ends the connection, or
/// only their side of it, is gone. An id beyond the newest entry is 422: it is of another database.
#[utoipa::path(get, path = "/events/stream", tag = "events",
    params(StreamQuery, ("Last-Event-ID" = Option<i64>, Header, description = "The last id that was seen")),
    responses((status = 200, description = "The entries, as they are recorded", body = EventObject, content_type = "text/event-stream"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn stream(
    State(web): State<Web>,
    Extension(deadline): Extension<Deadline>,
    Extension(asker): Extension<Asker>,
    caller: Caller,
    headers: HeaderMap,
    QueryString(query): QueryString<StreamQuery>,
) -> Result<Response, Problem> {
    if let Some(trouble) = web.feed.trouble() {
        return Err(Problem::new(Kind::Unavailable, trouble));
    }
    let StreamQuery { source, point, kind, area, after } = query;
    let asked = Asked {
        source: source.as_deref().map(source_asked).transpose()?,
        point: point.as_deref().map(point_asked).transpose()?,
        kinds: kind.0.into_iter().map(|Word(kind)| kind).collect(),
        area: area.map(Into::into),
        bytes_max: Some(Asked::BYTES_MAX),
        ..Asked::default()
    };
    // The address of a page is asked for again with the `after` of its beginning.
    let position = match (last_seen(&headers)?, sequence("after", after)?) {
        (Some(seen), _) => Some((LAST_EVENT_ID, seen)),
        (None, after) => after.map(|after| ("after", after)),
    };
    let position = match position {
        Some((field, position)) => recorded(&web, deadline, field, position).await?,
        None => newest(&web, deadline).await?,
    };
    let place = web
        .feed
        .place()
        .ok_or_else(|| Problem::new(Kind::Unavailable, "too many streams are open (http_streams_max)"))?;
    let following = Following::new(web, place, caller.0.name.clone(), asker, asked, position);
    let frames = stream::unfold(following, async |mut following| {
        let frame = following.next().await?;
        Some((Ok::<_, std::convert::Infallible>(frame), following))
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        // A proxy that collects what it passes on would keep it back.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    Ok((headers, Body::from_stream(frames)).into_response())
}

/// What the header says; an empty one is as none.
fn last_seen(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(said) = headers.get(LAST_EVENT_ID).filter(|said| !said.is_empty()) else { return Ok(None) };
    let seen = said.to_str().ok().and_then(|said| said.trim().parse().ok());
    let unfit = || Problem::unfit(LAST_EVENT_ID, "it must be the id of an event, a whole number");
    sequence(LAST_EVENT_ID, Some(seen.ok_or_else(unfit)?))
}

/// The sequence, if it is recorded.
async fn recorded(web: &Web, deadline: Deadline, field: &'static str, position: i64) -> Result<i64, Problem> {
    if web.feed.records(position, AHEAD).await {
        return Ok(position);
    }
    // Where very much happens, those who look at alarms are behind the ledger.
    let newest = newest(web, deadline).await?;
    if position <= newest {
        return Ok(position);
    }
    let detail = format!(
        "it is beyond the newest entry, and so of another database; read what there is, and follow from {newest} on"
    );
    Err(Problem::unfit(field, detail))
}
