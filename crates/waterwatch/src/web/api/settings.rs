//! Settings: what people say of stations, for areas and for the fleet, and what holds.

mod holds;
pub(super) mod listed;
mod schema;
pub(super) mod tag;

use axum::Json as Answer;
use axum::extract::{Extension, State};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa::openapi::schema::ObjectBuilder;
use waterwatch_core::settings::{Said, text};

use self::holds::{From, HoldsObject};
use self::schema::{ScopeSaid, StationSaid};
use self::tag::{IfMatchParams, IfNoneMatchParams, OnlyIf, Tagged};
use super::alarms::limit;
use super::order::{ByQuery, DoneObject, obey};
use super::read;
use crate::command::What;
use crate::said_json::{object, said};
use crate::said_tag::SaidTag;
use crate::station_says::NAME_CHARS_MAX;
use crate::store::reader::{Reader, SaidForFleet};
use crate::web::access::Caller;
use crate::web::extract::{JsonObject, NamePath, QueryString, StationParams, StationPath, printable};
use crate::web::problem::Problem;
use crate::web::{Deadline, Web};

/// The settings of a station.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StationSettingsObject {
    /// All that is said of it, which can be put as it is.
    #[schema(value_type = StationSaid)]
    said: Map<String, Value>,
    /// Rows of it that cannot be meant, after somebody's hand: they count for nothing until it is put anew.
    ignored: Vec<String>,
    /// What holds for it.
    holds: HoldsObject,
}

/// The settings of a station
///
/// What is said of it, and what holds, with who says so: the station, its area, the fleet, the configuration, or
/// nobody. A station that was never heard has them, too.
#[utoipa::path(get, path = "/stations/{id}/settings", tag = "settings",
    params(StationParams),
    responses((status = 200, body = StationSettingsObject, headers(("ETag" = String, description = "The tag of `said`, for If-Match")))))]
pub(super) async fn station(
    State(web): State<Web>,
    Extension(deadline): Extension<Deadline>,
    StationPath(id): StationPath,
) -> Result<Tagged<StationSettingsObject>, Problem> {
    let read = read(&web, deadline, move |reader| reader.said_of_station(id)).await?;
    let scopes = [
        (From::Station, read.station.judged()),
        (From::Area, &read.area),
        (From::Fleet, &read.fleet),
        (From::Configuration, &web.configured),
    ];
    let tag = SaidTag::of(&read.station.told());
    let (said, holds) = (object(&read.station), HoldsObject::of(&scopes));
    Ok(Tagged(tag, StationSettingsObject { said, ignored: read.ignored, holds }))
}

/// Say this of a station
///
/// In place of all that was said of it: what is left out comes from its area or the fleet. It need not have been heard
/// yet. An empty object says nothing of it any more. It holds once it is answered.
#[utoipa::path(put, path = "/stations/{id}", tag = "settings", request_body = StationSaid,
    params(StationParams, ByQuery, IfMatchParams, IfNoneMatchParams),
    responses((status = 200, body = DoneObject),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 412, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn put_station(
    State(web): State<Web>,
    caller: Caller,
    StationPath(station): StationPath,
    QueryString(ByQuery { on_behalf_of }): QueryString<ByQuery>,
    only: OnlyIf,
    JsonObject(body): JsonObject,
) -> Result<Answer<DoneObject>, Problem> {
    let what = What::SetStation { station, says: Box::new(said(&body)?), if_said: only.said() };
    only.told(obey(&web, &caller, on_behalf_of.as_deref(), what).await)
}

/// Which areas are asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AreasQuery {
    /// At most so many, 1 to 1,000.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000, example = 100)]
    limit: Option<usize>,
    /// Those after this name: `next` of the page before.
    after: Option<String>,
}

/// A page of the areas.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AreasObject {
    /// Those in which a station is, or for which something is said, by name.
    areas: Vec<AreaRowObject>,
    /// Where the next page goes on: `after`; null if this is the last.
    next: Option<String>,
}

/// One area.
#[derive(Debug, Serialize, ToSchema)]
struct AreaRowObject {
    /// What it is called.
    #[schema(example = "North")]
    name: String,
    /// How many stations are in it, heard or not.
    stations: u32,
}

/// The areas
#[utoipa::path(get, path = "/areas", tag = "settings", params(AreasQuery), responses((status = 200, body = AreasObject)))]
pub(super) async fn areas(
    State(web): State<Web>,
    Extension(deadline): Extension<Deadline>,
    QueryString(asked): QueryString<AreasQuery>,
) -> Result<Answer<AreasObject>, Problem> {
    let limit = limit(asked.limit)?;
    let after = asked.after.unwrap_or_default();
    let mut rows = read(&web, deadline, move |reader| reader.areas(&after, limit + 1)).await?;
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| has_more).map(|(name, _)| name.clone());
    let areas = rows.into_iter().map(|(name, stations)| AreaRowObject { name, stations }).collect();
    Ok(Answer(AreasObject { areas, next }))
}

/// The settings of an area.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AreaSettingsObject {
    /// What it is called.
    #[schema(example = "North")]
    name: String,
    /// How many stations are in it, heard or not.
    stations: u32,
    /// All that is said for them, which can be put as it is.
    #[schema(value_type = ScopeSaid)]
    said: Map<String, Value>,
    /// Rows of it that cannot be meant, after somebody's hand: they count for nothing until it is put anew.
    ignored: Vec<String>,
    /// What holds for those of them that say nothing else.
    holds: HoldsObject,
}

/// Which area, for the OpenAPI document.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "it describes what `NamePath` reads")]
struct AreaParams {
    /// Its name.
    #[param(schema_with = area_schema)]
    area: String,
}

fn area_schema() -> ObjectBuilder {
    printable(NAME_CHARS_MAX)
}

/// The settings of an area
///
/// An area that has no stations yet has them, too.
#[utoipa::path(get, path = "/areas/{area}", tag = "settings",
    params(AreaParams),
    responses((status = 200, body = AreaSettingsObject, headers(("ETag" = String, description = "The tag of `said`, for If-Match")))))]
pub(super) async fn area(
    State(web): State<Web>,
    Extension(deadline): Extension<Deadline>,
    NamePath(name): NamePath,
) -> Result<Tagged<AreaSettingsObject>, Problem> {
    let name = area_name(&name)?;
    let asked = name.clone();
    let read = read(&web, deadline, move |reader| reader.said_for_area(&asked)).await?;
    let scopes =
        [(From::Area, &read.area), (From::Fleet, &read.fleet), (From::Configuration, &web.configured)];
    let holds = HoldsObject::of(&scopes);
    let said = object(&read.area);
    let tag = SaidTag::of(&read.area.told());
    let (stations, ignored) = (read.stations, read.ignored);
    Ok(Tagged(tag, AreaSettingsObject { name: name.into(), stations, said, ignored, holds }))
}

/// Say this for an area
///
/// In place of all that was said for its stations. It need not have any yet. It holds once it is answered.
#[utoipa::path(put, path = "/areas/{area}", tag = "settings", request_body = ScopeSaid,
    params(AreaParams, ByQuery, IfMatchParams, IfNoneMatchParams),
    responses((status = 200, body = DoneObject),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 412, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn put_area(
    State(web): State<Web>,
    caller: Caller,
    NamePath(name): NamePath,
    QueryString(ByQuery { on_behalf_of }): QueryString<ByQuery>,
    only: OnlyIf,
    JsonObject(body): JsonObject,
) -> Result<Answer<DoneObject>, Problem> {
    let what = What::SetArea { area: area_name(&name)?, says: Box::new(said(&body)?), if_said: only.said() };
    only.told(obey(&web, &caller, on_behalf_of.as_deref(), what).await)
}

/// As the writer takes it.
fn area_name(name: &str) -> Result<Box<str>, Problem> {
    text("area", Said::Text(name), NAME_CHARS_MAX).map_err(|unfit| Problem::unfit("area", unfit.to_string()))
}

/// The settings of the fleet.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FleetSettingsObject {
    /// All that people say for it, which can be put as it is.
    #[schema(value_type = ScopeSaid)]
    said: Map<String, Value>,
    /// What the configuration says, as far as it could be put, too.
    #[schema(value_type = ScopeSaid)]
    configured: Map<String, Value>,
    /// Rows of it that cannot be meant, after somebody's hand: they count for nothing until it is put anew.
    ignored: Vec<String>,
    /// What holds for stations that say nothing else, and whose area does not.
    holds: HoldsObject,
}

/// The settings of the fleet
#[utoipa::path(get, path = "/settings", tag = "settings", responses((status = 200, body = FleetSettingsObject, headers(("ETag" = String, description = "The tag of `said`, for If-Match")))))]
pub(super) async fn fleet(
    State(web): State<Web>,
    Extension(deadline): Extension<Deadline>,
) -> Result<Tagged<FleetSettingsObject>, Problem> {
    let SaidForFleet { says, ignored } = read(&web, deadline, Reader::said_for_fleet).await?;
    let holds = HoldsObject::of(&[(From::Fleet, &says), (From::Configuration, &web.configured)]);
    let tag = SaidTag::of(&says.told());
    let (said, configured) = (object(&says), object(&web.configured));
    Ok(Tagged(tag, FleetSettingsObject { said, configured, ignored, holds }))
}

/// Say this for the fleet
///
/// Over what the configuration says, and in place of all that people said for it. It holds once it is answered.
#[utoipa::path(put, path = "/settings", tag = "settings", request_body = ScopeSaid,
    params(ByQuery, IfMatchParams, IfNoneMatchParams),
    responses((status = 200, body = DoneObject),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 412, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn put_fleet(
    State(web): State<Web>,
    caller: Caller,
    QueryString(ByQuery { on_behalf_of }): QueryString<ByQuery>,
    only: OnlyIf,
    JsonObject(body): JsonObject,
) -> Result<Answer<DoneObject>, Problem> {
    let what = What::SetFleet { says: Box::new(said(&body)?), if_said: only.said() };
    only.told(obey(&web, &caller, on_behalf_of.as_deref(), what).await)
}
