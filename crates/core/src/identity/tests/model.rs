//! A naive second telling: all reports are kept, and each question is answered
//! by looking at all of them. And what holds for any reports.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::*;
use crate::station::SPAN_GAP_MS;

#[derive(Clone, Copy, Debug)]
struct Word {
    at_ms: i64,
    origin: Origin,
    contacts: [bool; 2],
}

/// What is told of each report but the first.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    contacts: [bool; 2],
    is_contested: bool,
    has_moved: bool,
}

fn counts(at_ms: i64, now_ms: i64) -> bool {
    at_ms + PERIOD_MS + GRACE_MS > now_ms
}

/// Whether the report at this place says something else than the one before it,
/// or after a pause.
fn begins_span(words: &[Word], place: usize) -> bool {
    place == 0 || {
        let (word, last) = (words[place], words[place - 1]);
        word.contacts != last.contacts || word.at_ms - last.at_ms > SPAN_GAP_MS
    }
}

fn takes_back(words: &[Word], place: usize) -> bool {
    let [first, last, word] = words[place.saturating_sub(2)..=place] else { return false };
    let passed_ms = word.at_ms - first.at_ms;
    first.origin == word.origin
        && last.origin == word.origin
        && (passed_ms - PERIOD_MS).abs() <= PERIOD_MS / 8
        && (0..2).any(|of| word.contacts[of] == first.contacts[of] && word.contacts[of] != last.contacts[of])
        && begins_span(words, place - 2)
}

fn tell(words: &[Word]) -> Vec<Told> {
    let mut told: Vec<Told> = Vec::new();
    let (mut sign_ms, mut shared_from) = (None, None);
    for place in 1..words.len() {
        let (word, now_ms) = (words[place], words[place].at_ms);
        let has_moved = words[place - 1].origin != word.origin;
        let was_contested = sign_ms.is_some_and(|sign_ms| counts(sign_ms, now_ms));
        let is_back = words[..place].iter().any(|old| old.origin == word.origin && counts(old.at_ms, now_ms));
        let in_a_row = (0..=place).rev().take_while(|place| takes_back(words, *place)).count();
        let contradicts = in_a_row >= if was_contested { 1 } else { 4 };
        if contradicts || (has_moved && (is_back || was_contested)) {
            sign_ms = Some(now_ms);
        }
        let is_contested = sign_ms == Some(now_ms) || was_contested;
        if !is_contested {
            (sign_ms, shared_from) = (None, None);
        } else if contradicts && shared_from.is_none() {
            shared_from = Some(place - 1);
        }
        let is_on = |of: usize| {
            let says = |place: usize| words[place].contacts[of] && counts(words[place].at_ms, now_ms);
            let is_last_of_its =
                |old: usize| words[old + 1..=place].iter().all(|later| later.origin != words[old].origin);
            let last_of_each = (0..place).filter(|old| is_last_of_its(*old));
            let shared = shared_from.into_iter().flat_map(|from| from..place);
            word.contacts[of] || (is_contested && last_of_each.chain(shared).any(says))
        };
        let contacts = [is_on(0), is_on(1)];
        told.push(Told { contacts, is_contested, has_moved: has_moved && !is_contested });
    }
    told
}

fn play(words: &[Word]) -> Vec<Heard> {
    let mut life = Life::new();
    words.iter().filter_map(|word| life.hear(word.at_ms, word.origin, word.contacts)).collect()
}

fn is_contested(heard: &Heard) -> bool {
    heard.contest.as_ref().is_some_and(Contest::is_contested)
}

/// Reports of so many devices, in parts: those that take turns at the pace of a
/// station, and those that come whenever they do.
fn words(devices: usize) -> impl Strategy<Value = Vec<Word>> {
    let gap_ms = prop_oneof![
        0..70_000_i64,
        prop::sample::select(vec![15_000, 30_000, 60_000, 179_999, 180_000]),
        60_000..400_000_i64,
    ];
    let whenever = (gap_ms, 0..devices, prop::option::weighted(0.2, any::<[bool; 2]>()))
        .prop_map(|(gap_ms, device, says)| vec![(gap_ms, device, says)]);
    let in_turn = (0..devices, 0..3_usize, 5_000..55_000_i64, 3..12_usize).prop_map(
        move |(one, apart, after_ms, turns)| {
            let other = (one + apart) % devices;
            [(60_000 - after_ms, one, None), (after_ms, other, None)].repeat(turns)
        },
    );
    let parts = prop::collection::vec(prop_oneof![4 => whenever, 1 => in_turn], 1..20);
    let saying = prop::collection::vec(any::<[bool; 2]>(), devices);
    (parts, saying, 1..=2_usize).prop_map(|(parts, mut saying, sharing)| {
        let mut at_ms = 1_000_000;
        let report = |(gap_ms, device, says): (i64, usize, Option<[bool; 2]>)| {
            saying[device] = says.unwrap_or(saying[device]);
            at_ms += gap_ms;
            let letter = char::from(b'A' + u8::try_from(device / sharing).unwrap());
            Word { at_ms, origin: super::device(letter), contacts: saying[device] }
        };
        parts.into_iter().flatten().map(report).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn both_tellings_agree(words in words(5)) {
        let told = |heard: &Heard| Told {
            contacts: heard.contacts,
            is_contested: is_contested(heard),
            has_moved: heard.moved_from.is_some(),
        };
        prop_assert_eq!(play(&words).iter().map(told).collect::<Vec<_>>(), tell(&words));
    }

    /// However many there are: what is remembered is bounded, and while the
    /// station is contested no device hides what another one says.
    #[test]
    fn nothing_is_hidden_and_little_is_kept(words in words(9)) {
        for (place, heard) in (1..).zip(play(&words)) {
            let now_ms = words[place].at_ms;
            prop_assert!(heard.contest.as_ref().is_none_or(|contest| contest.others.len() <= OTHERS_MAX));
            for of in 0..2 {
                let mut origins: Vec<Origin> = Vec::new();
                let somebody_says = words[..=place].iter().rev().any(|word| {
                    let is_last = !origins.contains(&word.origin);
                    origins.push(word.origin);
                    is_last && word.contacts[of] && counts(word.at_ms, now_ms)
                });
                let is_hidden = is_contested(&heard) && somebody_says && !heard.contacts[of];
                prop_assert!(!is_hidden, "contact {} at {}", of, now_ms);
                prop_assert!(heard.contacts[of] || !words[place].contacts[of], "what is said counts");
            }
        }
    }

    /// It ends: one device that goes on alone leaves nothing behind.
    #[test]
    fn one_that_goes_on_alone_is_not_contested(words in words(5)) {
        let mut words = words;
        let last = *words.last().unwrap();
        words.extend((1..6).map(|number| Word { at_ms: last.at_ms + number * PERIOD_MS, ..last }));
        let played = play(&words);
        let heard = played.last().unwrap();
        prop_assert_eq!((heard.contacts, &heard.contest), (last.contacts, &None));
    }
}

/// The properties are about something.
#[test]
fn contests_of_both_kinds_are_among_those_that_are_tried() {
    let mut runner = TestRunner::deterministic();
    let (mut alternating, mut contradicting, mut quiet) = (0, 0, 0);
    for _ in 0..200 {
        let signs: Vec<Sign> = play(&words(5).new_tree(&mut runner).unwrap().current())
            .into_iter()
            .filter_map(|heard| heard.sign)
            .collect();
        alternating += usize::from(signs.iter().any(|sign| matches!(sign, Sign::Alternates(..))));
        contradicting += usize::from(signs.iter().any(|sign| matches!(sign, Sign::Contradicts(_))));
        quiet += usize::from(signs.is_empty());
    }
    assert!(alternating > 50 && contradicting > 10 && quiet > 5, "{alternating} {contradicting} {quiet}");
}
