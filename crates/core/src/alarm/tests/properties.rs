//! What holds for any life, whatever is settled and however the clock goes.

use proptest::prelude::*;

use super::life::{HOUR_MS, Life, MINUTE_MS, SECOND_MS};
use crate::alarm::{Alarm, Input, Kind, Order, PointSettings, Priority, State};

#[derive(Clone, Copy, Debug)]
enum Happens {
    Contact(bool),
    Time,
    Acknowledge,
    /// The order ends so long after its moment.
    Shelve(i64),
    Unshelve,
    TakeOut(i64),
    Return,
    Suppress(i64),
    Unsuppress,
    Retire,
    Forget,
}

impl Happens {
    fn input(self, life: &Life) -> Input<'static> {
        let order =
            |for_ms: i64| Order { until_ms: life.now_ms.saturating_add(for_ms), by: "Ann", reason: "pump" };
        match self {
            Happens::Contact(on) => Input::Contact(on),
            Happens::Time => Input::Time,
            Happens::Acknowledge => {
                Input::Acknowledge { occurrence: life.occurrence().unwrap_or(0), by: "Ann" }
            }
            Happens::Shelve(for_ms) => Input::Shelve(order(for_ms)),
            Happens::Unshelve => Input::Unshelve { by: "Ann" },
            Happens::TakeOut(for_ms) => Input::TakeOutOfService(order(for_ms)),
            Happens::Return => Input::ReturnToService { by: "Ann" },
            Happens::Suppress(occurrence) => Input::Suppress { occurrence },
            Happens::Unsuppress => Input::Unsuppress,
            Happens::Retire => Input::Retire { by: "Ann", reason: "sold" },
            Happens::Forget => Input::Forget { by: "Ann" },
        }
    }
}

fn lasts() -> impl Strategy<Value = i64> {
    prop_oneof![
        3 => Just(0),
        4 => 1..3 * MINUTE_MS,
        2 => 1..30 * HOUR_MS,
        1 => prop_oneof![Just(-1), Just(i64::MAX), Just(i64::MIN), Just(PointSettings::LONGEST_MS)],
    ]
}

fn sane_lasts() -> impl Strategy<Value = i64> {
    prop_oneof![Just(0), 1..3 * MINUTE_MS, 1..2 * HOUR_MS]
}

fn settings(lasts: impl Strategy<Value = i64> + 'static) -> impl Strategy<Value = PointSettings> {
    let lasts = lasts.boxed();
    let delays = (lasts.clone(), lasts.clone(), proptest::option::of(lasts.clone()));
    let chatter = (prop_oneof![0..5_u32, Just(u32::MAX)], lasts.clone(), lasts.clone());
    (delays, chatter, (lasts.clone(), lasts), any::<bool>()).prop_map(
        |(delays, chatter, longest, latched)| PointSettings {
            enabled: true,
            priority: Priority::High,
            on_delay_ms: delays.0,
            off_delay_ms: delays.1,
            latched,
            realarm_after_ms: delays.2,
            chatter_raises: chatter.0,
            chatter_window_ms: chatter.1,
            stuck_after_ms: chatter.2,
            shelf_max_ms: longest.0,
            service_max_ms: longest.1,
            hand_over_after_ms: None,
        },
    )
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        12 => any::<bool>().prop_map(Happens::Contact),
        5 => Just(Happens::Time),
        4 => Just(Happens::Acknowledge),
        1 => lasts().prop_map(Happens::Shelve),
        1 => lasts().prop_map(Happens::TakeOut),
        3 => prop_oneof![Just(Happens::Unshelve), Just(Happens::Return), Just(Happens::Unsuppress)],
        1 => (1..5_i64).prop_map(Happens::Suppress),
        1 => prop_oneof![Just(Happens::Retire), Just(Happens::Forget)],
    ]
}

#[test]
fn what_is_settled_by_mistake_has_its_limits() {
    let absurd = PointSettings {
        on_delay_ms: i64::MAX,
        chatter_raises: u32::MAX,
        chatter_window_ms: i64::MAX,
        ..PointSettings::of(Priority::Low)
    };
    let mut life = Life::new(absurd);
    life.now_ms = HOUR_MS;
    life.step(Input::Contact(true)).unwrap();
    let due_ms = life.alarm.as_ref().and_then(Alarm::due_ms);
    assert_eq!(due_ms, Some(HOUR_MS + PointSettings::LONGEST_MS));

    let mut life = Life::new(PointSettings { on_delay_ms: i64::MIN, ..absurd });
    for raises in 1..=PointSettings::CHATTER_RAISES_MAX + 1 {
        life.step(Input::Contact(true)).unwrap();
        let chatters = life.events.iter().any(|event| event.kind == Kind::ChatterStarted);
        assert_eq!(chatters, raises > PointSettings::CHATTER_RAISES_MAX, "after {raises} raises");
        life.step(Input::Contact(false)).unwrap();
    }
}

/// How long after the one before something happens.
fn passes() -> impl Strategy<Value = i64> {
    prop_oneof![4 => 0..2 * MINUTE_MS, 2 => 0..HOUR_MS, 1 => 0..48 * HOUR_MS]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Also with settings that nobody means, that change on the way, and with
    /// a clock that goes as it likes.
    #[test]
    fn the_ledger_tells_every_change_of_state_and_nothing_else(
        settled in proptest::collection::vec(settings(lasts()), 1..4),
        start_ms in prop_oneof![Just(0), Just(i64::MAX - HOUR_MS), Just(i64::MIN + HOUR_MS)],
        steps in proptest::collection::vec((prop_oneof![9 => passes(), 1 => lasts()], happens()), 1..80),
    ) {
        let mut life = Life::new(settled[0]);
        life.now_ms = start_ms;
        // What the ledger alone says.
        let mut state = State::Normal;
        let mut open: Option<i64> = None;
        for (place, (passes_ms, happens)) in steps.into_iter().enumerate() {
            life.settings = settled[place / 20 % settled.len()];
            // Now and then it is not judged.
            life.settings.enabled = place % 20 < 17;
            life.now_ms = life.now_ms.saturating_add(passes_ms);
            let before = life.clone();
            let input = happens.input(&life);
            let Ok(events) = life.step(input).map(<[_]>::to_vec) else {
                prop_assert_eq!((&life.alarm, life.sequence), (&before.alarm, before.sequence));
                prop_assert_eq!(&life.events, &before.events);
                continue;
            };
            for (event, sequence) in events.iter().zip(before.sequence + 1..) {
                prop_assert_eq!(event.sequence, sequence);
                prop_assert_eq!(event.from, Some(state), "{:?}", event);
                state = event.to.unwrap();
                match event.kind {
                    Kind::Raised => open = Some(event.sequence),
                    Kind::Suppressed | Kind::Shelved | Kind::TakenOutOfService => open = None,
                    Kind::Retired | Kind::Forgotten | Kind::Disabled => open = None,
                    Kind::Acknowledged | Kind::Returned | Kind::ChatterCalmed if state == State::Normal => {
                        prop_assert_eq!(event.occurrence, open.take());
                    }
                    _ => prop_assert_eq!(event.occurrence, open, "{:?}", event),
                }
            }
            prop_assert_eq!(life.sequence, before.sequence + i64::try_from(events.len()).unwrap());
            prop_assert_eq!(life.state(), state);
            prop_assert_eq!(life.occurrence(), open);
            // At the end of all time everything is due at once.
            if life.alarm == before.alarm && life.now_ms < i64::MAX {
                prop_assert_eq!(&events, &[]);
            }
            if let Some(alarm) = &life.alarm {
                alarm.check();
                prop_assert!(!alarm.is_at_rest());
                prop_assert!(alarm.chatter.raised_at_ms.len() <= PointSettings::CHATTER_RAISES_MAX as usize);
            }
        }
    }

    #[test]
    fn once_what_is_due_has_happened_nothing_is_due(
        settings in settings(sane_lasts()),
        steps in proptest::collection::vec((passes(), happens()), 1..40),
    ) {
        let mut life = Life::new(settings);
        for (passes_ms, happens) in steps {
            life.now_ms += passes_ms;
            let input = happens.input(&life);
            let _ = life.step(input);
            life.step(Input::Time).unwrap();
            let due_ms = life.alarm.as_ref().and_then(Alarm::due_ms);
            prop_assert!(due_ms.is_none_or(|due_ms| due_ms > life.now_ms), "{:?}", life);
            prop_assert_eq!(life.step(Input::Time).unwrap(), &[]);
        }
    }

    /// Time that is looked at once, late, or before each report is the same
    /// to whoever reports later.
    #[test]
    fn it_does_not_matter_whether_time_or_a_report_comes_first(
        settings in settings(sane_lasts()),
        steps in proptest::collection::vec((passes(), happens()), 1..60),
    ) {
        let (mut one, mut other) = (Life::new(settings), Life::new(settings));
        for (passes_ms, happens) in steps {
            (one.now_ms, other.now_ms) = (one.now_ms + passes_ms, other.now_ms + passes_ms);
            other.step(Input::Time).unwrap();
            let input = happens.input(&other);
            let (first, second) = (one.step(input).is_ok(), other.step(input).is_ok());
            prop_assert_eq!(first, second);
            if !first {
                one.step(Input::Time).unwrap();
            }
            prop_assert_eq!(&one.alarm, &other.alarm);
            prop_assert_eq!(&one.events, &other.events);
        }
    }

    /// Ends on the wall are left out: they stay where they are.
    #[test]
    fn a_clock_that_jumps_changes_nothing_but_the_times(
        settings in settings(sane_lasts()),
        steps in proptest::collection::vec((passes(), happens()), 1..60),
        jump_at in 0..60_usize,
        jump_ms in prop_oneof![Just(-HOUR_MS), Just(HOUR_MS), -30 * SECOND_MS..30 * SECOND_MS],
    ) {
        let (mut steady, mut jumping) = (Life::new(settings), Life::new(settings));
        for (place, (passes_ms, happens)) in steps.into_iter().enumerate() {
            if matches!(happens, Happens::Shelve(_) | Happens::TakeOut(_)) {
                continue;
            }
            if place == jump_at {
                jumping.now_ms += jump_ms;
                prop_assert_eq!(jumping.step(Input::ClockJump { by_ms: jump_ms }).unwrap(), &[]);
            }
            (steady.now_ms, jumping.now_ms) = (steady.now_ms + passes_ms, jumping.now_ms + passes_ms);
            let input = happens.input(&steady);
            prop_assert_eq!(steady.step(input).is_ok(), jumping.step(input).is_ok());
            prop_assert_eq!(steady.state(), jumping.state());
            prop_assert_eq!(steady.sequence, jumping.sequence);
            let kinds = |life: &Life| super::life::kinds(&life.events);
            prop_assert_eq!(kinds(&steady), kinds(&jumping));
        }
    }
}
