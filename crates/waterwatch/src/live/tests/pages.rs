//! What a queue that is full, a page that is turned, and a stream hang on.

use super::*;

/// A writer's end with a store of so many stations, and what follows it.
struct Line {
    store: Memory,
    settings: Settings,
    publisher: Publisher,
    follower: Follower,
    live: Live,
}

impl Line {
    fn of(stations: i64) -> Line {
        let (mut publisher, follower, live) = open();
        let (mut store, settings) = (Memory::default(), Settings::default());
        for number in 0..stations {
            store.stations.add(id(number), heard(0, false, false));
        }
        publisher.start(Vec::new(), &store, &settings);
        Line { store, settings, publisher, follower, live }
    }

    fn record(&mut self, batch: Batch) {
        let batch = Batch { sequence: self.store.sequence + 1, ..batch };
        self.store.commit(&batch).unwrap();
        self.publisher.recorded(&batch, &self.store, &self.settings);
    }

    /// These stations have `alarm1` raised so long ago, or nothing.
    fn set(&mut self, alarms: &[(i64, Option<i64>)]) {
        let facts = |&(number, age_ms): &(i64, Option<i64>)| {
            let alarm = age_ms.map(|age_ms| raised(number + 1, NOW_MS - age_ms));
            ((station(number), Point::Alarm1), alarm)
        };
        self.record(Batch { alarms: alarms.iter().map(facts).collect(), ..Batch::default() });
    }

    fn page(&self, after: Option<Cursor>, limit: usize) -> (Vec<i64>, Option<Cursor>) {
        let query = AlarmQuery { after, limit, ..AlarmQuery::default() };
        let page = self.live.look().unwrap().alarms(&query);
        let number = |row: &AlarmRow| match row.key.0 {
            AlarmSource::Station(id) => id.get(),
            AlarmSource::Area(_) | AlarmSource::Server => unreachable!(),
        };
        (page.alarms.iter().map(number).collect(), page.next)
    }
}

#[test]
fn nothing_is_shown_before_the_first_is_published() {
    let (mut publisher, follower, live) = open();
    assert_eq!(live.look().map(drop), Err(NotShown::NotYet));
    publisher.start(Vec::new(), &Memory::default(), &Settings::default());
    follower.catch_up();
    assert!(live.look().is_ok());
}

#[test]
fn the_writer_never_waits_and_what_did_not_fit_is_made_up_for() {
    let mut line = Line::of(0);
    let all: Vec<(i64, Option<i64>)> = (0..20_000).map(|number| (number, Some(number))).collect();
    for _ in 0..5 {
        line.set(&all);
    }
    assert!(line.publisher.is_behind(), "100,000 alarms are more than the queue takes");
    line.publisher.turn(&line.store, &line.settings);
    assert!(line.publisher.is_behind(), "the whole waits until the follower has time");
    line.follower.catch_up();
    line.set(&[(0, None)]);
    line.follower.catch_up();
    let counts = line.live.look().unwrap().alarm_counts();
    assert_eq!(counts.values().sum::<usize>(), 19_999, "{counts:?}");
    assert!(!line.publisher.is_behind());
}

#[test]
fn a_page_that_goes_on_skips_no_alarm_that_stayed_as_it_was() {
    let mut line = Line::of(10);
    line.set(&(0..10).map(|number| (number, Some(1_000 - number))).collect::<Vec<_>>());
    line.follower.catch_up();
    let (first, next) = line.page(None, 4);
    assert_eq!(first, [0, 1, 2, 3]);
    // The last of the page is gone, one before it moved behind, and one came.
    line.set(&[(3, None), (1, Some(10)), (20, Some(2_000))]);
    line.follower.catch_up();
    let (second, next) = line.page(next, 4);
    assert_eq!(second, [4, 5, 6, 7]);
    let (third, next) = line.page(next, 4);
    assert_eq!((third, next), (vec![8, 9, 1], None));
}

#[test]
fn streams_are_told_of_each_commit_with_events_and_of_no_other() {
    let mut line = Line::of(1);
    line.follower.catch_up();
    let mut told = line.live.last_recorded();
    told.mark_unchanged();
    line.record(Batch::default());
    line.follower.catch_up();
    assert!(!told.has_changed().unwrap());
    line.record(Batch { events: vec![model::event(2)], ..Batch::default() });
    line.follower.catch_up();
    assert!(told.has_changed().unwrap());
    assert_eq!(*told.borrow(), 2);
}

#[test]
fn numbers_that_begin_alike_are_found_whatever_their_length() {
    let mut line = Line::of(0);
    for number in [0, 1, 7, 70, 71, 170, 700, 8_000_000_000_000_000_000, i64::MAX] {
        line.store.stations.add(id(number), heard(0, false, false));
    }
    line.publisher.renew();
    line.follower.catch_up();
    line.publisher.turn(&line.store, &line.settings);
    line.follower.catch_up();
    let find = |prefix: &str, ids: &[i64]| -> Vec<i64> {
        let ids = ids.iter().copied().map(id).collect();
        let within = Some(Within { id_prefix: Some(prefix.into()), ids });
        let query = StationQuery { within, limit: 100, ..StationQuery::default() };
        let page = line.live.look().unwrap().stations(&query, NOW_MS);
        page.stations.iter().map(|station| station.id.get()).collect()
    };
    assert_eq!(find("7", &[]), [7, 70, 71, 700]);
    assert_eq!(find("70", &[0, 70, 71]), [0, 70, 71, 700]);
    assert_eq!(find("9223372036854775807", &[]), [i64::MAX]);
    assert_eq!(find("0", &[]), [0]);
    for nothing in ["00", "07", "x", "99999999999999999999"] {
        assert!(find(nothing, &[]).is_empty(), "{nothing}");
    }
}
