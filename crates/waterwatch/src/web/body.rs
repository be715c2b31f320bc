//! Bodies of requests: read whole within their limits, and then as JSON, with an error that
//! names the field.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::time::{timeout, timeout_at};

use super::access::Caller;
use super::problem::{Kind, Problem};
use super::wording::unfit;
use super::{Deadline, Web};
use crate::said_json::Object;

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

/// A body of JSON that is judged field by field.
pub(super) struct JsonObject(pub(super) Map<String, Value>);

impl FromRequest<Web> for JsonObject {
    type Rejection = Problem;

    async fn from_request(request: Request, web: &Web) -> Result<JsonObject, Problem> {
        let bytes = json_body(request, web).await?;
        parse::<Object>(&bytes).map(|Object(fields)| JsonObject(fields))
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

/// Reads a body of JSON; a field that is wrong is named.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let read = parse(bytes)?;
    // What is read into fields would take an array as well, by the places in it.
    match serde_json::from_slice(bytes).ok().and_then(|value: Value| array_in_array(&value)) {
        Some(place) => {
            Err(unfit(place.trim_start_matches('.'), "there is an array where an object is wanted"))
        }
        None => Ok(read),
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        let message = inner.to_string();
        match inner.classify() {
            serde_json::error::Category::Data => unfit(&path, &message),
            _ => Problem::new(Kind::BadRequest, format!("the body is no JSON: {message}")),
        }
    })?;
    json.end().map_err(|error| Problem::new(Kind::BadRequest, format!("the body is no JSON: {error}")))?;
    Ok(read)
}

/// Where an array stands where no request has one: in another array.
fn array_in_array(value: &Value) -> Option<String> {
    match value {
        Value::Array(values) => values.iter().enumerate().find_map(|(place, value)| match value {
            Value::Array(_) => Some(format!("[{place}]")),
            value => array_in_array(value).map(|within| format!("[{place}]{within}")),
        }),
        Value::Object(fields) => fields
            .iter()
            .find_map(|(name, value)| array_in_array(value).map(|within| format!(".{name}{within}"))),
        _ => None,
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
