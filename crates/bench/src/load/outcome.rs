//! What a load came to, and what it cost.

use std::time::Duration;

use anyhow::ensure;

use super::Counts;
use crate::process::Usage;

/// What a load came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// How long was measured.
    pub(crate) lasted: Duration,
    /// What was answered in that time.
    pub(crate) counts: Counts,
    /// What the server used in that time.
    pub(crate) server: Option<Usage>,
    /// What we used in that time.
    pub(crate) generator: Usage,
}

impl Outcome {
    /// Acknowledged reports a second.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    pub(crate) fn reports_per_s(&self) -> f64 {
        self.counts.acknowledged as f64 / self.lasted.as_secs_f64()
    }

    /// The latency, in µs, that this share of the reports did not exceed.
    pub(crate) fn latency_us(&self, share: f64) -> u64 {
        self.counts.latency_us.value_at_quantile(share)
    }

    /// Processor time of the server for an acknowledged report, in µs.
    pub(crate) fn server_cpu_us(&self) -> Option<f64> {
        self.server.map(|used| self.each(used.cpu.as_secs_f64() * 1e6))
    }

    /// Processor time of the generator for an acknowledged report, in µs.
    pub(crate) fn generator_cpu_us(&self) -> f64 {
        self.each(self.generator.cpu.as_secs_f64() * 1e6)
    }

    /// Bytes that the server wrote to disk for an acknowledged report.
    #[expect(clippy::cast_precision_loss, reason = "a mean for people")]
    pub(crate) fn written_bytes(&self) -> Option<f64> {
        self.server.and_then(|used| used.written_bytes).map(|bytes| self.each(bytes as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "a mean for people")]
    fn each(&self, total: f64) -> f64 {
        total / self.counts.acknowledged.max(1) as f64
    }

    /// # Errors
    /// Not everything was acknowledged, so the figures mean nothing.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.counts.refused == 0 && self.counts.ended == 0,
            "{} replies were no acknowledgement and {} connections ended: the figures mean nothing",
            self.counts.refused,
            self.counts.ended
        );
        ensure!(self.counts.acknowledged > 0, "nothing was acknowledged");
        Ok(())
    }

    pub(super) fn table(&self) -> String {
        let known =
            |value: Option<f64>| value.map_or_else(|| "unknown".to_owned(), |value| format!("{value:.2}"));
        format!(
            "acknowledged            {:>12}\n\
             reports/s               {:>12.0}\n\
             latency p50             {:>12} µs\n\
             latency p99             {:>12} µs\n\
             latency p99.9           {:>12} µs\n\
             latency max             {:>12} µs\n\
             server CPU a report     {:>12} µs\n\
             generator CPU a report  {:>12.2} µs\n\
             disk bytes a report     {:>12}\n\
             not acknowledged        {:>12}\n\
             connections ended       {:>12}\n",
            self.counts.acknowledged,
            self.reports_per_s(),
            self.latency_us(0.5),
            self.latency_us(0.99),
            self.latency_us(0.999),
            self.counts.latency_us.max(),
            known(self.server_cpu_us()),
            self.generator_cpu_us(),
            known(self.written_bytes()),
            self.counts.refused,
            self.counts.ended,
        )
    }
}
