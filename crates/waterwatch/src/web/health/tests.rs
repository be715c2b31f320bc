//! Whether it is ready, while parts of it fail.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use jiff::tz::TimeZone;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use waterwatch_core::settings::Fleet;

use super::*;
use crate::config::Limits;
use crate::health::Health;
use crate::live::Publisher;
use crate::metrics::{Metrics, Sources};
use crate::plan::CurrentPlan;
use crate::pulse::Pulse;
use crate::store::lock::DataLock;
use crate::store::readers::Readers;
use crate::store::sqlite::SqliteStore;
use crate::store::{Settled, Store};
use crate::web::{Feed, Parts};
use crate::{lane, live};

struct Around {
    store: SqliteStore,
    settled: Settled,
    publisher: Publisher,
    feed: Arc<Pulse>,
    web: Web,
    _folder: tempfile::TempDir,
}

fn around() -> Around {
    let limits = Limits::default();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.sqlite");
    let lock = DataLock::acquire(&path).unwrap();
    let mut store = SqliteStore::open(&path, lock, TimeZone::UTC, limits.clone()).unwrap();
    let settled = store.settings(&Fleet::default()).unwrap();
    let (publisher, follower, live) = live::open();
    thread::spawn(move || follower.run());
    let (lane, operators, _) = lane::open(limits.lane_bytes_max);
    let (health, feed, tokens) = (Arc::<Health>::default(), Arc::<Pulse>::default(), store.tokens());
    let tokens = tokens.cloned().unwrap();
    let sources = Sources {
        health: Arc::clone(&health),
        lane: lane.level(),
        tokens: tokens.clone(),
        live: live.clone(),
        feed: Arc::clone(&feed),
        backup: Vec::new(),
    };
    let metrics = Arc::new(Metrics::new(&limits, sources));
    let readers = Readers::open(&path, 1).unwrap();
    let web = Web::new(Parts {
        operators,
        lane,
        listener: 1,
        listeners: std::collections::HashMap::new(),
        health,
        feed: Feed::new(readers.clone(), 7, live.last_recorded(), 1, Arc::clone(&feed)),
        live,
        lookers: Arc::new(Semaphore::new(1)),
        readers,
        tokens,
        configured: Fleet::default().says(),
        plan: CurrentPlan::default(),
        metrics,
        limits,
        stopping: CancellationToken::new(),
    });
    Around { store, settled, publisher, feed, web, _folder: folder }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_ready_while_it_stores_and_shows_and_tells() {
    let Around { store, settled, mut publisher, feed, web, _folder } = around();
    let ready = || trouble(&web).map(Cow::into_owned);
    assert_eq!(ready().as_deref(), Some(STARTING));
    web.health.turns(true);
    assert_eq!(ready().as_deref(), Some(STARTING), "nothing is shown yet");
    publisher.start(Vec::new(), &store, &settled.settings);
    let shown = |is_shown: bool| {
        let began = std::time::Instant::now();
        while trouble(&web).is_none() != is_shown {
            assert!(began.elapsed() < Duration::from_secs(30), "{:?}", trouble(&web));
            thread::sleep(Duration::from_millis(1));
        }
    };
    shown(true);
    publisher.mistake();
    shown(false);
    assert!(ready().is_some_and(|why| why.contains("is being made anew")), "{:?}", ready());
    let text = web.metrics.text().unwrap();
    assert!(text.contains("waterwatch_shown{by=\"lists\"} 0"), "{text}");
    assert!(text.contains("waterwatch_shown_failures_total{by=\"lists\"} 1"), "{text}");
    assert!(!text.contains("waterwatch_alarms{"), "nobody takes nothing for none");
    let began = std::time::Instant::now();
    while ready().is_some() && began.elapsed() < Duration::from_secs(30) {
        publisher.turn(&store, &settled.settings);
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(ready(), None);

    // What nobody reads is told to nobody: whoever follows is cut off. So are they while
    // the lists fail: the feed hears of nothing then, and is level.
    let looks_after = web.clone();
    let watching = tokio::spawn(async move { looks_after.feed.watch_over(&looks_after.live).await });
    publisher.mistake();
    shown(false);
    tokio::time::timeout(Duration::from_secs(30), web.feed.until_stale()).await.unwrap();
    assert!(!feed.is_stale() && web.feed.trouble().is_some());
    let began = std::time::Instant::now();
    while web.feed.trouble().is_some() && began.elapsed() < Duration::from_secs(30) {
        publisher.turn(&store, &settled.settings);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(web.feed.trouble(), None);
    for _ in 0..30 {
        feed.turn(7, Pulse::TURN);
    }
    assert!(feed.is_stale());
    tokio::time::timeout(Duration::from_secs(30), web.feed.until_stale()).await.unwrap();
    assert!(ready().is_some_and(|why| why.contains("the ledger cannot be followed")), "{:?}", ready());
    watching.abort();
}
