//! Whether the server is alive, and can store and show: for those who watch over it.

use std::borrow::Cow;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::Web;
use super::problem::{Kind, Problem};
use crate::health::STARTING;
use crate::live::NotShown;

/// That it is well.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Well {
    /// `alive` or `ready`.
    #[schema(example = "ready")]
    status: &'static str,
}

/// Whether the server is alive
///
/// It answers as long as the process does, also while nothing can be stored: starting it afresh would
/// not help then.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, body = Well)))]
pub(super) async fn healthz() -> Json<Well> {
    Json(Well { status: "alive" })
}

/// Whether reports and commands can be stored, and what is recorded be shown
///
/// 503 while they cannot: the disk is full or does not answer, the server starts or stops, or what it shows is behind
/// what is recorded, or failed; `detail` says which.
#[utoipa::path(get, path = "/readyz", tag = "health",
    responses((status = 200, body = Well), (status = 503, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn readyz(State(web): State<Web>) -> Response {
    match trouble(&web) {
        None => Json(Well { status: "ready" }).into_response(),
        Some(why) => Problem::new(Kind::Unavailable, why).into_response(),
    }
}

fn trouble(web: &Web) -> Option<Cow<'static, str>> {
    if web.stopping.is_cancelled() {
        return Some("the server is stopping".into());
    }
    let not_shown = || match web.live.trouble()? {
        NotShown::NotYet => Some(STARTING.into()),
        trouble => Some(trouble.to_string().into()),
    };
    let not_followed = || web.feed.trouble().map(Into::into);
    web.health.trouble().map(Into::into).or_else(not_shown).or_else(not_followed)
}

#[cfg(test)]
mod tests;
