//! Stations that fall silent together: whether their silence is one fault, and
//! for which of them its alarm stands.
//!
//! A carrier that fails takes thirty stations with it, and that is one message.
//! So an area, and all stations together, have a `comms` alarm of their own. It
//! is raised once enough of them are out of contact at about the same time, and
//! while it [stands] for them, those that fell silent within its window
//! are suppressed. Nothing but silence ever is.

use std::ops::RangeInclusive;

use crate::alarm::{Alarm, OnWhileHidden};

/// From when on silences are one fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Together {
    /// The share of the stations that must be out of contact, in percent; 0:
    /// silences are never taken as one.
    pub share_percent: u32,
    /// At about the same time is within so many milliseconds.
    pub window_ms: i64,
}

/// How many of an area's stations, or of all, are out of contact. Those that
/// have been silent for longer than the window are left out: they say nothing
/// of what happens now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many there are.
    pub stations: usize,
    /// How many of them are silent, or will be soon: whoever fails together is
    /// late together before the first of them is silent.
    pub out_of_contact: usize,
}

impl Together {
    /// So many stations must be silent, at least.
    pub const STATIONS_MIN: usize = 3;

    /// So long after its acknowledgement an alarm no longer stands for others:
    /// whoever took it knows by then what is wrong, and each station that is
    /// still silent alarms for itself.
    pub const HAND_OVER_MS: i64 = 15 * 60_000;

    /// Whether silences are one fault, if `silent_lately` of these stations
    /// fell silent within the window.
    #[must_use]
    pub fn is_one_fault(&self, silent_lately: usize, tally: Tally) -> bool {
        silent_lately >= Self::STATIONS_MIN && self.is_shared(tally)
    }

    /// Whether enough of these stations are out of contact.
    #[must_use]
    pub fn is_shared(&self, Tally { stations, out_of_contact }: Tally) -> bool {
        self.share_percent > 0 && out_of_contact * 100 >= stations * self.share_percent as usize
    }

    /// Whether it is over, if `silent` of those that fell silent within its
    /// window still are, and the tally is of them and those to come: half of
    /// what raised it, so that one station more or less does not end it and
    /// raise it again.
    #[must_use]
    pub fn is_over(&self, silent: usize, Tally { stations, out_of_contact }: Tally) -> bool {
        silent < Self::STATIONS_MIN || out_of_contact * 200 < stations * self.share_percent as usize
    }

    /// The moments at which a station must have fallen silent for an alarm that
    /// was raised then to stand for it: the window before, and the one after. On
    /// whatever clock the raise is given.
    #[must_use]
    pub fn covers(&self, raised_ms: i64) -> RangeInclusive<i64> {
        raised_ms.saturating_sub(self.window_ms)..=raised_ms.saturating_add(self.window_ms)
    }
}

/// The defaults: half of them within five minutes.
impl Default for Together {
    fn default() -> Together {
        Together { share_percent: 50, window_ms: 5 * 60_000 }
    }
}

/// The occurrence that stands for silent stations at this moment; `None` if it
/// stands for none: it is over, an operator put it aside, or it was acknowledged
/// long enough ago.
#[must_use]
pub fn stands(alarm: &Alarm, now_ms: i64) -> Option<i64> {
    let open = alarm.occurrence.as_ref().filter(|_| alarm.is_on() && !alarm.is_hidden())?;
    let handed_over = open.hand_over_due_ms.is_some_and(|due_ms| due_ms <= now_ms);
    (!handed_over).then_some(open.sequence)
}

impl Alarm {
    /// The facts of a `comms` alarm that was at rest, of a station that fell
    /// silent then, while this occurrence of another alarm stands for it. A
    /// million of them may be the same.
    #[must_use]
    pub fn silent_together(occurrence: i64, since_ms: i64) -> Alarm {
        let mut alarm = Alarm { contact: true, contact_since_ms: since_ms, ..Alarm::default() };
        alarm.hidden.suppressed_by = Some(occurrence);
        alarm.hidden.was_on = Some(OnWhileHidden { from_ms: since_ms, to_ms: None });
        alarm.check();
        alarm
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::{AlarmSource, Input, Ledger, Order, Point, PointSettings, Priority, Subject};
    use crate::report::Origin;

    const RULE: Together = Together { share_percent: 50, window_ms: 300_000 };
    const MINUTE_MS: i64 = 60_000;

    #[test]
    fn enough_of_them_at_about_the_same_time_are_one_fault() {
        // silent within the window, out of contact, in all: one fault?
        for (lately, out_of_contact, stations, wanted) in [
            (2, 2, 2, false),
            (3, 3, 3, true),
            (3, 3, 6, true),
            (3, 3, 7, false),
            (3, 4, 7, true),
            (2, 40, 40, false),
            (3, 40, 40, true),
            (1_000, 499_999, 1_000_000, false),
            (1_000, 500_000, 1_000_000, true),
        ] {
            let tally = Tally { stations, out_of_contact };
            assert_eq!(RULE.is_one_fault(lately, tally), wanted, "{lately} {tally:?}");
        }
        let never = Together { share_percent: 0, ..RULE };
        assert!(!never.is_one_fault(9, Tally { stations: 9, out_of_contact: 9 }));
        let all = Together { share_percent: 100, ..RULE };
        assert!(!all.is_one_fault(8, Tally { stations: 9, out_of_contact: 8 }));
        assert!(all.is_one_fault(8, Tally { stations: 9, out_of_contact: 9 }));
    }

    #[test]
    fn it_is_over_once_most_of_them_are_back() {
        // silent, out of contact, in all: over?
        for (silent, out_of_contact, stations, wanted) in [
            (30, 30, 40, false),
            (10, 10, 40, false),
            (9, 9, 40, true),
            // The others follow.
            (3, 39, 40, false),
            (3, 3, 3, false),
            (2, 3, 3, true),
            (0, 0, 0, true),
        ] {
            let tally = Tally { stations, out_of_contact };
            assert_eq!(RULE.is_over(silent, tally), wanted, "{silent} and {tally:?}");
        }
    }

    fn step(before: Option<&Alarm>, at_ms: i64, sequence: &mut i64, input: Input<'_>) -> Option<Alarm> {
        let subject = Subject {
            source: AlarmSource::Server,
            point: Point::Comms,
            event_time_ms: at_ms,
            received_at_ms: at_ms,
            origin: Origin::default(),
            cause: None,
            reason: None,
        };
        let hand_over_after_ms = Some(Together::HAND_OVER_MS);
        let settings =
            PointSettings { latched: false, hand_over_after_ms, ..PointSettings::of(Priority::High) };
        let mut ledger = Ledger { sequence, events: &mut Vec::new() };
        Alarm::step(before, input, &settings, &subject, &mut ledger).unwrap()
    }

    #[test]
    fn an_alarm_stands_for_others_until_it_ends_is_put_aside_or_was_taken_a_while_ago() {
        let mut sequence = 6;
        let raised = step(None, 0, &mut sequence, Input::Contact(true)).unwrap();
        assert_eq!(stands(&raised, i64::MAX), Some(7));
        let acknowledge = Input::Acknowledge { occurrence: 7, by: "Ana" };
        let taken = step(Some(&raised), MINUTE_MS, &mut sequence, acknowledge).unwrap();
        assert_eq!(stands(&taken, 16 * MINUTE_MS - 1), Some(7));
        assert_eq!(stands(&taken, 16 * MINUTE_MS), None);
        // It goes along with the clock.
        let by_ms = 60 * MINUTE_MS;
        let jumped = step(Some(&taken), 61 * MINUTE_MS, &mut sequence, Input::ClockJump { by_ms }).unwrap();
        assert_eq!(stands(&jumped, 76 * MINUTE_MS - 1), Some(7));
        assert_eq!(stands(&jumped, 76 * MINUTE_MS), None);
        let order = Order { until_ms: MINUTE_MS, by: "Ana", reason: "the carrier is at work" };
        let shelved = step(Some(&raised), 1, &mut sequence, Input::Shelve(order)).unwrap();
        assert_eq!(stands(&shelved, 2), None);
        let over = step(Some(&raised), 1, &mut sequence, Input::Contact(false)).unwrap();
        assert_eq!(stands(&over, 2), None);
        assert_eq!(RULE.covers(0), -300_000..=300_000);
    }

    /// What many share is what each would have come to by itself, and a report
    /// ends it.
    #[test]
    fn who_falls_silent_together_is_as_if_each_had_been_suppressed() {
        let mut sequence = 0;
        let suppressed = step(None, 5, &mut sequence, Input::Suppress { occurrence: 3 });
        let silent = step(suppressed.as_ref(), 5, &mut sequence, Input::Contact(true));
        assert_eq!(silent, Some(Alarm::silent_together(3, 5)));
        let heard = step(silent.as_ref(), 9, &mut sequence, Input::Contact(false));
        assert_eq!(step(heard.as_ref(), 9, &mut sequence, Input::Unsuppress), None);
        let raised = step(silent.as_ref(), 9, &mut sequence, Input::Unsuppress).unwrap();
        assert!(raised.occurrence.is_some(), "who is still silent alarms for itself");
    }
}
