//! Reports as text: `second device alarm1 alarm2`, and what each comes to.

use super::*;

/// Plays them, and says of each but the first what counts: the contacts, where
/// it moved from, what it is a sign of, `contested` while that lasts.
fn play<S: AsRef<str>>(reports: &[S]) -> Vec<String> {
    let mut life = Life::new();
    let say = |report: &S| {
        let words: Vec<&str> = report.as_ref().split(' ').collect();
        let [second, letter, alarm1, alarm2] = words[..] else { panic!("{words:?}") };
        let at_ms = second.parse::<i64>().unwrap() * 1_000;
        let origin = device(letter.parse().unwrap());
        let heard = life.hear(at_ms, origin, [alarm1 == "1", alarm2 == "1"])?;
        let mut said = heard.contacts.map(|on| u8::from(on).to_string()).join(" ");
        if let Some(from) = heard.moved_from {
            said += &format!(", moved from {from}");
        }
        match &heard.sign {
            Some(sign) => said += &format!(", {sign}"),
            None if heard.contest.is_some_and(|contest| contest.is_contested()) => said += ", contested",
            None => {}
        }
        Some(said)
    };
    reports.iter().filter_map(say).collect()
}

/// One address that says on and off in turn, at these times.
fn in_turn(times_s: impl IntoIterator<Item = i64>) -> Vec<String> {
    let lines: Vec<String> = (times_s.into_iter().enumerate())
        .map(|(place, second)| format!("{second} A {} 0", u8::from(place % 2 == 0)))
        .collect();
    play(&lines)
}

/// The first report, after the first of all, with which it was contested.
fn first_contested(said: &[String]) -> Option<usize> {
    said.iter().position(|said| said.contains("contradict") || said.contains("contested"))
}

#[test]
fn a_station_that_moves_is_told_and_not_contested() {
    assert_eq!(
        play(&["0 A 0 0", "60 A 0 0", "120 B 0 0", "180 B 0 0", "1000 B 1 0"]),
        ["0 0", "0 0, moved from 10.0.0.1", "0 0", "1 0"]
    );
    // Back to the old line after the new one had it for long enough.
    assert_eq!(
        play(&["0 A 0 0", "60 B 0 0", "120 B 0 0", "180 A 0 0"]),
        ["0 0, moved from 10.0.0.1", "0 0", "0 0, moved from 10.0.0.2"]
    );
}

#[test]
fn two_addresses_in_turn_are_two_devices_and_neither_hides_what_the_other_says() {
    assert_eq!(
        play(&[
            "0 A 1 0",
            "20 B 0 0",
            "60 A 1 0",
            "80 B 0 1",
            "120 A 0 0",
            "140 B 0 0",
            "200 B 0 0",
            "260 B 0 0",
            "319 B 0 0",
            "320 B 0 0"
        ]),
        [
            "0 0, moved from 10.0.0.1",
            "1 0, reports alternate between 10.0.0.1 and 10.0.0.2",
            "1 1, reports alternate between 10.0.0.1 and 10.0.0.2",
            "0 1, reports alternate between 10.0.0.1 and 10.0.0.2",
            "0 0, reports alternate between 10.0.0.1 and 10.0.0.2",
            "0 0, contested",
            "0 0, contested",
            "0 0, contested",
            "0 0"
        ]
    );
}

#[test]
fn a_device_that_said_on_and_is_gone_counts_until_its_deadline() {
    assert_eq!(
        play(&["0 A 1 0", "20 B 0 0", "60 A 1 0", "80 B 0 0", "239 B 0 0", "240 B 0 0"])[3..],
        ["1 0, contested", "0 0, contested"]
    );
}

#[test]
fn a_third_and_a_fourth_device_join_them() {
    let said = play(&["0 A 1 0", "10 B 0 0", "20 C 0 0", "60 A 1 0", "70 B 0 0", "80 C 0 0", "300 D 0 0"]);
    assert_eq!(said[1], "0 0, moved from 10.0.0.2");
    assert_eq!(
        said[2..],
        [
            "1 0, reports alternate between 10.0.0.1 and 10.0.0.3",
            "1 0, reports alternate between 10.0.0.1 and 10.0.0.2",
            "1 0, reports alternate between 10.0.0.2 and 10.0.0.3",
            "0 0, moved from 10.0.0.3",
        ]
    );
}

/// Only so many are remembered; what the others said is not forgotten with them.
#[test]
fn a_sixth_device_hides_nothing_that_the_first_said() {
    let said = play(&[
        "0 A 1 0",
        "9 B 0 0",
        "18 C 0 0",
        "27 D 0 0",
        "36 E 0 0",
        "45 F 0 0",
        "60 B 0 0",
        "179 B 0 0",
    ]);
    let first = "1 0, reports alternate between 10.0.0.2 and 10.0.0.6";
    assert_eq!(said[5..], [first.to_owned(), "1 0, contested".to_owned()]);
}

#[test]
fn the_same_address_by_two_listeners_is_told_apart() {
    let other = Origin { listener: 2, ..device('A') };
    assert_eq!(
        Sign::Alternates(other, device('A')).to_string(),
        "reports alternate between 10.0.0.1 (listener 1) and 10.0.0.1 (listener 2)"
    );
}

#[test]
fn two_devices_behind_one_address_are_seen_after_four_reversals() {
    let twice = |periods: i64| (0..periods).flat_map(|period| [period * 60, period * 60 + 17]);
    let said = in_turn(twice(6));
    // Two changes, and then four that take back what was said between.
    assert_eq!(first_contested(&said), Some(4), "{said:?}");
    assert!(said[4].ends_with("reports from 10.0.0.1 contradict each other faster than its period"));
    assert!(said[4..].iter().all(|said| said.starts_with("1 0")), "{said:?}");
    // Also if their clocks are not exact.
    let drifting = [0, 30, 63, 92, 121, 150, 186, 213];
    assert_eq!(first_contested(&in_turn(drifting)), Some(4));
}

#[test]
fn a_contact_that_comes_and_goes_by_itself_is_one_device() {
    // Somebody tests it, or it chatters: not at the station's pace.
    for every_s in [1, 3, 10, 20, 25, 40, 55, 61] {
        assert_eq!(first_contested(&in_turn((0..200).map(|number| number * every_s))), None, "{every_s}");
    }
    // At its pace for a while, and not for long enough.
    assert_eq!(first_contested(&in_turn([0, 30, 60, 90, 120, 135, 180, 195, 210])), None);
}

#[test]
fn where_two_share_an_address_on_counts_until_nobody_has_said_so_for_period_and_grace() {
    let twice = [0, 20, 60, 80, 120, 140];
    let mut lines: Vec<String> = (twice.iter().enumerate())
        .map(|(place, second)| format!("{second} A {} 0", u8::from(place % 2 == 1)))
        .collect();
    // The one that said on, at 140, is switched off.
    lines.extend([180, 240, 300, 319, 320, 360].map(|second| format!("{second} A 0 0")));
    assert_eq!(
        play(&lines)[4..],
        [
            "1 0, reports from 10.0.0.1 contradict each other faster than its period",
            "1 0, reports from 10.0.0.1 contradict each other faster than its period",
            "1 0, contested",
            "1 0, contested",
            "1 0, contested",
            // 180 s after 140; and of the last sign, which was at 180.
            "0 0, contested",
            "0 0"
        ]
    );
}

#[test]
fn what_an_older_server_heard_came_from_nowhere() {
    let mut life = Life::new();
    life.hear(0, Origin::default(), [false; 2]);
    let heard = life.hear(60_000, device('A'), [false; 2]).unwrap();
    assert_eq!((heard.contest, heard.moved_from), (None, None));
}
