//! When a connection sends: when it is answered, or when a report falls due.

use std::time::{Duration, Instant};

/// What sets the pace of a load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    /// Each connection keeps its reports in flight: the server sets the pace.
    Closed,
    /// The same, until every station has reported once.
    Once,
    /// Reports fall due at this rate, whatever is answered.
    Open {
        /// Of all connections together.
        reports_per_s: f64,
    },
    /// Each report has a connection of its own.
    Reconnect,
}

/// When each report of one connection falls due: at equal distances, each
/// connection in turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    pub(super) began: Instant,
    pub(super) reports_per_s: f64,
    pub(super) connections: u32,
    pub(super) place: u32,
}

impl Schedule {
    /// How many reports of this connection have fallen due.
    pub(super) fn due(&self, now: Instant) -> u64 {
        let all = due_in_all(now.saturating_duration_since(self.began), self.reports_per_s);
        all.saturating_sub(u64::from(self.place)).div_ceil(u64::from(self.connections))
    }

    /// When this connection's report number `report` falls due.
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 reports")]
    pub(super) fn due_at(&self, report: u64) -> Instant {
        let in_all = report * u64::from(self.connections) + u64::from(self.place);
        self.began + Duration::from_secs_f64(in_all as f64 / self.reports_per_s)
    }
}

/// How many reports of all connections have fallen due after `elapsed`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, below 2^53")]
pub(super) fn due_in_all(elapsed: Duration, reports_per_s: f64) -> u64 {
    (elapsed.as_secs_f64() * reports_per_s) as u64 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_fall_due_at_equal_distances_each_connection_in_turn() {
        let began = Instant::now();
        let schedule = |place| Schedule { began, reports_per_s: 100.0, connections: 4, place };
        let after = |ms| began + Duration::from_millis(ms);
        // Due at 0, 10, 20, 30 ms: one of each connection; at 40 ms the first
        // one's second.
        for (ms, due) in [(0, [1, 0, 0, 0]), (15, [1, 1, 0, 0]), (39, [1, 1, 1, 1]), (41, [2, 1, 1, 1])] {
            assert_eq!([0, 1, 2, 3].map(|place| schedule(place).due(after(ms))), due, "after {ms} ms");
        }
        assert_eq!(schedule(3).due_at(0), after(30));
        assert_eq!(schedule(3).due_at(2), after(110));
    }

    #[test]
    fn the_whole_rate_falls_due() {
        let began = Instant::now();
        let due: u64 = (0..7)
            .map(|place| Schedule { began, reports_per_s: 16_700.0, connections: 7, place })
            .map(|schedule| schedule.due(began + Duration::from_secs(60)))
            .sum();
        assert_eq!(due, 60 * 16_700 + 1);
    }
}
