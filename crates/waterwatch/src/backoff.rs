//! How long a station waits after a report that was not acknowledged.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// The wait no longer doubles after so many failures: a second has become
/// twelve days, and any sensible limit has cut it short by then.
const DOUBLINGS_MAX: u32 = 20;

/// How long to wait after a failure that `failures_before` others preceded in
/// a row: `first`, twice as long each time, at most `longest`, and between
/// half and the whole of that by `random`, so that the stations that a server
/// lost together do not come back together.
#[must_use]
pub fn delay(first: Duration, longest: Duration, failures_before: u32, random: u64) -> Duration {
    let whole = first.saturating_mul(1 << failures_before.min(DOUBLINGS_MAX)).min(longest);
    let half = whole / 2;
    let half_ms = u64::try_from(half.as_millis()).unwrap_or(u64::MAX);
    half + Duration::from_millis(random % half_ms.saturating_add(1))
}

/// A number by chance, good enough to spread stations in time: the standard
/// library seeds its hash maps from the system's randomness.
#[must_use]
pub fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn waits_twice_as_long_each_time_up_to_the_period() {
        let longest: Vec<u128> = (0..9)
            .map(|failures| (0..=3000).map(|random| delay(SECOND, MINUTE, failures, random)).max())
            .map(|longest| longest.unwrap().as_millis())
            .collect();
        assert_eq!(longest[..2], [1000, 2000]);
        let shortest: Vec<u128> =
            (0..9).map(|failures| delay(SECOND, MINUTE, failures, 0).as_millis()).collect();
        assert_eq!(shortest, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
    }

    #[test]
    fn chance_is_not_always_the_same() {
        let first = random();
        assert!((0..100).any(|_| random() != first));
    }

    proptest! {
        #[test]
        fn stays_between_half_and_the_whole(failures: u32, period_ms in 1_u64.., random: u64) {
            let period = Duration::from_millis(period_ms);
            let wait = delay(SECOND, period, failures, random);
            prop_assert!(wait <= period);
            prop_assert!(wait >= SECOND.min(period) / 2);
        }
    }
}
