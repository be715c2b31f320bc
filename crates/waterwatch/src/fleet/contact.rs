//! One alarm contact of a simulated station. It goes on and off as a real
//! one does, at moments of its own and not anew for each report: so what the
//! server stores can be compared with what the station last said.

use std::time::Duration;

use fastrand::Rng;
use tokio::time::Instant;

/// Periods that a contact stays off at most; half of it on average. A
/// hundred stations that report each minute then raise about one alarm a
/// minute.
const OFF_PERIODS_MAX: f64 = 400.0;

/// Periods that a contact stays on: long enough to be seen, short enough
/// that most are off.
const ON_PERIODS: std::ops::Range<f64> = 1.0..10.0;

/// An alarm contact and when it changes next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contact {
    on: bool,
    changes_at: Instant,
}

impl Contact {
    /// A contact that is off at `now`.
    pub(super) fn new(now: Instant, period: Duration, dice: &mut Rng) -> Contact {
        Contact { on: false, changes_at: now + stay(false, period, dice) }
    }

    /// Whether it is on, as of the last [`Contact::advance`].
    pub(super) fn is_on(self) -> bool {
        self.on
    }

    /// When it changes next.
    pub(super) fn changes_at(self) -> Instant {
        self.changes_at
    }

    /// Lives through all changes until `now`.
    pub(super) fn advance(&mut self, now: Instant, period: Duration, dice: &mut Rng) {
        while self.changes_at <= now {
            self.on = !self.on;
            self.changes_at += stay(self.on, period, dice);
        }
    }
}

/// How long a contact stays as it has just become.
fn stay(on: bool, period: Duration, dice: &mut Rng) -> Duration {
    let periods = if on {
        ON_PERIODS.start + dice.f64() * (ON_PERIODS.end - ON_PERIODS.start)
    } else {
        // Never nothing: a change lasts at least as long as the timer sees.
        0.1 + dice.f64() * OFF_PERIODS_MAX
    };
    period.mul_f64(periods)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_is_mostly_off_and_stays_on_for_some_periods() {
        let period = Duration::from_secs(60);
        let start = Instant::now();
        let mut dice = Rng::with_seed(1);
        let mut contact = Contact::new(start, period, &mut dice);
        let (mut on, mut raised) = (0_u32, 0_u32);
        for minute in 0..100_000 {
            let before = contact.is_on();
            contact.advance(start + period * minute, period, &mut dice);
            on += u32::from(contact.is_on());
            raised += u32::from(contact.is_on() && !before);
            assert!(contact.changes_at() > start + period * minute);
        }
        assert!((300..800).contains(&raised), "raised {raised} times in 100,000 periods");
        assert!((3..9).contains(&(on / raised)), "each for {} periods", on / raised);
    }
}
