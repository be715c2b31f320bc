use proptest::prelude::*;

use super::super::schema;
use super::*;

fn said() -> impl Strategy<Value = Said> {
    let at = (1..=schema::COUNT_MAX, -schema::COUNT_MAX..=schema::COUNT_MAX)
        .prop_map(|(sequence, received_at_ms)| Moment { received_at_ms, sequence });
    (any::<[bool; 2]>(), at).prop_map(|(contacts, at)| Said { contacts, at })
}

fn contest() -> impl Strategy<Value = Contest> {
    let origin = any::<(u16, [u8; 16])>().prop_map(|(listener, peer)| Origin { listener, peer });
    let at = || prop::option::of(said().prop_map(|said| said.at));
    let contested = prop::option::of((said(), any::<bool>()))
        .prop_map(|sign| sign.map(|(said, contradicts)| Contested { sign: said.at, contradicts }));
    (
        prop::collection::vec((origin, said()), 0..=OTHERS_MAX),
        [at(), at()],
        prop::option::of(said()),
        0..=REVERSALS_MIN,
        contested,
    )
        .prop_map(|(others, said_on, before, reversals, contested)| Contest {
            others,
            said_on,
            before,
            reversals,
            contested,
        })
}

fn database() -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    schema::create(&mut connection).unwrap();
    connection
}

fn id(number: i64) -> StationId {
    StationId::new(number).unwrap()
}

proptest! {
    #[test]
    fn what_is_remembered_survives(one in contest(), other in contest()) {
        let mut connection = database();
        let transaction = connection.transaction().unwrap();
        write(&transaction, &[(id(7), Some(one.clone())), (id(8), Some(one.clone()))]).unwrap();
        write(&transaction, &[(id(8), Some(other.clone())), (id(7), None), (id(9), None)]).unwrap();
        transaction.commit().unwrap();
        let mut wanted = Contests::default();
        wanted.set(id(8), Some(other));
        prop_assert_eq!(read(&connection, &mut Vec::new()).unwrap(), wanted);
    }
}

#[test]
fn a_row_that_no_server_wrote_is_named() {
    let row = "INSERT INTO contest (station_id, contradicts, others, before_alarm1, before_alarm2, reversals)
        VALUES (7, 0, x'', 0, 0, 0)";
    for (change, complaint) in [
        ("station_id = -7", "the row of station -7 cannot be read: station_id is -7"),
        ("others = x'00'", "the row of station 7 cannot be read: others is a blob of 1 bytes"),
        ("others = zeroblob(35 * 5)", "others is a blob of 175 bytes"),
        ("others = zeroblob(35)", "others is a blob of 35 bytes"),
        ("sign = 5", "the row of station 7 cannot be: a report has a sequence and a time"),
        ("before = 0, before_at = 0", "before is 0"),
        ("contradicts = 2", "contradicts is 2"),
        ("reversals = -1", "reversals is -1"),
    ] {
        let connection = database();
        connection.execute_batch(&format!("{row}; UPDATE contest SET {change}")).unwrap();
        let mut unreadable = Vec::new();
        assert!(read(&connection, &mut unreadable).unwrap().ids().next().is_none());
        let [Unreadable { why: error, alarm: None }] = &unreadable[..] else { panic!("{unreadable:?}") };
        assert!(error.starts_with("in contest, the row of station") && error.contains(complaint), "{error}");
    }
}
