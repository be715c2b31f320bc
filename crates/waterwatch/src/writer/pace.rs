//! Whether load is light, so that every station's rows are written at once,
//! or heavy, so that a commit journals them and waits for company.
//!
//! What makes the difference is the disk: a station's row is some thirty
//! bytes, and writing it dirties a page of 4,096 in each of two tables. A few
//! of them cost nothing that anybody notices, and a person who looks into the
//! database finds it up to date.

use std::time::{Duration, Instant};

use crate::config::Limits;
use crate::store::Form;

/// Pages that writing a station's rows dirties, at most.
const PAGES_A_STATION: usize = 2;

/// What is counted together.
const SPAN: Duration = Duration::from_secs(1);

/// Counts what the load would cost if everything were written at once.
#[derive(Debug)]
pub(super) struct Pace {
    reports_max: usize,
    pages_max: usize,
    wait_max: Duration,
    /// When the span that is counted began.
    since: Option<Instant>,
    /// Pages in it, and in the one before.
    pages: usize,
    pages_before: usize,
}

impl Pace {
    pub(super) fn new(limits: &Limits) -> Pace {
        Pace {
            reports_max: limits.direct_reports_max,
            pages_max: limits.direct_pages_max,
            wait_max: Duration::from_millis(limits.commit_wait_ms_max),
            since: None,
            pages: 0,
            pages_before: 0,
        }
    }

    /// How a batch of so many stations is recorded.
    pub(super) fn form(&mut self, stations: usize, now: Instant) -> Form {
        let lasted = self.since.map_or(Duration::MAX, |since| now.duration_since(since));
        if lasted >= SPAN {
            self.pages_before = if lasted < 2 * SPAN { self.pages } else { 0 };
            (self.since, self.pages) = (Some(now), 0);
        }
        self.pages += PAGES_A_STATION * stations;
        if stations > self.reports_max || self.is_heavy() { Form::Journal } else { Form::Direct }
    }

    /// How long a commit may wait for others to join it.
    pub(super) fn company(&self) -> Duration {
        if self.is_heavy() { self.wait_max } else { Duration::ZERO }
    }

    fn is_heavy(&self) -> bool {
        self.pages.max(self.pages_before) > self.pages_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The forms of batches of so many stations, one each so many ms.
    fn forms(every_ms: u64, batches: &[usize]) -> Vec<Form> {
        let limits = Limits { direct_reports_max: 64, direct_pages_max: 256, ..Limits::default() };
        let mut pace = Pace::new(&limits);
        let began = Instant::now();
        (0..)
            .zip(batches)
            .map(|(number, &stations)| pace.form(stations, began + Duration::from_millis(number * every_ms)))
            .collect()
    }

    #[test]
    fn a_large_batch_is_journaled_whatever_the_load() {
        assert_eq!(forms(10_000, &[64, 65, 1]), [Form::Direct, Form::Journal, Form::Direct]);
    }

    #[test]
    fn many_small_ones_are_journaled_until_load_has_been_light_for_a_while() {
        assert_eq!(forms(8, &[1; 100]), [Form::Direct; 100]);
        let mut wanted = vec![Form::Direct; 128];
        wanted.extend([Form::Journal; 300]);
        assert_eq!(forms(2, &[1; 428]), wanted);
        let mut batches = vec![1; 200];
        batches.extend([0; 1500]);
        assert_eq!(forms(2, &batches).last(), Some(&Form::Direct));
    }

    #[test]
    fn company_is_waited_for_only_under_heavy_load() {
        let limits = Limits { direct_pages_max: 4, commit_wait_ms_max: 7, ..Limits::default() };
        let mut pace = Pace::new(&limits);
        let now = Instant::now();
        pace.form(2, now);
        assert_eq!(pace.company(), Duration::ZERO);
        pace.form(1, now);
        assert_eq!(pace.company(), Duration::from_millis(7));
        pace.form(1, now + 3 * SPAN);
        assert_eq!(pace.company(), Duration::ZERO);
    }
}
