//! What is said of all stations, page by page.

use axum::Json as Answer;
use axum::extract::{Extension, State};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::schema::StationSaid;
use crate::said_json::object;
use crate::said_tag::SaidTag;
use crate::store::reader::{SaidOfOne, WhoseSaid};
use crate::web::api::alarms::limit;
use crate::web::api::read;
use crate::web::api::stations::station_after;
use crate::web::extract::{QueryString, digits_schema};
use crate::web::problem::Problem;
use crate::web::{Deadline, Web};

/// Which stations are asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::web::api) struct StationsSaidQuery {
    /// Only stations of this area.
    area: Option<String>,
    /// At most so many, 1 to 1,000.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000, example = 100)]
    limit: Option<usize>,
    /// Those after this station: `next` of the page before.
    #[param(schema_with = digits_schema)]
    after: Option<String>,
}

/// A page of what is said of stations.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web::api) struct StationsSaidObject {
    /// Those of whom anything is said, by their ids.
    stations: Vec<StationSaidObject>,
    /// Where the next page goes on: `after`; null if this is the last.
    next: Option<String>,
}

/// What is said of one.
#[derive(Debug, Serialize, ToSchema)]
struct StationSaidObject {
    /// Its number.
    station_id: i64,
    /// The same as a text.
    id: String,
    /// All that is said of it, which can be put as it is.
    #[schema(value_type = StationSaid)]
    said: Map<String, Value>,
    /// Rows of it that cannot be meant, after somebody's hand: they count for nothing until it is put anew.
    ignored: Vec<String>,
    /// What `ETag` has in quotes, for If-Match.
    tag: String,
}

/// What is said of all stations
///
/// Page by page, by their ids. A page may be short, where there are many texts, and have a `next`.
#[utoipa::path(get, path = "/stations/settings", tag = "settings", params(StationsSaidQuery),
    responses((status = 200, body = StationsSaidObject)))]
pub(in crate::web::api) async fn stations(
    State(web): State<Web>,
    Extension(deadline): Extension<Deadline>,
    QueryString(StationsSaidQuery { area, limit: asked, after }): QueryString<StationsSaidQuery>,
) -> Result<Answer<StationsSaidObject>, Problem> {
    let limit = limit(asked)?;
    let after = after.as_deref().map(station_after).transpose()?;
    let page = read(&web, deadline, move |reader| {
        let which = area.as_deref().map_or(WhoseSaid::All, WhoseSaid::OfArea);
        reader.said_of_stations(after, which, limit)
    })
    .await?;
    let next = page.stations.last().filter(|_| page.has_more).map(|last| last.station.to_string());
    let one = |SaidOfOne { station, says, ignored }: SaidOfOne| StationSaidObject {
        station_id: station.get(),
        id: station.to_string(),
        said: object(&says),
        ignored,
        tag: SaidTag::of(&says.told()).to_string(),
    };
    Ok(Answer(StationsSaidObject { stations: page.stations.into_iter().map(one).collect(), next }))
}
