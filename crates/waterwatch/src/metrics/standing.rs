//! How the stations and the alarms stand, by what the writer publishes.
//!
//! Until that is known nothing is said: nobody takes an unknown fleet for one that is
//! well.

use std::collections::HashMap;
use std::fmt;

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use waterwatch_core::alarm::{Priority, State};

use crate::live::{AlarmQuery, Live};
use crate::store::reader::communication::Comms;

/// A contact that is on and that no server has judged.
const NOT_JUDGED: &str = "not_judged";

/// How the stations and the alarms stand.
#[derive(Debug)]
pub(super) struct Standing(Live);

/// The same at one moment: read at once, so that the mirror is not held while text is
/// written.
struct Moment {
    stations: [(Comms, usize); Comms::ALL.len()],
    alarms: HashMap<(Option<State>, Priority), usize>,
    /// For how long the oldest alarm waits that nobody has acknowledged, also one that
    /// has returned to normal since.
    oldest_s: Vec<(Priority, f64)>,
}

impl Standing {
    pub(super) fn new(live: Live) -> Standing {
        Standing(live)
    }

    fn now(&self) -> Option<Moment> {
        let now_ms = Timestamp::now().as_millisecond();
        let view = self.0.look().ok()?;
        let oldest_in = |state: State, priority: Priority| {
            let query = AlarmQuery {
                state: vec![state],
                priority: vec![priority],
                limit: 1,
                ..AlarmQuery::default()
            };
            let page = view.alarms(&query);
            let raised = page.alarms.first().and_then(|row| row.alarm.occurrence.as_ref());
            raised.map_or(0, |occurrence| now_ms.saturating_sub(occurrence.raised_at_ms))
        };
        // The worst come first, so the oldest of each state is looked up by itself.
        let oldest = |priority: Priority| {
            let for_ms = State::UNANSWERED.iter().map(|state| oldest_in(*state, priority)).max();
            (priority, seconds(for_ms.unwrap_or(0)))
        };
        Some(Moment {
            stations: view.comms_counts(now_ms),
            alarms: view.alarm_counts(),
            oldest_s: Priority::ALL.iter().copied().map(oldest).collect(),
        })
    }
}

impl Collector for Standing {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(Moment { stations, alarms, oldest_s }) = self.now() else { return Ok(()) };
        let help = "Stations by how they are heard";
        let stations = stations.map(|(comms, count)| ([("comms", comms.name())], whole(count)));
        put_all(&mut to, "waterwatch_stations", help, None, stations)?;
        let help = "Alarms that are not at rest, by state and priority; normal: in its on-delay; \
                    not_judged: a contact that is on and that no server has judged";
        let states = State::ALL.iter().copied().map(Some).chain([None]);
        let all = states.flat_map(|state| Priority::ALL.iter().map(move |priority| (state, *priority)));
        let alarms = all.map(|(state, priority)| {
            let count = alarms.get(&(state, priority)).copied().unwrap_or(0);
            let state = state.map_or(NOT_JUDGED, State::name);
            ([("state", state), ("priority", priority.name())], whole(count))
        });
        put_all(&mut to, "waterwatch_alarms", help, None, alarms)?;
        let help = "For how long the oldest alarm waits that nobody has acknowledged, since its raise; 0: there is none";
        let oldest = oldest_s.into_iter().map(|(priority, s)| ([("priority", priority.name())], s));
        put_all(&mut to, "waterwatch_unacknowledged", help, Some(&Unit::Seconds), oldest)
    }
}

/// Writes a gauge for each set of labels.
pub(super) fn put_all<L: EncodeLabelSet>(
    to: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    gauges: impl IntoIterator<Item = (L, f64)>,
) -> fmt::Result {
    let mut family = to.encode_descriptor(name, help, unit, MetricType::Gauge)?;
    for (labels, value) in gauges {
        ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "there are far fewer than 2^53 of anything")]
fn whole(count: usize) -> f64 {
    count as f64
}

fn seconds(ms: i64) -> f64 {
    std::time::Duration::from_millis(ms.max(0).unsigned_abs()).as_secs_f64()
}
