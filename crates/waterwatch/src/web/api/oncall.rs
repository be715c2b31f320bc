//! Who has duty in each rota, now and ahead.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::Deserialize;

use crate::shown::duty::DutiesObject;
use crate::web::Web;
use crate::web::extract::{QueryString, time_or_none};
use crate::web::problem::Problem;

/// How many days ahead are told if nobody says.
const DAYS: u16 = 14;

/// How many may be.
const DAYS_MAX: u16 = 366;

const DAY_MS: i64 = 24 * 3_600_000;

/// For when duties are asked.
// Not imported: what the macros write would be a path too long then.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// From then on, RFC 3339; without it, from now on.
    #[serde(default, deserialize_with = "time_or_none")]
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Shifts that begin within so many days, 1 to 366.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 366, example = 14)]
    days: Option<u16>,
}

/// Who has duty
///
/// Each rota of the configuration, with its shifts: the present one first, and those that begin
/// within the days asked for. Somebody who follows themselves has one shift.
#[utoipa::path(get, path = "/oncall", tag = "on call", params(Asked), responses((status = 200, body = DutiesObject)))]
pub(super) async fn oncall(
    State(web): State<Web>,
    QueryString(asked): QueryString<Asked>,
) -> Result<Json<DutiesObject>, Problem> {
    let days = asked.days.unwrap_or(DAYS);
    if !(1..=DAYS_MAX).contains(&days) {
        return Err(Problem::unfit("days", format!("it must be from 1 to {DAYS_MAX}")));
    }
    let from_ms = asked.from.unwrap_or_else(Timestamp::now).as_millisecond();
    let until_ms = from_ms.saturating_add(i64::from(days) * DAY_MS);
    Ok(Json(DutiesObject::of(&web.plan.get(), from_ms, until_ms)))
}
