//! A time in which nothing can be stored.

use std::time::{Duration, Instant};

/// Said when it begins, now and then while it lasts, and when it is over.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    since: Option<Instant>,
    said: Option<Instant>,
    /// When it was last met.
    met: Option<Instant>,
}

impl Trouble {
    /// How often it is said again while it lasts.
    const SAY_EVERY: Duration = Duration::from_secs(60);

    pub(super) fn goes_on(&mut self, reason: &str, now: Instant) {
        let since = *self.since.get_or_insert(now);
        self.met = Some(now);
        if self.said.is_none_or(|said| now.duration_since(said) >= Self::SAY_EVERY) {
            self.said = Some(now);
            tracing::error!(
                reason,
                for_s = now.duration_since(since).as_secs(),
                "reports cannot be stored; they stay unanswered and stations will send them again"
            );
        }
    }

    pub(super) fn over(&mut self, now: Instant) {
        if let Some(since) = self.since.take() {
            (self.said, self.met) = (None, None);
            tracing::info!(after_s = now.duration_since(since).as_secs(), "reports are stored again");
        }
    }

    pub(super) fn is_there(&self) -> bool {
        self.since.is_some()
    }

    pub(super) fn lasts(&self, now: Instant) -> Duration {
        self.since.map_or(Duration::ZERO, |since| now.duration_since(since))
    }

    /// When it was last met, while it lasts.
    pub(super) fn met(&self) -> Option<Instant> {
        self.met
    }
}
