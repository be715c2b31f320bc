//! The ledger: what happened, page by page, as JSON and as CSV.

mod export;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waterwatch_core::alarm::{AlarmSource, Kind as EventKind, Point};

use super::words::Word;
use crate::shown;
use crate::shown::event::{EventObject, UnreadableObject};
use crate::store::reader::{Asked, Page, Reader, Window};
use crate::web::access::Caller;
use crate::web::api::read;
use crate::web::extract::{List, QueryString, source_of, source_schema, time_or_none};
use crate::web::problem::Problem;
use crate::web::{Deadline, Web};

/// Entries of a page, if nothing is said.
const LIMIT: u64 = 100;

/// Entries of a page, at most.
const LIMIT_MAX: u64 = 1_000;

/// Which part of the ledger is asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
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
    /// Only of this area, and of the stations that are in it now.
    area: Option<String>,
    /// Only what this person or token did.
    by: Option<String>,
    /// Only of this occurrence.
    #[param(value_type = Option<i64>, minimum = 0)]
    occurrence: Option<i64>,
    /// Only what the server came to know since then.
    #[serde(default, deserialize_with = "time_or_none")]
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Only what had happened by then.
    #[serde(default, deserialize_with = "time_or_none")]
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// Only entries after this sequence, the oldest first.
    #[param(value_type = Option<i64>, minimum = 0)]
    after: Option<i64>,
    /// Only entries before this sequence, the newest first: so they are without `after`, too.
    #[param(value_type = Option<i64>, minimum = 0)]
    before: Option<i64>,
    /// At most so many: as JSON up to 1,000, or 100 if nothing is said; as CSV any number, or all.
    #[param(value_type = Option<i64>, minimum = 1, example = 100)]
    limit: Option<u64>,
}

/// A part of the ledger.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventsObject {
    /// Its entries: the oldest first after `after`, else the newest first.
    events: Vec<EventObject>,
    /// Those among them that this version cannot read, of a newer one or damaged, in the same order: each takes the
    /// place of one.
    unreadable: Vec<UnreadableObject>,
    /// Where to read on: the next `after`, if that was given, else the next `before`. Null: there is no more. A page
    /// with few entries, or none, may have one: so much is looked at for a page and no more.
    #[schema(example = "4711")]
    next: Option<String>,
}

/// Read the ledger
///
/// Every entry is written once and never changed; pages by `after` and `before` never skip or repeat one.
/// `Accept: text/csv` gives CSV (RFC 4180, UTF-8, with a header, times in UTC), of any length: the whole ledger from its
/// beginning by `after=0`. A cell that a spreadsheet would run has a ' before it.
#[utoipa::path(get, path = "/events", tag = "events", params(EventsQuery), responses(
    (status = 200, description = "Entries of the ledger", content((EventsObject = "application/json"), (String = "text/csv"))),
    (status = 422, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn events(
    State(web): State<Web>,
    Extension(deadline): Extension<Deadline>,
    caller: Caller,
    headers: HeaderMap,
    QueryString(query): QueryString<EventsQuery>,
) -> Result<Response, Problem> {
    let limit = query.limit;
    let mut asked = query.read()?;
    if limit == Some(0) {
        return Err(Problem::unfit("limit", "it must be at least 1"));
    }
    if wants_csv(&headers) {
        return export::answer(web, caller.0.name.clone(), deadline, asked, limit).await;
    }
    let limit = limit.unwrap_or(LIMIT);
    if limit > LIMIT_MAX {
        return Err(Problem::unfit("limit", format!("it may be {LIMIT_MAX} at most, but as CSV")));
    }
    asked.entries_max = usize::try_from(limit).unwrap_or(usize::MAX);
    let is_newest_first = !matches!(asked.window, Window::After(_));
    let read = read(&web, deadline, move |reader| {
        let page = reader.events(&asked)?;
        Ok(object(&page, is_newest_first))
    });
    Ok(Json(read.await?).into_response())
}

fn object(page: &Page, is_newest_first: bool) -> EventsObject {
    let mut events: Vec<EventObject> =
        page.events.iter().map(|event| EventObject::new(event, &page.listeners)).collect();
    let mut unreadable: Vec<_> = page.unreadable.iter().map(UnreadableObject::new).collect();
    if is_newest_first {
        events.reverse();
        unreadable.reverse();
    }
    let next = page.next.and_then(|next| match next {
        Window::After(sequence) | Window::Before(sequence) => Some(sequence.to_string()),
        Window::Newest => None,
    });
    EventsObject { events, unreadable, next }
}

impl EventsQuery {
    /// What is asked for, but for how much.
    fn read(self) -> Result<Asked, Problem> {
        let EventsQuery { source, point, kind, area, by, occurrence, since, until, after, before, limit: _ } =
            self;
        let window = match (sequence("after", after)?, sequence("before", before)?) {
            (Some(_), Some(_)) => return Err(Problem::unfit("before", "give either after or before")),
            (Some(after), None) => Window::After(after),
            (None, Some(before)) => Window::Before(before),
            (None, None) => Window::Newest,
        };
        if since.zip(until).is_some_and(|(since, until)| since > until) {
            return Err(Problem::unfit("until", "it must not be before `since`"));
        }
        Ok(Asked {
            source: source.as_deref().map(source_asked).transpose()?,
            point: point.as_deref().map(point_asked).transpose()?,
            kinds: kind.0.into_iter().map(|Word(kind)| kind).collect(),
            area: area.map(Into::into),
            by: by.map(Into::into),
            occurrence: sequence("occurrence", occurrence)?,
            since_ms: since.map(Timestamp::as_millisecond),
            until_ms: until.map(Timestamp::as_millisecond),
            window,
            entries_max: 0,
            bytes_max: Some(Asked::BYTES_MAX),
        })
    }
}

/// The sequence of the newest entry, or 0. Those who look at alarms may know of it a
/// moment later.
pub(super) async fn newest(web: &Web, deadline: Deadline) -> Result<i64, Problem> {
    let asked = Asked { entries_max: 1, ..Asked::default() };
    read(web, deadline, move |reader: &Reader| Ok(reader.events(&asked)?.last().unwrap_or(0))).await
}

/// A sequence, which is never negative.
pub(super) fn sequence(field: &'static str, said: Option<i64>) -> Result<Option<i64>, Problem> {
    match said {
        Some(sequence) if sequence < 0 => Err(Problem::unfit(field, "it must not be negative")),
        said => Ok(said),
    }
}

/// The source of that name.
pub(super) fn source_asked(text: &str) -> Result<AlarmSource, Problem> {
    source_of(text).ok_or_else(|| {
        Problem::unfit("source", "a source is a station's id such as 123, area:NAME, or server")
    })
}

/// The point of that name.
pub(super) fn point_asked(name: &str) -> Result<Point, Problem> {
    let names = || Point::ALL.iter().map(|point| point.name()).collect::<Vec<_>>().join(", ");
    Point::from_name(name).ok_or_else(|| Problem::unfit("point", format!("a point is one of {}", names())))
}

/// Whether CSV is wanted rather than JSON: whichever is named first, but for what is
/// named as not acceptable (RFC 9110, section 12.4.2).
fn wants_csv(headers: &HeaderMap) -> bool {
    let said = headers.get_all(header::ACCEPT).iter().filter_map(|said| said.to_str().ok());
    let known = |range: &str| {
        let (essence, weight) = range.split_once(';').unwrap_or((range, ""));
        let weight = weight.trim().to_ascii_lowercase();
        let is_refused = weight.strip_prefix("q=").is_some_and(|weight| weight.parse() == Ok(0.0));
        match essence.trim().to_ascii_lowercase().as_str() {
            _ if is_refused => None,
            "text/csv" => Some(true),
            "application/json" | "application/*" | "*/*" => Some(false),
            _ => None,
        }
    };
    said.flat_map(|said| said.split(',')).find_map(known).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_is_given_to_those_who_name_it_first() {
        let wants = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            wants_csv(&headers)
        };
        assert!(wants("text/csv") && wants("text/plain, TEXT/CSV;q=0.9, */*"));
        assert!(!wants("application/json, text/csv") && !wants("*/*") && !wants("text/plain"));
        assert!(
            !wants("text/csv;q=0, */*") && !wants("text/csv; Q=0.000") && wants("*/*;q=0, text/csv;q=0.1")
        );
        assert!(!wants_csv(&HeaderMap::new()));
    }
}
