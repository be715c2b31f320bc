//! What is counted where bytes come in: connections, and lines that are refused.

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use waterwatch_core::wire::Refusal;

use super::registering::{ByLabel, by, registered};

/// The connections of one kind.
#[derive(Clone, Debug, Default)]
pub struct Connections {
    open: Gauge,
    most: Gauge,
    turned_away: Counter,
    evicted: Counter,
}

/// A connection that is open until this is dropped.
#[derive(Debug)]
pub struct OpenConnection(Gauge);

impl Connections {
    /// Those that may be closed for others.
    pub(super) fn evictable(self, registry: &mut Registry) -> Connections {
        let help = "HTTP connections that had shown no valid token and were closed for others, since \
                    as many were open as may be";
        Connections {
            evicted: registered(registry, "http_connections_evicted", help, Counter::default()),
            ..self
        }
    }

    /// So many may be open.
    pub fn may_be(&self, connections_max: usize) {
        self.most.set(i64::try_from(connections_max).unwrap_or(i64::MAX));
    }

    /// One more is open.
    #[must_use]
    pub fn open(&self) -> OpenConnection {
        self.open.inc();
        OpenConnection(self.open.clone())
    }

    /// One was closed at once: there is no room for it, or it may not connect.
    pub fn turned_away(&self) {
        self.turned_away.inc();
    }

    /// One that was open was closed for another.
    pub fn evicted(&self) {
        self.evicted.inc();
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Registers the connections of each kind.
pub(super) fn register_connections<const N: usize>(
    registry: &mut Registry,
    kinds: [&'static str; N],
) -> [Connections; N] {
    let open = registered(registry, "connections", "Connections that are open", ByLabel::<Gauge>::default());
    let help =
        "Connections that may be open; as many as the open files allow, if that is less than the limit";
    let most = registered(registry, "connections_max", help, ByLabel::<Gauge>::default());
    let help = "Connections that were closed at once: too many, or from an address that may not connect";
    let turned_away = registered(registry, "connections_turned_away", help, ByLabel::<Counter>::default());
    kinds.map(|kind| {
        let kind = [("kind", kind)];
        Connections {
            open: open.get_or_create_owned(&kind),
            most: most.get_or_create_owned(&kind),
            turned_away: turned_away.get_or_create_owned(&kind),
            evicted: Counter::default(),
        }
    })
}

/// The lines that are refused, by their codes; a copy counts the same.
#[derive(Clone, Debug)]
pub struct RefusedLines(Arc<[(&'static str, Counter)]>);

/// Counts what nobody sees.
impl Default for RefusedLines {
    fn default() -> RefusedLines {
        RefusedLines::register(&mut Registry::default())
    }
}

impl RefusedLines {
    pub(super) fn register(registry: &mut Registry) -> RefusedLines {
        let help = "Lines that are refused with ERR, and reports that were refused over HTTP, by code \
                    (docs/protocol.md)";
        let counters = by(registry, "refused_lines", help, "code", Refusal::CODES);
        RefusedLines(Refusal::CODES.into_iter().zip(counters).collect())
    }

    /// One line was refused.
    pub fn count(&self, refusal: &Refusal) {
        let code = refusal.code();
        let counter = self.0.iter().find(|(of, _)| *of == code);
        debug_assert!(counter.is_some(), "the code {code} is not among all");
        if let Some((_, counter)) = counter {
            counter.inc();
        }
    }
}
