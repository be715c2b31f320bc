//! `docs/metrics.md` lists what there is, and what is shown and warned of is among it.
//!
//! `WATERWATCH_WRITE_DOCS=1` writes the list into the page.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs};

use axum::http::{Method, StatusCode};
use jiff::tz::TimeZone;
use waterwatch_core::settings::Fleet;

use super::*;
use crate::store::Store;
use crate::store::lock::DataLock;
use crate::store::sqlite::SqliteStore;
use crate::{lane, live};

/// All that is known of one metric.
#[derive(Debug, Default)]
struct Listed {
    kind: String,
    help: String,
    labels: BTreeSet<String>,
    samples: BTreeMap<String, f64>,
}

/// Those of a server that has an empty database.
fn all() -> Metrics {
    let limits = Limits::default();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.sqlite");
    let lock = DataLock::acquire(&path).unwrap();
    let mut store = SqliteStore::open(&path, lock, TimeZone::UTC, limits.clone()).unwrap();
    let settled = store.settings(&Fleet::default()).unwrap();
    let (mut publisher, follower, live) = live::open();
    publisher.start(Vec::new(), &store, &settled.settings);
    follower.catch_up();
    let (lane, _, _) = lane::open(limits.lane_bytes_max);
    // Whatever file, it is of some age.
    let backup = vec![repository("Cargo.toml")];
    let (tokens, feed) = (Tokens::default(), Arc::default());
    let sources = Sources { health: Arc::default(), lane: lane.level(), tokens, live, feed, backup };
    Metrics::new(&limits, sources)
}

/// The metrics of a text, by the name that their samples have.
fn read(text: &str) -> BTreeMap<String, Listed> {
    let mut metrics = BTreeMap::<String, Listed>::new();
    let mut family = String::new();
    let lines = text.strip_suffix("# EOF\n").expect("an end").lines();
    for line in lines {
        if let Some(described) = line.strip_prefix("# ") {
            let mut words = described.splitn(3, ' ');
            let (what, name, said) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            family = name.to_owned();
            let listed = metrics.entry(name.to_owned()).or_default();
            match what {
                "HELP" => listed.help = said.to_owned(),
                "TYPE" => listed.kind = said.to_owned(),
                "UNIT" => assert!(name.ends_with(said), "{line}"),
                _ => panic!("{line}"),
            }
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect(line);
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let ending = name.strip_prefix(&family).expect(line);
        let listed = metrics.get_mut(&family).expect("a metric that is described");
        let fits = match listed.kind.as_str() {
            "counter" => ending == "_total",
            "gauge" => ending.is_empty(),
            "info" => ending == "_info",
            "histogram" => ["_bucket", "_sum", "_count"].contains(&ending),
            kind => panic!("a {kind}"),
        };
        assert!(fits, "{line}");
        let labels = labels.trim_end_matches('}').split("\",").filter_map(|label| label.split_once('='));
        listed.labels.extend(labels.map(|(name, _)| name.to_owned()).filter(|name| name != "le"));
        listed.samples.insert(series.to_owned(), value.parse().expect(line));
    }
    metrics
}

/// How a sample of it is asked for.
fn asked_for(name: &str, kind: &str) -> Vec<String> {
    let endings: &[&str] = match kind {
        "counter" => &["_total"],
        "info" => &["_info"],
        "histogram" => &["_bucket", "_sum", "_count"],
        _ => &[""],
    };
    endings.iter().map(|ending| format!("{name}{ending}")).collect()
}

fn repository(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file)
}

#[test]
fn the_page_lists_what_there_is() {
    let metrics = all();
    metrics.requests.answered(Some("/healthz"), &Method::GET, StatusCode::OK, Duration::ZERO);
    let mut table = String::from("| metric | type | labels | what it says |\n| --- | --- | --- | --- |\n");
    for (name, Listed { kind, help, labels, .. }) in read(&metrics.text().unwrap()) {
        let name = match kind.as_str() {
            "counter" => format!("{name}_total"),
            "info" => format!("{name}_info"),
            _ => name,
        };
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        table += &format!("| `{name}` | {kind} | {} | {} |\n", labels.join(", "), help.trim_end_matches('.'));
    }
    let path = repository("docs/metrics.md");
    let page = fs::read_to_string(&path).expect("docs/metrics.md");
    let (begin, end) = ("<!-- metrics: begin -->\n", "<!-- metrics: end -->");
    let (before, rest) = page.split_once(begin).expect(begin);
    let (said, after) = rest.split_once(end).expect(end);
    if said != table && env::var_os("WATERWATCH_WRITE_DOCS").is_some() {
        fs::write(&path, [before, begin, &table, end, after].concat()).expect("docs/metrics.md");
        return;
    }
    assert_eq!(said, table, "WATERWATCH_WRITE_DOCS=1 writes the list into docs/metrics.md");
}

#[test]
fn what_is_shown_and_warned_of_is_there() {
    let metrics = all();
    metrics.requests.answered(None, &Method::GET, StatusCode::OK, Duration::ZERO);
    let there: BTreeSet<String> = read(&metrics.text().unwrap())
        .iter()
        .flat_map(|(name, listed)| asked_for(name, &listed.kind))
        .collect();
    for file in ["docs/grafana/waterwatch.json", "docs/prometheus/waterwatch.rules.yml"] {
        let text = fs::read_to_string(repository(file)).expect(file);
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let named: BTreeSet<&str> = words
            .filter(|word| ["waterwatch_", "process_"].iter().any(|prefix| word.starts_with(prefix)))
            .collect();
        assert!(named.len() > 5, "{file} names {named:?}");
        for name in named {
            assert!(there.contains(name), "{file} names {name}, which is no metric");
        }
    }
    let rules = fs::read_to_string(repository("docs/prometheus/waterwatch.rules.yml")).unwrap();
    for said in ["expr: ", "severity: ", "summary: ", "description: "] {
        assert_eq!(rules.matches(said).count(), rules.matches("- alert: ").count(), "{said}");
    }
    let dashboard = fs::read_to_string(repository("docs/grafana/waterwatch.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).expect("a dashboard");
    for panel in dashboard["panels"].as_array().expect("panels") {
        let is_row = panel["type"] == "row";
        assert!(is_row || panel["datasource"]["uid"] == "${datasource}", "{}", panel["title"]);
    }
}

#[test]
fn requests_are_counted_by_route_and_nothing_that_is_sent_makes_another() {
    let metrics = all();
    for number in 0..100 {
        let method = Method::from_bytes(format!("M{number}").as_bytes()).unwrap();
        metrics.requests.answered(None, &method, StatusCode::NOT_FOUND, Duration::from_millis(3));
    }
    let read = read(&metrics.text().unwrap());
    let series = "waterwatch_http_requests_total{route=\"other\",method=\"other\",status=\"404\"}";
    let counted = &read["waterwatch_http_requests"].samples;
    assert_eq!(counted.iter().collect::<Vec<_>>(), [(&series.to_owned(), &100.0)]);
}

#[test]
fn a_connection_counts_while_it_is_open() {
    let metrics = all();
    let open = || read(&metrics.text().unwrap())["waterwatch_connections"].samples.clone();
    let first = metrics.stations.open();
    let _second = metrics.stations.open();
    let of = |kind: &str| format!("waterwatch_connections{{kind=\"{kind}\"}}");
    assert_eq!(open(), BTreeMap::from([(of("http"), 0.0), (of("stations"), 2.0)]));
    drop(first);
    assert_eq!(open(), BTreeMap::from([(of("http"), 0.0), (of("stations"), 1.0)]));
}
