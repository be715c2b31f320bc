//! What became of the fleet's reports, counted in one place.

use std::fmt::Write;
use std::io;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::server_address::ServerAddress;

/// The longest latency that is told apart: longer than a station waits.
const LATENCY_US_MAX: u64 = 60_000_000;

/// Counts and latencies of all stations.
#[derive(Debug)]
pub(super) struct Tally {
    /// Connections that are open now.
    pub(super) connected: u32,
    /// Stations that have heard `OK` at least once.
    heard: u32,
    /// Tries that were begun.
    tried: u64,
    /// Replies `OK`, and nothing else.
    acknowledged: u64,
    /// Replies `ERR`.
    refused: u64,
    /// Tries that ended without a reply: no connection, no answer in time,
    /// or one that no waterwatch server gives.
    failed: u64,
    /// From the first byte sent to the reply, of acknowledged reports.
    latency_us: Histogram<u64>,
    /// Stations whose last acknowledged report said "on", for each alarm.
    alarms_on: [u32; 2],
    first_refusal: Option<String>,
    first_failure: Option<String>,
}

impl Tally {
    pub(super) fn new() -> Tally {
        Tally {
            connected: 0,
            heard: 0,
            tried: 0,
            acknowledged: 0,
            refused: 0,
            failed: 0,
            latency_us: Histogram::new_with_bounds(1, LATENCY_US_MAX, 3).expect("constant bounds"),
            alarms_on: [0; 2],
            first_refusal: None,
            first_failure: None,
        }
    }

    /// A station begins a try; one of the next three ends it.
    pub(super) fn try_begins(&mut self) {
        self.tried += 1;
    }

    /// The server said `OK` to `alarms`; `before` is what this station's last
    /// acknowledged report said.
    pub(super) fn acknowledged(&mut self, before: Option<[bool; 2]>, alarms: [bool; 2], latency: Duration) {
        self.acknowledged += 1;
        self.heard += u32::from(before.is_none());
        let before = before.unwrap_or_default();
        for (on, (before, now)) in self.alarms_on.iter_mut().zip(before.into_iter().zip(alarms)) {
            *on = *on + u32::from(now) - u32::from(before);
        }
        self.latency_us.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
    }

    /// The server said `ERR` to `line`.
    pub(super) fn refused(&mut self, line: &str, code: &str, sentence: &str) {
        self.refused += 1;
        self.first_refusal.get_or_insert_with(|| format!("\"{line}\": {code} {sentence}"));
    }

    /// A try ended without a reply.
    pub(super) fn failed(&mut self, error: &io::Error) {
        self.failed += 1;
        self.first_failure.get_or_insert_with(|| error.to_string());
    }

    /// The run is over: whoever still waits for a reply will not have one.
    pub(super) fn give_up_open(&mut self) {
        let open = self.tried - self.acknowledged - self.refused - self.failed;
        if open > 0 {
            self.failed(&io::Error::other("no answer when the run ended"));
            self.failed += open - 1;
        }
    }

    /// How many reports were acknowledged.
    pub(super) fn acknowledged_total(&self) -> u64 {
        self.acknowledged
    }

    /// The first refusal, and the first failure: one of each tells a person
    /// what to do.
    pub(super) fn first_troubles(&self) -> [Option<String>; 2] {
        [
            self.first_refusal.as_ref().map(|refusal| format!("the first refused: {refusal}")),
            self.first_failure.as_ref().map(|failure| format!("the first failed: {failure}")),
        ]
    }

    /// Why nothing was acknowledged; `None` if something was.
    pub(super) fn nothing_acknowledged(&self) -> Option<String> {
        if self.acknowledged > 0 {
            return None;
        }
        Some(match (&self.first_refusal, &self.first_failure) {
            (Some(refusal), _) => format!("the server refused {refusal}"),
            (None, Some(failure)) => format!("{failure}; does the server run there?"),
            (None, None) => "the run ended before the first one was due".to_owned(),
        })
    }

    /// The line that is shown while the fleet plays.
    pub(super) fn line(&self, stations: u32, reports_per_s: f64) -> String {
        format!(
            "{} of {stations} stations connected, {} acknowledged, {} refused, {} failed, \
             {reports_per_s:.1} reports/s, latency {}",
            self.connected,
            self.acknowledged,
            self.refused,
            self.failed,
            self.latency()
        )
    }

    /// What is printed at the end.
    pub(super) fn summary(&self, server: &ServerAddress, stations: u32, lasted: Duration) -> String {
        let mut text = String::new();
        let seconds = lasted.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people, to one decimal")]
        let reports_per_s = self.acknowledged as f64 / seconds;
        let [alarm1, alarm2] = self.alarms_on;
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{stations} stations reported to {server} for {seconds:.1} s");
        let _ = writeln!(text, "acknowledged  {} ({reports_per_s:.1}/s)", self.acknowledged);
        let _ = writeln!(text, "refused       {}", self.refused);
        let _ = writeln!(text, "failed        {}", self.failed);
        let _ = writeln!(text, "heard         {} of {stations} stations", self.heard);
        let _ = writeln!(text, "latency       {}", self.latency());
        let _ = writeln!(text, "alarms on     alarm1 at {alarm1}, alarm2 at {alarm2}, as last acknowledged");
        for trouble in self.first_troubles().into_iter().flatten() {
            let _ = writeln!(text, "{trouble}");
        }
        text
    }

    fn latency(&self) -> String {
        if self.latency_us.is_empty() {
            return "unknown".to_owned();
        }
        format!(
            "p50 {}, p99 {}, max {}",
            milliseconds(self.latency_us.value_at_quantile(0.5)),
            milliseconds(self.latency_us.value_at_quantile(0.99)),
            milliseconds(self.latency_us.max())
        )
    }
}

fn milliseconds(us: u64) -> String {
    // Exact down to the microsecond, and without the noise of one above.
    if us < 10_000 {
        format!("{}.{:02} ms", us / 1_000, us % 1_000 / 10)
    } else {
        format!("{} ms", us / 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ok_counts_as_acknowledged() {
        let mut tally = Tally::new();
        for _ in 0..5 {
            tally.try_begins();
        }
        tally.acknowledged(None, [true, false], Duration::from_micros(1_234));
        tally.acknowledged(Some([true, false]), [false, false], Duration::from_micros(20_000));
        tally.refused("1 0 0", "stations_max", "too many");
        tally.failed(&io::Error::other("nobody there"));
        tally.give_up_open();
        let summary = tally.summary(&"here:1".parse().unwrap(), 3, Duration::from_secs(2));
        assert_eq!(
            summary,
            "3 stations reported to here:1 for 2.0 s\n\
             acknowledged  2 (1.0/s)\n\
             refused       1\n\
             failed        2\n\
             heard         1 of 3 stations\n\
             latency       p50 1.23 ms, p99 20 ms, max 20 ms\n\
             alarms on     alarm1 at 0, alarm2 at 0, as last acknowledged\n\
             the first refused: \"1 0 0\": stations_max too many\n\
             the first failed: nobody there\n"
        );
    }
}
