//! Entries of the ledger that cannot be read, among others.

use super::*;

/// What a newer version, or damage, makes of an entry, as far as its columns allow.
const SPOILT: [&str; 11] = [
    "kind = 'moved_on'",
    "event_time = 9223372036854775807",
    "received_at = -9223372036854775808",
    "source = x'07'",
    "source = 'area/'",
    "point = 'alarm9'",
    "point = NULL",
    "from_state = NULL",
    "count = -1",
    "peer = x'0102'",
    "stations = x'ff'",
];

fn spoil(connection: &Connection, sequence: i64, change: &str) {
    connection.execute_batch("DROP TRIGGER IF EXISTS alarm_event_is_never_changed").unwrap();
    let update = format!("UPDATE alarm_event SET {change} WHERE sequence = ?1");
    assert_eq!(connection.execute(&update, [sequence]), Ok(1), "{change}");
}

/// A ledger in which the first, the last, and so many in a row are spoilt that a page has
/// no other; and which they are.
fn spoilt_ledger() -> (tempfile::TempDir, Vec<i64>) {
    let (folder, connection) = ledger();
    let spoilt: Vec<i64> = [10].into_iter().chain(40..=48).chain([120]).collect();
    for (sequence, change) in spoilt.iter().zip(SPOILT) {
        spoil(&connection, *sequence, change);
    }
    (folder, spoilt)
}

#[test]
fn pages_with_entries_that_cannot_be_read_lose_and_repeat_nothing() {
    let (folder, spoilt) = spoilt_ledger();
    let reader = reader(&folder);
    for (entries_max, bytes_max) in [(3, None), (7, None), (200, None), (200, Some(1)), (200, Some(1_500))] {
        for window in [Window::Newest, Window::After(0)] {
            let mut asked = Asked { entries_max, bytes_max, window, ..Asked::default() };
            let (mut found, mut unreadable) = (Vec::new(), Vec::new());
            for pages in 1.. {
                assert!(pages < 200, "it does not end");
                let page = reader.events(&asked).unwrap();
                assert!((1..=entries_max).contains(&page.len()));
                unreadable.extend(page.unreadable.iter().map(|entry| entry.sequence));
                let next = page.next;
                let entries: Vec<i64> = page.into_entries().iter().map(Entry::sequence).collect();
                assert!(entries.is_sorted());
                found.extend(entries);
                let Some(next) = next else { break };
                asked.window = next;
            }
            found.sort_unstable();
            unreadable.sort_unstable();
            assert_eq!(found, (10..=120).collect::<Vec<i64>>(), "{entries_max} {bytes_max:?} {window:?}");
            assert_eq!(unreadable, spoilt);
        }
    }
}

#[test]
fn what_is_wrong_is_named_and_the_time_if_it_can_be_read() {
    let (folder, _) = spoilt_ledger();
    let asked = Asked { entries_max: 200, ..Asked::default() };
    let page = reader(&folder).events(&asked).unwrap();
    let first = &page.unreadable[0];
    assert_eq!(
        (&*first.why, first.received_at_ms),
        ("in alarm_event, the row of sequence 10 cannot be read: kind is the text \"moved_on\"", Some(1_000))
    );
    assert_eq!(page.unreadable[2].received_at_ms, None);
    assert_eq!(page.last(), Some(120));
    // As far as its columns say, it is what is asked for; that of 120 may be about anybody.
    let of_one = Asked { source: Some(of(1)), ..asked.clone() };
    let unreadable = reader(&folder).events(&of_one).unwrap().unreadable;
    assert_eq!(unreadable.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), [41, 45, 120]);
    let nothing = Asked { window: Window::Before(11), ..asked };
    assert_eq!(sequences(&reader(&folder), &nothing), (vec![], None));
}

/// An alarm's story is told without them, also without its beginning.
#[test]
fn a_story_names_what_of_it_cannot_be_read() {
    let (folder, connection) = fleet();
    connection
        .execute_batch(
            "INSERT INTO alarm_event (sequence, event_time, received_at, source, point, occurrence, kind, from_state,
                 to_state, \"by\", listener_id, peer) VALUES
             (60, 700, 700, 2, 'alarm1', 40, 'acknowledged', 'unacknowledged', 'acknowledged', 'Ann', 0, x''),
             (61, 800, 800, 'server', NULL, NULL, 'blind', NULL, NULL, NULL, 0, x'0102')",
        )
        .unwrap();
    spoil(&connection, 40, "from_state = NULL");
    let past =
        |occurrence| reader(&folder).past(&(of(2), Point::Alarm1), occurrence, &TimeZone::UTC).unwrap();
    for occurrence in [None, Some(40)] {
        let past = past(occurrence).unwrap();
        assert_eq!(past.occurrence, Some(40));
        assert_eq!(past.events.iter().map(|event| event.sequence).collect::<Vec<_>>(), [60]);
        assert_eq!(past.unreadable.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), [40, 61]);
    }
    spoil(&connection, 60, "kind = 'moved_on'");
    let whole = past(None).unwrap();
    assert_eq!((whole.events.len(), whole.unreadable.len()), (0, 3));
    assert_eq!(past(Some(41)).unwrap_err(), Some(40));
    // What is said of many stations, for one of them.
    connection
        .execute_batch(
            "INSERT INTO alarm_event (sequence, event_time, received_at, source, point, occurrence, kind, from_state,
                 to_state, listener_id, peer, stations) VALUES
             (70, 900, 900, 'area/North', 'comms', 50, 'stands_for', 'unacknowledged', 'unacknowledged', 0, x'', x'ff')",
        )
        .unwrap();
    let of_many = reader(&folder).past(&(of(1), Point::Comms), None, &TimeZone::UTC).unwrap().unwrap();
    assert_eq!(of_many.unreadable[0].sequence, 70);
}
