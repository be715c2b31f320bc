//! Stations by the beginning of a name that very many have.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::api::Api;
use crate::harness::{Server, open, wait_for};

/// The ids on all pages, in their order; `meanwhile` happens after the first.
fn walk(api: &Api, query: &str, limit: usize, meanwhile: impl FnOnce()) -> Vec<i64> {
    let (mut ids, mut after, mut meanwhile) = (Vec::new(), String::new(), Some(meanwhile));
    loop {
        let page = api.get(&format!("/api/v1/stations?{query}&limit={limit}{after}")).ok();
        let stations = page["stations"].as_array().unwrap();
        ids.extend(stations.iter().map(|station| station["station_id"].as_i64().unwrap()));
        let Value::String(next) = &page["next"] else { return ids };
        assert_eq!(stations.len(), limit, "a page before the last is full");
        assert_eq!(next.parse().ok(), ids.last().copied());
        after = format!("&after={next}");
        if let Some(meanwhile) = meanwhile.take() {
            meanwhile();
        }
    }
}

#[test]
fn a_name_that_very_many_have_is_found_page_by_page() {
    let folder = TempDir::new().unwrap();
    Server::start(folder.path(), &[]).stop();
    // Every second one is a pump, some of them in North; behind all of them are streets.
    open(&folder.path().join("data.sqlite"))
        .execute_batch(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
             INSERT INTO station_settings (station_id, name, area)
             SELECT i, iif(i % 2, 'Well ', 'Pump ') || i, iif(i % 1500, NULL, 'North') FROM n;
             INSERT INTO station_settings (station_id, name)
             SELECT station_id + 200000, '1st street ' || station_id FROM station_settings WHERE station_id <= 12000",
        )
        .unwrap();
    let server = Server::start(folder.path(), &[]);
    let api = server.api();
    wait_for("stations to be listed", || (api.get("/api/v1/stations").status == 200).then_some(()));
    let streets = 200_001..=212_000;
    let pumps: Vec<i64> = (2..=30_000).step_by(2).collect();
    let all = |query: &str, limit| walk(&api, query, limit, || ());
    assert_eq!(all("q=pump", 1_000), pumps);
    assert_eq!(all("q=PUMP+2&area=North", 1), (21_000..=28_500).step_by(1_500).collect::<Vec<_>>(), "few");
    assert_eq!(all("q=pump&area=North", 7), (1_500..=30_000).step_by(1_500).collect::<Vec<_>>());
    assert_eq!(all("q=pump&area=North&comms=up", 10), [] as [i64; 0]);
    assert_eq!(all("q=1st+street", 999), streets.clone().collect::<Vec<_>>(), "they are behind the others");
    let with_one = (1..=30_000).filter(|id: &i64| id.to_string().starts_with('1')).chain(streets);
    assert_eq!(all("q=1", 1_000), with_one.collect::<Vec<_>>(), "by id or by name");
    // Whoever stays as it is is on a page, whatever others do.
    let put = |id: i64, name: &str| api.put(&format!("/api/v1/stations/{id}"), &json!({"name": name})).ok();
    let renamed = walk(&api, "q=pump", 1_000, || {
        put(3, "Pump 3");
        put(2_000, "Well 2000");
        put(29_998, "Well 29998");
        put(29_999, "Pump 29999");
    });
    let wanted = pumps.iter().copied().filter(|id| *id != 29_998).chain([29_999]);
    let mut wanted: Vec<i64> = wanted.collect();
    wanted.sort_unstable();
    assert_eq!(renamed, wanted, "2000 was listed before");
}
