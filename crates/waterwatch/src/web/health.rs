//! Whether the server is alive, and can store: for those who watch over it.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::Web;
use super::problem::{Kind, Problem};

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

/// Whether reports and commands can be stored
///
/// 503 while they cannot: the disk is full or does not answer, or the server starts or stops.
#[utoipa::path(get, path = "/readyz", tag = "health",
    responses((status = 200, body = Well), (status = 503, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn readyz(State(web): State<Web>) -> Response {
    let trouble = match web.stopping.is_cancelled() {
        true => Some("the server is stopping"),
        false => web.health.trouble(),
    };
    match trouble {
        None => Json(Well { status: "ready" }).into_response(),
        Some(why) => Problem::new(Kind::Unavailable, why).into_response(),
    }
}
