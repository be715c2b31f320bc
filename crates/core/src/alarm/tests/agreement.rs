//! The code and the naive model live the same lives.

use std::collections::HashMap;

use proptest::prelude::*;

use super::life::{Life, MINUTE_MS, kinds, order};
use super::model::{Does, Model, No, Rules};
use crate::alarm::{Alarm, Input, Kind, PointSettings, Priority, Rejected};

/// The longest that anything takes under [`RULES`].
const LONGEST_MINUTES: i64 = 70;

const RULES: [(&str, Rules); 3] = [
    (
        "latched, at once",
        Rules {
            on_delay: 0,
            off_delay: 0,
            latched: true,
            realarm_after: Some(20),
            raises: 1,
            window: 10,
            stuck_after: 3,
            shelf_max: 40,
            service_max: 60,
        },
    ),
    (
        "latched, with delays",
        Rules {
            on_delay: 2,
            off_delay: 2,
            latched: true,
            realarm_after: Some(5),
            raises: 1,
            window: 15,
            stuck_after: 30,
            shelf_max: 40,
            service_max: 60,
        },
    ),
    (
        "unlatched, nothing chatters",
        Rules {
            on_delay: 0,
            off_delay: 2,
            latched: false,
            realarm_after: None,
            raises: 0,
            window: 10,
            stuck_after: 2,
            shelf_max: 35,
            service_max: 60,
        },
    ),
];

/// Two minutes are the delays, twenty the time to ask again, and beyond the
/// quiet of chatter.
const ALPHABET: [Does; 15] = [
    Does::On,
    Does::Off,
    Does::Passes(2),
    Does::Passes(20),
    Does::Sleeps(20),
    Does::Acknowledge,
    Does::AcknowledgeOther,
    Does::Shelve(40),
    Does::Unshelve,
    Does::TakeOut(40),
    Does::TakeOut(22),
    Does::Return,
    Does::Suppress,
    Does::Unsuppress,
    Does::Retire,
];

fn settings(rules: &Rules) -> PointSettings {
    PointSettings {
        enabled: true,
        priority: Priority::High,
        on_delay_ms: rules.on_delay * MINUTE_MS,
        off_delay_ms: rules.off_delay * MINUTE_MS,
        latched: rules.latched,
        realarm_after_ms: rules.realarm_after.map(|after| after * MINUTE_MS),
        chatter_raises: u32::try_from(rules.raises).unwrap(),
        chatter_window_ms: rules.window * MINUTE_MS,
        stuck_after_ms: rules.stuck_after * MINUTE_MS,
        shelf_max_ms: rules.shelf_max * MINUTE_MS,
        service_max_ms: rules.service_max * MINUTE_MS,
        hand_over_after_ms: None,
    }
}

/// Both, side by side.
#[derive(Clone)]
struct Pair {
    life: Life,
    model: Model,
    /// The name of the newest occurrence.
    newest: i64,
}

/// All that the future of a pair hangs on.
type Ground = (Option<Alarm>, i64, i64, Model);

impl Pair {
    fn new(rules: &Rules) -> Pair {
        Pair { life: Life::new(settings(rules)), model: Model::default(), newest: 0 }
    }

    /// Both take one input, and agree on all that can be seen.
    fn takes(&mut self, does: Does, rules: &Rules) {
        let Pair { life, model, newest } = self;
        life.events.clear();
        let before = life.clone();
        // What is due now happens first, and may raise what is acknowledged.
        let current = {
            let mut looked = life.clone();
            looked.step(Input::Time).unwrap();
            looked.occurrence().unwrap_or(*newest)
        };
        let ends = |minutes: i64| order(life.now_ms + minutes * MINUTE_MS);
        let input = match does {
            Does::On => Some(Input::Contact(true)),
            Does::Off => Some(Input::Contact(false)),
            Does::Passes(_) => Some(Input::Time),
            Does::Sleeps(_) => None,
            Does::Acknowledge => Some(Input::Acknowledge { occurrence: current, by: "Ann" }),
            Does::AcknowledgeOther => Some(Input::Acknowledge { occurrence: current + 1_000, by: "Ann" }),
            Does::Shelve(minutes) => Some(Input::Shelve(ends(minutes))),
            Does::Unshelve => Some(Input::Unshelve { by: "Ann" }),
            Does::TakeOut(minutes) => Some(Input::TakeOutOfService(ends(minutes))),
            Does::Return => Some(Input::ReturnToService { by: "Ann" }),
            Does::Suppress => Some(Input::Suppress { occurrence: 9_999_999 }),
            Does::Unsuppress => Some(Input::Unsuppress),
            Does::Retire => Some(Input::Retire { by: "Ann", reason: "sold" }),
        };
        if let Does::Passes(minutes) | Does::Sleeps(minutes) = does {
            life.now_ms += minutes * MINUTE_MS;
        }
        let told = match input.map(|input| life.step(input).map(kinds)) {
            Some(Ok(told)) => Ok(told),
            Some(Err(rejected)) => Err(match rejected {
                Rejected::OtherOccurrence { .. } => No::OtherOccurrence,
                Rejected::AlreadyAcknowledged { .. } => No::AlreadyAcknowledged,
                Rejected::EndTooFar { .. } => No::TooFar,
                Rejected::NotShelved | Rejected::NotOutOfService | Rejected::NotPaused => No::NotThere,
                other => panic!("{other}"),
            }),
            None => Ok(Vec::new()),
        };
        let model_before = model.clone();
        let expected = model.takes(does, rules);
        if expected.is_err() {
            *model = model_before.clone();
        }
        let context = || format!("{does:?} after\n{model_before:?}\n{before:?}\ngives\n{model:?}\n{life:?}");
        assert_eq!(told, expected, "what is told: {}", context());
        for raised in life.events.iter().filter(|event| event.kind == Kind::Raised) {
            *newest = raised.sequence;
        }
        if matches!(does, Does::Sleeps(_)) {
            // Nobody has looked yet.
            return;
        }
        if expected.is_err() {
            assert_eq!((&life.alarm, life.sequence), (&before.alarm, before.sequence), "{}", context());
            return;
        }
        assert_eq!(life.state(), model.state(), "state: {}", context());
        let open = life.occurrence();
        assert_eq!(open.is_some(), model.occurrence().is_some(), "occurrence: {}", context());
        assert!(open.is_none_or(|open| open == *newest), "the newest is open: {}", context());
        assert_eq!(life.alarm.is_none(), model.at_rest(rules), "at rest: {}", context());
    }

    /// Both know when time brings something next.
    fn agree_on_what_is_due(&self, rules: &Rules) {
        let now_ms = self.life.now_ms;
        let due = self.life.clone().next_told_ms().map(|due_ms| (due_ms - now_ms).max(0) / MINUTE_MS);
        let expected = self.model.next_told(rules, LONGEST_MINUTES);
        assert_eq!(due, expected, "due: {:?}\n{:?}", self.model, self.life);
    }

    fn ground(&self) -> Ground {
        (self.life.alarm.clone(), self.life.now_ms, self.newest, self.model.clone())
    }
}

/// Every sequence of inputs up to this length is lived through. Pairs that are
/// the same in all that their future hangs on are gone on with once.
fn every_sequence(rules: &Rules, length: usize) -> (u64, usize) {
    let mut pairs: HashMap<Ground, (Pair, u64)> = HashMap::new();
    let first = Pair::new(rules);
    pairs.insert(first.ground(), (first, 1));
    let (mut sequences, mut compared) = (0, 0);
    for depth in 1..=length {
        let mut next: HashMap<Ground, (Pair, u64)> = HashMap::new();
        for (pair, ways) in pairs.into_values() {
            for does in ALPHABET {
                let mut after = pair.clone();
                // The same names at the same depth, whatever came before.
                after.life.sequence = 100 * i64::try_from(depth).unwrap();
                after.takes(does, rules);
                sequences += ways;
                compared += 1;
                next.entry(after.ground()).or_insert_with(|| (after, 0)).1 += ways;
            }
        }
        for (pair, _) in next.values() {
            pair.agree_on_what_is_due(rules);
        }
        pairs = next;
    }
    (sequences, compared)
}

/// 12,204,240 sequences for each of the three rules.
#[test]
fn every_sequence_of_up_to_six_inputs_ends_as_the_model_says() {
    for (name, rules) in &RULES {
        let (sequences, compared) = every_sequence(rules, 6);
        println!("{name}: {sequences} sequences, in {compared} steps that differ");
        let all = (1..=6).map(|length| 15_u64.pow(length)).sum::<u64>();
        assert_eq!(sequences, all);
    }
}

fn any_input() -> impl Strategy<Value = Does> {
    prop_oneof![
        6 => Just(Does::On),
        6 => Just(Does::Off),
        3 => (0..4_i64).prop_map(Does::Passes),
        2 => (0..60_i64).prop_map(Does::Passes),
        1 => (0..60_i64).prop_map(Does::Sleeps),
        3 => Just(Does::Acknowledge),
        1 => (1..50_i64).prop_map(Does::Shelve),
        1 => (1..70_i64).prop_map(Does::TakeOut),
        4 => proptest::sample::select(ALPHABET.to_vec()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn long_lives_go_as_the_model_says(
        which in 0..RULES.len(),
        raises in 0..4_usize,
        life in proptest::collection::vec(any_input(), 1..150),
    ) {
        let rules = Rules { raises, ..RULES[which].1 };
        let mut pair = Pair::new(&rules);
        for does in life {
            pair.takes(does, &rules);
            if !matches!(does, Does::Sleeps(_)) {
                pair.agree_on_what_is_due(&rules);
            }
        }
    }
}
