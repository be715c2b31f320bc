use std::sync::Arc;

use std::collections::HashSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use waterwatch_core::alarm::{Alarm, AlarmSource, Aside, Occurrence, Point};
use waterwatch_core::station_life::Retired;
use waterwatch_core::{StationId, StationLife};

use super::*;
use crate::store::reader::KnownAlarm;
use crate::store::reader::{LastContact, ServerRows};

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
        life: None,
    }
}

fn raised(number: i64, point: Point) -> KnownAlarm {
    raised_of(AlarmSource::Station(StationId::new(number).unwrap()), point)
}

fn raised_of(source: AlarmSource, point: Point) -> KnownAlarm {
    let occurrence = Occurrence {
        sequence: 5,
        raised_at_ms: NOW_MS,
        returned_at_ms: None,
        acknowledged: None,
        realarm_due_ms: None,
        hand_over_due_ms: None,
        raises: 1,
    };
    let alarm = Alarm { contact: true, occurrence: Some(occurrence), ..Alarm::default() };
    ((source, point), alarm.into())
}

fn picture(stations: Vec<LastContact>, mut alarms: Vec<KnownAlarm>) -> Picture {
    let clock = Clock { now: Timestamp::from_millisecond(NOW_MS).unwrap(), zone: TimeZone::UTC };
    alarms.sort_by(|(one, _), (other, _)| one.cmp(other));
    let server = ServerRows { alive_until_ms: Some(NOW_MS), ..ServerRows::default() };
    Picture::new(reader::Picture { stations, alarms, server, ..reader::Picture::default() }, clock)
}

fn table(stations: Vec<LastContact>, alarms: Vec<KnownAlarm>, terminal: bool) -> String {
    let mut out = Vec::new();
    table::write(&mut out, &picture(stations, alarms), terminal).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_contact_ahead_of_the_clock_is_said_to_be_and_one_without_a_time_is_unknown() {
    let ago = |received_at_ms| {
        let contact = LastContact { received_at_ms, ..station(1, 0, false, false) };
        let picture = picture(vec![contact], Vec::new());
        (picture.stations[0].ago(&picture.clock), picture.stations[0].comms.name())
    };
    assert_eq!(ago(Some(NOW_MS - 1_999)), ("1 s".to_owned(), "up"));
    assert_eq!(ago(Some(NOW_MS - 60_999)), ("1 min".to_owned(), "up"));
    assert_eq!(ago(Some(NOW_MS - 61_000)), ("1 min".to_owned(), "late"));
    assert_eq!(ago(Some(NOW_MS + 3_600_000)), ("ahead".to_owned(), "late"));
    assert_eq!(ago(Some(i64::MIN)).1, "late");
    assert_eq!(ago(None), ("unknown".to_owned(), "new"));
}

#[test]
fn the_worst_come_first_and_what_is_not_known_is_never_well() {
    let stations = vec![
        station(2, 12_000, false, false),
        station(7, 50_000, false, true),
        station(9, 8_000, true, false),
        station(11, 300_000, false, false),
        station(12, 90_000, true, false),
        station(13, 9_000, true, false),
        station(14, 9_000, false, true),
        LastContact { received_at_ms: None, last_date: "yesterday".into(), ..station(20, 0, false, false) },
        station(1_000, 7_500_000, false, false),
    ];
    let mut acknowledged = raised(7, Point::Alarm2);
    acknowledge(&mut acknowledged);
    let mut shelved = raised(13, Point::Alarm1);
    let facts = Arc::make_mut(&mut shelved.1);
    facts.occurrence = None;
    let aside = Aside { until_ms: NOW_MS, by: "Ann".into(), reason: "test".into(), warned: true };
    facts.hidden.shelf = Some(aside);
    let alarms = vec![
        acknowledged,
        raised(9, Point::Alarm1),
        raised(11, Point::Comms),
        raised(12, Point::Alarm1),
        shelved,
    ];
    insta::assert_snapshot!(table(stations, alarms, false), @"
    STATION  LAST CONTACT      AGO        COMMS   STATE  ALARMS
         12  2026-11-24 01:46  1 min      late    UNACK  alarm1?
          9  2026-11-24 01:46  8 s        up      UNACK  alarm1
         11  2026-11-24 01:46  5 min      silent  UNACK  -?
          7  2026-11-24 01:46  50 s       up      ACKED  alarm2
         14  2026-11-24 01:46  9 s        up      ?      alarm2
         13  2026-11-24 01:46  9 s        up      SHLVD  alarm1
       1000  2026-11-24 01:46  2 h 5 min  late    NORM?  -?
         20  yesterday         unknown    new     ?      -?
          2  2026-11-24 01:46  12 s       up      NORM   -

    9 stations, 5 alarms, 3 unacknowledged, 1 silent, 2 late, 1 never heard, 1 hidden (? is what was last known)
    ");
}

#[test]
fn what_has_returned_and_waits_for_an_answer_is_counted_as_unacknowledged() {
    let mut gone = raised(9, Point::Alarm1);
    let facts = Arc::make_mut(&mut gone.1);
    facts.contact = false;
    facts.occurrence.as_mut().unwrap().returned_at_ms = Some(NOW_MS);
    let mut of_area = raised_of(AlarmSource::Area("North".into()), Point::Comms);
    let facts = Arc::make_mut(&mut of_area.1);
    facts.contact = false;
    facts.occurrence.as_mut().unwrap().returned_at_ms = Some(NOW_MS);
    let alarms = vec![gone, of_area, raised(9, Point::Alarm2)];
    let shown = table(vec![station(9, 8_000, false, true)], alarms, false);
    assert!(shown.ends_with("\n1 station, 3 alarms, 3 unacknowledged\n"), "{shown}");
}

fn acknowledge((_, alarm): &mut KnownAlarm) {
    let by = waterwatch_core::alarm::Acknowledgement { by: "Ann".into(), at_ms: NOW_MS };
    Arc::make_mut(alarm).occurrence.as_mut().unwrap().acknowledged = Some(by);
}

#[test]
fn what_is_in_alarm_besides_stations_stands_above_them_and_is_counted_as_alarm_list_does() {
    let area = |name: &str| AlarmSource::Area(name.into());
    let mut answered = raised_of(AlarmSource::Server, Point::NewStations);
    acknowledge(&mut answered);
    let mut shelved = raised_of(area("South"), Point::Comms);
    let aside = Aside { until_ms: NOW_MS, by: "Ann".into(), reason: "test".into(), warned: true };
    Arc::make_mut(&mut shelved.1).hidden.shelf = Some(aside);
    let mut stood_for = raised(4, Point::Comms);
    let facts = Arc::make_mut(&mut stood_for.1);
    facts.occurrence = None;
    facts.hidden.suppressed_by = Some(5);
    let alarms = vec![
        answered,
        raised_of(area("North"), Point::Comms),
        shelved,
        stood_for,
        // Two of one station.
        raised(9, Point::Alarm1),
        raised(9, Point::Alarm2),
    ];
    let stations = || vec![station(4, 500_000, false, false), station(9, 8_000, true, true)];
    let shown = table(stations(), alarms.clone(), false);
    insta::assert_snapshot!(shown, @"
    STATE  PRIORITY      SOURCE  POINT         SINCE             FOR  NOTE
    UNACK  high      area/North  comms         2026-11-24 01:46  0 s
    ACKED  high          server  new_stations  2026-11-24 01:46  0 s  acknowledged by Ann 2026-11-24 01:46

    STATION  LAST CONTACT      AGO    COMMS   STATE  ALARMS
          9  2026-11-24 01:46  8 s    up      UNACK  alarm1 alarm2
          4  2026-11-24 01:46  8 min  silent  DSUPR  -?

    2 stations, 4 alarms, 3 unacknowledged, 1 silent, 2 hidden (? is what was last known)
    ");
    let mut coloured = Vec::new();
    table::write(&mut coloured, &picture(stations(), alarms), true).unwrap();
    let coloured = String::from_utf8(coloured).unwrap();
    let north = coloured.lines().find(|line| line.contains("North")).unwrap();
    assert!(north.starts_with("\x1b["), "painted as an alarm: {north:?}");

    let alone = table(Vec::new(), vec![raised_of(AlarmSource::Server, Point::Comms)], false);
    assert!(
        alone.contains("server  comms") && alone.ends_with("\n\nno station has reported yet\n"),
        "{alone}"
    );
}

#[test]
fn a_contact_that_is_on_by_another_device_is_before_those_that_are_only_silent() {
    let stations = vec![station(3, 300_000, false, false), station(4, 9_000, false, false)];
    let alarms = vec![raised(3, Point::Comms), raised(4, Point::Alarm2), raised(4, Point::Identity)];
    insta::assert_snapshot!(table(stations, alarms, false), @"
    STATION  LAST CONTACT      AGO    COMMS   STATE  ALARMS
          4  2026-11-24 01:46  9 s    up      UNACK  alarm2 (another device said on)
          3  2026-11-24 01:46  5 min  silent  UNACK  -?

    2 stations, 3 alarms, 3 unacknowledged, 1 silent (? is what was last known)
    ");
}

#[test]
fn one_that_was_never_heard_is_counted_as_that_also_once_it_is_silent() {
    let never = |number| LastContact {
        received_at_ms: None,
        last_date: "".into(),
        reports: 0,
        ..station(number, 0, false, false)
    };
    insta::assert_snapshot!(table(vec![never(1), never(2)], vec![raised(2, Point::Comms)], false), @"
    STATION  LAST CONTACT  AGO    COMMS   STATE  ALARMS  NAME
          2  -             never  silent  UNACK  ?       never heard
          1  -             never  new     ?      ?

    2 stations, 1 alarm, 1 unacknowledged, 1 silent, 2 never heard (? is what was last known)
    ");
}

#[test]
fn a_server_that_is_gone_is_said_to_be() {
    let clock = Clock { now: Timestamp::from_millisecond(NOW_MS).unwrap(), zone: TimeZone::UTC };
    let server = ServerRows { alive_until_ms: Some(NOW_MS - 10_800_000), ..ServerRows::default() };
    let gone = Picture::new(reader::Picture { server, ..reader::Picture::default() }, clock);
    let mut out = Vec::new();
    table::write(&mut out, &gone, false).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap(), @"
    no station has reported yet
    the server has recorded nothing since 2026-11-23 22:46 (3 h ago): what is shown was known then
    ");
}

#[test]
fn many_stations_make_one_table() {
    let text = table((0..25_000).map(|number| station(number, 0, false, false)).collect(), Vec::new(), false);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 1 + 25_000 + 2);
    assert_eq!(lines[1], "      0  2026-11-24 01:46  0 s  up     NORM   -");
    assert_eq!(lines[25_000], "  24999  2026-11-24 01:46  0 s  up     NORM   -");
    assert_eq!(lines.iter().collect::<HashSet<_>>().len(), lines.len(), "each once");
    assert_eq!(lines[25_001..], ["", "25000 stations, no alarms"]);
}

#[test]
fn only_a_terminal_gets_colours() {
    let stations = || vec![station(1, 0, true, false)];
    assert!(!table(stations(), Vec::new(), false).contains('\x1b'));
    assert!(table(stations(), Vec::new(), true).contains("\x1b["));
    let options = StatusOptions {
        data: crate::cli::DataOption { file: "data.sqlite".into() },
        json: false,
        watch: true,
    };
    for (terminal, begin) in [(true, "\x1b[2J\x1b[HSTATION"), (false, "STATION")] {
        let mut out = Vec::new();
        show_again(&mut out, &picture(stations(), Vec::new()), &options, (terminal, terminal)).unwrap();
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

#[test]
fn what_is_retired_comes_last_and_what_is_paused_is_counted() {
    let retired = Retired { at_ms: NOW_MS, by: "Ben".into(), reason: "sold".into() };
    let life = Some(Box::new(StationLife { visit: None, retired: Some(retired) }));
    let aside = Aside { until_ms: NOW_MS + 1, by: "Ana".into(), reason: "winter".into(), warned: true };
    let (key, mut alarm) = raised(2, Point::Comms);
    let facts = Arc::make_mut(&mut alarm);
    facts.occurrence = None;
    facts.hidden.service = Some(aside);
    let stations = vec![
        LastContact { life, ..station(1, 0, true, true) },
        station(2, 500_000, false, false),
        station(3, 500_000, false, false),
    ];
    let picture = picture(stations.clone(), vec![(key.clone(), alarm.clone())]);
    let order: Vec<_> = picture
        .stations
        .iter()
        .map(|station| (station.contact.station_id.get(), station.comms.name()))
        .collect();
    assert_eq!(order, [(3, "late"), (2, "paused"), (1, "retired")]);
    let table = table(stations, vec![(key, alarm)], false);
    let summary = "3 stations, no alarms, 1 late, 1 paused, 1 retired, 1 hidden (? is what was last known)";
    assert!(table.contains(summary), "{table}");
}
