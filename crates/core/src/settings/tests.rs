use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::station::StationId;

/// What a scope says that speaks of this point alone.
fn of_point(point: Point, says: PointOverrides) -> [PointOverrides; Point::ALL.len()] {
    let mut points = [PointOverrides::default(); Point::ALL.len()];
    points[point as usize] = says;
    points
}

#[test]
fn a_narrower_scope_wins_and_leaves_the_rest() {
    let priority = |priority| PointOverrides { priority: Some(priority), ..PointOverrides::default() };
    let scope = |period_s, alarm1| StationOverrides {
        period_s,
        points: of_point(Point::Alarm1, alarm1),
        ..StationOverrides::default()
    };
    let fleet = scope(Some(30), PointOverrides { on_delay_s: Some(90), ..priority(Priority::Low) });
    let area = scope(Some(10), priority(Priority::Critical));
    let station = scope(None, PointOverrides { latched: Some(false), ..PointOverrides::default() });
    let holds = station.or(&area).or(&fleet).resolve();
    assert_eq!((holds.period_ms, holds.grace_ms), (10_000, 120_000));
    let alarm1 = holds.point(Point::Alarm1);
    assert_eq!((alarm1.priority, alarm1.on_delay_ms, alarm1.latched), (Priority::Critical, 90_000, false));
    assert_eq!(alarm1.realarm_after_ms, Some(3_600_000), "of the priority that holds");
    assert_eq!(alarm1.stuck_after_ms, 30_000, "of the period that holds");
    let alarm2 = holds.point(Point::Alarm2);
    assert_eq!((alarm2.priority, alarm2.latched), (Priority::High, true));
    assert!(!holds.point(Point::Comms).latched, "who is heard again needs nobody's answer");
    for point in [Point::Identity, Point::NewStations] {
        let derived = holds.point(point);
        assert_eq!((derived.priority, derived.latched), (Priority::Medium, false), "{point}");
    }
}

#[test]
fn what_is_silent_has_no_delay_and_a_window_of_chatter_has_a_minute() {
    let says = PointOverrides {
        on_delay_s: Some(7),
        off_delay_s: Some(8),
        chatter_window_s: Some(1),
        ..PointOverrides::default()
    };
    let holds =
        StationOverrides { points: [says; Point::ALL.len()], ..StationOverrides::default() }.resolve();
    let delays = |point| (holds.point(point).on_delay_ms, holds.point(point).off_delay_ms);
    assert_eq!(delays(Point::Alarm2), (7_000, 8_000));
    for point in [Point::Comms, Point::Identity, Point::NewStations] {
        assert_eq!(delays(point), (0, 0), "{point}");
    }
    assert!(Point::ALL.iter().all(|point| holds.point(*point).chatter_window_ms == 60_000));
}

#[test]
fn what_can_be_meant_is_taken_and_the_rest_is_named() {
    use Said::{Flag, Number, Text};
    use Setting::{ChatterRaises, ChatterWindow, Enabled, Latched, OffDelay, OnDelay, RealarmAfter};
    let say = |point, setting, said| {
        let mut says = PointOverrides::default();
        says.say(point, setting, said).map(|()| says).map_err(|unfit| unfit.to_string())
    };
    for (setting, said) in [
        (Enabled, Flag(false)),
        (Enabled, Number(1)),
        (Latched, Number(0)),
        (Setting::Priority, Text("low")),
        (OnDelay, Number(2_678_400)),
        (OffDelay, Number(0)),
        (RealarmAfter, Number(0)),
        (ChatterRaises, Number(32)),
        (ChatterWindow, Number(60)),
    ] {
        let says = say(Point::Alarm1, setting, said).unwrap();
        assert_ne!(says, PointOverrides::default(), "{setting:?} {said}");
    }
    for (point, setting, said, complaint) in [
        (Point::Alarm1, Enabled, Number(2), "enabled is 2; it must be 0 or 1"),
        (Point::Alarm1, Latched, Text("on"), "latched is the text \"on\"; it must be 0 or 1"),
        (Point::Alarm1, OnDelay, Number(-1), "on_delay_s is -1; it must be a number from 0 to 2678400"),
        (Point::Alarm1, RealarmAfter, Number(2_678_401), "it must be a number from 0 to 2678400"),
        (Point::Alarm1, ChatterRaises, Number(33), "it must be a number from 0 to 32"),
        (Point::Alarm1, ChatterWindow, Number(59), "it must be a number from 60 to 2678400"),
        (
            Point::Alarm1,
            Setting::Priority,
            Text("urgent"),
            "priority is the text \"urgent\"; it must be critical, high, medium or low",
        ),
        (Point::Comms, OffDelay, Number(0), "off_delay_s is 0; it must be left out: comms has no delays"),
        (Point::Identity, OnDelay, Number(9), "on_delay_s is 9; it must be left out: identity has no delays"),
        (Point::NewStations, OnDelay, Number(9), "it must be left out: new_stations has no delays"),
    ] {
        let error = say(point, setting, said).unwrap_err();
        assert!(error.contains(complaint), "{error}");
    }
}

#[test]
fn a_delay_under_two_periods_is_warned_of() {
    let with = |on_delay_s, off_delay_s| {
        let alarm2 = PointOverrides {
            on_delay_s: Some(on_delay_s),
            off_delay_s: Some(off_delay_s),
            ..PointOverrides::default()
        };
        let points = of_point(Point::Alarm2, alarm2);
        let holds = StationOverrides { points, ..StationOverrides::default() }.resolve();
        holds.warnings().map(|warning| warning.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(with(0, 120), [""; 0]);
    assert_eq!(
        with(119, 1),
        [
            "on_delay_s of alarm2 is 119 s, less than two periods of 60 s: it rests on a single report",
            "off_delay_s of alarm2 is 1 s, less than two periods of 60 s: it rests on a single report",
        ]
    );
}

#[test]
fn every_combination_that_a_station_has_is_warned_of() {
    let delayed = |on_delay_s, grace_s| {
        let alarm1 = PointOverrides { on_delay_s: Some(on_delay_s), ..PointOverrides::default() };
        let points = of_point(Point::Alarm1, alarm1);
        StationOverrides { points, grace_s: Some(grace_s), ..StationOverrides::default() }
    };
    let id = |number| StationId::new(number).unwrap();
    let mut settings = Settings::of_fleet(delayed(10, 120));
    for (number, says) in [
        (9, delayed(20, 120)),
        (7, delayed(20, 60)),
        (8, delayed(30, 60)),
        (6, delayed(120, 60)),
        (5, delayed(40, 60)),
        (4, delayed(10, 120)),
        // Nobody has the one before any more.
        (5, delayed(120, 60)),
    ] {
        settings.say(id(number), says, None);
    }
    settings.say(id(3), StationOverrides::default(), Some("North"));
    let said: Vec<String> =
        settings.warnings().iter().map(|(warning, whose)| format!("{} {whose}", warning.delay_ms)).collect();
    assert_eq!(
        said,
        ["10000 for the fleet", "20000 for 2 stations, station 7 among them", "30000 for station 8"]
    );
}

#[test]
fn silence_is_as_urgent_as_what_is_open_at_the_station() {
    let priority = |priority| PointOverrides { priority: Some(priority), ..PointOverrides::default() };
    let mut points = of_point(Point::Comms, priority(Priority::Medium));
    points[Point::Alarm1 as usize] = priority(Priority::Low);
    points[Point::Alarm2 as usize] = priority(Priority::Critical);
    let holds = StationOverrides { points, ..StationOverrides::default() }.resolve();
    assert_eq!(holds.priority(Point::Comms, []), Priority::Medium);
    assert_eq!(holds.priority(Point::Comms, [Point::Alarm1, Point::Comms]), Priority::Medium, "the higher");
    assert_eq!(holds.priority(Point::Comms, [Point::Alarm1, Point::Alarm2]), Priority::Critical);
    assert_eq!(holds.priority(Point::Alarm1, [Point::Alarm2]), Priority::Low, "no other point's is");
}

/// What is said, kept as simply as can be.
#[derive(Debug, Default)]
struct Model {
    fleet: StationOverrides,
    areas: BTreeMap<&'static str, StationOverrides>,
    stations: BTreeMap<i64, (StationOverrides, Option<&'static str>)>,
}

#[derive(Clone, Debug)]
enum Saying {
    Fleet(StationOverrides),
    Area(&'static str, Option<StationOverrides>),
    Station(i64, Option<(StationOverrides, Option<&'static str>)>),
}

fn saying() -> impl Strategy<Value = Saying> {
    let overrides = || {
        let alarm1 = proptest::option::of(0..3_u32)
            .prop_map(|on_delay_s| PointOverrides { on_delay_s, ..PointOverrides::default() });
        (proptest::option::of(1..3_u32), alarm1).prop_map(|(period_s, alarm1)| StationOverrides {
            period_s,
            points: of_point(Point::Alarm1, alarm1),
            ..StationOverrides::default()
        })
    };
    let area = || proptest::sample::select(vec!["North", "South", "West"]);
    let of_station = (overrides(), proptest::option::of(area()));
    prop_oneof![
        1 => overrides().prop_map(Saying::Fleet),
        2 => (area(), proptest::option::of(overrides())).prop_map(|(area, says)| Saying::Area(area, says)),
        6 => (0..8_i64, proptest::option::weighted(0.8, of_station))
            .prop_map(|(id, says)| Saying::Station(id, says)),
    ]
}

proptest! {
    /// Whatever is said in whatever order, what holds is what the last words of
    /// each scope say: as for one that was told those alone.
    #[test]
    fn what_holds_follows_from_what_is_said_last(sayings in proptest::collection::vec(saying(), 0..60)) {
        let id = |number| StationId::new(number).unwrap();
        let configuration = StationOverrides { grace_s: Some(7), period_s: Some(9), ..StationOverrides::default() };
        let (mut settings, mut model) = (Settings::of_fleet(configuration), Model::default());
        for saying in sayings {
            match saying {
                Saying::Fleet(says) => {
                    settings.say_for_fleet(says);
                    model.fleet = says;
                }
                Saying::Area(name, says) => {
                    settings.say_for_area(name, says);
                    model.areas.remove(name);
                    model.areas.extend(says.map(|says| (name, says)));
                }
                Saying::Station(number, Some((says, area))) => {
                    settings.say(id(number), says, area);
                    model.stations.insert(number, (says, area));
                }
                Saying::Station(number, None) => {
                    settings.unsay(id(number));
                    model.stations.remove(&number);
                }
            }
            let mut afresh = Settings::of_fleet(configuration);
            for (&number, &(says, area)) in &model.stations {
                afresh.say(id(number), says, area);
            }
            for (name, says) in &model.areas {
                afresh.say_for_area(name, Some(*says));
            }
            afresh.say_for_fleet(model.fleet);
            prop_assert_eq!(&settings, &afresh);
            for number in 0..8 {
                let (says, area) = model.stations.get(&number).copied().unwrap_or_default();
                let of_area = area.and_then(|area| model.areas.get(area)).copied().unwrap_or_default();
                let wanted = says.or(&of_area).or(&model.fleet).or(&configuration).resolve();
                let holds = *settings.of(id(number));
                prop_assert_eq!(holds.in_area(None), wanted);
                prop_assert_eq!(holds.area.map(|area| settings.area_name(area)), area);
                prop_assert_eq!(settings.is_said(id(number)), model.stations.contains_key(&number));
            }
            for name in ["North", "South", "West"] {
                let members = model.stations.iter().filter(|(_, (_, area))| *area == Some(name));
                let members: Vec<StationId> = members.map(|(number, _)| id(*number)).collect();
                let mut are = settings.area_named(name).map_or(Vec::new(), |area| settings.stations_of(area).to_vec());
                are.sort_unstable();
                prop_assert_eq!(are, members);
            }
        }
    }
}
