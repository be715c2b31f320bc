//! What Prometheus asks for, and counting what is asked.

use std::sync::Arc;
use std::time::Instant;

use axum::Extension;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::task::spawn_blocking;
use tokio::time::timeout_at;

use super::problem::{Kind, Problem};
use super::{Deadline, Web};
use crate::metrics::MEDIA_TYPE;

/// What Prometheus sees
///
/// In the format of OpenMetrics; docs/metrics.md lists all metrics.
#[utoipa::path(get, path = "/metrics", tag = "health",
    responses((status = 200, body = String, content_type = "application/openmetrics-text")))]
pub(super) async fn metrics(
    State(web): State<Web>,
    Extension(Deadline(deadline)): Extension<Deadline>,
) -> Result<Response, Problem> {
    // It looks as others do, and has no place of its own beside them.
    let late = |_| Problem::new(Kind::Unavailable, "too many look at the same time; ask again");
    let place = timeout_at(deadline.into(), Arc::clone(&web.lookers).acquire_owned()).await.map_err(late)?;
    // Looking may read files and wait for locks: no report waits for that.
    let text = spawn_blocking(move || {
        let _place = place;
        web.metrics.text()
    })
    .await;
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
