use proptest::prelude::*;
use rusqlite::params;
use waterwatch_core::Origin;
use waterwatch_core::alarm::{
    Event, Input, Kind, Ledger, OnWhileHidden, Order, PointSettings, Priority, State, Subject,
};
use waterwatch_core::silence::Gap;

use super::ledger::{FIRST_SINCE, LAST_RAISE, gaps_query};
use super::*;
use crate::store::schema::{self, COUNT_MAX};
use crate::store::{Batch, peer};

fn database() -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    schema::create(&mut connection).unwrap();
    connection
}

fn recorded(connection: &mut Connection, events: &[Event], alarms: &[(AlarmKey, Option<Alarm>)]) {
    let batch = Batch { events: events.to_vec(), alarms: alarms.to_vec(), ..Batch::default() };
    record(connection, &batch);
}

/// A batch, written over what is there.
fn record(connection: &mut Connection, batch: &Batch) {
    let known = read_alarms(connection).unwrap();
    let transaction = connection.transaction().unwrap();
    write(&transaction, batch, &known, &[]).unwrap();
    transaction.commit().unwrap();
}

fn read_events(connection: &Connection) -> Result<Vec<Event>, RowError> {
    let query = format!("SELECT {EVENT_COLUMNS} FROM alarm_event ORDER BY sequence");
    connection.prepare(&query)?.query_and_then([], event)?.collect()
}

fn source() -> impl Strategy<Value = AlarmSource> {
    prop_oneof![
        4 => prop_oneof![0..20_i64, Just(i64::MAX)]
            .prop_map(|number| AlarmSource::Station(StationId::new(number).unwrap())),
        2 => prop_oneof![Just("North"), Just("Süd/Hafen 'A'"), Just("server"), Just("area/7")]
            .prop_map(|name| AlarmSource::Area(name.into())),
        1 => Just(AlarmSource::Server),
    ]
}

fn time() -> impl Strategy<Value = i64> {
    prop_oneof![0..1_000_i64, Just(-1), Just(1_795_484_760_000), Just(COUNT_MAX)]
}

fn words() -> impl Strategy<Value = Option<Box<str>>> {
    prop::option::of(prop_oneof![Just(""), Just("Ann"), Just("Zoë; DROP TABLE alarm --")].prop_map(Box::from))
}

fn origin() -> impl Strategy<Value = Origin> {
    let peer = prop_oneof![
        Just([0; 16]),
        any::<[u8; 16]>(),
        any::<[u8; 4]>().prop_map(|address| peer::of(&address).unwrap()),
    ];
    (any::<u16>(), peer).prop_map(|(listener, peer)| Origin { listener, peer })
}

fn any_event() -> impl Strategy<Value = Event> {
    let states = (prop::sample::select(State::ALL), prop::sample::select(State::ALL));
    let about = prop::option::of((prop::sample::select(Point::ALL), states));
    let sequences =
        (prop::option::of(1..=COUNT_MAX), prop::option::of(1..9_i64), prop::option::of(any::<u32>()));
    let times = (time(), time(), prop::option::of(time()));
    let was_on = prop::option::of((time(), prop::option::of(time())));
    let kind = prop::sample::select(Kind::ALL);
    let stations = prop::option::of(prop::collection::btree_set(0..=i64::MAX, 0..5));
    let stations = stations.prop_map(|numbers| {
        numbers.map(|numbers| numbers.into_iter().filter_map(StationId::new).collect::<Box<[_]>>())
    });
    (source(), about, sequences, times, was_on, (words(), words()), kind, (origin(), stations)).prop_map(
        |(
            source,
            about,
            (occurrence, cause, count),
            times,
            was_on,
            (by, reason),
            kind,
            (origin, stations),
        )| Event {
            stations,
            sequence: 0,
            event_time_ms: times.0,
            received_at_ms: times.1,
            source,
            point: about.map(|(point, _)| point),
            occurrence,
            kind,
            from: about.map(|(_, (from, _))| from),
            to: about.map(|(_, (_, to))| to),
            by,
            reason,
            until_ms: times.2,
            was_on: was_on.map(|(from_ms, to_ms)| OnWhileHidden { from_ms, to_ms }),
            count,
            origin,
            cause,
        },
    )
}

/// What happens to an alarm, without its times.
#[derive(Clone, Copy, Debug)]
enum Happens {
    Contact(bool),
    Time,
    Acknowledge,
    Shelve,
    Unshelve,
    Service,
    Suppress,
    Unsuppress,
}

fn happens() -> impl Strategy<Value = (i64, Happens)> {
    use Happens::*;
    let passes = prop_oneof![3 => 0..20_000_i64, 1 => 0..3_600_000_i64];
    let what = prop_oneof![
        6 => any::<bool>().prop_map(Contact),
        2 => Just(Time),
        2 => Just(Acknowledge),
        1 => prop::sample::select(vec![Shelve, Unshelve, Service, Suppress, Unsuppress]),
    ];
    (passes, what)
}

/// The facts that these lead to, and the ledger of it.
fn lived(
    (source, point): &AlarmKey,
    life: &[(i64, Happens)],
    sequence: &mut i64,
    events: &mut Vec<Event>,
) -> Option<Alarm> {
    let settings = PointSettings {
        on_delay_ms: if *point == Point::Alarm2 { 15_000 } else { 0 },
        off_delay_ms: if *point == Point::Alarm2 { 15_000 } else { 0 },
        ..PointSettings::of(Priority::High)
    };
    let mut alarm: Option<Alarm> = None;
    let mut now_ms = 1_795_484_760_000;
    for (passes_ms, happens) in life {
        now_ms += passes_ms;
        let occurrence = alarm.as_ref().and_then(|alarm| alarm.occurrence.as_ref());
        let order = Order { until_ms: now_ms + 3_600_000, by: "Ann", reason: "the pump is away" };
        let input = match happens {
            Happens::Contact(on) => Input::Contact(*on),
            Happens::Time => Input::Time,
            Happens::Acknowledge => Input::Acknowledge {
                occurrence: occurrence.map_or(0, |occurrence| occurrence.sequence),
                by: "Ben",
            },
            Happens::Shelve => Input::Shelve(order),
            Happens::Unshelve => Input::Unshelve { by: "Cem" },
            Happens::Service => Input::TakeOutOfService(order),
            Happens::Suppress => Input::Suppress { occurrence: 7 },
            Happens::Unsuppress => Input::Unsuppress,
        };
        let subject = Subject {
            source: source.clone(),
            point: *point,
            event_time_ms: now_ms,
            received_at_ms: now_ms,
            origin: Origin::default(),
            cause: None,
            reason: None,
        };
        let mut ledger = Ledger { sequence, events };
        if let Ok(after) = Alarm::step(alarm.as_ref(), input, &settings, &subject, &mut ledger) {
            alarm = after;
        }
    }
    alarm
}

proptest! {
    #[test]
    fn any_entry_of_the_ledger_is_read_as_it_was_written(events in prop::collection::vec(any_event(), 0..20)) {
        let mut connection = database();
        let mut events = events;
        for (sequence, event) in (1..).zip(&mut events) {
            event.sequence = sequence;
        }
        recorded(&mut connection, &events, &[]);
        prop_assert_eq!(read_events(&connection).unwrap(), events);
    }

    #[test]
    fn alarms_and_their_ledger_are_read_as_they_were_written(
        lives in prop::collection::btree_map(
            (source(), prop::sample::select(Point::ALL)),
            prop::collection::vec(happens(), 1..40),
            1..8,
        )
    ) {
        let mut connection = database();
        let (mut sequence, mut events) = (0, Vec::new());
        let halves: Vec<(AlarmKey, Option<Alarm>)> = lives
            .iter()
            .map(|(key, life)| (key.clone(), lived(key, &life[..life.len() / 2], &mut sequence, &mut events)))
            .collect();
        // Each is written over what it was half-way.
        recorded(&mut connection, &events, &halves);
        events.clear();
        sequence = 0;
        let wholes: Vec<(AlarmKey, Option<Alarm>)> = lives
            .iter()
            .rev()
            .map(|(key, life)| (key.clone(), lived(key, life, &mut sequence, &mut events)))
            .collect();
        recorded(&mut connection, &[], &wholes);
        let mut wanted = Alarms::default();
        for (key, alarm) in wholes {
            wanted.set(key, alarm);
        }
        prop_assert_eq!(read_alarms(&connection).unwrap(), wanted);
    }

    /// Whoever falls silent together, is heard again or alarms for itself, in
    /// whatever order.
    #[test]
    fn who_is_silent_together_is_read_as_it_was_written(
        batches in prop::collection::vec(
            (1..4_i64, prop::collection::btree_map(0..12_i64, 0..3_u8, 0..12)), 1..12
        )
    ) {
        let mut connection = database();
        let mut wanted = Alarms::default();
        for (since_ms, (occurrence, stations)) in (0..).zip(batches) {
            let id = |number: &i64| StationId::new(*number).unwrap();
            let those = |what| stations.iter().filter(move |(_, is)| **is == what).map(|(number, _)| id(number));
            let comms = |id| (AlarmSource::Station(id), Point::Comms);
            let alone = Alarm::silent_together(99, since_ms);
            let alarms = those(0).map(|id| (comms(id), None));
            let alarms = alarms.chain(those(1).map(|id| (comms(id), Some(alone.clone())))).collect();
            let joins: Box<[StationId]> = those(2).filter(|id| wanted.get(&comms(*id)).is_none()).collect();
            let silent_together = match joins.is_empty() {
                true => Vec::new(),
                false => vec![SilentTogether { occurrence, since_ms, stations: joins }],
            };
            let batch = Batch { alarms, silent_together, ..Batch::default() };
            record(&mut connection, &batch);
            wanted.apply(&batch);
            let all = |alarms: &Alarms| {
                let mut all: Vec<_> = alarms.iter().map(|(key, alarm)| (key, alarm.clone())).collect();
                all.sort_by(|(one, _), (other, _)| one.cmp(other));
                all
            };
            let read = read_alarms(&connection).unwrap();
            prop_assert_eq!(all(&read), all(&wanted));
            let rows: i64 = connection
                .query_row("SELECT count(*) FROM silent_together", [], |row| row.get(0))
                .unwrap();
            prop_assert!(read.standing_for().next().is_some() || rows == 0, "what is over leaves no rows");
        }
    }
}

/// An alarm of station 7 with every fact there is, made by hand below.
const ALARM: &str = "INSERT INTO alarm (source, point, contact, contact_since, occurrence, raised_at, raises,
    acknowledged_by, acknowledged_at, realarm_due, raised_lately, forget_due)
    VALUES (7, 'alarm1', 1, 5, 41, 5, 1, 'Ann', 6, 9, x'0500000000000000', 8);";

#[test]
fn facts_that_cannot_be_are_refused_with_their_place() {
    let connection = database();
    connection.execute_batch(ALARM).unwrap();
    assert_eq!(read_alarms(&connection).unwrap().len(), 1);
    for (change, refusal) in [
        ("source = -1", "source -1 and point the text \"alarm1\" cannot be read: source is -1"),
        ("source = 'area/'", "source is the text \"area/\""),
        ("source = 'station'", "source is the text \"station\""),
        ("source = 7.5", "source is 7.5"),
        (
            "point = 'alarm3'",
            "source 7 and point the text \"alarm3\" cannot be read: point is the text \"alarm3\"",
        ),
        ("contact = 2", "contact is 2"),
        ("contact_since = 9223372036854775807", "contact_since is 9223372036854775807"),
        ("occurrence = 0", "occurrence is 0"),
        ("occurrence = NULL", "cannot be: an occurrence has its sequence"),
        ("raises = NULL", "cannot be: an occurrence has its sequence"),
        ("raises = -1", "raises is -1"),
        ("raises = 4294967296", "raises is 4294967296"),
        ("acknowledged_by = NULL", "an acknowledgement has a name and a time"),
        ("acknowledged_by = CAST(x'ff' AS TEXT)", "acknowledged_by is the text \"\\xff\""),
        ("acknowledged_by = NULL, acknowledged_at = NULL", "only what is on and acknowledged asks again"),
        ("contact = 0", "cannot be: an occurrence is over once it returned and is acknowledged"),
        ("shelf_until = 9", "what hides it has an end, a name and a reason"),
        (
            "shelf_until = 9, shelf_by = 'Ann', shelf_reason = 'x', shelf_warned = 0",
            "a hidden alarm has no occurrence",
        ),
        ("service_warned = 0", "what hides it has an end, a name and a reason"),
        ("on_to = 9", "what was on until then was on from some time on"),
        ("on_from = 9", "only a hidden alarm was on while it was hidden"),
        ("chatter_due = 9", "what chatters has a beginning"),
        ("raised_lately = x'05'", "raised_lately is a blob of 1 bytes"),
        ("raised_lately = x'ffffffffffffff7f'", "raised_lately is a blob of 8 bytes"),
        ("raised_lately = NULL", "raises of late are there until they are forgotten"),
    ] {
        let all = format!("BEGIN; UPDATE alarm SET {change}");
        connection.execute_batch(&all).unwrap();
        let mut unreadable = Vec::new();
        assert!(read_readable(&connection, &mut unreadable).unwrap().is_empty());
        let [(alarm, error)] = &unreadable[..] else { panic!("{change}: {unreadable:?}") };
        let (alarm, error) = (alarm.is_some(), error.to_string());
        assert_eq!(alarm, !change.starts_with("source") && !change.starts_with("point"), "{change}");
        assert_eq!(read_alarms(&connection).is_err(), alarm, "who looks does without what is no alarm's");
        assert!(error.starts_with("in alarm, the row of source "), "{error}");
        assert!(error.contains(refusal), "{change}: {error}");
        connection.execute_batch("ROLLBACK").unwrap();
    }
}

/// Not by a server; but nothing is wrong with it.
#[test]
fn an_alarm_at_rest_that_has_a_row_is_at_rest() {
    let connection = database();
    connection
        .execute_batch("INSERT INTO alarm (source, point, contact, contact_since) VALUES (7, 'alarm1', 0, 5)")
        .unwrap();
    assert!(read_alarms(&connection).unwrap().is_empty());
}

#[test]
fn entries_that_cannot_be_are_refused_with_their_place() {
    for (columns, values, refusal) in [
        ("kind, point", "'lost', NULL", "cannot be read: kind is the text \"lost\""),
        ("kind, point", "'raised', 'alarm1'", "cannot be: an entry about an alarm has the states"),
        ("kind, from_state", "'blind', 'normal'", "cannot be: an entry about an alarm has the states"),
        ("kind, to_state", "'raised', 'fine'", "to_state is the text \"fine\""),
        ("kind, count", "'raised', -1", "count is -1"),
        ("kind, occurrence", "'raised', -5", "occurrence is -5"),
        ("kind, on_to", "'unshelved', 5", "what was on until then was on from some time on"),
    ] {
        let connection = database();
        connection
            .execute_batch(&format!(
                "INSERT INTO alarm_event (sequence, event_time, received_at, source, listener_id, peer, {columns})
                 VALUES (42, 5, 5, 7, 0, x'', {values})"
            ))
            .unwrap();
        let error = read_events(&connection).unwrap_err().to_string();
        assert!(error.starts_with("in alarm_event, the row of sequence 42 cannot be"), "{error}");
        assert!(error.contains(refusal), "{error}");
    }
    for (column, value) in
        [("listener_id", "65536"), ("peer", "x'0102'"), ("sequence", "-3"), ("source", "x'07'")]
    {
        let connection = database();
        let mut row = vec![
            ("sequence", "42"),
            ("event_time", "5"),
            ("received_at", "5"),
            ("source", "7"),
            ("kind", "'blind'"),
            ("listener_id", "0"),
            ("peer", "x''"),
        ];
        row.iter_mut().filter(|(name, _)| *name == column).for_each(|cell| cell.1 = value);
        let (names, values): (Vec<&str>, Vec<&str>) = row.into_iter().unzip();
        connection
            .execute_batch(&format!(
                "INSERT INTO alarm_event ({}) VALUES ({})",
                names.join(", "),
                values.join(", ")
            ))
            .unwrap();
        let error = read_events(&connection).unwrap_err().to_string();
        assert!(error.contains(&format!("cannot be read: {column} is ")), "{error}");
    }
}

#[test]
fn blind_times_and_jumps_are_found_by_an_index_and_the_newest_given() {
    let mut connection = database();
    let (mut sequence, mut events) = (40, Vec::new());
    let mut ledger = Ledger { sequence: &mut sequence, events: &mut events };
    ledger.was_blind(100, 700, "the server was held up");
    ledger.clock_jumped(3_600_800, 800);
    ledger.was_blind(900, 900, "the server was not running, and the system's clock was set back");
    let alarm_of_the_server = Event { sequence: 44, point: Some(Point::Comms), ..events[0].clone() };
    recorded(&mut connection, &events, &[]);
    let states = (Some(State::Normal), Some(State::Unacknowledged));
    let about = Event { from: states.0, to: states.1, kind: Kind::Raised, ..alarm_of_the_server };
    recorded(&mut connection, &[about], &[]);
    let gap = |sequence, lasted_ms| Gap { sequence, lasted_ms };
    let all = [gap(41, 600), gap(42, -3_600_000), gap(43, 0)];
    assert_eq!(read_gaps(&connection, 9).unwrap(), all);
    assert_eq!(read_gaps(&connection, 2).unwrap(), all[1..]);

    let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", gaps_query())).unwrap();
    let plan: String = plan.query_row(params!["", "", 9], |row| row.get("detail")).unwrap();
    assert!(plan.contains("alarm_event_by_source (source=? AND point=?)"), "{plan}");
}

/// No server writes such times; whoever edits the file can.
#[test]
fn no_sum_of_gaps_overflows() {
    let connection = database();
    connection
        .execute_batch(&format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4096)
             INSERT INTO alarm_event (sequence, event_time, received_at, source, kind, until, listener_id, peer)
             SELECT i, iif(i % 1000 = 0, {COUNT_MAX}, -{COUNT_MAX}), 5, 'server', 'blind',
                 iif(i % 1000 = 0, -{COUNT_MAX}, {COUNT_MAX}), 0, x'' FROM n"
        ))
        .unwrap();
    let gaps = read_gaps(&connection, 4_096).unwrap();
    assert_eq!(gaps.len(), 4_096);
    let sum = gaps.iter().try_fold(0_i64, |sum, gap| sum.checked_add(gap.lasted_ms));
    assert!(sum.is_some_and(|sum| sum > 0));
    let sum = gaps.iter().try_fold(0_i64, |sum, gap| sum.checked_add(gap.lasted_ms.abs()));
    assert!(sum.is_some_and(|sum| sum <= COUNT_MAX));
}

#[test]
fn what_is_known_since_a_time_and_the_last_raise_are_found_by_an_index() {
    let connection = database();
    // The clock was set back after the third.
    connection
        .execute_batch(
            "INSERT INTO alarm_event (sequence, event_time, received_at, source, point, kind, listener_id, peer)
             VALUES (1, 0, 10, 7, 'alarm1', 'raised', 0, x''), (2, 0, 20, 7, 'alarm1', 'returned', 0, x''),
                 (3, 0, 90, 8, 'alarm1', 'raised', 0, x''), (4, 0, 30, 7, 'alarm1', 'raised', 0, x''),
                 (5, 0, 40, 7, 'alarm1', 'returned', 0, x'')",
        )
        .unwrap();
    let since = |since_ms| first_since(&connection, since_ms).unwrap();
    assert_eq!((since(0), since(11), since(35), since(91)), (Some(1), Some(2), Some(3), None));
    let raise = |number, point| {
        let source = AlarmSource::Station(StationId::new(number).unwrap());
        last_raise(&connection, &(source, point)).unwrap()
    };
    assert_eq!((raise(7, Point::Alarm1), raise(8, Point::Alarm1)), (Some(4), Some(3)));
    assert_eq!((raise(7, Point::Alarm2), raise(9, Point::Alarm1)), (None, None));

    for (query, parameters, wanted) in [
        (
            FIRST_SINCE,
            1,
            "SEARCH alarm_event USING COVERING INDEX alarm_event_by_received_at (received_at>?)",
        ),
        (
            HAPPENED_BEFORE,
            1,
            "SEARCH alarm_event USING COVERING INDEX alarm_event_by_received_at (received_at>?)",
        ),
        (LAST_RAISE, 2, "SEARCH alarm_event USING COVERING INDEX alarm_event_raised (source=? AND point=?)"),
    ] {
        let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {query}")).unwrap();
        let parameters = rusqlite::params_from_iter(std::iter::repeat_n(0, parameters));
        let plan: String = plan.query_row(parameters, |row| row.get("detail")).unwrap();
        assert_eq!(plan, wanted);
    }
}

/// A page that ends at a time begins there, unless the clock went back over it.
#[test]
fn from_where_on_all_is_later_is_known_while_the_clock_goes_forward() {
    let connection = database();
    connection
        .execute_batch(
            "INSERT INTO alarm_event (sequence, event_time, received_at, source, point, kind, until, listener_id,
                 peer)
             VALUES (1, 0, 10000, 7, 'alarm1', 'raised', NULL, 0, x''),
                 (2, 90000, 50000, 'server', NULL, 'clock_jumped', 50000, 0, x''),
                 (3, 50000, 90000, 'server', NULL, 'clock_jumped', 90000, 0, x''),
                 (4, 0, 91000, 7, 'alarm1', 'returned', NULL, 0, x'')",
        )
        .unwrap();
    let later = |until_ms| all_later(&connection, until_ms).unwrap();
    assert_eq!((later(70_000), later(80_500), later(82_000)), (Some(3), Some(4), None));
    assert_eq!(later(40_000), None, "it was set back since");
    assert_eq!(later(40_001), Some(3), "a clock that is slewed is no jump");
}

/// By accident, with a tool.
#[test]
fn the_ledger_is_only_added_to() {
    let mut connection = database();
    let event = Event {
        sequence: 42,
        event_time_ms: 5,
        received_at_ms: 5,
        source: AlarmSource::Server,
        point: None,
        occurrence: None,
        kind: Kind::Blind,
        from: None,
        to: None,
        by: None,
        reason: Some("the server was not running".into()),
        until_ms: Some(9),
        was_on: None,
        count: None,
        origin: Origin::default(),
        cause: None,
        stations: None,
    };
    recorded(&mut connection, std::slice::from_ref(&event), &[]);
    for (statement, refusal) in [
        ("UPDATE alarm_event SET reason = 'nothing happened'", "its entries are never changed"),
        ("DELETE FROM alarm_event", "its entries are never deleted"),
        ("DELETE FROM alarm_event WHERE sequence = 42", "its entries are never deleted"),
        (
            "INSERT OR REPLACE INTO alarm_event (sequence, event_time, received_at, source, kind, listener_id, peer)
             VALUES (42, 5, 5, 'server', 'blind', 0, x'')",
            "its entries are never replaced",
        ),
        (
            "INSERT OR REPLACE INTO alarm_event SELECT * FROM alarm_event",
            "its entries are never replaced",
        ),
    ] {
        let error = connection.execute_batch(statement).unwrap_err().to_string();
        assert!(error.contains(refusal), "{statement}: {error}");
    }
    assert_eq!(read_events(&connection).unwrap(), [event]);
}
