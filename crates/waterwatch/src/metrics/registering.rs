//! Registering: a metric goes into the registry, and comes back for whoever counts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Metric, Registry, Unit};

/// Metrics by one label whose values are known beforehand.
pub(super) type ByLabel<M> = Family<[(&'static str, &'static str); 1], M>;

/// Registers a metric.
pub(super) fn registered<M: Metric + Clone>(
    registry: &mut Registry,
    name: &'static str,
    help: &'static str,
    metric: M,
) -> M {
    registry.register(name, help, metric.clone());
    metric
}

/// Registers a metric with a unit, which ends its name.
pub(super) fn with_unit<M: Metric + Clone>(
    registry: &mut Registry,
    name: &'static str,
    help: &'static str,
    unit: Unit,
    metric: M,
) -> M {
    registry.register_with_unit(name, help, unit, metric.clone());
    metric
}

/// Registers a counter for each value of a label. All of them are there from the start,
/// as 0: what has not happened yet can be told from what nobody counts.
pub(super) fn by<const N: usize>(
    registry: &mut Registry,
    name: &'static str,
    help: &'static str,
    label: &'static str,
    values: [&'static str; N],
) -> [Counter; N] {
    let family = registered(registry, name, help, ByLabel::<Counter>::default());
    values.map(|value| family.get_or_create_owned(&[(label, value)]))
}

/// Registers a limit, beside what it limits.
pub(super) fn limit(
    registry: &mut Registry,
    name: &'static str,
    help: &'static str,
    most: impl TryInto<i64>,
) {
    registry.register(name, help, ConstGauge::new(most.try_into().unwrap_or(i64::MAX)));
}
