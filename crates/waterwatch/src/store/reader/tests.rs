mod spoilt;

use std::sync::Arc;

use jiff::tz::TimeZone;
use rusqlite::{Connection, params};
use waterwatch_core::StationId;
use waterwatch_core::alarm::{AlarmSource, Point, Priority};

use super::urgency::priority;
use super::*;
use crate::store::station_list;

/// A database with what `rows` say, as no server need have written it.
fn database(rows: &str) -> (tempfile::TempDir, Connection) {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = Connection::open(folder.path().join("data.sqlite")).unwrap();
    connection.pragma_update(None, "journal_mode", "wal").unwrap();
    schema::create(&mut connection).unwrap();
    connection.execute_batch(rows).unwrap();
    (folder, connection)
}

fn reader(folder: &tempfile::TempDir) -> Reader {
    Reader::open(&folder.path().join("data.sqlite")).unwrap()
}

fn id(number: i64) -> StationId {
    StationId::new(number).unwrap()
}

fn of(number: i64) -> AlarmSource {
    AlarmSource::Station(id(number))
}

fn silent_together(connection: &Connection, occurrence: i64, since_ms: Option<i64>, numbers: &[i64]) {
    let ids: Vec<StationId> = numbers.iter().copied().map(id).collect();
    let stations = station_list::encode(&ids);
    connection
        .execute(
            "INSERT INTO silent_together (occurrence, silent_since, stations) VALUES (?1, ?2, ?3)",
            params![occurrence, since_ms, stations],
        )
        .unwrap();
}

/// Stations of two areas, some with settings of their own, one that was never heard
/// and one of which nothing is known but a life; an area and the server in alarm.
const FLEET: &str = "
INSERT INTO station_status VALUES (1, '2026-11-24 02:10', 0, 0), (2, '2026-11-24 02:10', 1, 0),
    (3, '2026-11-24 02:10', 0, 1), (4, '2026-11-24 02:10', 0, 0), (5, '2026-11-24 02:10', 0, 0);
INSERT INTO station_state (station_id, sequence, received_at, reports, span_sequence, span_since, span_reports)
    SELECT station_id, 10 + station_id, 1000, 3, 10 + station_id, 900, 2 FROM station_status;
INSERT INTO station_settings (station_id, name, area, period_s) VALUES
    (1, 'North lift', 'North', 300), (2, 'north well', 'North', NULL), (3, 'South', 'South', NULL),
    (7, 'Never heard', 'North', NULL), (8, 'Nördlich', NULL, NULL);
INSERT INTO area_settings VALUES ('North', 120, 30), ('South', 90, NULL);
INSERT INTO point_settings (scope, point, priority, label) VALUES ('fleet', 'alarm1', 'high', 'level'),
    ('area/North', 'alarm2', 'low', 'north pump'), (3, 'alarm2', 'critical', 'south pump'),
    (4, 'alarm1', 'low', NULL), ('area/North', 'comms', NULL, 'nothing heard');
INSERT INTO server VALUES ('period_s', '60'), ('grace_s', '120'), ('alive_at', '1000'), ('time_zone', 'UTC');
INSERT INTO station_life (station_id, retired_at, retired_by, retired_reason) VALUES (9, 5, 'Ann', 'gone');
INSERT INTO alarm (source, point, contact, contact_since, occurrence, raised_at, raises) VALUES
    (2, 'alarm1', 1, 500, 40, 500, 1), (3, 'alarm2', 1, 500, 41, 500, 1),
    ('area/North', 'comms', 1, 600, 50, 600, 1), ('area/South', 'comms', 1, 600, 51, 600, 1),
    ('server', 'new_stations', 1, 600, 52, 600, 1);
INSERT INTO alarm (source, point, contact, contact_since, suppressed_by, on_from) VALUES
    (3, 'comms', 1, 600, 51, 600);
INSERT INTO alarm_event (sequence, event_time, received_at, source, point, occurrence, kind, from_state, to_state,
    reason, listener_id, peer) VALUES
    (40, 500, 500, 2, 'alarm1', 40, 'raised', 'normal', 'unacknowledged', 'on', 0, x''),
    (50, 600, 600, 'area/North', 'comms', 50, 'raised', 'normal', 'unacknowledged', '2 of 3', 0, x'');
";

fn fleet() -> (tempfile::TempDir, Connection) {
    let (folder, connection) = database(FLEET);
    silent_together(&connection, 50, Some(600), &[1, 2, 4]);
    silent_together(&connection, 50, None, &[4]);
    silent_together(&connection, 51, Some(700), &[5]);
    (folder, connection)
}

/// What is read by key is what is found among all.
#[test]
fn one_alarm_is_as_it_is_among_all() {
    let (folder, _connection) = fleet();
    let reader = reader(&folder);
    let all = reader.picture(Which::ALL, &TimeZone::UTC).unwrap();
    let mut compared = 0;
    for number in 0..=10 {
        for &point in Point::OF_STATION {
            let key = (of(number), point);
            let contact = all.stations.iter().find(|contact| contact.station_id == id(number));
            let Some(one) = reader.alarm(&key, &TimeZone::UTC).unwrap() else {
                assert_eq!(contact, None, "{key:?}");
                continue;
            };
            assert_eq!(one.contact.as_ref(), contact, "{key:?}");
            same(&one, &all);
            compared += 1;
        }
    }
    assert_eq!(compared, 8 * Point::OF_STATION.len());
    for (source, point) in [("North", Point::Comms), ("South", Point::Comms)]
        .map(|(name, point)| (AlarmSource::Area(name.into()), point))
    {
        same(&reader.alarm(&(source, point), &TimeZone::UTC).unwrap().unwrap(), &all);
    }
    same(&reader.alarm(&(AlarmSource::Server, Point::NewStations), &TimeZone::UTC).unwrap().unwrap(), &all);
    let never = (AlarmSource::Server, Point::Comms);
    assert!(reader.alarm(&never, &TimeZone::UTC).unwrap().is_none(), "nothing is recorded of it");
    let nobody = (AlarmSource::Area("West".into()), Point::Comms);
    assert!(reader.alarm(&nobody, &TimeZone::UTC).unwrap().is_none());
}

fn same(one: &OneAlarm, all: &Picture) {
    let (source, point) = (&one.key.0, one.key.1);
    let of_source: Vec<&KnownAlarm> = all.alarms.iter().filter(|((of, _), _)| of == source).collect();
    assert_eq!(one.alarms.iter().collect::<Vec<_>>(), of_source, "{:?}", one.key);
    let alarm = of_source.iter().find(|((_, of), _)| *of == point).map(|(_, alarm)| Arc::clone(alarm));
    let among_all = priority((source, point), &alarm.unwrap_or_default(), &all.alarms, &all.server.settings);
    assert_eq!(one.priority, among_all, "{:?}", one.key);
    let (settings, all_settings) =
        (one.server.settings.of_source(source), all.server.settings.of_source(source));
    assert_eq!(settings.in_area(None), all_settings.in_area(None), "{:?}", one.key);
    assert_eq!(one.server.alive_until_ms, all.server.alive_until_ms);
    assert_eq!(one.server.about.station(source), all.server.about.station(source), "{:?}", one.key);
    assert_eq!(one.server.about.point(source, point), all.server.about.point(source, point), "{:?}", one.key);
}

#[test]
fn an_area_read_alone_is_as_urgent_as_its_most_urgent_member() {
    let (folder, connection) = fleet();
    let reader = reader(&folder);
    let how = |name: &str| {
        let key = (AlarmSource::Area(name.into()), Point::Comms);
        reader.alarm(&key, &TimeZone::UTC).unwrap().unwrap().priority
    };
    assert_eq!((how("North"), how("South")), (Priority::High, Priority::Critical));
    // Station 2 has an alarm of its own beside the silence that it shares.
    connection.execute("UPDATE point_settings SET priority = 'critical' WHERE scope = 'fleet'", []).unwrap();
    assert_eq!(how("North"), Priority::Critical);
    connection.execute("DELETE FROM alarm WHERE source = 2", []).unwrap();
    assert_eq!(how("North"), Priority::High);
}

#[test]
fn one_station_and_its_settings_are_read_by_key() {
    let (folder, _connection) = fleet();
    let reader = reader(&folder);
    let all = reader.picture(Which::ALL, &TimeZone::UTC).unwrap();
    let ids: Vec<StationId> = (0..=10).map(id).collect();
    for &id in &ids {
        assert_eq!(reader.resolve(id).unwrap(), all.server.settings.of(id).in_area(None), "{id}");
        let detail = reader.station(id, 10, &TimeZone::UTC).unwrap();
        assert_eq!(
            detail.map(|detail| detail.contact),
            all.stations.iter().find(|of| of.station_id == id).cloned()
        );
    }
    let retired = reader.station(id(9), 10, &TimeZone::UTC).unwrap().unwrap();
    assert_eq!(&*retired.contact.retired().unwrap().by, "Ann");
    let about = reader.about_these(&ids).unwrap();
    assert_eq!(about.stations, all.server.about.stations);
    for &id in &ids {
        for &point in Point::OF_STATION {
            let source = AlarmSource::Station(id);
            assert_eq!(about.point(&source, point), all.server.about.point(&source, point));
        }
    }
    assert_eq!(about.point(&of(1), Point::Comms).label.as_deref(), Some("nothing heard"));
}

#[test]
fn names_are_found_by_how_they_begin_at_once_or_page_by_page() {
    let (folder, connection) = fleet();
    connection
        .execute("INSERT INTO station_settings (station_id, name) VALUES (6, 'NORTH LIFT')", [])
        .unwrap();
    let reader = reader(&folder);
    let numbers = |ids: Vec<StationId>| ids.into_iter().map(StationId::get).collect::<Vec<_>>();
    let named = |prefix: &str| numbers(reader.stations_named(prefix, 10).unwrap());
    assert_eq!(named("north"), [1, 2, 6]);
    assert_eq!(named("North lift"), [1, 6]);
    assert_eq!(named("Nö"), [8]);
    assert_eq!(named("").len(), 6);
    assert_eq!(named("%"), [] as [i64; 0]);
    assert_eq!(reader.stations_named("north", 2).unwrap().len(), 2);
    let after = |prefix, after, max| numbers(reader.stations_named_after(prefix, after, max).unwrap());
    assert_eq!(after("north", None, 10), named("north"));
    assert_eq!(after("NORTH", None, 2), [1, 2]);
    assert_eq!(after("north", Some(id(1)), 10), [2, 6]);
    assert_eq!(after("north", Some(id(6)), 10), [] as [i64; 0]);
    let plan = |query: &str| {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {query}")).unwrap();
        let nothing = vec!["0"; statement.parameter_count()];
        let steps = statement.query_map(rusqlite::params_from_iter(nothing), |row| row.get::<_, String>(3));
        steps.unwrap().map(Result::unwrap).collect::<String>()
    };
    let [by_name, by_id] = [named::BY_NAME, named::BY_ID].map(plan);
    assert!(by_name.ends_with("COVERING INDEX station_settings_by_name (name>? AND name<?)"), "{by_name}");
    assert!(by_id.ends_with("USING INTEGER PRIMARY KEY (rowid>?)"), "{by_id}");
}

#[test]
fn a_timeline_has_what_lies_within_a_time_and_the_span_that_lasts() {
    let (folder, connection) = fleet();
    connection
        .execute_batch(
            "INSERT INTO span VALUES (1, 2, 100, 200, 0, 0, 5), (1, 4, 210, 300, 1, 0, 5),
             (1, 6, 310, 400, 0, 1, 5), (2, 3, 100, 400, 0, 0, 9)",
        )
        .unwrap();
    let reader = reader(&folder);
    let spans = |from_ms, to_ms, max| {
        let Timeline { open, spans, is_cut } = reader.spans(id(1), from_ms, to_ms, max).unwrap().unwrap();
        let sequences: Vec<i64> = spans.iter().map(|span| span.sequence).collect();
        (sequences, open.map(|open| (open.first_at_ms, open.last_at_ms, open.reports)), is_cut)
    };
    assert_eq!(spans(0, 2_000, 9), (vec![6, 4, 2], Some((900, 1_000, 2)), false));
    assert_eq!(spans(200, 310, 9), (vec![6, 4, 2], None, false));
    assert_eq!(spans(201, 309, 9), (vec![4], None, false));
    assert_eq!(spans(0, 2_000, 2), (vec![6, 4], Some((900, 1_000, 2)), true));
    assert_eq!(reader.spans(id(7), 0, 9, 9).unwrap(), Some(Timeline::default()));
    assert_eq!(reader.spans(id(100), 0, 9, 9).unwrap(), None);
}

/// Entries by two people, of stations of two areas: 1 to 120.
fn ledger() -> (tempfile::TempDir, Connection) {
    let (folder, connection) = database(
        "INSERT INTO station_settings (station_id, area) VALUES (1, 'North'), (2, 'South');
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120)
         INSERT INTO alarm_event (sequence, event_time, received_at, source, point, occurrence, kind, from_state,
             to_state, \"by\", listener_id, peer)
         SELECT i, i * 100, i * 100, CASE i % 4 WHEN 0 THEN 'area/North' ELSE i % 4 END,
             CASE i % 4 WHEN 0 THEN 'comms' ELSE 'alarm1' END, i / 10,
             CASE i % 3 WHEN 0 THEN 'acknowledged' WHEN 1 THEN 'raised' ELSE 'returned' END,
             'normal', 'normal', CASE i % 3 WHEN 0 THEN CASE i % 2 WHEN 0 THEN 'Ann' ELSE 'Ben' END END, 0, x''
         FROM n WHERE i > 9",
    );
    (folder, connection)
}

fn sequences(reader: &Reader, asked: &Asked) -> (Vec<i64>, Option<Window>) {
    let page = reader.events(asked).unwrap();
    (page.events.iter().map(|event| event.sequence).collect(), page.next)
}

#[test]
fn entries_are_found_by_kind_area_person_and_occurrence() {
    use waterwatch_core::alarm::Kind as EventKind;
    let (folder, _connection) = ledger();
    let reader = reader(&folder);
    let all = |fits: &dyn Fn(i64) -> bool| -> Vec<i64> { (10..=120).filter(|i| fits(*i)).collect() };
    let asked = Asked { entries_max: 200, window: Window::After(0), ..Asked::default() };
    let by_ann = Asked { by: Some("Ann".into()), ..asked.clone() };
    assert_eq!(sequences(&reader, &by_ann), (all(&|i| i % 6 == 0), None));
    let kinds = Asked { kinds: vec![EventKind::Raised, EventKind::Returned], ..asked.clone() };
    assert_eq!(sequences(&reader, &kinds).0, all(&|i| i % 3 != 0));
    let north = Asked { area: Some("North".into()), ..asked.clone() };
    assert_eq!(sequences(&reader, &north).0, all(&|i| i % 4 <= 1));
    let of_occurrence = Asked { occurrence: Some(4), ..asked.clone() };
    assert_eq!(sequences(&reader, &of_occurrence).0, all(&|i| i / 10 == 4));
    let all_of_it = Asked {
        kinds: vec![EventKind::Acknowledged],
        area: Some("North".into()),
        by: Some("Ann".into()),
        since_ms: Some(2_000),
        until_ms: Some(10_000),
        ..asked.clone()
    };
    assert_eq!(sequences(&reader, &all_of_it).0, all(&|i| i % 12 == 0 && (20..=100).contains(&i)));
    let nobody = Asked { by: Some("' OR 1 = 1 --".into()), area: Some("'".into()), ..asked };
    assert_eq!(sequences(&reader, &nobody), (vec![], None));
}

#[test]
fn pages_go_both_ways_and_lose_nothing() {
    let (folder, _connection) = ledger();
    let reader = reader(&folder);
    for by in [None, Some("Ann".into())] {
        let whole = Asked { by, entries_max: 200, ..Asked::default() };
        let (wanted, end) = sequences(&reader, &whole);
        assert_eq!(end, None);
        for window in [Window::Newest, Window::After(0)] {
            let mut asked = Asked { entries_max: 7, window, ..whole.clone() };
            let mut pages = Vec::new();
            loop {
                let (page, next) = sequences(&reader, &asked);
                pages.push(page);
                let Some(next) = next else { break };
                asked.window = next;
            }
            if window == Window::Newest {
                pages.reverse();
            }
            assert!(pages.len() > 2 && pages.iter().all(|page| page.len() <= 7));
            assert_eq!(pages.concat(), wanted, "{window:?}");
        }
    }
    // So few bytes that each page has few entries, one at least.
    for (until_ms, bytes_max) in [(None, 1), (None, 2_000), (Some(9_000), 2_000)] {
        let whole = Asked { until_ms, entries_max: 200, ..Asked::default() };
        let (wanted, _) = sequences(&reader, &whole);
        for window in [Window::Newest, Window::After(0)] {
            let mut asked = Asked { bytes_max: Some(bytes_max), window, ..whole.clone() };
            let mut found = Vec::new();
            loop {
                let (page, next) = sequences(&reader, &asked);
                assert!((1..20).contains(&page.len()), "{}", page.len());
                found.extend(page);
                let Some(next) = next else { break };
                asked.window = next;
            }
            found.sort_unstable();
            assert_eq!(found, wanted, "{until_ms:?} {bytes_max} {window:?}");
        }
    }
    let before = Asked { window: Window::Before(20), entries_max: 3, ..Asked::default() };
    assert_eq!(sequences(&reader, &before), (vec![17, 18, 19], Some(Window::Before(17))));
}

/// However much was said of many stations at once, what names one of them is found.
#[test]
fn pages_of_a_station_have_all_that_is_said_of_it_among_very_many() {
    let (folder, connection) = database("INSERT INTO station_settings (station_id) VALUES (5), (6)");
    let [seldom, often] = [&[5, 6][..], &[6]].map(|numbers| {
        let ids: Vec<StationId> = numbers.iter().copied().map(id).collect();
        station_list::encode(&ids)
    });
    connection
        .execute(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25000)
             INSERT INTO alarm_event (sequence, event_time, received_at, source, point, kind, from_state, to_state,
                 stations, listener_id, peer)
             SELECT i, i, i, CASE i % 2 WHEN 1 THEN 5 ELSE 'area/North' END, 'comms', 'stands_for', 'normal', 'normal',
                 CASE WHEN i % 2 = 1 THEN NULL WHEN i % 3000 = 0 THEN ?1 ELSE ?2 END, 0, x''
             FROM n WHERE i % 2 = 0 OR i % 5000 = 1",
            params![seldom, often],
        )
        .unwrap();
    let reader = reader(&folder);
    let walk = |number: i64, window| {
        let mut asked = Asked { source: Some(of(number)), entries_max: 4_000, window, ..Asked::default() };
        let (mut all, mut pages) = (Vec::new(), 0);
        loop {
            let (page, next) = sequences(&reader, &asked);
            all.extend(page);
            pages += 1;
            let Some(next) = next else { break };
            asked.window = next;
        }
        all.sort_unstable();
        (all, pages)
    };
    let of_five: Vec<i64> = (1..=25_000).filter(|i| i % 3_000 == 0 || i % 5_000 == 1).collect();
    let of_six: Vec<i64> = (2..=25_000).step_by(2).collect();
    for window in [Window::Newest, Window::After(0)] {
        assert_eq!(walk(5, window), (of_five.clone(), 2), "{window:?}");
        assert_eq!(walk(6, window), (of_six.clone(), 13), "{window:?}");
    }
}

/// However few fit, a page looks at so many entries and says where to go on.
#[test]
fn a_search_that_finds_nothing_ends_and_can_be_continued() {
    let (folder, _connection) = database(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
         INSERT INTO alarm_event (sequence, event_time, received_at, source, kind, \"by\", listener_id, peer)
         SELECT i, i, i, 'server', 'blind', CASE i WHEN 3 THEN 'Ann' END, 0, x'' FROM n",
    );
    let reader = reader(&folder);
    let mut asked = Asked { by: Some("Ann".into()), entries_max: 10, ..Asked::default() };
    assert_eq!(sequences(&reader, &asked), (vec![], Some(Window::Before(40_001))));
    asked.window = Window::Before(20_001);
    assert_eq!(sequences(&reader, &asked), (vec![3], Some(Window::Before(1))));
    asked.window = Window::Before(20_000);
    assert_eq!(sequences(&reader, &asked), (vec![3], None));
    asked.window = Window::After(0);
    assert_eq!(sequences(&reader, &asked), (vec![3], Some(Window::After(20_000))));
    asked.until_ms = Some(30_000);
    assert_eq!(sequences(&reader, &asked), (vec![3], Some(Window::After(20_000))));
}

#[test]
fn an_occurrence_is_found_by_its_index() {
    let (_folder, connection) = ledger();
    let plan: String = connection
        .prepare(
            "EXPLAIN QUERY PLAN SELECT * FROM alarm_event WHERE sequence > 1 AND sequence < 9
            AND occurrence = 4 ORDER BY sequence LIMIT 3",
        )
        .unwrap()
        .query_map([], |row| row.get::<_, String>(3))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert!(plan.contains("alarm_event_by_occurrence (occurrence=?"), "{plan}");
}
