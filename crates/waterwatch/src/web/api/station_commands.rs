//! What operators do to stations as a whole.

use axum::Json as Answer;
use axum::extract::State;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::order::{ByOrder, ByQuery, DoneObject, Person, Reason, ReasonOrder, UntilOrder, obey};
use super::settings::tag::{IfMatch, IfMatchParams};
use crate::command::What;
use crate::web::Web;
use crate::web::access::Caller;
use crate::web::extract::{Json, QueryString, StationParams, StationPath, time};
use crate::web::problem::Problem;

/// Pause a station
///
/// Until a time its silence is no alarm; its contacts go on. It is its `comms` taken out of service.
#[utoipa::path(post, path = "/stations/{id}/pause", tag = "stations", request_body = UntilOrder,
    params(StationParams),
    responses((status = 200, body = DoneObject), (status = 409, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn pause(
    State(web): State<Web>,
    caller: Caller,
    StationPath(station): StationPath,
    Json(order): Json<UntilOrder>,
) -> Result<Answer<DoneObject>, Problem> {
    let what = What::Pause { station, until_ms: order.until.as_millisecond(), reason: order.reason.into() };
    obey(&web, &caller, order.on_behalf_of.as_deref(), what).await
}

/// End a pause, or a retirement
///
/// Of one that is retired the retirement ends, as if it had reported: its silence is judged again, and what it said last
/// is on raises.
#[utoipa::path(post, path = "/stations/{id}/resume", tag = "stations", request_body = ByOrder,
    params(StationParams),
    responses((status = 200, body = DoneObject), (status = 409, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn resume(
    State(web): State<Web>,
    caller: Caller,
    StationPath(station): StationPath,
    Json(order): Json<ByOrder>,
) -> Result<Answer<DoneObject>, Problem> {
    obey(&web, &caller, order.on_behalf_of.as_deref(), What::Resume { station }).await
}

/// Somebody is at a station.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VisitOrder {
    /// When they will have left at the latest, RFC 3339.
    #[schema(value_type = String, format = DateTime, example = "2099-11-24T18:00:00Z")]
    #[serde(deserialize_with = "time")]
    until: Timestamp,
    /// What for.
    #[schema(value_type = Option<Reason>, example = "yearly inspection")]
    #[serde(default)]
    reason: Option<String>,
    /// Who it is, if it is not whom the token names: the ledger names both.
    #[schema(value_type = Option<Person>, example = "Ana")]
    #[serde(default)]
    on_behalf_of: Option<String>,
}

/// Say that somebody is at a station
///
/// What is raised meanwhile is raised as ever, and says that somebody is there. Asked again, it says anew until when.
#[utoipa::path(post, path = "/stations/{id}/visit", tag = "stations", request_body = VisitOrder,
    params(StationParams),
    responses((status = 200, body = DoneObject), (status = 409, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn begin_visit(
    State(web): State<Web>,
    caller: Caller,
    StationPath(station): StationPath,
    Json(order): Json<VisitOrder>,
) -> Result<Answer<DoneObject>, Problem> {
    let until_ms = order.until.as_millisecond();
    let what = What::BeginVisit { station, until_ms, reason: order.reason.map(Into::into) };
    obey(&web, &caller, order.on_behalf_of.as_deref(), what).await
}

/// Say that nobody is at a station any more
#[utoipa::path(post, path = "/stations/{id}/end-visit", tag = "stations", request_body = ByOrder,
    params(StationParams),
    responses((status = 200, body = DoneObject), (status = 409, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn end_visit(
    State(web): State<Web>,
    caller: Caller,
    StationPath(station): StationPath,
    Json(order): Json<ByOrder>,
) -> Result<Answer<DoneObject>, Problem> {
    obey(&web, &caller, order.on_behalf_of.as_deref(), What::EndVisit { station }).await
}

/// Forget a station that nobody has named
///
/// An id that somebody invented or mistyped: nothing of it is kept but the ledger. Should it report again, it is new.
#[utoipa::path(delete, path = "/stations/{id}", tag = "stations",
    params(StationParams, ByQuery, IfMatchParams),
    responses((status = 200, body = DoneObject),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 412, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn forget(
    State(web): State<Web>,
    caller: Caller,
    StationPath(station): StationPath,
    QueryString(ByQuery { on_behalf_of }): QueryString<ByQuery>,
    IfMatch(if_said): IfMatch,
) -> Result<Answer<DoneObject>, Problem> {
    obey(&web, &caller, on_behalf_of.as_deref(), What::Forget { station, if_said }).await
}

/// Retire a station
///
/// It is no more: nothing of it is an alarm, and its silence is none. Its history stays. Should it report again, it is back.
#[utoipa::path(post, path = "/stations/{id}/retire", tag = "stations", request_body = ReasonOrder,
    params(StationParams),
    responses((status = 200, body = DoneObject), (status = 409, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn retire(
    State(web): State<Web>,
    caller: Caller,
    StationPath(station): StationPath,
    Json(order): Json<ReasonOrder>,
) -> Result<Answer<DoneObject>, Problem> {
    let what = What::Retire { station, reason: order.reason.into() };
    obey(&web, &caller, order.on_behalf_of.as_deref(), what).await
}
