//! What handlers are given: queries and paths that were checked, with an error that names
//! the field. Bodies are in `body.rs`.

use std::fmt;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use waterwatch_core::StationId;
use waterwatch_core::alarm::{AlarmSource, Point};

use super::Web;
use super::problem::{Kind, Problem};
use super::wording::unfit;
use crate::station_says::NAME_CHARS_MAX;
use crate::store::AlarmKey;

pub(super) use super::body::{Json, JsonObject, json_body, read};
pub(super) use super::numbers::{NumberOrText, digits_schema, number_or_text, source_schema};

/// A query; what it must not have is named.
pub(super) struct QueryString<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Web> for QueryString<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _web: &Web) -> Result<QueryString<T>, Problem> {
        let query = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        query.map(|query| QueryString(query.0)).map_err(|rejection| {
            let text = rejection.body_text();
            let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
            match text.split_once(": ") {
                Some((field, message)) if !field.contains(' ') => unfit(field, message),
                _ => unfit("", text),
            }
        })
    }
}

/// Values with commas between them, such as `unacknowledged,acknowledged`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct List<T>(pub(super) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> List<T> {
        List(Vec::new())
    }
}

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<List<T>, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.split(',').any(str::is_empty) {
            // What is left empty by mistake must not mean all.
            return Err(D::Error::custom("a word is missing; leave the filter out for all"));
        }
        let values = text.split(',').map(str::parse);
        values.collect::<Result<_, _>>().map(List).map_err(D::Error::custom)
    }
}

/// How much of a source that there is not is repeated.
const SOURCE_CHARS_MAX: usize = 80;

/// `/…/{source}/{point}`: which alarm.
pub(super) struct AlarmPath(pub(super) AlarmKey);

impl FromRequestParts<Web> for AlarmPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<AlarmPath, Problem> {
        let Path((source, point)) = path::<(String, String)>(parts, web).await?;
        let source = source_of(&source).ok_or_else(|| no_source(&source))?;
        let point =
            Point::from_name(&point).filter(|point| Point::of(&source).contains(point)).ok_or_else(|| {
                let points: Vec<&str> = Point::of(&source).iter().map(|point| point.name()).collect();
                let source: String = source.to_string().chars().take(SOURCE_CHARS_MAX).collect();
                Problem::new(
                    Kind::NotFound,
                    format!("{source} has no such point; it has {}", points.join(", ")),
                )
            })?;
        Ok(AlarmPath((source, point)))
    }
}

/// `/…/{id}`: which station.
pub(super) struct StationPath(pub(super) StationId);

impl FromRequestParts<Web> for StationPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<StationPath, Problem> {
        let Path(id) = path::<String>(parts, web).await?;
        let id = StationId::from_digits(id.as_bytes()).ok_or_else(|| {
            Problem::new(Kind::NotFound, format!("a station's id is a number from 0 to {}", StationId::MAX))
        })?;
        Ok(StationPath(id))
    }
}

/// `/…/{name}`: which area, or which token.
pub(super) struct NamePath(pub(super) String);

impl FromRequestParts<Web> for NamePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<NamePath, Problem> {
        Ok(NamePath(path::<String>(parts, web).await?.0))
    }
}

/// Which alarm, for the OpenAPI document.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "it describes what `AlarmPath` reads")]
pub(super) struct AlarmParams {
    /// A station's id, area:NAME or server.
    source: String,
    /// Which of its alarms.
    point: String,
}

/// Which station, for the OpenAPI document.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "it describes what `StationPath` reads")]
pub(super) struct StationParams {
    /// The station's id.
    id: String,
}

/// A text that can be printed, and is not empty, for the OpenAPI document.
pub(super) fn printable(chars_max: usize) -> ObjectBuilder {
    let text = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(chars_max));
    text.pattern(Some(r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"))
}

async fn path<T: DeserializeOwned + Send>(parts: &mut Parts, web: &Web) -> Result<Path<T>, Problem> {
    Path::<T>::from_request_parts(parts, web)
        .await
        .map_err(|_| Problem::new(Kind::NotFound, "there is no such page: its path cannot be read as UTF-8"))
}

/// Reads `123`, `area:North`, `area/North` or `server`.
pub(super) fn source_of(text: &str) -> Option<AlarmSource> {
    if text == "server" {
        return Some(AlarmSource::Server);
    }
    match text.strip_prefix("area:").or_else(|| text.strip_prefix("area/")) {
        Some(name) => {
            let may_be = (1..=NAME_CHARS_MAX).contains(&name.chars().count());
            may_be.then(|| AlarmSource::Area(name.into()))
        }
        None => StationId::from_digits(text.as_bytes()).map(AlarmSource::Station),
    }
}

fn no_source(text: &str) -> Problem {
    let text: String = text.escape_debug().take(SOURCE_CHARS_MAX).collect();
    Problem::new(
        Kind::NotFound,
        format!("\"{text}\" has no alarms; write a station's id such as 123, area:NAME, or server"),
    )
}

/// A time in a body.
pub(super) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let unfit = || D::Error::custom("it must be a time such as 2026-11-24T18:00:00Z");
    let text = String::deserialize(deserializer).map_err(|_| unfit())?;
    text.parse().map_err(|_| unfit())
}

/// A time in a query, if it is there.
pub(super) fn time_or_none<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Timestamp>, D::Error> {
    time(deserializer).map(Some)
}
