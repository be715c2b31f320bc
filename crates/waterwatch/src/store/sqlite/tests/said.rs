//! What people say, in its rows, and after the process was killed.

use waterwatch_core::alarm::Point;
use waterwatch_core::settings::Said;

use super::*;
use crate::station_says::StationSays;
use crate::store::NewSays;

fn id(number: i64) -> StationId {
    StationId::new(number).unwrap()
}

fn station(fields: &[(&str, Said<'_>)]) -> StationSays {
    let mut says = StationSays::default();
    fields.iter().for_each(|(field, said)| says.say(field, *said).unwrap());
    says
}

fn scope(fields: &[(&str, Said<'_>)]) -> ScopeSays {
    let mut says = ScopeSays::default();
    fields.iter().for_each(|(field, said)| says.say(field, *said).unwrap());
    says
}

fn commit(store: &mut SqliteStore, said: Vec<NewSays>) {
    let batch = Batch { sequence: store.sequence(), said, ..Batch::default() };
    store.commit(&batch).unwrap();
}

/// All that can be said comes back, and holds, after each opening; and what is said
/// anew takes its place.
#[test]
fn what_is_said_is_read_back_and_holds_after_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let mut fleet = Fleet::default();
    fleet.overrides.grace_s = Some(77);
    let mut settled = store.settings(&fleet).unwrap();
    let of_station = station(&[
        ("name", Said::Text("North lift")),
        ("area", Said::Text("North")),
        ("location", Said::Text("Mill Lane 4")),
        ("access_note", Said::Text("the key is at the gate")),
        ("telephones", Said::Text("Ana 01 234")),
        ("tags", Said::Text("pump, old")),
        ("expected_by", Said::Number(1_795_482_600_000)),
        ("allow_from", Said::Text("10.20.0.7, 10.21.0.0/16")),
        ("period_s", Said::Number(30)),
        ("points.alarm1.label", Said::Text("High level")),
        ("points.alarm2.on_delay_s", Said::Number(60)),
    ]);
    let of_area = scope(&[("grace_s", Said::Number(5)), ("points.comms.priority", Said::Text("critical"))]);
    let of_fleet = scope(&[("period_s", Said::Number(90)), ("points.identity.enabled", Said::Flag(false))]);
    let said = vec![
        NewSays::Station(id(7), Box::new(of_station.clone())),
        NewSays::Station(id(8), Box::new(station(&[("area", Said::Text("North"))]))),
        NewSays::Area("North".into(), Box::new(of_area.clone())),
        NewSays::Fleet(Box::new(of_fleet.clone())),
    ];
    said.iter().for_each(|new| settled.settle(new));
    commit(&mut store, said);
    // The process was killed: nothing is folded or closed in order.
    store.reopen().unwrap();
    assert_eq!(store.station_says(id(7)).unwrap(), of_station);
    assert_eq!(store.area_says("North").unwrap(), of_area);
    assert_eq!(store.fleet_says().unwrap(), of_fleet);
    assert_eq!(store.station_says(id(9)).unwrap(), StationSays::default());
    assert_eq!(store.settings(&fleet).unwrap(), settled);
    let holds = *settled.settings.of(id(8));
    assert_eq!((holds.period_ms, holds.grace_ms), (90_000, 5_000), "the fleet's, then the area's");
    assert_eq!(settled.settings.of(id(9)).grace_ms, 77_000, "the configuration's");
    assert!(!settled.settings.fleet().point(Point::Identity).enabled);

    // What is said no more leaves no row.
    let unsaid = vec![
        NewSays::Station(id(7), Box::default()),
        NewSays::Station(id(8), Box::default()),
        NewSays::Area("North".into(), Box::default()),
        NewSays::Fleet(Box::default()),
    ];
    commit(&mut store, unsaid);
    let read = store.settings(&fleet).unwrap();
    let nothing = Settled::from(Settings::of_fleet(fleet.overrides));
    assert_eq!(read, nothing);
    drop(store);
    let database = Connection::open(folder.path().join("data.sqlite")).unwrap();
    let rows = "SELECT (SELECT count(*) FROM station_settings) + (SELECT count(*) FROM area_settings)
        + (SELECT count(*) FROM point_settings WHERE scope <> 'configuration')";
    assert_eq!(database.query_row(rows, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
}

/// It is not taken for what was said before.
#[test]
fn what_cannot_be_meant_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let database = Connection::open(folder.path().join("data.sqlite")).unwrap();
    database
        .execute_batch(
            "INSERT INTO station_settings (station_id, period_s) VALUES (7, 0);
             INSERT INTO point_settings (scope, point, priority) VALUES (8, 'alarm1', 'urgent'), ('area/North', 'alarm9', 'low')",
        )
        .unwrap();
    let why = |error: anyhow::Error| format!("{error:#}");
    assert_eq!(
        why(store.station_says(id(7)).unwrap_err()),
        "the row of station_settings: period_s is 0; it must be a number from 1 to 604800"
    );
    let of_point = why(store.station_says(id(8)).unwrap_err());
    assert!(of_point.starts_with("the point_settings of alarm1: priority is the text"), "{of_point}");
    let of_area = why(store.area_says("North").unwrap_err());
    assert!(of_area.contains("it must be one that a station has"), "{of_area}");
}
