//! What Prometheus asks for, and counting what is asked.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Web;
use super::problem::{Kind, Problem};
use crate::metrics::MEDIA_TYPE;

/// What Prometheus sees
///
/// In the format of OpenMetrics; docs/metrics.md lists all metrics.
#[utoipa::path(get, path = "/metrics", tag = "health",
    responses((status = 200, body = String, content_type = "application/openmetrics-text")))]
pub(super) async fn metrics(State(web): State<Web>) -> Result<Response, Problem> {
    // Looking may read files and wait for locks: no report waits for that.
    let text = tokio::task::spawn_blocking(move || web.metrics.text()).await;
    match text {
        Ok(Ok(text)) => {
            Ok(([(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE))], text).into_response())
        }
        _ => Err(Problem::new(Kind::Internal, "the metrics cannot be written")),
    }
}

/// Counts each request by its route, not by its path.
pub(super) async fn counted(State(web): State<Web>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let response = next.run(request).await;
    let route = route.as_ref().map(MatchedPath::as_str);
    web.metrics.requests.answered(route, &method, response.status(), began.elapsed());
    response
}
