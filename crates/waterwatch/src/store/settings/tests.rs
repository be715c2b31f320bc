use waterwatch_core::Origin;
use waterwatch_core::alarm::Priority;
use waterwatch_core::settings::PointTexts;

use super::*;
use crate::store::schema;

fn fleet() -> Fleet {
    let mut fleet = Fleet::default();
    fleet.overrides.period_s = Some(30);
    fleet.overrides.points[Point::Alarm1 as usize] =
        PointOverrides { priority: Some(Priority::Low), on_delay_s: Some(90), ..PointOverrides::default() };
    fleet.texts[Point::Alarm1 as usize] =
        PointTexts { label: Some("High level".into()), ..PointTexts::default() };
    fleet
}

fn database() -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    schema::create(&mut connection).unwrap();
    connection
}

fn id(number: i64) -> StationId {
    StationId::new(number).unwrap()
}

#[test]
fn a_station_then_its_area_then_the_fleet() {
    let mut database = database();
    publish(&mut database, &fleet()).unwrap();
    database
        .execute_batch(
            "INSERT INTO area_settings (area, grace_s) VALUES ('North', 10);
             INSERT INTO station_settings (station_id, area, period_s) VALUES (1, 'North', 5), (2, 'North', NULL);
             INSERT INTO station_settings (station_id, area) VALUES (3, 'South'), (4, NULL);
             INSERT INTO point_settings (scope, point, priority) VALUES ('area/North', 'alarm1', 'critical');
             INSERT INTO point_settings (scope, point, priority) VALUES ('area/South', 'alarm1', 'medium');
             INSERT INTO point_settings (scope, point, on_delay_s) VALUES (2, 'alarm1', 7), (5, 'alarm2', 8);",
        )
        .unwrap();
    let (Settled { settings, .. }, ignored) = read(&database, &fleet()).unwrap();
    assert!(ignored.is_empty(), "{ignored:?}");
    let of = |number| {
        let holds = settings.of(id(number));
        let alarm1 = holds.point(Point::Alarm1);
        (holds.period_ms, holds.grace_ms, alarm1.priority, alarm1.on_delay_ms)
    };
    assert_eq!(of(1), (5_000, 10_000, Priority::Critical, 90_000));
    assert_eq!(of(2), (30_000, 10_000, Priority::Critical, 7_000));
    assert_eq!(of(3), (30_000, 120_000, Priority::Medium, 90_000), "its area has points alone");
    let as_the_fleet = (30_000, 120_000, Priority::Low, 90_000);
    assert_eq!((of(4), of(6)), (as_the_fleet, as_the_fleet));
    assert_eq!(settings.of(id(5)).point(Point::Alarm2).on_delay_ms, 8_000, "it has points alone");
}

/// What the configuration no longer says is gone with the next start.
#[test]
fn what_the_configuration_says_is_there_for_readers() {
    let mut database = database();
    publish(&mut database, &fleet()).unwrap();
    let published = |database: &Connection| -> (String, Option<String>, Option<i64>) {
        let period =
            database.query_row("SELECT value FROM server WHERE name = 'period_s'", [], |row| row.get(0));
        let label =
            "SELECT label, on_delay_s FROM point_settings WHERE scope = 'configuration' AND point = 'alarm1'";
        let (label, delay) = database.query_row(label, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        (period.unwrap(), label, delay)
    };
    assert_eq!(published(&database), ("30".into(), Some("High level".into()), Some(90)));
    publish(&mut database, &Fleet::default()).unwrap();
    assert_eq!(published(&database), ("60".into(), None, None));
}

/// Each beside a row of the same scope that is well.
#[test]
fn what_cannot_be_meant_is_ignored_and_named_and_the_rest_holds() {
    for (row, complaint) in [
        (
            "station_settings (station_id, area, period_s) VALUES (7, 'North', -1)",
            "in the table station_settings, the row of station_id 7 is ignored: period_s is -1; it must be a \
             number from 1 to 604800; correct it and start the server again",
        ),
        (
            "station_settings (station_id, period_s) VALUES (7, 0)",
            "period_s is 0; it must be a number from 1",
        ),
        ("station_settings (station_id) VALUES (-7)", "row of station_id -7 is ignored: station_id is -7"),
        (
            "station_settings (station_id, area) VALUES (7, CAST(x'ff' AS TEXT))",
            "area is the text \"\\xff\"; it must be a text in UTF-8",
        ),
        (
            "station_settings (station_id, allow_from) VALUES (7, '10.20.0.7 10.20.0.300')",
            "allow_from is the text \"10.20.0.7 10.20.0.300\"; it must be addresses and networks such as \
             10.20.0.7, 10.21.0.0/16; until then the station may report from anywhere; correct it",
        ),
        (
            "station_settings (station_id, allow_from, period_s) VALUES (7, '10.20.0.7', 0)",
            "period_s is 0; it must be a number from 1 to 604800; until then the station may report from anywhere",
        ),
        (
            "station_settings (station_id, expected_by) VALUES (7, 1795000000)",
            "expected_by is 1795000000; it must be a time of this century in milliseconds UTC; correct it",
        ),
        (
            "area_settings (area, grace_s) VALUES ('North', 999999999999)",
            "in the table area_settings, the row of area the text \"North\" is ignored: grace_s is 999999999999",
        ),
        (
            "point_settings (scope, point) VALUES (7, 'alarm9')",
            "in the table point_settings, the row of scope 7 and point the text \"alarm9\" is ignored: point is \
             the text \"alarm9\"; it must be one of alarm1, alarm2, comms",
        ),
        (
            "point_settings (scope, point, priority) VALUES (7, 'alarm1', 'urgent')",
            "priority is the text \"urgent\"; it must be critical, high, medium or low",
        ),
        ("point_settings (scope, point, enabled) VALUES (7, 'alarm1', 2)", "enabled is 2; it must be 0 or 1"),
        (
            "point_settings (scope, point, latched) VALUES (7, 'alarm1', -1)",
            "latched is -1; it must be 0 or 1",
        ),
        (
            "point_settings (scope, point, respond_within_min) VALUES (7, 'alarm1', 0)",
            "respond_within_min is 0; it must be a number from 1 to 44640",
        ),
        (
            "point_settings (scope, point, chatter_window_s) VALUES (7, 'alarm1', 59)",
            "chatter_window_s is 59",
        ),
        ("point_settings (scope, point, on_delay_s) VALUES (7, 'comms', 60)", "comms has no delays"),
        (
            "point_settings (scope, point) VALUES ('north', 'alarm1')",
            "scope is the text \"north\"; it must be",
        ),
        ("point_settings (scope, point) VALUES ('7', 'alarm1')", "a number, so without quotes"),
        ("point_settings (scope, point) VALUES ('area/', 'alarm1')", "scope is the text \"area/\""),
        (
            "point_settings (scope, point, priority) VALUES (7, 'new_stations', 'low')",
            "point is new_stations; it must be one of alarm1, alarm2, comms, identity: what holds for the server is in",
        ),
        ("point_settings (scope, point) VALUES (7.5, 'alarm1')", "scope is 7.5"),
    ] {
        let mut database = database();
        publish(&mut database, &fleet()).unwrap();
        database
            .execute_batch(
                "INSERT INTO point_settings (scope, point, priority) VALUES (7, 'alarm2', 'low');
                 INSERT INTO point_settings (scope, point, priority) VALUES ('area/North', 'alarm2', 'medium');
                 INSERT INTO station_settings (station_id, area) VALUES (8, 'North')",
            )
            .unwrap();
        let (before, none) = read(&database, &fleet()).unwrap();
        assert!(none.is_empty(), "{none:?}");
        assert_eq!(before.settings.of(id(7)).point(Point::Alarm2).priority, Priority::Low);
        assert_eq!(before.settings.of(id(8)).point(Point::Alarm2).priority, Priority::Medium);
        database.execute_batch(&format!("INSERT INTO {row}")).unwrap();
        let (settled, ignored) = read(&database, &fleet()).unwrap();
        assert_eq!(settled, before, "{row}");
        let said: Vec<String> = ignored.iter().map(ToString::to_string).collect();
        assert!(said.len() == 1 && said[0].contains(complaint), "{row}: {said:?}");
        assert_eq!(read_published(&database).unwrap(), before.settings, "{row}");
    }
}

#[test]
fn a_reader_takes_the_default_for_what_no_start_published() {
    let database = database();
    for value in ["soon", "0", "-5", "99999999999999999999"] {
        database
            .execute("INSERT OR REPLACE INTO server (name, value) VALUES ('period_s', ?1)", [value])
            .unwrap();
        assert_eq!(read_published(&database).unwrap(), Settings::default(), "{value}");
    }
}

#[test]
fn a_station_may_be_expected_and_may_report_from_named_addresses_alone() {
    let database = database();
    database
        .execute_batch(
            "INSERT INTO station_settings (station_id, expected_by, allow_from) VALUES
                 (7, 1795482600000, '10.20.0.7,  10.21.0.0/16\t2001:db8::/32'), (8, NULL, ' , '), (9, NULL, NULL)",
        )
        .unwrap();
    let (settled, ignored) = read(&database, &Fleet::default()).unwrap();
    assert!(ignored.is_empty(), "{ignored:?}");
    assert_eq!(settled.expected_by, [(id(7), 1_795_482_600_000)]);
    let allows = |number, peer: &str| {
        let peer: std::net::IpAddr = peer.parse().unwrap();
        let peer = match peer {
            std::net::IpAddr::V4(peer) => peer.to_ipv6_mapped(),
            std::net::IpAddr::V6(peer) => peer,
        };
        settled.allow_from.allows(id(number), &Origin { listener: 1, peer: peer.octets() })
    };
    for (peer, allowed) in [
        ("10.20.0.7", true),
        ("10.21.255.1", true),
        ("2001:db8:7::1", true),
        ("10.20.0.8", false),
        ("127.0.0.1", false),
        ("2001:db9::1", false),
    ] {
        assert_eq!(allows(7, peer), allowed, "{peer}");
        assert!(allows(8, peer) && allows(9, peer) && allows(10, peer), "{peer}");
    }
}
