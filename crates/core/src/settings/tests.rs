use super::*;

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
        StationOverrides { points, grace_s: Some(grace_s), ..StationOverrides::default() }.resolve()
    };
    let id = |number| StationId::new(number).unwrap();
    let mut settings = Settings::of_fleet(delayed(10, 120));
    settings.set([(id(9), delayed(20, 120)), (id(7), delayed(20, 60)), (id(8), delayed(30, 60))]);
    settings.set([(id(6), delayed(120, 60)), (id(5), delayed(40, 60)), (id(4), delayed(10, 120))]);
    // Nobody has this one any more.
    settings.set([(id(5), delayed(120, 60))]);
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
