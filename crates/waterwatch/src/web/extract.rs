//! What handlers are given: bodies, queries and paths that were checked, with an
//! error that names the field.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde_json::Value;
use tokio::time::{timeout, timeout_at};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use waterwatch_core::StationId;
use waterwatch_core::alarm::{AlarmSource, Point};

use super::access::Caller;
use super::problem::{Kind, Problem};
use super::{Deadline, Web, wording};
use crate::store::AlarmKey;

pub(super) use super::numbers::{NumberOrText, digits_schema, number_or_text, source_schema};

/// A body of JSON.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Web> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, web: &Web) -> Result<Json<T>, Problem> {
        let bytes = json_body(request, web).await?;
        if bytes.trim_ascii_start().first() == Some(&b'[') {
            return Err(Problem::new(Kind::Unfit, "the body must be an object"));
        }
        read(&bytes).map(Json)
    }
}

/// The bytes of a body that says that it is JSON.
pub(super) async fn json_body(request: Request, web: &Web) -> Result<Bytes, Problem> {
    is_json(request.headers())?;
    let caller = request.extensions().get::<Caller>().cloned();
    let bytes = body(request, web.limits.http_body_bytes_max).await?;
    // A body may take its time, and its token may be revoked meanwhile.
    if let Some(Caller(token)) = caller
        && !web.tokens.named(&token.name).is_some_and(|(_, token)| token.is_valid())
    {
        return Err(Problem::new(Kind::Unauthorized, "this token was revoked while the request arrived"));
    }
    Ok(bytes)
}

/// How much of a field's place is named: whoever nests a thousand arrays knows
/// where.
const FIELD_CHARS_MAX: usize = 100;

/// Reads a body of JSON; a field that is wrong is named.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path: String = error.path().to_string().chars().take(FIELD_CHARS_MAX).collect();
        let inner = error.into_inner();
        let message = inner.to_string();
        match inner.classify() {
            serde_json::error::Category::Data => unfit(&path, &message),
            _ => Problem::new(Kind::BadRequest, format!("the body is no JSON: {message}")),
        }
    })?;
    json.end().map_err(|error| Problem::new(Kind::BadRequest, format!("the body is no JSON: {error}")))?;
    // What is read into fields would take an array as well, by the places in it.
    match serde_json::from_slice(bytes) {
        Ok(value) if has_array_for_object(&value) => {
            Err(Problem::new(Kind::Unfit, "there is an array where an object is wanted"))
        }
        _ => Ok(read),
    }
}

fn unfit(path: &str, message: &str) -> Problem {
    let wording::Wrong { field, detail } = wording::of_field(path, message);
    match field {
        Some(field) => Problem::unfit(field.chars().take(FIELD_CHARS_MAX).collect::<String>(), detail),
        None => Problem::new(Kind::Unfit, detail),
    }
}

/// Whether an array stands where no request has one: in another array.
fn has_array_for_object(value: &Value) -> bool {
    match value {
        Value::Array(values) => values.iter().any(|value| value.is_array() || has_array_for_object(value)),
        Value::Object(fields) => fields.values().any(has_array_for_object),
        _ => false,
    }
}

fn is_json(headers: &HeaderMap) -> Result<(), Problem> {
    let encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    if encodings.into_iter().any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Problem::new(Kind::MediaType, "send the body as it is, without a content-encoding"));
    }
    let said = headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default());
    let essence = said.and_then(|said| said.split(';').next()).map(str::trim);
    match essence {
        Some(essence) if essence.eq_ignore_ascii_case("application/json") => Ok(()),
        Some(_) => Err(Problem::new(Kind::MediaType, "send the body as content-type: application/json")),
        None => Err(Problem::new(Kind::MediaType, "say content-type: application/json, and send JSON")),
    }
}

/// Bytes of a body that is too large that are still taken, and thrown away: a
/// connection that is closed before they are would take the answer along.
const THROWN_AWAY_MAX: usize = 1024 * 1024;

/// How long that may take.
const THROWN_AWAY_FOR: Duration = Duration::from_secs(1);

/// The whole body, within its limit and its time.
async fn body(request: Request, bytes_max: usize) -> Result<Bytes, Problem> {
    let deadline = request.extensions().get::<Deadline>().copied();
    let taking = take(request.into_body(), bytes_max);
    match deadline {
        Some(Deadline(deadline)) => timeout_at(deadline.into(), taking).await.unwrap_or_else(|_| {
            Err(Problem::new(Kind::TooSlow, "the body did not arrive in time (http_timeout_s)"))
        }),
        None => taking.await,
    }
}

async fn take(mut body: Body, bytes_max: usize) -> Result<Bytes, Problem> {
    let mut taken = Vec::new();
    while let Some(piece) = next(&mut body).await? {
        if taken.len() + piece.len() > bytes_max {
            // Whether that comes to an end or not: the answer is the same.
            let _ = timeout(THROWN_AWAY_FOR, throw_away(body)).await;
            let detail = format!("a body may have {bytes_max} bytes (http_body_bytes_max)");
            return Err(Problem::new(Kind::TooLarge, detail));
        }
        taken.extend_from_slice(&piece);
    }
    Ok(taken.into())
}

async fn throw_away(mut body: Body) {
    let mut bytes = 0;
    while let Ok(Some(piece)) = next(&mut body).await {
        bytes += piece.len();
        if bytes > THROWN_AWAY_MAX {
            return;
        }
    }
}

/// The next piece of a body; `None` at its end.
async fn next(body: &mut Body) -> Result<Option<Bytes>, Problem> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::new(Kind::BadRequest, "the body ended early"))?;
        if let Ok(piece) = frame.into_data() {
            return Ok(Some(piece));
        }
    }
    Ok(None)
}

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
        Some(name) => (!name.is_empty()).then(|| AlarmSource::Area(name.into())),
        None => StationId::from_digits(text.as_bytes()).map(AlarmSource::Station),
    }
}

fn no_source(text: &str) -> Problem {
    let text: String = text.escape_debug().take(80).collect();
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
