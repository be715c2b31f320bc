use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use waterwatch_core::alarm::{Alarm, AlarmSource, Aside, Occurrence, Point};
use waterwatch_core::station_life::{Retired, Visit};
use waterwatch_core::{OpenSpan, Origin, Span, StationId, StationLife};

use super::list;
use super::show;
use crate::commands::page::json;
use crate::shown::station::{self, Station, StationInDetail};
use crate::shown::time::Clock;
use crate::store::reader::KnownAlarm;
use crate::store::reader::communication::{Comms, Quality};
use crate::store::reader::{Detail, LastContact, Picture, Raises, ServerRows, StationAbout};

/// 2026-11-24 02:46:00 +01:00
const NOW_MS: i64 = 1_795_484_760_000;

fn clock() -> Clock {
    Clock { now: Timestamp::from_millisecond(NOW_MS).unwrap(), zone: TimeZone::get("Europe/Berlin").unwrap() }
}

fn contact(number: i64, age_s: i64) -> LastContact {
    LastContact {
        station_id: StationId::new(number).unwrap(),
        last_date: "2026-11-24 02:45".into(),
        received_at_ms: Some(NOW_MS - age_s * 1_000),
        alarm1: false,
        alarm2: false,
        reports: 42,
        sequence: 1,
        life: None,
    }
}

fn raised(number: i64, point: Point) -> KnownAlarm {
    let occurrence = Occurrence {
        sequence: 4_711,
        raised_at_ms: NOW_MS - 600_000,
        returned_at_ms: None,
        acknowledged: None,
        realarm_due_ms: None,
        hand_over_due_ms: None,
        raises: 1,
    };
    let contact_since_ms = occurrence.raised_at_ms;
    let alarm = Alarm { contact: true, contact_since_ms, occurrence: Some(occurrence), ..Alarm::default() };
    ((AlarmSource::Station(StationId::new(number).unwrap()), point), alarm.into())
}

fn server() -> ServerRows {
    ServerRows { alive_until_ms: Some(NOW_MS), ..ServerRows::default() }
}

#[test]
fn the_stations_in_the_order_of_their_ids() {
    let on = LastContact { alarm2: true, ..contact(2, 3) };
    let stations = vec![contact(1, 12), on, contact(30, 700)];
    let alarms = vec![raised(2, Point::Alarm2), raised(30, Point::Comms)];
    let (stations, _) =
        station::of(Picture { stations, alarms, server: server(), ..Picture::default() }, NOW_MS);
    let mut out = Vec::new();
    list::write(&mut out, &stations, StationId::new(30), &clock(), false).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap(), @"
    STATION  COMMS   STATE  ON      LAST CONTACT      AGO
          1  up      NORM   -       2026-11-24 02:45  12 s
          2  up      UNACK  alarm2  2026-11-24 02:45  3 s
         30  silent  UNACK  -?      2026-11-24 02:45  11 min

    3 stations, and there are more: go on with --after 30
    ");
    let mut out = Vec::new();
    json::array(&mut out, stations.iter().map(|station| station.object(&clock()))).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r#"
    [
      {"station_id":1,"id":"1","name":null,"area":null,"comms":"up","quality":"good","state":"normal","last_date":"2026-11-24 02:45","received_at":"2026-11-24T01:45:48Z","age_s":12,"alarm1":false,"alarm2":false,"reports":42,"on_delay":[],"on_by_another":[],"disabled":[],"location":null,"access_note":null,"telephones":null,"expected_by":null,"paused":null,"visit":null,"retired":null},
      {"station_id":2,"id":"2","name":null,"area":null,"comms":"up","quality":"good","state":"unacknowledged","last_date":"2026-11-24 02:45","received_at":"2026-11-24T01:45:57Z","age_s":3,"alarm1":false,"alarm2":true,"reports":42,"on_delay":[],"on_by_another":[],"disabled":[],"location":null,"access_note":null,"telephones":null,"expected_by":null,"paused":null,"visit":null,"retired":null},
      {"station_id":30,"id":"30","name":null,"area":null,"comms":"silent","quality":"stale","state":"unacknowledged","last_date":"2026-11-24 02:45","received_at":"2026-11-24T01:34:20Z","age_s":700,"alarm1":false,"alarm2":false,"reports":42,"on_delay":[],"on_by_another":[],"disabled":[],"location":null,"access_note":null,"telephones":null,"expected_by":null,"paused":null,"visit":null,"retired":null}
    ]
    "#);
}

fn detail() -> Detail {
    let mut peer = [0; 16];
    peer[10..].copy_from_slice(&[0xff, 0xff, 10, 20, 0, 7]);
    let span = |sequence, before_s: i64, alarm1| Span {
        sequence,
        first_at_ms: NOW_MS - (before_s + 600) * 1_000,
        last_at_ms: NOW_MS - before_s * 1_000,
        alarm1,
        alarm2: false,
        reports: 10,
    };
    Detail {
        contact: LastContact { alarm1: true, ..contact(123, 12) },
        origin: Origin { listener: 1, peer },
        listener: Some("0.0.0.0:54322".to_owned()),
        span: OpenSpan { sequence: 90, since_ms: NOW_MS - 600_000, reports: 11 },
        spans: vec![span(50, 660, false), span(20, 1_320, true)],
        alarms: vec![raised(123, Point::Alarm1)],
        raises: Raises::new(),
        server: server(),
    }
}

fn shown(detail: &Detail) -> String {
    let mut out = Vec::new();
    show::write(&mut out, &StationInDetail::new(detail, &clock()), false).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn all_that_is_known_of_a_station() {
    insta::assert_snapshot!(shown(&detail()), @"
    Station 123: up, UNACK
      last report  2026-11-24 02:45:48 +01:00 (12 s ago), from 10.20.0.7 at 0.0.0.0:54322
      reports      42
      unchanged    since 2026-11-24 02:36 (10 min ago), 11 reports
      alarm1       on, good (UNACK)
      alarm2       off, good (NORM)
      comms        off, good (NORM)
      identity     off, good (NORM)

    STATE  PRIORITY  SOURCE  POINT   SINCE             FOR
    UNACK  high         123  alarm1  2026-11-24 02:36  10 min

    before, the newest first:
    FROM              UNTIL             ON      REPORTS
    2026-11-24 02:25  2026-11-24 02:35  -            10
    2026-11-24 02:14  2026-11-24 02:24  alarm1       10
    ");
    let mut out = Vec::new();
    json::object(&mut out, &StationInDetail::new(&detail(), &clock()).object()).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r#"
    {"station_id":123,"id":"123","name":null,"area":null,"comms":"up","quality":"good","state":"unacknowledged","last_date":"2026-11-24 02:45","received_at":"2026-11-24T01:45:48Z","age_s":12,"alarm1":true,"alarm2":false,"reports":42,"on_delay":[],"on_by_another":[],"disabled":[],"location":null,"access_note":null,"telephones":null,"expected_by":null,"paused":null,"visit":null,"retired":null,"peer":"10.20.0.7","listener":"0.0.0.0:54322","points":[{"point":"alarm1","on":true,"quality":"good","state":"unacknowledged","enabled":true},{"point":"alarm2","on":false,"quality":"good","state":"normal","enabled":true},{"point":"comms","on":false,"quality":"good","state":"normal","enabled":true},{"point":"identity","on":false,"quality":"good","state":"normal","enabled":true}],"alarms":[{"source":"123","station_id":123,"name":null,"area":null,"point":"alarm1","label":null,"state":"unacknowledged","enabled":true,"priority":"high","quality":"good","on":true,"contact":true,"contact_since":"2026-11-24T01:36:00Z","delay_until":null,"occurrence":4711,"raised_at":"2026-11-24T01:36:00Z","raised_because":null,"returned_at":null,"acknowledged_at":null,"acknowledged_by":null,"realarm_at":null,"raises":1,"chattering_since":null,"shelved_until":null,"shelved_by":null,"shelved_reason":null,"out_of_service_until":null,"out_of_service_by":null,"out_of_service_reason":null,"suppressed_by":null,"suppressed_by_source":null,"was_on_from":null,"was_on_to":null,"consequence":null,"response":null,"respond_within_min":null,"location":null,"access_note":null,"telephones":null}],"unchanged_since":"2026-11-24T01:36:00Z","unchanged_reports":11,"spans":[{"first_at":"2026-11-24T01:25:00Z","last_at":"2026-11-24T01:35:00Z","alarm1":false,"alarm2":false,"reports":10},{"first_at":"2026-11-24T01:14:00Z","last_at":"2026-11-24T01:24:00Z","alarm1":true,"alarm2":false,"reports":10}]}
    "#);
}

#[test]
fn a_silent_stations_contacts_are_what_was_last_known() {
    let mut detail = detail();
    detail.contact.received_at_ms = Some(NOW_MS - 700_000);
    detail.alarms.push(raised(123, Point::Comms));
    insta::assert_snapshot!(shown(&detail), @"
    Station 123: silent, UNACK
      last report  2026-11-24 02:34:20 +01:00 (11 min ago), from 10.20.0.7 at 0.0.0.0:54322
      reports      42
      unchanged    since 2026-11-24 02:36 (10 min ago), 11 reports
      alarm1       on?, stale (UNACK?)
      alarm2       off?, stale (NORM?)
      comms        on, good (UNACK)
      identity     off, good (NORM)

    STATE   PRIORITY  SOURCE  POINT   SINCE             FOR
    UNACK?  high         123  alarm1  2026-11-24 02:36  10 min
    UNACK   high         123  comms   2026-11-24 02:36  10 min

    before, the newest first:
    FROM              UNTIL             ON      REPORTS
    2026-11-24 02:25  2026-11-24 02:35  -            10
    2026-11-24 02:14  2026-11-24 02:24  alarm1       10
    ");
}

#[test]
fn what_another_device_said_on_is_on_although_the_last_report_says_off() {
    let alarms = vec![raised(123, Point::Alarm2), raised(123, Point::Identity)];
    let detail = Detail { contact: contact(123, 12), alarms, spans: Vec::new(), ..detail() };
    let text = shown(&detail);
    let line = "  alarm2       on, good (UNACK; the last report says off, another device said on)\n";
    assert!(text.contains(line), "{text}");
    assert!(text.contains("  alarm1       off, good (NORM)\n"), "{text}");
    let mut out = Vec::new();
    json::object(&mut out, &StationInDetail::new(&detail, &clock()).object()).unwrap();
    let object = String::from_utf8(out).unwrap();
    for wanted in [
        r#""alarm1":false,"alarm2":false,"#,
        r#""on_by_another":["alarm2"]"#,
        r#"{"point":"alarm2","on":true,"quality":"good","state":"unacknowledged","enabled":true}"#,
    ] {
        assert!(object.contains(wanted), "{wanted} in {object}");
    }
    let station = Station::new(detail.contact.clone(), Comms::Up, &detail.alarms, &server());
    assert_eq!(station.contacts(), "alarm2 (another device said on)");
    // Of one that is shelved, too.
    let mut shelved = detail;
    let aside = Aside { until_ms: NOW_MS, by: "Ann".into(), reason: "test".into(), warned: true };
    Arc::make_mut(&mut shelved.alarms[0].1).hidden.shelf = Some(aside);
    assert!(shown(&shelved).contains("  alarm2       on, good (SHLVD; the last report says off"));
}

#[test]
fn an_alarm_that_is_listed_was_judged() {
    let mut detail = detail();
    // It returned; then its contact went on, and the server stopped before it said so.
    let alarm = Arc::make_mut(&mut detail.alarms[0].1);
    alarm.contact = false;
    if let Some(occurrence) = &mut alarm.occurrence {
        occurrence.returned_at_ms = Some(NOW_MS - 60_000);
    }
    let text = shown(&detail);
    assert!(text.starts_with("Station 123: up, RTNUN\n"), "{text}");
    assert!(text.contains("  alarm1       on, good (RTNUN)\n"), "{text}");
    assert!(!text.contains("(no server has judged it yet)"), "{text}");
    let row = "RTNUN  high         123  alarm1  2026-11-24 02:36  10 min  \
               the contact is on, and no server has judged it yet; off since 2026-11-24 02:45\n";
    assert!(text.contains(row), "{text}");
}

#[test]
fn a_station_that_an_old_server_left_is_late_and_its_contact_not_judged() {
    let mut detail = detail();
    detail.contact = LastContact { alarm2: true, ..contact(123, 86_400) };
    (detail.origin, detail.listener, detail.span) = (Origin::default(), None, OpenSpan::default());
    detail.alarms.clear();
    detail.spans.clear();
    detail.server = ServerRows::default();
    insta::assert_snapshot!(shown(&detail), @"
    Station 123: late, ?
      last report  2026-11-23 02:46:00 +01:00 (1 d ago)
      reports      42
      alarm1       off?, stale (NORM?)
      alarm2       on?, stale (no server has judged it yet)
      comms        off?, stale (NORM?)
      identity     off?, stale (NORM?)
    ");
}

/// Paused, visited by somebody, and retired.
fn said_of() -> Vec<(LastContact, Vec<KnownAlarm>)> {
    let paused = |number| {
        let reason = "it is winter, and the pump is drained and the mains are off".into();
        let aside = Aside { until_ms: NOW_MS + 86_400_000, by: "Ana".into(), reason, warned: false };
        let (key, mut alarm) = raised(number, Point::Comms);
        let facts = Arc::make_mut(&mut alarm);
        facts.occurrence = None;
        facts.hidden.service = Some(aside);
        (key, alarm)
    };
    let visit =
        Visit { since_ms: NOW_MS - 60_000, until_ms: NOW_MS + 60_000, by: "Ben".into(), reason: None };
    let over = Visit { until_ms: NOW_MS, ..visit.clone() };
    let retired = Retired { at_ms: NOW_MS - 90_000_000, by: "Ben".into(), reason: "sold".into() };
    let life = |life| Some(Box::new(life));
    let visited = StationLife { visit: Some(visit), retired: None };
    let retired = StationLife { visit: None, retired: Some(retired) };
    let over = StationLife { visit: Some(over), retired: None };
    vec![
        (LastContact { life: life(retired), alarm1: true, ..contact(1, 90_000) }, vec![]),
        (contact(2, 700), vec![paused(2)]),
        (LastContact { life: life(visited), alarm1: true, ..contact(3, 5) }, vec![raised(3, Point::Alarm1)]),
        (LastContact { life: life(over), ..contact(4, 5) }, vec![]),
    ]
}

#[test]
fn what_people_have_said_of_stations_is_shown_with_its_end_and_name() {
    let (stations, alarms): (Vec<_>, Vec<_>) = said_of().into_iter().unzip();
    let alarms = alarms.concat();
    let mut server = server();
    let north = StationAbout {
        name: Some("North lift".into()),
        expected_by_ms: Some(NOW_MS),
        ..StationAbout::default()
    };
    server.about.stations.insert(StationId::new(2).unwrap(), north);
    let (mut stations, _) = station::of(Picture { stations, alarms, server, ..Picture::default() }, NOW_MS);
    stations.sort_by_key(Station::is_retired);
    let mut out = Vec::new();
    list::write(&mut out, &stations, None, &clock(), false).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap(), @"
    STATION  COMMS    STATE  ON       LAST CONTACT      AGO     NAME
          2  paused   OOSRV  -?       2026-11-24 02:45  11 min  North lift; until 2026-11-25
          3  up       UNACK  alarm1   2026-11-24 02:45  5 s     Ben is there until 02:47
          4  up       NORM   -        2026-11-24 02:45  5 s
          1  retired  -      alarm1?  2026-11-24 02:45  1 d     on 2026-11-23

    4 stations
    ");
    let objects = |places: &[usize]| -> String {
        let mut out = Vec::new();
        json::array(&mut out, places.iter().map(|&place| stations[place].object(&clock()))).unwrap();
        String::from_utf8(out).unwrap()
    };
    let said = objects(&[0, 1, 3]);
    for wanted in [
        r#""comms":"paused","quality":"stale","state":"out_of_service""#,
        r#""paused":{"until":"2026-11-25T01:46:00Z","by":"Ana","reason":"it is winter, and the pump is drained and the mains are off"},"visit":null,"retired":null}"#,
        r#""paused":null,"visit":{"since":"2026-11-24T01:45:00Z","until":"2026-11-24T01:47:00Z","by":"Ben","reason":null},"retired":null}"#,
        r#""comms":"retired","quality":"stale","state":null"#,
        r#""paused":null,"visit":null,"retired":{"at":"2026-11-23T00:46:00Z","by":"Ben","reason":"sold"}}"#,
    ] {
        assert!(said.contains(wanted), "{wanted} in {said}");
    }
    for (contact, alarms) in said_of() {
        let detail = Detail { contact, alarms, spans: Vec::new(), ..detail() };
        let shown = shown(&detail);
        let (said, _) = shown.split_once("  reports").unwrap();
        match detail.contact.station_id.get() {
            1 => insta::assert_snapshot!(shown, @"
            Station 1: retired, -
              retired      2026-11-23 01:46 (1 d ago), by Ben: sold
              last report  2026-11-23 01:46:00 +01:00 (1 d ago), from 10.20.0.7 at 0.0.0.0:54322
              reports      42
              unchanged    since 2026-11-24 02:36 (10 min ago), 11 reports
              alarm1       on?, stale (retired)
              alarm2       off?, stale (retired)
              comms        off, good (retired)
              identity     off, good (retired)
            "),
            2 => insta::assert_snapshot!(said, @"
            Station 2: paused, OOSRV
              paused       until 2026-11-25 02:46, by Ana: it is winter, and the pump is drained and the mains are off
              last report  2026-11-24 02:34:20 +01:00 (11 min ago), from 10.20.0.7 at 0.0.0.0:54322
            "),
            3 => insta::assert_snapshot!(said, @"
            Station 3: up, UNACK
              visited      by Ben since 2026-11-24 02:45 (1 min ago), until 2026-11-24 02:47
              last report  2026-11-24 02:45:55 +01:00 (5 s ago), from 10.20.0.7 at 0.0.0.0:54322
            "),
            _ => assert!(!said.contains("visited"), "{said}"),
        }
    }
}

#[test]
fn of_one_that_was_never_heard_nothing_is_known_whatever_people_have_said() {
    for (contact, alarms) in said_of().into_iter().take(2) {
        let never = LastContact {
            last_date: "".into(),
            received_at_ms: None,
            alarm1: false,
            reports: 0,
            sequence: 0,
            ..contact
        };
        let detail = Detail { contact: never, alarms, spans: Vec::new(), ..detail() };
        let shown = shown(&detail);
        let state = if detail.contact.retired().is_some() { "retired" } else { "?" };
        assert!(shown.contains(&format!("  alarm1       ?, never ({state})\n")), "{shown}");
        let station = Station::new(detail.contact, Comms::New, &detail.alarms, &server());
        assert_eq!((station.contacts().as_str(), station.quality()), ("?", Quality::Never));
    }
}

#[test]
fn a_station_that_is_paused_and_heard_is_worth_what_is_heard_of_it() {
    let (_, alarms) = said_of().swap_remove(1);
    let station = Station::new(contact(2, 5), Comms::Up, &alarms, &server());
    assert_eq!((station.comms, station.quality()), (Comms::Paused, Quality::Good));
}
