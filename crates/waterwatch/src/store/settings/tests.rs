use waterwatch_core::settings::PointTexts;

use super::*;
use crate::store::schema;

fn fleet() -> Fleet {
    let alarm1 =
        PointOverrides { priority: Some(Priority::Low), on_delay_s: Some(90), ..PointOverrides::default() };
    Fleet {
        overrides: StationOverrides {
            period_s: Some(30),
            grace_s: None,
            points: [alarm1, PointOverrides::default(), PointOverrides::default()],
        },
        texts: [
            PointTexts { label: Some("High level".into()), ..PointTexts::default() },
            PointTexts::default(),
            PointTexts::default(),
        ],
    }
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
    let settings = read(&database, &fleet()).unwrap();
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
        let label = "SELECT label, on_delay_s FROM point_settings WHERE scope = 'fleet' AND point = 'alarm1'";
        let (label, delay) = database.query_row(label, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        (period.unwrap(), label, delay)
    };
    assert_eq!(published(&database), ("30".into(), Some("High level".into()), Some(90)));
    publish(&mut database, &Fleet::default()).unwrap();
    assert_eq!(published(&database), ("60".into(), None, None));
}

#[test]
fn what_cannot_be_meant_is_named() {
    for (row, complaint) in [
        ("station_settings (station_id, period_s) VALUES (7, -1)", "the settings of station 7: -1 seconds"),
        ("station_settings (station_id) VALUES (-7)", "the station id -7 is negative"),
        (
            "area_settings (area, grace_s) VALUES ('North', 999999999999)",
            "of the area North: 999999999999 seconds",
        ),
        ("point_settings (scope, point) VALUES (7, 'alarm9')", "alarm9"),
        (
            "point_settings (scope, point, priority) VALUES (7, 'alarm1', 'urgent')",
            "the priority urgent is unknown",
        ),
        ("point_settings (scope, point) VALUES ('north', 'alarm1')", "the scope north is unknown"),
    ] {
        let database = database();
        database.execute_batch(&format!("INSERT INTO {row}")).unwrap();
        let error = format!("{:#}", read(&database, &fleet()).unwrap_err());
        assert!(error.contains(complaint), "{row}: {error}");
    }
}
