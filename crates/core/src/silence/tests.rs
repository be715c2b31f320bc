use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const PERIOD_MS: i64 = 60_000;
const GRACE_MS: i64 = 120_000;

fn at(wall_s: i64, steady_s: i64) -> Now {
    Now { wall_ms: wall_s * 1_000, steady_ms: steady_s * 1_000 }
}

/// A clock started at 1,000 s on the wall by a server that was last alive at
/// `alive_s`; 10 reports are known.
fn started(alive_s: i64, gaps: &[Gap]) -> ListeningClock {
    ListeningClock::start(at(1_000, 5), alive_s * 1_000, gaps, 10)
}

/// In how many seconds of listening after the start a station is silent.
fn silent_in_s(clock: &ListeningClock, received_s: i64, sequence: i64) -> i64 {
    let silent_at_ms = clock.silent_at_ms(received_s * 1_000, sequence, PERIOD_MS, GRACE_MS);
    (silent_at_ms - clock.started_ms) / 1_000
}

#[test]
fn the_servers_own_absence_is_not_counted_and_the_time_that_ran_is() {
    // (alive until, heard at, silent in so many seconds after the start)
    for (alive_s, heard_s, in_s) in [
        (1_000, 1_000, 180), // a restart within the second
        (1_000, 950, 130),
        (900, 890, 170),         // down for 100 s
        (-86_000, -86_010, 170), // for a day
        (900, 700, 60),          // overdue already: a whole period all the same
        (900, 100, 60),
        (900, 930, 180),   // heard after it was last recorded to be alive
        (900, 9_000, 180), // a wall that was in the future
    ] {
        let clock = started(alive_s, &[]);
        assert_eq!(silent_in_s(&clock, heard_s, 10), in_s, "alive {alive_s}, heard {heard_s}");
    }
}

#[test]
fn a_second_restart_does_not_count_the_first_absence() {
    // Heard at 90; blind from 100 to 800, on which entry 8 was written.
    let gap = Gap { sequence: 8, lasted_ms: 700_000 };
    let clock = started(820, &[gap]);
    assert_eq!(silent_in_s(&clock, 90, 5), 150);
    assert_eq!(silent_in_s(&clock, 810, 9), 170);
    // And a wall that was set ahead or back by an hour was not time, either.
    for lasted_s in [3_600, -3_600] {
        let gap = Gap { sequence: 8, lasted_ms: lasted_s * 1_000 };
        let clock = started(1_000, &[gap]);
        assert_eq!(silent_in_s(&clock, 1_000 - lasted_s - 50, 5), 130, "{lasted_s}");
    }
}

#[test]
fn what_is_heard_after_the_start_counts_from_then() {
    let mut clock = started(400, &[]);
    assert_eq!(clock.look(at(1_001, 6), 10), None);
    assert_eq!(silent_in_s(&clock, 1_001, 11), 181);
}

#[test]
fn blind_time_stands_still() {
    let mut clock = started(1_000, &[]);
    assert_eq!(clock.look(at(1_050, 55), 11), None);
    clock.was_blind(600_000, 11);
    assert_eq!(clock.look(at(1_650, 655), 11), None);
    assert_eq!(clock.at(at(0, 655)) - clock.started_ms, 650_000 - 600_000);
    // Heard before it, and after it.
    assert_eq!(silent_in_s(&clock, 1_050, 11), 50 + 180);
    assert_eq!(silent_in_s(&clock, 1_650, 12), 50 + 180);
}

#[test]
fn a_wall_that_jumps_is_told_and_moves_no_deadline() {
    for jump_s in [3_600, -3_600, 86_400] {
        let mut clock = started(1_000, &[]);
        let before = silent_in_s(&clock, 1_020, 11);
        assert_eq!(clock.look(at(1_030 + jump_s, 35), 11), Some(jump_s * 1_000));
        assert_eq!(clock.look(at(1_031 + jump_s, 36), 11), None, "told once");
        assert_eq!(silent_in_s(&clock, 1_020, 11), before);
        assert_eq!(silent_in_s(&clock, 1_031 + jump_s, 12), 31 + 180);
    }
}

#[test]
fn a_wall_that_strays_is_followed_without_a_word() {
    let mut clock = started(1_000, &[]);
    for step in 1..=10_000 {
        // 0.05 s a second: a hundred times what NTP slews.
        let now = Now { wall_ms: 1_000_000 + step * 1_050, steady_ms: 5_000 + step * 1_000 };
        assert_eq!(clock.look(now, 10 + step), None);
        let strayed_ms = clock.heard_ms(now.wall_ms, 11 + step) - clock.at(now);
        assert!(strayed_ms.abs() <= ListeningClock::STRAY_MAX_MS, "{strayed_ms}");
    }
}

#[test]
fn a_long_blind_time_is_one_rate_and_many_are_bounded_in_favour_of_the_stations() {
    let mut clock = started(1_000, &[]);
    for _ in 0..100_000 {
        clock.was_blind(500, 10);
    }
    assert_eq!(clock.rates.len(), 2);
    for sequence in 11..20_000 {
        clock.was_blind(1_000, sequence);
    }
    assert_eq!(clock.rates.len(), ListeningClock::RATES_MAX);
    // Who was heard in the first of them was heard no earlier than that.
    let heard_ms = clock.heard_ms(1_000_000 + 50_000_000, 11);
    assert!(heard_ms >= 1_000_000, "{heard_ms}");
    assert_eq!(silent_in_s(&clock, 990, 10), 170);
}

#[test]
fn nobody_is_asked_before_its_deadline_and_everybody_within_a_tick_of_it() {
    for due_ms in [0, 1, 249, 250, 251, -1, -250, -251, 12_345] {
        let mut deadlines = Deadlines::default();
        deadlines.put(0_usize, due_ms, due_ms);
        let asked_at_ms = deadlines.due_ms().unwrap();
        assert!(asked_at_ms > due_ms && asked_at_ms <= due_ms + Deadlines::<usize>::TICK_MS, "{due_ms}");
        deadlines.ask(asked_at_ms - 1, 9, |_| panic!("too early"));
        let mut asked = 0;
        deadlines.ask(asked_at_ms, 9, |_| {
            asked += 1;
            None
        });
        assert_eq!(asked, 1);
    }
}

#[test]
fn a_far_deadline_is_asked_in_between_so_that_the_ticks_are_bounded() {
    let mut deadlines = Deadlines::default();
    deadlines.put(0_usize, i64::MAX, 0);
    let first_ms = deadlines.due_ms().unwrap();
    assert!((3_600_000..3_601_000).contains(&first_ms), "{first_ms}");
    deadlines.ask(first_ms, 9, |_| Some(i64::MAX));
    let second_ms = deadlines.due_ms().unwrap();
    assert!((3_600_000..3_601_000).contains(&(second_ms - first_ms)), "{second_ms}");
}

#[test]
fn so_many_are_asked_at_once_and_the_rest_later() {
    let mut deadlines = Deadlines::default();
    for station in 0..10_usize {
        deadlines.put(station, 100, 0);
    }
    let mut asked = Vec::new();
    for _ in 0..4 {
        let before = asked.len();
        deadlines.ask(500, 3, |station| {
            asked.push(station);
            None
        });
        assert!(asked.len() <= before + 3);
    }
    asked.sort_unstable();
    assert_eq!(asked, (0..10).collect::<Vec<_>>());
    deadlines.ask(500, 3, |_| panic!("all are forgotten"));
    assert_eq!(deadlines.due_ms(), None);
}

proptest! {
    /// Reports move deadlines and not places; each station is handed out in
    /// the first tick after its true deadline, and once.
    #[test]
    fn each_station_is_found_out_at_its_true_deadline(
        reports in proptest::collection::vec((0_i64..600_000, 0_usize..5), 1..80),
    ) {
        let mut reports = reports;
        reports.sort_unstable();
        let mut heard = [0_i64; 5];
        let mut deadlines = Deadlines::default();
        for station in 0..5 {
            deadlines.put(station, 180_000, 0);
        }
        let (mut found, mut reports) = (BTreeMap::new(), reports.into_iter().peekable());
        for now_ms in (0..1_000_000).step_by(250) {
            while let Some((at_ms, station)) = reports.next_if(|(at_ms, _)| *at_ms <= now_ms) {
                if !found.contains_key(&station) {
                    heard[station] = at_ms;
                }
            }
            deadlines.ask(now_ms, usize::MAX, |station| {
                let deadline_ms = heard[station] + 180_000;
                if deadline_ms > now_ms {
                    return Some(deadline_ms);
                }
                assert_eq!(found.insert(station, now_ms), None, "once");
                None
            });
        }
        for (station, found_ms) in found {
            let late_ms = found_ms - (heard[station] + 180_000);
            prop_assert!((0..=250).contains(&late_ms), "station {station} {late_ms} ms late");
        }
        prop_assert_eq!(deadlines.due_ms(), None);
    }
}

#[test]
fn whoever_is_removed_is_not_asked_and_its_number_can_be_put_anew() {
    let mut deadlines = Deadlines::default();
    let mut asked = Vec::new();
    deadlines.remove(7_usize);
    deadlines.put(7, 10_000, 0);
    deadlines.put(8, 10_000, 0);
    deadlines.remove(8);
    deadlines.remove(7);
    deadlines.put(7, 10_000, 0);
    for now_ms in (0..20_000).step_by(250) {
        deadlines.ask(now_ms, 9, |station| {
            asked.push(station);
            None
        });
    }
    assert_eq!((asked, deadlines.due_ms()), (vec![7], None));
}

#[test]
fn whoever_is_brought_forward_is_asked_once_and_then() {
    let mut deadlines = Deadlines::default();
    let mut asked = Vec::new();
    deadlines.put(7_usize, 100_000, 0);
    deadlines.bring_forward(7, 200_000, 0);
    deadlines.bring_forward(7, 50_000, 0);
    deadlines.bring_forward(7, 50_000, 0);
    deadlines.bring_forward(8, 60_000, 0);
    for now_ms in (0..300_000).step_by(250) {
        deadlines.ask(now_ms, 9, |station| {
            asked.push((station, now_ms / 1_000));
            (now_ms < 150_000).then_some(150_000)
        });
    }
    assert_eq!(asked, [(7, 50), (8, 60), (8, 150), (7, 150)]);
    assert_eq!(deadlines.due_ms(), None, "nothing is left of the places of before");
}
