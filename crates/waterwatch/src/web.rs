//! HTTP: the API under `/api/v1`, health, metrics.
//!
//! It decides nothing and stores nothing: what operators want goes to the
//! writer by [`Operators`], reports by the [`Lane`], and whatever is asked is
//! read beside the writer. Whoever asks, and however slowly, holds up no
//! report.

pub mod access;
mod api;
mod asker;
mod body;
mod extract;
mod feed;
mod following;
mod health;
mod listener;
mod metrics;
mod numbers;
mod places;
pub mod problem;
mod timely;
mod wording;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use waterwatch_core::settings::ScopeSays;

use self::api::Document;
use self::problem::{Kind, Problem};
use crate::config::Limits;
use crate::health::Health;
use crate::lane::{Lane, Operators};
use crate::live::{Live, View};
use crate::metrics::Metrics;
use crate::plan::CurrentPlan;
use crate::store::Tokens;
use crate::store::readers::Readers;

pub use self::feed::Feed;
pub use self::listener::{Bound, bind};

/// All that the handlers reach; cheap to copy.
#[derive(Clone, Debug)]
pub struct Web(Arc<Parts>);

/// What the web is made of.
#[derive(Debug)]
pub struct Parts {
    /// The way to the writer for what operators want.
    pub operators: Operators,
    /// The way to the writer for reports.
    pub lane: Lane,
    /// The number by which reports that arrive here name this listener.
    pub listener: u16,
    /// The addresses of all listeners, by their numbers.
    pub listeners: HashMap<u16, String>,
    /// Whether the writer turns, and can store.
    pub health: Arc<Health>,
    /// What the writer publishes.
    pub live: Live,
    /// What is recorded anew in the ledger, for all who follow it.
    pub feed: Feed,
    /// Places for those who look at that, or count it, at the same time.
    pub lookers: Arc<Semaphore>,
    /// Ways to read the database beside the writer.
    pub readers: Readers,
    /// Who may ask for what.
    pub tokens: Tokens,
    /// What the configuration says for the fleet.
    pub configured: ScopeSays,
    /// Who is called, and when.
    pub plan: CurrentPlan,
    /// What is counted, here and elsewhere.
    pub metrics: Arc<Metrics>,
    /// Every limit.
    pub limits: Limits,
    /// Cancelled when the server stops.
    pub stopping: CancellationToken,
}

impl std::ops::Deref for Web {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// Where a request came from.
#[derive(Clone, Copy, Debug)]
struct Peer(SocketAddr);

/// Until when a request must be there in whole, and be answered: whoever waits
/// longer has given up.
#[derive(Clone, Copy, Debug)]
struct Deadline(Instant);

/// Those who look at what is published at the same time, at most: more would only
/// take each other's processor.
pub const LOOKERS_MAX: usize = 4;

/// What a late answer may take beyond its deadline: a command that the writer
/// has taken is answered for certain as soon as its disk answers.
const ANSWER_GRACE: Duration = Duration::from_secs(10);

impl Web {
    /// A web of these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Web {
        Web(Arc::new(parts))
    }

    /// Serves until the server stops, and then until all are answered.
    pub async fn serve(self, bound: Bound) {
        let (limits, stopping) = (self.limits.clone(), self.stopping.clone());
        let web = self.clone();
        let connections = self.metrics.http.clone();
        let serving = listener::serve(bound, self.router(), &limits, connections, stopping);
        tokio::join!(serving, feed::keep(web));
    }

    /// Looks at what the writer publishes, as it is now: on a thread that may wait,
    /// since a look goes over a million stations, or waits for the follower, and the
    /// others hear stations.
    async fn look<T: Send + 'static>(
        &self,
        Deadline(deadline): Deadline,
        see: impl FnOnce(&View<'_>) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let late = |_| Problem::new(Kind::Unavailable, "too many look at the same time; ask again");
        let place =
            timeout_at(deadline.into(), Arc::clone(&self.lookers).acquire_owned()).await.map_err(late)?;
        let live = self.live.clone();
        let looking = spawn_blocking(move || {
            let _place = place;
            live.look().map(|view| see(&view))
        });
        match looking.await {
            Ok(seen) => seen.map_err(|not_shown| Problem::new(Kind::Unavailable, not_shown.to_string())),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Every route there is.
    fn router(self) -> Router {
        let (routes, described) = api::routes(&self).split_for_parts();
        routes
            .fallback(async || {
                Problem::new(Kind::NotFound, "there is no such page; /api/v1/openapi.json lists all")
            })
            .method_not_allowed_fallback(async || {
                Problem::new(Kind::MethodNotAllowed, "this page does not take that method")
            })
            .layer(Extension(Document::of(described)))
            .layer(middleware::from_fn_with_state(self.clone(), within_its_time))
            .layer(CatchPanicLayer::custom(panicked))
            .layer(middleware::map_response(harden))
            .layer(middleware::from_fn_with_state(self.clone(), metrics::counted))
            .with_state(self)
    }
}

/// Gives each request its deadline, and an answer if it passes.
async fn within_its_time(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    if let Some(expected) = request.headers().get(header::EXPECT)
        && !expected.as_bytes().eq_ignore_ascii_case(b"100-continue")
    {
        let detail = "nothing but `100-continue` can be expected; leave the header Expect out";
        return Problem::new(Kind::Expectation, detail).into_response();
    }
    let deadline = Instant::now() + Duration::from_secs(web.limits.http_timeout_s);
    request.extensions_mut().insert(Deadline(deadline));
    match timeout_at((deadline + ANSWER_GRACE).into(), next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(
            Kind::Timeout,
            "there was no answer in time; whether anything was done is not known: look again",
        )
        .into_response(),
    }
}

fn panicked(_panic: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a request failed by a mistake of the server; its panic is in the log");
    Problem::new(Kind::Internal, "the server made a mistake; its log says more").into_response()
}

/// What holds for every answer: nothing of it is kept by caches on the way, and
/// nobody guesses its type.
async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        let again = HeaderValue::from_static("1");
        response.headers_mut().entry(header::RETRY_AFTER).or_insert(again);
    }
    response
}
