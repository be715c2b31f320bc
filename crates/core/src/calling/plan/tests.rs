use jiff::civil::{date, time};

use super::*;
use crate::alarm::{AlarmSource, Point};
use crate::calling::{Cycle, HandOver, Matches, PolicyName};
use crate::station::StationId;

fn contact(name: &str) -> ContactId {
    ContactId::new(name).unwrap()
}

fn rota(name: &str) -> RotaId {
    RotaId::new(name).unwrap()
}

fn person(name: &str) -> Contact {
    let way = Way { channel: ChannelId::new("mail").unwrap(), to: format!("{name}@example.org").into() };
    Contact { name: name.into(), zone: TimeZone::get("Europe/Berlin").unwrap(), ways: vec![way], quiet: None }
}

fn policy(name: &str, matches: Matches) -> Policy {
    let step = Step { after_ms: 0, call: vec![Callee::Contact(contact("ana"))], by: Vec::new() };
    let name = PolicyName::new(name).unwrap();
    Policy { name, matches, steps: vec![step], repeat_ms: 900_000, stop_on_return: None }
}

#[test]
fn the_first_policy_that_covers_an_alarm_holds() {
    let seven = StationId::new(7).unwrap();
    let plan = Plan {
        policies: vec![
            policy("server", Matches { server: true, ..Matches::default() }),
            policy("seven", Matches { stations: vec![seven], ..Matches::default() }),
            policy(
                "north-urgent",
                Matches {
                    areas: vec!["North".into(), "Far north".into()],
                    priorities: vec![Priority::Critical, Priority::High],
                    ..Matches::default()
                },
            ),
            policy("silence", Matches { points: vec![Point::Comms], ..Matches::default() }),
            policy("default", Matches::default()),
        ],
        ..Plan::default()
    };
    let station = |id| AlarmSource::Station(StationId::new(id).unwrap());
    let (alarm1, comms) = (Point::Alarm1, Point::Comms);
    for (source, area, point, priority, wanted) in [
        (AlarmSource::Server, None, comms, Priority::High, "server"),
        (station(7), Some("North"), alarm1, Priority::Critical, "seven"),
        (station(8), Some("North"), alarm1, Priority::High, "north-urgent"),
        (station(8), Some("Far north"), comms, Priority::Critical, "north-urgent"),
        (station(8), Some("North"), alarm1, Priority::Medium, "default"),
        (AlarmSource::Area("North".into()), Some("North"), comms, Priority::High, "north-urgent"),
        (AlarmSource::Area("South".into()), Some("South"), comms, Priority::High, "silence"),
        (station(8), None, alarm1, Priority::Critical, "default"),
    ] {
        let subject = Subject { source: &source, area, point, priority };
        let found = plan.policy_for(&subject).map(|policy| policy.name.as_str());
        assert_eq!(found, Some(wanted), "{subject:?}");
    }
}

const URGENT_FIRST: [Priority; 4] = [Priority::Critical, Priority::High, Priority::Medium, Priority::Low];

#[test]
fn calls_go_on_after_the_return_of_what_is_urgent() {
    let stops = |stop_on_return| {
        let policy = Policy { stop_on_return, ..policy("any", Matches::default()) };
        URGENT_FIRST.map(|priority| policy.stops_on_return(priority))
    };
    assert_eq!(stops(None), [false, false, true, true]);
    assert_eq!(stops(Some(true)), [true; 4]);
    assert_eq!(stops(Some(false)), [false; 4]);
}

#[test]
fn a_step_calls_whoever_has_duty_then_and_nobody_twice() {
    let main = rota("main");
    let turns = vec![Some(contact("ana")), None];
    let at = |hour| HandOver::daily(time(hour, 0, 0, 0));
    let hand_overs = (Cycle::Day, vec![at(0), at(12)]);
    let duty = Duty {
        rota: Rota::new(TimeZone::UTC, hand_overs, turns, date(2026, 1, 1), None).unwrap(),
        fallback: contact("boss"),
        warn_before_ms: 86_400_000,
    };
    let plan = Plan {
        contacts: ["ana", "ben", "boss"].map(|name| (contact(name), person(name))).into(),
        rotas: [(main.clone(), duty)].into(),
        ..Plan::default()
    };
    let step = Step {
        after_ms: 0,
        call: vec![
            Callee::Contact(contact("ben")),
            Callee::Rota(main.clone()),
            Callee::Contact(contact("ana")),
        ],
        by: Vec::new(),
    };
    let said = |who: &str| {
        let taken = TakeOver { rota: main.clone(), who: contact(who), from_ms: 0, until_ms: i64::MAX };
        BTreeMap::from([(main.clone(), vec![taken])])
    };
    // 2026-01-01 01:00 and 13:00 in UTC.
    let (day_ms, night_ms) = (1_767_229_200_000, 1_767_272_400_000);
    for (take_overs, now_ms, wanted) in [
        (BTreeMap::new(), day_ms, "ben, ana for main"),
        (BTreeMap::new(), night_ms, "ben, boss for main as nobody has duty, ana"),
        (said("ben"), day_ms, "ben, ana"),
        (said("boss"), night_ms, "ben, boss for main, ana"),
        // Who took over, and is in the configuration no more, is nobody.
        (said("gone"), day_ms, "ben, boss for main as nobody has duty, ana"),
    ] {
        let called: Vec<String> = plan
            .called(&step, &take_overs, now_ms)
            .iter()
            .map(|Called { contact, rota, is_fallback }| {
                let rota = rota.map_or_else(String::new, |rota| format!(" for {rota}"));
                format!("{contact}{rota}{}", if *is_fallback { " as nobody has duty" } else { "" })
            })
            .collect();
        assert_eq!(called.join(", "), wanted);
    }
}

#[test]
fn quiet_hours_delay_what_is_not_critical() {
    let night = QuietHours { from: time(22, 0, 0, 0), until: time(6, 0, 0, 0) };
    let noon = QuietHours { from: time(12, 0, 0, 0), until: time(13, 0, 0, 0) };
    let all_day = QuietHours { from: time(2, 30, 0, 0), until: time(2, 30, 0, 0) };
    for (quiet, now, wanted) in [
        (night, "2026-01-10T21:59", None),
        (night, "2026-01-10T22:00", Some("2026-01-11T06:00+01:00")),
        (night, "2026-01-11T05:59", Some("2026-01-11T06:00+01:00")),
        (night, "2026-01-11T06:00", None),
        (noon, "2026-01-11T12:30", Some("2026-01-11T13:00+01:00")),
        (noon, "2026-01-11T13:00", None),
        // Over the night in which the clock goes forward, and over the one in which it goes back.
        (night, "2026-03-28T23:00", Some("2026-03-29T06:00+02:00")),
        (night, "2026-10-24T23:00", Some("2026-10-25T06:00+01:00")),
        (all_day, "2026-03-28T23:00", Some("2026-03-29T03:00+02:00")),
        (all_day, "2026-10-24T23:00", Some("2026-10-25T02:30+02:00")),
    ] {
        let ana = Contact { quiet: Some(quiet), ..person("ana") };
        let now: jiff::civil::DateTime = now.parse().unwrap();
        let now_ms = first_moment(&ana.zone, now);
        let end = |priority| {
            let end = jiff::Timestamp::from_millisecond(ana.waits_until_ms(priority, now_ms)?).unwrap();
            Some(end.to_zoned_datetime(ana.zone.clone()).strftime("%Y-%m-%dT%H:%M%:z").to_string())
        };
        assert_eq!(end(Priority::High).as_deref(), wanted, "{now}");
        assert_eq!(end(Priority::Critical), None);
    }
}

#[test]
fn what_a_policy_includes_needs_no_other_after_it() {
    let north = Matches { areas: vec!["North".into()], ..Matches::default() };
    let north_silent = Matches { points: vec![Point::Comms], ..north.clone() };
    let both = Matches { areas: vec!["North".into(), "South".into()], ..Matches::default() };
    let server = Matches { server: true, ..Matches::default() };
    for (wide, narrow) in [(&north, &north_silent), (&both, &north), (&Matches::default(), &server)] {
        assert!(wide.includes(narrow) && !narrow.includes(wide), "{wide:?} {narrow:?}");
        assert!(wide.includes(wide));
    }
    assert!(Matches::default().is_everything() && !north.is_everything());
}
