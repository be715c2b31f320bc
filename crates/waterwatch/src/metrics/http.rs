//! HTTP requests, by the template of their route: never by what a path says, which is as
//! many as anybody likes to send.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::registering::{registered, with_unit};

/// From a page that is in memory to one that waits for a disk, in seconds.
const SECONDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0];

/// What stands for a page that is none, and for a method that nobody knows.
const OTHER: &str = "other";

/// HTTP requests; a copy counts the same.
#[derive(Clone, Debug)]
pub struct Requests {
    count: Family<Answered, Counter>,
    seconds: Family<Asked, Histogram, fn() -> Histogram>,
}

/// Streams of events; a copy counts the same.
#[derive(Clone, Debug)]
pub struct Streams(Gauge);

/// A stream that is open until this is dropped.
#[derive(Debug)]
pub struct OpenStream(Gauge);

impl Streams {
    pub(super) fn register(registry: &mut Registry, streams_max: usize) -> Streams {
        let open = registered(registry, "http_streams", "Streams of events that are open", Gauge::default());
        let help = "Streams of events that may be open (http_streams_max)";
        let most = registered(registry, "http_streams_max", help, Gauge::<i64>::default());
        most.set(i64::try_from(streams_max).unwrap_or(i64::MAX));
        Streams(open)
    }

    /// One more is open.
    #[must_use]
    pub fn open(&self) -> OpenStream {
        self.0.inc();
        OpenStream(self.0.clone())
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: String,
    method: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    route: String,
    method: &'static str,
}

impl Requests {
    pub(super) fn register(registry: &mut Registry) -> Requests {
        let help = "HTTP requests that were answered, by the route's template";
        let count = registered(registry, "http_requests", help, Family::default());
        let seconds: Family<Asked, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(SECONDS));
        let help = "How long it took until the head of the answer was there";
        let seconds = with_unit(registry, "http_request_duration", help, Unit::Seconds, seconds);
        Requests { count, seconds }
    }

    /// One was answered; `route` is its template, `None` if there is no such page.
    pub fn answered(&self, route: Option<&str>, method: &Method, status: StatusCode, took: Duration) {
        let (route, method) = (route.unwrap_or(OTHER).to_owned(), known(method));
        self.seconds.get_or_create(&Asked { route: route.clone(), method }).observe(took.as_secs_f64());
        self.count.get_or_create(&Answered { route, method, status: status.as_u16() }).inc();
    }
}

/// The method's name, if the standard knows it: others are as many as anybody sends.
fn known(method: &Method) -> &'static str {
    let names = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];
    names.into_iter().find(|name| *name == method.as_str()).unwrap_or(OTHER)
}
