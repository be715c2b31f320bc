//! What other parts know anyway, asked for only when somebody looks.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use super::Sources;
use super::process::put;
use super::standing::put_all;
use crate::backups;
use crate::log::Seldom;
use crate::pulse::Pulse;

/// What other parts know.
#[derive(Debug)]
pub(super) struct LookedUp(Sources);

impl LookedUp {
    pub(super) fn new(sources: Sources) -> LookedUp {
        LookedUp(sources)
    }
}

impl Collector for LookedUp {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Sources { health, lane, tokens, live, feed, backup } = &self.0;
        if let Some(age) = backup_age(backup) {
            let help =
                "How old the newest backup is of those that `backup` names; left out while there is none";
            let age = ConstGauge::new(age.as_secs_f64());
            put(&mut to, "waterwatch_backup_age_seconds", help, Some(&Unit::Seconds), &age)?;
        }
        let gauge = |count: usize| ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX));
        let help = "1: reports and commands can be stored, as far as is known; 0: not";
        put(&mut to, "waterwatch_can_store", help, None, &gauge(usize::from(health.can_store())))?;
        let help = "How long ago the writer last turned; it does each half second";
        let age = ConstGauge::new(health.turned_ago().as_secs_f64());
        put(&mut to, "waterwatch_turn_age_seconds", help, Some(&Unit::Seconds), &age)?;
        let help = "Room in the reports' lane that is taken: what is read and not decided yet";
        put(&mut to, "waterwatch_lane_bytes", help, Some(&Unit::Bytes), &gauge(lane.bytes()))?;
        let help = "Room that the lane has (lane_bytes_max); when it is taken, nothing more is read";
        put(&mut to, "waterwatch_lane_bytes_max", help, None, &gauge(lane.bytes_max()))?;
        let help = "Operators' commands that wait for the writer";
        put(&mut to, "waterwatch_commands_waiting", help, None, &gauge(lane.commands_waiting()))?;
        put(&mut to, "waterwatch_tokens_valid", "Tokens that are valid", None, &gauge(tokens.count_valid()))?;
        put_shown(
            &mut to,
            [
                ("lists", live.trouble().is_none(), live.pulse()),
                ("streams", !feed.is_stale() && live.trouble().is_none(), feed),
            ],
        )
    }
}

/// How old the newest backup is; nobody knows if it cannot be looked for, or is of a
/// time that lies ahead of the clock.
fn backup_age(paths: &[PathBuf]) -> Option<Duration> {
    static NOT_FOUND: Seldom = Seldom::new(Seldom::EVERY);
    match backups::newest(paths) {
        Ok(newest) => {
            let (at_ms, _) = newest?;
            u64::try_from(Timestamp::now().as_millisecond() - at_ms).ok().map(Duration::from_millis)
        }
        Err((path, error)) => {
            NOT_FOUND.say(|held_back| {
                tracing::warn!(%error, held_back, "cannot look for the backup {}", path.display());
            });
            None
        }
    }
}

/// Whether what is recorded is shown: by lists, by streams of the ledger.
fn put_shown(to: &mut DescriptorEncoder<'_>, all: [(&'static str, bool, &Pulse); 2]) -> fmt::Result {
    let help = "1: what is recorded is shown, by lists or by streams; 0: they are refused, since they would be wrong";
    let shown = all.map(|(by, is_shown, _)| ([("by", by)], f64::from(u8::from(is_shown))));
    put_all(to, "waterwatch_shown", help, None, shown)?;
    let help = "For how long what is shown has been behind what is recorded; 0: it is level";
    let behind = all.map(|(by, _, pulse)| ([("by", by)], pulse.behind().as_secs_f64()));
    put_all(to, "waterwatch_shown_behind", help, Some(&Unit::Seconds), behind)?;
    let help = "How often what is shown failed by a mistake of the server, and was made anew";
    let mut family = to.encode_descriptor("waterwatch_shown_failures", help, None, MetricType::Counter)?;
    for (by, _, pulse) in all {
        ConstCounter::new(pulse.failures()).encode(family.encode_family(&[("by", by)])?)?;
    }
    Ok(())
}
