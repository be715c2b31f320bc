//! Errors as programs read them: problem details after RFC 9457.

use std::borrow::Cow;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use waterwatch_core::alarm::Rejected;

use crate::command::NotDone;
use crate::said_json::Misfit;

/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// What kinds of problems there are: each has its status, its type and its title.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request cannot be read.
    BadRequest,
    /// No token, or one that is not valid.
    Unauthorized,
    /// The token does not allow that.
    Forbidden,
    /// There is no such page, station, alarm.
    NotFound,
    /// The page does not take that method.
    MethodNotAllowed,
    /// The request did not arrive in time.
    TooSlow,
    /// It does not fit how things stand.
    Conflict,
    /// It has changed since it was read.
    Changed,
    /// More bytes than a request may have.
    TooLarge,
    /// It is no JSON, or not as it is.
    MediaType,
    /// It expects what cannot be.
    Expectation,
    /// A field says what cannot be meant.
    Unfit,
    /// A mistake of the server.
    Internal,
    /// Not done, for certain: ask again.
    Unavailable,
    /// It is not known whether it was done.
    Timeout,
}

impl Kind {
    fn words(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Kind::BadRequest => (StatusCode::BAD_REQUEST, "bad-request", "The request cannot be read"),
            Kind::Unauthorized => (StatusCode::UNAUTHORIZED, "no-token", "A valid token is needed"),
            Kind::Forbidden => (StatusCode::FORBIDDEN, "not-allowed", "The token does not allow this"),
            Kind::NotFound => (StatusCode::NOT_FOUND, "not-found", "There is no such thing"),
            Kind::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "The method is not allowed here")
            }
            Kind::TooSlow => (StatusCode::REQUEST_TIMEOUT, "too-slow", "The request did not arrive in time"),
            Kind::Conflict => (StatusCode::CONFLICT, "conflict", "It does not fit how things stand"),
            Kind::Changed => (StatusCode::PRECONDITION_FAILED, "changed", "It has changed since it was read"),
            Kind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The request is too large"),
            Kind::MediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", "The media type is not supported")
            }
            Kind::Expectation => {
                (StatusCode::EXPECTATION_FAILED, "expectation", "What is expected cannot be met")
            }
            Kind::Unfit => (StatusCode::UNPROCESSABLE_ENTITY, "unfit", "A field cannot be meant"),
            Kind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "The server made a mistake"),
            Kind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "not-done", "It was not done; ask again"),
            Kind::Timeout => {
                (StatusCode::GATEWAY_TIMEOUT, "not-known", "It is not known whether it was done")
            }
        }
    }
}

/// Why a request was not answered as wished (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// What kind of problem it is: `urn:waterwatch:problem:` and a word that never changes.
    #[serde(rename = "type")]
    #[schema(example = "urn:waterwatch:problem:conflict")]
    kind: Cow<'static, str>,
    /// The same for people; the same for all of its kind.
    #[schema(example = "It does not fit how things stand")]
    title: &'static str,
    /// The HTTP status.
    #[schema(example = 409)]
    status: u16,
    /// What is wrong with this request, and what to do.
    #[schema(example = "occurrence 12 is not open: the one that is open is 17")]
    detail: Cow<'static, str>,
    /// Which field of the request is wrong, if one is: `until`, `points.alarm1.on_delay_s`, `[3].station_id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "occurrence")]
    field: Option<Cow<'static, str>>,
    /// The occurrence that is open, where another was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 17)]
    current_occurrence: Option<i64>,
}

impl Problem {
    /// A problem of this kind.
    pub fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Problem {
        let (status, word, title) = kind.words();
        Problem {
            kind: format!("urn:waterwatch:problem:{word}").into(),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            field: None,
            current_occurrence: None,
        }
    }

    /// The same, about a field.
    #[must_use]
    pub fn of_field(self, field: impl Into<Cow<'static, str>>) -> Problem {
        Problem { field: Some(field.into()), ..self }
    }

    /// The same about one of many things in a request: its field is there.
    #[must_use]
    pub fn within(self, place: &str) -> Problem {
        let field = self.field.map(|field| format!("{place}.{field}").into());
        Problem { field, ..self }
    }

    /// A field that says what cannot be meant.
    pub fn unfit(field: impl Into<Cow<'static, str>>, detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem::new(Kind::Unfit, detail).of_field(field)
    }

    /// Whether it is of this kind.
    #[must_use]
    pub fn is(&self, kind: Kind) -> bool {
        self.status == kind.words().0.as_u16()
    }

    /// What it is about, and what to do.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl From<Rejected> for Problem {
    fn from(rejected: Rejected) -> Problem {
        let detail = rejected.to_string();
        let unfit = |field: &'static str| Problem::unfit(field, detail.clone());
        let of_word = |what: &str| match what {
            "a name" => "on_behalf_of",
            "the name of a token" => "name",
            "a note" => "text",
            _ => "reason",
        };
        match rejected {
            Rejected::OtherOccurrence { current, .. } => Problem {
                current_occurrence: current,
                ..Problem::new(Kind::Conflict, detail).of_field("occurrence")
            },
            Rejected::NoSuchOccurrence { .. } => unfit("occurrence"),
            Rejected::NoSuchAlarm { .. } | Rejected::NoSuchStation { .. } | Rejected::NoSuchToken { .. } => {
                Problem::new(Kind::NotFound, detail)
            }
            Rejected::RightBeyondRole { .. } => unfit("may"),
            Rejected::TokenNameReserved => unfit("name"),
            Rejected::TokenNameTaken { .. } => Problem::new(Kind::Conflict, detail).of_field("name"),
            Rejected::EndHasPassed | Rejected::EndTooFar { .. } => unfit("until"),
            Rejected::Missing(what) | Rejected::Unprintable(what) | Rejected::TooLong { what, .. } => {
                unfit(of_word(what))
            }
            Rejected::SaidOtherwise => Problem::new(Kind::Changed, detail).of_field("If-Match"),
            Rejected::Unfit(unfit) => Problem::unfit(unfit.name, detail),
            Rejected::AreasMax { .. }
            | Rejected::AlreadyAcknowledged { .. }
            | Rejected::NotVisited
            | Rejected::AlreadyRetired { .. }
            | Rejected::StationRetired
            | Rejected::PointDisabled
            | Rejected::StationNamed { .. }
            | Rejected::StationsMax { .. }
            | Rejected::TokenSecretTaken
            | Rejected::TokensMax { .. }
            | Rejected::TokensEverMax { .. }
            | Rejected::TokenAlreadyRevoked { .. }
            | Rejected::LastAdmin { .. }
            | Rejected::NotShelved
            | Rejected::NotOutOfService
            | Rejected::NotPaused => Problem::new(Kind::Conflict, detail),
        }
    }
}

impl From<Misfit> for Problem {
    fn from(Misfit { field, why }: Misfit) -> Problem {
        Problem::unfit(field, why)
    }
}

impl From<NotDone> for Problem {
    fn from(why: NotDone) -> Problem {
        Problem::new(Kind::Unavailable, format!("{why}; nothing has changed: ask again"))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // Numbers and texts: it cannot fail.
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"waterwatch\""));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use waterwatch_core::StationId;
    use waterwatch_core::alarm::{AlarmSource, Point};
    use waterwatch_core::token::{Right, Role};

    use super::*;

    /// As programs read them: none of it changes unnoticed.
    #[test]
    fn problems_are_what_they_were() {
        let kinds = [
            Kind::BadRequest,
            Kind::Unauthorized,
            Kind::Forbidden,
            Kind::NotFound,
            Kind::MethodNotAllowed,
            Kind::TooSlow,
            Kind::Conflict,
            Kind::Changed,
            Kind::TooLarge,
            Kind::MediaType,
            Kind::Expectation,
            Kind::Unfit,
            Kind::Internal,
            Kind::Unavailable,
            Kind::Timeout,
        ];
        let kinds = kinds.map(|kind| Problem::new(kind, "what is wrong, and what to do"));
        let (by, at_ms): (Box<str>, _) = ("Ana (by pager)".into(), 0);
        let rejected = [
            Rejected::OtherOccurrence { named: 7, current: Some(9) },
            Rejected::OtherOccurrence { named: 7, current: None },
            Rejected::AlreadyAcknowledged { by: by.clone(), at_ms },
            Rejected::EndHasPassed,
            Rejected::EndTooFar { max_ms: 3_600_000 },
            Rejected::NotVisited,
            Rejected::AlreadyRetired { by: by.clone(), at_ms },
            Rejected::NoSuchAlarm { of: AlarmSource::Area("North".into()), point: Point::Alarm1 },
            Rejected::StationRetired,
            Rejected::PointDisabled,
            Rejected::NoSuchStation { station: StationId::MAX },
            Rejected::StationNamed { station: StationId::MAX },
            Rejected::Missing("a name"),
            Rejected::Missing("a reason"),
            Rejected::TooLong { what: "the name of a token", chars_max: 64 },
            Rejected::Unprintable("a reason"),
            Rejected::RightBeyondRole { right: Right::Acknowledge, role: Role::Viewer },
            Rejected::TokenNameReserved,
            Rejected::TokenNameTaken { name: "pager".into(), is_revoked: true },
            Rejected::NoSuchToken { name: "pager".into() },
            Rejected::TokenAlreadyRevoked { by, at_ms },
            Rejected::LastAdmin { name: "admin".into() },
            Rejected::NotShelved,
            Rejected::NotOutOfService,
            Rejected::NotPaused,
            Rejected::SaidOtherwise,
            Rejected::NoSuchOccurrence { named: Some(7) },
            Rejected::NoSuchOccurrence { named: None },
            Rejected::StationsMax { station: StationId::MAX, stations_max: 1_000_000 },
            Rejected::AreasMax { areas_max: 10_000 },
            Rejected::TokenSecretTaken,
            Rejected::TokensMax { tokens_max: 1_000 },
            Rejected::TokensEverMax { tokens_max: 10_000 },
            Rejected::Missing("a note"),
        ];
        let not_done =
            [NotDone::TooLate, NotDone::NotRead, NotDone::NotStored, NotDone::Busy, NotDone::Stopping];
        let problems = kinds.into_iter();
        let problems = problems.chain(rejected.map(Problem::from)).chain(not_done.map(Problem::from));
        let lines = problems.map(|problem| serde_json::to_string(&problem).unwrap());
        insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
    }
}
