use waterwatch_core::StationId;

use super::*;

const NOW_MS: i64 = 1_795_484_760_000;

fn station(number: i64, age_ms: i64, alarm1: bool, alarm2: bool) -> LastContact {
    LastContact {
        station_id: StationId::new(number).unwrap(),
        last_date: "2026-11-24 01:46".into(),
        received_at_ms: Some(NOW_MS - age_ms),
        alarm1,
        alarm2,
        reports: 1,
        sequence: 1,
    }
}

fn picture(stations: Vec<LastContact>) -> Picture {
    Picture::new(stations, Timestamp::from_millisecond(NOW_MS).unwrap())
}

fn table(stations: Vec<LastContact>, terminal: bool) -> String {
    let mut out = Vec::new();
    table::write(&mut out, &picture(stations), terminal).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn ages_are_told_as_people_tell_them() {
    for (age_s, text) in [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3_599, "59 min"),
        (3_600, "1 h"),
        (7_500, "2 h 5 min"),
        (86_399, "23 h 59 min"),
        (86_400, "1 d"),
        (400_000, "4 d"),
    ] {
        assert_eq!(table::ago(age_s), text);
    }
}

#[test]
fn a_contact_ahead_of_the_clock_is_now_and_one_without_a_time_is_unknown() {
    let now = Timestamp::from_millisecond(NOW_MS).unwrap();
    assert_eq!(age_s(&station(1, 1_999, false, false), now), Some(1));
    assert_eq!(age_s(&station(1, -3_600_000, false, false), now), Some(0));
    let ancient = LastContact { received_at_ms: Some(i64::MIN), ..station(1, 0, false, false) };
    assert_eq!(age_s(&ancient, now), Some(i64::MAX / 1_000));
    let unknown = LastContact { received_at_ms: None, ..station(1, 0, false, false) };
    assert_eq!(age_s(&unknown, now), None);
}

#[test]
fn stations_in_alarm_come_first_and_then_the_ids() {
    let stations = vec![
        station(2, 12_000, false, false),
        station(7, 180_000, false, true),
        station(1_000, 7_500_000, false, false),
        station(i64::MAX, 400_000_000, true, true),
    ];
    insta::assert_snapshot!(table(stations, false), @"
                STATION  LAST CONTACT      AGO        ALARMS
                      7  2026-11-24 01:46  3 min      alarm2
    9223372036854775807  2026-11-24 01:46  4 d        alarm1 alarm2
                      2  2026-11-24 01:46  12 s       -
                   1000  2026-11-24 01:46  2 h 5 min  -

    4 stations, 2 in alarm
    ");
}

#[test]
fn many_stations_make_one_table() {
    let text = table((0..25_000).map(|number| station(number, 0, false, false)).collect(), false);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 1 + 25_000 + 2);
    assert_eq!(lines[1], "      0  2026-11-24 01:46  0 s  -");
    assert_eq!(lines[25_000], "  24999  2026-11-24 01:46  0 s  -");
    assert_eq!(lines[25_001..], ["", "25000 stations, none in alarm"]);
}

#[test]
fn only_a_terminal_gets_colours() {
    let stations = || vec![station(1, 0, true, false)];
    assert!(!table(stations(), false).contains('\x1b'));
    assert!(table(stations(), true).contains("\x1b["));
    let options = StatusOptions {
        data: crate::cli::DataOption { file: "data.sqlite".into() },
        json: false,
        watch: true,
    };
    for (terminal, begin) in [(true, "\x1b[2J\x1b[HSTATION"), (false, "STATION")] {
        let mut out = Vec::new();
        show_again(&mut out, &picture(stations()), &options, terminal).unwrap();
        assert!(String::from_utf8_lossy(&out).starts_with(begin));
    }
}

#[test]
fn a_failure_that_stays_is_told_once() {
    let mut told = None;
    let mut is_news = |failure: &str| news(&mut told, failure.to_owned()).is_some();
    assert_eq!(
        ["gone", "gone", "locked", "locked", "gone"].map(&mut is_news),
        [true, false, true, false, true]
    );
}
