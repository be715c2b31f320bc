//! A station that is forgotten, and of which something is said in the same batch.

use waterwatch_core::settings::Said;

use super::*;
use crate::station_says::StationSays;
use crate::store::NewSays;

#[test]
fn what_is_said_of_a_station_after_it_was_forgotten_is_shown() {
    let (mut publisher, follower, live) = open();
    let (mut store, mut settings) = (Memory::default(), Settings::default());
    let hears = |number| Change {
        id: id(number),
        slot: None,
        station: heard(7, true, false),
        reports: 1,
        novelty: Novelty::First,
    };
    store.commit(&Batch { changes: vec![hears(7), hears(8)], ..Batch::default() }).unwrap();
    publisher.start(Vec::new(), &store, &settings);
    let mut says = StationSays::default();
    says.say("area", Said::Text("North")).unwrap();
    let said: Vec<NewSays> = [7, 8].map(|number| NewSays::Station(id(number), Box::new(says.clone()))).into();
    said.iter().for_each(|new| new.settle(&mut settings));
    let forgotten = [7, 8].map(|number| (id(number), store.find(id(number)).map(|(slot, _)| slot))).into();
    // One of them reports at once.
    let batch = Batch { forgotten, said, changes: vec![hears(8)], sequence: 9, ..Batch::default() };
    store.commit(&batch).unwrap();
    publisher.recorded(&batch, &store, &settings);
    follower.catch_up();
    let view = live.look().unwrap();
    let query = StationQuery { area: Some("North".into()), limit: 9, ..StationQuery::default() };
    let shown = view.stations(&query, NOW_MS).stations;
    let shown: Vec<_> = shown.iter().map(|row| (row.id, row.is_named, row.heard.is_some())).collect();
    assert_eq!(shown, [(id(7), true, false), (id(8), true, true)]);
}
